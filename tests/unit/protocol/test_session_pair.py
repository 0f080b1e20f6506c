"""A client's and a server's wire session against each other, with no I/O, under random interleavings; and fuzz."""

import contextlib
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from novadesk.errors import BugError
from novadesk.protocol import events as ev
from novadesk.protocol import session_events as told
from novadesk.protocol.codec import encode
from novadesk.protocol.events import ContentType, OutputEvent, StopReason, WireRole
from novadesk.protocol.history import HistoryMessage, shape, well_formed
from novadesk.protocol.limits import DEFAULT
from novadesk.protocol.session import NovaSession, Setup, Side, State
from tests.unit.protocol.wire_values import FRAME, INPUTS, OUTPUTS, planned, speech, text_block, tool_block

pytestmark = pytest.mark.thorough

SETUP = Setup(session=ev.SessionStart(), prompt=ev.PromptStart(prompt_name="p", voice_id="v"), system_prompt="Be kind.")
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=2_000)
HISTORY = st.lists(
    st.builds(HistoryMessage, st.sampled_from([WireRole.USER, WireRole.ASSISTANT]), st.text(max_size=3_000)), max_size=5
)


class Conversation(RuleBasedStateMachine):
    """Whatever a client may do, in whatever order, the service finds no fault with it, and hears all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.client = NovaSession(Side.CLIENT)
        self.server = NovaSession(Side.SERVER)
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.now = 0.0
        self.names = 0
        self.client_told: list[told.SessionEvent] = []
        self.server_told: list[told.SessionEvent] = []
        self.history: tuple[HistoryMessage, ...] = ()
        self.typed: list[str] = []
        self.pcm: list[bytes] = []
        self.said: list[str] = []
        self.ended = False

    def drain(self) -> None:
        self.up.extend(self.client.events_to_send())
        self.down.extend(self.server.events_to_send())
        self.client_told += self.client.events_received()
        self.server_told += self.server.events_received()

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    @initialize(history=HISTORY)
    def start(self, history: list[HistoryMessage]) -> None:
        self.history = tuple(history)
        self.client.start(SETUP, self.now)
        self.drain()

    @precondition(lambda self: self.client.state is State.STARTING)
    @rule()
    def accept(self) -> None:
        self.client.accepted(self.now)

    @precondition(lambda self: self.client.state is State.READY)
    @rule()
    def open_audio(self) -> None:
        self.client.open_audio(self.history, self.now)
        self.drain()

    @rule(pcm=st.binary(min_size=2, max_size=8))
    def send_audio(self, pcm: bytes) -> None:
        if self.client.state is State.OPEN:
            self.pcm.append(pcm)
        self.client.send_audio(pcm, self.now)
        self.drain()

    @precondition(lambda self: self.client.state in (State.STARTING, State.READY, State.OPEN))
    @rule(text=WORDS)
    def type_text(self, text: str) -> None:
        if text.strip():
            self.typed.append(text)
        self.client.send_text(text, self.now)
        self.drain()

    @rule(seconds=st.sampled_from([0.01, 0.05, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.client.handle_deadline(self.now)
        self.drain()

    @rule()
    def carry_up(self) -> None:
        if self.up:
            self.server.receive(self.up.popleft(), self.now)
            self.drain()

    @rule()
    def carry_down(self) -> None:
        if self.down:
            self.client.receive(self.down.popleft(), self.now)
            self.drain()

    @precondition(lambda self: self.server.state in (State.OPEN, State.ANSWERED, State.OPEN_BLOCK, State.AUDIO_CLOSED))
    @rule(kind=st.sampled_from(["say", "hear", "tool", "stop"]), words=st.sampled_from(["One fish.", "Two fish."]))
    def serve(self, kind: str, words: str) -> None:
        blocks: dict[str, list[OutputEvent]] = {
            "say": [
                *planned(self.name(), words),
                *speech(self.name(), 3, stop=StopReason.END_TURN),
                *text_block(self.name(), words, stop=StopReason.END_TURN),
            ],
            "hear": text_block(self.name(), words, role=WireRole.USER),
            "tool": tool_block(self.name(), self.name()),
            "stop": text_block(self.name(), '{ "interrupted" : true }', stop=StopReason.INTERRUPTED),
        }
        if kind == "say":
            self.said.append(words)
        for event in blocks[kind]:
            self.server.send(event, self.now)
        self.drain()

    @rule()
    def answer_tool(self) -> None:
        asked = [event.tool_use_id for event in self.client_told if isinstance(event, told.ToolRequested)]
        for tool_use_id in asked[-1:]:
            with contextlib.suppress(BugError):  # answered before
                self.client.send_tool_result(tool_use_id, '{"ok":true}', self.now)
        self.drain()

    @precondition(lambda self: not self.ended and self.client.state is State.OPEN)
    @rule()
    def end(self) -> None:
        self.now += 1.0
        self.client.handle_deadline(self.now)
        self.client.end(self.now)
        self.ended = True
        self.drain()

    @invariant()
    def nobody_finds_fault(self) -> None:
        faults = [
            e for e in (*self.client_told, *self.server_told) if isinstance(e, told.Violated | told.UnknownReceived)
        ]
        assert not faults

    def teardown(self) -> None:
        if self.client.state is State.IDLE:
            return
        if self.client.state is State.STARTING:
            self.client.accepted(self.now)
        if self.client.state is State.READY:
            self.client.open_audio(self.history, self.now)
        self.now += 1.0
        self.client.handle_deadline(self.now)
        self.drain()
        while self.up:
            self.carry_up()
        while self.down:
            self.carry_down()
        self.nobody_finds_fault()
        assert [e.messages for e in self.server_told if isinstance(e, told.HistoryGiven)] == [
            shape(self.history, DEFAULT)
        ]
        assert [e.text for e in self.server_told if isinstance(e, told.TextTyped)] == [
            well_formed(t) for t in self.typed
        ]
        assert [e.pcm for e in self.server_told if isinstance(e, told.AudioHeard)] == self.pcm
        assert [e.text for e in self.client_told if isinstance(e, told.TextSpoken)] == self.said
        assert all(isinstance(e.content, str) for e in self.server_told if isinstance(e, told.ToolAnswered))


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

# --- fuzz ------------------------------------------------------------------------------------

PAYLOADS = st.binary(max_size=60) | OUTPUTS.map(encode) | INPUTS.map(encode)


@given(st.lists(PAYLOADS, max_size=12), st.booleans())
def test_a_client_survives_anything(received: list[bytes], started: bool) -> None:
    session = NovaSession(Side.CLIENT)
    if started:
        session.start(SETUP, 0.0)
    for payload in received:
        session.receive(payload, 0.0)
    session.link_closed(0.0)
    assert session.state is State.CLOSED
    assert sum(isinstance(event, told.Violated) for event in session.events_received()) <= 1


SAME_NAMES = st.sampled_from(["p", "c", "mic"])
ODD_INPUTS = st.one_of(
    st.builds(ev.SessionStart),
    st.builds(ev.PromptStart, prompt_name=st.just("p"), voice_id=st.just("v")),
    st.builds(
        ev.TextStart,
        prompt_name=st.just("p"),
        content_name=SAME_NAMES,
        role=st.sampled_from(WireRole),
        interactive=st.booleans(),
    ),
    st.builds(ev.AudioStart, prompt_name=st.just("p"), content_name=SAME_NAMES),
    st.builds(ev.ToolStart, prompt_name=st.just("p"), content_name=SAME_NAMES, tool_use_id=st.just("t")),
    st.builds(ev.TextInput, prompt_name=st.just("p"), content_name=SAME_NAMES, content=st.just("x")),
    st.builds(ev.AudioInput, prompt_name=st.just("p"), content_name=SAME_NAMES, pcm=st.just(b"\0\0")),
    st.builds(ev.ToolResult, prompt_name=st.just("p"), content_name=SAME_NAMES, content=st.just("{}")),
    st.builds(ev.ContentEnd, prompt_name=st.just("p"), content_name=SAME_NAMES),
    st.builds(ev.PromptEnd, prompt_name=st.sampled_from(["p", "q"])),
    st.builds(ev.SessionEnd),
)
OPENING = [
    ev.SessionStart(),
    ev.PromptStart(prompt_name="p", voice_id="v"),
    ev.TextStart(prompt_name="p", content_name="s", role=WireRole.SYSTEM, interactive=False),
    ev.ContentEnd(prompt_name="p", content_name="s"),
]


@given(st.integers(0, 4), st.lists(ODD_INPUTS.map(encode) | PAYLOADS, max_size=14), st.booleans())
def test_a_server_survives_anything(steps: int, received: list[bytes], tool: bool) -> None:
    session = NovaSession(Side.SERVER)
    for event in OPENING[:steps]:
        session.receive(encode(event), 0.0)
    if tool and steps >= 2:
        for output in tool_block("o", "t"):
            session.send(output, 0.0)
    for payload in received:
        session.receive(payload, 0.0)
        if session.state is State.ASKED:
            start = ev.OutputStart(**FRAME, content_id=str(id(payload)), type=ContentType.TEXT, role=WireRole.ASSISTANT)
            with contextlib.suppress(BugError):
                session.send(start, 0.0)
    session.link_closed(0.0)
    assert session.state is State.CLOSED
    assert sum(isinstance(event, told.Violated) for event in session.events_received()) <= 1
