"""One wire session, sans-IO: a table machine for both ends of Nova Sonic's stream."""

from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

from novadesk.errors import BugError
from novadesk.protocol.client_rules import ClientRules, Setup, ToolReply
from novadesk.protocol.codec import MalformedPayload, decode_input, decode_output
from novadesk.protocol.core import Refused
from novadesk.protocol.events import (
    AudioOutput,
    CompletionEnd,
    CompletionStart,
    InputEvent,
    OutputEnd,
    OutputEvent,
    OutputStart,
    TextOutput,
    ToolUse,
    UnknownEvent,
    Usage,
    UserSpeechEnd,
)
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.limits import DEFAULT, Limits
from novadesk.protocol.server_rules import ServerRules, refusal
from novadesk.protocol.session_events import SessionEvent, Violated
from novadesk.protocol.states import Input, Side, State
from novadesk.protocol.transitions import TRANSITIONS, Transition

__all__ = ["NovaSession", "Setup", "Side", "State"]

_OUTPUT_KINDS: Mapping[type, Input] = {
    CompletionStart: Input.GOT_COMPLETION_START,
    OutputStart: Input.GOT_CONTENT_START,
    TextOutput: Input.GOT_TEXT_OUTPUT,
    AudioOutput: Input.GOT_AUDIO_OUTPUT,
    ToolUse: Input.GOT_TOOL_USE,
    OutputEnd: Input.GOT_CONTENT_END,
    Usage: Input.GOT_USAGE,
    UserSpeechEnd: Input.GOT_USER_SPEECH_END,
    CompletionEnd: Input.GOT_COMPLETION_END,
    UnknownEvent: Input.GOT_UNKNOWN,
}

_TOO_EARLY = "The service spoke before the session was started."


def _random_id() -> str:
    return str(uuid4())


class NovaSession:
    """One wire session, either end.

    After every call that changes something, drain `events_received()` and `events_to_send()`, and ask
    `next_deadline()` anew. `now` is any clock that never goes back, in seconds, the same one throughout. When
    `events_received()` has held `Violated`, `LifeEnded` or `SilenceEnded`, the session is CLOSED; a server then sends
    the exception with that message and closes the link.

    A command that the state forbids raises `BugError`, except where its docstring says that it is dropped and counted.

    Args:
        side: which end this is.
        limits: sizes and times; a client keeps the defaults.
        new_id: makes content names; UUIDs unless told otherwise.
        watch: called with every event that a client receives, before anything follows from it.
    """

    def __init__(
        self,
        side: Side,
        *,
        limits: Limits = DEFAULT,
        new_id: Callable[[], str] = _random_id,
        watch: Callable[[OutputEvent], None] | None = None,
    ) -> None:
        self._side = side
        self._watch = watch
        self._state = State.IDLE
        self._client = ClientRules(limits, new_id)
        self._server = ServerRules(limits, new_id)
        self._core = self._client if side is Side.CLIENT else self._server

    @property
    def state(self) -> State:
        """Return where the session stands."""
        return self._state

    @property
    def counters(self) -> Mapping[str, int]:
        """Return what was left aside: `unknown`, `malformed`, `stale_audio`, `dropped_send_audio` and its like."""
        return dict(self._core.counters)

    # --- client commands ---------------------------------------------------------------------

    def start(self, setup: Setup, now: float) -> None:
        """Send session, prompt and system prompt.

        A blank system prompt is replaced by a neutral one. Legal once, before or after `accepted`.
        """
        self._command(Input.START, setup, now)

    def accepted(self, now: float) -> None:
        """Note that the service answered HTTP 200. Dropped and counted when ENDING or CLOSED."""
        self._command(Input.ACCEPT, None, now)

    def open_audio(self, history: Sequence[HistoryMessage], now: float) -> None:
        """Send the shaped history and open the one audio block. Legal in READY only (after `start` and `accepted`)."""
        self._command(Input.OPEN_AUDIO, history, now)

    def send_audio(self, pcm: bytes, now: float) -> None:
        """Send s16le mono at `Limits.input_rate_hz`. Dropped and counted unless the audio block is open."""
        self._command(Input.SEND_AUDIO, pcm, now)

    def send_text(self, text: str, now: float) -> None:
        """Send typed text as the user's; before audio is open, and `Limits.text_gap_s` more, it waits.

        Legal from STARTING to OPEN. Blank text is ignored. Text that still waits when the session ends is lost.
        """
        self._command(Input.SEND_TEXT, text, now)

    def send_tool_result(self, tool_use_id: str, json_text: str, now: float) -> None:
        """Answer a requested tool with the JSON text of an object, once. Dropped and counted when ENDING or CLOSED."""
        self._command(Input.SEND_TOOL_RESULT, ToolReply(tool_use_id, json_text), now)

    def end(self, now: float) -> None:
        """Close audio, prompt and session, in order. Dropped and counted when ENDING or CLOSED."""
        self._command(Input.END, None, now)

    # --- server command ----------------------------------------------------------------------

    def send(self, event: OutputEvent, now: float) -> None:
        """Send one event of the service, once the prompt is open. Dropped and counted when CLOSED.

        The rate of an audio block is set to the one that the client asked for.
        """
        self._command(Input.SEND_START if isinstance(event, OutputStart) else Input.SEND, event, now)

    # --- both sides --------------------------------------------------------------------------

    def receive(self, payload: bytes, now: float) -> None:
        """Take one event's JSON. Never raises; a fault of the peer becomes `Violated`."""
        try:
            if self._side is Side.SERVER:
                self._take_input(decode_input(payload), now)
            else:
                event = decode_output(payload)
                if self._watch is not None:
                    self._watch(event)
                self._take(_OUTPUT_KINDS[type(event)], event, now, _TOO_EARLY)
        except MalformedPayload:
            self._take(Input.GOT_MALFORMED, None, now, _TOO_EARLY)

    def link_closed(self, now: float) -> None:
        """Note that the link is over. What unfinished blocks of text already confirmed is still delivered."""
        self._command(Input.LINK_CLOSED, None, now)

    def events_to_send(self) -> list[bytes]:
        """Return the payloads to send, oldest first, and forget them."""
        payloads, self._core.outgoing = self._core.outgoing, []
        return payloads

    def events_received(self) -> list[SessionEvent]:
        """Return what happened, oldest first, and forget it."""
        events, self._core.happened = self._core.happened, []
        return events

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is due, on the clock of `now`; None when nothing is."""
        return min((due for _, due in self._deadlines()), default=None)

    def handle_deadline(self, now: float) -> None:
        """Do what is due by `now`. A call too early, or with nothing due, does nothing."""
        for kind, due in self._deadlines():
            if now >= due:
                self._command(kind, None, now)
                return

    def _deadlines(self) -> list[tuple[Input, float]]:
        if self._state is State.CLOSED:
            return []
        if self._side is Side.CLIENT:
            due = self._client.text_due
            return [] if due is None or self._state is not State.OPEN else [(Input.TEXT_DUE, due)]
        found = [(Input.LIFE_DUE, self._server.life_due), (Input.SILENCE_DUE, self._server.silence_due)]
        return [(kind, due) for kind, due in found if due is not None]

    def _command(self, kind: Input, argument: object, now: float) -> None:
        transition = TRANSITIONS.get((self._side, self._state, kind))
        if transition is None:
            raise BugError(f"{kind.name} is not possible in {self._state.name} of {self._side.name}.")
        self._step(transition, kind, argument, now)

    def _take_input(self, event: InputEvent, now: float) -> None:
        kind = self._server.classify(event)
        self._take(kind, event, now, refusal(self._state, kind, event))

    def _take(self, kind: Input, event: object, now: float, words: str) -> None:
        transition = TRANSITIONS.get((self._side, self._state, kind))
        try:
            if transition is None:
                raise Refused(words)
            self._step(transition, kind, event, now)
        except Refused as refused:
            self._state = State.CLOSED
            self._core.tell(Violated(refused.message))

    def _step(self, transition: Transition, kind: Input, argument: object, now: float) -> None:
        if transition.handler is None:
            self._core.counters[f"dropped_{kind.name.lower()}"] += 1
            return
        transition.handler(self._core, argument, now)
        if transition.next is not None:
            self._state = transition.next
