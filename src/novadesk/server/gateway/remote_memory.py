"""Agent Runtime as the memory that outlives a gateway: what was said goes there, and comes back from there."""

import asyncio
import contextlib

from novadesk.diagnostics.metrics import Meter
from novadesk.errors import KnownError
from novadesk.models import made_ms
from novadesk.server.gateway.delivery import TurnDelivery
from novadesk.server.gateway.remote_chain import forget_conversation
from novadesk.server.gateway.remote_history import HistoryReader, RemoteHistory, adopt
from novadesk.server.gateway.state import SessionStore
from novadesk.server.gateway.tracing import UNTRACED, Tracer
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.pause import Clock

SETTLE_S = 2.0
_LOOK_AGAIN_S = 0.05
_DAY_MS = 86_400_000


class AgentRuntimeMemory:
    """One process's part of it. Start it with the gateway; stop it after the last session.

    Args:
        store: sessions, their turns, and what is owed of them.
        remote: the remote session store; whoever made it closes it.
        clock: monotonic seconds and Unix milliseconds.
        gateway: name of this process, which nobody else has.
        meter: takes measurements.
        tracer: makes spans.
    """

    def __init__(
        self,
        store: SessionStore,
        remote: RemoteSessions,
        clock: Clock,
        *,
        gateway: str,
        meter: Meter | None = None,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._store = store
        self._remote = remote
        self._clock = clock
        self._gateway = gateway
        self._reader = HistoryReader(remote, clock, meter=meter)
        self.delivery = TurnDelivery(store, remote, clock, gateway=gateway, meter=meter, tracer=tracer)

    def start(self) -> None:
        """Deliver what is owed, also by processes that are gone, from now on."""
        self.delivery.start()

    async def stop(self) -> None:
        """Leave the rest to the next process. Idempotent."""
        await self.delivery.stop()

    def kick(self) -> None:
        """Say that a turn was kept."""
        self.delivery.kick()

    async def begin(self, session_id: str) -> str:
        """Return the remote session of a session, made when there is none yet.

        Raises:
            KnownError: it cannot be had now.
        """
        return await self.delivery.begin(session_id)

    async def recall(self, owner: str, bedrock_session_id: str) -> RemoteHistory:
        """Return what was said before.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` when this owner has none there that can go on; otherwise what is wrong.
        """
        return await self._reader.load(owner, bedrock_session_id)

    async def adopt(self, session_id: str, history: RemoteHistory) -> None:
        """Give a session that was just created what was said before, and let it go on in the same remote session.

        Raises:
            KnownError: a fault of the store.
        """
        holder = f"{self._gateway}:recall:{session_id}"
        await adopt(self._store, session_id, history, holder=holder, now_ms=self._clock.unix_ms())

    async def forget(self, owner: str, conversation: str) -> None:
        """Delete what an owner's conversation has left there.

        Raises:
            KnownError: that cannot be done now; what is left is found by the next call.
        """
        await forget_conversation(self._remote, owner, conversation, since_ms=max(0, made_ms(conversation) - _DAY_MS))

    async def settle(self, session_id: str) -> None:
        """Bring what a session that is over still owes there, within a moment; what fails comes later."""
        with contextlib.suppress(KnownError, TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while True:
                    if await self.delivery.flush(session_id):
                        break
                    await asyncio.sleep(_LOOK_AGAIN_S)  # the task has it at hand
        self.kick()
