"""`novadesk gateway token`: a token that the gateway of this computer takes."""

import getpass

from novadesk.app.clock import SystemClock
from novadesk.app.output import put
from novadesk.paths import find_folders
from novadesk.server.gateway.issuer import LocalIssuer


def print_token(*, profile: str, user: str, valid_s: float) -> int:
    """Print a token of the local issuer, for a gateway of this data folder.

    Raises:
        KnownError: `BAD_INPUT` for a name that is none, or a folder that cannot be used.
    """
    folders = find_folders(profile=profile).make()
    issuer = LocalIssuer(folders.gateway, clock=lambda: SystemClock().unix_ms() / 1000)
    try:
        put(issuer.mint(user or local_user(), valid_s=valid_s))
    finally:
        issuer.close()
    return 0


def local_user() -> str:
    """Return the person's name on this computer, or a stand-in where there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "developer"
