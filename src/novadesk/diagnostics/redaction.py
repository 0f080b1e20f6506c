"""Protocol events without what was said: lengths for text and audio, stand-ins for ids, and the way back for a replay.

Nothing passes that is not on a list of this module: names of fields, closed words of the wire, numbers of known fields.
What is left of a text is its length, and of which earlier text it is a repetition or a beginning, because the core
pairs planned and spoken texts by that. A text that repeats itself ("no no no") may be paired differently in a replay.
"""

import hashlib
import json
import secrets
from base64 import b64encode
from collections import deque
from dataclasses import dataclass
from typing import cast

from novadesk.protocol.fields import Body, is_json_object, parse

_KNOWN_TEXTS = 48
_FIRST_LETTER, _LETTERS = 0x4E00, 20_000  # ideographs: letters without case
_STEP = 7_919  # a prime: texts that are unrelated differ from their first letter on

_EVENTS = (
    "sessionStart promptStart contentStart textInput audioInput toolResult contentEnd promptEnd sessionEnd "
    "completionStart textOutput audioOutput toolUse usageEvent userSpeechEnd completionEnd"
)
_FIELDS = (
    "event inferenceConfiguration turnDetectionConfiguration maxTokens topP temperature endpointingSensitivity "
    "promptName textOutputConfiguration audioOutputConfiguration audioInputConfiguration "
    "textInputConfiguration toolUseOutputConfiguration toolConfiguration toolResultInputConfiguration "
    "mediaType sampleRateHertz sampleSizeBits channelCount voiceId encoding audioType tools toolSpec name "
    "description inputSchema json toolChoice tool auto any contentName contentId completionId sessionId "
    "toolUseId toolName type interactive role content stopReason additionalModelFields details delta total "
    "input output speechTokens textTokens totalInputTokens totalOutputTokens totalTokens"
)
_NAMES = frozenset(f"{_EVENTS} {_FIELDS}".split())
_WORDS = frozenset(
    "TEXT AUDIO TOOL SYSTEM SYSTEM_SPEECH USER ASSISTANT SPECULATIVE FINAL PARTIAL_TURN END_TURN INTERRUPTED TOOL_USE "
    "HIGH MEDIUM LOW SPEECH text/plain application/json audio/lpcm base64".split()
)
_IDS = frozenset("promptName contentName contentId completionId sessionId toolUseId".split())
_STAGES = ("SPECULATIVE", "FINAL")
_AUDIO = frozenset({"audioInput", "audioOutput"})
_TOOL_EVENTS = frozenset({"toolUse", "toolResult"})
_TOOL_NAMES = frozenset({"name", "toolName"})
_MARKER = {"interrupted": True}

TEXT, JSON, BYTES, REST = "$text", "$json", "$bytes", "$other"
"""Keys of the objects that stand for a text, a JSON text, audio, and a value that this module does not know."""


type _Segment = list[int]  # number of a text, first letter, letters


@dataclass(slots=True)
class _Known:
    letters: str
    segments: list[_Segment]


class Redaction:
    """Takes what was said out of events. One object sees all events of a recording, in order."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)  # never written: nobody can try ids against their stand-ins
        self._texts: deque[_Known] = deque(maxlen=_KNOWN_TEXTS)
        self._follow: tuple[_Known | None, int] = (None, 0)
        self._block: object = None
        self._made = 0
        self._tools: set[str] = set()

    def redact(self, payload: bytes, *, ours: bool) -> Body:
        """Return an event as it may be written.

        Args:
            payload: the JSON of one event.
            ours: NovaDesk sent it: the names of tools in it are those of the program.
        """
        document = _read(payload)
        events = document.get("event") if isinstance(document, dict) else None
        if not isinstance(events, dict) or len(events) != 1:
            return {REST: len(payload)}
        name, body = next(iter(events.items()))
        if ours and name == "promptStart":
            self._learn_tools(body)
        self._enter(body)
        shown = name if name in _NAMES else self._stand_in(str(name))
        try:
            return {"event": {shown: self._value(body, str(name), "")}}
        except RecursionError:
            return {REST: len(payload)}

    def _enter(self, body: object) -> None:
        block = (body.get("contentId") or body.get("contentName")) if isinstance(body, dict) else None
        if block != self._block:
            self._block, self._follow = block, (None, 0)

    def _value(self, value: object, event: str, field: str) -> object:
        match value:
            case dict():
                return {
                    (key if key in _NAMES else self._stand_in(key)): self._value(item, event, key)
                    for key, item in value.items()
                }
            case list():
                return [self._value(item, event, field) for item in value[:64]]
            case bool() | None:
                return value
            case int() | float():
                return value if field in _NAMES and abs(value) < 1e9 else {REST: 1}
            case str():
                return self._string(value, event, field)
            case _:
                return {REST: 1}

    def _string(self, value: str, event: str, field: str) -> object:
        if field in _IDS:
            return self._stand_in(value)
        if field == "content":
            return self._content(value, event)
        if field == "additionalModelFields":
            fields = parse(value)
            stage = fields.get("generationStage") if isinstance(fields, dict) else None
            return json.dumps({"generationStage": stage}) if stage in _STAGES else {REST: len(value)}
        if field == "json":
            return {JSON: len(value)} if is_json_object(value) else {REST: len(value)}
        known = value in _WORDS or (field in _TOOL_NAMES and value in self._tools)
        return value if known and field in _NAMES else {REST: len(value)}

    def _content(self, value: str, event: str) -> object:
        if event in _AUDIO:
            return {BYTES: len(value) // 4 * 3 - value[-2:].count("=")}
        if event in _TOOL_EVENTS:
            return {JSON: len(value)} if is_json_object(value) else {REST: len(value)}
        if parse(value) == _MARKER:
            return json.dumps(_MARKER)
        return {TEXT: [len(value), int(bool(value.strip())), self._segments(value)]}

    def _segments(self, text: str) -> list[_Segment]:
        """Return where the letters of a text come from."""
        letters = "".join(character for character in text.casefold() if character.isalnum())
        found: list[_Segment] = []
        rest = letters
        while rest:
            known, start, length = self._choose(rest)
            if known is None:
                self._made += 1
                found.append([self._made, 0, length])
            else:
                found += _cut(known.segments, start, length)
            self._follow = (known, start + length)
            rest = rest[length:]
        if letters:
            self._texts.append(_Known(letters, found))
            if self._follow[0] is None:
                self._follow = (self._texts[-1], len(letters))
        return found

    def _choose(self, letters: str) -> tuple[_Known | None, int, int]:
        """Return a known text that `letters` goes on with: the text, where in it, and for how many letters.

        First the rest of the text before, or the text that came after it: a text may be said in several parts, and
        one part may stand for several texts. Else the longest text that `letters` begins with, or begins.
        """
        known, place = self._follow
        if known is not None:
            if place >= len(known.letters):
                known, place = self._after(known), 0
            if known is not None and (length := _shared(known.letters, place, letters)):
                return known, place, length
        longest = max(self._texts, key=lambda text: _shared(text.letters, 0, letters), default=None)
        length = 0 if longest is None else _shared(longest.letters, 0, letters)
        return (longest, 0, length) if length else (None, 0, len(letters))

    def _after(self, known: _Known) -> _Known | None:
        texts = list(self._texts)
        at = next((at for at, text in enumerate(texts) if text is known), len(texts)) + 1
        return texts[at] if at < len(texts) else None

    def _stand_in(self, text: str) -> str:
        digest = hashlib.blake2s(text.encode(errors="replace"), key=self._key, digest_size=5).hexdigest()
        return f"x{digest}"

    def _learn_tools(self, body: object) -> None:
        tools = cast("Body", body).get("toolConfiguration") if isinstance(body, dict) else None
        for tool in tools.get("tools", []) if isinstance(tools, dict) else []:
            name = tool.get("toolSpec", {}).get("name") if isinstance(tool, dict) else None
            if isinstance(name, str) and name.isidentifier():
                self._tools.add(name)


def revive(event: Body) -> bytes:
    """Return the JSON of an event that behaves like the one that was redacted: texts and audio of the same lengths."""
    if REST in event:
        return b"?"
    return json.dumps(_revived(event), ensure_ascii=False, separators=(",", ":")).encode()


def _revived(value: object) -> object:
    match value:
        case {"$text": [int(length), int(said), list(segments)]}:
            return _text(length, bool(said), segments)
        case {"$json": int()}:
            return "{}"
        case {"$bytes": int(length)}:
            return b64encode(bytes(length)).decode()
        case {"$other": int(length)}:
            return "?" * length
        case dict():
            return {key: _revived(item) for key, item in value.items()}
        case list():
            return [_revived(item) for item in value]
        case _:
            return value


def _text(length: int, said: bool, segments: list[_Segment]) -> str:
    letters = "".join(_letters(*segment) for segment in segments)
    if not letters:
        return ("." if said else " ") * length
    # What is no letter stands between them, so that a text can be cut at a word.
    gaps = max(0, length - len(letters))
    every = max(1, len(letters) // (gaps + 1))
    pieces = [letters[at : at + every] for at in range(0, len(letters), every)]
    return " ".join(pieces[: gaps + 1]) + "".join(pieces[gaps + 1 :])


def _letters(number: int, start: int, length: int) -> str:
    return "".join(chr(_FIRST_LETTER + (number * _STEP + place) % _LETTERS) for place in range(start, start + length))


def _shared(known: str, place: int, letters: str) -> int:
    """Return for how many letters one goes on as the other, to the end of either; 0 when they part before."""
    length = min(len(known) - place, len(letters))
    return length if length > 0 and known.startswith(letters[:length], place) else 0


def _cut(segments: list[_Segment], start: int, length: int) -> list[_Segment]:
    found: list[_Segment] = []
    for number, first, letters in segments:
        taken = min(letters - start, length)
        if taken > 0:
            found.append([number, first + start, taken])
            length -= taken
        start = max(0, start - letters)
    return found


def _read(payload: bytes) -> object:
    try:
        return parse(payload.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return None
