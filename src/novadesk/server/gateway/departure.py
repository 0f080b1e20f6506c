"""How a session leaves a process that is about to stop: what is under way ends first, then the client is sent away."""

from collections.abc import Callable

from novadesk.conversation.alarm import Alarm


class Departure:
    """Waits for the moment at which nothing is lost by going.

    Args:
        at_rest: returns whether all that was said is answered and written.
        go: sends the client elsewhere; called once.
    """

    def __init__(self, at_rest: Callable[[], bool], go: Callable[[], None]) -> None:
        self._at_rest, self._go = at_rest, go
        self._late = Alarm(self._leave)
        self.begun = False

    def begin(self, most_s: float) -> None:
        """Take nothing new, and go as soon as that can be, after `most_s` seconds in any case."""
        if not self.begun:
            self.begun = True
            self._late.set_in(most_s)
            self.look()

    def look(self) -> None:
        """Take that something was told: it may have been the last of it."""
        if self._late.is_set and self._at_rest():
            self._leave()

    def stop(self) -> None:
        """Send nobody away any more."""
        self._late.cancel()

    def _leave(self) -> None:
        self._late.cancel()
        self._go()
