"""What a gateway needs of the remote copy of conversations, which outlives all of its processes."""

from typing import Protocol

from novadesk.server.gateway.remote_history import RemoteHistory


class RemoteMemory(Protocol):
    """Agent Runtime, as sessions see it."""

    async def begin(self, session_id: str) -> str:
        """Return the remote session of a session, made when there is none yet.

        Raises:
            KnownError: it cannot be had now.
        """
        ...

    async def recall(self, owner: str, bedrock_session_id: str) -> RemoteHistory:
        """Return what was said before.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` when this owner has none there that can go on; otherwise what is wrong.
        """
        ...

    async def adopt(self, session_id: str, history: RemoteHistory) -> None:
        """Give a session that was just created what was said before, and let it go on in the same remote session.

        Raises:
            KnownError: a fault of the store.
        """
        ...

    async def forget(self, owner: str, conversation: str) -> None:
        """Delete what an owner's conversation has left there.

        Raises:
            KnownError: that cannot be done now; what is left is found by the next call.
        """
        ...

    async def settle(self, session_id: str) -> None:
        """Bring what a session that is over still owes there, within a moment; what fails comes later."""
        ...
