"""`novadesk gateway login` and `logout`, and signing in without a window."""

import asyncio
import webbrowser

from novadesk.app.accounts import Accounts, make_accounts
from novadesk.app.output import put, put_note, put_row
from novadesk.config import Settings
from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError, Layer, Reason
from novadesk.models import DeviceCode
from novadesk.paths import find_folders
from novadesk.settings_file import load_settings


def log_in(*, profile: str, device: bool, as_json: bool) -> int:
    """Sign in to the gateway of the settings; the sign-in is kept in the keyring.

    Raises:
        KnownError: it did not work, or the keyring does not keep it.
    """
    folders = find_folders(profile=profile)
    settings = load_settings(folders.settings_file)
    name = asyncio.run(_log_in(make_accounts(folders), settings, device=device))
    if as_json:
        put_row(signed_in=True, name=name)
    else:
        put(f"Signed in as {name}." if name else "Signed in.")
    return 0


def log_out(*, profile: str, as_json: bool) -> int:
    """Sign out of the gateway of the settings.

    Raises:
        KnownError: `KEYRING_…`: the keyring keeps its entry.
    """
    folders = find_folders(profile=profile)
    settings = load_settings(folders.settings_file)

    async def work() -> bool:
        accounts = make_accounts(folders)
        if settings.backend.gateway:
            accounts.of(settings.backend)  # it is told, too
        return await accounts.forget()

    had = asyncio.run(work())
    if as_json:
        put_row(signed_out=had)
    else:
        put("Signed out." if had else "Nobody was signed in.")
    return 0


async def _log_in(accounts: Accounts, settings: Settings, *, device: bool) -> str:
    account = accounts.of(settings.backend)
    opening: list[DaemonCall[bool]] = []
    if device:
        await account.sign_in_with_code(_show_code)
    else:

        def open_page(address: str) -> None:
            put_note(Layer.CREDENTIALS, f"Sign in in your browser. If none has opened, go to {address}")
            opening.append(DaemonCall(lambda: webbrowser.open(address), name="novadesk-browser"))

        await account.sign_in(open_page)
    standing = await account.standing()
    if standing.note:  # it would be gone with this process
        raise KnownError(Reason.SIGN_IN_FAILED, standing.note, "Sign in in the window, which goes on with it.")
    return standing.name


def _show_code(code: DeviceCode) -> None:
    put_note(Layer.CREDENTIALS, f"Go to {code.address} and enter the code {code.code}")
