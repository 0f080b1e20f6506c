"""The issuer's keys: found, kept, renewed when they rotate, and never fetched at anybody's will."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from novadesk.server.gateway.keyset import (
    MAX_DOCUMENT_BYTES,
    Freshness,
    HttpFetch,
    Key,
    KeySet,
    KeysUnavailable,
    is_safe,
    read_keys,
)
from tests.support.leaks import LogWatch
from tests.support.tokens import ISSUER, NOW_S, jwks, make_key

KEYS_URL = "https://issuer.example/keys"
DISCOVERY_URL = f"{ISSUER}/.well-known/openid-configuration"
OLD = make_key("ES256", "old")
NEW = make_key("ES256", "new")


class Issuer:
    """Answers by address; an address without an answer is down."""

    def __init__(self, **answers: bytes) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, address: str) -> bytes:
        self.asked.append(address)
        await asyncio.sleep(0)
        name = "keys" if address == KEYS_URL else "discovery" if address == DISCOVERY_URL else address
        if name not in self.answers:
            raise KeysUnavailable("The sign-in service answered 503.")
        return self.answers[name]


def key_set(issuer: Issuer, *, keys_url: str = KEYS_URL) -> KeySet:
    rules = Freshness(lifetime_s=600, stale_s=3600, pause_s=30)
    return KeySet(issuer=ISSUER, keys_url=keys_url, fetch=issuer, freshness=rules)


async def name_found(keys: KeySet, key_id: str, now_s: float) -> str | None:
    found: Key | None = await keys.find(key_id, "ES256", now_s=now_s)
    return found.key_id if found else None


async def test_many_at_once_fetch_once_and_until_the_lifetime_ends() -> None:
    issuer = Issuer(keys=jwks(OLD))
    keys = key_set(issuer)
    assert await asyncio.gather(*(name_found(keys, "old", NOW_S) for _ in range(20))) == ["old"] * 20
    assert await name_found(keys, "old", NOW_S + 599) == "old"
    assert len(issuer.asked) == 1
    assert await name_found(keys, "old", NOW_S + 600) == "old"
    assert len(issuer.asked) == 2


async def test_a_new_key_is_found_at_once_and_the_old_one_is_gone() -> None:
    issuer = Issuer(keys=jwks(OLD))
    keys = key_set(issuer)
    await keys.find("old", "ES256", now_s=NOW_S)
    issuer.answers["keys"] = jwks(NEW)
    assert await name_found(keys, "new", NOW_S + 31) == "new"
    assert await name_found(keys, "old", NOW_S + 32) is None


async def test_unknown_names_make_it_ask_only_once_in_a_while() -> None:
    issuer = Issuer(keys=jwks(OLD))
    keys = key_set(issuer)
    for tenth in range(1000):  # 100 s of somebody who guesses
        assert await name_found(keys, f"guess-{tenth}", NOW_S + tenth / 10) is None
    assert len(issuer.asked) == 4


async def test_old_keys_count_while_the_issuer_is_down_but_not_for_ever(expected_logs: LogWatch) -> None:
    expected_logs.allow("were not renewed")
    issuer = Issuer(keys=jwks(OLD))
    keys = key_set(issuer)
    await keys.find("old", "ES256", now_s=NOW_S)
    issuer.answers.clear()
    assert await name_found(keys, "old", NOW_S + 3599) == "old"
    with pytest.raises(KeysUnavailable):
        await keys.find("old", "ES256", now_s=NOW_S + 3600)
    issuer.answers["keys"] = jwks(OLD)
    assert await name_found(keys, "old", NOW_S + 3640) == "old"


async def test_a_document_that_is_broken_costs_the_keys_nothing(expected_logs: LogWatch) -> None:
    expected_logs.allow("were not renewed")
    issuer = Issuer(keys=jwks(OLD))
    keys = key_set(issuer)
    await keys.find("old", "ES256", now_s=NOW_S)
    for number, broken in enumerate((b"", b"[]", b'{"keys":[]}', b'{"keys":{}}', b"\xff", b'{"keys":[1,null]}'), 1):
        issuer.answers["keys"] = broken
        assert await name_found(keys, "old", NOW_S + 600 + number * 31) == "old"


async def test_the_keys_are_found_by_discovery() -> None:
    issuer = Issuer(discovery=json.dumps({"issuer": ISSUER, "jwks_uri": KEYS_URL}).encode(), keys=jwks(OLD))
    assert await name_found(key_set(issuer, keys_url=""), "old", NOW_S) == "old"
    assert issuer.asked == [DISCOVERY_URL, KEYS_URL]


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example", "jwks_uri": KEYS_URL},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": "http://issuer.example/keys"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER, "jwks_uri": ["https://issuer.example/keys"]},
    ],
)
async def test_a_discovery_that_leads_astray_is_not_followed(document: object, expected_logs: LogWatch) -> None:
    expected_logs.allow("were not renewed")
    issuer = Issuer(discovery=json.dumps(document).encode(), keys=jwks(OLD))
    with pytest.raises(KeysUnavailable):
        await key_set(issuer, keys_url="").find("old", "ES256", now_s=NOW_S)
    assert issuer.asked == [DISCOVERY_URL]


def test_of_the_keys_only_those_of_use_are_taken() -> None:
    good = OLD.public_jwk
    weak = {"kty": "RSA", "kid": "weak", "n": "sXch", "e": "AQAB"}
    entries = [
        weak,
        good | {"use": "enc"},
        good | {"alg": "ES384"},
        good | {"crv": "P-384"},
        good | {"x": "AAAA"},
        good | {"kid": 7},
        good | {"key_ops": ["sign"]},
        {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "secret"},
        {name: value for name, value in good.items() if name != "y"},
        {name: value for name, value in good.items() if name not in ("alg", "use")},
    ]
    assert [key.key_id for key in read_keys(json.dumps({"keys": entries}).encode())] == ["old"]


async def test_a_name_given_twice_fits_nothing() -> None:
    assert await name_found(key_set(Issuer(keys=jwks(OLD, make_key("ES256", "old")))), "old", NOW_S) is None


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://issuer.example/keys", True),
        ("http://127.0.0.1:8001/jwks.json", True),
        ("http://localhost/jwks.json", True),
        ("http://[::1]:9/jwks.json", True),
        ("http://issuer.example/keys", False),
        ("http://127.0.0.1.evil.example/keys", False),
        ("https://name:word@issuer.example/keys", False),
        ("https:///keys", False),
        ("http://[::1/keys", False),
        ("ftp://issuer.example/keys", False),
        ("", False),
    ],
)
def test_keys_come_over_tls_or_from_this_computer(address: str, safe: bool) -> None:
    assert is_safe(address) is safe


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[web.StreamResponse | None], Awaitable[str]]]:
    """Serve one answer on this computer; None never answers."""
    servers: list[TestServer] = []

    async def start(answer: web.StreamResponse | None) -> str:
        async def handle(_: web.Request) -> web.StreamResponse:
            if answer is None:
                await asyncio.Event().wait()
            return answer or web.Response()

        app = web.Application()
        app.router.add_get("/keys", handle)
        server = TestServer(app, shutdown_timeout=0)
        await server.start_server()
        servers.append(server)
        return str(server.make_url("/keys"))

    yield start
    for server in servers:
        await server.close()


class TestHttpFetch:
    async def test_a_document_comes_in_full(self, serve: Callable[..., Awaitable[str]]) -> None:
        address = await serve(web.Response(body=jwks(OLD)))
        assert await HttpFetch()(address) == jwks(OLD)

    @pytest.mark.parametrize(
        "answer",
        [
            web.Response(body=b" " * (MAX_DOCUMENT_BYTES + 1)),
            web.Response(status=500),
            web.Response(status=302, headers={"Location": "https://evil.example/keys"}),
            web.Response(status=204),
        ],
        ids=["too much", "500", "redirect", "204"],
    )
    async def test_anything_else_is_no_document(
        self, answer: web.Response, serve: Callable[..., Awaitable[str]]
    ) -> None:
        address = await serve(answer)
        with pytest.raises(KeysUnavailable):
            await HttpFetch()(address)

    async def test_it_does_not_wait_for_ever(self, serve: Callable[..., Awaitable[str]]) -> None:
        address = await serve(None)
        with pytest.raises(KeysUnavailable):
            await HttpFetch(timeout_s=0.05)(address)

    async def test_nobody_there(self) -> None:
        with pytest.raises(KeysUnavailable):
            await HttpFetch()("http://127.0.0.1:1/keys")
        with pytest.raises(KeysUnavailable):
            await HttpFetch()("http://issuer.example/keys")
