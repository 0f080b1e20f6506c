"""Hypothesis strategies of the gateway's messages, made from the description that they give of themselves."""

from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

from novadesk.protocol.envelope import CLIENT_TYPES, SERVER_TYPES
from novadesk.protocol.envelope_kinds import Shape

_CHARS = st.characters(codec="utf-8", exclude_categories=("Cs",))
_LONGEST = 40


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values of JSON that a schema allows."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("contentEncoding") == "base64":
        return st.binary(min_size=1, max_size=_LONGEST // 2).map(lambda data: b64encode(data * 2).decode())
    match schema["type"]:
        case "string":
            least = schema.get("minLength", 0)
            return st.text(_CHARS, min_size=least, max_size=min(schema["maxLength"], least + _LONGEST))
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            return st.floats(schema["minimum"], schema["maximum"])
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(fitting(schema["items"]), max_size=3)
        case _:
            needed = schema.get("required", [])
            parts = {name: fitting(part) for name, part in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: parts[name] for name in needed},
                optional={name: part for name, part in parts.items() if name not in needed},
            )


def documents(types: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return messages of these types as JSON has them."""
    return st.one_of(
        *(
            fitting(Shape(kind).schema()).map(lambda body, name=name: {"type": name, **body})
            for name, kind in types.items()
        )
    )


CLIENT_DOCUMENTS = documents(CLIENT_TYPES)
SERVER_DOCUMENTS = documents(SERVER_TYPES)
