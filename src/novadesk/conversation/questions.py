"""Questions on their way to the service. Pure: what waits for a link, and what a lost link has left unanswered."""

MOST_REPEATS = 2
"""How often a question is asked again: more often, and one that ends every link would be asked for ever."""


class Questions:
    """Keeps each question until there is an answer to it. One that a lost link swallowed is asked again, as text.

    A question is a typed text, a spoken one that the service has understood, or the result of a tool.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._asked: dict[str, str] = {}
        self._repeats: dict[str, int] = {}

    @property
    def waiting(self) -> frozenset[str]:
        """Return the ids of turns that are yet to be sent; a replayed history leaves them out."""
        return frozenset(self._waiting)

    @property
    def open(self) -> bool:
        """Return whether something waits, or waits for its answer."""
        return bool(self._waiting or self._asked)

    def add(self, turn_id: str, text: str) -> None:
        """Take a typed turn, to be sent."""
        self._waiting[turn_id] = text

    def understood(self, turn_id: str, text: str) -> None:
        """Take what the service was given other than as text, and is about to answer."""
        self._asked[turn_id] = text

    def take(self) -> str | None:
        """Return the next text to send, or None; it counts as asked until `answered`."""
        if not self._waiting:
            return None
        turn_id = next(iter(self._waiting))
        text = self._asked[turn_id] = self._waiting.pop(turn_id)
        return text

    def answered(self) -> None:
        """Note that what was asked is settled: something of an answer was heard, or none is awaited any more."""
        self._asked.clear()

    def link_lost(self) -> None:
        """Put what was asked in vain first in line again, each at most `MOST_REPEATS` times."""
        self._asked = {at: text for at, text in self._asked.items() if self._repeats.get(at, 0) < MOST_REPEATS}
        self._repeats.update({turn_id: self._repeats.get(turn_id, 0) + 1 for turn_id in self._asked})
        self.handed_over()

    def handed_over(self) -> None:
        """Put what is not answered yet first in line again, for the wire session that takes over."""
        self._waiting = {**self._asked, **self._waiting}
        self._asked.clear()

    def clear(self) -> None:
        """Forget everything: the conversation is over."""
        self._waiting.clear()
        self._asked.clear()
        self._repeats.clear()
