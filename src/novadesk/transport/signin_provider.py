"""Who signs the gateway's people in (OpenID Connect Discovery 1.0), and the questions to its token endpoint."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from novadesk.errors import KnownError, Reason
from novadesk.protocol.signin import TERMS_PATH, SignInTerms, read_terms
from novadesk.text import Text
from novadesk.transport.gateway_token import AccessToken
from novadesk.transport.signin_http import SignInHttp, failed, json_object, safe_endpoint

_DISCOVERY = "/.well-known/openid-configuration"
_SIGN_IN = "Sign in to the gateway again."
_LATER = "Try again later, or ask the people who run the gateway."


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where to sign in; an endpoint that there is not is empty."""

    terms: SignInTerms
    token: str
    authorization: str = ""
    device: str = ""
    revocation: str = ""

    @property
    def host(self) -> str:
        """Return the host whose page the person sees."""
        return urlsplit(self.terms.issuer).hostname or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a sign-in gave; `refresh` is empty where nothing renews it."""

    access: AccessToken
    refresh: str = field(default="", repr=False)


class Rejected(Exception):
    """The token endpoint refuses; `error` is the name of RFC 6749 section 5.2 or RFC 8628 section 3.5."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


async def find_provider(http: SignInHttp, gateway: str) -> Provider:
    """Return who signs in the people of a gateway.

    Args:
        http: asks.
        gateway: its address, as the settings have it.

    Raises:
        KnownError: the gateway or the sign-in service cannot be asked, or says nothing of use.
    """
    status, body = await http.get(web_address(gateway) + TERMS_PATH)
    terms = read_terms(body) if status == 200 else None
    if terms is None:
        raise failed(
            Text("This gateway does not say where its people sign in."),
            Text("Check the address, or paste a token that the people who run it give you."),
        )
    status, body = await http.get(terms.issuer.rstrip("/") + _DISCOVERY)
    found = json_object(body) if status == 200 else {}
    if not found:
        raise failed(Text("The sign-in service answered with status {status}.", status=str(status)), _LATER)
    if found.get("issuer") != terms.issuer:
        raise failed(Text("The sign-in service is another one than the gateway says."))
    provider = Provider(
        terms=terms,
        token=_address(found, "token_endpoint"),
        authorization=_address(found, "authorization_endpoint"),
        device=_address(found, "device_authorization_endpoint"),
        revocation=_address(found, "revocation_endpoint"),
    )
    if not provider.token:
        raise failed(Text("The sign-in service has nothing to sign in with."))
    return provider


def web_address(gateway: str) -> str:
    """Return where a gateway answers plain requests, without a slash at the end.

    Raises:
        KnownError: `BAD_SETTINGS` when it is no address of a gateway.
    """
    given = gateway.strip()
    if not given:
        raise KnownError(
            Reason.BAD_SETTINGS, "No gateway is set.", "Set its address, as the people say who run it, in the settings."
        )
    scheme, _, rest = given.partition("://")
    web = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    address = f"{web}://{rest}" if rest else f"https://{given}"
    try:
        safe_endpoint(address)
        parts = urlsplit(address)
    except KnownError as error:
        raise KnownError(
            Reason.BAD_SETTINGS,
            "“{address}” is not the address of a gateway.",
            "Set one that begins with wss://, as the people say who run it.",
            address=given,
        ) from error
    base = parts.path.rstrip("/").removesuffix("/ws")
    return urlunsplit((parts.scheme, parts.netloc, base, "", ""))


async def redeem(
    http: SignInHttp, provider: Provider, form: Mapping[str, str], *, now_s: float, nonce: str = ""
) -> Tokens:
    """Ask the token endpoint.

    Args:
        http: asks.
        provider: has the endpoint.
        form: the grant, without the client's id.
        now_s: Unix seconds.
        nonce: what the proof of the sign-in has to repeat; empty where none was sent.

    Raises:
        Rejected: it refuses the grant.
        KnownError: it cannot be asked, or answers with nothing of use.
    """
    status, found = await http.post(provider.token, {**form, "client_id": provider.terms.client_id})
    if status >= 500 or status == 429:
        raise KnownError(
            Reason.UNAVAILABLE, "The sign-in service answered with status {status}.", _LATER, status=str(status)
        )
    error = found.get("error")
    if status != 200 and isinstance(error, str):
        raise Rejected(error)
    access = found.get("access_token")
    kind = found.get("token_type", "")
    if status != 200 or not isinstance(access, str) or not access or str(kind).lower() != "bearer":
        raise failed(Text("The sign-in service answered with status {status}.", status=str(status)), _LATER)
    if nonce:
        _check_proof(found.get("id_token"), provider.terms, nonce)
    refresh, life_s = found.get("refresh_token"), found.get("expires_in")
    known = isinstance(life_s, int | float) and not isinstance(life_s, bool) and 0 < life_s < 1e9
    expires_at_s = now_s + float(life_s) if known and life_s is not None else expiry_of(access)
    return Tokens(
        access=AccessToken(value=access, begins_at_s=now_s, expires_at_s=expires_at_s),
        refresh=refresh if isinstance(refresh, str) else "",
    )


def expiry_of(token: str) -> float | None:
    """Return the Unix time at which a token says that it ends, or None. Nothing else of it is believed here."""
    expires_s = _claims(token).get("exp")
    if isinstance(expires_s, bool) or not isinstance(expires_s, int | float) or not 0 < expires_s < 1e12:
        return None
    return float(expires_s)


def name_of(token: str) -> str:
    """Return whom a token says that it stands for, to be shown; empty where it does not say so."""
    claims = _claims(token)
    for claim in ("email", "preferred_username", "username", "name", "sub"):
        name = claims.get(claim)
        if isinstance(name, str) and name and name.isprintable():
            return name[:80]
    return ""


def sign_in_again() -> KnownError:
    """Return the error for a sign-in that is over."""
    return KnownError(Reason.CREDENTIALS_EXPIRED, "The sign-in at the gateway has expired.", _SIGN_IN)


def _check_proof(proof: object, terms: SignInTerms, nonce: str) -> None:
    """Check the ID token that came from the token endpoint itself (OpenID Connect Core 1.0, section 3.1.3.7)."""
    if proof is None and "openid" not in terms.scope.split():
        return
    claims = _claims(proof) if isinstance(proof, str) else {}
    audience = claims.get("aud")
    meant = terms.client_id in audience if isinstance(audience, list) else audience == terms.client_id
    if not meant or claims.get("iss") != terms.issuer or claims.get("nonce") != nonce:
        raise failed(Text("The answer of the sign-in service is not to this sign-in."), Text("Sign in again."))


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _address(found: Mapping[str, Any], name: str) -> str:
    address = found.get(name)
    if not isinstance(address, str):
        return ""
    safe_endpoint(address)
    return address
