"""The remote sessions behind a gateway's session: made, found again after a lost answer, and followed by the next.

What they say about themselves is not what the desktop's own copies say: an account may hold both, and nobody's desktop
takes up what another person said to the gateway.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Protocol

from novadesk.errors import KnownError, Reason
from novadesk.server.gateway.state import RemoteChain
from novadesk.store.agentruntime import RemoteSession, RemoteSessions, RemoteStatus
from novadesk.store.chain import RollOver
from novadesk.store.metadata import KEY_APP, KEY_GENERATION, KEY_HANDLE, KEY_PREDECESSOR, KEY_SUCCESSOR, generation_of
from novadesk.store.pause import Clock
from novadesk.store.together import together

APP = "novadesk-gateway"
KEY_OWNER = "novadesk.owner"
KEY_CONVERSATION = "novadesk.conversation"
_CLOCKS_APART_MS = 600_000


class Keeper(Protocol):
    """Writes a chain down."""

    async def __call__(self, chain: RemoteChain) -> None:
        """Write it to the disk; raises when somebody else has it now."""
        ...


def owner_mark(owner: str) -> str:
    """Return what an owner, or a conversation, is recognised by in the account, without naming anybody."""
    return hashlib.sha256(f"novadesk:{owner}".encode()).hexdigest()


def is_owned(metadata: Mapping[str, str], owner: str) -> bool:
    """Say whether a remote session is a gateway's, and this owner's."""
    return metadata.get(KEY_APP) == APP and metadata.get(KEY_OWNER) == owner_mark(owner)


async def sessions_of(remote: RemoteSessions, owner: str, *, since_ms: int) -> list[RemoteSession]:
    """Return an owner's remote sessions made since about then, oldest first, whatever they cost to find.

    Raises:
        KnownError: from the remote side.
    """
    since_ms -= _CLOCKS_APART_MS

    async def about(session_id: str) -> RemoteSession | None:
        try:
            return await remote.session(session_id)
        except KnownError as error:
            if error.reason in (Reason.SYNC_SESSION_CLOSED, Reason.SYNC_DENIED):
                return None
            raise

    listed = [one.session_id for one in await remote.sessions() if one.created_ms >= since_ms]
    found = await together(*(about(session_id) for session_id in listed))
    ours = [one for one in found if one is not None and is_owned(one.metadata, owner)]
    return sorted(ours, key=lambda one: (one.created_ms, one.session_id))


async def forget_conversation(remote: RemoteSessions, owner: str, conversation: str, *, since_ms: int) -> None:
    """Delete what an owner's conversation, begun at about `since_ms`, has left there, whoever wrote it.

    Raises:
        KnownError: from the remote side; what is left is found by the next call.
    """
    mark = owner_mark(conversation)
    for one in await sessions_of(remote, owner, since_ms=since_ms):
        if one.metadata.get(KEY_CONVERSATION) == mark:
            await remote.delete(one.session_id)


class ChainMaker:
    """Finds or makes the remote session that takes the next step.

    The chain says what is intended before CreateSession is called, because that call has no token to recognise a
    repetition: an intention that met no answer is looked up by what the session says about itself.

    Args:
        remote: the remote session store.
        clock: Unix milliseconds.
        roll_over: when a successor is begun.
    """

    def __init__(self, remote: RemoteSessions, clock: Clock, roll_over: RollOver) -> None:
        self._remote = remote
        self._clock = clock
        self._roll_over = roll_over

    async def ready(self, chain: RemoteChain, keep: Keeper) -> RemoteChain:
        """Return a chain whose newest session exists and has room.

        Raises:
            KnownError: the remote side, or what `keep` raises.
        """
        if chain.bedrock_session_id:
            old = self._clock.unix_ms() - chain.begun_ms >= self._roll_over.max_age_ms
            if chain.steps < self._roll_over.max_steps and not old:
                return chain
            chain = following(chain)
        found = await self._intended(chain) if chain.begun_ms else None
        if found is None:
            chain = dataclasses.replace(chain, begun_ms=self._clock.unix_ms())
            await keep(chain)
            found = (await self._remote.create(_metadata(chain))).session_id
        if chain.predecessor:
            await self._point(chain.predecessor, found)
        chain = dataclasses.replace(chain, bedrock_session_id=found)
        await keep(chain)
        return chain

    async def status(self, session_id: str) -> RemoteStatus | None:
        """Return the state of a remote session, None when the service has it no more."""
        try:
            return (await self._remote.session(session_id)).status
        except KnownError as error:
            if error.reason is Reason.SYNC_SESSION_CLOSED:
                return None
            raise

    async def _intended(self, chain: RemoteChain) -> str | None:
        """Return the session that was made though its answer was lost."""
        found = await sessions_of(self._remote, chain.owner, since_ms=chain.begun_ms)
        ours = [
            one
            for one in found
            if one.status is RemoteStatus.ACTIVE
            and one.metadata.get(KEY_HANDLE) == chain.session_id
            and generation_of(one.metadata) == chain.number
        ]
        return ours[0].session_id if ours else None

    async def _point(self, predecessor: str, successor: str) -> None:
        """Tell readers of the session before where it goes on, unless that one takes no changes or is gone."""
        try:
            metadata = (await self._remote.session(predecessor)).metadata
            await self._remote.update(predecessor, {**metadata, KEY_SUCCESSOR: successor})
        except KnownError as error:
            if error.reason not in (Reason.SYNC_CONFLICT, Reason.SYNC_SESSION_CLOSED):
                raise


def following(chain: RemoteChain) -> RemoteChain:
    """Return a chain whose newest session is only wished for."""
    return dataclasses.replace(
        chain,
        number=chain.number + 1,
        predecessor=chain.bedrock_session_id,
        bedrock_session_id="",
        begun_ms=0,
        steps=0,
    )


def _metadata(chain: RemoteChain) -> dict[str, str]:
    metadata = {
        KEY_APP: APP,
        KEY_OWNER: owner_mark(chain.owner),
        KEY_HANDLE: chain.session_id,
        KEY_GENERATION: str(chain.number),
    }
    if chain.conversation:
        metadata[KEY_CONVERSATION] = owner_mark(chain.conversation)
    return metadata | ({KEY_PREDECESSOR: chain.predecessor} if chain.predecessor else {})
