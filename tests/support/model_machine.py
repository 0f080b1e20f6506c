"""One computer on virtual time: the real store over SQLite in memory, the real sync, the real controller; it can die.

What outlives a death is in `Disk`: the committed SQLite, the keyring, the clock. Everything else is made anew.
"""

import asyncio
import dataclasses
import sqlite3
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from novadesk.config import LimitSettings, SessionSettings, Settings, TalkModeSetting, TalkSettings
from novadesk.conversation.api import Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.ports import Linker, SoundListener
from novadesk.conversation.toolbox import Toolbox
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Role, Turn
from novadesk.protocol.events import PromptStart, SessionStart, WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.session import Setup
from novadesk.store.chain import RollOver
from novadesk.store.conversations import Conversations, _turns
from novadesk.store.database import Database
from novadesk.store.pause import SyncPolicy
from novadesk.store.registry import Registry
from novadesk.store.sync import Sync
from tests.support.model_runtime import ModelRemote, ModelRuntime
from tests.support.plain_sound import PlainSound
from tests.support.store_rig import open_memory
from tests.support.virtual_loop import VirtualLoop

WRITE_S = 0.004
KEYRING_S = 0.02
MAX_STEPS = 7
MOST_ROUNDS = 5_000
START_MS = 1_795_000_000_000
SETTINGS = Settings(
    talk=TalkSettings(mode=TalkModeSetting.HOLD),
    session=SessionSettings(idle_s=90.0),
    limits=LimitSettings(connection_s=40.0),
)

type Alive = Callable[[], None]


class Disk:
    """What outlives the death of a program: the committed store, the keyring, the clocks of the computer."""

    def __init__(self) -> None:
        self.db = open_memory()
        self.full = False
        self.keyring: dict[str, str] = {}
        self.keyring_fault: KnownError | None = None
        self.wall_ahead_s = 0.0

    def close(self) -> None:
        self.db.close()

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        return self.db.execute(query, values).fetchall()

    def handles(self) -> list[str]:
        """Return every conversation, oldest first."""
        return [row["handle"] for row in self.rows("SELECT handle FROM conversation ORDER BY number")]

    def turns(self, handle: str) -> tuple[Turn, ...]:
        return _turns(self.db, handle, None, 100_000)

    def everything(self) -> dict[str, dict[str, Turn]]:
        """Return all turns by handle and id, without what is each computer's own affair."""
        return {
            handle: {
                turn.turn_id: dataclasses.replace(turn, position=0, sync=turn.sync.PENDING, wire_session="")
                for turn in self.turns(handle)
            }
            for handle in self.handles()
        }


class DiskClock:
    """The clock of a computer: monotonic from the loop, wall time that may jump."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def unix_ms(self) -> int:
        return START_MS + round((self.now() + self._disk.wall_ahead_s) * 1000)


class DirectDatabase(Database):
    """The real database on a disk of ours: jobs in the order given, one transaction each, without a thread.

    Cancelling the wait does not undo a job; a death before its time does.
    """

    def __init__(self, disk: Disk, alive: Alive) -> None:
        super().__init__(Path("model.sqlite3"))
        self._db = disk.db
        self._disk = disk
        self._alive = alive
        self._due: deque[Callable[[], None]] = deque()

    async def run[T](self, job: Callable[[sqlite3.Connection], T]) -> T:
        def guarded(db: sqlite3.Connection) -> T:
            if self._disk.full:
                raise KnownError(Reason.DISK_FULL, "The disk is full.", "Make room.")
            return job(db)

        return await super().run(guarded)

    async def _submit[T](self, call: Callable[[], T]) -> T:
        self._alive()
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                self._alive()
                value = call()
            except asyncio.CancelledError:
                return
            except Exception as error:
                if not outcome.cancelled():
                    outcome.set_exception(self._translate(error) if isinstance(error, sqlite3.Error) else error)
            else:
                if not outcome.cancelled():
                    outcome.set_result(value)

        self._due.append(work)
        loop.call_later(WRITE_S, lambda: self._due.popleft()())
        answer = await outcome
        self._alive()
        return answer


class DiskKeychain:
    """The keyring of a computer, which may refuse."""

    def __init__(self, disk: Disk, alive: Alive) -> None:
        self._disk = disk
        self._alive = alive

    async def _touch(self) -> None:
        self._alive()
        await asyncio.sleep(KEYRING_S)
        self._alive()
        if (failure := self._disk.keyring_fault) is not None:
            raise KnownError(failure.reason, failure.what, failure.advice)

    async def get(self, name: str) -> str | None:
        await self._touch()
        return self._disk.keyring.get(name)

    async def set(self, name: str, value: str) -> None:
        await self._touch()
        self._disk.keyring[name] = value

    async def delete(self, name: str) -> None:
        await self._touch()
        self._disk.keyring.pop(name, None)


class ModelSound(PlainSound):
    """Microphone and speaker, moved by hand."""

    def __init__(self) -> None:
        self.listener: SoundListener | None = None
        self.generation = 0
        self.queued = 0
        self.played = 0

    async def open(self, listener: SoundListener) -> None:
        await asyncio.sleep(0.01)
        self.listener = listener
        listener.on_opened("Microphone", "Speaker", "")

    async def close(self) -> None:
        self.listener = None

    def play(self, pcm: bytes, generation: int) -> None:
        if generation == self.generation:
            self.queued += len(pcm) // 2

    def flush(self, generation: int) -> None:
        self.generation, self.queued, self.played = generation, 0, 0

    def play_some(self, share: float) -> None:
        """Play this share of what is queued."""
        if self.listener is not None:
            self.played += round((self.queued - self.played) * share)
            self.listener.on_played(self.generation, self.played, 0.1)


class Store:
    """The store of a running program on a disk, with its sync."""

    def __init__(self, disk: Disk, runtime: ModelRuntime, alive: Alive, on_changed: Callable[[], None]) -> None:
        clock = DiskClock(disk)
        database = DirectDatabase(disk, alive)
        remote: Any = ModelRemote(runtime, alive)
        self.conversations = Conversations(database)
        registry = Registry(database, DiskKeychain(disk, alive), now=clock.now)
        self.sync = Sync(
            database,
            self.conversations,
            registry,
            remote,
            clock,
            on_changed,
            backend=BackendKind.PRACTICE,
            policy=SyncPolicy(off_pause_s=120.0),
            roll_over=RollOver(max_steps=MAX_STEPS - 2),
        )


class Program:
    """NovaDesk without window and sound card, wired as the composition root wires it."""

    def __init__(self, disk: Disk, runtime: ModelRuntime, linker: Linker, publish: Callable[[Snapshot], None]) -> None:
        self.dead = False
        self.sound = ModelSound()
        self._publish = publish
        self._stored = asyncio.Event()
        self._is_news = False
        self._open: str | None = None
        self._shown: asyncio.Task[None] | None = None
        self.store = Store(disk, runtime, self.alive, self._on_synced)
        self.controller = Controller(
            settings=SETTINGS,
            setup=lambda _: Setup(
                session=SessionStart(), prompt=PromptStart(prompt_name="p", voice_id="v"), system_prompt=""
            ),
            linker=linker,
            sound=self.sound,
            archive=self.store.conversations,
            clock=DiskClock(disk),
            toolbox=Toolbox(),
            publish=self._show,
            on_saved=self._on_turn_kept,
            on_quit=lambda: None,
        )

    def alive(self) -> None:
        """Stop whoever comes here once the program has died."""
        if self.dead:
            raise asyncio.CancelledError

    async def start(self) -> None:
        await self.controller.start()
        self.store.sync.start()
        self._shown = asyncio.create_task(self._show_sync())
        self._stored.set()
        self.controller.connect()

    async def stop(self) -> None:
        if self._shown is not None:
            self._shown.cancel()
            await asyncio.gather(self._shown, return_exceptions=True)
        await self.store.sync.stop()
        await self.controller.stop()

    def _show(self, snapshot: Snapshot) -> None:
        conversation = snapshot.conversation
        handle = None if conversation is None or conversation.private else conversation.handle
        if handle != self._open:
            self._open = handle
            self.store.sync.opened(handle)
        self._publish(snapshot)

    def _on_turn_kept(self) -> None:
        self.store.sync.turn_kept()
        self._stored.set()

    def _on_synced(self) -> None:
        self._is_news = True
        self._stored.set()

    async def _show_sync(self) -> None:
        while True:
            await self._stored.wait()
            self._stored.clear()
            pending, is_news = await self.store.sync.pending(), self._is_news
            self._is_news = False
            await self.controller.note_delivery(pending=pending, note=self.store.sync.note, changed=is_news)


class PatientLoop(VirtualLoop):
    """A virtual loop that tells when the program turns round and round without time passing."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self._jumping.now = at
        self._rounds = 0
        self._rounds_at = at

    def _run_once(self) -> None:
        super()._run_once()  # type: ignore[misc]  # the one place that every turn of the loop goes through
        self._rounds = self._rounds + 1 if self.time() == self._rounds_at else 0
        self._rounds_at = self.time()
        if self._rounds > MOST_ROUNDS:
            self._rounds = 0
            raise AssertionError("the program spins")


class Machinery:
    """The loop that a program runs on, and its death."""

    def __init__(self, at: float = 0.0) -> None:
        self.loop = PatientLoop(at)

    @property
    def now(self) -> float:
        return self.loop.time()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    def die(self) -> float:
        """Drop every task and timer; return the time."""
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        now = self.now
        self.loop.close()
        return now


def told(turns: tuple[Turn, ...]) -> list[HistoryMessage]:
    """Return what a model is to be told of these turns, as design says: the heard part of each."""
    roles = {Role.USER: WireRole.USER, Role.ASSISTANT: WireRole.ASSISTANT}
    return [HistoryMessage(roles[turn.role], turn.heard_text) for turn in turns]
