"""Who is speaking: a bearer token (RFC 7519, RFC 9068, Amazon Cognito's) checked to the last member."""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from novadesk.server.gateway.keyset import ALGORITHMS, KeySet, KeysUnavailable, parse_strict

SKEW_S = 60.0
MAX_TOKEN_CHARS = 8192
_MAX_SUBJECT_CHARS = 255  # OpenID Connect Core 1.0, section 2
_TYPES = frozenset({"JWT", "AT+JWT"})  # RFC 7519 section 5.1, RFC 9068 section 2.1; compared without regard to case
_SIGNATURES = jwt.PyJWS(algorithms=sorted(ALGORITHMS))
SUBPROTOCOL = "novadesk.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a token stands for.

    Attributes:
        subject: the issuer's lasting name of the person; what sessions belong to.
        expires_at_s: Unix time at which the token ends.
        token_id: tells this token from others of the person.
    """

    subject: str
    expires_at_s: float
    token_id: str

    def __repr__(self) -> str:
        return "Identity(…)"


class Refused(Exception):
    """A token that is not taken. No part of it is in the message.

    Attributes:
        code: `UNAUTHORIZED`, `TOKEN_EXPIRED`, or `UPSTREAM_FAILED` while the issuer's keys cannot be had.
        message: one sentence for whoever sent it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Verifier:
    """Checks tokens of one issuer for this gateway.

    Args:
        keys: the issuer's public keys.
        issuer: the `iss` that a token has to have, to the letter.
        audiences: one of these has to be in `aud`, or be the `client_id` of an access token of Amazon Cognito,
            which has no `aud`.
        skew_s: how far the issuer's clock may be from ours, in seconds.
    """

    def __init__(self, keys: KeySet, *, issuer: str, audiences: Sequence[str], skew_s: float = SKEW_S) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audiences = frozenset(audiences)
        self._skew_s = skew_s

    async def verify(self, token: str, *, now_s: float) -> Identity:
        """Return whom the token stands for at Unix time `now_s`.

        Raises:
            Refused: it is not taken.
        """
        header = _header(token)
        algorithm, key_id = header["alg"], header.get("kid", "")
        try:
            key = await self._keys.find(key_id, algorithm, now_s=now_s)
        except KeysUnavailable as error:
            raise Refused("UPSTREAM_FAILED", "The sign-in service cannot be reached; try again soon.") from error
        if key is None:
            raise _unauthorized("The token is signed with a key that the issuer does not name.")
        try:
            payload = _SIGNATURES.decode(token, key.public, algorithms=[algorithm])
        except jwt.PyJWTError as error:
            raise _unauthorized("The signature of the token does not fit.") from error
        try:
            claims = parse_strict(payload)
        except ValueError as error:
            raise _unauthorized("The token holds no claims.") from error
        if not isinstance(claims, dict):
            raise _unauthorized("The token holds no claims.")
        return self._identify(claims, token, now_s)

    def _identify(self, claims: Mapping[str, Any], token: str, now_s: float) -> Identity:
        if claims.get("iss") != self._issuer:
            raise _unauthorized("The token is of another issuer.")
        self._check_audience(claims)
        expires_s = _time(claims, "exp")
        if expires_s is None:
            raise _unauthorized("The token never expires.")
        for name in ("nbf", "iat"):
            begins_s = _time(claims, name)
            if begins_s is not None and begins_s > now_s + self._skew_s:
                raise _unauthorized("The token is not valid yet.")
        if expires_s + self._skew_s <= now_s:
            raise Refused("TOKEN_EXPIRED", "The token has expired.")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT_CHARS or not subject.isprintable():
            raise _unauthorized("The token names nobody.")
        given_id = claims.get("jti")
        token_id = given_id if isinstance(given_id, str) and given_id else token
        return Identity(
            subject=subject,
            expires_at_s=expires_s,
            token_id=hashlib.sha256(token_id.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        )

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        use = claims.get("token_use", "access")
        if use != "access":
            raise _unauthorized("This token proves a sign-in; an access token is needed.")
        audience = claims.get("aud")
        if audience is None and "token_use" in claims:
            audience = claims.get("client_id")
        named = audience if isinstance(audience, list) else [audience]
        if not any(isinstance(name, str) and name in self._audiences for name in named):
            raise _unauthorized("The token is for another service.")


def bearer(authorizations: Sequence[str], subprotocols: Sequence[str] = ()) -> str:
    """Return the token of a request: of its only Authorization header, or the subprotocol after `novadesk.v1`.

    Args:
        authorizations: the value of every Authorization header.
        subprotocols: what the WebSocket offers, in order.

    Raises:
        Refused: there is none, or more than one.
    """
    offered = list(subprotocols)
    if SUBPROTOCOL in offered:
        offered = offered[offered.index(SUBPROTOCOL) + 1 :]
    elif offered:
        offered = []
    if len(authorizations) + len(offered) != 1:
        raise _unauthorized("Give one token, in the Authorization header or as the second subprotocol.")
    if offered:
        return offered[0]
    scheme, _, token = authorizations[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("The Authorization header holds no bearer token.")
    return token.strip()


def _header(token: str) -> dict[str, str]:
    """Return the checked header: `alg` is one of ours; `kid` is a text, or absent."""
    if len(token) > MAX_TOKEN_CHARS:
        raise _unauthorized("The token is too long.")
    parts = token.split(".")
    if len(parts) != 3 or not all(_is_canonical(part) for part in parts):
        raise _unauthorized("This is no signed token.")
    try:
        header = parse_strict(base64.urlsafe_b64decode(_padded(parts[0])))
    except ValueError as error:
        raise _unauthorized("The header of the token cannot be read.") from error
    if not isinstance(header, dict):
        raise _unauthorized("The header of the token cannot be read.")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _unauthorized("The token is not signed in a way that is taken here.")
    kind, key_id = header.get("typ", "JWT"), header.get("kid", "")
    if not isinstance(kind, str) or kind.upper().removeprefix("APPLICATION/") not in _TYPES:
        raise _unauthorized("This is a token of another kind.")
    # RFC 7515, section 4.1.11: what is critical and not understood makes the token invalid.
    if "crit" in header or not isinstance(key_id, str):
        raise _unauthorized("The header of the token asks for what is not done here.")
    return {"alg": algorithm, "kid": key_id}


def _is_canonical(part: str) -> bool:
    """Tell whether a part is the one base64url text of its bytes: nothing added, left out or ignored."""
    try:
        content = base64.urlsafe_b64decode(_padded(part))
    except ValueError:
        return False
    return bool(part) and base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii") == part


def _padded(part: str) -> bytes:
    return part.encode("ascii") + b"=" * (-len(part) % 4)


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unauthorized("A time in the token is none.")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise _unauthorized("A time in the token is none.")
    return seconds


def _unauthorized(message: str) -> Refused:
    return Refused("UNAUTHORIZED", message)
