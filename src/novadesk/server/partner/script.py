"""A partner that does exactly what a file says, for tests.

A script is a file of steps: JSON Lines (one object a line; blank lines and lines that begin with # are skipped) or,
when its name ends in .toml, an array of `[[step]]` tables. Steps are done in order. Each has

* at most one trigger, waited for first: `on_start` (true: at once), `on_audio_ms` (so much microphone audio since the
  step before), `on_text` (a typed text holding this, "" for any), `on_utterance` (true: sound, then 400 ms of quiet),
  `on_tool` (true: the answer to a tool);
* `delay_ms`, waited next;
* `do`, one of the actions:

| do | fields |
|---|---|
| `user_said` | `text` |
| `user_speech_ended` | |
| `plan` | `text` |
| `speak` | `ms`; optional `hz` (440), `dbfs` (-18) |
| `speech_ended` | optional `last` (false) |
| `spoken` | `text`; optional `last` (false) |
| `say` | `text`, `ms`; optional `last` (true): plan, speak, speech_ended, then spoken when it has been played |
| `interrupted` | |
| `use_tool` | `name`; optional `arguments` (an object) |
| `usage` | optional `speech_in`, `text_in`, `speech_out`, `text_out` |
| `fail` | `type`, `message`: an in-stream exception |
| `wait` | |
| `repeat` | only as the last step: begin again |

After the last step the partner keeps listening in silence until the caller hangs up.
"""

import asyncio
import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np

from novadesk.errors import KnownError, Reason
from novadesk.protocol.events import TokenCount
from novadesk.server.call import Call, CallerEvent, Heard, HungUp, ToolAnswered, Typed
from novadesk.server.partner.loudness import UtteranceMeter

_IN_BYTES_PER_MS = 32


class Trigger(Enum):
    """What a step waits for."""

    START = "on_start"
    AUDIO_MS = "on_audio_ms"
    TEXT = "on_text"
    UTTERANCE = "on_utterance"
    TOOL = "on_tool"


class Action(Enum):
    """What a step does."""

    USER_SAID = "user_said"
    USER_SPEECH_ENDED = "user_speech_ended"
    PLAN = "plan"
    SPEAK = "speak"
    SPEECH_ENDED = "speech_ended"
    SPOKEN = "spoken"
    SAY = "say"
    INTERRUPTED = "interrupted"
    USE_TOOL = "use_tool"
    USAGE = "usage"
    FAIL = "fail"
    WAIT = "wait"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class _Field:
    kind: type
    default: object = ...


_TEXT, _LENGTH, _LAST = _Field(str), _Field(int), _Field(bool, False)
_FIELDS: dict[Action, dict[str, _Field]] = {
    Action.USER_SAID: {"text": _TEXT},
    Action.USER_SPEECH_ENDED: {},
    Action.PLAN: {"text": _TEXT},
    Action.SPEAK: {"ms": _LENGTH, "hz": _Field(int, 440), "dbfs": _Field(int, -18)},
    Action.SPEECH_ENDED: {"last": _LAST},
    Action.SPOKEN: {"text": _TEXT, "last": _LAST},
    Action.SAY: {"text": _TEXT, "ms": _LENGTH, "last": _Field(bool, True)},
    Action.INTERRUPTED: {},
    Action.USE_TOOL: {"name": _TEXT, "arguments": _Field(dict, {})},
    Action.USAGE: {name: _Field(int, 0) for name in ("speech_in", "text_in", "speech_out", "text_out")},
    Action.FAIL: {"type": _TEXT, "message": _TEXT},
    Action.WAIT: {},
    Action.REPEAT: {},
}
_TRIGGERS = {
    Trigger.START: bool,
    Trigger.AUDIO_MS: int,
    Trigger.TEXT: str,
    Trigger.UTTERANCE: bool,
    Trigger.TOOL: bool,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `values` holds the fields of its action, complete with defaults; `wanted` the trigger's value."""

    action: Action
    values: Mapping[str, object] = field(default_factory=dict)
    trigger: Trigger | None = None
    wanted: object = None
    delay_ms: int = 0

    def text(self, name: str) -> str:
        """Return a text field."""
        return str(self.values[name])

    def number(self, name: str) -> int:
        """Return a number field."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    @property
    def last(self) -> bool:
        """Return whether it ends the turn."""
        return bool(self.values["last"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The steps of a file."""

    steps: tuple[Step, ...]

    @property
    def repeats(self) -> bool:
        """Return whether it begins again after its last step."""
        return bool(self.steps) and self.steps[-1].action is Action.REPEAT


def load_script(file: Path) -> Script:
    """Read a script.

    Raises:
        KnownError: `FILE_MISSING`, or `BAD_INPUT` naming the first line (in TOML: the step) that is wrong.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise KnownError(
            Reason.FILE_MISSING, f"The partner's script {file} can not be read.", "Check the name of the file."
        ) from error
    except UnicodeDecodeError as error:
        raise _bad(f"The partner's script {file.name}", "is not UTF-8 text") from error
    return parse_script(text, name=file.name, toml=file.suffix.lower() == ".toml")


def parse_script(text: str, *, name: str, toml: bool = False) -> Script:
    """Return the script in a text. `name` is used in errors only.

    Raises:
        KnownError: `BAD_INPUT` naming the first line (in TOML: the step) that is wrong.
    """
    rows = list(_toml_rows(text, name) if toml else _json_rows(text, name))
    steps = tuple(_step(row, where) for where, row in rows)
    if not steps:
        raise _bad(name, "has no steps")
    for (where, _), step in zip(rows[:-1], steps[:-1], strict=True):
        if step.action is Action.REPEAT:
            raise _bad(where, "“repeat” must be the last step")
    if steps[-1].action is Action.REPEAT and not any(step.trigger not in {None, Trigger.START} for step in steps):
        raise _bad(rows[-1][0], "“repeat” without any step that waits for the caller would never pause")
    return Script(steps=steps)


class ScriptedPartner:
    """Does what a script says."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def converse(self, call: Call) -> None:
        """Do the steps; then listen until the caller hangs up."""
        caller = _Caller(call)
        work = asyncio.create_task(self._perform(call, caller))
        hearing = asyncio.create_task(caller.hear())
        try:
            await asyncio.wait({work, hearing}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                await hearing
        finally:
            for task in (work, hearing):
                task.cancel()
            await asyncio.gather(work, hearing, return_exceptions=True)

    async def _perform(self, call: Call, caller: "_Caller") -> None:
        while True:
            for step in self._script.steps:
                if step.trigger is not None:
                    await caller.wait_for(step.trigger, step.wanted)
                caller.mark()
                if step.delay_ms:
                    await asyncio.sleep(step.delay_ms / 1_000)
                await _do(step, call)
            if not self._script.repeats:
                return


class _Caller:
    """What the caller did that no step has taken yet."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._meter = UtteranceMeter()
        self._news = asyncio.Condition()
        self._heard_bytes = 0
        self._marked_bytes = 0
        self._texts: list[str] = []
        self._utterances = 0
        self._tool_answers = 0

    async def hear(self) -> None:
        """Take everything until the caller hangs up."""
        while not isinstance(event := await self._call.receive(), HungUp):
            async with self._news:
                self._take(event)
                self._news.notify_all()

    def mark(self) -> None:
        """Count audio from here on."""
        self._marked_bytes = self._heard_bytes

    async def wait_for(self, trigger: Trigger, wanted: object) -> None:
        """Wait for what a trigger names, and take it."""
        async with self._news:
            await self._news.wait_for(lambda: self._happened(trigger, wanted))

    def _take(self, event: CallerEvent) -> None:
        match event:
            case Heard(pcm=pcm):
                self._heard_bytes += len(pcm)
                self._utterances += self._meter.take(pcm)
            case Typed(text=text):
                self._texts.append(text)
            case ToolAnswered():
                self._tool_answers += 1
            case HungUp():
                pass

    def _happened(self, trigger: Trigger, wanted: object) -> bool:
        match trigger:
            case Trigger.START:
                return True
            case Trigger.AUDIO_MS:
                assert isinstance(wanted, int)
                return self._heard_bytes - self._marked_bytes >= wanted * _IN_BYTES_PER_MS
            case Trigger.TEXT:
                while self._texts:
                    if str(wanted).lower() in self._texts.pop(0).lower():
                        return True
                return False
            case Trigger.UTTERANCE:
                happened, self._utterances = self._utterances > 0, max(0, self._utterances - 1)
                return happened
            case Trigger.TOOL:
                happened, self._tool_answers = self._tool_answers > 0, max(0, self._tool_answers - 1)
                return happened


async def _do(step: Step, call: Call) -> None:
    match step.action:
        case Action.USER_SAID:
            await call.user_said(step.text("text"))
        case Action.USER_SPEECH_ENDED:
            await call.user_speech_ended()
        case Action.PLAN:
            await call.plan(step.text("text"))
        case Action.SPEAK:
            await call.speak(tone(step.number("ms"), call.output_rate_hz, step.number("hz"), step.number("dbfs")))
        case Action.SPEECH_ENDED:
            await call.speech_ended(last=step.last)
        case Action.SPOKEN:
            await call.spoken(step.text("text"), last=step.last)
        case Action.SAY:
            await _say(step, call)
        case Action.INTERRUPTED:
            await call.interrupted()
        case Action.USE_TOOL:
            await call.use_tool(step.text("name"), json.dumps(step.values["arguments"]))
        case Action.USAGE:
            await call.report_usage(TokenCount(**{name: step.number(name) for name in step.values}))
        case Action.FAIL:
            await call.fail(step.text("type"), step.text("message"))
        case Action.WAIT | Action.REPEAT:
            pass


async def _say(step: Step, call: Call) -> None:
    text, length_ms = step.text("text"), step.number("ms")
    await call.plan(text)
    await call.speak(tone(length_ms, call.output_rate_hz))
    await call.speech_ended(last=step.last)
    await asyncio.sleep(length_ms / 1_000)
    await call.spoken(text, last=step.last)


def tone(length_ms: int, rate_hz: int, pitch_hz: int = 440, dbfs: int = -18) -> bytes:
    """Return a sine as s16le mono; `dbfs` is its RMS level."""
    times = np.arange(rate_hz * length_ms // 1_000) / rate_hz
    peak = min(1.0, math.sqrt(2) * 10 ** (dbfs / 20))
    return np.rint(32_767 * peak * np.sin(2 * math.pi * pitch_hz * times)).astype("<i2").tobytes()


# --- reading ---------------------------------------------------------------------------------


def _json_rows(text: str, name: str) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{name}, line {number}"
        try:
            yield where, json.loads(line)
        except ValueError as error:
            raise _bad(where, "is not JSON") from error


def _toml_rows(text: str, name: str) -> Iterator[tuple[str, object]]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(name, f"is not TOML: {error}") from error
    if unknown := sorted(set(document) - {"step"}):
        raise _bad(name, f"has an unknown table: {unknown[0]}")
    steps = document.get("step", [])
    if not isinstance(steps, list):
        raise _bad(name, "needs [[step]] with two brackets")
    for number, row in enumerate(steps, 1):
        yield f"{name}, step {number}", row


def _step(row: object, where: str) -> Step:
    if not isinstance(row, dict):
        raise _bad(where, "is not an object")
    rest = dict(row)
    try:
        action = Action(rest.pop("do", None))
    except ValueError as error:
        raise _bad(where, f"“do” must be one of {', '.join(action.value for action in Action)}") from error
    triggers = [trigger for trigger in Trigger if trigger.value in rest]
    if len(triggers) > 1:
        raise _bad(where, f"has two triggers: {triggers[0].value} and {triggers[1].value}")
    trigger = triggers[0] if triggers else None
    wanted = _value(rest.pop(trigger.value), _TRIGGERS[trigger], trigger.value, where) if trigger else None
    if wanted is False:
        raise _bad(where, "a trigger can only be true")
    delay_ms = _value(rest.pop("delay_ms", 0), int, "delay_ms", where)
    assert isinstance(delay_ms, int)
    values = {
        name: _value(rest.pop(name, entry.default), entry.kind, name, where) for name, entry in _FIELDS[action].items()
    }
    if rest:
        raise _bad(where, f"“{action.value}” has no field “{next(iter(rest))}”")
    return Step(action=action, values=values, trigger=trigger, wanted=wanted, delay_ms=delay_ms)


def _value(value: object, kind: type, name: str, where: str) -> object:
    if value is ...:
        raise _bad(where, f"needs the field “{name}”")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = {str: "a text", int: "a whole number", bool: "true or false", dict: "an object"}
        raise _bad(where, f"“{name}” must be {words[kind]}")
    if isinstance(value, int) and value < 0 and name != "dbfs":
        raise _bad(where, f"“{name}” must not be negative")
    return value


def _bad(where: str, why: str) -> KnownError:
    return KnownError(Reason.BAD_INPUT, f"The partner's script is wrong ({where}): {why}.", "Mend that step.")
