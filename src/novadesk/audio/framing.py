"""Messages as bytes, length-prefixed, for pipes.

A message is one byte of kind, three of nothing, four of payload length (little endian), and the payload: numbers, the
lengths of lists, then texts (two bytes of length each) or bytes up to the end.
"""

import itertools
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from novadesk.audio.devices import Direction
from novadesk.audio.wire import (
    Clip,
    Command,
    Failed,
    Flush,
    Frame,
    Input,
    Interruption,
    List,
    Listed,
    Message,
    Open,
    Opened,
    Play,
    Played,
    PlayOn,
    Ready,
    Report,
    Statistics,
    Trying,
    Volume,
    Watch,
)
from novadesk.config import EchoSetting
from novadesk.errors import Reason
from novadesk.models import BargeIn, InputTrouble
from novadesk.text import packed, unpacked

HEADER = struct.Struct("<BxxxI")
MAX_PAYLOAD_BYTES = 16_000_000

_TEXT_LENGTH = struct.Struct("<H")


class FramingError(Exception):
    """The other side does not speak this protocol, or the pipe was torn."""


class Kind(Enum):
    """What a message is; those below 16 go down to the engine, the others come up."""

    OPEN = 1
    PLAY = 2
    FLUSH = 3
    LIST = 4
    VOLUME = 5
    PLAY_ON = 6
    CLIP = 7
    WATCH = 8
    READY = 16
    OPENED = 17
    FRAME = 18
    PLAYED = 19
    FAILED = 20
    LISTED = 21
    STATISTICS = 22
    INTERRUPTION = 23
    INPUT = 24
    TRYING = 25


_KINDS = frozenset(kind.value for kind in Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How a message lies in its payload.

    Attributes:
        numbers: fields packed by `packing`, in this order.
        texts: fields behind them; an enum goes by the text of its value, none of it as an empty text.
        lists: fields of several texts behind those.
        rest: field of the bytes behind the numbers, whole samples of two bytes each; empty when there are none.
    """

    kind: Kind
    made: Callable[..., Any]
    packing: struct.Struct
    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    rest: str = ""

    def pack(self, message: Message) -> bytes:
        """Return the payload."""
        lists: list[tuple[str, ...]] = [getattr(message, name) for name in self.lists]
        payload = self.packing.pack(*(getattr(message, name) for name in self.numbers), *map(len, lists))
        if self.rest:
            return payload + bytes(getattr(message, self.rest))
        texts = (_text(getattr(message, name)) for name in self.texts)
        return payload + _pack_texts((*texts, *itertools.chain(*lists)))

    def unpack(self, payload: bytes) -> Any:
        """Return the message; `ValueError` or `struct.error` when the payload does not fit."""
        values: dict[str, Any] = dict(zip((*self.numbers, *self.lists), self.packing.unpack_from(payload), strict=True))
        end = self.packing.size
        if self.rest:
            values[self.rest] = payload[end:]
            if (len(payload) - end) % 2:
                raise ValueError(len(payload))
        else:
            texts = _unpack_texts(payload, end)
            if len(texts) != len(self.texts) + sum(values[name] for name in self.lists):
                raise ValueError(len(payload))
            for name, text in zip(self.texts, texts, strict=False):
                values[name] = _value(name, text)
            listed = iter(texts[len(self.texts) :])
            for name in self.lists:
                values[name] = tuple(itertools.islice(listed, values[name]))
        return self.made(**values)


_ENUMS: dict[str, Callable[[str], Enum]] = {
    "reason": Reason,
    "echo": EchoSetting,
    "stage": BargeIn,
    "trouble": InputTrouble,
    "only": Direction,
    "dead": Direction,
    "direction": Direction,
}
_MAY_BE_NONE = frozenset({"only", "dead", "direction"})


def _layout(
    kind: Kind,
    made: Callable[..., Any],
    packing: str = "",
    numbers: str = "",
    texts: str = "",
    lists: str = "",
    rest: str = "",
) -> _Layout:
    return _Layout(
        kind=kind,
        made=made,
        packing=struct.Struct("<" + packing + "H" * len(lists.split())),
        numbers=tuple(numbers.split()),
        texts=tuple(texts.split()),
        lists=tuple(lists.split()),
        rest=rest,
    )


_COUNTS = [field.name for field in fields(Statistics) if field.type is int]
_FIGURES = [field.name for field in fields(Statistics) if field.type is float]
_LAYOUTS: dict[type, _Layout] = {
    Open: _layout(
        Kind.OPEN,
        Open,
        "qf????",
        "generation volume paused watching apart whole",
        "microphone speaker echo only",
        "dead_microphones dead_speakers",
    ),
    Play: _layout(Kind.PLAY, Play, "qq", "generation asked_ns", rest="pcm"),
    Flush: _layout(Kind.FLUSH, Flush, "qq", "generation asked_ns"),
    List: _layout(Kind.LIST, List),
    Volume: _layout(Kind.VOLUME, Volume, "f", "volume"),
    PlayOn: _layout(Kind.PLAY_ON, PlayOn, "q", "generation"),
    Clip: _layout(Kind.CLIP, Clip, "f", "volume", rest="pcm"),
    Watch: _layout(Kind.WATCH, Watch, "?", "on"),
    Ready: _layout(Kind.READY, Ready),
    Opened: _layout(
        Kind.OPENED,
        Opened,
        "IIff??",
        "capture_hz playout_hz capture_latency_s playout_latency_s one_clock half_duplex",
        "microphone speaker note half_duplex_note",
        "closed_microphones closed_speakers",
    ),
    Frame: _layout(Kind.FRAME, Frame, "fq", "level captured_ns", rest="pcm"),
    Played: _layout(Kind.PLAYED, Played, "qqf", "generation samples level"),
    Failed: _layout(Kind.FAILED, Failed, texts="reason what advice cause dead device"),
    Listed: _layout(Kind.LISTED, Listed, lists="microphones speakers"),
    Interruption: _layout(Kind.INTERRUPTION, Interruption, "qq", "generation at_ns", "stage"),
    Trying: _layout(Kind.TRYING, Trying, texts="direction device"),
    Input: _layout(Kind.INPUT, Input, texts="trouble"),
    Statistics: _layout(Kind.STATISTICS, Statistics, f"{len(_COUNTS)}q{len(_FIGURES)}f", " ".join(_COUNTS + _FIGURES)),
}
_BY_KIND = {layout.kind.value: layout for layout in _LAYOUTS.values()}
_COMMAND_KINDS = frozenset(kind for kind in _KINDS if kind < Kind.READY.value)
_REPORT_KINDS = _KINDS - _COMMAND_KINDS


def encode(message: Message) -> bytes:
    """Return a message as bytes, header included."""
    layout = _LAYOUTS[type(message)]
    payload = layout.pack(message)
    return HEADER.pack(layout.kind.value, len(payload)) + payload


def payload_bytes(header: bytes) -> int:
    """Return the length of the payload behind a header.

    Raises:
        FramingError: the header is none.
    """
    if len(header) != HEADER.size:
        raise FramingError("a message was cut short")
    kind, length = HEADER.unpack(header)
    if header[1:4] != b"\0\0\0" or kind not in _KINDS or length > MAX_PAYLOAD_BYTES:
        raise FramingError("the bytes are no message")
    return int(length)


def decode_command(header: bytes, payload: bytes) -> Command:
    """Return the command of a header and its payload.

    Raises:
        FramingError: they do not fit, or are a report.
    """
    command: Command = _decode(_COMMAND_KINDS, header, payload)
    return command


def decode_report(header: bytes, payload: bytes) -> Report:
    """Return the report of a header and its payload.

    Raises:
        FramingError: they do not fit, or are a command.
    """
    report: Report = _decode(_REPORT_KINDS, header, payload)
    return report


def _decode(kinds: Collection[int], header: bytes, payload: bytes) -> Any:
    if payload_bytes(header) != len(payload) or header[0] not in kinds:
        raise FramingError("the message was cut short or goes the other way")
    try:
        return _BY_KIND[header[0]].unpack(payload)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise FramingError("the payload does not fit its kind") from error


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Enum):
        return str(value.value)
    return packed(value if isinstance(value, str) else str(value))


def _value(name: str, text: str) -> object:
    if name in _MAY_BE_NONE and not text:
        return None
    return _ENUMS[name](text) if name in _ENUMS else unpacked(text)


def _pack_texts(texts: tuple[str, ...]) -> bytes:
    packed = [text.encode("utf-8", "replace")[:0xFFFF] for text in texts]
    return b"".join(_TEXT_LENGTH.pack(len(text)) + text for text in packed)


def _unpack_texts(payload: bytes, start: int) -> tuple[str, ...]:
    texts = []
    while start < len(payload):
        (length,) = _TEXT_LENGTH.unpack_from(payload, start)
        start += _TEXT_LENGTH.size
        if start + length > len(payload):
            raise ValueError(length)
        texts.append(payload[start : start + length].decode("utf-8", "replace"))
        start += length
    return tuple(texts)
