"""The way through an HTTP proxy: HTTPS_PROXY and NO_PROXY, and the CONNECT request."""

import asyncio
import base64
import ipaddress
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from novadesk.errors import KnownError, Reason
from novadesk.text import Text
from novadesk.transport.endpoint import Endpoint, is_loopback

_MAX_ANSWER_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy; `authorization` is the value of its header, or empty."""

    host: str
    port: int
    tls: bool
    authorization: str = field(default="", repr=False)


def find_proxy(endpoint: Endpoint, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that leads to `endpoint`, or None for a direct connection; this computer is always direct.

    Without the variables, Windows and macOS are asked for the system's own proxy.

    Raises:
        KnownError: `PROXY_REFUSED` for an address that is not an HTTP proxy.
    """
    if not endpoint.tls or is_loopback(endpoint.host) or _is_exempt(endpoint, _variable(environment, "no_proxy")):
        return None
    address = _variable(environment, "https_proxy") or _variable(environment, "all_proxy")
    if not address and sys.platform in ("win32", "darwin") and not urllib.request.proxy_bypass(endpoint.host):
        address = urllib.request.getproxies().get("https", "")
    return _parse(address) if address else None


async def open_tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, endpoint: Endpoint, proxy: Proxy
) -> None:
    """Ask the proxy for a connection to `endpoint`; nothing but that connection flows afterwards.

    Raises:
        KnownError: `PROXY_REFUSED` naming the proxy's answer.
    """
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    lines = [f"CONNECT {host}:{endpoint.port} HTTP/1.1", f"Host: {host}:{endpoint.port}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
    try:
        await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise _refused(Text("The proxy {proxy} closed the connection without an answer.", proxy=proxy.host)) from error
    except asyncio.LimitOverrunError as error:
        raise _refused(Text("The proxy {proxy} answered with something that is not HTTP.", proxy=proxy.host)) from error
    except OSError as error:
        raise _refused(Text("The proxy {proxy} broke the connection.", proxy=proxy.host)) from error
    status = _status(answer)
    if status == 407:
        raise wants_password(proxy)
    if status is None:
        raise _refused(Text("The proxy {proxy} answered with something that is not HTTP.", proxy=proxy.host))
    if not 200 <= status < 300:
        raise _refused(
            Text(
                "The proxy {proxy} does not connect to {host} (status {status}).",
                proxy=proxy.host,
                host=endpoint.host,
                status=str(status),
            )
        )


def wants_password(proxy: Proxy) -> KnownError:
    """Return the error for an answer of status 407."""
    return KnownError(
        Reason.PROXY_REFUSED,
        "The proxy {host} wants a name and password.",
        "Put them into HTTPS_PROXY as http://NAME:PASSWORD@HOST:PORT.",
        host=proxy.host,
    )


def _status(answer: bytes) -> int | None:
    words = answer.split(b"\r\n", 1)[0].split()
    if len(answer) > _MAX_ANSWER_BYTES or len(words) < 2 or not words[0].startswith(b"HTTP/1."):
        return None
    return int(words[1]) if words[1].isdigit() else None


def _parse(address: str) -> Proxy:
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https"):
        raise KnownError(
            Reason.PROXY_REFUSED,
            "The address in HTTPS_PROXY is not one of an HTTP proxy.",
            "Set it to http://HOST:PORT, or unset it.",
        )
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    tls = parts.scheme == "https"
    return Proxy(host=host, port=port or (443 if tls else 80), tls=tls, authorization=authorization)


def _is_exempt(endpoint: Endpoint, exempt: str) -> bool:
    for entry in exempt.replace(",", " ").split():
        if entry == "*":
            return True
        name, _, port = entry.partition(":") if entry.count(":") == 1 else (entry, "", "")
        if port and port != str(endpoint.port):
            continue
        if _covers(name.strip("[]").removeprefix("*").lstrip(".").lower(), endpoint.host.lower()):
            return True
    return False


def _covers(entry: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _refused(what: Text) -> KnownError:
    return KnownError(
        Reason.PROXY_REFUSED,
        what,
        "Check HTTPS_PROXY, or add the address to NO_PROXY to go directly.",
    )
