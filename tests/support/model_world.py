"""Everything around one account: two computers, the program on one of them, the voice service, the session store."""

import asyncio
import logging
import random
import secrets
import sys
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from unittest import mock

from novadesk.conversation.api import Phase, Snapshot
from novadesk.errors import KnownError
from novadesk.models import BackendKind, Conversation, Role, SyncState, Turn, make_handle
from novadesk.protocol.events import WireRole
from novadesk.protocol.history import HistoryMessage
from tests.support.model_machine import MAX_STEPS, SETTINGS, START_MS, Disk, DiskClock, Machinery, Program, Store, told
from tests.support.model_runtime import ModelRuntime
from tests.support.model_voice import ModelLink, ModelVoice, Welcome

LEASE_S = 300
"""A lease that a full disk kept from being given back runs out after this time."""

LIVE = frozenset({Phase.READY, Phase.LISTENING, Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED})
RESTING = frozenset({Phase.IDLE, Phase.OFFLINE, Phase.ENDED, Phase.FAILED})
SETTLED_S = 0.2
"""A turn that came so long ago is on the disk."""


class Bugs(logging.Handler):
    """Keeps every error that the program logs with a traceback, and those of the loop: they are its own faults."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.name == "asyncio":
            self.seen.append(f"{record.getMessage()}: {record.exc_info[1] if record.exc_info else None!r}")


class World:
    """The world and what was seen of it.

    Attributes:
        shown: every turn that was shown as final, by id: its conversation and its last text.
        hidden: every text that was shown in a private conversation.
        written: since when each frame of speech is in a text that was shown as final.
        due: since when each question has to be on the disk.
        deleted: the conversations that the person deleted here.
    """

    def __init__(self) -> None:
        self._patches = [
            mock.patch.object(uuid, "uuid4", _seeded_uuid),
            mock.patch.object(secrets, "choice", random.choice),
            mock.patch.object(secrets, "randbits", random.getrandbits),
        ]
        for patch in self._patches:
            patch.start()
        self.bugs = Bugs()
        logging.getLogger().addHandler(self.bugs)
        self.disk, self.other = Disk(), Disk()
        self.machinery = Machinery()
        self.runtime = ModelRuntime(self.service_ms, max_steps=MAX_STEPS)
        self.welcomes: deque[Welcome] = deque()
        self.snapshot = Snapshot()
        self.shown: dict[str, tuple[str, Turn]] = {}
        self.hidden: set[str] = set()
        self.written: dict[tuple[int, int], float] = {}
        self.due: dict[str, float] = {}
        self.deleted: set[str] = set()
        self.jumped_s = 0.0
        self._order: dict[str, list[str]] = {}
        self._elsewhere = 0
        self.boot()

    def close(self) -> None:
        """Take the world down."""
        self.program.dead = True
        self.machinery.die()
        self.disk.close()
        self.other.close()
        logging.getLogger().removeHandler(self.bugs)
        for patch in self._patches:
            patch.stop()

    @property
    def now(self) -> float:
        return self.machinery.now

    @property
    def links(self) -> list[ModelLink]:
        """Return the links of the program that runs, oldest first."""
        return self.voice.links

    def service_ms(self) -> int:
        return START_MS + round(self.machinery.now * 1000)

    # --- the program ---

    def boot(self) -> None:
        """Start the program on what the disk holds."""
        self.voice = ModelVoice(
            alive=lambda: self.program.alive(),
            history_now=lambda: tuple(told(self.program.controller.snapshot().turns)),
            heard=self._on_heard,
            unix_ms=lambda: DiskClock(self.disk).unix_ms(),
            welcomes=self.welcomes,
            limit_s=SETTINGS.limits.connection_s,
        )

        async def start() -> None:
            self.program = Program(self.disk, self.runtime, self.voice, self._on_snapshot)
            await self.program.start()

        self.machinery.run(start())

    def kill(self) -> None:
        """Let the program die at this very moment; what is committed stays."""
        self.program.dead = True
        for link in self.links:
            link.broken = link.closing = True
        self.machinery = Machinery(self.machinery.die())
        self.due = {name: at for name, at in self.due.items() if self.now - at >= SETTLED_S and self.is_on_disk(name)}
        self.boot()

    def quit(self) -> None:
        """Let the person leave and start again."""
        self.machinery.run(self.program.stop())
        if self.disk.full:
            self.due = {name: at for name, at in self.due.items() if self.is_on_disk(name)}
        self.machinery = Machinery(self.machinery.die())
        self.boot()

    def look(self) -> Snapshot:
        async def work() -> Snapshot:
            return self.program.controller.snapshot()

        return self.machinery.run(work())

    def soon(self, act: Callable[[], object]) -> None:
        """Do something on the loop, and let what follows at once follow."""

        async def work() -> None:
            act()
            await asyncio.sleep(0)

        self.machinery.run(work())

    def change_store(self, change: Callable[[], Awaitable[object]]) -> None:
        """Change the store as the window does; a full disk may refuse."""

        async def work() -> None:
            try:
                await change()
            except KnownError:
                return
            self.program.store.sync.kick()

        self.machinery.run(work())

    def is_on_disk(self, text: str) -> bool:
        return bool(self.disk.rows("SELECT 1 FROM turn WHERE text = ?", text))

    # --- what is seen ---

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        conversation = snapshot.conversation
        if conversation is None:
            return
        if conversation.private:
            self.hidden |= {turn.text for turn in snapshot.turns}
            return
        final = [turn for turn in snapshot.turns if turn.sync is not SyncState.LOCAL]  # the disk has those
        for turn in final:
            known = self.shown.get(turn.turn_id)
            assert known is None or turn.unconfirmed <= known[1].unconfirmed, "a confirmed turn became unconfirmed"
            if known is None and turn.text.startswith("spoken-"):
                for frame in frames_of(turn.text):
                    self.written.setdefault(frame, self.now)
            self.shown[turn.turn_id] = (conversation.handle, turn)
        self.note_order(conversation.handle, [turn.turn_id for turn in final])

    def note_order(self, handle: str, ids: list[str]) -> None:
        """Compare the order of turns with that seen before: they never change places, new ones may come between."""
        assert len(set(ids)) == len(ids), "a turn is shown twice"
        before = [turn_id for turn_id in self._order.get(handle, []) if turn_id in set(ids)]
        assert [turn_id for turn_id in ids if turn_id in set(before)] == before, "turns changed places"
        self._order[handle] = ids

    def _on_heard(self, _link: ModelLink, frame: tuple[int, int]) -> None:
        since = self.written.get(frame)
        assert since is None or self.now - since < SETTLED_S, "speech is sent again after it was written down"

    # --- the other computer ---

    def write_elsewhere(self, which: int, *, new: bool) -> None:
        """Let the other computer continue a conversation that it knows, or begin one."""
        handles = self.other.handles()
        self._elsewhere += 1
        text = f"elsewhere-{self._elsewhere}"

        async def work() -> None:
            archive = self._other_store().conversations
            now_ms = self.service_ms()
            handle = handles[which % len(handles)] if handles and not new else make_handle(now_ms)
            if handle not in handles:
                await archive.create(
                    Conversation(
                        handle=handle,
                        label="far-king-275",
                        title="",
                        backend=BackendKind.PRACTICE,
                        created_ms=now_ms,
                        updated_ms=now_ms,
                    )
                )
            turn = Turn(
                turn_id=str(uuid.uuid4()),
                conversation=handle,
                position=-1,
                role=Role.USER,
                text=text,
                at_ms=now_ms,
                wire_session=str(uuid.uuid4()),
            )
            await archive.append(turn)

        self.machinery.run(work())

    def name_elsewhere(self, which: int, title: str) -> None:
        """Let the other computer give a conversation a title."""
        if handles := self.other.handles():
            archive = self._other_store().conversations
            self.machinery.run(archive.rename(handles[which % len(handles)], title, self.service_ms()))

    def sync_elsewhere(self, most_s: float | None) -> None:
        """Let the other computer sync for a time, or (None) until it has delivered and read everything."""

        async def work() -> None:
            store = self._other_store()
            store.sync.start()
            try:
                if most_s is None:
                    await deliver_all(store, self.other)
                else:
                    await asyncio.sleep(most_s)
                await read_all(store, self.other)
            finally:
                await store.sync.stop()

        self.machinery.run(work())

    def _other_store(self) -> Store:
        return Store(self.other, self.runtime, lambda: None, lambda: None)

    # --- the end of all troubles ---

    def heal(self) -> None:
        """Let everything work again; what was late arrives."""
        self.runtime.heal()
        self.welcomes.clear()
        self.voice.close_s = 0.0
        self.disk.full = False
        self.disk.keyring_fault = None
        self.disk.wall_ahead_s -= self.jumped_s
        self.jumped_s = 0.0
        for link in self.links:
            link.flow()

    def recover(self) -> None:
        """Wait for the conversation to come back, by itself or at the press of a button."""
        self.machinery.wait(2.5)
        phase = self.look().phase
        if phase in RESTING:
            controller = self.program.controller
            self.soon(controller.try_now if phase is Phase.FAILED else controller.connect)
        most_s = self.now + 100.0
        while not (self.look().phase in LIVE and self.voice.usable):
            assert self.now < most_s, f"no recovery: {self.look().phase}"
            self.machinery.wait(0.5)

    def settle(self) -> None:
        """Let both computers deliver and read everything."""
        store = self.program.store
        self.machinery.run(self.program.controller.stop())
        for _ in range(2):
            self.machinery.run(deliver_all(store, self.disk))
            self.sync_elsewhere(None)
            self.machinery.run(read_all(store, self.disk))
        self.machinery.run(deliver_all(store, self.disk))
        self.machinery.wait(0.2)


async def deliver_all(store: Store, disk: Disk) -> None:
    """With everything healed, wait for the outbox to become empty."""
    await store.sync.retry_parked()
    for _ in range(LEASE_S + 200):
        if not disk.rows("SELECT 1 FROM outbox"):
            return
        await asyncio.sleep(1.0)
    rows = [dict(row) for row in disk.rows("SELECT * FROM outbox")]
    raise AssertionError(f"the outbox is never empty: {store.sync.note} {rows}")


async def read_all(store: Store, disk: Disk) -> None:
    """Read everything that is to be read remotely, as far as the service lets us."""
    try:
        await store.sync.discover()
        for handle in disk.handles():
            await store.sync.pull(handle)
    except KnownError:
        return


def frames_of(name: str) -> set[tuple[int, int]]:
    """Return the frames in which something was said."""
    _, utterance, _, first, _, last = name.split("-")
    return {(int(utterance), place) for place in range(int(first), int(last) + 1)}


def lines_of(history: Sequence[HistoryMessage]) -> list[tuple[WireRole, str]]:
    """Return who said what, undoing the merging of neighbours; no text of ours has a line feed."""
    return [(message.role, line) for message in history for line in message.text.split("\n")]


def failing() -> bool:
    """Say whether an exception is under way."""
    return sys.exception() is not None


def _seeded_uuid() -> uuid.UUID:
    return uuid.UUID(int=random.getrandbits(128), version=4)
