"""Hypothesis strategies of wire values, and short ways to build and feed events."""

import json
from itertools import count
from typing import Any

from hypothesis import strategies as st

from novadesk.protocol import events as ev
from novadesk.protocol.codec import encode
from novadesk.protocol.events import ContentType, OutputEvent, Stage, StopReason, WireRole

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60)
PCM = st.binary(max_size=64)
RATES_HZ = st.sampled_from([8_000, 16_000, 24_000])
SHARES = st.floats(0, 1)
TOKENS = st.builds(
    ev.TokenCount,
    speech_in=st.integers(0, 10**9),
    text_in=st.integers(0, 10**9),
    speech_out=st.integers(0, 10**9),
    text_out=st.integers(0, 10**9),
)
SCHEMAS = st.dictionaries(NAMES, st.integers() | NAMES, max_size=3).map(json.dumps)
TOOLS = st.builds(ev.ToolSpec, name=NAMES, description=TEXTS, input_schema=SCHEMAS)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
BODIES = st.dictionaries(NAMES, JSON_VALUES, max_size=4)
UNKNOWN = st.builds(ev.UnknownEvent, name=NAMES.map(lambda name: f"x{name}"), body=BODIES)


@st.composite
def prompt_starts(draw: st.DrawFn) -> ev.PromptStart:
    tools = tuple(draw(st.lists(TOOLS, max_size=2)))
    choice = draw(st.none() | st.sampled_from(["auto", "any", "getTime"])) if tools else None
    return ev.PromptStart(
        prompt_name=draw(NAMES),
        voice_id=draw(NAMES),
        output_rate_hz=draw(RATES_HZ),
        tools=tools,
        tool_choice=choice,
    )


_NAMED: dict[str, Any] = {"prompt_name": NAMES, "content_name": NAMES}
INPUTS = st.one_of(
    st.builds(
        ev.SessionStart,
        max_tokens=st.integers(1, 10_000),
        top_p=SHARES,
        temperature=SHARES,
        sensitivity=st.none() | st.sampled_from(ev.Sensitivity),
    ),
    prompt_starts(),
    st.builds(ev.TextStart, role=st.sampled_from(WireRole), interactive=st.booleans(), **_NAMED),
    st.builds(ev.AudioStart, rate_hz=RATES_HZ, **_NAMED),
    st.builds(ev.ToolStart, tool_use_id=NAMES, **_NAMED),
    st.builds(ev.TextInput, content=TEXTS, **_NAMED),
    st.builds(ev.AudioInput, pcm=PCM, **_NAMED),
    st.builds(ev.ToolResult, content=TEXTS, **_NAMED),
    st.builds(ev.ContentEnd, **_NAMED),
    st.builds(ev.PromptEnd, prompt_name=NAMES),
    st.builds(ev.SessionEnd),
    UNKNOWN,
)

_FRAMED: dict[str, Any] = {"session_id": NAMES, "prompt_name": NAMES, "completion_id": NAMES}
_BLOCK: dict[str, Any] = {**_FRAMED, "content_id": NAMES}
_ROLES = st.sampled_from(WireRole)
OUTPUTS = st.one_of(
    st.builds(ev.CompletionStart, **_FRAMED),
    st.builds(
        ev.OutputStart,
        type=st.sampled_from([ContentType.TEXT, ContentType.TOOL]),
        role=_ROLES,
        stage=st.none() | st.sampled_from(Stage),
        **_BLOCK,
    ),
    st.builds(ev.OutputStart, type=st.just(ContentType.AUDIO), role=_ROLES, rate_hz=RATES_HZ, **_BLOCK),
    st.builds(ev.TextOutput, role=_ROLES, content=TEXTS, **_BLOCK),
    st.builds(ev.AudioOutput, pcm=PCM, **_BLOCK),
    st.builds(ev.ToolUse, tool_name=NAMES, tool_use_id=NAMES, content=BODIES.map(json.dumps), **_BLOCK),
    st.builds(ev.OutputEnd, type=st.sampled_from(ContentType), stop_reason=st.sampled_from(StopReason), **_BLOCK),
    st.builds(ev.Usage, delta=TOKENS, total=TOKENS, **_FRAMED),
    st.builds(ev.UserSpeechEnd, **_FRAMED),
    st.builds(ev.CompletionEnd, stop_reason=st.sampled_from(StopReason), **_FRAMED),
    UNKNOWN,
)

FRAME: dict[str, Any] = {"session_id": "s", "prompt_name": "p", "completion_id": "c"}


def ids() -> Any:
    """Return a maker of readable ids."""
    numbers = count(1)
    return lambda: f"id{next(numbers)}"


def text_block(
    content_id: str,
    text: str,
    *,
    role: WireRole = WireRole.ASSISTANT,
    stage: Stage | None = Stage.FINAL,
    stop: StopReason = StopReason.PARTIAL_TURN,
) -> list[OutputEvent]:
    """Return a whole block of text of the service."""
    return [
        ev.OutputStart(content_id=content_id, type=ContentType.TEXT, role=role, stage=stage, **FRAME),
        ev.TextOutput(content_id=content_id, role=role, content=text, **FRAME),
        ev.OutputEnd(content_id=content_id, type=ContentType.TEXT, stop_reason=stop, **FRAME),
    ]


def planned(content_id: str, text: str) -> list[OutputEvent]:
    """Return a block of planned text."""
    return text_block(content_id, text, stage=Stage.SPECULATIVE)


def speech(content_id: str, samples: int, *, stop: StopReason | None = StopReason.PARTIAL_TURN) -> list[OutputEvent]:
    """Return a block of speech; without a stop reason it stays open."""
    block: list[OutputEvent] = [
        ev.OutputStart(content_id=content_id, type=ContentType.AUDIO, role=WireRole.ASSISTANT, **FRAME),
        ev.AudioOutput(content_id=content_id, pcm=bytes(2 * samples), **FRAME),
    ]
    return block if stop is None else [*block, speech_end(content_id, stop)]


def speech_end(content_id: str, stop: StopReason) -> OutputEvent:
    """Return the end of a block of speech."""
    return ev.OutputEnd(content_id=content_id, type=ContentType.AUDIO, stop_reason=stop, **FRAME)


def tool_block(content_id: str, tool_use_id: str, content: str = "{}") -> list[OutputEvent]:
    """Return a whole tool request."""
    return [
        ev.OutputStart(content_id=content_id, type=ContentType.TOOL, role=WireRole.TOOL, **FRAME),
        ev.ToolUse(content_id=content_id, tool_name="getTime", tool_use_id=tool_use_id, content=content, **FRAME),
        ev.OutputEnd(content_id=content_id, type=ContentType.TOOL, stop_reason=StopReason.TOOL_USE, **FRAME),
    ]


def payloads(events: list[OutputEvent]) -> list[bytes]:
    """Return the events as they go over the wire."""
    return [encode(event) for event in events]
