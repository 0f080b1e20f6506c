"""The way to a web server in the words of aiohttp: TLS and proxy, and what a failure on it means."""

import ssl
from typing import Any

import aiohttp

from novadesk.errors import KnownError, Reason
from novadesk.text import Text
from novadesk.transport.dial import unreachable
from novadesk.transport.endpoint import Endpoint
from novadesk.transport.proxy import Proxy, wants_password
from novadesk.transport.trust import Trust, refusal


def arguments(trust: Trust | None, proxy: Proxy | None) -> dict[str, Any]:
    """Return the arguments of a request for TLS and proxy."""
    way: dict[str, Any] = {"ssl": True if trust is None else trust.proxy}
    if proxy is not None:
        way["proxy"] = Endpoint(host=proxy.host, port=proxy.port, tls=proxy.tls).uri
        if proxy.authorization:
            way["proxy_headers"] = {"Proxy-Authorization": proxy.authorization}
    return way


def explain(error: aiohttp.ClientError | OSError, host: str, proxy: Proxy | None) -> KnownError:
    """Return what a failure to reach a host means: `UNREACHABLE`, `TIMED_OUT`, `TLS_REFUSED` or `PROXY_REFUSED`."""
    match error:
        case aiohttp.ClientHttpProxyError(status=407) if proxy is not None:
            return wants_password(proxy)
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
