"""What the service's side of a wire session accepts, tells and refuses."""

from dataclasses import replace
from typing import Any

import pytest

from novadesk.errors import BugError
from novadesk.protocol import events as ev
from novadesk.protocol import session_events as told
from novadesk.protocol.codec import decode_output, encode
from novadesk.protocol.events import ContentType, InputEvent, OutputEvent, StopReason, WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.limits import DEFAULT
from novadesk.protocol.server_rules import BAD_TOOL_RESULT, INVALID, LATE_HISTORY, LIFE_OVER, SILENCE_OVER
from novadesk.protocol.session import NovaSession, Side, State
from tests.unit.protocol.wire_values import FRAME, planned, speech, tool_block

NAMED: dict[str, Any] = {"prompt_name": "p"}
START = ev.SessionStart()
PROMPT = ev.PromptStart(prompt_name="p", voice_id="v", output_rate_hz=16_000)
USER, ASSISTANT = WireRole.USER, WireRole.ASSISTANT
MICROPHONE = ev.AudioStart(**NAMED, content_name="mic", rate_hz=8_000)
FRAME_OF_AUDIO = ev.AudioInput(**NAMED, content_name="mic", pcm=b"\1\0")


def block(name: str, role: WireRole, *texts: str, interactive: bool = False) -> list[InputEvent]:
    return [
        ev.TextStart(**NAMED, content_name=name, role=role, interactive=interactive),
        *(ev.TextInput(**NAMED, content_name=name, content=text) for text in texts),
        ev.ContentEnd(**NAMED, content_name=name),
    ]


def typed(name: str, *texts: str) -> list[InputEvent]:
    return block(name, USER, *texts, interactive=True)


READY: list[InputEvent] = [START, PROMPT, *block("s", WireRole.SYSTEM, "Be ", "kind.")]
OPEN: list[InputEvent] = [*READY, MICROPHONE]


def server(*events: InputEvent) -> NovaSession:
    session = NovaSession(Side.SERVER)
    give(session, *events)
    return session


def give(session: NovaSession, *events: InputEvent, now: float = 0.0) -> list[told.SessionEvent]:
    for event in events:
        session.receive(encode(event), now)
    return session.events_received()


def test_the_opening_is_told_in_order() -> None:
    session = NovaSession(Side.SERVER)
    assert give(
        session, *READY, *block("h1", USER, "a"), *block("h2", ASSISTANT, "b", "c"), MICROPHONE, FRAME_OF_AUDIO
    ) == [
        told.SessionOpened(START),
        told.PromptOpened(PROMPT),
        told.SystemPromptGiven("Be kind."),
        told.HistoryGiven((HistoryMessage(USER, "a"), HistoryMessage(ASSISTANT, "bc"))),
        told.AudioOpened(8_000),
        told.AudioHeard(b"\1\0"),
    ]


def test_an_empty_history_is_told_too() -> None:
    assert told.HistoryGiven(()) in give(NovaSession(Side.SERVER), *OPEN)


def test_the_history_is_told_once() -> None:
    happened = give(NovaSession(Side.SERVER), *READY, *typed("t", "hi"), MICROPHONE)
    assert [type(event) for event in happened][3:] == [told.HistoryGiven, told.TextTyped, told.AudioOpened]


def test_a_speech_prompt_is_accepted_and_not_told() -> None:
    session = server(*READY)
    assert give(session, *block("x", WireRole.SYSTEM_SPEECH, "slowly")) == []
    assert session.state is State.READY


def test_typed_text_is_told_when_whole() -> None:
    session = server(*OPEN)
    assert give(session, *typed("t", "good ", "day")) == [told.TextTyped("good day")]
    assert give(session, *typed("u", " ")) == []
    assert give(session, FRAME_OF_AUDIO) == [told.AudioHeard(b"\1\0")]


def test_a_talk_by_text_alone_is_possible() -> None:
    session = server(*READY)
    for name in ("one", "two", "three"):
        assert told.TextTyped(name) in give(session, *typed(name, name))
        for event in planned(f"p{name}", "Yes."):
            session.send(event, 0.0)
    assert session.state is State.ANSWERED


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([*READY, *typed("a", "one"), *typed("b", "two")], INVALID),
        ([*READY, *block("a", ASSISTANT, "one", interactive=True)], INVALID),
        ([*READY, *block("a", ASSISTANT, "one")], INVALID),
        ([*READY, *block("a", USER, "one"), *block("b", USER, "two")], INVALID),
        ([*READY, *block("a", USER, "one"), *block("b", ASSISTANT, "x"), *block("c", ASSISTANT, "x")], INVALID),
        ([*READY, *block("a", USER, "x" * 1_025)], INVALID),
        ([*READY, *block("a", USER, *["x" * 1_024] * 41)], INVALID),
        ([*READY, *block("a", WireRole.TOOL, "x")], INVALID),
        ([*READY, block("a", USER)[0], block("b", USER)[0]], INVALID),
        ([*READY, block("a", USER)[0], block("a", USER)[0]], INVALID),
        ([*READY, block("a", USER)[0], MICROPHONE], LATE_HISTORY),
        ([*OPEN, *block("a", USER, "x")], LATE_HISTORY),
        ([*OPEN, typed("a")[0], FRAME_OF_AUDIO], LATE_HISTORY),
        ([*OPEN, replace(MICROPHONE, content_name="other")], INVALID),
        ([*READY, FRAME_OF_AUDIO], "No open content found for content name: mic"),
        (
            [*OPEN, ev.ContentEnd(**NAMED, content_name="mic"), FRAME_OF_AUDIO],
            "No open content found for content name: mic",
        ),
        (
            [*OPEN, ev.TextInput(**NAMED, content_name="mic", content="x")],
            "No open content found for content name: mic",
        ),
        (
            [*OPEN, ev.ToolResult(**NAMED, content_name="mic", content="{}")],
            "No open content found for content name: mic",
        ),
        ([*READY, replace(MICROPHONE, prompt_name="q")], "No open prompt found for prompt name: q"),
        ([START, MICROPHONE], "No open prompt found for prompt name: p"),
        ([*READY, ev.PromptEnd(prompt_name="p"), MICROPHONE], "No open prompt found for prompt name: p"),
        ([*OPEN, ev.ToolStart(**NAMED, content_name="t", tool_use_id="never asked")], INVALID),
        ([START, PROMPT, *block("h", USER, "x")], INVALID),
        ([*READY, *block("s2", WireRole.SYSTEM, "more")], INVALID),
    ],
)
def test_a_breach_is_refused_in_the_words_of_the_service(events: list[InputEvent], words: str) -> None:
    session = NovaSession(Side.SERVER)
    happened = give(session, *events)
    assert happened[-1] == told.Violated(words)
    assert session.state is State.CLOSED
    assert give(session, *events) == []


def test_forty_kilobytes_of_history_are_taken() -> None:
    session = server(*READY)
    assert give(session, *block("a", USER, *["x" * 1_024] * 40)) == []
    assert session.state is State.READY


def tool_session() -> NovaSession:
    session = server(*OPEN)
    for event in [*tool_block("o", "t"), *tool_block("q", "u")]:
        session.send(event, 0.0)
    return session


def result(name: str, tool_use_id: str, *contents: str) -> list[InputEvent]:
    return [
        ev.ToolStart(**NAMED, content_name=name, tool_use_id=tool_use_id),
        *(ev.ToolResult(**NAMED, content_name=name, content=content) for content in contents),
        ev.ContentEnd(**NAMED, content_name=name),
    ]


def test_tool_results_may_cross_one_another_and_audio() -> None:
    session = tool_session()
    first, second = result("a", "t", '{"a":', "1}"), result("b", "u", "{}")
    happened = give(session, first[0], second[0], first[1], FRAME_OF_AUDIO, first[2], *second[1:], first[3])
    assert happened == [told.AudioHeard(b"\1\0"), told.ToolAnswered("u", "{}"), told.ToolAnswered("t", '{"a":1}')]


@pytest.mark.parametrize("contents", [("noon",), (), ("[]",), ('"x"',)])
def test_a_tool_result_that_is_no_json_object_is_refused(contents: tuple[str, ...]) -> None:
    assert give(tool_session(), *result("a", "t", *contents)) == [told.Violated(BAD_TOOL_RESULT)]


def test_a_tool_is_answered_once() -> None:
    assert give(tool_session(), *result("a", "t", "{}"), *result("b", "t", "{}"))[-1] == told.Violated(INVALID)


def test_an_orderly_end_is_told_step_by_step() -> None:
    session = server(*OPEN)
    end = [ev.ContentEnd(**NAMED, content_name="mic"), ev.PromptEnd(prompt_name="p"), ev.SessionEnd()]
    assert give(session, *end) == [told.AudioClosed(), told.PromptClosed(), told.SessionClosed()]
    session.send(ev.CompletionEnd(**FRAME, stop_reason=StopReason.END_TURN), 0.0)
    assert len(session.events_to_send()) == 1


def test_a_hasty_end_is_accepted_as_well() -> None:
    assert give(server(*OPEN), ev.SessionEnd()) == [told.AudioClosed(), told.PromptClosed(), told.SessionClosed()]
    assert give(server(*READY), ev.PromptEnd(prompt_name="p")) == [told.PromptClosed()]
    assert give(server(START), ev.SessionEnd()) == [told.SessionClosed()]


# --- clocks ----------------------------------------------------------------------------------

QUICK = replace(DEFAULT, connection_s=10.0, silence_s=2.0)


def test_the_clocks_start_with_the_session() -> None:
    session = NovaSession(Side.SERVER, limits=QUICK)
    assert session.next_deadline() is None
    session.handle_deadline(1e9)
    give(session, START, now=100.0)
    assert session.next_deadline() == 102.0


def test_silence_ends_the_session() -> None:
    session = NovaSession(Side.SERVER, limits=QUICK)
    give(session, *OPEN, now=100.0)
    session.handle_deadline(101.9)
    assert session.state is State.OPEN
    session.handle_deadline(102.0)
    assert session.events_received() == [told.SilenceEnded(SILENCE_OVER)]
    assert "55 seconds" in SILENCE_OVER
    assert session.state is State.CLOSED
    assert session.next_deadline() is None


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (FRAME_OF_AUDIO, True),
        (typed("t")[0], True),
        (ev.UnknownEvent(name="x"), False),
        (ev.ContentEnd(**NAMED, content_name="mic"), False),
    ],
)
def test_audio_and_interactive_content_count_as_signs_of_life(event: InputEvent, *, counts: bool) -> None:
    session = NovaSession(Side.SERVER, limits=QUICK)
    give(session, *OPEN, now=100.0)
    give(session, event, now=101.0)
    assert session.next_deadline() == (103.0 if counts else 102.0)


def test_typed_pieces_count_and_history_does_not() -> None:
    session = NovaSession(Side.SERVER, limits=QUICK)
    give(session, *OPEN, typed("t")[0], now=100.0)
    give(session, typed("t", "x")[1], now=101.0)
    assert session.next_deadline() == 103.0
    session = NovaSession(Side.SERVER, limits=QUICK)
    give(session, *READY, now=100.0)
    give(session, *block("h", USER, "x"), now=101.0)
    assert session.next_deadline() == 102.0


def test_a_long_life_ends() -> None:
    session = NovaSession(Side.SERVER, limits=replace(QUICK, silence_s=100.0))
    give(session, *OPEN, now=100.0)
    assert session.next_deadline() == 110.0
    session.handle_deadline(110.0)
    assert session.events_received() == [told.LifeEnded(LIFE_OVER)]
    assert session.state is State.CLOSED


def test_only_the_life_is_left_after_the_prompt() -> None:
    session = NovaSession(Side.SERVER, limits=QUICK)
    give(session, *OPEN, ev.PromptEnd(prompt_name="p"), now=100.0)
    assert session.next_deadline() == 110.0


# --- what it sends ---------------------------------------------------------------------------


def test_speech_is_announced_at_the_rate_asked_for() -> None:
    session = server(*OPEN)
    for event in speech("a", 1):
        session.send(event, 0.0)
    start = decode_output(session.events_to_send()[0])
    assert isinstance(start, ev.OutputStart)
    assert start.rate_hz == 16_000


BLOCK: dict[str, Any] = {**FRAME, "content_id": "x"}
TEXT_START = ev.OutputStart(**BLOCK, type=ContentType.TEXT, role=ASSISTANT)


@pytest.mark.parametrize(
    "events",
    [
        [ev.TextOutput(**BLOCK, role=ASSISTANT, content="x")],
        [TEXT_START, TEXT_START],
        [TEXT_START, ev.AudioOutput(**BLOCK, pcm=b"")],
        [TEXT_START, ev.ToolUse(**BLOCK, tool_name="n", tool_use_id="t", content="{}")],
        [TEXT_START, ev.OutputEnd(**BLOCK, type=ContentType.AUDIO, stop_reason=StopReason.END_TURN)],
        [tool_block("x", "t")[0], ev.ToolUse(**BLOCK, tool_name="n", tool_use_id="t", content="prose")],
    ],
)
def test_a_service_out_of_order_is_a_bug(events: list[OutputEvent]) -> None:
    session = server(*OPEN)
    for event in events[:-1]:
        session.send(event, 0.0)
    with pytest.raises(BugError):
        session.send(events[-1], 0.0)


def test_nothing_is_sent_before_the_prompt_or_after_the_end() -> None:
    with pytest.raises(BugError):
        server(START).send(TEXT_START, 0.0)
    session = server(*OPEN)
    session.link_closed(0.0)
    session.send(TEXT_START, 0.0)
    assert session.events_to_send() == []
    assert session.counters == {"dropped_send_start": 1}


def test_an_unknown_event_can_be_sent() -> None:
    session = server(*OPEN)
    session.send(ev.UnknownEvent(name="new", body={"a": 1}), 0.0)
    assert session.events_to_send() == [b'{"event":{"new":{"a":1}}}']
