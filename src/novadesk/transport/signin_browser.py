"""Signing in with the browser: a code with PKCE (RFC 7636), led back to a port of this computer (RFC 8252)."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from novadesk.errors import KnownError
from novadesk.text import Text
from novadesk.transport.endpoint import is_loopback
from novadesk.transport.signin_http import SignInHttp, failed
from novadesk.transport.signin_provider import Provider, Rejected, Tokens, redeem

BROWSER_S = 600.0
_REQUEST_S = 10.0
_MAX_REQUEST_BYTES = 16_384
_AGAIN = Text("Try again.")

_PAGE = (
    "<!doctype html><meta charset=utf-8><title>NovaDesk</title>"
    "<style>body{{font:18px system-ui,sans-serif;text-align:center;margin-top:20vh}}</style><p>{words}</p>"
)
_HEAD = (
    "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nReferrer-Policy: no-referrer\r\n"
    "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Return:
    """What the browser brings back."""

    code: str = field(default="", repr=False)
    error: str = ""


async def sign_in_with_browser(
    http: SignInHttp,
    provider: Provider,
    open_page: Callable[[str], None],
    *,
    unix_s: Callable[[], float],
    deadline_s: float = BROWSER_S,
) -> Tokens:
    """Have the person sign in on a page; return what that gave.

    Args:
        http: asks the token endpoint.
        provider: has the page.
        open_page: takes the address of the page; must return at once.
        unix_s: returns Unix seconds.
        deadline_s: longest wait for the person.

    Raises:
        KnownError: `SIGN_IN_FAILED`: refused, too late, no free port, or the answer belongs to another sign-in.
    """
    if not provider.authorization:
        raise failed(Text("This sign-in service has no page for the browser."), Text("Sign in with a code instead."))
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    async with _Door(provider, state) as door:
        open_page(_page_address(provider, door.redirect, state=state, nonce=nonce, verifier=verifier))
        try:
            async with asyncio.timeout(deadline_s):
                brought = await door.brought
        except TimeoutError as error:
            raise failed(Text("Nobody signed in within ten minutes."), _AGAIN) from error
    if brought.error:
        raise refused(brought.error)
    form = {
        "grant_type": "authorization_code",
        "code": brought.code,
        "redirect_uri": door.redirect,
        "code_verifier": verifier,
    }
    try:
        return await redeem(http, provider, form, now_s=unix_s(), nonce=nonce)
    except Rejected as error:
        raise refused(error.error) from error


def refused(error: str) -> KnownError:
    """Return the error for an answer of the sign-in service, by its name."""
    if error == "access_denied":
        return failed(Text("The sign-in was refused."), _AGAIN)
    if not error.isascii() or not error.replace("_", "").isalnum():
        error = "invalid_response"
    return failed(Text("The sign-in service refuses NovaDesk ({error}).", error=error[:40]))


class _Door:
    """Listens on a port of this computer until the browser has come with the right state."""

    def __init__(self, provider: Provider, state: str) -> None:
        self._provider, self._state = provider, state
        self._server: asyncio.Server | None = None
        self._path = "/"
        self._visits: set[asyncio.Task[None]] = set()
        self.redirect = ""
        self.brought: asyncio.Future[_Return] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> "_Door":
        for address in self._provider.terms.redirects or ("http://127.0.0.1:0/",):
            try:
                parts = urlsplit(address)
                host, port, plain = parts.hostname or "", parts.port or 0, parts.scheme == "http"
            except ValueError:
                continue
            if not plain or not is_loopback(host):
                continue
            try:
                self._server = await asyncio.start_server(
                    self._on_visit, "127.0.0.1" if host == "localhost" else host, port, limit=_MAX_REQUEST_BYTES
                )
            except OSError:
                continue
            self._path = parts.path or "/"
            taken = self._server.sockets[0].getsockname()[1]
            self.redirect = address if port else f"http://127.0.0.1:{taken}/"
            return self
        raise failed(
            Text("No port of this computer is free for the sign-in."),
            Text("Sign in with a code instead, or close other programs that sign in."),
        )

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)
        await self._server.wait_closed()

    async def _on_visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.current_task()
        assert visit is not None
        self._visits.add(visit)
        try:
            async with asyncio.timeout(_REQUEST_S):
                request = await reader.readuntil(b"\r\n\r\n")
                brought = self._read(request)
                writer.write(_answer(brought))
                await writer.drain()
            if brought is not None and not self.brought.done():
                self.brought.set_result(brought)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a visitor without a word, such as the browser's connection in reserve
        finally:
            self._visits.discard(visit)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _read(self, request: bytes) -> _Return | None:
        """Return what a request brings, or None for one that is not of this sign-in."""
        words = request.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ")
        if len(words) != 3 or words[0] != "GET":
            return None
        path, _, query = words[1].partition("?")
        found = {name: values[0] for name, values in parse_qs(query).items() if len(values) == 1}
        if path != self._path or not hmac.compare_digest(found.get("state", "").encode(), self._state.encode()):
            return None
        # RFC 9207: a code of another issuer does not go to this one.
        if found.get("iss", self._provider.terms.issuer) != self._provider.terms.issuer:
            return _Return(error="invalid_issuer")
        if "error" in found or not found.get("code"):
            return _Return(error=found.get("error") or "invalid_response")
        return _Return(code=found["code"])


def _page_address(provider: Provider, redirect: str, *, state: str, nonce: str, verifier: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")
    query = {
        **provider.terms.parameters,
        "response_type": "code",
        "client_id": provider.terms.client_id,
        "redirect_uri": redirect,
        "scope": provider.terms.scope,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in provider.authorization else "?"
    return f"{provider.authorization}{joint}{urlencode(query)}"


def _answer(brought: _Return | None) -> bytes:
    if brought is None:
        status, words = "404 Not Found", "This is not the page that you look for."
    elif brought.error:
        status, words = "200 OK", "The sign-in did not work. Go back to NovaDesk; you can close this page."
    else:
        status, words = "200 OK", "Go back to NovaDesk; you can close this page."
    body = _PAGE.format(words=words).encode()
    return _HEAD.format(status=status, length=len(body)).encode() + body
