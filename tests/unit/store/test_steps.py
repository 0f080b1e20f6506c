import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.models import Role, SyncState, Turn
from novadesk.protocol.events import TOOL_NAME
from novadesk.store.steps import decode_turn, encode_turn

pytestmark = pytest.mark.thorough

TURNS = st.builds(
    Turn,
    turn_id=st.uuids().map(str),
    conversation=st.just("h"),
    position=st.just(0),
    role=st.sampled_from(Role),
    text=st.text(),
    at_ms=st.integers(0, 1 << 52),
    wire_session=st.uuids().map(str),
    heard_chars=st.none() | st.integers(0, 1000),
    interrupted=st.booleans(),
    unconfirmed=st.booleans(),
    typed=st.booleans(),
    voice=st.just("") | st.from_regex(r"[a-z][a-z .-]{0,20}", fullmatch=True),
    tools=st.lists(st.from_regex(TOOL_NAME, fullmatch=True), max_size=4, unique=True).map(tuple),
    sync=st.just(SyncState.SYNCED),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def decode(text: str, turn: Turn) -> Turn | None:
    return decode_turn(text, conversation="h", step_id="s", step_ms=1, wire_session=turn.wire_session)


@given(TURNS)
def test_a_turn_comes_back_whole(turn: Turn) -> None:
    assert decode(encode_turn(turn), turn) == turn
    assert encode_turn(turn) == encode_turn(dataclasses.replace(turn))


@given(TURNS, st.data())
def test_a_torn_step_is_passed_over(turn: Turn, data: st.DataObject) -> None:
    text = encode_turn(turn)
    assert decode(text[: data.draw(st.integers(0, len(text) - 1))], turn) is None


@given(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "text": st.text()},
        optional={
            name: JSON
            for name in ("turn_id", "at_ms", "heard_chars", "interrupted", "unconfirmed", "typed", "voice", "tools")
        },
    )
)
def test_members_of_a_wrong_kind_do_no_harm(content: dict[str, object]) -> None:
    turn = decode_turn(json.dumps(content), conversation="h", step_id="s", step_ms=1, wire_session="w")
    assert turn is not None
    assert turn.text == content["text"]
    assert isinstance(turn.at_ms, int)
    assert turn.heard_chars is None or turn.heard_chars >= 0
    assert len(turn.voice) <= 64
    assert all(TOOL_NAME.fullmatch(tool) for tool in turn.tools)


@given(JSON)
def test_foreign_json_is_passed_over(content: object) -> None:
    assert decode_turn(json.dumps(content), conversation="h", step_id="s", step_ms=1, wire_session="w") is None


def test_a_turn_without_voice_and_tools_is_worded_as_before_there_were_any() -> None:
    plain = Turn(
        turn_id="t", conversation="h", position=0, role=Role.USER, text="Hello.", at_ms=1, wire_session="w", typed=True
    )
    assert encode_turn(plain) == (
        '{"v":1,"role":"user","text":"Hello.","interrupted":false,"heard_chars":null,"unconfirmed":false,"typed":true,'
        '"turn_id":"t","at_ms":1}'
    )
