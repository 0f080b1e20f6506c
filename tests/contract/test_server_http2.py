"""The HTTP/2 side of the local server, byte by byte."""

import asyncio
import contextlib
import json
import ssl

import aiohttp
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest

from novadesk.server.frames import PREFACE
from novadesk.server.http2 import Http2Server
from tests.support.scripted_partner import listen, running
from tests.support.wire_client import WireClient, audio, audio_start, opening


async def test_a_client_that_says_goaway_goes_on_with_its_stream(tmp_path):
    async with running(tmp_path) as rig, rig.client() as client:
        stream = client.open(rig.keys)
        assert await stream.response() == 200
        client.writer.write(b"\x00\x00\x08\x07\x00" + bytes(4) + (0).to_bytes(4) + (0).to_bytes(4))
        said = [
            {"contentStart": _typed_start()},
            {"textInput": {"promptName": "p", "contentName": "t", "content": "hello"}},
            {"contentEnd": {"promptName": "p", "contentName": "t"}},
        ]
        await stream.send(*opening(), *said)
        names = [(await stream.event())[0] for _ in range(4)]
        assert names == ["completionStart", "contentStart", "textOutput", "contentEnd"]


def _typed_start():
    return {
        "promptName": "p",
        "contentName": "t",
        "type": "TEXT",
        "interactive": True,
        "role": "USER",
        "textInputConfiguration": {"mediaType": "text/plain"},
    }


@pytest.mark.parametrize("tls", [False, True])
async def test_http1_gets_a_clean_error(tmp_path, tls):
    async with running(tmp_path) as rig:
        url = rig.address.bedrock_tls if tls else rig.address.bedrock
        context = ssl.create_default_context(cafile=rig.address.ca_file) if tls else False
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/model/x/invoke-with-bidirectional-stream", ssl=context, data=b"{}") as answer,
        ):
            assert answer.status == 400
            assert answer.headers["x-amzn-errortype"] == "ValidationException"
            assert json.loads(await answer.read()) == {"message": "This operation needs HTTP/2."}


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + bytes(70_000), PREFACE + b"x" * 100])
async def test_whatever_comes_the_connection_is_closed_and_the_server_lives(tmp_path, data):
    async with running(tmp_path, listen) as rig:
        host, port = rig.address.bedrock.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        async with asyncio.timeout(60):
            try:
                while await reader.read(65_536):
                    pass
            except ConnectionResetError:
                pass
        writer.close()
        async with rig.stream() as stream:
            assert await stream.response() == 200


async def test_tls_agrees_on_h2_and_the_right_names(tmp_path):
    name = "bedrock-runtime.us-east-1.amazonaws.com"
    async with running(tmp_path, names=(name,)) as rig:
        host, port = rig.address.bedrock_tls.removeprefix("https://").split(":")
        context = ssl.create_default_context(cafile=rig.address.ca_file)
        context.set_alpn_protocols(["h2"])
        for server_hostname in (name, "localhost", "127.0.0.1"):
            _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=server_hostname)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
            writer.close()
            await writer.wait_closed()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(host, int(port), ssl=context, server_hostname="other.example")


async def test_pings_are_answered_while_a_stream_runs(tmp_path):
    async with running(tmp_path, listen) as rig, rig.client() as client:
        stream = client.open(rig.keys)
        await stream.send(*opening(), audio_start())
        answered = asyncio.Event()
        inner = client._on

        def watch(event):
            if isinstance(event, h2.events.PingAckReceived):
                answered.set()
            inner(event)

        client._on = watch
        client.machine.ping(b"12345678")
        client.flush()
        await asyncio.wait_for(answered.wait(), 60)


async def test_headers_beyond_all_measure_are_refused(tmp_path):
    async with running(tmp_path, listen) as rig:
        async with rig.client() as client:
            client.open(rig.keys, tamper={f"x-{number}": "y" * 4000 for number in range(30)})
            await client.wait(lambda: client.closed)
        async with rig.stream() as stream:
            assert await stream.response() == 200


async def test_what_nobody_read_does_not_starve_the_connection():
    """Streams that are refused with their body unread give their window back."""

    async def refuse(stream):
        stream.respond(403, [])
        await stream.finish(grace_s=0)

    server = Http2Server(refuse)
    port = await server.listen("127.0.0.1", 0)
    client = await WireClient().connect(f"http://127.0.0.1:{port}")
    for _ in range(400):  # 19 MB, where the connection's window is 4 MB
        stream_id = client.machine.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/")]
        client.machine.send_headers(stream_id, headers)
        for _ in range(3):
            await client.wait(lambda: client.machine.outbound_flow_control_window >= 16_000)
            with contextlib.suppress(h2.exceptions.StreamClosedError):
                client.machine.send_data(stream_id, bytes(16_000))
        client.flush()
        await asyncio.sleep(0)
    await client.close()
    await server.close()


async def test_a_handler_that_fails_resets_its_stream_only(expected_logs):
    expected_logs.allow("a request failed with ZeroDivisionError")

    async def fail(stream):
        if stream.header(":path") == "/bad":
            raise ZeroDivisionError(stream.header(":authority"))
        stream.respond(200, [])
        await stream.write(b"fine")
        await stream.finish()

    server = Http2Server(fail)
    port = await server.listen("127.0.0.1", 0)
    machine = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    machine.initiate_connection()
    for stream_id, path in ((1, "/bad"), (3, "/good")):
        headers = [(":method", "GET"), (":scheme", "http"), (":authority", "secret"), (":path", path)]
        machine.send_headers(stream_id, headers, end_stream=True)
    writer.write(machine.data_to_send())
    seen = {}
    async with asyncio.timeout(60):
        while len(seen) < 2:
            for event in machine.receive_data(await reader.read(65_536)):
                if isinstance(event, h2.events.StreamReset):
                    seen[event.stream_id] = "reset"
                elif isinstance(event, h2.events.DataReceived) and event.data:
                    seen[event.stream_id] = event.data
    assert seen == {1: "reset", 3: b"fine"}
    assert not any("secret" in record.getMessage() for record in expected_logs.records)
    writer.close()
    await writer.wait_closed()
    await server.close()


async def test_a_slow_handler_holds_the_client_at_its_window(tmp_path):
    async def sit(call):
        await asyncio.Event().wait()

    async with running(tmp_path, sit) as rig, rig.client() as client:
        stream = client.open(rig.keys)
        await stream.send(*opening(), audio_start())
        least, most, sent = 4_000_000, 6_000_000, 0
        with contextlib.suppress(TimeoutError):
            while sent < most:
                async with asyncio.timeout(1 if sent > least else 60):
                    await stream.send(audio(bytes(32_000)))
                sent += 32_000
        assert least < sent < most
