"""One controller on virtual time with everything around it in memory: service, archive, microphone, speaker."""

import asyncio
from collections.abc import Awaitable, Callable

from novadesk.config import HistorySettings, LimitSettings, SessionSettings, Settings, TalkModeSetting, TalkSettings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.ports import Hearing, Observer, SoundListener
from novadesk.conversation.toolbox import Toolbox
from novadesk.conversation.witnesses import Witnesses
from novadesk.diagnostics.metrics import Meter
from novadesk.errors import KnownError, Reason
from novadesk.models import Cue
from novadesk.protocol.events import PromptStart, SessionStart
from novadesk.protocol.session import Setup
from tests.support.memory_service import MemoryArchive, MemoryLinker
from tests.support.virtual_loop import LoopClock, run_virtually

LOST = KnownError(Reason.LINK_LOST, "The connection broke.", "It comes back.")
DENIED = KnownError(Reason.ACCESS_DENIED, "Not allowed.", "Ask.")
FULL = KnownError(Reason.DISK_FULL, "The disk is full.", "Make room.")
VOICE = b"\x11\x11" * 512


class MemorySound:
    """A microphone and a speaker that the test moves by hand."""

    def __init__(self) -> None:
        self.listener: SoundListener | None = None
        self.queued: list[tuple[bytes, int]] = []
        self.flushes: list[int] = []
        self.played_on: list[int] = []
        self.cues: list[Cue] = []
        self.opened = 0
        self.watching = True
        self.fail: KnownError | None = None

    async def open(self, listener: SoundListener) -> None:
        if self.fail is not None:
            raise self.fail
        self.opened += 1
        self.listener = listener
        listener.on_opened("Mic", "Speaker", "")

    async def close(self) -> None:
        self.listener = None

    def play(self, pcm: bytes, generation: int) -> None:
        self.queued.append((pcm, generation))

    def flush(self, generation: int) -> None:
        self.flushes.append(generation)
        self.queued.clear()

    def play_on(self, generation: int) -> None:
        self.played_on.append(generation)

    def cue(self, cue: Cue) -> None:
        if self.listener is not None:
            self.cues.append(cue)

    def watch_barge_in(self, on: bool) -> None:
        self.watching = on

    def set_volume(self, volume: float) -> None:
        pass

    def talk(self, frames: int = 1, level: float = 0.2) -> None:
        assert self.listener is not None
        for _ in range(frames):
            self.listener.on_frame(VOICE, level)

    async def stream(self, seconds: float, level: float) -> None:
        """Bring frames of this level at the pace of real time."""
        for _ in range(round(seconds / 0.032)):
            await asyncio.sleep(0.032)
            self.talk(level=level)

    def play_out(self) -> None:
        assert self.listener is not None
        generation = self.flushes[-1] if self.flushes else 0
        self.listener.on_played(generation, sum(len(pcm) // 2 for pcm, g in self.queued if g == generation), 0.1)


class Bench:
    """One controller with everything around it."""

    def __init__(
        self,
        archive: MemoryArchive | None = None,
        toolbox: Toolbox | None = None,
        session: SessionSettings | None = None,
        limits: LimitSettings | None = None,
        meter: Meter | None = None,
        sound: MemorySound | None = None,
        history: HistorySettings | None = None,
        observer: Observer | None = None,
        hearing: Hearing | None = None,
    ) -> None:
        self.linker, self.sound = MemoryLinker(), sound or MemorySound()
        self.archive = archive or MemoryArchive()
        self.snapshots: list[Snapshot] = []
        self.saves = 0
        self.echo_over_voice_db = 0.0
        settings = Settings(
            talk=TalkSettings(mode=TalkModeSetting.HOLD),
            session=session or SessionSettings(),
            limits=limits or LimitSettings(),
            history=history or HistorySettings(),
        )
        self.controller = Controller(
            settings=settings,
            setup=lambda voice: Setup(
                session=SessionStart(),
                prompt=PromptStart(prompt_name="11111111-2222-4333-8444-555555555555", voice_id=voice.voice),
                system_prompt=voice.prompt,
            ),
            linker=self.linker,
            sound=self.sound,
            archive=self.archive,
            clock=LoopClock(),
            toolbox=toolbox or Toolbox(),
            publish=self.snapshots.append,
            on_saved=self._saved,
            on_quit=lambda: None,
            echo_over_voice_db=lambda: self.echo_over_voice_db,
            meter=meter,
            witnesses=Witnesses(observer=observer, hearing=hearing),
        )

    def _saved(self) -> None:
        self.saves += 1

    @property
    def now(self) -> Snapshot:
        return self.controller.snapshot()

    @property
    def texts(self) -> list[tuple[str, str]]:
        return [(turn.role.value, turn.heard_text) for turn in self.now.turns]

    async def until(self, condition: Callable[[], bool], most_s: float = 60.0) -> None:
        async with asyncio.timeout(most_s):
            while not condition():
                await asyncio.sleep(0.01)

    async def ready(self) -> None:
        await self.until(lambda: self.now.phase is Phase.READY and self.linker.newest.listening)


def story(
    work: Callable[[Bench], Awaitable[None]],
    archive: MemoryArchive | None = None,
    toolbox: Toolbox | None = None,
    session: SessionSettings | None = None,
    limits: LimitSettings | None = None,
    observer: Observer | None = None,
    hearing: Hearing | None = None,
) -> Bench:
    """Start a bench, run a story on it, stop it."""
    bench = None

    async def run() -> None:
        nonlocal bench
        bench = Bench(archive, toolbox, session, limits, observer=observer, hearing=hearing)
        await bench.controller.start()
        bench.controller.connect()
        try:
            await work(bench)
        finally:
            await bench.controller.stop()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        assert all(link.closed for link in bench.linker.links)

    run_virtually(run())
    assert bench is not None
    return bench


async def exchange(bench: Bench, said: str, answered: str) -> None:
    known = len(bench.now.turns)
    bench.controller.press_talk()
    bench.sound.talk(3)
    bench.controller.release_talk()
    bench.linker.newest.user_said(said)
    await bench.until(lambda: bench.now.phase is Phase.THINKING and len(bench.now.turns) == known + 1)
    bench.linker.newest.answer(answered)
    await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
    bench.sound.play_out()
    await bench.until(lambda: bench.now.phase is Phase.READY and len(bench.now.turns) == known + 2)
