"""The voice stream as a stranger's client sees it: order, framing, limits, ends."""

import asyncio
import base64
import json

import pytest

from novadesk.protocol.events import ToolSpec
from novadesk.protocol.limits import Limits
from novadesk.server.call import Heard, HungUp, ToolAnswered, Typed
from tests.support.scripted_partner import answer_typed, echo, listen, running
from tests.support.wire_client import Lost, audio, audio_start, closing, opening, text

PATIENCE_S = 60.0
TYPED = text("p", "t1", "hello there", role="USER", interactive=True)
ANSWER = [
    "completionStart",
    *["contentStart", "textOutput", "contentEnd"] * 2,
    "contentStart",
    *["audioOutput"] * 2,
    "contentEnd",
    *["contentStart", "textOutput", "contentEnd"],
]


@pytest.mark.parametrize("tls", [False, True])
async def test_a_whole_conversation(tmp_path, tls):
    async with running(tmp_path) as rig, rig.stream(tls=tls) as stream:
        assert await stream.response() == 200
        assert stream.inbox.headers["content-type"] == "application/vnd.amazon.eventstream"
        assert stream.inbox.headers["x-amzn-requestid"]
        await stream.send(*opening(), *TYPED, audio_start(), audio())
        events = [await stream.event() for _ in ANSWER]
        await stream.send(*closing())
        await stream.end()
        assert [name for name, _ in await stream.rest()] == ["completionEnd"]
    assert [name for name, _ in events] == ANSWER
    bodies = [body for _, body in events]
    assert len({(b["sessionId"], b["promptName"], b["completionId"]) for b in bodies}) == 1
    texts = [(b["role"], b["content"]) for name, b in events if name == "textOutput"]
    assert texts == [
        ("USER", "hello there"),
        ("ASSISTANT", "You said hello there"),
        ("ASSISTANT", "You said hello there"),
    ]
    starts = [b for name, b in events if name == "contentStart"]
    stages = [json.loads(b["additionalModelFields"])["generationStage"] for b in starts if b["type"] == "TEXT"]
    assert stages == ["FINAL", "SPECULATIVE", "FINAL"]
    pcm = b"".join(base64.b64decode(b["content"]) for name, b in events if name == "audioOutput")
    assert pcm == b"\x01\x00" * 4800
    reasons = [(b["type"], b["stopReason"]) for name, b in events if name == "contentEnd"]
    assert reasons == [
        ("TEXT", "PARTIAL_TURN"),
        ("TEXT", "PARTIAL_TURN"),
        ("AUDIO", "END_TURN"),
        ("TEXT", "END_TURN"),
    ]


async def test_the_response_begins_before_the_first_event(tmp_path):
    async with running(tmp_path) as rig, rig.stream() as stream:
        assert await stream.response() == 200


async def test_the_partner_sees_what_was_given(tmp_path):
    heard = []

    async def script(call):
        while not isinstance(event := await call.receive(), HungUp):
            heard.append(event)

    history = [
        *text("p", "h1", "Hi", role="USER", interactive=False),
        *text("p", "h2", "Hello", role="ASSISTANT", interactive=False),
    ]
    start = opening(voice="tiffany", system="Be brief.", rate_hz=16_000)
    start[0]["sessionStart"]["turnDetectionConfiguration"] = {"endpointingSensitivity": "HIGH"}
    start[1]["promptStart"]["toolConfiguration"] = {
        "tools": [{"toolSpec": {"name": "now", "description": "d", "inputSchema": {"json": "{}"}}}]
    }
    async with running(tmp_path, script) as rig, rig.stream() as stream:
        await stream.send(*start, *history, audio_start(), audio(b"\x01\x00" * 512), *TYPED, *closing())
        await stream.end()
        await stream.rest()
        (call,) = rig.partner.calls
    assert (call.voice, call.system_prompt, call.output_rate_hz) == ("tiffany", "Be brief.", 16_000)
    assert call.sensitivity.value == "HIGH"
    assert [(message.role.value, message.text) for message in call.history] == [("USER", "Hi"), ("ASSISTANT", "Hello")]
    assert call.tools == (ToolSpec(name="now", description="d", input_schema="{}"),)
    assert heard[:2] == [Heard(b"\x01\x00" * 512), Typed("hello there")]


@pytest.mark.parametrize(("rate_hz", "frames"), [(8_000, 400), (24_000, 1200)])
async def test_the_partner_hears_16_khz_whatever_comes(tmp_path, rate_hz, frames):
    got = bytearray()
    enough = asyncio.Event()

    async def script(call):
        while isinstance(event := await call.receive(), Heard):
            got.extend(event.pcm)
            if len(got) >= 10 * 800 * 2:
                enough.set()

    async with running(tmp_path, script) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start(rate_hz=rate_hz), *[audio(bytes(frames * 2))] * 10)
        await asyncio.wait_for(enough.wait(), PATIENCE_S)
    assert len(got) == 10 * 800 * 2


async def test_a_tool_is_asked_for_and_answered(tmp_path):
    answers = []

    async def script(call):
        tool_use_id = await call.use_tool("now", '{"zone": "UTC"}')
        while not isinstance(event := await call.receive(), HungUp):
            if isinstance(event, ToolAnswered):
                answers.append((event.tool_use_id == tool_use_id, event.content))
                await call.plan("noon")

    async with running(tmp_path, script) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start())
        events = dict([await stream.event() for _ in range(4)])
        use = events["toolUse"]
        ids = {"promptName": "p", "contentName": "r"}
        result = {
            **ids,
            "interactive": False,
            "type": "TOOL",
            "role": "TOOL",
            "toolResultInputConfiguration": {
                "toolUseId": use["toolUseId"],
                "type": "TEXT",
                "textInputConfiguration": {"mediaType": "text/plain"},
            },
        }
        await stream.send(
            {"contentStart": result}, {"toolResult": {**ids, "content": '{"t": 12}'}}, {"contentEnd": ids}
        )
        assert (await stream.event())[0] == "contentStart"
    assert (use["toolName"], use["content"]) == ("now", '{"zone": "UTC"}')
    assert events["contentEnd"]["stopReason"] == "TOOL_USE"
    assert answers == [(True, '{"t": 12}')]


async def test_a_barge_in_gives_both_signals(tmp_path):
    async def script(call):
        await call.plan("a long story")
        await call.speak(bytes(480))
        await call.interrupted()
        await listen(call)

    async with running(tmp_path, script) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start())
        events = [await stream.event() for _ in range(10)]
    mark, ends = events[7], [body for name, body in events if name == "contentEnd"]
    assert mark[1]["content"] == '{ "interrupted" : true }'
    assert [(end["type"], end["stopReason"]) for end in ends] == [
        ("TEXT", "PARTIAL_TURN"),
        ("TEXT", "INTERRUPTED"),
        ("AUDIO", "END_TURN"),
    ]


async def test_usage_adds_up(tmp_path):
    from novadesk.protocol.events import TokenCount

    async def script(call):
        await call.report_usage(TokenCount(speech_in=3, text_out=1))
        await call.report_usage(TokenCount(speech_in=4, speech_out=5))
        await listen(call)

    async with running(tmp_path, script) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start())
        _, first, second = [await stream.event() for _ in range(3)]
    assert (first[1]["totalInputTokens"], first[1]["totalOutputTokens"]) == (3, 1)
    assert (second[1]["totalInputTokens"], second[1]["totalOutputTokens"], second[1]["totalTokens"]) == (7, 6, 13)
    assert second[1]["details"]["delta"]["input"] == {"speechTokens": 4, "textTokens": 0}


async def test_the_end_of_the_audio_block_is_heard_as_silence(tmp_path):
    heard = bytearray()
    silence = asyncio.Event()

    async def script(call):
        while isinstance(event := await call.receive(), Heard):
            heard.extend(event.pcm)
            if heard.endswith(bytes(2 * 2 * 16_000)):
                silence.set()

    async with running(tmp_path, script) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start(), audio(b"\x01\x00" * 512), closing()[0])
        await asyncio.wait_for(silence.wait(), PATIENCE_S)
    assert heard.startswith(b"\x01\x00" * 512)


# --- framing ---------------------------------------------------------------------------------


async def test_two_events_in_one_frame_and_one_event_in_many(tmp_path):
    async with running(tmp_path) as rig, rig.stream() as stream:
        signed = [await stream.sign(json.dumps({"event": event}).encode()) for event in [*opening(), *TYPED]]
        await stream.send_raw(signed[0] + signed[1])
        rest = b"".join(signed[2:])
        for start in range(0, len(rest), 37):
            await stream.send_raw(rest[start : start + 37])
        assert [(await stream.event())[0] for _ in ANSWER] == ANSWER


@pytest.mark.parametrize("signed", [True, False])
async def test_the_request_may_end_with_or_without_the_empty_message(tmp_path, signed):
    async with running(tmp_path) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start())
        await stream.end(signed=signed)
        assert [name for name, _ in await stream.rest()] == ["completionStart"]
        assert stream.inbox.ended


@pytest.mark.parametrize(
    "data",
    [
        b"this is no event stream at all, and long enough to be read as a prelude",
        bytes(64),
    ],
)
async def test_bytes_that_are_no_messages_end_the_stream(tmp_path, data):
    async with running(tmp_path) as rig, rig.stream() as stream:
        await stream.send_raw(data)
        kind, words = await stream.failure()
    assert kind == "validationException"
    assert words.startswith("Unable to parse input chunk")


@pytest.mark.parametrize(
    ("headers", "payload"),
    [
        ({":message-type": "event", ":event-type": "chunk"}, b"no json"),
        ({":message-type": "event", ":event-type": "chunk"}, b'{"bytes":"***"}'),
        ({":message-type": "event", ":event-type": "chunk"}, b'{"bytes":5}'),
        ({":message-type": "event", ":event-type": "chunk"}, b"[]"),
        ({":message-type": "event", ":event-type": "chunk"}, b'{"bytes":"bm8="}'),
        ({":message-type": "event", ":event-type": "other"}, b'{"bytes":"e30="}'),
        ({}, b'{"bytes":"e30="}'),
    ],
)
async def test_events_that_are_none_end_the_stream(tmp_path, headers, payload):
    from smithy_aws_event_stream.events import EventMessage

    async with running(tmp_path) as rig, rig.stream() as stream:
        await stream.send_raw(await stream.sign_inner(EventMessage(headers=headers, payload=payload)))
        kind, words = await stream.failure()
    assert kind == "validationException"
    assert words.startswith("Unable to parse input chunk")


async def test_an_event_that_is_too_long_ends_the_stream(tmp_path):
    async with running(tmp_path, limits=Limits(event_bytes=5000)) as rig, rig.stream() as stream:
        await stream.send(*opening(system="x" * 6000))
        kind, words = await stream.failure()
    assert kind == "validationException"
    assert "5000" in words


# --- order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([audio()], "No open prompt found for prompt name: p"),
        ([*opening(), audio()], "No open content found for content name: audio"),
        ([*opening(), audio_start(), audio(prompt="q")], "No open prompt found for prompt name: q"),
        (
            [*opening(), audio_start(), *text("p", "h", "Hi", role="USER", interactive=False)],
            "Chat history should be sent completely before streaming audio.",
        ),
        ([*opening(), *opening()], "Invalid input request"),
        ([*opening(), *text("p", "h", "Hi", role="ASSISTANT", interactive=False)], "Invalid input request"),
        (opening(voice="nobody"), "Received invalid voiceId"),
        (opening(voice="greta"), "Received invalid voiceId"),
    ],
)
async def test_what_is_out_of_order_ends_the_stream_in_the_services_words(tmp_path, events, words):
    async with running(tmp_path) as rig, rig.stream() as stream:
        await stream.send(*events)
        kind, said = await stream.failure()
        assert await stream.message() is None
    assert kind == "validationException"
    assert said.startswith(words)


async def test_an_unknown_event_does_no_harm(tmp_path):
    async with running(tmp_path) as rig, rig.stream() as stream:
        await stream.send(*opening(), {"somethingNew": {"a": 1}}, *TYPED)
        assert [(await stream.event())[0] for _ in ANSWER] == ANSWER


# --- timers ----------------------------------------------------------------------------------


async def test_a_stream_ends_at_its_age_limit(tmp_path):
    async with running(tmp_path, limits=Limits(connection_s=0.3, silence_s=9)) as rig, rig.stream() as stream:
        await stream.send(opening()[0])  # from which on it lives: a busy computer could say no more in time
        failure = await stream.failure()
        assert await stream.message() is None
    assert failure == (
        "modelTimeoutException",
        "Model has timed out in processing the request. Try your request again.",
    )


async def test_audio_keeps_a_stream_alive_and_its_absence_ends_it(tmp_path):
    async with running(tmp_path, limits=Limits(silence_s=1.0)) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start())
        for _ in range(13):
            await stream.send(audio())
            await asyncio.sleep(0.1)
        assert (await stream.event())[0] == "completionStart"
        kind, words = await stream.failure()
    assert kind == "validationException"
    assert "55 seconds" in words
    assert "audio" in words


async def test_a_stream_on_which_nothing_comes_ends_too(tmp_path):
    async with running(tmp_path, limits=Limits(silence_s=0.2)) as rig, rig.stream() as stream:
        assert await stream.response() == 200
        assert await stream.failure() == ("validationException", "Timed out waiting for input events")


# --- ends and pressure -----------------------------------------------------------------------


async def test_the_partner_of_a_lost_client_is_let_go(tmp_path):
    async with running(tmp_path, listen) as rig:
        async with rig.stream() as stream:
            await stream.send(*opening(), audio_start())
            assert (await stream.event())[0] == "completionStart"
            assert rig.server.open_sessions == 1
        await until(lambda: rig.server.open_sessions == 0)
        assert rig.partner.ended == 1


async def test_a_reset_stream_ends_and_its_neighbour_goes_on(tmp_path):
    async with running(tmp_path) as rig, rig.client() as client:
        first, second = client.open(rig.keys), client.open(rig.keys)
        await first.send(*opening(), audio_start(), *[audio()] * 20)
        await second.send(*opening())
        first.reset()
        await second.send(*TYPED)
        assert [(await second.event())[0] for _ in ANSWER] == ANSWER
        await until(lambda: rig.server.open_sessions == 1)


async def test_a_failing_partner_ends_the_stream_and_leaks_no_word(tmp_path, expected_logs):
    async def script(call):
        event = await call.receive()
        raise ValueError(event.text)

    expected_logs.allow("the partner failed with ValueError")
    async with running(tmp_path, script) as rig, rig.stream() as stream:
        await stream.send(*opening(), *TYPED)
        kind, words = await stream.failure()
    assert kind == "internalServerException"
    assert "hello" not in words
    assert not any("hello" in record.getMessage() for record in expected_logs.records)


async def test_a_partner_may_end_the_stream_with_an_exception(tmp_path):
    async def script(call):
        await call.fail("modelStreamErrorException", "out of breath")

    async with running(tmp_path, script) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start())
        assert await stream.failure() == ("modelStreamErrorException", "out of breath")


async def test_a_client_that_does_not_read_slows_the_partner_down(tmp_path):
    spoken = 0

    async def script(call):
        nonlocal spoken
        while True:
            await call.speak(bytes(7680))
            spoken += 7680

    async with running(tmp_path, script) as rig, rig.client() as client:
        client.auto_window = False
        stream = client.open(rig.keys)
        await stream.send(*opening(), audio_start(), audio())
        await until(lambda: len(stream.inbox.body) > 60_000)
        await settled(lambda: spoken)
        assert spoken < 400_000


async def test_many_streams_at_once_on_one_connection_and_on_many(tmp_path):
    async def talk(client, keys, number):
        stream = client.open(keys)
        said = text("p", "t", f"number {number}", role="USER", interactive=True)
        await stream.send(*opening(), *said, audio_start(), *[audio()] * 10)
        events = [await stream.event() for _ in ANSWER]
        await stream.send(*closing())
        await stream.end()
        await stream.rest()
        return next(body["content"] for name, body in events if name == "textOutput")

    async with running(tmp_path, answer_typed) as rig, rig.client() as one:
        same = [talk(one, rig.keys, number) for number in range(10)]

        async def alone(number):
            async with rig.client(tls=number % 2 == 0) as client:
                return await talk(client, rig.keys, number)

        answers = await asyncio.gather(*same, *[alone(number) for number in range(6)])
        await until(lambda: rig.server.open_sessions == 0)
    assert answers == [f"number {number}" for number in (*range(10), *range(6))]


async def test_echoed_audio_keeps_its_order(tmp_path):
    frames = [bytes([number, 0] * 512) for number in range(60)]
    async with running(tmp_path, echo) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start(), *[audio(frame) for frame in frames])
        got = b""
        while len(got) < 60 * 1024:
            name, body = await stream.event()
            if name == "audioOutput":
                got += base64.b64decode(body["content"])
    assert got == b"".join(frames)


async def test_stopping_the_server_ends_every_stream_and_leaves_nothing(tmp_path):
    async with running(tmp_path, listen) as rig, rig.client() as client:
        streams = [client.open(rig.keys) for _ in range(3)]
        for stream in streams:
            await stream.send(*opening(), audio_start())
            assert (await stream.event())[0] == "completionStart"
        await asyncio.wait_for(rig.server.stop(), PATIENCE_S)
        for stream in streams:
            with pytest.raises(Lost):
                await stream.message()
        assert rig.partner.ended == 3


async def until(ready):
    async with asyncio.timeout(PATIENCE_S):
        while not ready():
            await asyncio.sleep(0.01)


async def settled(value, quiet_s=0.3):
    """Wait until a value has not changed for a while."""
    last, since = value(), 0.0
    while since < quiet_s:
        await asyncio.sleep(0.05)
        since = since + 0.05 if value() == last else 0.0
        last = value()


async def test_a_partner_that_never_stops_speaking_is_stopped(tmp_path):
    async def script(call):
        while True:
            await call.speak(bytes(480))

    async with running(tmp_path, script) as rig:
        async with rig.stream() as stream:
            await stream.send(*opening(), audio_start(), *closing())
            await stream.end()
            assert (await stream.rest())[-1][0] == "completionEnd"
        await until(lambda: rig.partner.ended == 1)
