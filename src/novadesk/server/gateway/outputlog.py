"""What a session has told and the client has not acknowledged yet: numbered, bounded, to be sent again. Pure."""

from collections import deque
from dataclasses import dataclass, replace

from novadesk.protocol.envelope_server import Sequenced, Transcript
from novadesk.protocol.envelope_server import Turn as TurnWritten
from novadesk.server.gateway.narration import Output, Speech

MOST_BYTES = 6_000_000
"""Two minutes of speech: more than an answer has."""

_MESSAGE_BYTES = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """Something told, with its number. A message carries the number, too."""

    sequence: int
    item: Sequenced | Speech


class OutputLog:
    """Numbers what is told, from 1 on or behind what the client has from another process.

    Args:
        behind: number of the newest entry that the client has.
        most_bytes: how much is kept at most; the oldest goes first.

    Attributes:
        newest: number of the newest entry.
        lost: entries that were given up although the client does not have them.
    """

    def __init__(self, behind: int = 0, most_bytes: int = MOST_BYTES) -> None:
        self.newest = behind
        self.lost = 0
        self._most_bytes = most_bytes
        self._size_bytes = 0
        self._entries: deque[Entry] = deque()

    def add(self, item: Output) -> Entry:
        """Number and keep something."""
        self.newest += 1
        entry = Entry(self.newest, item if isinstance(item, Speech) else replace(item, sequence=self.newest))
        self._entries.append(entry)
        self._size_bytes += _size_bytes(item)
        while self._size_bytes > self._most_bytes:
            self._drop_oldest()
            self.lost += 1
        return entry

    def acknowledge(self, sequence: int) -> None:
        """Let go of everything up to a number."""
        while self._entries and self._entries[0].sequence <= sequence:
            self._drop_oldest()

    def behind(self, sequence: int) -> tuple[Entry, ...]:
        """Return what is kept behind a number, in order."""
        return tuple(entry for entry in self._entries if entry.sequence > sequence)

    def _drop_oldest(self) -> None:
        self._size_bytes -= _size_bytes(self._entries.popleft().item)


def _size_bytes(item: Output) -> int:
    match item:
        case Speech(pcm=pcm):
            return _MESSAGE_BYTES + len(pcm)
        case Transcript(text=text) | TurnWritten(text=text):
            return _MESSAGE_BYTES + len(text)
        case _:
            return _MESSAGE_BYTES
