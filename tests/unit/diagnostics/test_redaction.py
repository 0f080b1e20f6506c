"""What is left of an event when what was said is taken out, and that the core does the same with it."""

import json
from base64 import b64encode
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.diagnostics.recorder import Recorder, read_dump
from novadesk.diagnostics.redaction import REST, Redaction, revive
from novadesk.protocol.codec import decode_input, decode_output
from novadesk.protocol.events import AudioOutput, TextOutput, ToolUse, UnknownEvent
from novadesk.protocol.pairing import match
from tests.support.replay import played_counts, raw_events, received_events, record_file, replay_wire, shape

FILES = sorted((Path(__file__).parents[2] / "data" / "sessions").glob("*.jsonl"))
SECRET = "Zugspitze"


def event(name: str, **body: Any) -> bytes:
    return json.dumps({"event": {name: body}}).encode()


def text_event(text: str, content_id: str = "c1") -> bytes:
    return event("textOutput", contentId=content_id, role="ASSISTANT", content=text)


def redacted(payload: bytes, *, ours: bool = False) -> Any:
    return Redaction().redact(payload, ours=ours)


def revived_texts(*texts: str) -> list[str]:
    redaction = Redaction()
    found = []
    for number, text in enumerate(texts):
        back = decode_output(revive(redaction.redact(text_event(text, f"c{number}"), ours=False)))
        assert isinstance(back, TextOutput)
        found.append(back.content)
    return found


# --- nothing of it is left -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        text_event(f"I was on the {SECRET} yesterday"),
        text_event(SECRET),
        event("textInput", promptName="p", contentName="c", content=SECRET),
        event("toolUse", toolName=SECRET, toolUseId="t", content=json.dumps({SECRET: SECRET})),
        event("toolUse", toolName="getDateTime", toolUseId="t", content=SECRET),
        event("toolResult", promptName="p", contentName="c", content=json.dumps({"place": SECRET})),
        event("audioOutput", contentId="c", content=b64encode(SECRET.encode()).decode() + SECRET),
        event("contentStart", contentId="c", type=SECRET, role=SECRET, additionalModelFields=SECRET),
        event("contentStart", contentId="c", additionalModelFields=json.dumps({"generationStage": SECRET})),
        event("contentStart", contentId="c", additionalModelFields=json.dumps({"x": SECRET})),
        event("contentEnd", contentId="c", stopReason=SECRET),
        event("promptStart", promptName="p", audioOutputConfiguration={"voiceId": SECRET}),
        event(
            "promptStart",
            toolConfiguration={
                "tools": [{"toolSpec": {"name": "a b", "description": SECRET, "inputSchema": {"json": SECRET}}}],
                "toolChoice": {"tool": {"name": SECRET}},
            },
        ),
        event(SECRET, content=SECRET),
        event("newThing", **{SECRET: 1, "inner": {SECRET: [SECRET, {SECRET: SECRET}]}}),
        event("usageEvent", details={SECRET: {"input": SECRET}}),
        json.dumps({SECRET: SECRET}).encode(),
        json.dumps({"event": {"textOutput": {}, SECRET: SECRET}}).encode(),
        json.dumps([SECRET]).encode(),
        SECRET.encode(),
        b"\xff" + SECRET.encode(),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
def test_nothing_that_was_said_is_left(payload: bytes, ours: bool) -> None:
    written = json.dumps(redacted(payload, ours=ours), ensure_ascii=False).casefold()
    assert SECRET.casefold() not in written
    assert b64encode(SECRET.encode()).decode()[:8].casefold() not in written


def test_ids_are_stand_ins_that_stay_the_same_within_one_recording_only() -> None:
    known = "d23f0824-128b-4f33-8c5c-7fd0a6a3a450"
    payload = event("contentEnd", contentId=known, sessionId=known, promptName="another")
    first, other = Redaction(), Redaction()
    one = first.redact(payload, ours=False)["event"]["contentEnd"]  # type: ignore[index]
    assert one["contentId"] == one["sessionId"] != one["promptName"]
    assert one == first.redact(payload, ours=False)["event"]["contentEnd"]  # type: ignore[index]
    assert one["contentId"] != other.redact(payload, ours=False)["event"]["contentEnd"]["contentId"]  # type: ignore[index]
    assert known not in json.dumps(one)


def test_numbers_of_unknown_fields_go_and_those_of_the_wire_stay() -> None:
    body = redacted(event("usageEvent", totalTokens=41, phone=4915112345678))["event"]["usageEvent"]
    assert body["totalTokens"] == 41
    assert "4915112345678" not in json.dumps(body)


def test_a_tool_is_named_when_the_program_offered_it() -> None:
    redaction = Redaction()
    offer = event("promptStart", toolConfiguration={"tools": [{"toolSpec": {"name": "getDateTime"}}]})
    use = event("toolUse", toolName="getDateTime", toolUseId="t", content="{}")
    assert "getDateTime" not in json.dumps(redaction.redact(use, ours=False))
    redaction.redact(offer, ours=False)
    assert "getDateTime" not in json.dumps(redaction.redact(use, ours=False))
    redaction.redact(offer, ours=True)
    assert "getDateTime" in json.dumps(redaction.redact(use, ours=False))
    assert "getDateTime" not in json.dumps(redaction.redact(text_event("getDateTime"), ours=False))


# --- and yet the core does the same with it ------------------------------------------------------


def test_texts_keep_their_lengths_and_audio_its_bytes() -> None:
    for text in ("Yes.", "a", "Where is it, then?", "", "   ", "?!", "ß", "ﬁ", "😀😀", "one two three four five six"):
        (back,) = revived_texts(text)
        assert len(back) == max(len(text), len("".join(c for c in text.casefold() if c.isalnum())))
        assert bool(back.strip()) is bool(text.strip())
    for length in (0, 1, 2, 3, 4, 5, 640, 641):
        payload = event("audioOutput", contentId="c", content=b64encode(bytes(length)).decode())
        back_event = decode_output(revive(redacted(payload)))
        assert isinstance(back_event, AudioOutput)
        assert len(back_event.pcm) == length


def test_the_marker_of_a_barge_in_stays() -> None:
    back = decode_output(revive(redacted(text_event('{ "interrupted" : true }'))))
    assert isinstance(back, TextOutput)
    assert json.loads(back.content) == {"interrupted": True}


def test_arguments_of_a_tool_stay_an_object() -> None:
    payload = event("toolUse", toolName="x", toolUseId="t", content='{"zone": "Europe/Vienna"}')
    back = decode_output(revive(redacted(payload)))
    assert isinstance(back, ToolUse)
    assert back.content == "{}"


def test_what_is_no_event_stays_none() -> None:
    for payload in (b"", b"{", b"[]", b"\xff\xfe", b'{"event": {}}', b'{"event": 3}'):
        body = redacted(payload)
        assert REST in body
        assert isinstance(decode_or_none(revive(body)), UnknownEvent | None)


def decode_or_none(payload: bytes) -> object:
    from novadesk.protocol.codec import MalformedPayload

    try:
        return decode_output(payload)
    except MalformedPayload:
        return None


words = st.lists(st.sampled_from(["yes", "no", "the", "Rhine", "is", "long", "1", "…"]), min_size=1, max_size=6)


def test_a_text_that_comes_in_parts_is_the_one_that_was_planned() -> None:
    redaction = Redaction()
    texts = [("a", "The Rhine is long."), ("b", "And so is the Elbe."), ("c", "The Rhine"), ("c", " is long. And")]
    back = [decode_output(revive(redaction.redact(text_event(text, block), ours=False))) for block, text in texts]
    first, second, *parts = (event.content for event in back if isinstance(event, TextOutput))
    assert match([first, second], "".join(parts)) == range(2)


ORDER = "yes no the Rhine is long and so is the 1 Danube … but not my garden path".split()


@given(
    said=st.permutations(ORDER),
    ends=st.lists(st.integers(1, len(ORDER)), min_size=1, max_size=4, unique=True),
    first=st.integers(0, 3),
    cut=st.integers(0, 30),
)
def test_planned_and_spoken_texts_pair_as_the_real_ones_do(
    said: list[str], ends: list[int], first: int, cut: int
) -> None:
    bounds = [0, *sorted(ends)]
    planned = [" ".join(said[start:end]) for start, end in pairwise(bounds)]
    spoken = " ".join(planned[first:]).swapcase()
    spoken = spoken[: len(spoken) - cut]
    *fake_planned, fake_spoken = revived_texts(*planned, spoken)
    assert match(fake_planned, fake_spoken) == match(planned, spoken)


@given(texts=st.lists(words, max_size=70))
def test_equal_texts_stay_equal_and_others_differ(texts: list[list[str]]) -> None:
    said = [" ".join(text) for text in texts][-40:]
    back = revived_texts(*said)
    letters = ["".join(c for c in text.casefold() if c.isalnum()) for text in said]
    backs = ["".join(c for c in text if c.isalnum()) for text in back]
    for one in range(len(said)):
        for other in range(len(said)):
            assert (letters[one] == letters[other]) is (backs[one] == backs[other])


@given(payload=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_payload_is_too_strange(payload: bytes) -> None:
    body = redacted(payload)
    assert isinstance(revive(body), bytes)


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(name=st.sampled_from(["textOutput", "toolUse", "contentStart", "audioOutput", "odd"]), body=json_values)
def test_no_event_is_too_strange(name: str, body: object) -> None:
    payload = json.dumps({"event": {name: body}}).encode()
    for ours in (True, False):
        revive(Redaction().redact(payload, ours=ours))


def test_an_event_of_a_thousand_floors_is_no_trouble() -> None:
    payload = b'{"event":{"textOutput":' + b'{"content":' * 900 + b"1" + b"}" * 902
    recorder = Recorder()
    recorder.received(1, payload, 0.0)
    assert len(recorder.dump().splitlines()) == 2


# --- whole sessions ------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_core_does_with_a_recording_what_it_did_with_the_session(file: Path) -> None:
    dump, played = record_file(file), played_counts(file)
    happened, turns = replay_wire(received_events(dump), played)
    real_happened, real_turns = replay_wire(raw_events(file), played)
    assert happened == real_happened
    assert shape(turns) == shape(real_turns)
    assert turns


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recording_of_a_session_has_every_event_and_no_word_or_id_of_it(file: Path) -> None:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    events = [row for row in rows if "client" in row or "service" in row]
    dump = record_file(file)
    back = read_dump(dump)
    assert [event.ours for event in back] == ["client" in row for row in events]
    for recorded, row in zip(back, events, strict=True):
        real = json.dumps(row["client" if recorded.ours else "service"]).encode()
        decode = decode_input if recorded.ours else decode_output
        assert type(decode(recorded.payload)) is type(decode(real))  # type: ignore[operator]
    for secret in secrets_of(rows):
        assert secret not in dump


def secrets_of(rows: list[dict[str, Any]]) -> set[str]:
    """Return every word of every text and every id of a session."""
    found: set[str] = set()

    def walk(value: object, field: str = "") -> None:
        match value:
            case dict():
                for key, item in value.items():
                    walk(item, key)
            case list():
                for item in value:
                    walk(item, field)
            case str() if field.endswith(("Id", "Name")) and len(value) > 20:
                found.add(value)
            case str() if field == "content" and "interrupted" not in value:
                found.update(word.strip(".,?!") for word in value.split() if len(word.strip(".,?!")) > 4)

    walk([row for row in rows if "client" in row or "service" in row])
    found -= {"count"}  # a word of the recording itself
    assert len(found) > 10
    return found
