"""A conversation as SubRip subtitles (SRT): times from its beginning, texts cut at what the person heard.

The store knows when a turn ended. Where it began is a guess from its length, never before the turn in front of it.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from novadesk.app.export_words import SPEAKERS
from novadesk.models import Conversation, Turn
from novadesk.protocol.history import well_formed

CHARS_PER_S = 15.0
"""How fast a turn is taken to have been spoken: 150 words a minute of six characters, blanks included."""

LINE_CHARS = 42
"""Longest line, and two of them a cue (Netflix Timed Text Style Guide, English)."""

_LINES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """What is shown from `start_ms` to `end_ms`, counted from the beginning of the conversation."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def subtitles(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """Return the document."""
    return "\n".join(
        f"{number}\n{_stamp(cue.start_ms)} --> {_stamp(cue.end_ms)}\n{'\n'.join(cue.lines)}\n"
        for number, cue in enumerate(cues(conversation, turns), 1)
    )


def cues(conversation: Conversation, turns: Sequence[Turn]) -> Iterator[Cue]:
    """Yield the cues in order; none begins before the one in front of it has ended, each lasts at least 1 ms."""
    begin_ms = min([conversation.created_ms, *(turn.at_ms for turn in turns)])
    past_ms = 0
    for turn in turns:
        # Without line ends there is no empty line, which would end a cue; an arrow would look like its times.
        words = " ".join(_plain(turn.shown_text).replace("-->", "→").split())
        if not words:
            continue
        end_ms = turn.at_ms - begin_ms
        start_ms = max(past_ms, end_ms - round(len(words) / CHARS_PER_S * 1000))
        for cue in _spread(_pieces(f"{SPEAKERS[turn.role]}: {words}"), start_ms, end_ms):
            yield cue
            past_ms = cue.end_ms


def _pieces(text: str) -> list[tuple[str, ...]]:
    lines = textwrap.wrap(text, LINE_CHARS, break_on_hyphens=False)
    return [tuple(lines[first : first + _LINES]) for first in range(0, len(lines), _LINES)]


def _spread(pieces: Sequence[tuple[str, ...]], start_ms: int, end_ms: int) -> Iterator[Cue]:
    """Yield the pieces of a turn, each for its share of the time, and for 1 ms where the clock went back."""
    chars = [sum(map(len, piece)) for piece in pieces]
    done, past_ms = 0, start_ms
    for piece, count in zip(pieces, chars, strict=True):
        done += count
        until_ms = max(past_ms + 1, start_ms + (end_ms - start_ms) * done // sum(chars))
        yield Cue(start_ms=past_ms, end_ms=until_ms, lines=piece)
        past_ms = until_ms


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in well_formed(text))


def _stamp(at_ms: int) -> str:
    seconds, rest_ms = divmod(at_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{rest_ms:03d}"
