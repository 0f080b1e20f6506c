"""Where a link leads: the parts of an endpoint's address, and which addresses are this computer."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from novadesk.errors import KnownError, Reason
from novadesk.text import Text

BEDROCK_ADVICE = Text(
    "Set AWS_ENDPOINT_URL_BEDROCK_RUNTIME or [backend] bedrock_endpoint to https://HOST, or leave it empty."
)
_HOST = re.compile(r"[0-9A-Za-z._:-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server: host, port, and whether the connection to it is encrypted."""

    host: str
    port: int
    tls: bool

    @property
    def uri(self) -> str:
        """Return the address as a URI."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme, usual = ("https", 443) if self.tls else ("http", 80)
        return f"{scheme}://{host}" + ("" if self.port == usual else f":{self.port}")


def parse_endpoint(text: str, advice: Text = BEDROCK_ADVICE) -> Endpoint:
    """Return the endpoint of an https address, or of an http address on this computer.

    Args:
        text: the address.
        advice: where to set another one.

    Raises:
        KnownError: `BAD_SETTINGS` for anything else; keys and speech never leave the computer unencrypted.
    """
    parts = _split(text, ("http", "https"))
    if parts is None or parts.path not in ("", "/"):
        raise KnownError(Reason.BAD_SETTINGS, "“{address}” is not the address of a server.", advice, address=text)
    endpoint = _endpoint(parts)
    if not endpoint.tls and not is_loopback(endpoint.host):
        raise KnownError(
            Reason.BAD_SETTINGS,
            "The address {address} is not encrypted and leads to another computer.",
            advice,
            address=text,
        )
    return endpoint


def parse_gateway(text: str) -> tuple[Endpoint, str]:
    """Return the endpoint of a gateway, and the address of its WebSocket.

    Taken are wss and https addresses with or without a path, and unencrypted ones of this computer.

    Raises:
        KnownError: `BAD_SETTINGS` for anything else; tokens and speech never leave the computer unencrypted.
    """
    if not text.strip():
        raise KnownError(Reason.BAD_SETTINGS, "No gateway is set.", "Set [backend] gateway to wss://HOST.")
    parts = _split(text.strip(), ("ws", "wss", "http", "https"))
    if parts is None:
        raise KnownError(
            Reason.BAD_SETTINGS,
            "“{address}” is not the address of a gateway.",
            "Set [backend] gateway to wss://HOST.",
            address=text,
        )
    endpoint = _endpoint(parts)
    if not endpoint.tls and not is_loopback(endpoint.host):
        raise KnownError(
            Reason.BAD_SETTINGS,
            "The address of the gateway is not encrypted and leads to another computer.",
            "Set [backend] gateway to one that begins with wss://.",
        )
    path = parts.path.rstrip("/")
    path = path if path.endswith("/ws") else f"{path}/ws"
    return endpoint, f"{endpoint.uri.replace('http', 'ws', 1)}{path}"


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult | None:
    """Return the parts of an address, or None when it is none of a server."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    plain = not (parts.username or parts.query or parts.fragment)
    return parts if plain and _HOST.fullmatch(parts.hostname or "") and parts.scheme in schemes else None


def _endpoint(parts: SplitResult) -> Endpoint:
    tls = parts.scheme in ("https", "wss")
    return Endpoint(host=parts.hostname or "", port=parts.port or (443 if tls else 80), tls=tls)


def bedrock_endpoint(region: str) -> Endpoint:
    """Return AWS's own endpoint of Bedrock Runtime (general reference, "Amazon Bedrock endpoints and quotas")."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return Endpoint(host=f"bedrock-runtime.{region}.{suffix}", port=443, tls=True)


def is_loopback(host: str) -> bool:
    """Say whether a host name or address means this computer."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
