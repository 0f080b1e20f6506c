"""The link against the local server: whatever goes wrong ends in bounded time, with the right reason."""

import asyncio
import base64
import gc
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from novadesk.config import BackendSettings, Settings
from novadesk.errors import KnownError, Reason
from novadesk.protocol.link import Accepted, Arrived, Closed, LinkMessage
from novadesk.server.faults import Fault
from novadesk.transport import bedrock
from novadesk.transport.bedrock import BedrockLink, BedrockLinker, LinkTiming, PracticeLinker
from novadesk.transport.credentials import FrozenCredentials, StaticCredentials
from novadesk.transport.dial import Wire
from novadesk.transport.http2 import Exchange
from tests.support.fault_outcomes import PATIENT, SHORT, VOICE, Place
from tests.support.scripted_partner import Rig, answer_typed, echo, listen, running
from tests.support.wire_client import audio, audio_start, closing, opening, text

pytestmark = pytest.mark.thorough

PATIENCE_S = 60.0


def payloads(*events: dict[str, object]) -> list[bytes]:
    return [json.dumps({"event": event}).encode() for event in events]


BEGIN = payloads(*opening(), audio_start())
FRAME = payloads(audio())[0]
END = payloads(*closing())


def linker(rig: Rig, *, timing: LinkTiming = PATIENT, model: str = "amazon.nova-2-sonic-v1:0") -> PracticeLinker:
    async def address() -> dict[str, object]:
        return json.loads(rig.address.to_json())

    return PracticeLinker(address, Settings(backend=BackendSettings(model=model)), timing=timing)


def tls_linker(rig: Rig, *, ca_bundle: str | None = None, endpoint: str = "", **environment: str) -> BedrockLinker:
    backend = BackendSettings(
        bedrock_endpoint=endpoint or rig.address.bedrock_tls,
        ca_bundle=rig.address.ca_file if ca_bundle is None else ca_bundle,
    )
    keys = FrozenCredentials(
        access_key_id=rig.address.access_key_id, secret_access_key=rig.address.secret_access_key, expires_at_ms=7
    )
    return BedrockLinker(
        Settings(backend=backend), environment=environment, credentials=StaticCredentials(keys), timing=PATIENT
    )


def linker_to(endpoint: str) -> BedrockLinker:
    return BedrockLinker(
        Settings(backend=BackendSettings(bedrock_endpoint=endpoint)),
        environment={},
        credentials=StaticCredentials(FrozenCredentials(access_key_id="a", secret_access_key="b")),
    )


@asynccontextmanager
async def opened(source: PracticeLinker | BedrockLinker) -> AsyncIterator[BedrockLink]:
    link = await source.link()
    try:
        await link.open()
        yield link
    finally:
        async with asyncio.timeout(PATIENCE_S):
            await link.close()
            await link.close()
        assert await link.receive() == Closed(None) or isinstance(await link.receive(), Closed)
        with pytest.raises(KnownError):
            await link.send(FRAME)
        await link.finish()
        gc.collect()  # a task whose error nobody took speaks up now, and fails the test


async def talk(link: BedrockLink) -> KnownError | None:
    """Send the opening and then audio until the link refuses it; return why."""
    for payload in BEGIN:
        await link.send(payload)
    while True:
        await link.send(FRAME)
        await asyncio.sleep(0.01)


async def talk_until_over(link: BedrockLink) -> tuple[list[LinkMessage], KnownError]:
    """Talk and listen until the link is over; return what arrived and what `send` said."""
    refused: list[KnownError] = []

    async def speak() -> None:
        try:
            await talk(link)
        except KnownError as error:
            refused.append(error)

    async with asyncio.timeout(PATIENCE_S):
        speaking = asyncio.create_task(speak())
        arrived = []
        while not isinstance(message := await link.receive(), Closed):
            arrived.append(message)
        arrived.append(message)
        assert await link.receive() == message, "the end is told again and again"
        await speaking
    with pytest.raises(KnownError):
        await link.send(FRAME)
    return arrived, refused[0]


async def next_arrived(link: BedrockLink) -> dict[str, object]:
    async with asyncio.timeout(PATIENCE_S):
        message = await link.receive()
    assert isinstance(message, Arrived), message
    return dict(json.loads(message.payload)["event"])


EARLY = [fault for fault, outcome in VOICE.items() if outcome.place is Place.BEFORE]
LATE = [
    fault for fault, outcome in VOICE.items() if outcome.place is Place.IN_STREAM and fault is not Fault.SLOW_READER
]
ODD = [fault for fault, outcome in VOICE.items() if outcome.place is Place.NOWHERE]


def is_as_told(error: KnownError, fault: Fault) -> None:
    """Hold what the link raises to the row that the matrix on virtual time raises."""
    told = VOICE[fault]
    assert error.reason is told.reason
    assert re.sub(r"\d+", "N", error.what) == re.sub(r"\d+", "N", told.what)
    assert error.advice == told.advice


def test_every_fault_of_the_stream_has_its_row() -> None:
    assert set(VOICE) == {fault for fault in Fault if not fault.name.startswith("API_")}
    assert set(SHORT) == {fault for fault, told in VOICE.items() if told.after_s}


@pytest.mark.parametrize("fault", EARLY, ids=lambda fault: fault.name)
async def test_a_fault_before_the_response(tmp_path: Path, fault: Fault) -> None:
    async with running(tmp_path, listen) as rig:
        rig.server.faults.add(fault)
        async with opened(linker(rig, timing=SHORT.get(fault, PATIENT))) as link:
            arrived, _ = await talk_until_over(link)
    (closed,) = arrived
    assert isinstance(closed, Closed)
    assert closed.failure is not None
    is_as_told(closed.failure, fault)


@pytest.mark.parametrize("fault", LATE, ids=lambda fault: fault.name)
async def test_a_fault_in_mid_stream(tmp_path: Path, fault: Fault) -> None:
    async with running(tmp_path, echo) as rig:
        rig.server.faults.add(fault, after_inputs=12)
        async with opened(linker(rig, timing=SHORT.get(fault, PATIENT))) as link:
            arrived, refused = await talk_until_over(link)
    assert arrived[0] == Accepted()
    closed = arrived[-1]
    assert isinstance(closed, Closed)
    assert closed.failure is not None
    is_as_told(closed.failure, fault)
    assert refused.reason in (closed.failure.reason, Reason.LINK_LOST, Reason.STREAM_CLOSED)


@pytest.mark.parametrize("fault", ODD, ids=lambda fault: fault.name)
async def test_an_oddity_after_which_it_goes_on(tmp_path: Path, fault: Fault) -> None:
    async with running(tmp_path, answer_typed) as rig:
        rig.server.faults.add(fault, after_inputs=len(BEGIN))
        async with opened(linker(rig)) as link:
            assert await link.receive() == Accepted()
            for payload in [*BEGIN, FRAME, FRAME, *payloads(*text("p", "t", "hi", role="USER", interactive=True))]:
                await link.send(payload)
            while "audioOutput" not in await next_arrived(link):
                pass
            for payload in END:
                await link.send(payload)
            await link.finish()
            async with asyncio.timeout(PATIENCE_S):
                while not isinstance(message := await link.receive(), Closed):
                    pass
            assert message == Closed(None)


@pytest.mark.parametrize("way", ["plain", "tls"])
async def test_a_whole_conversation(tmp_path: Path, way: str) -> None:
    async with running(tmp_path, echo) as rig, opened(linker(rig) if way == "plain" else tls_linker(rig)) as link:
        assert link.expires_at_ms == (None if way == "plain" else 7)
        assert await link.receive() == Accepted()
        for payload in [*BEGIN, FRAME]:
            await link.send(payload)
        while "audioOutput" not in await next_arrived(link):
            pass
        for payload in END:
            await link.send(payload)
        await link.finish()
        async with asyncio.timeout(PATIENCE_S):
            while not isinstance(message := await link.receive(), Closed):
                pass
        assert message == Closed(None)


async def test_nothing_is_lost_and_nothing_changes_places(tmp_path: Path) -> None:
    count = 300
    async with running(tmp_path, echo) as rig, opened(linker(rig)) as link:
        for payload in BEGIN:
            await link.send(payload)

        async def speak() -> None:
            for number in range(count):
                await link.send(payloads(audio(number.to_bytes(2, "little") * 512))[0])

        speaking = asyncio.create_task(speak())
        assert await link.receive() == Accepted()
        heard = b""
        while len(heard) < count * 1024:
            event = await next_arrived(link)
            if isinstance(body := event.get("audioOutput"), dict):
                heard += base64.b64decode(body["content"])
        await speaking
    assert heard == b"".join(number.to_bytes(2, "little") * 512 for number in range(count))


async def test_sending_after_the_end_of_our_side_does_not_cost_the_services_last_words(tmp_path: Path) -> None:
    async with running(tmp_path, listen) as rig, opened(linker(rig)) as link:
        for payload in [*BEGIN, FRAME, *END]:
            await link.send(payload)
        await link.finish()
        with pytest.raises(KnownError):
            await link.send(FRAME)
        assert await link.receive() == Accepted()
        async with asyncio.timeout(PATIENCE_S):
            names = []
            while isinstance(message := await link.receive(), Arrived):
                names += json.loads(message.payload)["event"]
        assert names[-1] == "completionEnd"
        assert message == Closed(None)


async def test_any_model_id_reaches_the_service_and_an_empty_one_does_not(tmp_path: Path) -> None:
    arn = "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.amazon.nova-2-sonic-v1:0"
    async with running(tmp_path, listen) as rig:
        async with opened(linker(rig, model="amazon.nova-2-5-sonic")) as link:
            assert await link.receive() == Accepted()
        async with opened(linker(rig, model=arn)) as link:
            assert isinstance(await link.receive(), Accepted | Closed)
        for empty in ("", "  "):
            link = await linker(rig, model=empty).link()
            with pytest.raises(KnownError) as caught:
                await link.open()
            assert caught.value.reason is Reason.BAD_MODEL
            await link.close()


async def test_a_broken_aws_set_up_does_not_touch_the_practice_partner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_PROFILE": "nobody", "AWS_CONFIG_FILE": str(tmp_path), "AWS_REGION": "nowhere", "AWS_RETRY_MODE": "bogus",
        "AWS_MAX_ATTEMPTS": "many", "AWS_ENDPOINT_URL": "http://192.0.2.1", "HTTPS_PROXY": "http://192.0.2.1:1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    async with running(tmp_path, listen) as rig, opened(linker(rig)) as link:
        assert await link.receive() == Accepted()


async def test_a_slow_reader_stops_the_sender_in_bounded_time(tmp_path: Path) -> None:
    async with running(tmp_path, listen) as rig:
        rig.server.faults.add(Fault.SLOW_READER, after_inputs=len(BEGIN))
        async with opened(linker(rig, timing=SHORT[Fault.SLOW_READER])) as link:
            assert await link.receive() == Accepted()
            for payload in BEGIN:
                await link.send(payload)

            async def flood() -> None:
                while True:
                    await link.send(payloads(audio(bytes(32_000)))[0])

            with pytest.raises(KnownError) as caught:
                await asyncio.wait_for(flood(), PATIENCE_S)
            is_as_told(caught.value, Fault.SLOW_READER)
            while not isinstance(message := await link.receive(), Closed):
                pass
            assert message.failure is caught.value


async def test_a_reader_that_does_not_read_stops_the_service(tmp_path: Path) -> None:
    sent = 0

    async def flood(call) -> None:  # type: ignore[no-untyped-def]
        nonlocal sent
        while True:
            await call.plan("much")
            await call.speak(bytes(48_000))
            sent += 48_000
            await asyncio.sleep(0)

    async with running(tmp_path, flood) as rig, opened(linker(rig)) as link:
        for payload in BEGIN:
            await link.send(payload)
        before = -1
        async with asyncio.timeout(PATIENCE_S):
            while sent == 0 or sent != before:
                before = sent
                await asyncio.sleep(0.5)
        assert sent < 16_000_000, "windows and buffers are full, not this computer"
        for _ in range(100):
            assert not isinstance(await link.receive(), Closed)


async def test_closing_while_everything_waits(tmp_path: Path) -> None:
    async with running(tmp_path, listen) as rig:
        rig.server.faults.add(Fault.MUTE)
        async with opened(linker(rig, timing=LinkTiming())) as link:
            waiting = asyncio.create_task(link.receive())
            await link.send(BEGIN[0])
            await asyncio.sleep(0)
            async with asyncio.timeout(PATIENCE_S):
                await link.close()
            assert await waiting == Closed(None)


async def test_stopping_to_wait_loses_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, listen) as rig, opened(linker(rig)) as link:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await link.receive()
        assert await link.receive() == Accepted()


async def test_an_open_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, listen) as rig:
        for delay_s in (0.0, 0.001, 0.01, 0.03):
            link = await linker(rig).link()
            opening_link = asyncio.create_task(link.open())
            await asyncio.sleep(delay_s)
            opening_link.cancel()
            await asyncio.gather(opening_link, return_exceptions=True)
            await link.close()
            assert await link.receive() == Closed(None)


async def test_a_link_that_is_dropped_in_the_middle_of_opening_leaves_no_task_of_the_library_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    complaints: list[object] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_exception_handler", complaints.append)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connected = asyncio.Event()
    monkeypatch.setattr(bedrock, "Exchange", lambda *how: (connected.set(), Exchange(*how))[1])
    moments = []
    for turns in range(20):
        connected.clear()
        link = await linker_to(f"http://127.0.0.1:{port}").link()
        opening_link = asyncio.create_task(link.open())
        await connected.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        opening_link.cancel()
        moments += await asyncio.gather(opening_link, return_exceptions=True)
        await link.close()
    gc.collect()
    server.close()
    await server.wait_closed()
    assert complaints == []
    assert moments[0] is not None
    assert moments[-1] is None, "the last one was open"


async def test_a_wrong_key_and_a_wrong_region(tmp_path: Path) -> None:
    async with running(tmp_path, listen) as rig:
        for keys, region, reason in (
            (("AKIAAAAAAAAAAAAAAAAA", rig.address.secret_access_key), "us-east-1", Reason.ACCESS_DENIED),
            ((rig.address.access_key_id, "wrong"), "us-east-1", Reason.BAD_SIGNATURE),
            ((rig.address.access_key_id, rig.address.secret_access_key), "eu-north-1", Reason.BAD_SIGNATURE),
        ):
            source = BedrockLinker(
                Settings(backend=BackendSettings(bedrock_endpoint=rig.address.bedrock, region=region)),
                environment={},
                credentials=StaticCredentials(FrozenCredentials(access_key_id=keys[0], secret_access_key=keys[1])),
                timing=PATIENT,
            )
            async with opened(source) as link:
                arrived, _ = await talk_until_over(link)
            (closed,) = arrived
            assert isinstance(closed, Closed)
            assert closed.failure is not None
            assert closed.failure.reason is reason
            assert keys[0] not in str(closed.failure)


async def test_an_untrusted_certificate_is_refused_by_name(tmp_path: Path) -> None:
    async with running(tmp_path, listen) as rig:
        link = await tls_linker(rig, ca_bundle="").link()
        with pytest.raises(KnownError) as caught:
            await link.open()
        assert caught.value.reason is Reason.TLS_REFUSED
        assert "certificate" in caught.value.what
        await link.close()
        with pytest.raises(KnownError) as caught:
            await tls_linker(rig, ca_bundle=str(tmp_path / "missing.pem")).link()
        assert caught.value.reason is Reason.TLS_REFUSED


async def test_nothing_listens(tmp_path: Path) -> None:
    async with running(tmp_path, listen) as rig:
        address = rig.address
    link = await linker_to(address.bedrock).link()
    with pytest.raises(KnownError) as caught:
        await link.open()
    assert caught.value.reason is Reason.UNREACHABLE
    await link.close()


@pytest.mark.parametrize("goodbye", [False, True])
async def test_only_a_link_that_said_goodbye_waits_for_the_other_side(
    tmp_path: Path, goodbye: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, drop = [], Wire.drop

    async def noted(wire: Wire, *, patience_s: float) -> None:
        waits.append(patience_s)
        await drop(wire, patience_s=patience_s)

    monkeypatch.setattr(Wire, "drop", noted)
    async with running(tmp_path, listen) as rig, opened(linker(rig)) as link:
        for payload in [*BEGIN, FRAME, *(END if goodbye else [])]:
            await link.send(payload)
    (wait_s,) = waits
    assert (wait_s > 0.0) is goodbye, "a dropped connection may lead nowhere: its successor waits for its end"
