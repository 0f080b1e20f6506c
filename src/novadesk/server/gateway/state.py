"""What gateways know of their sessions and still owe to the remote session store, behind one port.

Every process of a gateway sees the same state, and none keeps any that matters to itself: a session outlives the
process that serves it. One contract suite holds every store to what is written here.
"""

import dataclasses
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypedDict, Unpack

from novadesk.errors import KnownError, Reason
from novadesk.models import SyncState, Turn

KEEP_TURNS_S = 30 * 86_400
"""How long a turn is kept here at least, delivered or not. The lasting copy is that of Agent Runtime."""

_RETRY_S = 1.0


class SessionStatus(Enum):
    """Where a session stands. One that is over is not there any more."""

    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A live session.

    Attributes:
        session_id: as `models.make_handle` makes it.
        owner: subject of the token that made it.
        secret_hash: of the resume secret.
        request_id: the client's own id of its wish for this session, or empty.
        generation: counts the connections that have held it; 1 is the first.
        connection: id of the connection that holds it, empty while none does.
        gateway: who serves it: a process, under another name each time that it takes the session up anew. Nobody else
            writes its turns.
        last_activity_ms: Unix milliseconds of the client's last sign of life.
        expires_at_s: Unix seconds from which on the session does not exist.
        configuration: JSON text.
        revision: of the configuration.
        bedrock_session_id: remote session as it was told to the client first, or empty; it may have successors.
        last_audio: sequence number of the newest microphone frame that was taken.
        conversation: the client's own name for what its sessions belong to, or empty.
        private: its turns go with it, however it ends.
    """

    session_id: str = field(repr=False)
    owner: str = field(repr=False)
    secret_hash: str = field(repr=False)
    request_id: str = field(default="", repr=False)
    generation: int = 1
    connection: str = field(default="", repr=False)
    gateway: str = ""
    status: SessionStatus = SessionStatus.ACTIVE
    created_ms: int
    last_activity_ms: int
    expires_at_s: int
    configuration: str = field(default="{}", repr=False)
    revision: int = 0
    bedrock_session_id: str = field(default="", repr=False)
    language: str = ""
    quality_tier: str = ""
    title: str = field(default="", repr=False)
    last_audio: int = 0
    conversation: str = field(default="", repr=False)
    private: bool = False


class SessionFields(TypedDict, total=False):
    """What the holder of a session may change."""

    secret_hash: str
    status: SessionStatus
    configuration: str
    revision: int
    bedrock_session_id: str
    language: str
    quality_tier: str
    title: str
    last_audio: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many sessions may be alive at once: of one owner, and of all."""

    per_owner: int
    in_all: int


class Scope(Enum):
    """Whose sessions a limit counts."""

    OWNER = "owner"
    ALL = "all"


class TooMany(Exception):
    """A limit of sessions is reached.

    Attributes:
        scope: which limit.
        limit: its number.
    """

    def __init__(self, scope: Scope, limit: int) -> None:
        super().__init__(f"maximum concurrent sessions ({limit}) reached")
        self.scope = scope
        self.limit = limit


class StoreBusy(KnownError):
    """The store takes no more for now.

    Attributes:
        retry_after_s: when it is worth asking again.
    """

    def __init__(self, retry_after_s: float = _RETRY_S) -> None:
        super().__init__(Reason.THROTTLED, "The gateway's session store is busy.", "Try again in a moment.")
        self.retry_after_s = retry_after_s


def taken_elsewhere() -> KnownError:
    """Return that somebody else serves the session by now."""
    return KnownError(Reason.SESSION_TAKEN, "Another gateway process has this session.", "Go on there.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTurn:
    """A turn that Agent Runtime does not have yet.

    Attributes:
        revision: version of its content; the first is 0.
    """

    turn: Turn
    revision: int

    @property
    def step_id(self) -> str:
        """Return the id of its remote step: the turn's own, and for a later version one that follows from both."""
        if not self.revision:
            return self.turn.turn_id
        return str(uuid.uuid5(uuid.UUID(self.turn.turn_id), str(self.revision)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteChain:
    """The remote sessions behind a session, of which the newest takes the next step.

    Attributes:
        owner: of the session; it says who may read the remote copy.
        number: place of the newest one in the chain.
        bedrock_session_id: the newest one, empty while it is wished for only.
        predecessor: the one before it, or empty.
        begun_ms: Unix milliseconds at which the newest one was made.
        steps: steps it is known to have.
        last_step_ms: Unix milliseconds of the newest of them.
        conversation: as the session has it.
    """

    session_id: str = field(repr=False)
    owner: str = field(repr=False)
    number: int = 0
    bedrock_session_id: str = field(default="", repr=False)
    predecessor: str = field(default="", repr=False)
    begun_ms: int = 0
    steps: int = 0
    last_step_ms: int = 0
    conversation: str = field(default="", repr=False)


def follows(turn: Turn, position: int, last_ms: int, sync: SyncState) -> Turn:
    """Return a new turn as it is stored at `position` behind one of `last_ms`: clocks go back, and they differ."""
    at_ms = max(turn.at_ms, last_ms + 1) if position else turn.at_ms
    return dataclasses.replace(turn, position=position, at_ms=at_ms, sync=sync)


def renewed(turn: Turn, stored: Turn, sync: SyncState) -> Turn:
    """Return the stored turn with what `turn` knows better."""
    return dataclasses.replace(
        stored,
        text=turn.text,
        heard_chars=turn.heard_chars,
        interrupted=turn.interrupted,
        typed=turn.typed,
        voice=turn.voice,
        tools=turn.tools,
        unconfirmed=turn.unconfirmed,
        sync=sync,
    )


class SessionStore(Protocol):
    """Sessions, their turns and what is owed of them, shared by every process of a gateway.

    Each method is one transaction, on disk when it returns (`touch` may be lost with the machine's power), and safe to
    repeat. A session is alive until it is removed or its `expires_at_s` has come; what is not alive is treated as never
    having been, whether or not it is still stored. Every method may raise `KnownError` for a fault of the store, which
    is a `StoreBusy` when it only asks to wait; then nothing was written, or a repetition finds it written.
    """

    async def create(self, record: SessionRecord, *, limits: Limits) -> SessionRecord:
        """Add a session, alive from `created_ms` on, and return it as it is stored.

        When its owner has a live session of the same `request_id` (unless that is empty), that one is returned and
        nothing changes: the caller sees it by the session's id. However many ask at once, the limits are kept.

        Raises:
            TooMany: a limit is reached.
        """
        ...

    async def find(self, session_id: str, *, now_s: float) -> SessionRecord | None:
        """Return a live session. Whose it is, is for the caller to check."""
        ...

    async def find_by_remote(self, owner: str, bedrock_session_id: str, *, now_s: float) -> SessionRecord | None:
        """Return the owner's newest live session that has this remote session."""
        ...

    async def list_of(self, owner: str, *, now_s: float) -> Sequence[SessionRecord]:
        """Return all live sessions of an owner, oldest first."""
        ...

    async def count(self, *, now_s: float) -> int:
        """Return how many sessions are alive."""
        ...

    async def take_over(
        self, session_id: str, *, generation: int, connection: str, gateway: str, now_ms: int, expires_at_s: int
    ) -> SessionRecord | None:
        """Give a live session to a connection, if it is still of `generation`; it is of the next one then.

        Returns:
            The session as its new holder has it, also to the same connection again; None when it is not alive, or
            another one was first.
        """
        ...

    async def update(self, session_id: str, *, generation: int, **fields: Unpack[SessionFields]) -> bool:
        """Change a session while it is of `generation`; return whether that was so. What is over is not revived."""
        ...

    async def touch(self, session_id: str, *, generation: int, now_ms: int, expires_at_s: int) -> bool:
        """Note a sign of life, as `update` would. False: it is of another generation, or not alive."""
        ...

    async def release(self, session_id: str, *, generation: int, now_ms: int, expires_at_s: int) -> bool:
        """Let go of a live session, so that it can be taken over until `expires_at_s`.

        Returns:
            False when it is of another generation or not alive: then nothing has changed.
        """
        ...

    async def remove(self, session_id: str, *, owner: str) -> bool:
        """End a session of this owner; return whether it was there. Undelivered turns of it are still delivered."""
        ...

    async def kept_of(self, owner: str, conversation: str) -> Sequence[str]:
        """Return the sessions of an owner's conversation of which something is kept, alive or over."""
        ...

    async def forget(self, session_id: str, *, owner: str) -> bool:
        """Delete a session of this owner, alive or over, its turns, and what is owed of them.

        A turn that comes later finds that there never was such a session.

        Returns:
            Whether there was anything.
        """
        ...

    async def sweep(self, *, now_s: float) -> int:
        """Forget sessions that are not alive, and the turns of those whose last one is older than `KEEP_TURNS_S`.

        Returns:
            How many sessions this call has forgotten.
        """
        ...

    async def append_turn(self, turn: Turn, *, gateway: str | None = None, delivered: bool = False) -> Turn:
        """Add a turn to the session `turn.conversation`, be it alive or over; return it as stored.

        It gets the next position (from 0 on, without gaps) and a time later than that of the turn before. One whose id
        is there already replaces its older version, in its place, as `Turn.replaces` has it.

        Args:
            turn: position and sync are given by the store.
            gateway: who writes it, see `SessionRecord.gateway`; None writes whoever serves the session.
            delivered: Agent Runtime has it, so that nothing is owed.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` when there never was such a session; `SESSION_TAKEN` when another
                gateway serves it, from its take-over until it is over: what that one has read is all there was.
        """
        ...

    async def turns(self, session_id: str, *, after: int = -1, limit: int = 200) -> Sequence[Turn]:
        """Return up to `limit` turns behind position `after`, in order."""
        ...

    async def newest_turns(self, session_id: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        """Return the newest `limit` turns below position `before` (None: of all), in order."""
        ...

    async def count_turns(self, session_id: str) -> int:
        """Return how many turns a session has had."""
        ...

    async def waiting(self, *, limit: int = 100) -> Sequence[str]:
        """Return sessions that have undelivered turns. One may be listed a little longer than it has."""
        ...

    async def undelivered(self, session_id: str, *, limit: int = 100) -> Sequence[PendingTurn]:
        """Return undelivered turns of a session, in order."""
        ...

    async def mark_delivered(
        self, session_id: str, turn_id: str, *, revision: int, sync: SyncState = SyncState.SYNCED
    ) -> bool:
        """Note that a version of a turn was delivered, or with `FAILED` that it is refused for good.

        Returns:
            False when there is a newer version, which stays undelivered; or nothing was owed.
        """
        ...

    async def redeliver(self, session_id: str) -> int:
        """Owe all turns of a session again, because the remote copy is lost; return how many.

        A store may do it in several transactions: then it is the caller who repeats it after an error.
        """
        ...

    async def lease_chain(self, session_id: str, *, holder: str, now_ms: int, until_ms: int) -> RemoteChain | None:
        """Return a session's chain to the only one who may deliver until `until_ms`; again to the same holder.

        Returns:
            None when another holder's time has not run out, or there never was such a session.
        """
        ...

    async def save_chain(self, chain: RemoteChain, *, holder: str) -> bool:
        """Write a chain back while `holder` has it; return whether that was so."""
        ...

    async def free_chain(self, session_id: str, *, holder: str) -> None:
        """Give a chain back before the time, so that another one may have it."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of everything. Idempotent."""
        ...
