"""The update feed over HTTP, for real: a server on this computer, its redirections, its size, its silence."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from novadesk.app.updates import Nature, Updates
from novadesk.config import UpdateSettings
from novadesk.conversation.updateapi import Offer
from novadesk.errors import KnownError, Reason
from novadesk.feed import MAX_FEED_BYTES, MAX_SIGNATURE_BYTES, FeedRefused, Refusal
from novadesk.server.certificate import CertificateFiles, ensure_certificate
from novadesk.transport.feed_http import FeedHttp
from tests.support.feed_shop import Shop, opened
from tests.support.feeds import HERE, NOW_MS, feed


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as made:
        yield made


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    return ensure_certificate(tmp_path_factory.mktemp("certificate"), [], datetime.now(UTC))


def _https_only(certificate: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


async def refusal(http: FeedHttp, address: str) -> Refusal:
    with pytest.raises(FeedRefused) as raised:
        await http.fetch(address)
    return raised.value.refusal


async def test_a_feed_is_fetched_verified_and_told_of(shop: Shop, tmp_path: Path) -> None:
    shop.publish(feed())
    told: list[Offer | None] = []
    settings = UpdateSettings(feed=f"{shop.address}/{{channel}}.json")
    nature = Nature(unix_ms=lambda: NOW_MS, fetch=FeedHttp(environment={}).fetch, keys=shop.signer.keys)
    updates = Updates(settings, lambda: HERE, tmp_path / "updates.json", nature, told.append)
    assert (await updates.check()).offer == told[0]
    assert told[0] is not None
    assert told[0].version == "0.2.0"
    assert shop.asked == ["/stable.json", "/stable.json.sig"]
    assert shop.headers["User-Agent"] == "NovaDesk"
    assert {"Cookie", "Referer", "Authorization"}.isdisjoint(shop.headers)
    shop.files["/stable.json"] = feed(serial=8, version="9.0.0")  # with the signature of the other one
    with pytest.raises(FeedRefused) as raised:
        await updates.check()
    assert raised.value.refusal is Refusal.BAD_SIGNATURE
    assert (await updates.standing()).offer == told[0]


async def test_redirections_are_followed_a_few_times(shop: Shop) -> None:
    shop.publish(feed(), "/there/feed")
    shop.moved = {"/stable.json": "/half", "/half": "there/feed", "/stable.json.sig": f"{shop.address}/there/feed.sig"}
    content, signatures = await FeedHttp(environment={}).fetch(f"{shop.address}/stable.json")
    assert (content, signatures) == (shop.files["/there/feed"], shop.files["/there/feed.sig"])
    shop.moved = {"/stable.json": "/stable.json"}
    assert await refusal(FeedHttp(environment={}), f"{shop.address}/stable.json") is Refusal.MISSING
    assert shop.asked.count("/stable.json") == 1 + 4


@pytest.mark.parametrize("elsewhere", ["http://example.com/feed", "ftp://example.com/feed", "//example.com/", "//[1"])
async def test_a_redirection_out_of_encryption_is_not_followed(shop: Shop, elsewhere: str) -> None:
    shop.moved = {"/stable.json": elsewhere}
    assert await refusal(FeedHttp(environment={}), f"{shop.address}/stable.json") is Refusal.INSECURE


async def test_from_an_encrypted_server_not_even_to_this_computer(shop: Shop, certificate: CertificateFiles) -> None:
    shop.publish(feed())
    http = FeedHttp(ca_bundle=str(certificate.ca), environment={})
    async with opened(_https_only(certificate)) as safe:
        safe.publish(feed())
        safe.moved = {"/other.json": "/stable.json", "/bad.json": f"{shop.address}/stable.json"}
        assert (await http.fetch(f"{safe.address}/stable.json"))[0] == feed()
        safe.files["/other.json.sig"] = b""
        assert await http.fetch(f"{safe.address}/other.json") == (feed(), b"")
        assert await refusal(http, f"{safe.address}/bad.json") is Refusal.INSECURE
        with pytest.raises(KnownError) as raised:
            await FeedHttp(environment={}).fetch(f"{safe.address}/stable.json")
    assert raised.value.reason is Reason.TLS_REFUSED
    assert shop.asked == []


async def test_what_is_missing_or_too_big(shop: Shop) -> None:
    http, address = FeedHttp(environment={}), f"{shop.address}/stable.json"
    assert await refusal(http, address) is Refusal.MISSING
    shop.files["/stable.json"] = b"x" * MAX_FEED_BYTES
    assert await refusal(http, address) is Refusal.MISSING  # its signature
    shop.files["/stable.json.sig"] = b"x" * (MAX_SIGNATURE_BYTES + 1)
    assert await refusal(http, address) is Refusal.TOO_BIG
    shop.files["/stable.json"] += b"x"
    assert await refusal(http, address) is Refusal.TOO_BIG


@pytest.mark.parametrize(
    "address",
    ["http://example.com/feed", "example.com", "https://", "https://a:b@example.com/feed", "file:///etc/hosts"],
)
async def test_an_address_that_is_not_safe_is_not_asked(address: str) -> None:
    with pytest.raises(KnownError) as raised:
        await FeedHttp(environment={}).fetch(address)
    assert raised.value.reason is Reason.BAD_SETTINGS


async def test_a_server_that_says_nothing_is_given_up() -> None:
    silent = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(KnownError) as raised:
            await FeedHttp(environment={}, timeout_s=0.05).fetch(f"http://127.0.0.1:{port}/feed")
        assert raised.value.reason is Reason.TIMED_OUT
    finally:
        silent.set()
        server.close()
        await server.wait_closed()


async def test_the_proxy_of_the_environment_is_asked(shop: Shop) -> None:
    http = FeedHttp(environment={"HTTPS_PROXY": "http://127.0.0.1:1"})
    with pytest.raises(KnownError) as raised:
        await http.fetch("https://updates.example.com/stable.json")
    assert raised.value.reason is Reason.PROXY_REFUSED
    shop.publish(feed())
    await http.fetch(f"{shop.address}/stable.json")  # this computer is asked directly
