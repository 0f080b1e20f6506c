"""One wire session, sans-IO: a table machine for both ends of Nova Sonic's stream."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from novadesk.protocol.events import OutputEvent, PromptStart, SessionStart
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.limits import DEFAULT, Limits
from novadesk.protocol.session_events import SessionEvent
from novadesk.protocol.states import Side, State

__all__ = ["NovaSession", "Setup", "Side", "State"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is fixed for the life of a wire session."""

    session: SessionStart
    prompt: PromptStart
    system_prompt: str


class NovaSession:
    """One wire session. Feed it, then drain `events_to_send()` and `events_received()` after every call."""

    def __init__(
        self, side: Side, *, limits: Limits = DEFAULT, new_id: Callable[[], str] = lambda: str(uuid4())
    ) -> None:
        raise NotImplementedError

    @property
    def state(self) -> State:
        """Return where the session stands."""
        raise NotImplementedError

    def start(self, setup: Setup, history: Sequence[HistoryMessage], now: float) -> None:
        """Send everything up to the audio block: session, prompt, system prompt, shaped history."""
        raise NotImplementedError

    def accepted(self, now: float) -> None:
        """Note that the service answered HTTP 200. Ignored when ENDING or CLOSED."""
        raise NotImplementedError

    def open_audio(self, now: float) -> None:
        """Open the one audio block. Legal in READY only (after `start` and `accepted`)."""
        raise NotImplementedError

    def send_audio(self, pcm: bytes, now: float) -> None:
        """Send s16le mono at 16 kHz. Dropped and counted unless the audio block is open."""
        raise NotImplementedError

    def send_text(self, text: str, now: float) -> None:
        """Send typed text; before audio is open it waits until it is. BugError when not started, ENDING or CLOSED."""
        raise NotImplementedError

    def send_tool_result(self, tool_use_id: str, json_text: str, now: float) -> None:
        """Answer a requested tool with the JSON text of an object. Dropped and counted when ENDING or CLOSED."""
        raise NotImplementedError

    def end(self, now: float) -> None:
        """Close everything in order. Does nothing when ENDING or CLOSED."""
        raise NotImplementedError

    def send(self, event: OutputEvent, now: float) -> None:
        """Server: send one event. Dropped and counted when CLOSED."""
        raise NotImplementedError

    def receive(self, payload: bytes, now: float) -> None:
        """Take one event's JSON. Never raises."""
        raise NotImplementedError

    def link_closed(self, now: float) -> None:
        """Note that the link is over. Text of unfinished blocks that the service had confirmed is still delivered."""
        raise NotImplementedError

    def events_to_send(self) -> list[bytes]:
        """Return the payloads to send, oldest first, and forget them."""
        raise NotImplementedError

    def events_received(self) -> list[SessionEvent]:
        """Return what happened, oldest first, and forget it."""
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is due, on the clock of `now`; None when nothing is."""
        raise NotImplementedError

    def handle_deadline(self, now: float) -> None:
        """Do what is due by `now`; early calls do nothing."""
        raise NotImplementedError
