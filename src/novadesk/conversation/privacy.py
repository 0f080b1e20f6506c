"""The archive of a private conversation: memory only, gone with the object. Fits `Archive`."""

from collections.abc import Sequence
from dataclasses import replace

from novadesk.models import Conversation, SyncState, Turn, no_such_conversation


class PrivateArchive:
    """Keeps one private conversation as the disk would, and writes nothing anywhere."""

    def __init__(self) -> None:
        self._conversation: Conversation | None = None
        self._turns: list[Turn] = []

    async def create(self, conversation: Conversation) -> None:
        """Take the conversation; the same one again changes nothing."""
        if self._conversation is None:
            self._conversation = conversation

    async def append(self, turn: Turn) -> Turn:
        """Add a turn, or replace its older version when the service confirmed more of it; return it with its position.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`: the turn belongs to another conversation.
        """
        conversation = self._conversation
        if conversation is None or conversation.handle != turn.conversation:
            raise no_such_conversation()
        for position, older in enumerate(self._turns):
            if older.turn_id == turn.turn_id:
                if not turn.unconfirmed:
                    self._turns[position] = replace(turn, position=position, at_ms=older.at_ms, sync=SyncState.LOCAL)
                return self._turns[position]
        stored = replace(turn, position=len(self._turns), sync=SyncState.LOCAL)
        self._turns.append(stored)
        self._conversation = replace(
            conversation, turns=len(self._turns), updated_ms=max(conversation.updated_ms, turn.at_ms)
        )
        return stored

    async def find(self, handle: str) -> Conversation | None:
        """Return the conversation when it is the one kept here, or None."""
        conversation = self._conversation
        return conversation if conversation is not None and conversation.handle == handle else None

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        """Return up to `limit` turns below position `before` (None: the newest), in order."""
        if await self.find(handle) is None or limit <= 0:
            return ()
        return tuple(self._turns[:before][-limit:])

    async def conversations(self, *, offset: int = 0, limit: int = 200) -> Sequence[Conversation]:
        """Return nothing: a private conversation is in no list."""
        del offset, limit
        return ()

    async def current(self) -> str | None:
        """Return None: a private conversation is never resumed by the next start."""
        return None

    async def set_current(self, handle: str | None) -> None:
        """Remember nothing."""
        del handle

    async def pending(self) -> int:
        """Return 0: nothing of it is on its way anywhere."""
        return 0
