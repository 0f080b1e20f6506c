"""Where a link leads: the parts of an endpoint's address, and which addresses are this computer."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from novadesk.errors import KnownError, Reason

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


def parse_endpoint(text: str) -> Endpoint:
    """Return the endpoint of an https address, or of an http address on this computer.

    Raises:
        KnownError: `BAD_SETTINGS` for anything else; keys and speech never leave the computer unencrypted.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if (
        not _HOST.fullmatch(host)
        or parts.scheme not in ("http", "https")
        or parts.username
        or parts.path not in ("", "/")
    ):
        raise _bad(f"“{text}” is not the address of a server.")
    if parts.scheme == "http" and not is_loopback(host):
        raise _bad(f"The address {text} is not encrypted and leads to another computer.")
    tls = parts.scheme == "https"
    return Endpoint(host=host, port=port or (443 if tls else 80), tls=tls)


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


def _bad(what: str) -> KnownError:
    return KnownError(
        Reason.BAD_SETTINGS,
        what,
        "Set AWS_ENDPOINT_URL_BEDROCK_RUNTIME or [backend] bedrock_endpoint to https://HOST, or leave it empty.",
    )
