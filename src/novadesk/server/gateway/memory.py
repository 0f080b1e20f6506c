"""What a gateway needs of the remote copy of conversations, which outlives all of its processes."""

from typing import Protocol


class RemoteMemory(Protocol):
    """Agent Runtime, as sessions see it."""

    async def begin(self, session_id: str) -> str:
        """Return the remote session of a session, made when there is none yet.

        Raises:
            KnownError: it cannot be had now.
        """
        ...

    async def known(self, owner: str, bedrock_session_id: str) -> bool:
        """Return whether an owner has a conversation there that can go on.

        Raises:
            KnownError: that cannot be found out now.
        """
        ...

    async def recall(self, owner: str, bedrock_session_id: str, session_id: str) -> None:
        """Give a session that was just created what was said before, and let it go on in the same remote session.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` when there is none of this owner; otherwise what is wrong.
        """
        ...

    async def settle(self, session_id: str) -> None:
        """Bring what a session that is over still owes there, within a moment; what fails comes later."""
        ...
