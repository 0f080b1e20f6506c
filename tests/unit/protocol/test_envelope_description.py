"""The AsyncAPI description is that of the code, and what the code writes is what it describes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given

from novadesk.protocol.envelope import CLIENT_TYPES, SERVER_TYPES, Malformed, decode_client, decode_server, encode
from novadesk.protocol.envelope_description import describe, payload
from tests.unit.protocol.envelope_values import CLIENT_DOCUMENTS, SERVER_DOCUMENTS

FILE = Path(__file__).parents[3] / "docs" / "gateway-asyncapi.json"


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def found(document: dict[str, Any], reference: str) -> Any:
    place: Any = document
    for name in reference.removeprefix("#/").split("/"):
        place = place[name]
    return place


def test_the_file_is_the_description() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == describe(), "run `python scripts/asyncapi.py`"


def test_every_reference_leads_somewhere_and_every_message_is_said_by_somebody() -> None:
    document = describe()
    leading = list(references(document))
    assert all(found(document, reference) for reference in leading)
    said = {one["$ref"].rsplit("/", 1)[1] for way in document["operations"].values() for one in way["messages"]}
    assert said == set(document["components"]["messages"]) == {*CLIENT_TYPES, *SERVER_TYPES, "microphone", "speech"}


@pytest.mark.parametrize("name", [*CLIENT_TYPES, *SERVER_TYPES])
def test_every_schema_is_one_and_every_message_is_explained(name: str) -> None:
    message = describe()["components"]["messages"][name]
    jsonschema_rs.meta.validate(message["payload"])
    assert len(message["summary"]) > 10


@given(CLIENT_DOCUMENTS)
def test_what_a_client_writes_is_what_is_described(document: dict[str, Any]) -> None:
    message = decode_client(json.dumps(document))
    if not isinstance(message, Malformed):
        jsonschema_rs.validate(payload(document["type"], CLIENT_TYPES[document["type"]]), json.loads(encode(message)))


@given(SERVER_DOCUMENTS)
def test_what_the_gateway_writes_is_what_is_described(document: dict[str, Any]) -> None:
    message = decode_server(json.dumps(document))
    if not isinstance(message, Malformed):
        jsonschema_rs.validate(payload(document["type"], SERVER_TYPES[document["type"]]), json.loads(encode(message)))
