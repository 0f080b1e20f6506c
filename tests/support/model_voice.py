"""A model of the voice service: it hears numbered speech, understands it once, and answers by name, on links that die.

Every frame of speech carries the number of its utterance and its place in it, so that what was said, heard, written
down, replayed and asked again can be told apart.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import uuid4

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.protocol.events import (
    AudioOutput,
    CompletionStart,
    ContentType,
    OutputEnd,
    OutputStart,
    Stage,
    StopReason,
    TextOutput,
    WireRole,
)
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.link import Accepted, Arrived, Closed, LinkMessage
from novadesk.protocol.session import NovaSession, Side
from novadesk.protocol.session_events import AudioHeard, AudioOpened, HistoryGiven, SessionEvent, TextTyped, Violated

OPEN_S = 0.05
RECENT_S = 0.05
PIECE_SAMPLES = 4_800
_FRAME_SAMPLES = 512
_QUIET = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  # silence in base64


def make_frame(utterance: int, place: int) -> bytes:
    """Return 32 ms of speech that says which they are."""
    return struct.pack("<hh", utterance, place) + b"\x11\x11" * (_FRAME_SAMPLES - 2)


def read_frame(pcm: bytes) -> tuple[int, int] | None:
    """Return utterance and place of a frame, or None for silence."""
    utterance, place = struct.unpack_from("<hh", pcm)
    return None if utterance == 0 else (utterance, place)


class Fate(Enum):
    """What becomes of an attempt to connect."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # not opened
    TURNED_AWAY = "turned away"  # opened, then closed with an error
    STUCK = "stuck"  # never opens
    MUTE = "mute"  # opens, and nobody answers


@dataclass(frozen=True, slots=True)
class Welcome:
    """How the next attempt is received."""

    fate: Fate = Fate.ACCEPTED
    reason: Reason = Reason.UNREACHABLE
    keys_last_s: float | None = None


class ModelLink:
    """One link and the wire session on it. The first part is the client's side, the second the service's."""

    unheard_s = 0.0

    def __init__(self, voice: "ModelVoice", welcome: Welcome) -> None:
        self.voice = voice
        self.session = NovaSession(Side.SERVER)
        self.opened = self.accepted = self.closing = self.closed = self.broken = False
        self.half_open = self.stalled = False
        self.listening = self.ended = False
        self.histories: list[tuple[HistoryMessage, ...]] = []
        self.allowed: list[tuple[float, tuple[HistoryMessage, ...]]] = []
        self.expires_at_ms: int | None = None
        self.listening_since = 0.0
        self.typed: list[str] = []
        self.frames: list[tuple[int, int]] = []
        self.understood: set[tuple[int, int]] = set()
        self.questions: deque[str] = deque()
        self.rest: deque[Callable[[], None]] = deque()
        self._welcome = welcome
        self._messages: asyncio.Queue[LinkMessage] = asyncio.Queue()
        self._held: list[LinkMessage] = []
        self._ids = {"session_id": str(uuid4()), "prompt_name": "", "completion_id": str(uuid4())}
        self._began = False

    @property
    def trying(self) -> bool:
        """Return whether the client is still waiting for this attempt."""
        return not (self.accepted or self.listening or self.closing or self.broken)

    @property
    def usable(self) -> bool:
        """Return whether the service may speak on it, if only to say the last word."""
        return self.listening and not (self.broken or self.closing)

    # --- the client's side ---

    async def open(self) -> None:
        await asyncio.sleep(OPEN_S)
        self.voice.alive()
        welcome = self._welcome
        if welcome.fate is Fate.REFUSED:
            self.broken = True
            raise fault(welcome.reason)
        if welcome.fate is Fate.STUCK:
            await asyncio.Event().wait()
        self.opened = True
        if welcome.fate is Fate.ACCEPTED:
            asyncio.get_running_loop().call_later(OPEN_S, self._accept)
        elif welcome.fate is Fate.TURNED_AWAY:
            asyncio.get_running_loop().call_later(OPEN_S, self.die, welcome.reason)

    async def send(self, payload: bytes) -> None:
        self.voice.alive()
        self._note_history()
        if self.broken:
            raise fault(Reason.LINK_LOST)
        if self.half_open or (self.listening and _QUIET in payload and b"audioInput" in payload):
            return
        self.session.receive(payload, asyncio.get_running_loop().time())
        for event in self.session.events_received():
            self._hear(event)

    async def receive(self) -> LinkMessage:
        message = await self._messages.get()
        self.voice.alive()
        if isinstance(message, Closed):
            self._messages.put_nowait(message)
        return message

    async def finish(self) -> None:
        self.ended = True
        asyncio.get_running_loop().call_later(self.voice.goodbye_s, self.die, None)

    async def close(self) -> None:
        self.closing = True
        await asyncio.sleep(self.voice.close_s)
        self.closed = True
        self._messages.put_nowait(Closed(None))

    def _note_history(self) -> None:
        """Remember what the history may be at this moment, while it has not been given."""
        if not self.histories:
            now = asyncio.get_running_loop().time()
            self.allowed = [(at, turns) for at, turns in self.allowed if now - at < RECENT_S]
            self.allowed.append((now, self.voice.history_now()))

    def _accept(self) -> None:
        if not (self.broken or self.closing):
            self.accepted = True
            self._put(Accepted())
            asyncio.get_running_loop().call_later(self.voice.limit_s, self.die, Reason.SESSION_LIMIT)

    def _hear(self, event: SessionEvent) -> None:
        match event:
            case Violated():
                raise AssertionError(f"the client broke the protocol: {event.message}")
            case HistoryGiven(messages=messages):
                self.histories.append(messages)
            case AudioOpened():
                self.listening = True
                self.listening_since = asyncio.get_running_loop().time()
            case TextTyped(text=text):
                self.typed.append(text)
                self.questions.append(text)
            case AudioHeard(pcm=pcm):
                for start in range(0, len(pcm), 2 * _FRAME_SAMPLES):
                    if (frame := read_frame(pcm[start:])) is not None:
                        self.frames.append(frame)
                        self.voice.heard(self, frame)
            case _:
                pass

    # --- the service's side ---

    def die(self, reason: Reason | None) -> None:
        """End the link: in order (None) or with an error; what the network still held is lost."""
        if not (self.broken or self.closing):
            self.broken = True
            self._held.clear()
            self._messages.put_nowait(Closed(None if reason is None else fault(reason)))

    def flow(self) -> None:
        """Let what was held back arrive."""
        self.stalled = False
        held, self._held = self._held, []
        for message in held:
            self._put(message)

    def understand(self) -> str | None:
        """Write down what was said and not yet written down; return it."""
        new = [frame for frame in self.frames if frame not in self.understood]
        if not new:
            return None
        utterance = new[0][0]
        portion = [place for number, place in new if number == utterance]
        self.understood |= {(utterance, place) for place in portion}
        name = f"spoken-{utterance}-from-{min(portion)}-to-{max(portion)}"
        self.questions.append(name)
        self._text(WireRole.USER, Stage.FINAL, name, StopReason.PARTIAL_TURN)
        return name

    def answer(self, pieces: int, *, at_once: bool) -> str | None:
        """Answer the oldest question, in pieces, each planned, spoken and confirmed; the rest waits in `rest`."""
        if not self.questions:
            return None
        name = self.questions.popleft()
        texts = [f"answer-{name} part {number} as it goes on" for number in range(pieces)]
        self.rest.clear()
        for number, text in enumerate(texts):
            last = number == pieces - 1
            self.rest.append(lambda text=text: self._plan(text))  # type: ignore[misc]
            self.rest.append(lambda last=last: self._speak(last=last))  # type: ignore[misc]
        for number, text in enumerate(texts):
            last = number == pieces - 1
            self.rest.append(lambda text=text, last=last: self._spoken(text, last=last))  # type: ignore[misc]
        self.carry_on(len(self.rest) if at_once else 2)
        return name

    def carry_on(self, steps: int) -> None:
        """Say the next of the answer that was begun."""
        for _ in range(min(steps, len(self.rest))):
            self.rest.popleft()()

    def interrupt(self) -> None:
        """Stop answering, because the person speaks."""
        self.rest.clear()
        self._text(WireRole.ASSISTANT, Stage.SPECULATIVE, '{ "interrupted" : true }', StopReason.INTERRUPTED)

    def _plan(self, text: str) -> None:
        self._text(WireRole.ASSISTANT, Stage.SPECULATIVE, text, StopReason.PARTIAL_TURN)

    def _speak(self, *, last: bool) -> None:
        content = str(uuid4())
        stop = StopReason.END_TURN if last else StopReason.PARTIAL_TURN
        self._start(content, ContentType.AUDIO, WireRole.ASSISTANT, None)
        self._send(AudioOutput(**self._ids, content_id=content, pcm=b"\x10\x01" * PIECE_SAMPLES))
        self._send(OutputEnd(**self._ids, content_id=content, type=ContentType.AUDIO, stop_reason=stop))

    def _spoken(self, text: str, *, last: bool) -> None:
        stop = StopReason.END_TURN if last else StopReason.PARTIAL_TURN
        self._text(WireRole.ASSISTANT, Stage.FINAL, text, stop)

    def _text(self, role: WireRole, stage: Stage, text: str, stop: StopReason) -> None:
        content = str(uuid4())
        self._start(content, ContentType.TEXT, role, stage)
        self._send(TextOutput(**self._ids, content_id=content, role=role, content=text))
        self._send(OutputEnd(**self._ids, content_id=content, type=ContentType.TEXT, stop_reason=stop))

    def _start(self, content: str, kind: ContentType, role: WireRole, stage: Stage | None) -> None:
        if not self._began:
            self._began = True
            self._send(CompletionStart(**self._ids))
        self._send(OutputStart(**self._ids, content_id=content, type=kind, role=role, stage=stage))

    def _send(self, event: Any) -> None:
        self.session.send(event, 0.0)
        for payload in self.session.events_to_send():
            self._put(Arrived(payload))

    def _put(self, message: LinkMessage) -> None:
        if self.half_open or self.broken:
            return
        if self.stalled:
            self._held.append(message)
        else:
            self._messages.put_nowait(message)


@dataclass
class ModelVoice:
    """Makes links and keeps them; `welcomes` receive the next attempts, one each. Fits `Linker`."""

    alive: Callable[[], None]
    history_now: Callable[[], tuple[HistoryMessage, ...]]
    heard: Callable[[ModelLink, tuple[int, int]], None]
    unix_ms: Callable[[], int]
    welcomes: deque[Welcome]
    limit_s: float
    kind: BackendKind = BackendKind.PRACTICE
    close_s: float = 0.0
    goodbye_s: float = 0.5
    links: list[ModelLink] = field(default_factory=list)

    async def link(self) -> ModelLink:
        self.alive()
        welcome = self.welcomes.popleft() if self.welcomes else Welcome()
        link = ModelLink(self, welcome)
        if welcome.keys_last_s is not None:
            link.expires_at_ms = self.unix_ms() + round(welcome.keys_last_s * 1000)
        self.links.append(link)
        return link

    @property
    def usable(self) -> list[ModelLink]:
        """Return the links that the service may speak on, the newest first."""
        return [link for link in reversed(self.links) if link.usable]


def fault(reason: Reason) -> KnownError:
    return KnownError(reason, "The voice service has trouble.", "Wait.")
