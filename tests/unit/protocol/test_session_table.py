"""Every cell of (side, state, input): a legal one does what its row says, any other is a violation or a bug."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from novadesk.errors import BugError
from novadesk.protocol import events as ev
from novadesk.protocol import session_events as told
from novadesk.protocol.codec import encode
from novadesk.protocol.events import ContentType, StopReason, WireRole
from novadesk.protocol.server_rules import INVALID, LATE_HISTORY, UNREADABLE
from novadesk.protocol.session import NovaSession, Setup
from novadesk.protocol.states import Input, Side, State
from novadesk.protocol.transitions import RECEIVED, TRANSITIONS
from tests.unit.protocol.wire_values import FRAME, ids, payloads, tool_block

NAMED: dict[str, Any] = {"prompt_name": "p"}
SETUP = Setup(session=ev.SessionStart(), prompt=ev.PromptStart(prompt_name="p", voice_id="v"), system_prompt="Be kind.")
BLOCK: dict[str, Any] = {**FRAME, "content_id": "out"}
USED: dict[Side, tuple[State, ...]] = {
    Side.CLIENT: (State.IDLE, State.ACCEPTED, State.STARTING, State.READY, State.OPEN, State.ENDING, State.CLOSED),
    Side.SERVER: tuple(state for state in State if state not in (State.ACCEPTED, State.STARTING)),
}


def text_start(name: str, role: WireRole = WireRole.USER, *, interactive: bool = True) -> ev.TextStart:
    return ev.TextStart(**NAMED, content_name=name, role=role, interactive=interactive)


def end_of(name: str) -> ev.ContentEnd:
    return ev.ContentEnd(**NAMED, content_name=name)


OPENING: list[ev.InputEvent] = [
    ev.SessionStart(),
    ev.PromptStart(prompt_name="p", voice_id="v"),
    text_start("sys", WireRole.SYSTEM, interactive=False),
]
READY = [*OPENING, end_of("sys")]
AUDIO = ev.AudioStart(**NAMED, content_name="mic")
TOOL = ev.ToolStart(**NAMED, content_name="tool", tool_use_id="t")

# How a server comes to each state: events of the client, and of the service by way of ("send", event).
SERVER_PATHS: dict[State, list[Any]] = {
    State.IDLE: [],
    State.STARTED: OPENING[:1],
    State.PROMPTED: OPENING[:2],
    State.SYSTEM_BLOCK: OPENING,
    State.READY: READY,
    State.HISTORY_BLOCK: [*READY, text_start("old", interactive=False)],
    State.ASKED_BLOCK: [*READY, text_start("typed")],
    State.ASKED: [*READY, text_start("typed"), end_of("typed")],
    State.ANSWERED: [*READY, text_start("typed"), end_of("typed"), *[("send", e) for e in tool_block("o", "t")]],
    State.OPEN: [*READY, AUDIO, *[("send", e) for e in tool_block("o", "t")]],
    State.OPEN_BLOCK: [*READY, AUDIO, text_start("typed")],
    State.AUDIO_CLOSED: [*READY, AUDIO, end_of("mic")],
    State.AUDIO_CLOSED_BLOCK: [*READY, AUDIO, end_of("mic"), text_start("typed")],
    State.PROMPT_CLOSED: [*READY, ev.PromptEnd(prompt_name="p")],
    State.ENDING: [*READY, ev.PromptEnd(prompt_name="p"), ev.SessionEnd()],
    State.CLOSED: [*READY, b"["],
}


def server_in(state: State) -> NovaSession:
    session = NovaSession(Side.SERVER, new_id=ids())
    for step in SERVER_PATHS[state]:
        match step:
            case ("send", event):
                session.send(event, 0.0)
            case bytes():
                session.receive(step, 0.0)
            case _:
                session.receive(encode(step), 0.0)
    session.events_received()
    session.events_to_send()
    assert session.state is state
    return session


def client_in(state: State) -> NovaSession:
    session = NovaSession(Side.CLIENT, new_id=ids())
    if state is State.ACCEPTED:
        session.accepted(0.0)
    elif state is State.CLOSED:
        session.link_closed(0.0)
    elif state is not State.IDLE:
        session.start(SETUP, 0.0)
    if state in (State.READY, State.OPEN, State.ENDING):
        session.accepted(0.0)
        for payload in payloads(tool_block("o", "t")):
            session.receive(payload, 0.0)
    if state in (State.OPEN, State.ENDING):
        session.open_audio((), 0.0)
    if state is State.ENDING:
        session.end(0.0)
    session.events_received()
    session.events_to_send()
    assert session.state is state
    return session


type Act = Callable[[NovaSession], None]


def got(event: ev.InputEvent | ev.OutputEvent) -> Act:
    return lambda session: session.receive(encode(event), 1.0)


CLIENT_ACTS: dict[Input, Act] = {
    Input.START: lambda s: s.start(SETUP, 1.0),
    Input.ACCEPT: lambda s: s.accepted(1.0),
    Input.OPEN_AUDIO: lambda s: s.open_audio((), 1.0),
    Input.SEND_AUDIO: lambda s: s.send_audio(b"\0\0", 1.0),
    Input.SEND_TEXT: lambda s: s.send_text("hi", 1.0),
    Input.SEND_TOOL_RESULT: lambda s: s.send_tool_result("t", "{}", 1.0),
    Input.END: lambda s: s.end(1.0),
    Input.LINK_CLOSED: lambda s: s.link_closed(1.0),
    Input.GOT_UNKNOWN: got(ev.UnknownEvent(name="new")),
    Input.GOT_MALFORMED: lambda s: s.receive(b"[", 1.0),
    Input.GOT_COMPLETION_START: got(ev.CompletionStart(**FRAME)),
    Input.GOT_CONTENT_START: got(ev.OutputStart(**BLOCK, type=ContentType.TEXT, role=WireRole.USER)),
    Input.GOT_TEXT_OUTPUT: got(ev.TextOutput(**BLOCK, role=WireRole.USER, content="hi")),
    Input.GOT_AUDIO_OUTPUT: got(ev.AudioOutput(**BLOCK, pcm=b"\0\0")),
    Input.GOT_TOOL_USE: got(ev.ToolUse(**BLOCK, tool_name="n", tool_use_id="u", content="{}")),
    Input.GOT_CONTENT_END: got(ev.OutputEnd(**BLOCK, type=ContentType.TEXT, stop_reason=StopReason.PARTIAL_TURN)),
    Input.GOT_USAGE: got(ev.Usage(**FRAME, delta=ev.TokenCount(), total=ev.TokenCount())),
    Input.GOT_USER_SPEECH_END: got(ev.UserSpeechEnd(**FRAME)),
    Input.GOT_COMPLETION_END: got(ev.CompletionEnd(**FRAME, stop_reason=StopReason.END_TURN)),
}


def text_name(state: State) -> str:
    return {State.SYSTEM_BLOCK: "sys", State.HISTORY_BLOCK: "old"}.get(state, "typed")


def server_act(kind: Input, state: State) -> Act | None:
    """Return what causes the input in the state; None when it cannot occur there."""
    has_prompt = state not in (State.IDLE, State.STARTED, State.PROMPT_CLOSED, State.ENDING)
    has_text = state.name.endswith("BLOCK")
    has_audio = state in (State.OPEN, State.OPEN_BLOCK)
    anytime: dict[Input, Act] = {
        Input.SEND: lambda s: s.send(ev.UserSpeechEnd(**FRAME), 1.0),
        Input.SEND_START: lambda s: s.send(ev.OutputStart(**BLOCK, type=ContentType.TEXT, role=WireRole.USER), 1.0),
        Input.LINK_CLOSED: lambda s: s.link_closed(1.0),
        Input.GOT_UNKNOWN: got(ev.UnknownEvent(name="new")),
        Input.GOT_MALFORMED: lambda s: s.receive(b"[", 1.0),
        Input.GOT_SESSION_START: got(ev.SessionStart()),
        Input.GOT_PROMPT_START: got(ev.PromptStart(prompt_name="p", voice_id="v")),
        Input.GOT_STRAY_PROMPT: got(ev.PromptEnd(prompt_name="other")),
        Input.GOT_SESSION_END: got(ev.SessionEnd()),
    }
    with_prompt: dict[Input, Act] = {
        Input.GOT_SYSTEM_START: got(text_start("new", WireRole.SYSTEM, interactive=False)),
        Input.GOT_SPEECH_PROMPT_START: got(text_start("new", WireRole.SYSTEM_SPEECH, interactive=False)),
        Input.GOT_HISTORY_START: got(text_start("new", interactive=False)),
        Input.GOT_TYPED_START: got(text_start("new")),
        Input.GOT_UNFIT_START: got(text_start("new", WireRole.ASSISTANT)),
        Input.GOT_AUDIO_START: got(ev.AudioStart(**NAMED, content_name="new")),
        Input.GOT_STRAY_CONTENT: got(end_of("nowhere")),
        Input.GOT_PROMPT_END: got(ev.PromptEnd(prompt_name="p")),
    }
    with_text: dict[Input, Act] = {
        Input.GOT_TEXT_INPUT: got(ev.TextInput(**NAMED, content_name=text_name(state), content="x")),
        Input.GOT_TEXT_END: got(end_of(text_name(state))),
    }
    with_audio: dict[Input, Act] = {
        Input.GOT_AUDIO_INPUT: got(ev.AudioInput(**NAMED, content_name="mic", pcm=b"\0\0")),
        Input.GOT_AUDIO_END: got(end_of("mic")),
    }
    acts = (
        anytime
        | (with_prompt if has_prompt else {})
        | (with_text if has_text else {})
        | (with_audio if has_audio else {})
    )
    return acts.get(kind)


CLIENT_CELLS = [(state, kind) for state in USED[Side.CLIENT] for kind in CLIENT_ACTS]
SERVER_CELLS = [(state, kind) for state in USED[Side.SERVER] for kind in Input if server_act(kind, state)]


def check_cell(session: NovaSession, side: Side, kind: Input, act: Act) -> None:
    before = session.state
    transition = TRANSITIONS.get((side, before, kind))
    if transition is None and kind not in RECEIVED:
        with pytest.raises(BugError):
            act(session)
        assert session.state is before
        assert not session.events_to_send()
        return
    act(session)
    happened = session.events_received()
    violated = [event for event in happened if isinstance(event, told.Violated)]
    if transition is None or (kind is Input.GOT_MALFORMED and before is not State.CLOSED):
        assert len(violated) == 1
        assert session.state is State.CLOSED
    elif transition.handler is None:
        assert not happened
        assert not session.events_to_send()
        assert session.counters == {f"dropped_{kind.name.lower()}": 1} | (
            {"malformed": 1} if "malformed" in session.counters else {}
        )
        assert session.state is before
    else:
        assert not violated
        assert session.state is (transition.next or before)


@pytest.mark.parametrize(("state", "kind"), CLIENT_CELLS)
def test_a_client_cell(state: State, kind: Input) -> None:
    check_cell(client_in(state), Side.CLIENT, kind, CLIENT_ACTS[kind])


@pytest.mark.parametrize(("state", "kind"), SERVER_CELLS)
def test_a_server_cell(state: State, kind: Input) -> None:
    act = server_act(kind, state)
    assert act is not None
    check_cell(server_in(state), Side.SERVER, kind, act)


TOOL_STATES = (State.ANSWERED, State.OPEN)


@pytest.mark.parametrize("state", TOOL_STATES)
def test_a_tool_result_comes_beside_everything_else(state: State) -> None:
    session = server_in(state)
    for event in (TOOL, ev.ToolResult(**NAMED, content_name="tool", content='{"a":1}'), end_of("tool")):
        session.receive(encode(event), 1.0)
        assert session.state is state
    assert session.events_received() == [told.ToolAnswered("t", '{"a":1}')]


def test_the_table_names_only_states_of_its_side() -> None:
    for side, state, _kind in TRANSITIONS:
        assert state in USED[side]
    for (side, _state, _kind), transition in TRANSITIONS.items():
        assert transition.next is None or transition.next in USED[side]


def test_every_state_is_reached_and_left() -> None:
    for side, states in USED.items():
        steps = [(key[1], t.next) for key, t in TRANSITIONS.items() if key[0] is side and t.next not in (None, key[1])]
        assert {target for _, target in steps} | {State.IDLE} == set(states)
        assert {source for source, _ in steps} == set(states) - {State.CLOSED}


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        (State.IDLE, Input.GOT_STRAY_PROMPT, "No open prompt found for prompt name: other"),
        (State.IDLE, Input.GOT_PROMPT_START, INVALID),
        (State.IDLE, Input.GOT_SESSION_END, INVALID),
        (State.STARTED, Input.GOT_SESSION_START, INVALID),
        (State.PROMPTED, Input.GOT_PROMPT_START, INVALID),
        (State.PROMPTED, Input.GOT_AUDIO_START, INVALID),
        (State.PROMPTED, Input.GOT_HISTORY_START, INVALID),
        (State.READY, Input.GOT_SYSTEM_START, INVALID),
        (State.READY, Input.GOT_UNFIT_START, INVALID),
        (State.READY, Input.GOT_STRAY_CONTENT, "No open content found for content name: nowhere"),
        (State.SYSTEM_BLOCK, Input.GOT_AUDIO_START, LATE_HISTORY),
        (State.HISTORY_BLOCK, Input.GOT_AUDIO_START, LATE_HISTORY),
        (State.ASKED, Input.GOT_TYPED_START, INVALID),
        (State.ASKED, Input.GOT_HISTORY_START, LATE_HISTORY),
        (State.OPEN, Input.GOT_HISTORY_START, LATE_HISTORY),
        (State.OPEN, Input.GOT_AUDIO_START, INVALID),
        (State.OPEN_BLOCK, Input.GOT_AUDIO_INPUT, LATE_HISTORY),
        (State.OPEN_BLOCK, Input.GOT_HISTORY_START, LATE_HISTORY),
        (State.AUDIO_CLOSED, Input.GOT_AUDIO_START, INVALID),
        (State.READY, Input.GOT_MALFORMED, UNREADABLE),
    ],
)
def test_the_server_refuses_in_the_words_of_the_service(state: State, kind: Input, words: str) -> None:
    session = server_in(state)
    act = server_act(kind, state)
    assert act is not None
    act(session)
    assert session.events_received() == [told.Violated(words)]
    assert session.next_deadline() is None


def test_an_input_schema_as_an_object_ends_the_session() -> None:
    session = server_in(State.STARTED)
    document = json.loads(encode(ev.PromptStart(prompt_name="p", voice_id="v")))
    document["event"]["promptStart"]["toolConfiguration"] = {"tools": [{"toolSpec": {"inputSchema": {"json": {}}}}]}
    session.receive(json.dumps(document).encode(), 1.0)
    assert session.events_received() == [told.Violated(UNREADABLE)]
