"""An issuer of tokens for development: this computer only, everybody is who they say they are."""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from aiohttp import web
from aiohttp.typedefs import Handler
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from multidict import MultiMapping

from novadesk.errors import KnownError, Reason
from novadesk.files import replace_file, write_through
from novadesk.protocol.signin import TERMS_PATH, SignInTerms
from novadesk.server.gateway import issuer_pages as pages
from novadesk.server.gateway.grants import DEVICE_S, INTERVAL_S, Granted, GrantError, Grants, Wish
from novadesk.server.gateway.identity import Verifier
from novadesk.server.gateway.keyset import KeySet, is_loopback

LOCAL_ISSUER = "novadesk-local"
"""The `iss` of access tokens: whatever port a gateway of this folder listens on."""

LOCAL_AUDIENCE = "novadesk-gateway"
CLIENT_ID = "novadesk-desktop"
ACCESS_S = 3600.0
_ALGORITHM = "ES256"
_MAX_NAME_CHARS = 255
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class LocalIssuer:
    """Signs tokens with a key of its own, and holds the endpoints at which NovaDesk signs in.

    Args:
        folder: where key and refresh tokens lie (0600); issuers of one folder take each other's tokens.
        clock: returns Unix seconds.
        user: the name that the pages suggest.
        access_s: life of an access token made by signing in, in seconds.
        interval_s: how often a device may ask.

    Raises:
        KnownError: `BAD_INPUT` when the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float],
        user: str = "developer",
        access_s: float = ACCESS_S,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._clock, self._user, self._access_s = clock, user, access_s
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._key = _ensure_key(folder / "issuer.pem")
            self._grants = Grants(folder / "issuer.db", interval_s=interval_s)
        except OSError as error:
            raise KnownError(
                Reason.BAD_INPUT,
                "The folder of the local issuer cannot be used.",
                f"Make sure that {folder} is a writable folder.",
            ) from error
        public = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        thumbprint = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
        self._key_id = hashlib.sha256(thumbprint.encode()).hexdigest()[:16]
        self._jwks = json.dumps({"keys": [public | {"kid": self._key_id, "alg": _ALGORITHM, "use": "sig"}]}).encode()

    def close(self) -> None:
        """Close the file of refresh tokens. Idempotent."""
        self._grants.close()

    def mint(self, subject: str, *, valid_s: float) -> str:
        """Return an access token for somebody.

        Raises:
            KnownError: `BAD_INPUT` for a name that is none.
        """
        if not _is_name(subject):
            raise KnownError(Reason.BAD_INPUT, "This is no name for a user.", "Give 1 to 255 printable characters.")
        now_s = self._clock()
        claims = {
            "iss": LOCAL_ISSUER,
            "aud": LOCAL_AUDIENCE,
            "sub": subject,
            "client_id": CLIENT_ID,
            "iat": int(now_s),
            "exp": int(now_s + valid_s),
            "jti": secrets.token_urlsafe(12),
        }
        return self._sign(claims, "at+jwt")

    def verifier(self) -> Verifier:
        """Return who checks the tokens of this issuer, without a network."""

        async def own(_: str) -> bytes:
            return self._jwks

        keys = KeySet(issuer=LOCAL_ISSUER, keys_url="here", fetch=own)
        return Verifier(keys, issuer=LOCAL_ISSUER, audiences=[LOCAL_AUDIENCE])

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the endpoints, and the terms that lead to them; other computers, and pages of others, are refused."""
        return [
            web.get(TERMS_PATH, _local(self._terms)),
            web.get("/.well-known/openid-configuration", _local(self._discovery)),
            web.get("/jwks.json", _local(self._keys)),
            web.get("/authorize", _local(self._authorize)),
            web.post("/authorize", _local(self._consented)),
            web.post("/device_authorization", _local(self._device)),
            web.get("/activate", _local(self._activate)),
            web.post("/activate", _local(self._activated)),
            web.post("/token", _local(self._token)),
            web.post("/revoke", _local(self._revoke)),
        ]

    def _sign(self, claims: dict[str, Any], kind: str) -> str:
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": self._key_id, "typ": kind})

    async def _terms(self, request: web.Request) -> web.Response:
        terms = SignInTerms(issuer=_base(request), client_id=CLIENT_ID)
        return web.Response(text=terms.to_json(), content_type="application/json")

    async def _discovery(self, request: web.Request) -> web.Response:
        base = _base(request)
        return web.json_response(
            {
                "issuer": base,
                "jwks_uri": f"{base}/jwks.json",
                "authorization_endpoint": f"{base}/authorize",
                "device_authorization_endpoint": f"{base}/device_authorization",
                "token_endpoint": f"{base}/token",
                "revocation_endpoint": f"{base}/revoke",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token", _DEVICE_GRANT],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [_ALGORITHM],
                "scopes_supported": ["openid", "offline_access"],
            }
        )

    async def _keys(self, _: web.Request) -> web.Response:
        return web.Response(body=self._jwks, content_type="application/json")

    async def _authorize(self, request: web.Request) -> web.Response:
        query = request.query
        redirect_uri = query.get("redirect_uri", "")
        # Nobody is led on to an address that is not NovaDesk's on this computer (RFC 8252, section 7.3).
        if query.get("client_id") != CLIENT_ID or not _is_own_redirect(redirect_uri):
            return pages.told("This does not work", "The request is not one of NovaDesk's.", status=400)
        wish = Wish(
            client_id=CLIENT_ID,
            redirect_uri=redirect_uri,
            challenge=query.get("code_challenge", ""),
            state=query.get("state", ""),
            nonce=query.get("nonce", ""),
        )
        if query.get("response_type") != "code":
            raise _led_on(wish, request, error="unsupported_response_type")
        if query.get("code_challenge_method") != "S256" or len(wish.challenge) != 43:
            raise _led_on(wish, request, error="invalid_request")
        try:
            name = self._grants.ask(wish, self._clock())
        except GrantError as error:
            raise _led_on(wish, request, error=error.error) from error
        return pages.consent(name, self._user)

    async def _consented(self, request: web.Request) -> web.Response:
        form = await request.post()
        answered = self._grants.answer(_field(form, "wish"), _subject(form), self._clock())
        if answered is None:
            return pages.told("Too late", "Sign in again in NovaDesk.", status=400)
        wish, code = answered
        raise _led_on(wish, request, code=code) if code else _led_on(wish, request, error="access_denied")

    async def _device(self, request: web.Request) -> web.Response:
        form = await request.post()
        if _field(form, "client_id") != CLIENT_ID:
            return _refusal("invalid_client", 401)
        try:
            device = self._grants.begin_device(CLIENT_ID, self._clock())
        except GrantError as error:
            return _refusal(error.error)
        base = _base(request)
        return _answer(
            {
                "device_code": device.device_code,
                "user_code": device.user_code,
                "verification_uri": f"{base}/activate",
                "verification_uri_complete": f"{base}/activate?{urlencode({'user_code': device.user_code})}",
                "expires_in": int(DEVICE_S),
                "interval": device.interval_s,
            }
        )

    async def _activate(self, request: web.Request) -> web.Response:
        return pages.activation(request.query.get("user_code", "")[:20], self._user)

    async def _activated(self, request: web.Request) -> web.Response:
        form = await request.post()
        code, subject = _field(form, "user_code"), _subject(form)
        try:
            found = self._grants.judge_device(code, subject, self._clock())
        except GrantError:
            return pages.told("Too many wrong codes", "Wait a minute, and try again.", status=429)
        if not found:
            return pages.activation(code[:20], self._user, note="No NovaDesk waits with this code.", status=400)
        if not subject:
            return pages.told("Refused", "You can close this page.")
        return pages.told("You are signed in", "Go back to NovaDesk; you can close this page.")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if _field(form, "client_id") != CLIENT_ID:
            return _refusal("invalid_client", 401)
        now_s = self._clock()
        try:
            match _field(form, "grant_type"):
                case "authorization_code":
                    granted = self._grants.exchange(
                        _field(form, "code"),
                        client_id=CLIENT_ID,
                        redirect_uri=_field(form, "redirect_uri"),
                        verifier=_field(form, "code_verifier"),
                        now_s=now_s,
                    )
                case "refresh_token":
                    granted = self._grants.refresh(_field(form, "refresh_token"), client_id=CLIENT_ID, now_s=now_s)
                case kind if kind == _DEVICE_GRANT:
                    granted = self._grants.poll_device(_field(form, "device_code"), client_id=CLIENT_ID, now_s=now_s)
                case _:
                    return _refusal("unsupported_grant_type")
        except GrantError as error:
            return _refusal(error.error)
        return self._granted(granted, _base(request))

    def _granted(self, granted: Granted, base: str) -> web.Response:
        now_s = self._clock()
        proof = {
            "iss": base,
            "aud": granted.client_id,
            "sub": granted.subject,
            "iat": int(now_s),
            "exp": int(now_s + 300),
        }
        if granted.nonce:
            proof["nonce"] = granted.nonce
        return _answer(
            {
                "access_token": self.mint(granted.subject, valid_s=self._access_s),
                "token_type": "Bearer",
                "expires_in": int(self._access_s),
                "refresh_token": granted.refresh_token,
                "id_token": self._sign(proof, "JWT"),
                "scope": "openid",
            }
        )

    async def _revoke(self, request: web.Request) -> web.Response:
        self._grants.revoke(_field(await request.post(), "token"))
        return _answer({})


def _local(handler: Callable[[web.Request], Any]) -> Handler:
    """Let only this computer in, asking for this computer by name: a page from elsewhere must not act for a person."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        host = urlsplit(f"//{request.host}").hostname or ""
        origin = request.headers.get("Origin")
        own = origin is None or origin == _base(request)
        if not (is_loopback(request.remote or "") and is_loopback(host) and own):
            return web.json_response({"error": "access_denied"}, status=403)
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as leading:
            leading.headers["Cache-Control"] = "no-store"
            raise
        return response

    return guarded


def _ensure_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key in a file; of several that make one at once, one is first, and its key is everybody's."""
    if (kept := _read_key(file)) is not None:
        return kept
    key = ec.generate_private_key(ec.SECP256R1())
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if file.exists():  # and holds no key
        replace_file(file, content)
        return key
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    write_through(draft, content)
    try:
        os.link(draft, file)
    except FileExistsError:
        return _read_key(file) or key
    finally:
        draft.unlink()
    return key


def _read_key(file: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1) else None


def _base(request: web.Request) -> str:
    return f"http://{request.host}"


def _is_own_redirect(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return (
            parts.scheme == "http" and is_loopback(parts.hostname or "") and "@" not in parts.netloc and not parts.query
        )
    except ValueError:
        return False


def _is_name(subject: str) -> bool:
    return 0 < len(subject) <= _MAX_NAME_CHARS and subject.isprintable()


def _field(form: MultiMapping[Any], name: str) -> str:
    """Return a field of a form; one that is missing, given twice, or a file is empty."""
    values = form.getall(name, [])
    return values[0] if len(values) == 1 and isinstance(values[0], str) else ""


def _subject(form: MultiMapping[Any]) -> str:
    """Return who allowed it, or nothing for a refusal."""
    name = _field(form, "user").strip()
    return name if _field(form, "answer") == "allow" and _is_name(name) else ""


def _led_on(wish: Wish, request: web.Request, **values: str) -> web.HTTPFound:
    """Return the way back to the client (RFC 6749 section 4.1.2, RFC 9207)."""
    told = values | ({"state": wish.state} if wish.state else {}) | {"iss": _base(request)}
    return web.HTTPFound(f"{wish.redirect_uri}?{urlencode(told)}")


def _answer(content: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(content, status=status, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _refusal(error: str, status: int = 400) -> web.Response:
    return _answer({"error": error}, status)
