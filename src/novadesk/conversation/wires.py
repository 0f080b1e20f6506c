"""The wire sessions of a conversation: the live one, at most one beside it that is being opened, and those that end."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from functools import partial

from novadesk.config import VoiceSettings
from novadesk.conversation.api import WireFacts
from novadesk.conversation.ports import Clock, Linker, Observer
from novadesk.conversation.uplink import NEVER
from novadesk.conversation.voicing import Opening
from novadesk.conversation.wire import WireListener, WireSession
from novadesk.diagnostics.recorder import Recorder
from novadesk.protocol.events import OutputEvent
from novadesk.protocol.history import HistoryMessage


class Wires:
    """Opens, promotes and drops wire sessions by generation; what is sent goes to the live one.

    Args:
        linker: makes links.
        opening: makes the opening of a wire session.
        clock: time.
        listener: hears of every wire session that is not dropped.
        recorder: takes note of protocol events.
        observer: sees what the service says on the live one.
        alone: open a wire session only when those before it are over.
    """

    def __init__(
        self,
        *,
        linker: Linker,
        opening: Callable[[], Opening],
        clock: Clock,
        listener: WireListener,
        recorder: Recorder | None,
        observer: Observer | None,
        alone: bool,
    ) -> None:
        self._linker, self._opening, self._clock = linker, opening, clock
        self._listener, self._recorder, self._alone = listener, recorder, alone
        self._observer = observer
        self._open: dict[int, WireSession] = {}
        self._voices: dict[int, VoiceSettings] = {}  # what each of them was opened with
        self._closing: set[asyncio.Task[bool]] = set()
        self._dropping: set[asyncio.Task[bool]] = set()  # those of them that say no goodbye
        self._live: WireSession | None = None

    @property
    def live(self) -> int | None:
        """Return the generation of the live wire session, or None."""
        return None if self._live is None else self._live.generation

    @property
    def wire_id(self) -> str:
        """Return the id of the live wire session; without one, an id that no other has."""
        return str(uuid.uuid4()) if self._live is None else self._live.wire_id

    @property
    def voice(self) -> VoiceSettings | None:
        """Return what the live wire session was opened with, or None."""
        return None if self._live is None else self._voices[self._live.generation]

    @property
    def closing(self) -> bool:
        """Return whether a wire session is being torn down."""
        return bool(self._closing)

    @property
    def takes_text(self) -> bool:
        """Return whether there is a live wire session that takes typed text and tool results."""
        return self._live is not None and self._live.takes_text

    @property
    def unwritten_from(self) -> float:
        """Return when the oldest frame was sent that the live link has not taken; `NEVER` when there is none."""
        return NEVER if self._live is None else self._live.unwritten_from

    def facts(self) -> tuple[tuple[WireFacts, ...], int]:
        """Return the ids of those that are open or being opened, oldest first; and how many are being torn down."""
        facts = tuple(wire.facts(live=wire is self._live) for _, wire in sorted(self._open.items()))
        return facts, len(self._closing)

    def open(self, generation: int) -> None:
        """Begin to open a wire session; the listener hears when it is ready.

        It waits for those that are being dropped, and for those that say goodbye where it would be one too many.
        """
        opening = self._opening()
        wire = WireSession(
            generation=generation,
            linker=self._linker,
            setup=opening.setup,
            clock=self._clock,
            listener=self._listener,
            recorder=self._recorder,
            watch=None if self._observer is None else partial(self._watch, generation, self._observer),
            after=tuple(self._closing if self._alone or self._live is not None else self._dropping),
        )
        self._open[generation], self._voices[generation] = wire, opening.voice
        wire.start()

    def go_live(
        self, generation: int, history: Sequence[HistoryMessage], frames: Sequence[bytes], now: float
    ) -> VoiceSettings:
        """Let a ready wire session carry the conversation, beginning with the history and kept microphone frames.

        Returns:
            What it was opened with.
        """
        self._leave_live()
        self._live = self._open[generation]
        self._live.go_live(history, frames, now)
        return self._voices[generation]

    def drop(self, generation: int, *, goodbye: bool) -> None:
        """Tear a wire session down in the background; with `goodbye` it is ended in order first."""
        if (wire := self._open.pop(generation, None)) is None:
            return
        del self._voices[generation]
        if wire is self._live:
            self._leave_live()
        task = asyncio.create_task(wire.finish() if goodbye else wire.drop(), name=f"wire-{generation}-closing")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        if not goodbye:
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    def _watch(self, generation: int, observer: Observer, event: OutputEvent) -> None:
        if generation == self.live:
            observer.said(event)

    def _leave_live(self) -> None:
        if self._live is not None and self._observer is not None:
            self._observer.link_over()
        self._live = None

    def send_audio(self, pcm: bytes, now: float) -> bool:
        """Send a microphone frame; return False when no wire session takes it."""
        return self._live is not None and self._live.send_audio(pcm, now)

    def send_text(self, text: str) -> None:
        """Send typed text, only while `takes_text`."""
        assert self._live is not None
        self._live.send_text(text)

    def send_tool_result(self, tool_use_id: str, result: str) -> None:
        """Send the JSON text of a tool's answer, only while `takes_text`."""
        assert self._live is not None
        self._live.send_tool_result(tool_use_id, result)

    async def settle(self) -> bool:
        """Return once nothing is being torn down any more, and whether the service answered each goodbye."""
        agreed = True
        while self._closing:
            over, _ = await asyncio.wait(set(self._closing))
            agreed = agreed and all(task.result() for task in over)
        return agreed
