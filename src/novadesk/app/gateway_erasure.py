"""The deletions that the gateway of the settings is owed, whichever backend is in use."""

import os

from novadesk.app.accounts import Accounts
from novadesk.config import BackendSettings
from novadesk.store.database import Database
from novadesk.store.erasure import Erasure
from novadesk.store.pause import Clock
from novadesk.store.registry import Registry
from novadesk.transport.gateway_copies import GatewayCopies
from novadesk.transport.signin_http import SignInHttp


def make_erasure(
    backend: BackendSettings, database: Database, registry: Registry, accounts: Accounts, clock: Clock
) -> Erasure | None:
    """Return what pays them; None without a gateway."""
    gateway = backend.gateway.strip()
    if not gateway:
        return None
    http = SignInHttp(ca_bundle=backend.ca_bundle, environment=os.environ)
    return Erasure(database, registry, GatewayCopies(http, gateway, accounts.tokens(backend)), gateway, clock)
