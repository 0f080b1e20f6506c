"""The way to the service: through proxies, past certificates, and into walls."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.protocol.link import Accepted
from novadesk.server.certificate import CertificateFiles, ensure_certificate
from novadesk.transport import dial as dial_module
from novadesk.transport.bedrock import BedrockLink, Route
from novadesk.transport.credentials import FrozenCredentials
from novadesk.transport.dial import dial
from novadesk.transport.endpoint import Endpoint, parse_endpoint
from novadesk.transport.proxy import Proxy
from novadesk.transport.trust import Trust, make_trust
from tests.support.scripted_partner import Rig, listen, running

type Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FAR = Endpoint(host="far.example", port=443, tls=True)


@contextlib.asynccontextmanager
async def serving(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run a server that does with each connection what `talk` says."""
    tasks: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


class ConnectProxy:
    """An HTTP proxy that leads everywhere to one port, and remembers what it was asked."""

    def __init__(self, port: int, *, authorization: str = "") -> None:
        self.asked: list[str] = []
        self._port = port
        self._authorization = authorization

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split("\r\n")[0])
        if self._authorization and f"Proxy-Authorization: {self._authorization}\r\n" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))
        finally:
            far_writer.transport.abort()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.transport.abort()


async def say(answer: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return talk


async def refused(endpoint: Endpoint, *, proxy: Proxy | None = None, trust: Trust | None = None) -> KnownError:
    with pytest.raises(KnownError) as caught:
        await dial(endpoint, trust=trust or make_trust(), proxy=proxy, deadline_s=60.0)
    assert caught.value.advice
    return caught.value


def route(rig: Rig, *, host: str, proxy: Proxy) -> Route:
    return Route(
        endpoint=Endpoint(host=host, port=443, tls=True),
        region=rig.address.region,
        model="amazon.nova-2-sonic-v1:0",
        credentials=FrozenCredentials(
            access_key_id=rig.address.access_key_id, secret_access_key=rig.address.secret_access_key
        ),
        trust=make_trust(rig.address.ca_file),
        proxy=proxy,
    )


@pytest.fixture
def certificate(tmp_path: Path) -> CertificateFiles:
    return ensure_certificate(tmp_path, ["far.example"], datetime.now(UTC))


@pytest.mark.parametrize("way", ["open", "password", "tls"])
async def test_through_a_proxy_to_the_service(tmp_path: Path, certificate: CertificateFiles, way: str) -> None:
    authorization = "Basic bWU6cHc=" if way == "password" else ""
    async with running(tmp_path, listen, names=("far.example",)) as rig:
        proxy = ConnectProxy(parse_endpoint(rig.address.bedrock_tls).port, authorization=authorization)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if way == "tls" else None
        if tls is not None:
            tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
        async with serving(proxy, tls) as port:
            way_out = Proxy(host="localhost", port=port, tls=way == "tls", authorization=authorization)
            link = BedrockLink(route(rig, host="far.example", proxy=way_out))
            await link.open()
            assert await link.receive() == Accepted()
            await link.close()
    assert proxy.asked == ["CONNECT far.example:443 HTTP/1.1"]
    del certificate


async def test_a_proxy_that_wants_a_password() -> None:
    async with serving(ConnectProxy(0, authorization="Basic bWU6cHc=")) as port:
        error = await refused(FAR, proxy=Proxy(host="127.0.0.1", port=port, tls=False))
    assert error.reason is Reason.PROXY_REFUSED
    assert "password" in error.what


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "status 403"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "status 502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 \r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200", "without an answer"),
        (b"", "without an answer"),
        (b"x" * 200_000, "not HTTP"),
    ],
)
async def test_a_proxy_that_refuses(answer: bytes, words: str) -> None:
    async with serving(await say(answer)) as port:
        error = await refused(FAR, proxy=Proxy(host="127.0.0.1", port=port, tls=False))
    assert error.reason is Reason.PROXY_REFUSED
    assert words in error.what


async def test_a_proxy_that_is_not_there() -> None:
    async with serving(await say(b"")) as port:
        pass
    assert (await refused(FAR, proxy=Proxy(host="127.0.0.1", port=port, tls=False))).reason is Reason.UNREACHABLE


async def test_whatever_stays_mute_is_given_up(certificate: CertificateFiles) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(mute) as port:
        for endpoint, proxy in (
            (FAR, Proxy(host="127.0.0.1", port=port, tls=False)),
            (Endpoint(host="localhost", port=port, tls=True), None),
        ):
            with pytest.raises(KnownError) as caught:
                await dial(endpoint, trust=make_trust(str(certificate.ca)), proxy=proxy, deadline_s=0.3)
            assert caught.value.reason is Reason.TIMED_OUT


def server_tls(certificate: CertificateFiles, *protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
async def test_a_server_without_http2(certificate: CertificateFiles, protocols: tuple[str, ...]) -> None:
    async with serving(idle, server_tls(certificate, *protocols)) as port:
        error = await refused(Endpoint(host="localhost", port=port, tls=True), trust=make_trust(str(certificate.ca)))
    assert error.reason is Reason.TLS_REFUSED
    assert "HTTP/2" in error.what


async def test_a_certificate_for_another_name(certificate: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    real = dial_module.socket.getaddrinfo
    monkeypatch.setattr(dial_module.socket, "getaddrinfo", lambda host, port, **more: real("127.0.0.1", port, **more))
    async with serving(idle, server_tls(certificate, "h2")) as port:
        error = await refused(
            Endpoint(host="other.example", port=port, tls=True), trust=make_trust(str(certificate.ca))
        )
    assert error.reason is Reason.TLS_REFUSED
    assert "other.example" in error.what
    assert "ismatch" in error.what or "not valid for" in error.what


async def test_a_certificate_of_a_stranger(certificate: CertificateFiles, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    stranger = ensure_certificate(other, [], datetime.now(UTC))
    async with serving(idle, server_tls(certificate, "h2")) as port:
        error = await refused(Endpoint(host="localhost", port=port, tls=True), trust=make_trust(str(stranger.ca)))
    assert error.reason is Reason.TLS_REFUSED
    assert "not trusted" in error.what


async def test_plain_text_where_tls_was_expected() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with serving(talk) as port:
        assert (await refused(Endpoint(host="localhost", port=port, tls=True))).reason is Reason.TLS_REFUSED


async def test_a_connection_cut_in_the_handshake() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with serving(talk) as port:
        error = await refused(Endpoint(host="localhost", port=port, tls=True))
    assert error.reason in (Reason.UNREACHABLE, Reason.TLS_REFUSED)


async def test_a_name_that_does_not_exist() -> None:
    assert (await refused(Endpoint(host="no-such-host.invalid", port=443, tls=True))).reason is Reason.UNREACHABLE
    assert (await refused(Endpoint(host="a" * 70 + ".invalid", port=443, tls=True))).reason is Reason.UNREACHABLE


async def test_a_dead_address_beside_a_live_one(certificate: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    # 127.0.0.2 refuses at once; 192.0.2.1 (RFC 5737) is nobody's and answers nothing.
    async with serving(idle, server_tls(certificate, "h2")) as port:
        found = [(2, 1, 6, "", (address, port)) for address in ("192.0.2.1", "127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(dial_module.socket, "getaddrinfo", lambda *args, **more: found)
        wire = await dial(
            Endpoint(host="localhost", port=port, tls=True),
            trust=make_trust(str(certificate.ca)),
            proxy=None,
            deadline_s=60.0,
        )
        await wire.drop()


def test_a_bundle_without_a_certificate(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(KnownError) as caught:
            make_trust(str(tmp_path / name))
        assert caught.value.reason is Reason.TLS_REFUSED
