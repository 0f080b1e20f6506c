"""The open conversation as it is on disk: its turns, what is replayed of it, and the writing of new ones.

A turn is drawn as final only after the archive has it. A write that fails is tried again; nothing is thrown away.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from novadesk.conversation.label import make_label
from novadesk.conversation.ports import Archive, Clock
from novadesk.conversation.privacy import PrivateArchive
from novadesk.errors import KnownError
from novadesk.models import BackendKind, Conversation, Role, Turn, make_handle, no_such_conversation
from novadesk.protocol.events import WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.transcript import TurnText

_log = logging.getLogger(__name__)

SHOWN_TURNS = 200
RETRY_S = 2.0
_WIRE_ROLES = {Role.USER: WireRole.USER, Role.ASSISTANT: WireRole.ASSISTANT}


class Record:
    """Keeps one conversation between memory and archive.

    Args:
        archive: the local truth.
        clock: Unix time for new conversations.
        on_changed: called after each change that is on disk.
        on_stored: called with the id of each turn that reached the disk, before `on_changed`.
        on_trouble: called with the error of a failed write, and with None once it has been made good.
    """

    def __init__(
        self,
        *,
        archive: Archive,
        clock: Clock,
        on_changed: Callable[[], None],
        on_stored: Callable[[str], None],
        on_trouble: Callable[[KnownError | None], None],
    ) -> None:
        self.conversation: Conversation | None = None
        self.turns: tuple[Turn, ...] = ()
        self.recovered = 0
        self.revision = 0
        self._disk = archive
        self._archive = archive
        self._clock = clock
        self._on_changed = on_changed
        self._on_stored = on_stored
        self._on_trouble = on_trouble
        self._stored = False
        self._current: str | None = None
        self._waiting: asyncio.Queue[tuple[Archive, Turn]] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._writer = asyncio.create_task(self._write_all(), name="record-writer")

    async def stop(self) -> None:
        """Write what waits, within 5 s, then stop."""
        if self._writer is None:
            return
        try:
            async with asyncio.timeout(5.0):
                await self.settle()
        except TimeoutError:
            _log.error("turns were still unwritten at the end: %d", self._waiting.qsize())
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        self._writer = None

    async def settle(self) -> None:
        """Return once every turn so far is on disk."""
        await self._waiting.join()

    async def load_current(self) -> bool:
        """Load the conversation that was open last; return whether there was one."""
        handle = await self._disk.current()
        if handle is None or await self._disk.find(handle) is None:
            return False
        await self.load(handle)
        return True

    async def load(self, handle: str) -> None:
        """Load a stored conversation.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` when there is none of this handle.
        """
        conversation = await self.check(handle)
        self.turns = tuple(await self._disk.turns(handle, limit=SHOWN_TURNS))
        self._archive = self._disk
        self.conversation = conversation
        self.recovered = conversation.turns
        self._stored = True
        await self._set_current(handle)
        self._on_changed()

    async def check(self, handle: str) -> Conversation:
        """Return a stored conversation.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` when there is none of this handle.
        """
        conversation = await self._disk.find(handle)
        if conversation is None:
            raise no_such_conversation()
        return conversation

    async def refresh(self) -> None:
        """Read again what others change on disk: whether turns were delivered."""
        conversation = self.conversation
        self.revision += 1
        if conversation is None or not self._stored:
            return
        found = await self._archive.find(conversation.handle)
        turns = tuple(await self._archive.turns(conversation.handle, limit=SHOWN_TURNS))
        if found is not None and self.conversation is conversation and self._waiting.empty():
            self.conversation, self.turns = found, turns

    @property
    def private(self) -> bool:
        """Return whether the open conversation may leave no trace anywhere."""
        return self.conversation is not None and self.conversation.private

    def begin(self, backend: BackendKind, *, private: bool = False) -> None:
        """Begin an empty conversation; it reaches the disk with its first turn, or never when it is private."""
        now_ms = self._clock.unix_ms()
        self.conversation = Conversation(
            handle=make_handle(now_ms),
            label=make_label(),
            title="",
            backend=backend,
            created_ms=now_ms,
            updated_ms=now_ms,
            private=private,
        )
        self._archive = PrivateArchive() if private else self._disk
        self.turns = ()
        self.recovered = 0
        self._stored = False
        self._on_changed()

    async def leave(self) -> None:
        """Forget which conversation is open, so that the next start begins a new one, unless this one goes on."""
        if not self.private:
            await self._set_current(None)

    def keep(self, text: TurnText, *, wire_session: str, typed: bool) -> None:
        """Write a finished turn, in order with those before."""
        if self.conversation is None:
            return
        turn = Turn(
            turn_id=text.turn_id,
            conversation=self.conversation.handle,
            position=-1,  # the archive gives it
            role=text.role,
            text=text.text,
            at_ms=self._clock.unix_ms(),
            wire_session=wire_session,
            heard_chars=text.heard_chars,
            interrupted=text.interrupted,
            unconfirmed=text.unconfirmed,
            typed=typed,
        )
        self._waiting.put_nowait((self._archive, turn))

    def history(self, without: frozenset[str]) -> list[HistoryMessage]:
        """Return what the model is told of the conversation: what was said and heard, in order."""
        return [
            HistoryMessage(role=_WIRE_ROLES[turn.role], text=turn.heard_text)
            for turn in self.turns
            if turn.turn_id not in without and turn.heard_text.strip()
        ]

    async def _write_all(self) -> None:
        while True:
            archive, turn = await self._waiting.get()
            try:
                await self._write(archive, turn)
            except Exception:
                _log.exception("a turn could not be written, by a bug")
            finally:
                self._waiting.task_done()

    async def _write(self, archive: Archive, turn: Turn) -> None:
        troubled = False
        while True:
            try:
                await self._prepare(turn.conversation)
                stored = await archive.append(turn)
                break
            except KnownError as error:
                troubled = True
                self._on_trouble(error)
                await asyncio.sleep(RETRY_S)
        if troubled:
            self._on_trouble(None)
        self._show(stored)

    async def _prepare(self, handle: str) -> None:
        """Make sure that the open conversation is on disk, and known there as the one that is open."""
        conversation = self.conversation
        if conversation is None or conversation.handle != handle:
            return
        if not self._stored:
            await self._archive.create(conversation)
            self._stored = True
        if self._current != handle and not conversation.private:
            await self._set_current(handle)

    async def _set_current(self, handle: str | None) -> None:
        await self._disk.set_current(handle)
        self._current = handle

    def _show(self, stored: Turn) -> None:
        self.revision += 1
        conversation = self.conversation
        if conversation is not None and conversation.handle == stored.conversation:
            kept = [turn for turn in self.turns if turn.turn_id != stored.turn_id]
            kept.append(stored)
            kept.sort(key=lambda turn: turn.position)
            self.turns = tuple(kept[-SHOWN_TURNS:])
            self.conversation = replace(
                conversation,
                turns=max(conversation.turns, stored.position + 1),
                updated_ms=max(conversation.updated_ms, stored.at_ms),
            )
        self._on_stored(stored.turn_id)
        self._on_changed()
