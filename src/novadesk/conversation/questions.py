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
        self._answering: frozenset[str] = frozenset()
        self._results: set[str] = set()
        self._repeats: dict[str, int] = {}

    @property
    def waiting(self) -> frozenset[str]:
        """Return the ids of turns that are yet to be sent; a replayed history leaves them out."""
        return frozenset(self._waiting)

    @property
    def open(self) -> bool:
        """Return whether something waits, or waits for its answer."""
        return bool(self._waiting or self._asked)

    @property
    def asked(self) -> bool:
        """Return whether the service owes an answer."""
        return bool(self._asked)

    def add(self, turn_id: str, text: str) -> None:
        """Take a typed turn, to be sent."""
        self._waiting[turn_id] = text

    def understood(self, turn_id: str, text: str) -> None:
        """Take a spoken turn that the service has heard and is about to answer."""
        self._asked[turn_id] = text

    def given(self, tool_use_id: str, text: str) -> None:
        """Take the result of a tool that the service was given; `text` says it in words, for another link."""
        self._asked[tool_use_id] = text
        self._results.add(tool_use_id)

    def take(self) -> str | None:
        """Return the next text to send, or None; it counts as asked until it is answered."""
        if not self._waiting:
            return None
        turn_id = next(iter(self._waiting))
        text = self._asked[turn_id] = self._waiting.pop(turn_id)
        return text

    def tool_asked(self) -> None:
        """Note that the model has taken the questions to a tool, whose result asks for itself."""
        self._asked = {at: text for at, text in self._asked.items() if at in self._results}

    def answer_began(self) -> None:
        """Note that an answer began: it is one to all that was asked so far, and to nothing that comes later."""
        self._answering = frozenset(self._asked)

    def answered(self) -> None:
        """Note that something of the answer was heard or kept: what it answers is settled."""
        self._asked = {at: text for at, text in self._asked.items() if at not in self._answering}

    def given_up(self) -> None:
        """Note that no answer is awaited any more."""
        self._asked.clear()

    def forgo(self) -> int:
        """Ask nothing again that a lost link has swallowed; return how many there were. What is new is asked still."""
        again = [turn_id for turn_id in self._waiting if self._repeats.get(turn_id, 0)]
        for turn_id in again:
            del self._waiting[turn_id]
        return len(again)

    def link_lost(self) -> int:
        """Put what was asked in vain first in line again, at most `MOST_REPEATS` times; return how many are not."""
        again = {at: text for at, text in self._asked.items() if self._repeats.get(at, 0) < MOST_REPEATS}
        left = len(self._asked) - len(again)
        self._repeats.update({turn_id: self._repeats.get(turn_id, 0) + 1 for turn_id in again})
        self._asked = again
        self.handed_over()
        return left

    def handed_over(self) -> None:
        """Put what is not answered yet first in line again, for the wire session that takes over."""
        self._waiting = {**self._asked, **self._waiting}
        self._asked = {}
        self._answering = frozenset()

    def clear(self) -> None:
        """Forget everything: the conversation is over."""
        self._waiting.clear()
        self._asked.clear()
        self._results.clear()
        self._answering = frozenset()
        self._repeats.clear()
