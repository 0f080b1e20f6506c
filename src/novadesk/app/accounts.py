"""The person's accounts at gateways, and what they ask of them; one keyring entry keeps the sign-in."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from novadesk.app.clock import SystemClock
from novadesk.config import BackendSettings, Settings
from novadesk.desktop.keychain import Keychain
from novadesk.desktop.longsecret import Entries, LongSecret
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, DeviceCode, SignInStanding
from novadesk.paths import Folders
from novadesk.transport.gateway_account import GatewayAccount
from novadesk.transport.gateway_token import TOKEN_VARIABLE, GivenToken, TokenSource
from novadesk.transport.signin_http import SignInHttp

if TYPE_CHECKING:
    from novadesk.app.core import Core

ENTRY = "gateway"


class Accounts:
    """Every account that was asked for since the start: their tokens outlive a change of the settings.

    Args:
        keychain: the keyring.
        environment: may hold a token, and names the proxy.
    """

    def __init__(self, keychain: Entries, *, environment: Mapping[str, str] = os.environ) -> None:
        self._secrets = LongSecret(keychain, ENTRY)
        self._environment = environment
        self._clock = SystemClock()
        self._made: dict[tuple[str, str], GatewayAccount] = {}

    def of(self, backend: BackendSettings) -> GatewayAccount:
        """Return the account at the gateway of these settings."""
        key = backend.gateway.strip(), backend.ca_bundle
        if key not in self._made:
            http = SignInHttp(ca_bundle=backend.ca_bundle, environment=self._environment)
            self._made[key] = GatewayAccount(http, self._secrets, key[0], unix_s=lambda: self._clock.unix_ms() / 1000)
        return self._made[key]

    def tokens(self, backend: BackendSettings) -> TokenSource:
        """Return where links have their tokens from: the environment, where it holds one, or the account."""
        given = self._environment.get(TOKEN_VARIABLE, "").strip()
        return GivenToken(given) if given else self.of(backend)

    async def forget(self) -> bool:
        """Sign out everywhere; return whether there was anything to forget.

        Raises:
            KnownError: `KEYRING_…`: the keyring keeps its entry.
        """
        had = False
        for account in self._made.values():
            had = await account.sign_out() or had
        try:
            return await self._secrets.delete() or had
        except KnownError as error:
            if error.reason is not Reason.KEYRING_ABSENT:
                raise
            return had

    async def close(self) -> None:
        """Let renewals that are under way come to their end."""
        for account in self._made.values():
            await account.close()


def make_accounts(folders: Folders, keychain: Keychain | None = None) -> Accounts:
    """Return the accounts of a profile."""
    return Accounts(keychain or Keychain(folders.keyring_service))


class AccountQuestions:
    """A part of what answers the window, see `conversation.firststeps.AccountRequests`."""

    _core: "Core"
    _settings: Settings

    async def account_standing(self, backend: BackendSettings) -> SignInStanding:
        """Return how the person stands with a gateway."""
        return await self._core.accounts.of(backend).standing()

    async def account_sign_in(self, backend: BackendSettings, open_page: Callable[[str], None]) -> None:
        """Sign in with the browser."""
        await self._core.accounts.of(backend).sign_in(open_page)
        self._go_on(backend)

    async def account_sign_in_with_code(self, backend: BackendSettings, show: Callable[[DeviceCode], None]) -> None:
        """Sign in with a code that is entered elsewhere."""
        await self._core.accounts.of(backend).sign_in_with_code(show)
        self._go_on(backend)

    async def account_use_token(self, backend: BackendSettings, token: str) -> None:
        """Use a token that the person was given."""
        await self._core.accounts.of(backend).use_token(token)
        self._go_on(backend)

    async def account_sign_out(self, backend: BackendSettings) -> None:
        """Forget every token of the account."""
        await self._core.accounts.of(backend).sign_out()

    def _go_on(self, backend: BackendSettings) -> None:
        """Let a conversation that waited for the sign-in connect."""
        in_use = self._settings.backend
        if in_use.kind is BackendKind.GATEWAY and in_use.gateway == backend.gateway:
            self._core.controller.try_now()
