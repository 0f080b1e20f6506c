"""Chat history as the service takes it: alternating roles, USER first, within the documented sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

from novadesk.protocol.events import WireRole
from novadesk.protocol.limits import Limits

_SPOKEN_ROLES = frozenset({WireRole.USER, WireRole.ASSISTANT})
_CONTINUATION = 0b1000_0000  # UTF-8: bytes 10xxxxxx continue a character
_CONTINUATION_MASK = 0b1100_0000


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """One message of the history: role USER or ASSISTANT, and what was said."""

    role: WireRole
    text: str


def shape(messages: Sequence[HistoryMessage], limits: Limits) -> tuple[HistoryMessage, ...]:
    """Return the newest part of a conversation in the form that the service accepts.

    Blank messages and other roles are left out, neighbours of the same role are merged by a line feed, whole messages
    are kept from the newest back while they fit `limits.history_bytes`, and the first one left is a USER message.
    A newest message that alone is too long keeps its end.
    """
    kept: list[HistoryMessage] = []
    room_bytes = limits.history_bytes
    for message in reversed(_merged(messages)):
        size_bytes = len(message.text.encode())
        if size_bytes > room_bytes:
            if not kept:
                kept.append(HistoryMessage(message.role, _tail(message.text, room_bytes)))
            break
        kept.append(message)
        room_bytes -= size_bytes
    kept.reverse()
    if kept and (kept[0].role is WireRole.ASSISTANT or not kept[0].text):
        del kept[0]
    return tuple(kept)


def pieces(text: str, limits: Limits) -> tuple[str, ...]:
    """Return `text` cut into pieces of at most `limits.text_bytes` UTF-8 bytes, on character boundaries.

    Joined they are `text` again, except that halves of surrogate pairs, which have no UTF-8 form, become U+FFFD.
    """
    rest = well_formed(text).encode()
    found: list[str] = []
    while rest:
        cut = _boundary_before(rest, limits.text_bytes)
        found.append(rest[:cut].decode())
        rest = rest[cut:]
    return tuple(found)


def well_formed(text: str) -> str:
    """Return `text` with every half of a surrogate pair, which has no UTF-8 form, replaced by U+FFFD."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _merged(messages: Sequence[HistoryMessage]) -> list[HistoryMessage]:
    merged: list[HistoryMessage] = []
    for message in messages:
        text = well_formed(message.text).strip()
        if not text or message.role not in _SPOKEN_ROLES:
            continue
        if merged and merged[-1].role is message.role:
            merged[-1] = HistoryMessage(message.role, f"{merged[-1].text}\n{text}")
        elif merged or message.role is WireRole.USER:
            merged.append(HistoryMessage(message.role, text))
    return merged


def _tail(text: str, size_bytes: int) -> str:
    encoded = text.encode()
    start = len(encoded) - size_bytes
    while start < len(encoded) and encoded[start] & _CONTINUATION_MASK == _CONTINUATION:
        start += 1
    return encoded[start:].decode().strip()


def _boundary_before(encoded: bytes, size_bytes: int) -> int:
    if len(encoded) <= size_bytes:
        return len(encoded)
    cut = size_bytes
    while cut > 0 and encoded[cut] & _CONTINUATION_MASK == _CONTINUATION:
        cut -= 1
    # A limit below one character cannot be kept: one whole character is the least that goes out.
    return cut or len(encoded.decode()[0].encode())
