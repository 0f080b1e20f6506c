"""Small HTTP questions beside the conversation: through the proxy, by the system's trust, in full or not at all.

A redirection is never followed here: whoever asks judges where it leads.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from novadesk.daemon import DaemonCall
from novadesk.transport.endpoint import Endpoint, is_loopback
from novadesk.transport.proxy import find_proxy
from novadesk.transport.trust import Trust, make_trust

if TYPE_CHECKING:
    import aiohttp

_LOAD_S = 20.0
_HOST = re.compile(r"[0-9A-Za-z._:-]+")


class TooMuch(Exception):
    """The answer is longer than one can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, body, and where a redirection leads, or an empty text."""

    status: int
    body: bytes
    location: str = ""


class Https:
    """Asks, one question at a time or several.

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

    async def ask(
        self,
        method: str,
        address: str,
        endpoint: Endpoint,
        *,
        headers: Mapping[str, str],
        most_bytes: int,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer, whatever its status.

        Args:
            method: of HTTP.
            address: what to ask for.
            endpoint: where that is, as `find_endpoint` says.
            headers: of the question.
            most_bytes: longest body.
            form: is sent.

        Raises:
            KnownError: `UNREACHABLE`, `TIMED_OUT`, `TLS_REFUSED` or `PROXY_REFUSED`.
            TooMuch: the body is longer.
        """
        # It takes a while to load: not on the core's loop.
        load = DaemonCall(lambda: import_module("novadesk.transport.webway"), name="novadesk-imports")
        await load.result(deadline_s=_LOAD_S)
        import aiohttp

        from novadesk.transport import webway

        proxy = find_proxy(endpoint, self._environment)
        way = webway.arguments(await self._trusted(), proxy) if endpoint.tls else {}
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.request(
                    method, address, data=form, allow_redirects=False, headers=dict(headers), **way
                ) as answer,
            ):
                body = await _read_bounded(answer.content, most_bytes)
                return Answer(status=answer.status, body=body, location=answer.headers.get("Location", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise webway.explain(error, endpoint.host, proxy) from error

    async def _trusted(self) -> Trust:
        if self._trust is None:
            bundle = self._ca_bundle
            self._trust = await DaemonCall(lambda: make_trust(bundle), name="novadesk-trust").result(deadline_s=_LOAD_S)
        return self._trust


def find_endpoint(address: str) -> Endpoint | None:
    """Return where an https address leads, or an http address of this computer; None for anything else."""
    try:
        parts = urlsplit(address)
        host, port, tls = parts.hostname or "", parts.port, parts.scheme == "https"
    except ValueError:
        return None
    if not _HOST.fullmatch(host) or "@" in parts.netloc or not (tls or (parts.scheme == "http" and is_loopback(host))):
        return None
    return Endpoint(host=host, port=port or (443 if tls else 80), tls=tls)


async def _read_bounded(stream: "aiohttp.StreamReader", most_bytes: int) -> bytes:
    body = bytearray()
    async for piece in stream.iter_chunked(16_384):
        body += piece
        if len(body) > most_bytes:
            raise TooMuch
    return bytes(body)
