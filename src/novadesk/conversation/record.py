"""The open conversation: its turns, what is replayed of them, and the writing of new ones.

A turn is drawn as final once the archive has it. One that the disk refuses is drawn as not saved, kept, and tried
again; nothing is thrown away. A private conversation never comes near the archive.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from novadesk.conversation.backlog import Backlog, Kept, KeptPointer, KeptScenario, KeptTurn
from novadesk.conversation.label import make_label
from novadesk.conversation.ports import Archive, Clock
from novadesk.conversation.privacy import PrivateTurns
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation, Role, SyncState, Turn, make_handle, no_such_conversation
from novadesk.protocol.events import WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.limits import DEFAULT
from novadesk.protocol.transcript import TurnText
from novadesk.text import Text

_log = logging.getLogger(__name__)

SHOWN_TURNS = 200
_WIRE_ROLES = {Role.USER: WireRole.USER, Role.ASSISTANT: WireRole.ASSISTANT}


def recovered_line(turns: int) -> str:
    """Return what the person reads after a start that found the conversation of last time."""
    return Text.counted("Recovered 1 turn from last time.", "Recovered {n} turns from last time.", turns)


def remade_line(turns: int) -> str:
    """Return what the person reads when the remote copy of a conversation had gone and is made again."""
    return Text.counted("Recovered 1 turn.", "Recovered {n} turns.", turns)


def carried_line(turns: int) -> str:
    """Return what the person reads when a conversation goes on with what was said before."""
    return Text.counted("1 turn carried over.", "{n} turns carried over.", turns)


def lost_line(turns: int) -> str:
    """Return what the person reads when the program ends with turns that the disk never took."""
    return Text.counted("1 turn could not be saved.", "{n} turns could not be saved.", turns)


class Record:
    """Keeps one conversation between memory and archive.

    Args:
        archive: the local truth.
        clock: Unix time for new conversations.
        on_changed: called after each change that there is to draw.
        on_stored: called with the id of each turn that reached the disk, before `on_changed`.
        on_trouble: called with the error of a failed write, and with None once all has been made good.
        on_shown: called with the id of each turn that is drawn as said from now on, whether the disk has it, refuses
            it, or may never get it because the conversation is private; without it, `on_stored` is called for all.

    Attributes:
        conversation: the open one.
        recovered: its turns that were there when it was loaded.
        revision: grows whenever the list of conversations changed on disk.
        load_ms: milliseconds until the loaded conversation was readable, 0 when none was loaded.
    """

    def __init__(
        self,
        *,
        archive: Archive,
        clock: Clock,
        on_changed: Callable[[], None],
        on_stored: Callable[[str], None],
        on_trouble: Callable[[KnownError | None], None],
        on_shown: Callable[[str], None] | None = None,
    ) -> None:
        self.conversation: Conversation | None = None
        self.recovered = 0
        self.revision = 0
        self.load_ms = 0.0
        self._archive = archive
        self._clock = clock
        self._on_changed = on_changed
        self._on_stored = on_stored
        self._on_trouble = on_trouble
        self._on_shown = on_shown or on_stored
        self._turns: tuple[Turn, ...] = ()
        self._shown: tuple[Turn, ...] = ()
        self._private: PrivateTurns | None = None
        self._created: set[str] = set()
        self._current: str | None = None
        self._backlog = Backlog(write=self._write, on_written=self._on_written, on_refused=self._on_refused)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Return the newest `SHOWN_TURNS` turns, of a private conversation all; those not on disk are `LOCAL`."""
        return self._shown

    @property
    def private(self) -> bool:
        """Return whether the open conversation may leave no trace anywhere."""
        return self.conversation is not None and self.conversation.private

    @property
    def unsaved(self) -> int:
        """Return the number of turns that the disk has refused so far, of all conversations."""
        return len(self._backlog.turns) if self._backlog.refusal is not None else 0

    @property
    def complete(self) -> bool:
        """Return whether a replay has every stored turn, or as many as the service takes."""
        stored = 0 if self.conversation is None else self.conversation.turns
        return len(self._turns) >= stored or _size_bytes(self._turns) >= DEFAULT.history_bytes

    def start(self) -> None:
        """Begin to write."""
        self._backlog.start()

    async def stop(self) -> int:
        """Write what waits, within 5 s, then stop; return the number of turns that stay unwritten."""
        await self._backlog.stop()
        if left := len(self._backlog.turns):
            _log.error("turns were still unwritten at the end: %d", left)
        return left

    def try_now(self) -> None:
        """Write what the disk refused at once instead of waiting."""
        self._backlog.try_now()

    async def settle(self) -> None:
        """Return once every turn so far is on disk, or the disk refuses."""
        await self._backlog.settle()

    async def load_current(self) -> bool:
        """Load the conversation that was open last; return whether there was one."""
        handle = await self._archive.current()
        if handle is None or await self._archive.find(handle) is None:
            return False
        await self.load(handle)
        return True

    async def load(self, handle: str) -> None:
        """Load a stored conversation: first what is shown, then older turns as far as they may be replayed.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` when there is none of this handle.
        """
        begun = self._clock.now()
        conversation = await self.check(handle)
        turns = tuple(await self._archive.turns(handle, limit=SHOWN_TURNS))
        self._open(conversation, turns)
        self.recovered = max(conversation.turns, len(self._shown))
        self._on_changed()
        self.load_ms = (self._clock.now() - begun) * 1000
        self._point(handle)
        self._turns = await self._with_older(handle, turns)
        await self._backlog.settle()

    async def check(self, handle: str) -> Conversation:
        """Return a stored conversation, or one that only waits for the disk.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` when there is none of this handle.
        """
        conversation = await self._archive.find(handle)
        if conversation is not None:
            self._created.add(handle)
            return conversation
        for kept in self._backlog.turns:
            if kept.conversation.handle == handle:
                return kept.conversation
        raise no_such_conversation()

    async def refresh(self) -> None:
        """Read again what others change on disk: whether turns were delivered, turns of other machines."""
        before = self.conversation
        self.revision += 1
        if before is None or before.private or before.handle not in self._created:
            return
        found = await self._archive.find(before.handle)
        turns = self._same(await self._archive.turns(before.handle, limit=SHOWN_TURNS))
        if found is None or self.conversation is not before:
            return
        if found.turns == before.turns:
            first = turns[0].position if turns else 0
            turns = _needed((*(turn for turn in self._turns if turn.position < first), *turns))
        else:
            turns = await self._with_older(before.handle, turns)
        if self.conversation is before:
            self.conversation = replace(found, scenario=before.scenario)  # what is on disk may be on its way there
            self._turns = turns
            self._compose()

    def begin(self, backend: BackendKind, *, private: bool = False, scenario: str = "") -> None:
        """Begin an empty conversation; it reaches the disk with its first turn, or never when it is private.

        Args:
            backend: where it leads.
            private: nothing of it may be written.
            scenario: what it is begun with, as `scenario.Chosen.encode` writes it.
        """
        now_ms = self._clock.unix_ms()
        conversation = Conversation(
            handle=make_handle(now_ms),
            label=make_label(),
            title="",
            backend=backend,
            created_ms=now_ms,
            updated_ms=now_ms,
            private=private,
            scenario=scenario,
        )
        self._open(conversation, ())
        self._private = PrivateTurns() if private else None
        self.recovered = 0
        self._on_changed()

    def change_scenario(self, scenario: str) -> None:
        """Give the open conversation another scenario; what was said stays."""
        conversation = self.conversation
        if conversation is None:
            return
        self.conversation = replace(conversation, scenario=scenario)
        if not conversation.private:
            self._backlog.add(KeptScenario(handle=conversation.handle, scenario=scenario))
        self._on_changed()

    async def leave(self) -> None:
        """Forget which conversation is open, so that the next start begins a new one, unless this one goes on.

        Leaving a private one changes nothing on disk; the conversation itself is forgotten.
        """
        if self.private and self.conversation is not None:
            self.begin(self.conversation.backend)
            return
        self._point(None)
        await self._backlog.settle()

    def keep(self, text: TurnText, *, wire_session: str, typed: bool) -> None:
        """Write a finished turn, in order with those before."""
        conversation = self.conversation
        if conversation is None:
            return
        turn = Turn(
            turn_id=text.turn_id,
            conversation=conversation.handle,
            position=-1,  # the archive gives it
            role=text.role,
            text=text.text,
            at_ms=self._clock.unix_ms(),
            wire_session=wire_session,
            heard_chars=text.heard_chars,
            interrupted=text.interrupted,
            unconfirmed=text.unconfirmed,
            typed=typed,
            voice=text.voice,
            tools=text.tools,
        )
        if self._private is not None:
            self._show(self._private.add(turn))
            return
        self._backlog.add(KeptTurn(conversation=conversation, turn=turn))
        if (refusal := self._backlog.refusal) is not None:
            self._on_refused(refusal)

    def newest(self, count: int) -> tuple[Turn, ...]:
        """Return the newest turns in order, those on their way to the disk too."""
        return _joined(self._turns, self._waiting())[-count:]

    def history(self, without: frozenset[str]) -> list[HistoryMessage]:
        """Return what the model is told of the conversation: what was said and heard, in order.

        Turns on their way to the disk are told as well. It is for the protocol to keep the newest that fits.
        """
        return [
            HistoryMessage(role=_WIRE_ROLES[turn.role], text=turn.heard_text)
            for turn in _joined(self._turns, self._waiting())
            if turn.turn_id not in without and turn.heard_text.strip()
        ]

    def _same(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """Return turns, each as the object that is known already where nothing changed in it."""
        known = {turn.turn_id: turn for turn in self._turns}
        return tuple(old if (old := known.get(turn.turn_id)) == turn else turn for turn in turns)

    async def _with_older(self, handle: str, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """Put older turns before `turns` until there are as many as the service takes in one history."""
        known = list(turns)
        room_bytes = DEFAULT.history_bytes - _size_bytes(known)
        try:
            while known and known[0].position > 0 and room_bytes > 0:
                page = await self._archive.turns(handle, before=known[0].position, limit=SHOWN_TURNS)
                if not page:
                    break
                known[:0] = page
                room_bytes -= _size_bytes(page)
        except KnownError as error:
            _log.warning("older turns could not be read for the replay: %s", error.reason.value)
        return tuple(known)

    async def _write(self, entry: Kept) -> Turn | None:
        if isinstance(entry, KeptPointer):
            await self._set_current(entry.handle)
            return None
        if isinstance(entry, KeptScenario):
            await self._archive.set_scenario(entry.handle, entry.scenario)  # or it comes with the first turn
            return None
        handle = entry.conversation.handle
        if handle not in self._created:
            await self._archive.create(entry.conversation)
            self._created.add(handle)
        if self._is_open(handle) and self._current != handle:
            await self._set_current(handle)
        try:
            return await self._archive.append(entry.turn)
        except KnownError as error:
            if error.reason is not Reason.UNKNOWN_CONVERSATION:
                raise
            _log.info("a turn of a conversation that is not here any more is not kept")
            return None

    async def _set_current(self, handle: str | None) -> None:
        await self._archive.set_current(handle)
        self._current = handle

    def _on_written(self, stored: Turn) -> None:
        self.revision += 1
        self._on_stored(stored.turn_id)
        self._show(stored)

    def _on_refused(self, error: KnownError | None) -> None:
        """Draw what waits as not saved, and say how much it is; or say that all is well again."""
        self._compose()
        for turn in self._waiting():
            self._on_shown(turn.turn_id)
        if error is not None and (count := self.unsaved):
            kept = Text.counted("1 turn is not saved yet.", "{n} turns are not saved yet.", count)
            error = KnownError(error.reason, Text("{what} {kept}", what=error.what, kept=kept), error.advice)
        self._on_trouble(error)
        self._on_changed()

    def _open(self, conversation: Conversation, turns: tuple[Turn, ...]) -> None:
        self.conversation = conversation
        self._private = None
        self._turns = turns
        self._compose()

    def _point(self, handle: str | None) -> None:
        """Remember on disk which conversation is open."""
        self._backlog.add(KeptPointer(handle=handle))

    def _is_open(self, handle: str) -> bool:
        return self.conversation is not None and self.conversation.handle == handle

    def _waiting(self) -> list[Turn]:
        return [kept.turn for kept in self._backlog.turns if self._is_open(kept.conversation.handle)]

    def _show(self, stored: Turn) -> None:
        conversation = self.conversation
        if conversation is not None and conversation.handle == stored.conversation:
            kept = [turn for turn in self._turns if turn.turn_id != stored.turn_id]
            kept.append(stored)
            kept.sort(key=lambda turn: turn.position)
            self._turns = tuple(kept) if self._private is not None else _needed(kept)
            self.conversation = replace(
                conversation,
                turns=max(conversation.turns, stored.position + 1),
                begun_ms=conversation.begun_ms or stored.at_ms,
                updated_ms=max(conversation.updated_ms, stored.at_ms),
            )
            self._compose()
        self._on_shown(stored.turn_id)
        self._on_changed()

    def _compose(self) -> None:
        newest = self._turns if self._private is not None else self._turns[-SHOWN_TURNS:]
        refused = self._waiting() if self._backlog.refusal is not None else ()
        self._shown = _joined(newest, refused)


def _joined(turns: tuple[Turn, ...], waiting: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return `turns` with those that wait behind them, or in the place of their older version."""
    joined = {turn.turn_id: turn for turn in turns}
    for turn in waiting:
        older = joined.get(turn.turn_id)
        if older is None:
            position = next(reversed(joined.values())).position + 1 if joined else 0
            joined[turn.turn_id] = replace(turn, position=position, sync=SyncState.LOCAL)
        elif turn.replaces(older):
            joined[turn.turn_id] = replace(turn, position=older.position, at_ms=older.at_ms, sync=SyncState.LOCAL)
    return tuple(joined.values())


def _needed(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return the newest turns: those that are shown, and as many as one history takes."""
    room_bytes = DEFAULT.history_bytes
    for first in range(len(turns) - 1, -1, -1):
        room_bytes -= _size_bytes([turns[first]])
        if room_bytes <= 0 and len(turns) - first >= SHOWN_TURNS:
            return tuple(turns[first:])
    return tuple(turns)


def _size_bytes(turns: Iterable[Turn]) -> int:
    return sum(len(turn.heard_text.encode("utf-8", "replace")) for turn in turns)
