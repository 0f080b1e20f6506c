"""What a client's wire session writes and understands."""

from typing import Any

import pytest

from novadesk.errors import BugError
from novadesk.protocol import events as ev
from novadesk.protocol import session_events as told
from novadesk.protocol.codec import decode_input
from novadesk.protocol.events import InputEvent, OutputEvent, Stage, StopReason, WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.limits import DEFAULT
from novadesk.protocol.session import NovaSession, Setup, Side, State
from tests.unit.protocol.wire_values import (
    FRAME,
    ids,
    payloads,
    planned,
    speech,
    speech_end,
    text_block,
    tool_block,
)

PROMPT = ev.PromptStart(prompt_name="p", voice_id="tiffany")
SETUP = Setup(session=ev.SessionStart(), prompt=PROMPT, system_prompt="Be kind.")
FINAL, PARTIAL, END, INTERRUPTED = Stage.FINAL, StopReason.PARTIAL_TURN, StopReason.END_TURN, StopReason.INTERRUPTED
MARKER = '{ "interrupted" : true }'


def sent(session: NovaSession) -> list[InputEvent]:
    return [decode_input(payload) for payload in session.events_to_send()]


def opened() -> NovaSession:
    session = NovaSession(Side.CLIENT, new_id=ids())
    session.start(SETUP, 0.0)
    session.accepted(0.0)
    session.open_audio((), 0.0)
    session.events_to_send()
    return session


def heard(session: NovaSession, *blocks: list[OutputEvent] | OutputEvent) -> list[told.SessionEvent]:
    events = [event for block in blocks for event in (block if isinstance(block, list) else [block])]
    for payload in payloads(events):
        session.receive(payload, 0.0)
    return session.events_received()


def kinds(events: list[told.SessionEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


# --- what it writes --------------------------------------------------------------------------


def test_the_opening_is_in_the_order_of_the_user_guide() -> None:
    session = NovaSession(Side.CLIENT, new_id=ids())
    history = [
        HistoryMessage(WireRole.ASSISTANT, "leading"),
        HistoryMessage(WireRole.USER, "one"),
        HistoryMessage(WireRole.USER, "two"),
        HistoryMessage(WireRole.ASSISTANT, "a" * 1_500),
    ]
    session.start(SETUP, 0.0)
    named: dict[str, Any] = {"prompt_name": "p"}
    assert sent(session) == [
        SETUP.session,
        PROMPT,
        ev.TextStart(**named, content_name="id1", role=WireRole.SYSTEM, interactive=False),
        ev.TextInput(**named, content_name="id1", content="Be kind."),
        ev.ContentEnd(**named, content_name="id1"),
    ]
    session.accepted(0.0)
    session.open_audio(history, 0.0)
    assert sent(session) == [
        ev.TextStart(**named, content_name="id2", role=WireRole.USER, interactive=False),
        ev.TextInput(**named, content_name="id2", content="one\ntwo"),
        ev.ContentEnd(**named, content_name="id2"),
        ev.TextStart(**named, content_name="id3", role=WireRole.ASSISTANT, interactive=False),
        ev.TextInput(**named, content_name="id3", content="a" * 1_024),
        ev.TextInput(**named, content_name="id3", content="a" * 476),
        ev.ContentEnd(**named, content_name="id3"),
        ev.AudioStart(**named, content_name="id4", rate_hz=16_000),
    ]


def test_audio_waits_for_the_acceptance() -> None:
    session = NovaSession(Side.CLIENT)
    session.start(SETUP, 0.0)
    with pytest.raises(BugError):
        session.open_audio((), 0.0)
    session.accepted(0.0)
    session.open_audio((), 0.0)
    assert session.state is State.OPEN


def test_an_acceptance_may_come_before_the_start() -> None:
    session = NovaSession(Side.CLIENT)
    session.accepted(0.0)
    session.start(SETUP, 0.0)
    assert session.state is State.READY


def test_a_blank_system_prompt_becomes_a_neutral_one() -> None:
    session = NovaSession(Side.CLIENT)
    session.start(Setup(session=ev.SessionStart(), prompt=PROMPT, system_prompt=" \n"), 0.0)
    texts = [event.content for event in sent(session) if isinstance(event, ev.TextInput)]
    assert len(texts) == 1
    assert texts[0].strip()


def test_random_ids_differ() -> None:
    session = NovaSession(Side.CLIENT)
    session.start(SETUP, 0.0)
    session.accepted(0.0)
    session.open_audio([HistoryMessage(WireRole.USER, "x")], 0.0)
    names = {event.content_name for event in sent(session) if isinstance(event, ev.TextStart)}
    assert len(names) == 2


def test_every_audio_frame_is_in_the_one_audio_block() -> None:
    session = NovaSession(Side.CLIENT, new_id=ids())
    session.start(SETUP, 0.0)
    session.accepted(0.0)
    sent(session)
    session.open_audio((), 0.0)
    session.send_audio(b"\1\0", 0.0)
    session.send_audio(b"", 0.0)
    session.send_audio(b"\2\0", 0.1)
    assert sent(session) == [
        ev.AudioStart(prompt_name="p", content_name="id2", rate_hz=16_000),
        ev.AudioInput(prompt_name="p", content_name="id2", pcm=b"\1\0"),
        ev.AudioInput(prompt_name="p", content_name="id2", pcm=b"\2\0"),
    ]


def test_audio_is_dropped_and_counted_before_its_block() -> None:
    session = NovaSession(Side.CLIENT)
    session.send_audio(b"\0\0", 0.0)
    assert session.counters["dropped_send_audio"] == 1
    assert session.events_to_send() == []


def is_typed(event: InputEvent) -> bool:
    return isinstance(event, ev.TextStart) and event.role is WireRole.USER and event.interactive


def test_typed_text_waits_until_audio_is_open_for_a_moment() -> None:
    session = NovaSession(Side.CLIENT, new_id=ids())
    session.start(SETUP, 0.0)
    session.send_text("early", 0.0)
    session.accepted(0.0)
    session.send_text("earlier", 0.0)
    assert not any(map(is_typed, sent(session)))
    assert session.next_deadline() is None
    session.open_audio((), 10.0)
    session.send_text("just now", 10.0)
    assert session.next_deadline() == 10.0 + DEFAULT.text_gap_s
    session.handle_deadline(10.0)
    assert not any(map(is_typed, sent(session)))
    session.handle_deadline(10.05)
    written = sent(session)
    assert [type(event) for event in written] == [ev.TextStart, ev.TextInput, ev.ContentEnd] * 3
    assert [event.content for event in written if isinstance(event, ev.TextInput)] == ["early", "earlier", "just now"]
    assert session.next_deadline() is None


def test_waiting_text_also_goes_with_the_next_due_frame() -> None:
    session = opened()
    session.send_text("hi", 0.0)
    session.send_audio(b"\0\0", 0.01)
    assert [type(event) for event in sent(session)] == [ev.AudioInput]
    session.send_audio(b"\0\0", 0.06)
    assert [type(event) for event in sent(session)] == [ev.TextStart, ev.TextInput, ev.ContentEnd, ev.AudioInput]


def test_typed_text_goes_at_once_later_on_in_pieces() -> None:
    session = opened()
    session.send_text("  ", 1.0)
    session.send_text("ä" * 600, 1.0)
    assert [type(event) for event in sent(session)] == [ev.TextStart, ev.TextInput, ev.TextInput, ev.ContentEnd]


def test_a_tool_result_is_one_whole_block_for_a_requested_id() -> None:
    session = opened()
    assert heard(session, tool_block("b", "t", '{"zone":"UTC"}')) == [
        told.ToolRequested("t", "getTime", '{"zone":"UTC"}')
    ]
    session.send_tool_result("t", '{"time":"12:00"}', 0.0)
    named: dict[str, Any] = {"prompt_name": "p", "content_name": "id3"}
    assert sent(session) == [
        ev.ToolStart(**named, tool_use_id="t"),
        ev.ToolResult(**named, content='{"time":"12:00"}'),
        ev.ContentEnd(**named),
    ]


def test_tool_results_that_the_service_would_refuse_are_bugs() -> None:
    session = opened()
    with pytest.raises(BugError):
        session.send_tool_result("t", "{}", 0.0)
    heard(session, tool_block("b", "t"))
    for prose in ("noon", "[]", "null", '{"a":NaN}'):
        with pytest.raises(BugError):
            session.send_tool_result("t", prose, 0.0)
    session.send_tool_result("t", "{}", 0.0)
    with pytest.raises(BugError):
        session.send_tool_result("t", "{}", 0.0)


def test_a_repeated_tool_request_is_asked_once() -> None:
    session = opened()
    assert len(heard(session, tool_block("b", "t"), tool_block("c", "t"), tool_block("d", "u"))) == 2


def test_the_end_closes_audio_then_prompt_then_session() -> None:
    session = opened()
    session.send_text("never sent", 0.0)
    session.end(0.0)
    assert sent(session) == [
        ev.ContentEnd(prompt_name="p", content_name="id2"),
        ev.PromptEnd(prompt_name="p"),
        ev.SessionEnd(),
    ]
    session.end(0.0)
    assert sent(session) == []
    assert session.next_deadline() is None
    assert session.state is State.ENDING


def test_an_end_before_audio_closes_prompt_and_session() -> None:
    session = NovaSession(Side.CLIENT)
    session.start(SETUP, 0.0)
    sent(session)
    session.end(0.0)
    assert sent(session) == [ev.PromptEnd(prompt_name="p"), ev.SessionEnd()]


def test_an_end_before_the_start_writes_nothing() -> None:
    session = NovaSession(Side.CLIENT)
    session.end(0.0)
    assert session.events_to_send() == []
    assert session.state is State.CLOSED


def test_the_service_is_still_heard_while_ending() -> None:
    session = opened()
    session.end(0.0)
    end = ev.CompletionEnd(**FRAME, stop_reason=END)
    assert heard(session, end) == [told.Completed(END)]
    session.link_closed(0.0)
    assert heard(session, end) == []
    assert session.state is State.CLOSED


# --- what it understands ---------------------------------------------------------------------


def test_the_normal_turn() -> None:
    happened = heard(
        opened(),
        ev.CompletionStart(**FRAME),
        text_block("u", "hello", role=WireRole.USER),
        ev.UserSpeechEnd(**FRAME),
        planned("p1", "Hi there."),
        speech("a1", 4, stop=END),
        ev.Usage(**FRAME, delta=ev.TokenCount(text_in=1), total=ev.TokenCount(text_in=2)),
        text_block("f1", "Hi there.", stop=END),
    )
    assert happened == [
        told.UserTextReceived("u", "hello"),
        told.UserSpeechEnded(),
        told.TextPlanned("p1", "Hi there."),
        told.SpeechReceived("a1", bytes(8)),
        told.SpeechEnded("a1", END),
        told.UsageReported(ev.TokenCount(text_in=1), ev.TokenCount(text_in=2)),
        told.TextSpoken("f1", "Hi there.", END),
        told.TurnEnded(),
    ]


def test_text_in_pieces_is_one_utterance() -> None:
    start, piece, end = text_block("u", "hel", role=WireRole.USER)
    more = ev.TextOutput(**FRAME, content_id="u", role=WireRole.USER, content="lo ")
    assert heard(opened(), start, piece, more, end) == [told.UserTextReceived("u", "hello")]


def test_user_text_without_a_stage_is_final_and_planned_user_text_is_not() -> None:
    session = opened()
    assert heard(session, text_block("u", "hi", role=WireRole.USER, stage=None)) == [told.UserTextReceived("u", "hi")]
    assert heard(session, text_block("v", "hi", role=WireRole.USER, stage=Stage.SPECULATIVE)) == []
    assert heard(session, text_block("w", "  ", role=WireRole.USER)) == []


def test_text_without_a_start_is_final() -> None:
    _, piece, end = text_block("f", "Yes.", stop=END)
    assert heard(opened(), piece, end) == [told.TextSpoken("f", "Yes.", END), told.TurnEnded()]


def test_text_of_other_roles_is_left_aside() -> None:
    session = opened()
    assert heard(session, text_block("t", "internal", role=WireRole.TOOL)) == [told.UnknownReceived("textOutput")]
    assert session.counters["unknown"] == 1


def test_speech_without_a_start_is_heard() -> None:
    _, audio = speech("a", 1, stop=None)
    assert kinds(heard(opened(), audio, speech_end("a", PARTIAL))) == ["SpeechReceived", "SpeechEnded"]


def test_samples_split_between_events_are_joined() -> None:
    def frame(pcm: bytes) -> ev.AudioOutput:
        return ev.AudioOutput(**FRAME, content_id="a", pcm=pcm)

    happened = heard(opened(), frame(b"\1"), frame(b"\2\3"), frame(b"\4\5"))
    assert happened == [told.SpeechReceived("a", b"\1\2"), told.SpeechReceived("a", b"\3\4")]


def test_a_tool_use_without_a_start_is_asked() -> None:
    _, use, end = tool_block("b", "t")
    assert kinds(heard(opened(), use, end)) == ["ToolRequested"]


def test_unknown_events_are_counted_and_nothing_more() -> None:
    session = opened()
    session.receive(b'{"event":{"somethingNew":{"a":1}}}', 0.0)
    session.receive(b'{"event":{"textOutput":{}}}', 0.0)
    assert session.events_received() == [told.UnknownReceived("somethingNew"), told.UnknownReceived("textOutput")]
    assert session.counters == {"unknown": 2}
    assert session.state is State.OPEN


def test_malformed_bytes_close_the_session_after_what_was_confirmed() -> None:
    session = opened()
    start, piece, _ = text_block("u", "hello", role=WireRole.USER)
    heard(session, start, piece)
    session.receive(b"\0", 0.0)
    assert session.events_received() == [told.UserTextReceived("u", "hello"), told.Violated("Invalid event bytes")]
    assert session.state is State.CLOSED
    assert session.counters == {"malformed": 1}


def test_an_end_of_the_link_delivers_confirmed_text_only() -> None:
    session = opened()
    user, final, plan = text_block("u", "hello", role=WireRole.USER), text_block("f", "Hi."), planned("p", "Next.")
    heard(session, plan[:2], user[:2], final[:2], speech("a", 4, stop=None))
    session.link_closed(0.0)
    assert session.events_received() == [told.UserTextReceived("u", "hello"), told.TextSpoken("f", "Hi.", PARTIAL)]


def test_nobody_may_speak_before_the_start() -> None:
    session = NovaSession(Side.CLIENT)
    assert kinds(heard(session, ev.CompletionStart(**FRAME))) == ["Violated"]


# --- barge-in --------------------------------------------------------------------------------

MARK = text_block("m", MARKER, stop=INTERRUPTED)
LONE_MARK = text_block("m", MARKER)
LONE_STOP = [MARK[0], MARK[2]]


@pytest.mark.parametrize(
    "signals",
    [
        [*MARK, speech_end("a1", END)],
        [speech_end("a1", END), *MARK],
        [*LONE_MARK, *LONE_STOP],
        [*LONE_STOP, *LONE_MARK],
        LONE_MARK,
        LONE_STOP,
        [speech_end("a1", INTERRUPTED), *MARK],
        [*MARK, *MARK],
        text_block("f", "Hi", stop=INTERRUPTED),
    ],
)
def test_a_barge_in_is_told_once_whatever_tells_it(signals: list[OutputEvent]) -> None:
    happened = heard(opened(), planned("p1", "Hi there."), speech("a1", 4, stop=None), signals)
    assert kinds(happened).count("Interrupted") == 1
    assert "TurnEnded" not in kinds(happened)
    assert not any("interrupted" in getattr(event, "text", "") for event in happened)


def test_what_was_said_is_told_before_the_interruption() -> None:
    happened = heard(opened(), planned("p1", "Hi there."), text_block("f", "Hi", stop=INTERRUPTED))
    assert happened[1:] == [told.TextSpoken("f", "Hi", INTERRUPTED), told.Interrupted()]


def test_each_barge_in_is_told() -> None:
    turn = [*planned("p", "Hi."), *speech("a", 4, stop=None), *MARK, speech_end("a", END)]
    assert kinds(heard(opened(), turn, turn)).count("Interrupted") == 2


def test_a_service_without_plans_or_speech_can_be_interrupted_twice() -> None:
    said = text_block("u", "stop", role=WireRole.USER)
    assert kinds(heard(opened(), MARK, said, MARK)).count("Interrupted") == 2


def test_interrupted_speech_is_not_heard_any_more() -> None:
    session = opened()
    heard(session, planned("p1", "Hi there."), speech("a1", 4, stop=None), MARK)
    late = ev.AudioOutput(**FRAME, content_id="a1", pcm=bytes(8))
    assert kinds(heard(session, late, speech_end("a1", END))) == ["SpeechEnded"]
    assert session.counters == {"stale_audio": 1}
    assert kinds(heard(session, planned("p2", "Yes?"), speech("a2", 4, stop=None))) == ["TextPlanned", "SpeechReceived"]


def test_text_that_only_looks_like_the_marker_is_text() -> None:
    for text in ('{"interrupted": false}', '{"interrupted": true, "more": 1}', "interrupted", '"interrupted"'):
        assert "Interrupted" not in kinds(heard(opened(), text_block("f", text)))
