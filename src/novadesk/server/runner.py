"""The local server as a whole: Bedrock Runtime over HTTP/2 with and without TLS, Agent Runtime over HTTP."""

import asyncio
import contextlib
import errno
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from aiohttp import web

from novadesk.errors import BugError, KnownError, Reason
from novadesk.protocol.limits import DEFAULT, Limits
from novadesk.server.address import FolderLock, ServerAddress, find_server, publish, withdraw
from novadesk.server.agentruntime import AgentRuntime
from novadesk.server.apiguard import fault_guard, signature_guard
from novadesk.server.call import PartnerFactory
from novadesk.server.certificate import ensure_certificate
from novadesk.server.credentials import load_access_key
from novadesk.server.faults import FaultPlan
from novadesk.server.http2 import Http2Server
from novadesk.server.signature import AccessKey
from novadesk.server.sonic import SESSIONS, SonicService, utc_now
from novadesk.server.stopsignals import stop_signals

__all__ = ["LocalServer", "ServerAddress", "ServerOptions", "find_server", "serve"]

if TYPE_CHECKING:
    from novadesk.server.gateway.local import LocalGateway

_LOG = logging.getLogger(__name__)
_STOP_S = 1.5
_API_GRACE_S = 0.2
_LAST_PORT = 65_532
_LOCK_ATTEMPTS = 3
_LOCK_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the local server runs.

    Attributes:
        folder: keys, certificates, the session store and the address file; one process per folder.
        host: address to listen on; loopback unless someone decides otherwise.
        port: of Bedrock Runtime without TLS; the one with TLS takes `port + 1`, Agent Runtime `port + 2`.
            0 lets the system choose all three.
        names: further host names for the certificate.
        region: the only region that requests may be signed for.
        limits: timers and sizes of a voice stream.
        sessions: voice streams at once.
        persona: script that takes the practice partner's place: exact events with delays; None for the partner.
        llm: base URL of a local OpenAI-compatible endpoint, or empty.
        llm_model: model name for that endpoint.
        until_stdin_closes: `serve` also ends when its standard input does.
        gateway: folder of a gateway beside it, for this computer only, at `port + 3`; None without one.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    names: tuple[str, ...] = ()
    region: str = "us-east-1"
    limits: Limits = DEFAULT
    sessions: int = SESSIONS
    persona: Path | None = None
    llm: str = ""
    llm_model: str = ""
    until_stdin_closes: bool = False
    gateway: Path | None = None
    wall_clock: Callable[[], datetime] = field(default=utc_now, repr=False)


class LocalServer:
    """The local server inside the running event loop.

    Args:
        options: how it runs.
        partner: makes the partner of each call; None takes the practice partner of the options.
    """

    def __init__(self, options: ServerOptions, partner: PartnerFactory | None = None) -> None:
        self.faults = FaultPlan()
        self._options = options
        self._partner = partner
        self._lock = FolderLock(options.folder)
        self._http2: Http2Server | None = None
        self._api: web.AppRunner | None = None
        self._store: AgentRuntime | None = None
        self._sonic: SonicService | None = None
        self._gateway: LocalGateway | None = None
        self.address: ServerAddress | None = None

    @property
    def open_sessions(self) -> int:
        """Return how many voice streams are open."""
        return self._sonic.open_sessions if self._sonic is not None else 0

    async def start(self) -> ServerAddress:
        """Listen and publish the address.

        Raises:
            KnownError: `ALREADY_RUNNING`, `PORT_TAKEN`, `BAD_INPUT`, `PRACTICE_FAILED` or `PRACTICE_PARTS_MISSING`.
        """
        if self.address is not None:
            raise BugError("the local server runs already")
        options = self._options
        if not 0 <= options.port <= _LAST_PORT:
            raise KnownError(
                Reason.BAD_INPUT,
                f"Port {options.port} leaves no room for those that follow it.",
                f"Choose one from 1 to {_LAST_PORT}, or 0 for any free ones.",
            )
        options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._take_folder()
        try:
            self.address = await self._listen()
            if options.gateway is not None:
                self.address = await self._listen_gateway(options.gateway, self.address)
            publish(options.folder, self.address)
        except BaseException:
            await self.stop()
            raise
        return self.address

    async def stop(self) -> None:
        """Drop every stream and stop listening, within 2 s. Idempotent."""
        if self.address is not None:
            withdraw(self._options.folder)
        self.address = None
        http2, self._http2 = self._http2, None
        api, self._api = self._api, None
        store, self._store = self._store, None
        gateway, self._gateway = self._gateway, None
        try:
            async with asyncio.timeout(_STOP_S):
                if gateway is not None:
                    await gateway.stop()
                closings = [http2.close()] if http2 is not None else []
                if api is not None:
                    closings.append(api.cleanup())
                await asyncio.gather(*closings)
        except TimeoutError:
            _LOG.error("the local server took too long to stop")
        if store is not None:
            store.close()
        self._lock.release()

    async def _take_folder(self) -> None:
        # Whoever asks for the running server tries the lock for a moment.
        for _ in range(_LOCK_ATTEMPTS):
            if self._lock.try_take():
                return
            await asyncio.sleep(_LOCK_PAUSE_S)
        self._lock.take()

    async def _listen(self) -> ServerAddress:
        options = self._options
        key = load_access_key(options.folder)
        keys = {key.access_key_id: key}
        files = ensure_certificate(options.folder, options.names, options.wall_clock())
        self._sonic = SonicService(
            keys=keys,
            region=options.region,
            partner=self._partner or _practice_partner(options),
            limits=options.limits,
            faults=self.faults,
            sessions=options.sessions,
            wall_clock=options.wall_clock,
        )
        self._http2 = http2 = Http2Server(self._sonic.handle)
        ports = [options.port + step if options.port else 0 for step in range(3)]
        plain = await _bind(http2.listen(options.host, ports[0]), ports[0])
        tls = await _bind(http2.listen(options.host, ports[1], files.server_context()), ports[1])
        api = await _bind(self._listen_api(keys, ports[2]), ports[2])
        host = f"[{options.host}]" if ":" in options.host else options.host
        return ServerAddress(
            bedrock=f"http://{host}:{plain}",
            bedrock_tls=f"https://{host}:{tls}",
            ca_file=str(files.ca.absolute()),
            agent_runtime=f"http://{host}:{api}",
            gateway=None,
            region=options.region,
            access_key_id=key.access_key_id,
            secret_access_key=key.secret_access_key,
            pid=os.getpid(),
        )

    async def _listen_gateway(self, folder: Path, address: ServerAddress) -> ServerAddress:
        from novadesk.server.gateway.local import LocalGateway  # loaded where there is one only

        self._gateway = LocalGateway(folder, address)
        port = self._options.port and self._options.port + 3
        return replace(address, gateway=await _bind(self._gateway.start(port), port))

    async def _listen_api(self, keys: Mapping[str, AccessKey], port: int) -> int:
        options = self._options
        self._store = AgentRuntime(options.folder / "sessions.db", options.region)
        guards = (
            signature_guard(keys, options.region, options.wall_clock),
            fault_guard(self.faults, self._store.close_all),
        )
        application = self._store.application(guards)
        self._api = web.AppRunner(application, access_log=None, shutdown_timeout=_API_GRACE_S, handle_signals=False)
        await self._api.setup()
        await web.TCPSite(self._api, options.host, port).start()
        return int(self._api.addresses[0][1])


async def serve(options: ServerOptions, partner: PartnerFactory | None = None, output: TextIO = sys.stdout) -> None:
    """Serve until SIGTERM or SIGINT (or the end of standard input); the first line of `output` is the address.

    Raises:
        KnownError: the server cannot start.
    """
    server = LocalServer(options, partner)
    over = asyncio.Event()
    address = await server.start()
    try:
        with stop_signals(over):
            if options.until_stdin_closes:
                _watch_stdin(over)
            print(address.to_json(), file=output, flush=True)
            await over.wait()
    finally:
        await server.stop()


def _practice_partner(options: ServerOptions) -> PartnerFactory:
    from novadesk.server.partner import make_partner  # speech parts are loaded only where they are used

    return make_partner(options)


async def _bind[T](listening: Awaitable[T], port: int) -> T:
    try:
        return await listening
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            what = f"Port {port} is in use by another program."
            advice = "Choose another one with --port, or --port 0 for any free one."
        else:
            what = f"The local server cannot listen on port {port}."
            advice = "Choose another host or port; --port 0 takes any free one."
        raise KnownError(Reason.PORT_TAKEN, what, advice) from error


def _watch_stdin(over: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def wait() -> None:
        # The bare descriptor: a reader blocked inside `sys.stdin` would hold its lock at the interpreter's end.
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(over.set)

    threading.Thread(target=wait, name="stdin", daemon=True).start()
