"""The flight recorder: the last protocol events of a conversation, without a word of what was said."""

import json
import re
import string
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from novadesk.diagnostics.redaction import Redaction, revive
from novadesk.protocol.fields import Body

FORMAT = 1
MAX_ENTRIES = 1_000
MAX_BYTES = 250_000
"""Bounds of the recording in memory. Audio in a row is one entry: this is a wire session of constant talk, or hours of
listening."""

RUN_S = 2.0
"""Longest row of audio in one entry."""

_NOTE_CHARACTERS = 200
_SOUND = b'"content":"'  # what stands before the sound of a frame of ours, which comes last
_BASE64 = string.ascii_letters.encode() + b"0123456789+/"
_TAIL_BYTES = 6  # its end: padding of base64, and three braces
_LONG_WORD = re.compile(r"[0-9A-Za-z_+/=.-]{20,}")  # ids, keys and tokens are longer than any word of a note


@dataclass(slots=True)
class _Entry:
    at_s: float
    generation: int
    side: str
    text: str  # of a note; else the event as JSON, a fifth of what its objects take
    until_s: float = 0.0
    count: int = 1
    audio: tuple[str, str, int] | None = None
    alike: tuple[int, bytes, bytes] | None = None  # see `_frame_of`
    size: int = field(default=0)


class Recorder:
    """Keeps what passed between NovaDesk and the service. Called on the core loop; never raises.

    Args:
        max_entries: entries kept; the oldest go.
        max_bytes: bytes kept, as they will be written.

    Attributes:
        deaf: nothing is taken, as long as a private conversation is open.
    """

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self.deaf = False
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._entries: deque[_Entry] = deque()
        self._runs: dict[tuple[int, str], _Entry] = {}
        self._redaction = Redaction()
        self._bytes = 0
        self._dropped = 0
        self._now = 0.0

    def sent(self, generation: int, payload: bytes, now: float) -> None:
        """Take an event that went to the service; `now` is the core's monotonic clock in seconds."""
        run = self._runs.get((generation, "client"))
        alike = None if run is None or self.deaf or now - run.at_s >= RUN_S else run.alike
        if run is None or alike is None or _frame_of(payload) != alike:
            self._take(generation, "client", payload, now)
            return
        self._now = run.until_s = now
        run.count += 1

    def received(self, generation: int, payload: bytes, now: float) -> None:
        """Take an event that came from the service."""
        self._take(generation, "service", payload, now)

    def note(self, text: str, now: float | None = None) -> None:
        """Take a line about what the core did, such as a phase; long words (ids, keys) are taken out.

        Without `now` it happened at the time of the newest entry.
        """
        self._now = self._now if now is None else now
        if self.deaf:
            return
        line = _LONG_WORD.sub("…", " ".join(text.split())[:_NOTE_CHARACTERS])
        self._add(_Entry(at_s=self._now, generation=0, side="note", text=line))

    def redact(self, payload: bytes) -> bytes:
        """Return an event of the service as it would be written."""
        return _json(self._redaction.redact(payload, ours=False)).encode()

    def dump(self) -> str:
        """Return the recording as JSON lines: a heading, then the entries, oldest first. See `read_dump`."""
        heading = _json({"format": FORMAT, "entries": len(self._entries), "dropped": self._dropped})
        return "\n".join([heading, *self.lines()]) + "\n"

    def story(self, newest: int) -> list[str]:
        """Return the newest entries as lines for people, oldest first; times are seconds before the newest."""
        entries = list(self._entries)[-newest:] if newest else []
        return [_words(entry, self._now) for entry in entries]

    def lines(self, newest: int | None = None) -> list[str]:
        """Return the newest entries (None: all) as JSON lines, oldest first."""
        entries = list(self._entries)
        return [_line(entry) for entry in (entries if newest is None else entries[-newest:] if newest else [])]

    def _take(self, generation: int, side: str, payload: bytes, now: float) -> None:
        self._now = now
        if self.deaf:
            return
        body = self._redaction.redact(payload, ours=side == "client")
        audio = _audio(body)
        run = self._runs.get((generation, side))
        if run is not None and audio is not None and run.audio == audio and now - run.at_s < RUN_S:
            run.count += 1
            run.until_s = now
            return
        entry = _Entry(at_s=now, generation=generation, side=side, text=_json(body), until_s=now, audio=audio)
        if audio is None:
            self._runs.clear()  # what is no audio keeps its place among the audio of both sides
        else:
            self._runs[generation, side] = entry
            entry.alike = _frame_of(payload)
        self._add(entry)

    def _add(self, entry: _Entry) -> None:
        if entry.side == "note":
            self._runs.clear()
        entry.size = len(_line(entry)) + 24  # a row of audio grows by its count and end
        self._entries.append(entry)
        self._bytes += entry.size
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._bytes -= self._entries.popleft().size
            self._dropped += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One event of a recording, alive again.

    Attributes:
        at_s: seconds on the clock of the recording.
        generation: the wire session that it belongs to.
        ours: NovaDesk sent it.
        payload: JSON of an event of the same kind, with texts and audio of the same lengths.
    """

    at_s: float
    generation: int
    ours: bool
    payload: bytes


def read_dump(text: str) -> tuple[Recorded, ...]:
    """Return the events of a dump, oldest first; notes are left out.

    Raises:
        ValueError: that is no recording of this format.
    """
    heading, *rows = (json.loads(line) for line in text.splitlines() if line.strip())
    if heading.get("format") != FORMAT:
        raise ValueError("a recording of another format")
    found = [event for row in rows for event in _events(row)]
    return tuple(sorted(found, key=lambda event: event.at_s))


def _events(row: Body) -> Iterator[Recorded]:
    ours = "client" in row
    body = row.get("client" if ours else "service")
    if not isinstance(body, dict):
        return
    payload = revive(body)
    at_s, until_s, count = (float(str(row.get(key, 0))) for key in ("at_s", "until_s", "count"))
    for at in _spread(at_s, until_s, max(1, int(count))):
        yield Recorded(at_s=at, generation=int(str(row["generation"])), ours=ours, payload=payload)


def _spread(start: float, end: float, count: int) -> Sequence[float]:
    step = (end - start) / (count - 1) if count > 1 else 0.0
    return [start + step * index for index in range(count)]


def _audio(body: Body) -> tuple[str, str, int] | None:
    """Return what a piece of audio has in common with the next one of its row."""
    match body:
        case {"event": {"audioInput": {"contentName": str(name), "content": {"$bytes": int(length)}}}}:
            return "audioInput", name, length
        case {"event": {"audioOutput": {"contentId": str(name), "content": {"$bytes": int(length)}}}}:
            return "audioOutput", name, length
        case _:
            return None


def _frame_of(payload: bytes) -> tuple[int, bytes, bytes] | None:
    """Return what two frames of our own have in common when nothing but their sound differs, or None."""
    place = payload.find(_SOUND)
    return None if place < 0 else (len(payload), payload[:place], payload[-_TAIL_BYTES:].lstrip(_BASE64))


def _line(entry: _Entry) -> str:
    if entry.side == "note":
        return _json({"at_s": round(entry.at_s, 3), "note": entry.text})
    row: Body = {"at_s": round(entry.at_s, 3), "generation": entry.generation}
    if entry.count > 1:
        row |= {"until_s": round(entry.until_s, 3), "count": entry.count}
    return _json(row | {entry.side: json.loads(entry.text)})


def _words(entry: _Entry, now: float) -> str:
    when = f"{entry.at_s - now:9.2f} s"
    if entry.side == "note":
        return f"{when}  {entry.text}"
    whole = json.loads(entry.text)
    event = whole.get("event") if isinstance(whole, dict) else None
    name, body = next(iter(event.items())) if isinstance(event, dict) and event else ("(unreadable)", None)
    details = (
        [str(body[key]) for key in ("type", "role", "stopReason") if isinstance(body.get(key), str)]
        if isinstance(body, dict)
        else []
    )
    match body:
        case {"content": {"$text": [int(length), *_]}}:
            details.append(f"{length} characters")
        case {"content": {"$bytes": int(length)}}:
            details.append(f"{length * entry.count:,} bytes" + (f" in {entry.count}" if entry.count > 1 else ""))
    arrow = "→" if entry.side == "client" else "←"
    return f"{when}  {entry.generation} {arrow} {name} {', '.join(details)}".rstrip()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
