"""The public keys of whoever issues tokens, found, fetched and renewed (RFC 7517, OpenID Connect Discovery 1.0)."""

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

_log = logging.getLogger(__name__)

type PublicKey = Any
"""One of `cryptography`'s public keys."""

type Fetch = Callable[[str], Awaitable[bytes]]
"""Returns the body behind an address, or raises `KeysUnavailable`."""

MAX_DOCUMENT_BYTES = 256 * 1024
MAX_KEYS = 64
_MIN_RSA_BITS = 2048  # RFC 7518, section 3.3
_DISCOVERY = "/.well-known/openid-configuration"


class KeysUnavailable(Exception):
    """The issuer's keys cannot be had just now; the text names no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How long fetched keys count, in seconds.

    Attributes:
        lifetime_s: after this the keys are fetched anew.
        stale_s: while they cannot be fetched, the old ones count until they are this old.
        pause_s: shortest time between two fetches, whatever asks for them.
    """

    lifetime_s: float = 600.0
    stale_s: float = 6 * 3600.0
    pause_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What a key of an algorithm looks like: its members, and how it is read."""

    members: Mapping[str, str | None]
    read: Callable[[dict[str, Any]], Any]


_KINDS: Mapping[str, _Kind] = {
    "RS256": _Kind(members={"kty": "RSA", "n": None, "e": None}, read=RSAAlgorithm.from_jwk),
    "ES256": _Kind(members={"kty": "EC", "crv": "P-256", "x": None, "y": None}, read=ECAlgorithm.from_jwk),
    "EdDSA": _Kind(members={"kty": "OKP", "crv": "Ed25519", "x": None}, read=OKPAlgorithm.from_jwk),
}
ALGORITHMS = frozenset(_KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A public key that signatures of one algorithm are checked with; `key_id` may be empty."""

    key_id: str
    algorithm: str
    public: PublicKey


class KeySet:
    """The issuer's keys as last fetched. A key that is not there makes it look again, though never often.

    Args:
        issuer: whose discovery document names the keys; ignored when `keys_url` is given.
        keys_url: address of the keys themselves, or empty.
        fetch: how documents are had.
        freshness: how long they count.
    """

    def __init__(self, *, issuer: str, keys_url: str = "", fetch: Fetch, freshness: Freshness | None = None) -> None:
        self._issuer = issuer
        self._keys_url = keys_url
        self._fetch = fetch
        self._freshness = freshness or Freshness()
        self._keys: tuple[Key, ...] = ()
        self._fetched_s: float | None = None
        self._tried_s: float | None = None
        self._one_at_a_time = asyncio.Lock()

    async def find(self, key_id: str, algorithm: str, *, now_s: float) -> Key | None:
        """Return the key of that name for that algorithm; without a name, the only one there is for the algorithm.

        Raises:
            KeysUnavailable: there are no keys that count.
        """
        if self._age_s(now_s) >= self._freshness.lifetime_s:
            await self._renew(now_s)
        if self._age_s(now_s) >= self._freshness.stale_s:
            raise KeysUnavailable("The sign-in service cannot be reached.")
        found = _choose(self._keys, key_id, algorithm)
        if found is None and key_id:
            await self._renew(now_s)
            found = _choose(self._keys, key_id, algorithm)
        return found

    def _age_s(self, now_s: float) -> float:
        return float("inf") if self._fetched_s is None else abs(now_s - self._fetched_s)

    async def _renew(self, now_s: float) -> None:
        async with self._one_at_a_time:
            if self._tried_s is not None and abs(now_s - self._tried_s) < self._freshness.pause_s:
                return
            self._tried_s = now_s
            try:
                address = self._keys_url or await self._discover()
                keys = read_keys(await self._fetch(address))
            except KeysUnavailable as error:
                _log.warning("The keys that sign tokens were not renewed: %s", error)
                return
            self._keys, self._fetched_s = keys, now_s

    async def _discover(self) -> str:
        document = strict_object(await self._fetch(self._issuer.rstrip("/") + _DISCOVERY))
        if document.get("issuer") != self._issuer:
            raise KeysUnavailable("The discovery document is of another issuer.")
        address = document.get("jwks_uri")
        if not isinstance(address, str) or not is_safe(address):
            raise KeysUnavailable("The discovery document names no safe address of keys.")
        return address


def read_keys(document: bytes) -> tuple[Key, ...]:
    """Return the keys of a JWKS that are of use; what is unknown, private, weak or malformed is passed over.

    Raises:
        KeysUnavailable: it is no JWKS, or one without a key of use.
    """
    entries = strict_object(document).get("keys")
    if not isinstance(entries, list):
        raise KeysUnavailable("The document of keys holds none.")
    keys = tuple(key for entry in entries[:MAX_KEYS] if (key := _read_key(entry)) is not None)
    if not keys:
        raise KeysUnavailable("The document of keys holds none that is of use.")
    return keys


def strict_object(document: bytes) -> dict[str, Any]:
    """Return the JSON object; one that names a member twice, or is not finite, is none.

    Raises:
        KeysUnavailable: it is no JSON object.
    """
    try:
        found = parse_strict(document)
    except ValueError as error:
        raise KeysUnavailable("The sign-in service answered with something else than JSON.") from error
    if not isinstance(found, dict):
        raise KeysUnavailable("The sign-in service answered with something else than an object.")
    return found


def parse_strict(document: bytes) -> Any:
    """Return what a JSON text holds.

    Raises:
        ValueError: not JSON, a member named twice, a number that is none, or nested too deep.
    """
    try:
        return json.loads(document.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def is_safe(address: str) -> bool:
    """Tell whether what lies behind an address cannot be changed on the way: TLS, or this computer."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host) and "@" not in parts.netloc
    return parts.scheme == "http" and is_loopback(host)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this computer."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HttpFetch:
    """Fetches small JSON documents: over TLS or from this computer, in full or not at all, redirected never.

    Args:
        context: whom TLS trusts; None asks the system's own store.
        timeout_s: longest time for one document, in seconds.
    """

    def __init__(self, context: ssl.SSLContext | None = None, *, timeout_s: float = 5.0) -> None:
        self._context = context
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def __call__(self, address: str) -> bytes:
        """Return the document.

        Raises:
            KeysUnavailable: no answer in time, another one than 200, or one that is too long.
        """
        if not is_safe(address):
            raise KeysUnavailable("The address of the sign-in service is neither https nor this computer.")
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout, trust_env=True) as session,
                session.get(address, ssl=self._context or True, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise KeysUnavailable(f"The sign-in service answered {answer.status}.")
                return await _read_bounded(answer.content)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise KeysUnavailable(f"The sign-in service cannot be reached ({type(error).__name__}).") from error


async def _read_bounded(stream: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for piece in stream.iter_chunked(16_384):
        body += piece
        if len(body) > MAX_DOCUMENT_BYTES:
            raise KeysUnavailable("The sign-in service answered with too much.")
    return bytes(body)


def _choose(keys: tuple[Key, ...], key_id: str, algorithm: str) -> Key | None:
    fitting = [key for key in keys if key.algorithm == algorithm and (not key_id or key.key_id == key_id)]
    return fitting[0] if len(fitting) == 1 else None


def _read_key(entry: object) -> Key | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    operations = entry.get("key_ops", ["verify"])
    key_id = entry.get("kid", "")
    if not isinstance(operations, list) or "verify" not in operations or not isinstance(key_id, str):
        return None
    for algorithm, kind in _KINDS.items():
        if entry.get("alg", algorithm) != algorithm or not all(
            isinstance(entry.get(name), str) and (wanted is None or entry[name] == wanted)
            for name, wanted in kind.members.items()
        ):
            continue
        try:
            public = kind.read({name: entry[name] for name in kind.members})
        except (InvalidKeyError, ValueError, TypeError):
            return None
        if isinstance(public, rsa.RSAPublicKey) and public.key_size < _MIN_RSA_BITS:
            return None
        return Key(key_id=key_id, algorithm=algorithm, public=public)
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is named twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
