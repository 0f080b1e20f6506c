"""The few HTTP questions of a sign-in: small JSON documents over TLS, in full or not at all, redirected never."""

import json
import os
import re
import ssl
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError, Reason
from novadesk.text import Text
from novadesk.transport.dial import unreachable
from novadesk.transport.endpoint import Endpoint, is_loopback
from novadesk.transport.proxy import find_proxy
from novadesk.transport.trust import Trust, make_trust, refusal

if TYPE_CHECKING:
    import aiohttp

_MAX_BYTES = 256 * 1024
_LOAD_S = 20.0
_HOST = re.compile(r"[0-9A-Za-z._:-]+")
_ASK_HELP = "Ask the people who run the gateway."


class SignInHttp:
    """Asks gateway and sign-in service.

    Args:
        ca_bundle: PEM file trusted besides the system's store, or empty.
        environment: names the proxy.
        timeout_s: longest time for one question, in seconds.
    """

    def __init__(
        self, *, ca_bundle: str = "", environment: Mapping[str, str] = os.environ, timeout_s: float = 15.0
    ) -> None:
        self._ca_bundle, self._environment = ca_bundle, environment
        self._timeout_s = timeout_s
        self._trust: Trust | None = None

    async def get(self, address: str) -> tuple[int, bytes]:
        """Return status and body.

        Raises:
            KnownError: `BAD_SETTINGS` for an address that is not safe, `UNREACHABLE`, `TIMED_OUT`, `TLS_REFUSED`,
                `PROXY_REFUSED`, or `SIGN_IN_FAILED` for an answer that is too long; also from `post`.
        """
        return await self._ask("GET", address, None)

    async def post(self, address: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Return status and JSON object; one that is none is empty."""
        status, body = await self._ask("POST", address, form)
        return status, json_object(body)

    async def _ask(self, method: str, address: str, form: Mapping[str, str] | None) -> tuple[int, bytes]:
        endpoint = safe_endpoint(address)
        # It takes a while to load: not on the core's loop.
        await DaemonCall(lambda: import_module("aiohttp"), name="novadesk-imports").result(deadline_s=_LOAD_S)
        import aiohttp

        way = await self._way(endpoint)
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.request(
                    method, address, data=form, allow_redirects=False, headers={"Accept": "application/json"}, **way
                ) as answer,
            ):
                return answer.status, await _read_bounded(answer.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _known(error, endpoint.host) from error

    async def _way(self, endpoint: Endpoint) -> dict[str, Any]:
        """Return the arguments of aiohttp for TLS and proxy."""
        if not endpoint.tls:
            return {}
        if self._trust is None:
            bundle = self._ca_bundle
            self._trust = await DaemonCall(lambda: make_trust(bundle), name="novadesk-trust").result(deadline_s=_LOAD_S)
        way: dict[str, Any] = {"ssl": self._trust.proxy}
        if (proxy := find_proxy(endpoint, self._environment)) is not None:
            way["proxy"] = Endpoint(host=proxy.host, port=proxy.port, tls=proxy.tls).uri
            if proxy.authorization:
                way["proxy_headers"] = {"Proxy-Authorization": proxy.authorization}
        return way


def safe_endpoint(address: str) -> Endpoint:
    """Return where an https address leads, or an http address of this computer.

    Raises:
        KnownError: `BAD_SETTINGS` for anything else; tokens never leave the computer unencrypted.
    """
    try:
        parts = urlsplit(address)
        host, port, tls = parts.hostname or "", parts.port, parts.scheme == "https"
    except ValueError:
        host, port, tls = "", None, False
    if not _HOST.fullmatch(host) or "@" in parts.netloc or not (tls or (parts.scheme == "http" and is_loopback(host))):
        raise KnownError(
            Reason.BAD_SETTINGS, "The address of the sign-in service is not one of an encrypted server.", _ASK_HELP
        )
    return Endpoint(host=host, port=port or (443 if tls else 80), tls=tls)


def json_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object, an empty one for everything else."""
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def failed(what: str, advice: str = _ASK_HELP, **values: str) -> KnownError:
    """Return the error for a sign-in that does not work."""
    return KnownError(Reason.SIGN_IN_FAILED, what, advice, **values)


async def _read_bounded(stream: "aiohttp.StreamReader") -> bytes:
    body = bytearray()
    async for piece in stream.iter_chunked(16_384):
        body += piece
        if len(body) > _MAX_BYTES:
            raise failed(Text("The sign-in service answered with too much."))
    return bytes(body)


def _known(error: Exception, host: str) -> KnownError:
    import aiohttp

    match error:
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientProxyConnectionError():
            return KnownError(
                Reason.PROXY_REFUSED,
                "The proxy does not lead to {host}.",
                "Check HTTPS_PROXY, or add the address to NO_PROXY to go directly.",
                host=host,
            )
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLError() as cause):
            return refusal(host, cause)
        case aiohttp.ClientConnectorSSLError(os_error=ssl.SSLError() as cause):
            return refusal(host, cause)
        case aiohttp.ClientConnectorDNSError():
            return unreachable(host, Text("its name is not known"))
        case aiohttp.ClientConnectorError():
            return unreachable(host, Text("nothing answers there"))
        case TimeoutError():
            return KnownError(
                Reason.TIMED_OUT,
                "{host} did not answer in time.",
                "Check the network; NovaDesk tries again by itself.",
                host=host,
            )
        case _:
            return unreachable(host, Text("the connection failed"))
