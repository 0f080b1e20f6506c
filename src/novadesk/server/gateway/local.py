"""A gateway beside the local server: for this computer, on its practice partner, with an issuer of its own."""

import secrets
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from novadesk.config import Settings
from novadesk.server.address import ServerAddress
from novadesk.server.gateway.app import Gateway, GatewayOptions, make_runner
from novadesk.server.gateway.issuer import LocalIssuer
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.remote_memory import AgentRuntimeMemory
from novadesk.server.gateway.state_sqlite import SqliteSessions
from novadesk.server.gateway.upstream import UpstreamParts
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.remoteclient import RemoteAccess
from novadesk.transport.bedrock import PracticeLinker

_HOST = "127.0.0.1"
_END_S = 0.5


@dataclass(frozen=True, slots=True)
class _Clock:
    """The time of this computer."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def unix_ms(self) -> int:
        """Return Unix milliseconds."""
        return time.time_ns() // 1_000_000


class LocalGateway:
    """The gateway of one local server.

    Args:
        folder: state, and the keys of the issuer: `novadesk gateway token` of this folder makes tokens for it.
        address: of the local server.
    """

    def __init__(self, folder: Path, address: ServerAddress) -> None:
        self._folder, self._address = folder, address
        self._stack = AsyncExitStack()

    async def start(self, port: int) -> str:
        """Listen; return the address of the WebSocket.

        Raises:
            OSError: the port is taken.
            KnownError: the folder cannot be used.
        """
        clock, metrics, stack, name = _Clock(), GatewayMetrics(), self._stack, secrets.token_hex(8)
        store = SqliteSessions(self._folder / "sessions.db")
        stack.push_async_callback(store.close)
        remote = RemoteSessions(self._access)
        stack.push_async_callback(remote.close)
        memory = AgentRuntimeMemory(store, remote, clock, gateway=name, meter=metrics)
        stack.push_async_callback(memory.stop)
        issuer = LocalIssuer(self._folder, clock=time.time)
        stack.callback(issuer.close)
        upstream = UpstreamParts(
            linker=PracticeLinker(self._found, Settings()),
            clock=clock,
            store=store,
            local_time=lambda: datetime.now().astimezone(),
            meter=metrics,
            on_kept=memory.kick,
        )
        gateway = Gateway(
            GatewayOptions(
                upstream=upstream,
                verifier=issuer.verifier(),
                memory=memory,
                issuer=issuer,
                metrics=metrics,
                dev=True,
                name=name,
            )
        )
        runner = make_runner(gateway.application, end_s=_END_S)
        stack.push_async_callback(runner.cleanup)
        memory.start()
        await runner.setup()
        await web.TCPSite(runner, _HOST, port).start()
        return f"ws://{_HOST}:{runner.addresses[0][1]}/ws"

    async def stop(self) -> None:
        """End every session in order. Idempotent."""
        await self._stack.aclose()

    async def _found(self) -> Mapping[str, Any]:
        return asdict(self._address)

    async def _access(self) -> RemoteAccess:
        address = self._address
        return RemoteAccess(
            access_key_id=address.access_key_id,
            secret_access_key=address.secret_access_key,
            region=address.region,
            endpoint=address.agent_runtime,
        )
