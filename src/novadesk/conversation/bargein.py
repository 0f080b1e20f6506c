"""Somebody speaks over an answer: how long it stays paused, and whether what was understood are the words that cut in.

Pure. The sound engine pauses by itself; the service alone knows whether it was an interruption.
"""

from dataclasses import dataclass, replace

PATIENCE_S = 1.0
"""How long the service has to say INTERRUPTED before the answer plays on."""

PAUSE_S = 0.4
"""Silence after which nobody is speaking any more; shorter than that are the gaps between words."""

MOST_S = 3.0
"""Longest pause, however long the voice goes on: what goes on may be no voice."""

LATE_S = 10.0
"""How long after the answer plays on its words may still come: a long sentence, the pause that ends a turn (1.5 to
2.0 s), and the recognition after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """An answer that was paused because somebody began to speak.

    Attributes:
        since: monotonic time at which it was paused.
        over_at: monotonic time at which it played on, None while it is paused.
    """

    since: float
    over_at: float | None = None


def play_on_at(pause: Pause, spoken_at: float) -> float:
    """Return when the answer is to play on unless the service interrupts it.

    Args:
        pause: the present pause.
        spoken_at: when a voice was heard last.
    """
    return min(max(pause.since + PATIENCE_S, spoken_at + PAUSE_S), pause.since + MOST_S)


def pause_again(pause: Pause | None, now: float) -> Pause:
    """Return the pause that a confirmed barge-in makes; one that goes on is the same pause."""
    return pause if pause is not None and pause.over_at is None else Pause(since=now)


def play_on(pause: Pause, now: float) -> Pause:
    """Return the pause as one that is over."""
    return replace(pause, over_at=now)


def cuts_in(pause: Pause | None, now: float) -> bool:
    """Return whether words that are understood now were said over the answer: it is not to be played on."""
    return pause is not None and (pause.over_at is None or now - pause.over_at <= LATE_S)
