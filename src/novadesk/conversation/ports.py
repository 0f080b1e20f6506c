"""What the core needs from the outside. Adapters fit by shape and import nothing from here."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from novadesk.errors import KnownError
from novadesk.models import BackendKind, BargeIn, Conversation, Cue, InputTrouble, Turn
from novadesk.protocol.events import OutputEvent, ToolSpec
from novadesk.protocol.link import LinkMessage


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def unix_ms(self) -> int:
        """Return Unix milliseconds."""
        ...


class Link(Protocol):
    """One open transport connection carrying one wire session. Used once, on one event loop."""

    @property
    def expires_at_ms(self) -> int | None:
        """Return when its keys expire, in Unix milliseconds; None when unknown or never."""
        ...

    @property
    def unheard_s(self) -> float:
        """Return the seconds since the service's last sign of life: what was sent in them may be lost."""
        ...

    async def open(self) -> None:
        """Connect and send the request; returns before the service has answered.

        Raises:
            KnownError: with the cause, within the link's own bounds in time.
        """
        ...

    async def send(self, payload: bytes) -> None:
        """Send one event. Bounded in time.

        Raises:
            KnownError: when the link is closed or does not take the event in time.
        """
        ...

    async def receive(self) -> LinkMessage:
        """Return the next message; `Closed` again and again once the link is over. Safe to cancel."""
        ...

    async def finish(self) -> None:
        """End our side of the stream; the service may still answer. Never raises."""
        ...

    async def close(self) -> None:
        """Drop the connection and every task of it. Bounded in time, idempotent, never raises."""
        ...


class Linker(Protocol):
    """Makes links of the chosen backend, a new object for each attempt."""

    kind: BackendKind

    async def link(self) -> Link:
        """Return a link that is not open yet; credentials are resolved and frozen here.

        Raises:
            KnownError: no or expired credentials, bad region, practice server not startable.
        """
        ...


class SoundListener(Protocol):
    """Hears from the sound device. Every call is made on the core loop and must return at once."""

    def on_frame(self, pcm: bytes, level: float) -> None:
        """Take 32 ms of microphone audio: 512 samples of s16le mono at 16 kHz; level is 0 to 1 of full scale RMS."""
        ...

    def on_played(self, generation: int, samples: int, level: float) -> None:
        """Take the count of 24 kHz samples of this generation that the speaker has played so far."""
        ...

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        """Take the devices now in use; `note` says in words why they are not the preferred ones, or is empty."""
        ...

    def on_lost(self, error: KnownError) -> None:
        """Take the loss of the device or engine; the implementation tries again by itself."""
        ...

    def on_barge_in(self, stage: BargeIn) -> None:
        """Take that somebody begins to speak while an answer is played.

        CONFIRMED has paused the answer; it is always answered by `flush` or `play_on`. A respawn ends a pause too.
        """
        ...

    def on_input(self, trouble: InputTrouble) -> None:
        """Take what is wrong with the microphone's sound from now on."""
        ...


class Sound(Protocol):
    """Microphone and speaker. Open only while a conversation needs them."""

    async def open(self, listener: SoundListener) -> None:
        """Start capture and playout on the devices of the settings.

        Raises:
            KnownError: no such device, or the engine does not start.
        """
        ...

    async def close(self) -> None:
        """Release both devices. Idempotent, never raises."""
        ...

    def play(self, pcm: bytes, generation: int) -> None:
        """Queue s16le mono at 24 kHz; dropped when `generation` is not the newest one flushed to."""
        ...

    def flush(self, generation: int) -> None:
        """Silence everything older than `generation` within one block; it ends a pause."""
        ...

    def play_on(self, generation: int) -> None:
        """Play on where a confirmed barge-in has paused the answer; nothing when it is not paused, or another one."""
        ...

    def cue(self, cue: Cue) -> None:
        """Play a short sound over whatever is played; nothing when closed."""
        ...

    def watch_barge_in(self, on: bool) -> None:
        """Look for somebody who speaks into an answer, or do not. On at first."""
        ...

    def set_volume(self, volume: float) -> None:
        """Set the loudness of answers, 0 to 1; cues have their own."""
        ...


class Observer(Protocol):
    """Sees what the service says on the live wire session, in order. Every call is made on the core loop."""

    def said(self, event: OutputEvent) -> None:
        """Take an event, before the conversation follows it; must return at once."""
        ...

    def link_over(self) -> None:
        """Take that nothing more comes of this wire session: another one carries the conversation, or none."""
        ...


@runtime_checkable
class Hearing(Protocol):
    """Wants to know what the person really hears: a service that keeps a record of its own. Calls return at once."""

    def heard(self, content_id: str, samples: int, *, last: bool) -> None:
        """Take how many 24 kHz samples of a piece of speech were played; `last`: nothing more that has come will be."""
        ...


class Archive(Protocol):
    """The local truth. Every method returns once the disk has it."""

    async def create(self, conversation: Conversation) -> None:
        """Add an empty conversation and its outbox row."""
        ...

    async def append(self, turn: Turn) -> Turn:
        """Add a turn and its outbox row in one transaction; return it with its position.

        A turn whose id exists already replaces its older version as `Turn.replaces` has it.
        """
        ...

    async def find(self, handle: str) -> Conversation | None:
        """Return a conversation, or None."""
        ...

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        """Return up to `limit` turns below position `before` (None: the newest), in order."""
        ...

    async def conversations(self, *, offset: int = 0, limit: int = 200) -> Sequence[Conversation]:
        """Return conversations, newest first."""
        ...

    async def current(self) -> str | None:
        """Return the handle of the conversation that was open last and not ended, or None."""
        ...

    async def set_current(self, handle: str | None) -> None:
        """Remember which conversation is open."""
        ...

    async def set_scenario(self, handle: str, scenario: str) -> None:
        """Remember what a conversation goes on with; nothing when it is not there any more."""
        ...

    async def pending(self) -> int:
        """Return the number of turns not yet acknowledged remotely."""
        ...


class Tool(Protocol):
    """Something the model may ask for."""

    spec: ToolSpec

    async def call(self, arguments: str) -> str:
        """Return the JSON text of an object, given the JSON text of the arguments."""
        ...
