"""From values to the JSON objects that the Amazon Nova user guide shows; strict."""

import json
from base64 import b64encode

from novadesk.errors import BugError
from novadesk.protocol.events import (
    AudioInput,
    AudioOutput,
    AudioStart,
    CompletionEnd,
    CompletionStart,
    ContentEnd,
    ContentType,
    InputEvent,
    OutputEnd,
    OutputEvent,
    OutputStart,
    PromptEnd,
    PromptStart,
    SessionEnd,
    SessionStart,
    TextInput,
    TextOutput,
    TextStart,
    TokenCount,
    ToolResult,
    ToolStart,
    ToolUse,
    UnknownEvent,
    Usage,
    UserSpeechEnd,
)
from novadesk.protocol.fields import Body, is_json_object

RATES_HZ = frozenset({8_000, 16_000, 24_000})
"""Sample rates of the wire; user guide, "Input events"."""

_PLAIN: Body = {"mediaType": "text/plain"}
_JSON: Body = {"mediaType": "application/json"}


def envelope(event: InputEvent | OutputEvent) -> tuple[str, Body]:
    """Return an event's name on the wire and its body.

    Raises:
        BugError: a value that the wire cannot carry.
    """
    match event:
        case UnknownEvent():
            return event.name, event.body
        case SessionStart() | PromptStart() | PromptEnd() | SessionEnd():
            return _frame(event)
        case TextStart() | AudioStart() | ToolStart():
            return "contentStart", _input_start(event)
        case TextInput() | AudioInput() | ToolResult() | ContentEnd():
            return _content(event)
        case _:
            return _output(event)


def _frame(event: SessionStart | PromptStart | PromptEnd | SessionEnd) -> tuple[str, Body]:
    match event:
        case SessionStart():
            inference = {"maxTokens": event.max_tokens, "topP": event.top_p, "temperature": event.temperature}
            body: Body = {"inferenceConfiguration": inference}
            if event.sensitivity is not None:
                body["turnDetectionConfiguration"] = {"endpointingSensitivity": event.sensitivity.value}
            return "sessionStart", body
        case PromptStart():
            return "promptStart", _prompt_start(event)
        case PromptEnd():
            return "promptEnd", {"promptName": event.prompt_name}
        case SessionEnd():
            return "sessionEnd", {}


def _prompt_start(event: PromptStart) -> Body:
    body: Body = {
        "promptName": event.prompt_name,
        "textOutputConfiguration": _PLAIN,
        "audioOutputConfiguration": {**_audio(event.output_rate_hz), "voiceId": event.voice_id},
        "toolUseOutputConfiguration": _JSON,
    }
    if not event.tools:
        return body
    for tool in event.tools:
        if not is_json_object(tool.input_schema):
            raise BugError("A tool's input schema must be the JSON text of an object.")
    tools = [
        {"toolSpec": {"name": t.name, "description": t.description, "inputSchema": {"json": t.input_schema}}}
        for t in event.tools
    ]
    configuration: Body = {"tools": tools}
    if event.tool_choice is not None:
        simple = event.tool_choice in ("auto", "any")
        configuration["toolChoice"] = {event.tool_choice: {}} if simple else {"tool": {"name": event.tool_choice}}
    body["toolConfiguration"] = configuration
    return body


def _input_start(event: TextStart | AudioStart | ToolStart) -> Body:
    body: Body = {"promptName": event.prompt_name, "contentName": event.content_name}
    match event:
        case TextStart():
            return body | {
                "type": "TEXT",
                "interactive": event.interactive,
                "role": event.role.value,
                "textInputConfiguration": _PLAIN,
            }
        case AudioStart():
            return body | {
                "type": "AUDIO",
                "interactive": True,
                "role": "USER",
                "audioInputConfiguration": _audio(event.rate_hz),
            }
        case ToolStart():
            return body | {
                "type": "TOOL",
                "interactive": False,
                "role": "TOOL",
                "toolResultInputConfiguration": {
                    "toolUseId": event.tool_use_id,
                    "type": "TEXT",
                    "textInputConfiguration": _PLAIN,
                },
            }


def _content(event: TextInput | AudioInput | ToolResult | ContentEnd) -> tuple[str, Body]:
    body: Body = {"promptName": event.prompt_name, "contentName": event.content_name}
    match event:
        case TextInput():
            return "textInput", body | {"content": event.content}
        case AudioInput():
            return "audioInput", body | {"content": b64encode(event.pcm).decode()}
        case ToolResult():
            return "toolResult", body | {"content": event.content}
        case ContentEnd():
            return "contentEnd", body


type _Output = (
    CompletionStart
    | OutputStart
    | TextOutput
    | AudioOutput
    | ToolUse
    | OutputEnd
    | Usage
    | UserSpeechEnd
    | CompletionEnd
)


def _output(event: _Output) -> tuple[str, Body]:
    body: Body = {
        "sessionId": event.session_id,
        "promptName": event.prompt_name,
        "completionId": event.completion_id,
    }
    match event:
        case CompletionStart():
            return "completionStart", body
        case OutputStart():
            return "contentStart", body | _output_start(event)
        case TextOutput():
            return "textOutput", body | {
                "contentId": event.content_id,
                "role": event.role.value,
                "content": event.content,
            }
        case AudioOutput():
            return "audioOutput", body | {"contentId": event.content_id, "content": b64encode(event.pcm).decode()}
        case ToolUse():
            return "toolUse", body | {
                "contentId": event.content_id,
                "toolName": event.tool_name,
                "toolUseId": event.tool_use_id,
                "content": event.content,
            }
        case OutputEnd():
            return "contentEnd", body | {
                "contentId": event.content_id,
                "type": event.type.value,
                "stopReason": event.stop_reason.value,
            }
        case Usage():
            return "usageEvent", body | _usage(event)
        case UserSpeechEnd():
            return "userSpeechEnd", body
        case CompletionEnd():
            return "completionEnd", body | {"stopReason": event.stop_reason.value}


def _output_start(event: OutputStart) -> Body:
    body: Body = {"contentId": event.content_id, "type": event.type.value, "role": event.role.value}
    match event.type:
        case ContentType.TEXT:
            body["textOutputConfiguration"] = _PLAIN
        case ContentType.AUDIO:
            body["audioOutputConfiguration"] = _audio(event.rate_hz)
        case ContentType.TOOL:
            body["toolUseOutputConfiguration"] = _JSON
    if event.stage is not None:
        body["additionalModelFields"] = json.dumps({"generationStage": event.stage.value}, separators=(",", ":"))
    return body


def _audio(rate_hz: int) -> Body:
    if rate_hz not in RATES_HZ:
        raise BugError(f"The wire has no sample rate of {rate_hz} Hz.")
    return {
        "mediaType": "audio/lpcm",
        "sampleRateHertz": rate_hz,
        "sampleSizeBits": 16,
        "channelCount": 1,
        "encoding": "base64",
        "audioType": "SPEECH",
    }


def _usage(event: Usage) -> Body:
    total = event.total
    total_in = total.speech_in + total.text_in
    total_out = total.speech_out + total.text_out
    return {
        "details": {"delta": _tokens(event.delta), "total": _tokens(total)},
        "totalInputTokens": total_in,
        "totalOutputTokens": total_out,
        "totalTokens": total_in + total_out,
    }


def _tokens(count: TokenCount) -> Body:
    return {
        "input": {"speechTokens": count.speech_in, "textTokens": count.text_in},
        "output": {"speechTokens": count.speech_out, "textTokens": count.text_out},
    }
