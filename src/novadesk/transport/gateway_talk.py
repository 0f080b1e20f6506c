"""What links to a gateway share: the session that outlives each of them, and where its key is kept."""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from novadesk.protocol.envelope_numbers import Received, SentFrames
from novadesk.protocol.envelope_talk import Carried
from novadesk.protocol.envelope_turns import WrittenTurns


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What a session of the gateway is resumed with."""

    session_id: str = field(repr=False)
    resume_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Gone:
    """A connection is over; nothing follows. The code is that of the WebSocket, None without a goodbye."""

    code: int | None


class Keys(Protocol):
    """Where the keys of gateway sessions are kept, by the handle of the conversation. No call raises."""

    async def find(self, handle: str) -> SessionKey | None:
        """Return the key of a conversation's session, or None."""
        ...

    async def note(self, handle: str) -> None:
        """Remember that the gateway has a copy of a conversation, which is to go with it."""
        ...

    async def keep(self, handle: str, key: SessionKey) -> None:
        """Keep a key, in the place of an older one."""
        ...

    async def drop(self, handle: str) -> None:
        """Forget a key: its session is over."""
        ...


class Talk:
    """One session of the gateway as this program knows it, across links.

    Args:
        handle: of the conversation that it belongs to; None when nobody will come back to it.
        kept: its key outlives the program.
        named: the gateway is told the handle, to delete by it what it has of the conversation.

    Attributes:
        held: a link carries it now.
        begun: what a wire session begins with has been told, so that another one can go on with it.
        request_id: names the wish for the session: said twice, it gives one session.
        voiceless: the gateway has lost the voice service, and has not said that it is back.
    """

    def __init__(self, handle: str | None, *, kept: bool, named: bool) -> None:
        self.handle = handle
        self.kept, self.named = kept, named
        self.key: SessionKey | None
        self.held = False
        self.forget()

    def forget(self) -> None:
        """Begin with a session that has not been made yet."""
        self.key = None
        self.begun = self.voiceless = False
        self.request_id = str(uuid4())
        self.sent = SentFrames()
        self.received = Received()
        self.carried = Carried()
        self.turns = WrittenTurns()
