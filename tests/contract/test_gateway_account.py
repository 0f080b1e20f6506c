"""Signing in to a gateway, for real: NovaDesk, a browser and the local issuer, over HTTP on this computer."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import DeviceCode
from novadesk.server.gateway.issuer import LocalIssuer
from novadesk.transport.gateway_account import GatewayAccount
from novadesk.transport.signin_http import SignInHttp
from tests.support.sign_in import Browser, Secrets, WallClock, served_issuer


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
async def served(tmp_path: Path, clock: WallClock) -> AsyncIterator[tuple[LocalIssuer, str]]:
    async with served_issuer(tmp_path, clock) as both:
        yield both


@pytest.fixture
def issuer(served: tuple[LocalIssuer, str]) -> LocalIssuer:
    return served[0]


@pytest.fixture
async def account(served: tuple[LocalIssuer, str], secrets: Secrets, clock: WallClock) -> AsyncIterator[GatewayAccount]:
    made = another(served[1], secrets, clock)
    yield made
    await made.close()


def another(address: str, secrets: Secrets, clock: WallClock) -> GatewayAccount:
    return GatewayAccount(SignInHttp(environment={}), secrets, address, unix_s=clock)


async def error_of(work: object) -> KnownError:
    with pytest.raises(KnownError) as raised:
        await work  # type: ignore[misc]
    return raised.value


async def test_a_person_signs_in_with_the_browser(
    account: GatewayAccount, issuer: LocalIssuer, clock: WallClock, secrets: Secrets
) -> None:
    assert not (await account.standing()).signed_in
    browser = Browser()
    await account.sign_in(browser.open)
    assert ["Go back to NovaDesk" in page for page in await browser.end()] == [True]
    token = await account.token()
    assert (await issuer.verifier().verify(token, now_s=clock.now_s)).subject == "alice"
    standing = await account.standing()
    assert (standing.signed_in, standing.name, standing.until_ms, standing.note) == (True, "alice", None, "")
    assert secrets.kept is not None
    assert sorted(json.loads(secrets.kept)) == ["client", "issuer", "refresh"]
    assert token not in secrets.kept


async def test_a_person_signs_in_with_a_code(account: GatewayAccount, issuer: LocalIssuer, clock: WallClock) -> None:
    browser, shown = Browser(user="bob"), []

    def show(code: DeviceCode) -> None:
        shown.append(code)
        browser.open(code.whole_address)

    await account.sign_in_with_code(show)
    assert ["signed in" in page for page in await browser.end()] == [True]
    assert (await issuer.verifier().verify(await account.token(), now_s=clock.now_s)).subject == "bob"
    (code,) = shown
    assert code.whole_address.startswith(code.address)
    assert code.code not in repr(code)


@pytest.mark.parametrize("device", [False, True], ids=["browser", "code"])
async def test_a_refusal_is_said(account: GatewayAccount, device: bool) -> None:
    browser = Browser(answer="deny")
    if device:
        error = await error_of(account.sign_in_with_code(lambda code: browser.open(code.whole_address)))
    else:
        error = await error_of(account.sign_in(browser.open))
    await browser.end()
    assert error.reason is Reason.SIGN_IN_FAILED
    assert "was refused" in error.what


async def test_who_never_signed_in_is_told_so(account: GatewayAccount) -> None:
    assert (await error_of(account.token())).reason is Reason.NO_CREDENTIALS


async def test_a_program_that_starts_again_goes_on(
    account: GatewayAccount, served: tuple[LocalIssuer, str], secrets: Secrets, clock: WallClock
) -> None:
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    first = secrets.kept
    later = another(served[1], secrets, clock)
    assert (await later.standing()).signed_in
    tokens = await asyncio.gather(*(later.token() for _ in range(10)))
    assert len(set(tokens)) == 1, "one renewal for all who ask"
    assert secrets.kept != first
    assert (await served[0].verifier().verify(tokens[0], now_s=clock.now_s)).subject == "alice"


async def test_a_token_is_renewed_five_minutes_before_its_end(account: GatewayAccount, clock: WallClock) -> None:
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    token = await account.token()
    clock.now_s += 3299
    assert await account.token() == token
    clock.now_s += 1
    assert await account.token() != token


async def test_a_refused_token_is_replaced(account: GatewayAccount) -> None:
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    token = await account.token()
    account.refused("another")
    assert await account.token() == token
    account.refused(token)
    assert await account.token() != token


async def test_a_renewal_reaches_the_link_that_lives(account: GatewayAccount) -> None:
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    first, renewals = await account.token(), account.renewals()
    waiting = asyncio.ensure_future(anext(renewals))
    await asyncio.sleep(0)
    account.refused(first)
    second = await account.token()
    assert await waiting == second
    await renewals.aclose()  # type: ignore[attr-defined]


async def test_a_sign_in_that_was_taken_back_is_forgotten(
    account: GatewayAccount, served: tuple[LocalIssuer, str], secrets: Secrets, clock: WallClock
) -> None:
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    stolen = Secrets()
    stolen.kept = secrets.kept
    assert await account.sign_out()
    assert secrets.kept is None
    assert not await account.sign_out()
    thief = another(served[1], stolen, clock)
    error = await error_of(thief.token())
    assert error.reason is Reason.CREDENTIALS_EXPIRED
    assert stolen.kept is None
    assert not (await account.standing()).signed_in


async def test_a_refresh_token_goes_to_its_own_issuer_only(
    account: GatewayAccount, served: tuple[LocalIssuer, str], secrets: Secrets, clock: WallClock
) -> None:
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    assert secrets.kept is not None
    secrets.kept = json.dumps(json.loads(secrets.kept) | {"issuer": "https://other.example"})
    assert (await error_of(another(served[1], secrets, clock).token())).reason is Reason.NO_CREDENTIALS


async def test_without_a_keyring_the_sign_in_counts_for_this_run(account: GatewayAccount, secrets: Secrets) -> None:
    secrets.error = KnownError(Reason.KEYRING_ABSENT, "This system has no keyring service running.", "Start it.")
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    token = await account.token()
    standing = await account.standing()
    assert standing.signed_in
    assert standing.note == "This system has no keyring service running. The sign-in is remembered for this run only."
    account.refused(token)
    assert await account.token() != token
    assert await account.sign_out()


async def test_a_locked_keyring_is_named(account: GatewayAccount, secrets: Secrets) -> None:
    secrets.error = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it and try again.")
    assert (await error_of(account.token())).reason is Reason.KEYRING_LOCKED
    assert (await account.standing()).note == "The keyring is locked. Unlock it and try again."


async def test_a_pasted_token_is_used_until_it_ends(
    account: GatewayAccount, issuer: LocalIssuer, clock: WallClock, secrets: Secrets
) -> None:
    token = issuer.mint("carol", valid_s=600)
    await account.use_token(f"  {token[:40]}\n{token[40:]} \n")
    assert await account.token() == token
    standing = await account.standing()
    assert (standing.name, standing.until_ms) == ("carol", int((clock.now_s + 600) * 1000))
    assert secrets.kept is None
    clock.now_s += 599
    assert await account.token() == token
    clock.now_s += 1
    assert (await error_of(account.token())).reason is Reason.CREDENTIALS_EXPIRED


async def test_a_token_that_is_pasted_while_the_keyring_is_locked_ends_the_sign_in_before_all_the_same(
    account: GatewayAccount, issuer: LocalIssuer, clock: WallClock, secrets: Secrets
) -> None:
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    secrets.error = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it and try again.")
    await account.use_token(token := issuer.mint("carol", valid_s=600))
    standing = await account.standing()
    assert (standing.name, standing.note) == ("carol", "The keyring is locked. Unlock it and try again.")
    assert await account.token() == token
    secrets.error = None
    clock.now_s += 601
    assert (await error_of(account.token())).reason is Reason.CREDENTIALS_EXPIRED
    assert secrets.kept is None, "alice is not asked for behind carol's back"


async def test_a_new_sign_in_is_kept_though_the_one_before_could_not_be_forgotten(
    account: GatewayAccount, issuer: LocalIssuer, secrets: Secrets
) -> None:
    secrets.error = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it and try again.")
    await account.use_token(issuer.mint("carol", valid_s=600))
    secrets.error = None
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    account.refused(await account.token())
    assert await account.token()
    assert secrets.kept is not None


@pytest.mark.parametrize("pasted", ["", " ", "a\x00b", "ä", "x" * 8193])
async def test_what_is_no_token_is_not_taken(account: GatewayAccount, pasted: str) -> None:
    assert (await error_of(account.use_token(pasted))).reason is Reason.SIGN_IN_FAILED


async def test_a_token_that_is_over_is_not_taken(
    account: GatewayAccount, issuer: LocalIssuer, clock: WallClock
) -> None:
    token = issuer.mint("carol", valid_s=60)
    clock.now_s += 61
    error = await error_of(account.use_token(token))
    assert "expired" in error.what
    assert token not in str(error)


async def test_nobody_else_gets_through_the_door(account: GatewayAccount) -> None:
    browser, seen = Browser(), []

    async def guess(address: str) -> None:
        door = parse_qs(urlsplit(address).query)["redirect_uri"][0]
        async with aiohttp.ClientSession() as session:
            for query in ("?code=evil", "?code=evil&state=x", "?state=x&state=y&error=z", "favicon.ico", ""):
                async with session.get(f"{door}{query}") as response:
                    seen.append(response.status)
            async with session.post(door) as response:
                seen.append(response.status)
        browser.open(address)

    guesses = []
    await account.sign_in(lambda address: guesses.append(asyncio.create_task(guess(address))))
    await asyncio.gather(*guesses)
    await browser.end()
    assert seen == [404] * 6
    assert await account.token()


async def test_a_sign_in_can_be_given_up(account: GatewayAccount) -> None:
    opened = asyncio.Event()
    signing_in = asyncio.create_task(account.sign_in(lambda _: opened.set()))
    await opened.wait()
    signing_in.cancel()
    with pytest.raises(asyncio.CancelledError):
        await signing_in
    assert not (await account.standing()).signed_in


async def test_a_gateway_that_is_not_there(secrets: Secrets, clock: WallClock) -> None:
    account = another("ws://127.0.0.1:1", secrets, clock)
    assert (await error_of(account.sign_in(lambda _: None))).reason is Reason.UNREACHABLE


@pytest.mark.parametrize(
    "address", ["", "voice example", "ftp://voice.example", "ws://voice.example", "wss://a@b", "http://[::1"]
)
async def test_an_address_that_is_none(address: str, secrets: Secrets, clock: WallClock) -> None:
    error = await error_of(another(address, secrets, clock).sign_in(lambda _: None))
    assert error.reason is Reason.BAD_SETTINGS


async def test_no_token_reaches_a_log_or_an_error(
    account: GatewayAccount, issuer: LocalIssuer, secrets: Secrets, clock: WallClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "novadesk")
    await account.sign_in((browser := Browser()).open)
    await browser.end()
    told, seen = [repr(await account.standing()), repr(account)], {await account.token()}
    for _ in range(2):
        assert secrets.kept is not None
        seen.add(json.loads(secrets.kept)["refresh"])
        account.refused(await account.token())
        seen.add(await account.token())
    seen.add(pasted := issuer.mint("carol", valid_s=60))
    await account.use_token(pasted)
    clock.now_s += 120
    told += [str(await error_of(account.token())), str(await error_of(account.use_token(pasted)))]
    told += [f"{record.getMessage()} {record.exc_info} {record.__dict__}" for record in caplog.records]
    assert len(seen) >= 5
    assert [part for token in seen for part in token.split(".")[-1:] if part in "\n".join(told)] == []
