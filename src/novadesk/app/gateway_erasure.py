"""The deletions that gateways are owed, whichever backend is in use: that of the settings is paid, others are named."""

import os

from novadesk.app.accounts import Accounts
from novadesk.config import BackendSettings
from novadesk.errors import KnownError, Reason
from novadesk.store import links
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


async def examine_deletions(database: Database, gateway: str) -> str:
    """Return what is still to be deleted at the gateway of the settings.

    Raises:
        KnownError: `SYNC_UNREACHABLE`: something is, at one that they do not name.
    """
    here, elsewhere = await database.read(lambda db: links.owed_deletions(db, links.gateway_mark(gateway)))
    if elsewhere:
        raise KnownError(
            Reason.SYNC_UNREACHABLE,
            "Conversations that you deleted are still at a gateway that the settings do not name: {n}.",
            "Set [backend] gateway to its address until they are deleted there.",
            n=str(elsewhere),
        )
    return f"still to be deleted at the gateway: {here}" if here else "none is owed"
