"""From the wire's JSON objects to values; tolerant of what is absent, additional or differently written."""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping

from novadesk.protocol.encoding import RATES_HZ
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
    Sensitivity,
    SessionEnd,
    SessionStart,
    Stage,
    StopReason,
    TextInput,
    TextOutput,
    TextStart,
    TokenCount,
    ToolResult,
    ToolSpec,
    ToolStart,
    ToolUse,
    Usage,
    UserSpeechEnd,
    WireRole,
)
from novadesk.protocol.fields import (
    Body,
    enum_of,
    float_of,
    int_of,
    is_json_object,
    object_of,
    objects_of,
    parse,
    text_of,
)
from novadesk.protocol.history import well_formed

# --- client to service -----------------------------------------------------------------------


def _session_start(body: Body) -> SessionStart:
    inference = object_of(body, "inferenceConfiguration")
    turn_detection = object_of(body, "turnDetectionConfiguration")
    return SessionStart(
        max_tokens=int_of(inference, "maxTokens", 1024),
        top_p=float_of(inference, "topP", 0.9),
        temperature=float_of(inference, "temperature", 0.7),
        sensitivity=enum_of(Sensitivity, turn_detection, "endpointingSensitivity", None),
    )


def _prompt_start(body: Body) -> PromptStart:
    audio = object_of(body, "audioOutputConfiguration")
    configuration = object_of(body, "toolConfiguration")
    return PromptStart(
        prompt_name=text_of(body, "promptName"),
        voice_id=text_of(audio, "voiceId"),
        output_rate_hz=_rate_hz(audio, 24_000),
        tools=tuple(_tool(object_of(item, "toolSpec")) for item in objects_of(configuration, "tools")),
        tool_choice=_tool_choice(configuration),
    )


def _tool(body: Body) -> ToolSpec:
    # The service refuses the whole session when the schema is an object instead of JSON text.
    schema = object_of(body, "inputSchema").get("json")
    if not isinstance(schema, str) or not is_json_object(schema):
        raise ValueError("inputSchema.json")
    return ToolSpec(name=text_of(body, "name"), description=text_of(body, "description"), input_schema=schema)


def _tool_choice(configuration: Body) -> str | None:
    choice = object_of(configuration, "toolChoice")
    if "tool" in choice:
        return text_of(object_of(choice, "tool"), "name")
    return next((simple for simple in ("auto", "any") if simple in choice), None)


def _input_start(body: Body) -> TextStart | AudioStart | ToolStart:
    prompt_name, content_name = text_of(body, "promptName"), text_of(body, "contentName")
    match enum_of(ContentType, body, "type", None):
        case ContentType.TEXT:
            return TextStart(
                prompt_name=prompt_name,
                content_name=content_name,
                role=_known(enum_of(WireRole, body, "role", WireRole.USER)),
                interactive=body.get("interactive") is True,
            )
        case ContentType.AUDIO:
            rate_hz = _rate_hz(object_of(body, "audioInputConfiguration"), 16_000)
            return AudioStart(prompt_name=prompt_name, content_name=content_name, rate_hz=rate_hz)
        case ContentType.TOOL:
            configuration = object_of(body, "toolResultInputConfiguration")
            tool_use_id = text_of(configuration, "toolUseId")
            return ToolStart(prompt_name=prompt_name, content_name=content_name, tool_use_id=tool_use_id)
        case None:
            raise ValueError("type")


def _text_input(body: Body) -> TextInput:
    return TextInput(
        prompt_name=text_of(body, "promptName"), content_name=text_of(body, "contentName"), content=_content(body)
    )


def _audio_input(body: Body) -> AudioInput:
    return AudioInput(
        prompt_name=text_of(body, "promptName"), content_name=text_of(body, "contentName"), pcm=_pcm(body)
    )


def _tool_result(body: Body) -> ToolResult:
    return ToolResult(
        prompt_name=text_of(body, "promptName"), content_name=text_of(body, "contentName"), content=_content(body)
    )


def _content_end(body: Body) -> ContentEnd:
    return ContentEnd(prompt_name=text_of(body, "promptName"), content_name=text_of(body, "contentName"))


def _prompt_end(body: Body) -> PromptEnd:
    return PromptEnd(prompt_name=text_of(body, "promptName"))


def _session_end(_body: Body) -> SessionEnd:
    return SessionEnd()


INPUTS: Mapping[str, Callable[[Body], InputEvent]] = {
    "sessionStart": _session_start,
    "promptStart": _prompt_start,
    "contentStart": _input_start,
    "textInput": _text_input,
    "audioInput": _audio_input,
    "toolResult": _tool_result,
    "contentEnd": _content_end,
    "promptEnd": _prompt_end,
    "sessionEnd": _session_end,
}
"""Readers by event name; each raises ValueError when what cannot be guessed is missing."""

# --- service to client -----------------------------------------------------------------------


def _completion_start(body: Body) -> CompletionStart:
    return CompletionStart(
        session_id=text_of(body, "sessionId"),
        prompt_name=text_of(body, "promptName"),
        completion_id=text_of(body, "completionId"),
    )


def _output_start(body: Body) -> OutputStart:
    return OutputStart(
        session_id=text_of(body, "sessionId"),
        prompt_name=text_of(body, "promptName"),
        completion_id=text_of(body, "completionId"),
        content_id=_content_id(body),
        type=_known(enum_of(ContentType, body, "type", None)),
        role=_known(enum_of(WireRole, body, "role", WireRole.ASSISTANT)),
        stage=_stage(body),
        rate_hz=int_of(object_of(body, "audioOutputConfiguration"), "sampleRateHertz", 24_000),
    )


def _stage(body: Body) -> Stage | None:
    fields = body.get("additionalModelFields")
    if isinstance(fields, str):
        fields = parse(fields)
    return enum_of(Stage, fields, "generationStage", None) if isinstance(fields, dict) else None


def _text_output(body: Body) -> TextOutput:
    return TextOutput(
        session_id=text_of(body, "sessionId"),
        prompt_name=text_of(body, "promptName"),
        completion_id=text_of(body, "completionId"),
        content_id=_content_id(body),
        role=_known(enum_of(WireRole, body, "role", WireRole.ASSISTANT)),
        content=_content(body),
    )


def _audio_output(body: Body) -> AudioOutput:
    return AudioOutput(
        session_id=text_of(body, "sessionId"),
        prompt_name=text_of(body, "promptName"),
        completion_id=text_of(body, "completionId"),
        content_id=_content_id(body),
        pcm=_pcm(body),
    )


def _tool_use(body: Body) -> ToolUse:
    return ToolUse(
        session_id=text_of(body, "sessionId"),
        prompt_name=text_of(body, "promptName"),
        completion_id=text_of(body, "completionId"),
        content_id=_content_id(body),
        tool_name=text_of(body, "toolName"),
        tool_use_id=text_of(body, "toolUseId"),
        content=_arguments(body.get("content")),
    )


def _arguments(content: object) -> str:
    """Return the JSON text of a tool's arguments, whether it came as text, as doubly encoded text or as an object."""
    if not isinstance(content, str):
        return json.dumps(content) if isinstance(content, dict) else "{}"
    inner = parse(content)
    if isinstance(inner, str) and is_json_object(inner):
        return well_formed(inner)
    return well_formed(content) if content.strip() else "{}"


def _output_end(body: Body) -> OutputEnd:
    # The session knows a block's type from its start; the one written here counts only when that was missed.
    return OutputEnd(
        session_id=text_of(body, "sessionId"),
        prompt_name=text_of(body, "promptName"),
        completion_id=text_of(body, "completionId"),
        content_id=_content_id(body),
        type=_known(enum_of(ContentType, body, "type", ContentType.TEXT)),
        stop_reason=enum_of(StopReason, body, "stopReason", None) or StopReason.PARTIAL_TURN,
    )


def _usage(body: Body) -> Usage:
    details = object_of(body, "details")
    return Usage(
        session_id=text_of(body, "sessionId"),
        prompt_name=text_of(body, "promptName"),
        completion_id=text_of(body, "completionId"),
        delta=_tokens(object_of(details, "delta")),
        total=_tokens(object_of(details, "total")),
    )


def _tokens(body: Body) -> TokenCount:
    spent_in, spent_out = object_of(body, "input"), object_of(body, "output")
    return TokenCount(
        speech_in=int_of(spent_in, "speechTokens", 0),
        text_in=int_of(spent_in, "textTokens", 0),
        speech_out=int_of(spent_out, "speechTokens", 0),
        text_out=int_of(spent_out, "textTokens", 0),
    )


def _user_speech_end(body: Body) -> UserSpeechEnd:
    return UserSpeechEnd(
        session_id=text_of(body, "sessionId"),
        prompt_name=text_of(body, "promptName"),
        completion_id=text_of(body, "completionId"),
    )


def _completion_end(body: Body) -> CompletionEnd:
    return CompletionEnd(
        session_id=text_of(body, "sessionId"),
        prompt_name=text_of(body, "promptName"),
        completion_id=text_of(body, "completionId"),
        stop_reason=enum_of(StopReason, body, "stopReason", None) or StopReason.END_TURN,
    )


OUTPUTS: Mapping[str, Callable[[Body], OutputEvent]] = {
    "completionStart": _completion_start,
    "contentStart": _output_start,
    "textOutput": _text_output,
    "audioOutput": _audio_output,
    "toolUse": _tool_use,
    "contentEnd": _output_end,
    "usageEvent": _usage,
    "userSpeechEnd": _user_speech_end,
    "completionEnd": _completion_end,
}
"""Readers by event name; each raises ValueError when what cannot be guessed is missing."""

# --- shared ----------------------------------------------------------------------------------


def _known[T](value: T | None) -> T:
    if value is None:
        raise ValueError("unknown value")
    return value


def _content(body: Body) -> str:
    if not isinstance(body.get("content"), str):
        raise ValueError("content")
    return text_of(body, "content")


def _pcm(body: Body) -> bytes:
    content = body.get("content")
    if not isinstance(content, str):
        raise ValueError("content")
    return b64decode(content, validate=True)


def _content_id(body: Body) -> str:
    return text_of(body, "contentId") or text_of(body, "contentName")


def _rate_hz(body: Body, default: int) -> int:
    rate_hz = int_of(body, "sampleRateHertz", default)
    if rate_hz not in RATES_HZ:
        raise ValueError("sampleRateHertz")
    return rate_hz
