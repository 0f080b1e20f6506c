"""The way to a gateway through HTTP proxies: of the link, of the sign-in, and of a deletion."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from novadesk.conversation.supervisor import Verdict, judge
from novadesk.errors import KnownError, Reason
from novadesk.models import DeviceCode
from novadesk.protocol.signin import TERMS_PATH, SignInTerms
from novadesk.server.certificate import CertificateFiles, ensure_certificate
from novadesk.transport.gateway_account import GatewayAccount
from novadesk.transport.gateway_copies import GatewayCopies
from novadesk.transport.signin_http import SignInHttp
from tests.integration.test_proxy import ConnectProxy, say, serving
from tests.support.gateway_client import Here, Person
from tests.support.gateway_script import scripted_gateway
from tests.support.sign_in import START_S, Secrets

WAYS = ["open", "password", "tls"]
FAR = "https://far.example"
ASKED = "CONNECT far.example:443 HTTP/1.1"


def answering(text: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="application/json")

    return answer


@pytest.fixture
def certificate(tmp_path: Path) -> CertificateFiles:
    return ensure_certificate(tmp_path, ["far.example", "localhost"], datetime.now(UTC))


def server_tls(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.chain, files.key)
    return context


@contextlib.asynccontextmanager
async def behind_proxy(
    port: int, way: str, files: CertificateFiles
) -> AsyncIterator[tuple[ConnectProxy, dict[str, str]]]:
    """Run a proxy that leads to a port; yield it and the variables that name it."""
    proxy = ConnectProxy(port, authorization="Basic bWU6cHc=" if way == "password" else "")
    async with serving(proxy, server_tls(files) if way == "tls" else None) as at:
        scheme, who = ("https" if way == "tls" else "http"), ("me:pw@" if way == "password" else "")
        yield proxy, {"HTTPS_PROXY": f"{scheme}://{who}localhost:{at}"}


@pytest.mark.parametrize("way", WAYS)
async def test_a_link_through_a_proxy(certificate: CertificateFiles, way: str, expected_logs: Any) -> None:
    if way == "tls":  # CPython 3.12 trips over itself when it closes TLS within TLS
        expected_logs.allow("Fatal error on SSL protocol")
    async with scripted_gateway(ssl=server_tls(certificate)) as gateway:
        port = int(gateway.url.rpartition(":")[2].partition("/")[0])
        async with behind_proxy(port, way, certificate) as (proxy, environment):
            here = Here("wss://far.example", ca_bundle=str(certificate.ca), environment=environment)
            wire = await (await here.wire()).start()
            await wire.say(1)
            await here.close()
    assert proxy.asked == [ASKED]
    assert gateway.tokens == ["Bearer t1"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "name and password"),
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "does not lead to far.example"),
    ],
)
async def test_a_proxy_that_refuses_is_named_and_shown_no_token(answer: bytes, words: str) -> None:
    async with serving(await say(answer)) as port:
        environment = {"HTTPS_PROXY": f"http://localhost:{port}"}
        here = Here("wss://far.example", environment=environment)
        wire = await here.wire()
        with pytest.raises(KnownError, match=words) as caught:
            await wire.link.open()
        assert caught.value.reason is Reason.PROXY_REFUSED
        assert judge(caught.value) is Verdict.FAIL
        await here.close()
        with pytest.raises(KnownError, match=words) as caught:
            await SignInHttp(environment=environment).get("https://far.example/")
        assert caught.value.reason is Reason.PROXY_REFUSED


async def test_a_proxy_that_is_not_there() -> None:
    here = Here("wss://far.example", environment={"HTTPS_PROXY": "http://localhost:9"})
    wire = await here.wire()
    with pytest.raises(KnownError) as caught:
        await wire.link.open()
    assert caught.value.reason is Reason.PROXY_REFUSED
    await here.close()


async def test_a_gateway_of_this_computer_and_an_exempt_one_are_asked_directly(certificate: CertificateFiles) -> None:
    environment = {"HTTPS_PROXY": "http://localhost:9", "NO_PROXY": "far.example"}
    async with scripted_gateway(ssl=server_tls(certificate)) as gateway:
        near = Here(gateway.url, ca_bundle=str(certificate.ca), environment=environment)
        await (await near.wire()).start()
        await near.close()
        far = Here("wss://far.example", environment=environment)
        wire = await far.wire()
        with pytest.raises(KnownError) as caught:
            await wire.link.open()
        assert caught.value.reason is Reason.UNREACHABLE
        await far.close()


@pytest.mark.parametrize("way", WAYS)
async def test_a_sign_in_and_a_deletion_through_a_proxy(certificate: CertificateFiles, way: str) -> None:
    shown, deleted = asyncio.Event(), []

    async def delete(request: web.Request) -> web.Response:
        deleted.append((request.match_info["name"], request.headers["Authorization"]))
        return web.json_response({})

    async def give_code(request: web.Request) -> web.Response:
        form = await request.post()
        code = {"device_code": "d", "user_code": "ABCD", "verification_uri": f"{FAR}/activate", "expires_in": 600}
        return web.json_response(code) if form["client_id"] == "novadesk" else web.Response(status=400)

    terms = SignInTerms(issuer=FAR, client_id="novadesk", scope="openid", parameters={}, redirects=()).to_json()
    found = {"issuer": FAR, "token_endpoint": f"{FAR}/token", "device_authorization_endpoint": f"{FAR}/device"}
    application = web.Application()
    application.add_routes(
        [
            web.get(TERMS_PATH, answering(terms)),
            web.get("/.well-known/openid-configuration", answering(json.dumps(found))),
            web.post("/device", give_code),
            web.delete("/conversation/{name}", delete),
        ]
    )
    server = TestServer(application, scheme="https")
    await server.start_server(ssl=server_tls(certificate))
    try:
        async with behind_proxy(server.port or 0, way, certificate) as (proxy, environment):
            http = SignInHttp(ca_bundle=str(certificate.ca), environment=environment)
            account = GatewayAccount(http, Secrets(), "wss://far.example", unix_s=lambda: START_S)

            def show(code: DeviceCode) -> None:
                assert code.code
                shown.set()

            signing_in = asyncio.create_task(account.sign_in_with_code(show))
            async with asyncio.timeout(60):
                await shown.wait()
            signing_in.cancel()
            await asyncio.gather(signing_in, return_exceptions=True)
            await GatewayCopies(http, "wss://far.example/ws", Person()).delete("session_1")
    finally:
        await server.close()
    assert deleted == [("session_1", "Bearer t1")]
    assert set(proxy.asked) == {ASKED}
