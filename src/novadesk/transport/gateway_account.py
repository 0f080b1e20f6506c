"""The person's account at a gateway: an access token in memory, the refresh token in the keyring, renewed in time."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from novadesk.errors import KnownError, Reason
from novadesk.models import DeviceCode, SignInStanding
from novadesk.text import Text
from novadesk.transport.gateway_token import AccessToken, not_signed_in
from novadesk.transport.signin_browser import sign_in_with_browser
from novadesk.transport.signin_device import sign_in_with_code
from novadesk.transport.signin_http import SignInHttp, failed
from novadesk.transport.signin_provider import (
    Provider,
    Rejected,
    Tokens,
    expiry_of,
    find_provider,
    name_of,
    redeem,
    sign_in_again,
)

_log = logging.getLogger(__name__)

LOOK_S = 30.0
"""How often the wall clock is looked at: a computer that slept does not wait on."""

RETRY_S = 20.0
LEAST_S = 1.0
"""Shortest time between two renewals, whatever the life of a token."""

_MAX_TOKEN_CHARS = 8192
_FOR_THIS_RUN = Text("The sign-in is remembered for this run only.")


class SecretStore(Protocol):
    """Keeps the refresh token; every method may raise `KnownError`, reason `KEYRING_…`."""

    async def get(self) -> str | None:
        """Return the secret, or None."""
        ...

    async def set(self, value: str) -> None:
        """Keep the secret."""
        ...

    async def delete(self) -> bool:
        """Forget it; return whether there was one."""
        ...


class GatewayAccount:
    """Signs in, and has a token whenever a link asks for one; fits `TokenSource`.

    The refresh token is read from the keyring when it is needed, so that a sign-in of another process counts at once.

    Args:
        http: asks gateway and sign-in service.
        secrets: keeps the refresh token.
        gateway: address of the gateway.
        unix_s: returns Unix seconds.
    """

    def __init__(self, http: SignInHttp, secrets: SecretStore, gateway: str, *, unix_s: Callable[[], float]) -> None:
        self._http, self._secrets, self._gateway, self._unix_s = http, secrets, gateway, unix_s
        self._access: AccessToken | None = None
        self._provider: Provider | None = None
        self._unkept = ""  # what the keyring does not take
        self._owed = False  # the keyring has something that is to be forgotten, and could not be
        self._note = ""
        self._given = ""
        self._renewing: asyncio.Task[str] | None = None
        self._news = asyncio.Event()

    async def close(self) -> None:
        """Let a renewal that is under way come to its end: its refresh token must not get lost. Never raises."""
        if self._renewing is not None:
            await asyncio.wait((self._renewing,))

    # --- TokenSource -----------------------------------------------------------------------------

    async def token(self) -> str:
        """Return a token that is good for a while yet, see `TokenSource`."""
        self._given = await self._good_token()
        return self._given

    async def _good_token(self) -> str:
        access, now_s = self._access, self._unix_s()
        if access is not None and (access.renew_at_s is None or now_s < access.renew_at_s):
            return access.value
        try:
            return await self._renew()
        except KnownError:
            # While it lives the old one does: the service may be away for a moment.
            if access is not None and access is self._access and now_s < (access.expires_at_s or now_s):
                return access.value
            raise

    async def renewals(self) -> AsyncIterator[str]:
        """Yield each newer token as soon as there is one, see `TokenSource`."""
        shown, retry_at_s = self._given, 0.0
        while True:
            access = self._access
            if access is not None and access.value != shown:
                shown = access.value
                yield shown
                continue
            now_s = self._unix_s()
            due_s = max(access.renew_at_s, retry_at_s) if access and access.renew_at_s is not None else now_s + LOOK_S
            if due_s <= now_s:
                try:
                    await self._renew()
                except KnownError as error:
                    _log.info("what the gateway is shown was not renewed: %s", error.reason.value)
                    retry_at_s = now_s + RETRY_S
                else:
                    retry_at_s = now_s + LEAST_S
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(min(due_s - now_s, LOOK_S)):
                    await self._news.wait()

    def refused(self, token: str) -> None:
        """Hand this token out no more."""
        if self._access is not None and self._access.value == token:
            self._access = None

    # --- the person ------------------------------------------------------------------------------

    async def standing(self) -> SignInStanding:
        """Return how the person stands; nobody but the keyring is asked."""
        access, note = self._access, self._note
        try:
            renewed = bool(await self._refresh_token(None))
        except KnownError as error:
            renewed, note = False, error.whole
        if access is not None and (access.expires_at_s is None or self._unix_s() < access.expires_at_s):
            until = None if renewed or access.expires_at_s is None else int(access.expires_at_s * 1000)
            return SignInStanding(signed_in=True, name=name_of(access.value), until_ms=until, note=note)
        return SignInStanding(signed_in=renewed, note=note)

    async def sign_in(self, open_page: Callable[[str], None]) -> None:
        """Sign in with the browser.

        Raises:
            KnownError: `SIGN_IN_FAILED`, or why gateway or sign-in service cannot be asked.
        """
        await self._take(lambda provider: sign_in_with_browser(self._http, provider, open_page, unix_s=self._unix_s))

    async def sign_in_with_code(self, show: Callable[[DeviceCode], None]) -> None:
        """Sign in with a code that is entered elsewhere; see `sign_in`."""
        await self._take(lambda provider: sign_in_with_code(self._http, provider, show, unix_s=self._unix_s))

    async def use_token(self, pasted: str) -> None:
        """Use a token that the person was given; it is kept in memory and not renewed.

        Raises:
            KnownError: `SIGN_IN_FAILED` for what is no token, or one that has expired.
        """
        value = "".join(pasted.split())
        if not 0 < len(value) <= _MAX_TOKEN_CHARS or not value.isascii() or not value.isprintable():
            raise failed(Text("This is no token."), Text("Copy the whole token, and paste it again."))
        expires_s, now_s = expiry_of(value), self._unix_s()
        if expires_s is not None and expires_s <= now_s:
            raise failed(Text("This token has expired."), Text("Ask for a new one."))
        await self._forget_if_it_can()
        self._note = _FOR_THIS_RUN
        self._put(AccessToken(value=value, begins_at_s=now_s, expires_at_s=expires_s))

    async def sign_out(self) -> bool:
        """Forget every token, here and (where that works) at the sign-in service; return whether there was one.

        Raises:
            KnownError: `KEYRING_…`: the keyring keeps its entry.
        """
        refresh = await self._refresh_token(None)
        had = bool(refresh) or self._access is not None
        await self._forget()
        if refresh:
            with suppress(KnownError):
                provider = await self._find_provider()
                if provider.revocation:
                    await self._http.post(
                        provider.revocation, {"token": refresh, "client_id": provider.terms.client_id}
                    )
        return had

    # --- inside ----------------------------------------------------------------------------------

    async def _take(self, sign_in: Callable[[Provider], Awaitable[Tokens]]) -> None:
        self._provider = None  # the gateway may have another sign-in service by now
        provider = await self._find_provider()
        tokens = await sign_in(provider)
        self._note = ""
        if tokens.refresh:
            await self._keep(provider, tokens.refresh)
        else:
            await self._forget_if_it_can()
            self._note = _FOR_THIS_RUN
        self._put(tokens.access)

    def _put(self, access: AccessToken) -> None:
        self._access = access
        self._news.set()
        self._news = asyncio.Event()

    async def _renew(self) -> str:
        """Return a new token; whoever asks meanwhile gets the same, and who gives up does not stop it."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew_now(), name="gateway-token")
            self._renewing.add_done_callback(_look_at)
        return await asyncio.shield(self._renewing)

    async def _renew_now(self) -> str:
        before = self._access
        provider = await self._find_provider() if before is not None or await self._refresh_token(None) else None
        refresh = await self._refresh_token(provider)
        if provider is None or not refresh:
            if before is None:
                raise not_signed_in()
            raise sign_in_again()
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        try:
            tokens = await redeem(self._http, provider, form, now_s=self._unix_s())
        except Rejected as rejected:
            if rejected.error != "invalid_grant":
                raise failed(
                    Text("The sign-in service refuses NovaDesk ({error}).", error=rejected.error[:40])
                ) from rejected
            if await self._refresh_token(provider) == refresh:  # else somebody signed in meanwhile
                await self._forget_if_it_can()
            raise sign_in_again() from rejected
        if tokens.refresh and tokens.refresh != refresh:
            await self._keep(provider, tokens.refresh)
        self._put(tokens.access)
        return tokens.access.value

    async def _find_provider(self) -> Provider:
        if self._provider is None:
            self._provider = await find_provider(self._http, self._gateway)
        return self._provider

    async def _refresh_token(self, provider: Provider | None) -> str:
        """Return the refresh token, or nothing. With `provider` it has to be of that one: it goes to nobody else."""
        try:
            if self._owed and not self._unkept:
                await self._empty()
            kept = self._unkept or await self._secrets.get() or ""
        except KnownError as error:
            if error.reason is not Reason.KEYRING_ABSENT:
                raise
            return ""
        try:
            found = json.loads(kept)
            issuer, client_id, refresh = found["issuer"], found["client"], found["refresh"]
        except (ValueError, KeyError, TypeError):
            return ""
        if provider is not None and (issuer, client_id) != (provider.terms.issuer, provider.terms.client_id):
            return ""
        return refresh if isinstance(refresh, str) else ""

    async def _keep(self, provider: Provider, refresh: str) -> None:
        terms = provider.terms
        entry = json.dumps({"issuer": terms.issuer, "client": terms.client_id, "refresh": refresh})
        try:
            await self._secrets.set(entry)
        except (KnownError, ValueError) as error:
            self._unkept = entry
            what = error.what if isinstance(error, KnownError) else Text("The keyring does not take the sign-in.")
            self._note = Text.joined(what, _FOR_THIS_RUN)
        else:
            self._unkept, self._note, self._owed = "", "", False

    async def _forget(self) -> None:
        self._access, self._unkept, self._note = None, "", ""
        await self._empty()

    async def _forget_if_it_can(self) -> None:
        with suppress(KnownError):  # it is forgotten before it would be used
            await self._forget()

    async def _empty(self) -> None:
        self._owed = True
        try:
            await self._secrets.delete()
        except KnownError as error:
            if error.reason is not Reason.KEYRING_ABSENT:
                raise
        self._owed = False


def _look_at(renewing: asyncio.Task[str]) -> None:
    """Take note of a failure that nobody waits for any more."""
    if not renewing.cancelled():
        renewing.exception()
