"""Every fault that the plan knows, as the client meets it."""

import asyncio
import json

import pytest

from novadesk.server.faults import HTTP_FAULTS, SLOW_S, STREAM_EXCEPTIONS, Fault
from tests.support.scripted_partner import answer_typed, listen, running
from tests.support.wire_client import Lost, audio, audio_start, closing, opening, text

TYPED = text("p", "t1", "hello", role="USER", interactive=True)
TALK = [*opening(), audio_start(), *[audio()] * 4]
BREAKS = {
    Fault.RESET_TCP: "closed",
    Fault.FIN: "closed",
    Fault.RESET_STREAM: "reset 2",
    Fault.GOAWAY_ABRUPT: "",
    Fault.TRUNCATED_EVENT: "",
    Fault.BAD_CHECKSUM: "undecodable: ChecksumMismatch",
}
ODDITIES = (Fault.GOAWAY_GRACEFUL, Fault.UNKNOWN_EVENT, Fault.UNKNOWN_EVENT_TYPE)


async def works(rig):
    """A stream without a fault is as it should be."""
    async with rig.stream() as stream:
        await stream.send(*opening(), *TYPED)
        assert (await stream.event())[0] == "completionStart"
        await stream.send(*closing()[1:])
        await stream.end()
        assert (await stream.rest())[-1][0] == "completionEnd"


@pytest.mark.parametrize("fault", HTTP_FAULTS, ids=lambda fault: fault.name)
async def test_http_errors(tmp_path, fault):
    async with running(tmp_path) as rig:
        rig.server.faults.add(fault)
        async with rig.stream() as stream:
            assert await stream.response() == HTTP_FAULTS[fault].status
            assert await stream.message() is None
            assert stream.inbox.headers["x-amzn-errortype"] == HTTP_FAULTS[fault].code
            assert json.loads(stream.inbox.body)["message"]
        await works(rig)


@pytest.mark.parametrize("fault", STREAM_EXCEPTIONS, ids=lambda fault: fault.name)
async def test_exceptions_in_mid_stream(tmp_path, fault):
    async with running(tmp_path, answer_typed) as rig:
        rig.server.faults.add(fault)
        async with rig.stream() as stream:
            await stream.send(*TALK)
            assert await stream.failure() == STREAM_EXCEPTIONS[fault]
            assert await stream.message() is None
        await works(rig)


async def test_an_error_message(tmp_path):
    async with running(tmp_path, listen) as rig, rig.stream() as stream:
        rig.server.faults.add(Fault.STREAM_ERROR_MESSAGE)
        await stream.send(*TALK)
        assert (await stream.event())[0] == "completionStart"
        message = await stream.message()
        assert message.headers[":message-type"] == "error"
        assert message.headers[":error-code"] == "InternalError"


@pytest.mark.parametrize("fault", [Fault.RESET_TCP_EARLY, Fault.RESET_STREAM_EARLY], ids=lambda fault: fault.name)
async def test_breaks_before_the_headers(tmp_path, fault):
    async with running(tmp_path) as rig:
        rig.server.faults.add(fault)
        async with rig.stream() as stream:
            with pytest.raises(Lost):
                await stream.response()
        await works(rig)


async def breaks(stream):
    """Return whether the break shows in the transport, and not as an end of the stream."""
    try:
        await stream.send(*TALK)
        while await stream.message():
            pass
    except (Lost, OSError):
        return True
    return False


@pytest.mark.parametrize("fault", BREAKS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("tls", [False, True])
async def test_breaks_in_mid_stream(tmp_path, fault, tls):
    async with running(tmp_path) as rig:
        rig.server.faults.add(fault)
        async with rig.stream(tls=tls) as stream:
            assert await breaks(stream) == (fault is not Fault.TRUNCATED_EVENT)
            assert BREAKS[fault] in stream.inbox.lost
            if fault is Fault.TRUNCATED_EVENT:
                assert stream.inbox.ended
                assert stream._decoder._data
            if fault is Fault.GOAWAY_ABRUPT:
                assert stream.client.goaway == 2
        await works(rig)


async def test_an_early_end(tmp_path):
    async with running(tmp_path) as rig:
        rig.server.faults.add(Fault.EARLY_END)
        async with rig.stream() as stream:
            await stream.send(*TALK)
            assert [name for name, _ in await stream.rest()] == ["completionStart"]
        await works(rig)


@pytest.mark.parametrize("fault", [Fault.MUTE, Fault.HALF_OPEN], ids=lambda fault: fault.name)
async def test_silence(tmp_path, fault):
    async with running(tmp_path) as rig:
        rig.server.faults.add(fault, after_inputs=6)
        async with rig.stream() as stream:
            await stream.send(*TALK, *TYPED)
            if fault is Fault.HALF_OPEN:
                assert await stream.response() == 200
            await works(rig)  # what was to be answered would have been, too
            assert not stream.inbox.lost
            assert not stream.inbox.ended
            assert len(stream.inbox.messages) <= 1
            assert bool(stream.inbox.status) == (fault is Fault.HALF_OPEN)
        await works(rig)


async def test_a_slow_reader(tmp_path):
    async with running(tmp_path) as rig:
        rig.server.faults.add(Fault.SLOW_READER)
        async with rig.stream() as stream:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await stream.send(*TALK, *[audio()] * 200)
        await works(rig)


async def test_a_slow_link_delivers_everything_late(tmp_path):
    async with running(tmp_path) as rig:
        rig.server.faults.add(Fault.SLOW_LINK, after_inputs=0)
        async with rig.stream() as stream:
            await stream.send(*opening(), *TYPED, *closing()[1:])
            await stream.end()
            began = asyncio.get_running_loop().time()
            assert (await stream.rest())[-1][0] == "completionEnd"
            assert asyncio.get_running_loop().time() - began > SLOW_S / 2


@pytest.mark.parametrize("fault", ODDITIES, ids=lambda fault: fault.name)
async def test_oddities_after_which_the_stream_goes_on(tmp_path, fault):
    async with running(tmp_path) as rig:
        rig.server.faults.add(fault)
        async with rig.stream() as stream:
            stream.client.let_goaway_pass()
            await stream.send(*TALK)
            assert (await stream.event())[0] == "completionStart"
            if fault is Fault.GOAWAY_GRACEFUL:
                await stream.client.wait(lambda: stream.client.goaway == 0)
            else:
                odd = await stream.message()
                unknown_type = odd.headers[":event-type"] == "somethingNew"
                assert unknown_type == (fault is Fault.UNKNOWN_EVENT_TYPE)
            await stream.send(*TYPED)
            assert (await stream.event())[0] == "contentStart"


async def test_a_fault_may_wait_for_the_answer(tmp_path):
    async with running(tmp_path) as rig:
        rig.server.faults.add(Fault.STREAM_CLOSED_531, after_inputs=0, after_outputs=5)
        async with rig.stream() as stream:
            await stream.send(*opening(), *TYPED)
            assert [(await stream.event())[0] for _ in range(5)][-1] == "contentStart"
            kind, words = await stream.failure()
    assert kind == "validationException"
    assert "531" in words


async def test_faults_befall_as_many_streams_as_planned_and_running_ones_on_demand(tmp_path):
    async with running(tmp_path) as rig:
        rig.server.faults.add(Fault.HTTP_UNAVAILABLE, times=2)
        assert rig.server.faults.pending == 2
        statuses = []
        for _ in range(3):
            async with rig.stream() as stream:
                statuses.append(await stream.response())
        assert statuses == [503, 503, 200]
        async with rig.stream() as stream:
            await stream.send(*TALK)
            assert (await stream.event())[0] == "completionStart"
            rig.server.faults.strike(Fault.STREAM_UNSTABLE)
            assert await stream.failure() == STREAM_EXCEPTIONS[Fault.STREAM_UNSTABLE]
        rig.server.faults.add(Fault.MUTE)
        rig.server.faults.clear()
        await works(rig)


def test_every_fault_of_the_stream_is_tried_here():
    tried = {*HTTP_FAULTS, *STREAM_EXCEPTIONS, *BREAKS, *ODDITIES}
    tried |= {Fault.STREAM_ERROR_MESSAGE, Fault.RESET_TCP_EARLY, Fault.RESET_STREAM_EARLY, Fault.EARLY_END}
    tried |= {Fault.MUTE, Fault.HALF_OPEN, Fault.SLOW_READER, Fault.SLOW_LINK}
    assert tried == {fault for fault in Fault if not fault.name.startswith("API_")}
