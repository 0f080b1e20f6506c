"""One WebSocket to the gateway: messages in and out, and every failure with its cause.

Importing this module takes a while, for aiohttp: do it on a worker thread. Nothing else of `transport` names aiohttp.
"""

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError
from novadesk.protocol.envelope import (
    AudioFrame,
    ClientMessage,
    Malformed,
    ServerMessage,
    decode_server,
    encode,
    pack_audio,
    unpack_audio,
)
from novadesk.protocol.envelope_values import MAX_MESSAGE_BYTES
from novadesk.transport import webway
from novadesk.transport.endpoint import Endpoint
from novadesk.transport.gateway_failures import unwelcome
from novadesk.transport.gateway_talk import Gone
from novadesk.transport.proxy import Proxy
from novadesk.transport.trust import Trust

PROTOCOL = "novadesk.v1"
_NAMES_S = 60.0
_CLOSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the gateway is, and the way to it."""

    url: str
    endpoint: Endpoint
    trust: Trust | None = None
    proxy: Proxy | None = None


type Heard = ServerMessage | AudioFrame | Malformed | Gone


class Channel:
    """An open WebSocket. Only `open` makes it.

    Attributes:
        heard_at: when the gateway's last sign of life came, on the loop's clock.
    """

    def __init__(self, session: aiohttp.ClientSession, opened: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._socket = opened
        self.heard_at = asyncio.get_running_loop().time()

    @classmethod
    async def open(cls, address: Address, token: str, *, deadline_s: float) -> "Channel":
        """Connect.

        Raises:
            KnownError: why that did not come about.
        """
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_Resolver(), force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=deadline_s),
            trust_env=False,
        )
        try:
            async with asyncio.timeout(deadline_s):
                made = await session.ws_connect(
                    address.url,
                    headers={"Authorization": f"Bearer {token}"},
                    protocols=(PROTOCOL,),
                    max_msg_size=MAX_MESSAGE_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                    compress=0,
                    **webway.arguments(address.trust, address.proxy),
                )
        except BaseException as error:
            await session.close()
            if (known := _known(error, address)) is not None:
                raise known from error
            raise
        return cls(session, made)

    async def send(self, message: ClientMessage) -> bool:
        """Send a message; return False where the connection is over."""
        return await self._give(self._socket.send_str, encode(message))

    async def send_audio(self, sequence: int, pcm: bytes) -> bool:
        """Send a microphone frame; return False where the connection is over."""
        return await self._give(self._socket.send_bytes, pack_audio(sequence, pcm))

    async def receive(self) -> Heard:
        """Return the next message; `Gone` again and again once the connection is over."""
        message = await self._socket.receive()
        self.heard_at = asyncio.get_running_loop().time()
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                return decode_server(message.data)
            case aiohttp.WSMsgType.BINARY:
                return unpack_audio(message.data)
            case _:
                code = self._socket.close_code
                return Gone(None if code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE else code)

    async def close(self) -> None:
        """Say goodbye where that still can be, within `_CLOSE_S`, and drop the connection. Never raises."""
        try:
            async with asyncio.timeout(2 * _CLOSE_S):
                await self._socket.close()
        except (TimeoutError, aiohttp.ClientError, OSError):
            pass
        finally:
            await self._session.close()

    async def _give(self, send: Any, data: str | bytes) -> bool:
        try:
            await send(data)
        except (aiohttp.ClientError, OSError):
            return False
        return True


class _Resolver(AbstractResolver):
    """Looks names up on a daemon thread: a stuck look-up does not hold up the end of the program."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host, of every family."""
        del family
        call = DaemonCall(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), name="novadesk-names")
        try:
            found = await call.result(deadline_s=_NAMES_S)
        except UnicodeError as error:
            raise OSError(str(error)) from error
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(entry[4][0]), port=port, family=entry[0], proto=0, flags=flags)
            for entry in found
        ]

    async def close(self) -> None:
        """Hold nothing that there is to close."""


def _known(error: BaseException, address: Address) -> KnownError | None:
    """Return what a failure to connect means, or None when it is none of the world's."""
    match error:
        case aiohttp.WSServerHandshakeError(status=status, headers=headers):
            return unwelcome(status, "" if headers is None else str(headers.get("Retry-After", "")))
        case aiohttp.ClientError() | OSError():
            return webway.explain(error, address.endpoint.host, address.proxy)
        case _:
            return None
