"""The local issuer over HTTP, as a browser and NovaDesk use it: and only from this computer."""

import base64
import hashlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from novadesk.errors import KnownError
from novadesk.server.gateway.identity import Refused
from novadesk.server.gateway.issuer import CLIENT_ID, LocalIssuer
from novadesk.server.gateway.keyset import HttpFetch, KeySet

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1:40123/back"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

type Browser = TestClient[web.Request, web.Application]


class Clock:
    """Unix seconds, moved by hand."""

    now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer(tmp_path: Path, clock: Clock) -> AsyncIterator[LocalIssuer]:
    made = LocalIssuer(tmp_path / "gateway", clock=clock, user="alice")
    yield made
    made.close()


@pytest.fixture
async def browser(issuer: LocalIssuer) -> AsyncIterator[Browser]:
    app = web.Application()
    app.add_routes(issuer.routes())
    async with TestClient(TestServer(app)) as client:
        yield client


def query(**changes: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "state": "the-state",
        "nonce": "the-nonce",
    } | changes


async def answer_page(browser: Browser, page: str, answer: str = "allow") -> ClientResponse:
    wish = re.search(r'name="wish" value="([^"]+)"', page)
    assert wish is not None
    form = {"wish": wish[1], "user": "alice", "answer": answer}
    return await browser.post("/authorize", data=form, allow_redirects=False)


def led_to(response: ClientResponse) -> dict[str, str]:
    assert response.status == 302
    parts = urlsplit(response.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == REDIRECT
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


async def code_of(browser: Browser) -> str:
    page = await (await browser.get("/authorize", params=query())).text()
    return led_to(await answer_page(browser, page))["code"]


async def token_of(browser: Browser, **form: str) -> tuple[int, dict[str, Any]]:
    response = await browser.post("/token", data={"client_id": CLIENT_ID} | form)
    assert response.headers["Cache-Control"] == "no-store"
    return response.status, await response.json()


def code_form(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }


async def test_a_browser_signs_in_and_the_token_is_taken(browser: Browser, issuer: LocalIssuer, clock: Clock) -> None:
    base = str(browser.make_url("")).rstrip("/")
    shown = await browser.get("/authorize", params=query())
    assert "frame-ancestors 'none'" in shown.headers["Content-Security-Policy"]
    # With `no-referrer` a browser sends the form with `Origin: null`, which is refused.
    assert shown.headers["Referrer-Policy"] == "same-origin"
    led = led_to(await answer_page(browser, await shown.text()))
    assert (led["state"], led["iss"]) == ("the-state", base)
    status, tokens = await token_of(browser, **code_form(led["code"]))
    assert (status, tokens["token_type"], tokens["expires_in"]) == (200, "Bearer", 3600)
    proof = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (proof["iss"], proof["aud"], proof["sub"], proof["nonce"]) == (base, CLIENT_ID, "alice", "the-nonce")
    identity = await issuer.verifier().verify(tokens["access_token"], now_s=clock.now_s)
    assert (identity.subject, identity.expires_at_s) == ("alice", clock.now_s + 3600)
    with pytest.raises(Refused):
        await issuer.verifier().verify(tokens["id_token"], now_s=clock.now_s)


async def test_its_keys_are_found_by_discovery(browser: Browser, clock: Clock) -> None:
    keys = KeySet(issuer=str(browser.make_url("")).rstrip("/"), fetch=HttpFetch())
    assert await keys.find("", "ES256", now_s=clock.now_s) is not None


async def test_a_refusal_leads_back(browser: Browser) -> None:
    page = await (await browser.get("/authorize", params=query())).text()
    assert led_to(await answer_page(browser, page, "deny"))["error"] == "access_denied"
    again = await answer_page(browser, page)
    assert again.status == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "somebody"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://127.0.0.1.evil.example/"},
        {"redirect_uri": "http://user@127.0.0.1:1/"},
        {"redirect_uri": "http://[::1"},
        {"redirect_uri": ""},
    ],
)
async def test_nobody_is_led_to_somebody_else(browser: Browser, changes: dict[str, str]) -> None:
    response = await browser.get("/authorize", params=query(**changes), allow_redirects=False)
    assert response.status == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
    ],
)
async def test_nobody_signs_in_without_proof_of_possession(
    browser: Browser, changes: dict[str, str], error: str
) -> None:
    response = await browser.get("/authorize", params=query(**changes), allow_redirects=False)
    assert led_to(response)["error"] == error


async def test_a_device_signs_in(browser: Browser, issuer: LocalIssuer, clock: Clock) -> None:
    device = await (await browser.post("/device_authorization", data={"client_id": CLIENT_ID})).json()
    form = {"grant_type": DEVICE_GRANT, "device_code": device["device_code"]}
    assert await token_of(browser, **form) == (400, {"error": "authorization_pending"})
    assert await token_of(browser, **form) == (400, {"error": "slow_down"})
    assert device["verification_uri_complete"].startswith(device["verification_uri"])
    page = await (await browser.get("/activate", params={"user_code": device["user_code"]})).text()
    assert device["user_code"] in page
    wrong = await browser.post("/activate", data={"user_code": "XXXX", "user": "alice", "answer": "allow"})
    assert wrong.status == 400
    right = {"user_code": device["user_code"], "user": "alice", "answer": "allow"}
    assert (await browser.post("/activate", data=right)).status == 200
    status, tokens = await token_of(browser, **form)
    assert status == 200
    assert (await issuer.verifier().verify(tokens["access_token"], now_s=clock.now_s)).subject == "alice"


async def test_a_device_that_waits_too_long_is_told(browser: Browser, clock: Clock) -> None:
    device = await (await browser.post("/device_authorization", data={"client_id": CLIENT_ID})).json()
    clock.now_s += device["expires_in"]
    form = {"grant_type": DEVICE_GRANT, "device_code": device["device_code"]}
    assert await token_of(browser, **form) == (400, {"error": "expired_token"})


async def test_tokens_are_refreshed_and_taken_back(browser: Browser) -> None:
    _, tokens = await token_of(browser, **code_form(await code_of(browser)))
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    status, renewed = await token_of(browser, **form)
    assert status == 200
    assert renewed["refresh_token"] != tokens["refresh_token"]
    assert (await browser.post("/revoke", data={"token": renewed["refresh_token"]})).status == 200
    gone = await token_of(browser, grant_type="refresh_token", refresh_token=renewed["refresh_token"])
    assert gone == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ({"grant_type": "password"}, (400, {"error": "unsupported_grant_type"})),
        ({}, (400, {"error": "unsupported_grant_type"})),
        ({"grant_type": "refresh_token", "client_id": "somebody"}, (401, {"error": "invalid_client"})),
        ({"grant_type": "authorization_code", "code": "guess"}, (400, {"error": "invalid_grant"})),
    ],
)
async def test_other_grants_are_refused(
    browser: Browser, form: dict[str, str], answer: tuple[int, dict[str, str]]
) -> None:
    assert await token_of(browser, **form) == answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
async def test_a_page_from_elsewhere_gets_nowhere(browser: Browser, headers: dict[str, str]) -> None:
    for path in ("/authorize", "/activate", "/token", "/device_authorization", "/revoke"):
        assert (await browser.post(path, data={"client_id": CLIENT_ID}, headers=headers)).status == 403


async def test_names_are_shown_as_they_are(browser: Browser) -> None:
    page = await (await browser.get("/activate", params={"user_code": '"><script>alert'})).text()
    assert "<script" not in page


class TestMinting:
    async def test_issuers_of_one_folder_take_each_others_tokens(self, tmp_path: Path, clock: Clock) -> None:
        one, other = (LocalIssuer(tmp_path, clock=clock) for _ in range(2))
        stranger = LocalIssuer(tmp_path / "elsewhere", clock=clock)
        token = one.mint("bob", valid_s=60)
        assert (await other.verifier().verify(token, now_s=clock.now_s)).subject == "bob"
        with pytest.raises(Refused):
            await stranger.verifier().verify(token, now_s=clock.now_s)
        for issuer in (one, other, stranger):
            issuer.close()
        assert (tmp_path / "issuer.pem").stat().st_mode & 0o777 == 0o600
        assert sorted(os.listdir(tmp_path)) == ["elsewhere", "issuer.db", "issuer.pem"]

    async def test_a_key_that_is_broken_is_made_anew(self, tmp_path: Path, clock: Clock) -> None:
        (tmp_path / "issuer.pem").write_text("no key")
        issuer = LocalIssuer(tmp_path, clock=clock)
        assert (await issuer.verifier().verify(issuer.mint("bob", valid_s=60), now_s=clock.now_s)).subject == "bob"
        issuer.close()

    @pytest.mark.parametrize("name", ["", "a" * 256, "a\nb"])
    def test_names_that_are_none(self, issuer: LocalIssuer, name: str) -> None:
        with pytest.raises(KnownError):
            issuer.mint(name, valid_s=60)

    def test_a_folder_that_cannot_be_used(self, tmp_path: Path, clock: Clock) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(KnownError):
            LocalIssuer(tmp_path / "file" / "within", clock=clock)
