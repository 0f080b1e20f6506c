"""The gateway's session store as the archive of one conversation."""

import uuid
from collections.abc import Callable, Sequence

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation, Turn, no_such_conversation
from novadesk.protocol.envelope_values import Line
from novadesk.server.gateway.state import SessionRecord, SessionStore


class SessionArchive:
    """One session's turns; fits `conversation.ports.Archive`.

    Args:
        store: sessions and their turns.
        record: the session, and who serves it here.
        backend: where its conversation leads.
        on_stored: called with each turn that is written, as the store has it.
        on_lost: called when a turn is refused because somebody else serves the session by now.
    """

    def __init__(
        self,
        store: SessionStore,
        record: SessionRecord,
        backend: BackendKind,
        on_stored: Callable[[Turn], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._store, self._record, self._backend = store, record, backend
        self._on_stored, self._on_lost = on_stored, on_lost

    async def create(self, conversation: Conversation) -> None:
        """See `Archive`; the session is there before its conversation."""

    async def append(self, turn: Turn) -> Turn:
        """See `Archive`. Where somebody else serves the session, there is no such conversation here any more."""
        try:
            record = self._record
            stored = await self._store.append_turn(turn, gateway=record.gateway, delivered=record.private)
        except KnownError as error:
            if error.reason is not Reason.SESSION_TAKEN:
                raise
            self._on_lost()
            raise no_such_conversation() from error
        self._on_stored(stored)
        return stored

    async def find(self, handle: str) -> Conversation | None:
        """See `Archive`."""
        record = self._record
        if handle != record.session_id:
            return None
        return Conversation(
            handle=handle,
            label="",
            title=record.title,
            backend=self._backend,
            created_ms=record.created_ms,
            updated_ms=record.created_ms,
            turns=await self._store.count_turns(handle),
        )

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        """See `Archive`."""
        return await self._store.newest_turns(handle, before=before, limit=limit)

    async def conversations(self, *, offset: int = 0, limit: int = 200) -> Sequence[Conversation]:
        """See `Archive`; there is one."""
        found = None if offset or not limit else await self.find(self._record.session_id)
        return () if found is None else (found,)

    async def current(self) -> str | None:
        """See `Archive`."""
        return self._record.session_id

    async def set_current(self, handle: str | None) -> None:
        """See `Archive`; a session has one conversation."""

    async def set_scenario(self, handle: str, scenario: str) -> None:
        """See `Archive`; a session has a call configuration in its place."""

    async def pending(self) -> int:
        """See `Archive`; what is owed to Agent Runtime is delivered for all sessions together."""
        return 0


def before(session_id: str) -> str:
    """Return the wire session of what was said before a session: none that there ever was."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, session_id))


async def write_before(
    store: SessionStore, record: SessionRecord, lines: Sequence[Line], at_ms: int, *, first: int = 0
) -> None:
    """Write what was said before a session began, under ids that follow from it: again, they are the same turns.

    Nothing is owed of them: whoever said them has them.

    Args:
        store: keeps them.
        record: the session.
        lines: what was said, or the next part of it.
        at_ms: Unix milliseconds at which it had been said.
        first: place of the first line among all of them.
    """
    wire_session = before(record.session_id)
    for place, line in enumerate(lines, first):
        if not line.text.strip():
            continue
        turn = Turn(
            turn_id=str(uuid.uuid5(uuid.UUID(wire_session), str(place))),
            conversation=record.session_id,
            position=-1,
            role=line.role,
            text=line.text,
            at_ms=at_ms,
            wire_session=wire_session,
        )
        await store.append_turn(turn, delivered=True)
