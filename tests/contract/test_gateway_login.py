"""`novadesk gateway login` and `logout`: signed in from a terminal, kept for the next program, and forgotten."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from novadesk.app import gateway_sign_in
from novadesk.app.accounts import Accounts
from novadesk.app.gateway_sign_in import log_in, log_out
from novadesk.config import BackendSettings
from novadesk.errors import KnownError, Layer, Reason
from novadesk.paths import Folders, find_folders
from tests.support.sign_in import Browser, WallClock, served_issuer
from tests.support.store_rig import MemoryKeychain

LOCKED = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it and try again.")


@pytest.fixture
def keychain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryKeychain:
    kept = MemoryKeychain()
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))

    def make_accounts(_: Folders) -> Accounts:
        return Accounts(kept, environment={})

    monkeypatch.setattr(gateway_sign_in, "make_accounts", make_accounts)
    return kept


@pytest.fixture
async def address(tmp_path: Path, keychain: MemoryKeychain) -> AsyncIterator[str]:
    clock = WallClock()
    async with served_issuer(tmp_path / "gateway", clock) as (_, gateway):
        settings_file = find_folders().make().settings_file
        settings_file.write_text(f"[backend]\nkind = 'gateway'\ngateway = '{gateway}'\n", encoding="utf-8")
        yield gateway


class Person:
    """Goes to the page that the program opens, or names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.browser, self.told = Browser(), []
        self._loop = asyncio.get_running_loop()
        monkeypatch.setattr(gateway_sign_in.webbrowser, "open", self._visit)
        monkeypatch.setattr(gateway_sign_in, "put_note", self._read)

    def _visit(self, page: str) -> bool:
        self._loop.call_soon_threadsafe(self.browser.open, page)
        return True

    def _read(self, layer: Layer, words: str) -> None:
        self.told.append((layer, words))
        if asked := re.fullmatch(r"Go to (\S+) and enter the code (\S+)", words):
            self._visit(f"{asked[1]}?user_code={asked[2]}")


@pytest.mark.parametrize("device", [False, True], ids=["browser", "code"])
async def test_who_signed_in_is_signed_in_for_the_next_program_until_they_sign_out(
    address: str,
    keychain: MemoryKeychain,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    device: bool,
) -> None:
    person = Person(monkeypatch)
    assert await asyncio.to_thread(log_in, profile="", device=device, as_json=True) == 0
    await person.browser.end()
    assert json.loads(capsys.readouterr().out) == {"signed_in": True, "name": "alice"}
    ((layer, words),) = person.told
    assert layer is Layer.CREDENTIALS
    assert ("enter the code" if device else "in your browser") in words
    backend = BackendSettings(gateway=address)
    later = Accounts(keychain, environment={})
    assert await later.of(backend).token()
    await later.close()

    assert await asyncio.to_thread(log_out, profile="", as_json=False) == 0
    assert capsys.readouterr().out == "Signed out.\n"
    assert keychain.entries == {}
    assert not (await Accounts(keychain, environment={}).of(backend).standing()).signed_in
    await asyncio.to_thread(log_out, profile="", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"signed_out": False}


async def test_a_sign_in_that_would_be_gone_with_the_program_is_none(
    address: str, keychain: MemoryKeychain, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, keychain.failure = Person(monkeypatch), LOCKED
    with pytest.raises(KnownError) as raised:
        await asyncio.to_thread(log_in, profile="", device=False, as_json=False)
    await person.browser.end()
    assert raised.value.reason is Reason.SIGN_IN_FAILED
    assert "The keyring is locked." in raised.value.what


async def test_a_keyring_that_keeps_the_sign_in_is_named(address: str, keychain: MemoryKeychain) -> None:
    keychain.failure = LOCKED
    with pytest.raises(KnownError) as raised:
        await asyncio.to_thread(log_out, profile="", as_json=False)
    assert raised.value.reason is Reason.KEYRING_LOCKED


async def test_without_a_gateway_there_is_nothing_to_sign_in_to(keychain: MemoryKeychain) -> None:
    with pytest.raises(KnownError, match="No gateway is set") as raised:
        await asyncio.to_thread(log_in, profile="", device=False, as_json=False)
    assert raised.value.reason is Reason.BAD_SETTINGS
