"""Tolerant reading of JSON objects: a missing or misshapen field becomes its default, never an exception."""

import json
from enum import Enum

from novadesk.protocol.history import well_formed

type Body = dict[str, object]


def text_of(body: Body, name: str, default: str = "") -> str:
    """Return a text field, with U+FFFD for halves of surrogate pairs."""
    value = body.get(name)
    return well_formed(value) if isinstance(value, str) else default


def object_of(body: Body, name: str) -> Body:
    """Return an object field, or an empty object."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def objects_of(body: Body, name: str) -> list[Body]:
    """Return the objects of an array field, or nothing."""
    value = body.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def float_of(body: Body, name: str, default: float) -> float:
    """Return a number field."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    try:
        return float(value)
    except OverflowError:
        return default


def int_of(body: Body, name: str, default: int) -> int:
    """Return a whole number field; 16000.0 counts as 16000."""
    value = body.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def enum_of[E: Enum](kind: type[E], body: Body, name: str, default: E | None) -> E | None:
    """Return an enumeration field by its value, in upper or lower case.

    An absent field becomes `default`, a value that the enumeration does not have becomes None.
    """
    value = body.get(name)
    if value is None:
        return default
    wanted = value.upper() if isinstance(value, str) else None
    return next((member for member in kind if member.value == wanted), None)


def is_json_object(text: str) -> bool:
    """Tell whether `text` is the JSON of an object."""
    return isinstance(parse(text), dict)


def parse(text: str) -> object:
    """Return what the JSON text means; None for anything that is no JSON (and for `null`)."""
    try:
        return _READER.decode(text)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> object:
    # NaN and Infinity are Python's own extension of JSON.
    raise ValueError(name)


_READER = json.JSONDecoder(parse_constant=_refuse)
