"""Connect: name, TCP, proxy, TLS; every step bounded, every failure with its cause."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from novadesk.daemon import DaemonCall
from novadesk.errors import BugError, KnownError, Reason
from novadesk.text import Text
from novadesk.transport.endpoint import Endpoint
from novadesk.transport.proxy import Proxy, open_tunnel
from novadesk.transport.trust import Trust, no_http2, refusal

# RFC 8305, section 8: how long one address is tried before the next one is tried beside it.
_NEXT_ADDRESS_S = 0.25


@dataclass(frozen=True, slots=True)
class Wire:
    """An open connection on which HTTP/2 may begin."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def drop(self, *, patience_s: float = 0.5) -> None:
        """Close the connection; cut it when the other side does not follow in time. Never raises."""
        self.writer.close()
        try:
            async with asyncio.timeout(patience_s):
                await self.writer.wait_closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self.writer.transport.abort()


async def dial(endpoint: Endpoint, *, trust: Trust | None, proxy: Proxy | None, deadline_s: float) -> Wire:
    """Return a connection to `endpoint`; encrypted ones have agreed on HTTP/2.

    Args:
        endpoint: where to.
        trust: TLS contexts, needed for an encrypted endpoint or proxy.
        proxy: the way there, or None.
        deadline_s: time for everything together.

    Raises:
        KnownError: `UNREACHABLE`, `TIMED_OUT`, `PROXY_REFUSED` or `TLS_REFUSED`.
    """
    try:
        async with asyncio.timeout(deadline_s):
            wire = await _connect(proxy.host if proxy else endpoint.host, proxy.port if proxy else endpoint.port)
            try:
                if proxy is not None:
                    if proxy.tls:
                        await _encrypt(wire, proxy.host, trust.proxy if trust else None)
                    await open_tunnel(wire.reader, wire.writer, endpoint, proxy)
                if endpoint.tls:
                    await _encrypt(wire, endpoint.host, trust.service if trust else None)
                    if wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
                        raise no_http2(endpoint.host)
            except BaseException:
                wire.writer.transport.abort()
                raise
            return wire
    except TimeoutError as error:
        raise KnownError(
            Reason.TIMED_OUT,
            "{host} did not answer within {s} seconds.",
            "Check the network; NovaDesk tries again by itself.",
            host=endpoint.host,
            s=deadline_s,
        ) from error


async def _connect(host: str, port: int) -> Wire:
    try:
        found = await DaemonCall(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), name="novadesk-names"
        ).result(deadline_s=60.0)
    except (socket.gaierror, UnicodeError) as error:
        raise unreachable(host, Text("its name is not known")) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return await _race(host, addresses, port)


async def _race(host: str, addresses: Iterable[str], port: int) -> Wire:
    """Return the first connection that comes about, each address starting a little after the one before."""
    running: set[asyncio.Task[Wire]] = set()
    waiting = list(addresses)
    won: Wire | None = None
    cause: BaseException | None = None
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_open(waiting.pop(0), port)))
            done, running = await asyncio.wait(
                running, timeout=_NEXT_ADDRESS_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                if (failure := task.exception()) is None:
                    running |= done - {task}
                    won = task.result()
                    return won
                cause = failure
    finally:
        try:
            await _abandon(running)
        except BaseException:
            if won is not None:
                won.writer.transport.abort()
            raise
    if not isinstance(cause, OSError):
        raise unreachable(host, Text("it has no address")) from cause
    raise unreachable(host, _why(cause)) from cause


async def _open(address: str, port: int) -> Wire:
    reader, writer = await asyncio.open_connection(address, port)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Wire(reader, writer)


async def _abandon(tasks: set[asyncio.Task[Wire]]) -> None:
    """Let none of these connections come about; one that does all the same is cut, also when this is cancelled."""
    for task in tasks:
        task.cancel()
        task.add_done_callback(_cut)
    if tasks:
        await asyncio.wait(tasks)


def _cut(task: asyncio.Task[Wire]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().writer.transport.abort()


async def _encrypt(wire: Wire, host: str, context: ssl.SSLContext | None) -> None:
    if context is None:
        raise BugError("an encrypted connection without trust")
    try:
        await wire.writer.start_tls(context, server_hostname=host)
    except ssl.SSLError as error:
        raise refusal(host, error) from error
    except OSError as error:
        raise unreachable(host, Text("it broke off the encrypted connection")) from error


def unreachable(host: str, why: str) -> KnownError:
    """Return the error for a host that cannot be connected to."""
    return KnownError(
        Reason.UNREACHABLE,
        "{host} cannot be reached: {why}.",
        "Check the network; NovaDesk tries again by itself.",
        host=host,
        why=why,
    )


def _why(error: OSError) -> str:
    return {
        errno.ECONNREFUSED: Text("nothing answers there"),
        errno.ENETUNREACH: Text("this computer is offline"),
        errno.EHOSTUNREACH: Text("there is no way to it"),
        errno.ETIMEDOUT: Text("it does not answer"),
    }.get(error.errno or 0, Text("the connection failed"))
