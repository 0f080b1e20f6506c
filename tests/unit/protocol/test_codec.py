"""Every event survives the wire; the wire's odd spellings are understood; nothing but MalformedPayload is raised."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novadesk.errors import BugError, Reason
from novadesk.protocol import events as ev
from novadesk.protocol.codec import MalformedPayload, decode_input, decode_output, encode
from tests.unit.protocol.wire_values import FRAME, INPUTS, JSON_VALUES, OUTPUTS

PROMPT = {"prompt_name": "p", "voice_id": "matthew"}


def wire(name: str, body: Any) -> bytes:
    return json.dumps({"event": {name: body}}).encode()


def on_wire(event: ev.InputEvent | ev.OutputEvent) -> Any:
    return json.loads(encode(event))


@given(INPUTS)
def test_an_input_event_survives_the_wire(event: ev.InputEvent) -> None:
    assert decode_input(encode(event)) == event


@given(OUTPUTS)
def test_an_output_event_survives_the_wire(event: ev.OutputEvent) -> None:
    assert decode_output(encode(event)) == event


# The shapes of the Amazon Nova user guide, "Input events" and "Output events", spelled out.
AUDIO = {
    "mediaType": "audio/lpcm",
    "sampleSizeBits": 16,
    "channelCount": 1,
    "encoding": "base64",
    "audioType": "SPEECH",
}
NAMED = {"promptName": "p", "contentName": "n"}
OUT = {"sessionId": "s", "promptName": "p", "completionId": "c"}


@pytest.mark.parametrize(
    ("event", "document"),
    [
        (
            ev.SessionStart(sensitivity=ev.Sensitivity.HIGH),
            {
                "sessionStart": {
                    "inferenceConfiguration": {"maxTokens": 1024, "topP": 0.9, "temperature": 0.7},
                    "turnDetectionConfiguration": {"endpointingSensitivity": "HIGH"},
                }
            },
        ),
        (
            ev.SessionStart(),
            {"sessionStart": {"inferenceConfiguration": {"maxTokens": 1024, "topP": 0.9, "temperature": 0.7}}},
        ),
        (
            ev.PromptStart(
                **PROMPT, tools=(ev.ToolSpec(name="t", description="d", input_schema="{}"),), tool_choice="any"
            ),
            {
                "promptStart": {
                    "promptName": "p",
                    "textOutputConfiguration": {"mediaType": "text/plain"},
                    "audioOutputConfiguration": {**AUDIO, "sampleRateHertz": 24000, "voiceId": "matthew"},
                    "toolUseOutputConfiguration": {"mediaType": "application/json"},
                    "toolConfiguration": {
                        "tools": [{"toolSpec": {"name": "t", "description": "d", "inputSchema": {"json": "{}"}}}],
                        "toolChoice": {"any": {}},
                    },
                }
            },
        ),
        (
            ev.TextStart(prompt_name="p", content_name="n", role=ev.WireRole.SYSTEM, interactive=False),
            {
                "contentStart": {
                    **NAMED,
                    "type": "TEXT",
                    "role": "SYSTEM",
                    "interactive": False,
                    "textInputConfiguration": {"mediaType": "text/plain"},
                }
            },
        ),
        (
            ev.AudioStart(prompt_name="p", content_name="n"),
            {
                "contentStart": {
                    **NAMED,
                    "type": "AUDIO",
                    "role": "USER",
                    "interactive": True,
                    "audioInputConfiguration": {**AUDIO, "sampleRateHertz": 16000},
                }
            },
        ),
        (
            ev.ToolStart(prompt_name="p", content_name="n", tool_use_id="t"),
            {
                "contentStart": {
                    **NAMED,
                    "type": "TOOL",
                    "role": "TOOL",
                    "interactive": False,
                    "toolResultInputConfiguration": {
                        "toolUseId": "t",
                        "type": "TEXT",
                        "textInputConfiguration": {"mediaType": "text/plain"},
                    },
                }
            },
        ),
        (ev.TextInput(prompt_name="p", content_name="n", content="ü"), {"textInput": {**NAMED, "content": "ü"}}),
        (ev.AudioInput(prompt_name="p", content_name="n", pcm=b"\0\1"), {"audioInput": {**NAMED, "content": "AAE="}}),
        (ev.ToolResult(prompt_name="p", content_name="n", content="{}"), {"toolResult": {**NAMED, "content": "{}"}}),
        (ev.ContentEnd(prompt_name="p", content_name="n"), {"contentEnd": NAMED}),
        (ev.PromptEnd(prompt_name="p"), {"promptEnd": {"promptName": "p"}}),
        (ev.SessionEnd(), {"sessionEnd": {}}),
        (
            ev.OutputStart(
                **FRAME,
                content_id="i",
                type=ev.ContentType.TEXT,
                role=ev.WireRole.ASSISTANT,
                stage=ev.Stage.SPECULATIVE,
            ),
            {
                "contentStart": {
                    **OUT,
                    "contentId": "i",
                    "type": "TEXT",
                    "role": "ASSISTANT",
                    "textOutputConfiguration": {"mediaType": "text/plain"},
                    "additionalModelFields": '{"generationStage":"SPECULATIVE"}',
                }
            },
        ),
        (
            ev.Usage(
                **FRAME, delta=ev.TokenCount(speech_in=1), total=ev.TokenCount(speech_in=1, text_in=2, text_out=4)
            ),
            {
                "usageEvent": {
                    **OUT,
                    "details": {
                        "delta": {
                            "input": {"speechTokens": 1, "textTokens": 0},
                            "output": {"speechTokens": 0, "textTokens": 0},
                        },
                        "total": {
                            "input": {"speechTokens": 1, "textTokens": 2},
                            "output": {"speechTokens": 0, "textTokens": 4},
                        },
                    },
                    "totalInputTokens": 3,
                    "totalOutputTokens": 4,
                    "totalTokens": 7,
                }
            },
        ),
    ],
)
def test_an_event_is_written_as_documented(event: ev.InputEvent, document: Any) -> None:
    assert on_wire(event) == {"event": document}


def test_a_prompt_without_tools_names_none() -> None:
    assert "toolConfiguration" not in on_wire(ev.PromptStart(**PROMPT))["event"]["promptStart"]


def test_a_named_tool_choice_is_an_object() -> None:
    tool = ev.ToolSpec(name="t", description="d", input_schema="{}")
    body = on_wire(ev.PromptStart(**PROMPT, tools=(tool,), tool_choice="t"))["event"]["promptStart"]
    assert body["toolConfiguration"]["toolChoice"] == {"tool": {"name": "t"}}


@pytest.mark.parametrize(
    "event",
    [
        ev.AudioStart(prompt_name="p", content_name="n", rate_hz=44_100),
        ev.PromptStart(**PROMPT, tools=(ev.ToolSpec(name="t", description="d", input_schema="prose"),)),
        ev.TextInput(prompt_name="p", content_name="n", content="\ud800"),
        ev.AudioInput(prompt_name="p", content_name="n", pcm=bytes(800_000)),
        ev.SessionStart(temperature=float("nan")),
        ev.UnknownEvent(name="x", body={"x": b"bytes"}),
    ],
)
def test_what_the_wire_cannot_carry_is_a_bug(event: ev.InputEvent) -> None:
    with pytest.raises(BugError):
        encode(event)


@given(st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
@example(b"")
@example(b"\xff\xfe")
@example(b"[" * 100_000)
@example(b'{"event":' * 50_000)
@example(b'{"event":{"contentEnd":{"type":1e999}}}')
@example(b'{"event":{"usageEvent":{"details":{"delta":{"input":{"textTokens":1e999}}}}}}')
@example(b'{"event":{"sessionStart":{"inferenceConfiguration":{"temperature":1' + b"0" * 4_000 + b"}}}}")
@example(b'{"event":{"sessionStart":{"inferenceConfiguration":{"topP":1' + b"0" * 400 + b"}}}}")
@example(b'{"event":{"x":' + b"9" * 5_000 + b"}}")
@example(b'{"event":NaN}')
def test_any_bytes_are_an_event_or_malformed(payload: bytes) -> None:
    for decode in (decode_input, decode_output):
        with contextlib.suppress(MalformedPayload):
            decode(payload)


KNOWN_NAMES = st.sampled_from(
    "sessionStart promptStart contentStart textInput audioInput toolResult contentEnd promptEnd sessionEnd "
    "completionStart textOutput audioOutput toolUse usageEvent userSpeechEnd completionEnd".split()
)
FIELD_NAMES = st.sampled_from(
    "promptName contentName contentId type role content stopReason additionalModelFields audioOutputConfiguration "
    "sampleRateHertz toolConfiguration tools toolSpec inputSchema json toolChoice tool interactive details delta input "
    "inferenceConfiguration turnDetectionConfiguration endpointingSensitivity topP".split()
)
ODD_VALUES = st.recursive(
    JSON_VALUES
    | st.sampled_from(["TEXT", "AUDIO", "TOOL", "USER", "AAA=", "{}", '"{}"', '{"generationStage":"FINAL"}']),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FIELD_NAMES, inner, max_size=4),
    max_leaves=8,
)


@given(KNOWN_NAMES, st.dictionaries(FIELD_NAMES, ODD_VALUES, max_size=6) | ODD_VALUES)
def test_odd_fields_of_known_events_are_survived(name: str, body: Any) -> None:
    payload = wire(name, body)
    with contextlib.suppress(MalformedPayload):
        decode_input(payload)
    # The client leaves aside what it cannot read: one odd event must not end a conversation.
    assert decode_output(payload) is not None


@pytest.mark.parametrize(
    "payload", [b"[]", b"1", b"null", b"{", b"\xff", b'{"event":{"x":"' + b"y" * 1_000_000 + b'"}}']
)
def test_what_is_no_event_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedPayload) as raised:
        decode_output(payload)
    assert raised.value.reason is Reason.BAD_EVENT_BYTES
    with pytest.raises(MalformedPayload):
        decode_input(payload)


@pytest.mark.parametrize("payload", [b"{}", b'{"event":{}}', b'{"event":7}'])
def test_an_object_without_an_event_is_unknown(payload: bytes) -> None:
    assert decode_output(payload) == ev.UnknownEvent(name="", body=json.loads(payload))


def test_a_byte_order_mark_is_skipped() -> None:
    assert decode_input(b"\xef\xbb\xbf" + wire("sessionEnd", {})) == ev.SessionEnd()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (
            "promptStart",
            {"toolConfiguration": {"tools": [{"toolSpec": {"inputSchema": {"json": {"type": "object"}}}}]}},
        ),
        ("promptStart", {"toolConfiguration": {"tools": [{"toolSpec": {"inputSchema": {"json": "prose"}}}]}}),
        ("promptStart", {"toolConfiguration": {"tools": [{}]}}),
        ("promptStart", {"audioOutputConfiguration": {"sampleRateHertz": 44100}}),
        ("contentStart", {}),
        ("contentStart", {"type": "VIDEO"}),
        ("contentStart", {"type": "TEXT", "role": "NARRATOR"}),
        ("contentStart", {"type": "AUDIO", "audioInputConfiguration": {"sampleRateHertz": 7}}),
        ("textInput", {"content": 7}),
        ("textInput", {}),
        ("audioInput", {"content": "not base64!"}),
        ("audioInput", {}),
        ("toolResult", {"content": {}}),
    ],
)
def test_the_server_cannot_read_what_the_service_cannot(name: str, body: Any) -> None:
    with pytest.raises(MalformedPayload):
        decode_input(wire(name, body))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("contentStart", {"type": "VIDEO"}),
        ("contentStart", {"type": "TEXT", "role": "NARRATOR"}),
        ("textOutput", {"contentId": "i"}),
        ("audioOutput", {"contentId": "i", "content": "A"}),
        ("contentEnd", {"type": "VIDEO"}),
        ("somethingNew", {"deep": {"er": 1}}),
    ],
)
def test_the_client_keeps_what_it_cannot_read(name: str, body: Any) -> None:
    assert decode_output(wire(name, body)) == ev.UnknownEvent(name=name, body=body)


def test_fields_of_another_kind_take_their_defaults() -> None:
    assert decode_input(wire("sessionStart", {"inferenceConfiguration": {"maxTokens": True, "topP": "high"}})) == (
        ev.SessionStart()
    )
    assert decode_input(wire("promptStart", {"promptName": 7, "toolConfiguration": {"tools": ["x"]}})) == (
        ev.PromptStart(prompt_name="", voice_id="")
    )


def test_absent_fields_take_their_documented_defaults() -> None:
    assert decode_input(wire("sessionStart", {})) == ev.SessionStart()
    assert decode_input(wire("sessionStart", None)) == ev.SessionStart()
    assert decode_input(wire("promptStart", {"promptName": "p"})) == ev.PromptStart(prompt_name="p", voice_id="")
    assert decode_input(wire("contentStart", {"type": "text"})) == ev.TextStart(
        prompt_name="", content_name="", role=ev.WireRole.USER, interactive=False
    )
    assert decode_output(wire("contentEnd", {"contentId": "i"})) == ev.OutputEnd(
        session_id="",
        prompt_name="",
        completion_id="",
        content_id="i",
        type=ev.ContentType.TEXT,
        stop_reason=ev.StopReason.PARTIAL_TURN,
    )
    assert decode_output(wire("completionEnd", {})) == ev.CompletionEnd(
        session_id="", prompt_name="", completion_id="", stop_reason=ev.StopReason.END_TURN
    )


def test_whole_floats_and_lower_case_count() -> None:
    body = {
        "inferenceConfiguration": {"maxTokens": 2048.0, "topP": 1, "temperature": True},
        "turnDetectionConfiguration": {"endpointingSensitivity": "low"},
    }
    assert decode_input(wire("sessionStart", body)) == ev.SessionStart(
        max_tokens=2048, top_p=1.0, sensitivity=ev.Sensitivity.LOW
    )


@pytest.mark.parametrize(
    ("fields", "stage"),
    [
        ('{"generationStage":"FINAL"}', ev.Stage.FINAL),
        ('{ "generationStage" : "SPECULATIVE" , "more": 1 }', ev.Stage.SPECULATIVE),
        ({"generationStage": "FINAL"}, ev.Stage.FINAL),
        ('{"generationStage":"DRAFT"}', None),
        ("prose", None),
        (None, None),
    ],
)
def test_the_stage_is_json_text_within_json(fields: Any, stage: ev.Stage | None) -> None:
    event = decode_output(wire("contentStart", {"type": "TEXT", "role": "ASSISTANT", "additionalModelFields": fields}))
    assert isinstance(event, ev.OutputStart)
    assert event.stage is stage


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        ('{"city":"Wien"}', '{"city":"Wien"}'),
        (json.dumps('{"city":"Wien"}'), '{"city":"Wien"}'),
        ({"city": "Wien"}, '{"city": "Wien"}'),
        ("", "{}"),
        (None, "{}"),
        ('"prose"', '"prose"'),
        ("prose", "prose"),
    ],
)
def test_tool_arguments_come_in_three_wrappings(content: Any, arguments: str) -> None:
    event = decode_output(wire("toolUse", {"content": content}))
    assert isinstance(event, ev.ToolUse)
    assert event.content == arguments


def test_halves_of_surrogate_pairs_do_not_get_through() -> None:
    event = decode_output(b'{"event":{"textOutput":{"content":"a\\ud83d b \\ud83d\\ude00"}}}')
    assert isinstance(event, ev.TextOutput)
    assert event.content == "a\ufffd b \U0001f600"


@pytest.mark.parametrize(
    ("choice", "meaning"),
    [({"auto": {}}, "auto"), ({"any": {}}, "any"), ({"tool": {"name": "t"}}, "t"), ({}, None), ("auto", None)],
)
def test_the_tool_choice_is_read(choice: Any, meaning: str | None) -> None:
    event = decode_input(wire("promptStart", {"toolConfiguration": {"toolChoice": choice}}))
    assert isinstance(event, ev.PromptStart)
    assert event.tool_choice == meaning


def test_a_content_id_may_be_called_content_name() -> None:
    event = decode_output(wire("textOutput", {"contentName": "i", "content": "x"}))
    assert isinstance(event, ev.TextOutput)
    assert event.content_id == "i"


@pytest.mark.parametrize("name", ["", 'a "quoted" \\ name\n', "ü🙂", "\x7f\u2028"])
def test_a_frame_is_written_as_every_other_event_is(name: str) -> None:
    payload = encode(ev.AudioInput(prompt_name=name, content_name=f"{name}2", pcm=b"\0\1" * 512))
    document = json.loads(payload)
    assert payload.decode() == json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    assert document["event"]["audioInput"].keys() == {"promptName", "contentName", "content"}
    assert decode_input(payload) == ev.AudioInput(prompt_name=name, content_name=f"{name}2", pcm=b"\0\1" * 512)
