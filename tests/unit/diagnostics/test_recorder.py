"""The recorder: bounds, rows of audio, notes, and reading a dump back."""

import json
import secrets
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.diagnostics import recorder as recording
from novadesk.diagnostics.recorder import Recorder, read_dump

HANDLE = "session_1760000000000_abcdefghij0123456789abcdef"


def event(name: str, **body: Any) -> bytes:
    return json.dumps({"event": {name: body}}, separators=(",", ":")).encode()


def audio(length: int = 1_024, name: str = "audioInput", block: str = "c") -> bytes:
    field = "contentName" if name == "audioInput" else "contentId"
    return event(name, **{field: block, "content": b64encode(bytes(length)).decode()})


def rows(recorder: Recorder) -> list[dict[str, Any]]:
    heading, *entries = (json.loads(line) for line in recorder.dump().splitlines())
    assert heading["format"] == 1
    assert heading["entries"] == len(entries)
    return entries


def test_an_empty_recording_can_be_written_and_read() -> None:
    assert read_dump(Recorder().dump()) == ()


def test_audio_in_a_row_is_one_entry_for_each_side() -> None:
    recorder = Recorder()
    for number in range(30):
        recorder.sent(1, audio(), number * 0.032)
        recorder.received(1, audio(640, "audioOutput"), number * 0.032 + 0.001)
    sent, received = rows(recorder)
    assert (sent["count"], sent["at_s"], sent["until_s"]) == (30, 0.0, 0.928)
    assert received["count"] == 30
    back = read_dump(recorder.dump())
    assert len(back) == 60
    assert [event.at_s for event in back] == sorted(event.at_s for event in back)
    assert sum(event.ours for event in back) == 30


@pytest.mark.parametrize(
    "other",
    [audio(1_022), audio(block="d"), audio(name="audioOutput"), event("usageEvent", totalTokens=1)],
    ids=["length", "block", "kind", "no audio"],
)
def test_another_kind_of_event_ends_a_row(other: bytes) -> None:
    recorder = Recorder()
    for payload in (audio(), audio(), other, audio(), audio()):
        recorder.sent(1, payload, 1.0)
    assert sum(row.get("count", 1) for row in rows(recorder)) == 5
    assert len(rows(recorder)) == 3


def test_an_event_of_the_other_side_keeps_its_place_among_the_audio() -> None:
    recorder = Recorder()
    recorder.sent(1, audio(), 1.0)
    recorder.received(1, event("completionEnd", stopReason="END_TURN"), 1.01)
    recorder.sent(1, audio(), 1.02)
    assert ["client" in row for row in rows(recorder)] == [True, False, True]


def test_a_row_of_another_wire_session_is_another_entry() -> None:
    recorder = Recorder()
    for generation in (1, 2, 1, 2):
        recorder.sent(generation, audio(), 1.0)
    assert [(row["generation"], row["count"]) for row in rows(recorder)] == [(1, 2), (2, 2)]


def test_a_row_is_no_longer_than_two_seconds() -> None:
    recorder = Recorder()
    for number in range(100):
        recorder.sent(1, audio(), number * 0.1)
    assert [row["count"] for row in rows(recorder)] == [20] * 5


def test_the_newest_stay_within_both_bounds() -> None:
    recorder = Recorder(max_entries=50)
    for number in range(80):
        recorder.received(1, event("usageEvent", totalTokens=number), float(number))
    assert [row["service"]["event"]["usageEvent"]["totalTokens"] for row in rows(recorder)] == list(range(30, 80))
    assert json.loads(recorder.dump().splitlines()[0])["dropped"] == 30
    small = Recorder(max_bytes=5_000)
    for number in range(500):
        small.received(1, event("textOutput", contentId=str(number), role="USER", content="word " * 30), float(number))
    assert 2_000 < len(small.dump().encode()) <= 5_000
    assert rows(small)[-1]["at_s"] == 499


def test_an_event_larger_than_the_whole_recording_is_dropped() -> None:
    recorder = Recorder(max_bytes=300)
    recorder.received(1, event("x", **{f"field{number}": number for number in range(200)}), 1.0)
    assert rows(recorder) == []
    recorder.received(1, audio(), 2.0)
    recorder.received(1, audio(), 2.1)
    assert len(rows(recorder)) <= 1


def test_notes_stand_among_the_events_without_ids_keys_or_tokens() -> None:
    recorder = Recorder()
    recorder.received(1, event("completionEnd"), 7.25)
    recorder.note(f"phase ready of {HANDLE} with AKIAIOSFODNN7EXAMPLE and {'x' * 500}")
    recorder.note("phase\nended", 9.0)
    _, first, second = rows(recorder)
    assert first["at_s"] == 7.25
    assert first["note"].startswith("phase ready of … with … and")
    assert (second["at_s"], second["note"]) == (9.0, "phase ended")
    assert len(read_dump(recorder.dump())) == 1


def test_the_recording_in_words() -> None:
    recorder = Recorder()
    for number in range(3):
        recorder.sent(4, audio(), 10.0 + number * 0.032)
    recorder.received(4, event("textOutput", contentId="c", role="USER", content="Where is it?"), 10.5)
    recorder.received(4, b"no event", 10.75)
    recorder.note("link lost", 11.0)
    assert [" ".join(line.split()) for line in recorder.story(9)] == [
        "-1.00 s 4 → audioInput 3,072 bytes in 3",
        "-0.50 s 4 ← textOutput USER, 12 characters",
        "-0.25 s 4 ← (unreadable)",
        "0.00 s link lost",
    ]
    assert recorder.story(1) == [recorder.story(9)[-1]]
    assert recorder.story(0) == []


def test_only_a_dump_of_this_format_is_read() -> None:
    with pytest.raises(ValueError, match="another format"):
        read_dump('{"format": 99}\n')


def test_redact_shows_what_would_be_written() -> None:
    shown = Recorder().redact(event("textOutput", contentId="c", role="USER", content="Zugspitze"))
    assert b"Zugspitze" not in shown
    assert json.loads(shown)["event"]["textOutput"]["role"] == "USER"


texts = st.builds(
    lambda words, block: event(
        "textOutput", sessionId="s", promptName="p", completionId="k", contentId=block, role="ASSISTANT", content=words
    ),
    st.lists(st.sampled_from(["no", "yes", "noyes"]), min_size=1, max_size=5).map(" ".join),
    st.sampled_from("tu"),
)
sounds = st.builds(
    lambda length, fill, block: event(
        "audioInput", promptName="p", contentName=block, content=b64encode(bytes([fill]) * length).decode()
    ),
    st.sampled_from([0, 1, 2, 1_022, 1_023, 1_024]),
    st.sampled_from([0, 255, 0x69]),
    st.sampled_from("ct"),
)
answers = st.builds(
    lambda length: event(
        "audioOutput", sessionId="s", promptName="p", completionId="k", contentId="t",
        content=b64encode(bytes(length)).decode(),
    ),
    st.sampled_from([3, 1_024]),
)  # fmt: skip
passing = st.one_of(
    st.tuples(st.just("sent"), st.integers(1, 2), sounds),
    st.tuples(st.just("received"), st.integers(1, 2), st.one_of(texts, answers)),
)


@given(st.lists(passing, max_size=60), st.sampled_from([0.032, 0.9]))
def test_a_frame_that_is_like_the_one_before_is_taken_as_if_it_were_looked_at(
    events: list[tuple[str, int, bytes]], step_s: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_bytes", bytes)
        quick, thorough = Recorder(), Recorder()
    for number, (way, generation, payload) in enumerate(events):
        getattr(quick, way)(generation, payload, number * step_s)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recording, "_frame_of", lambda _payload: object())
            getattr(thorough, way)(generation, payload, number * step_s)
    assert quick.dump() == thorough.dump()
    assert quick.story(60) == thorough.story(60)
