"""Which turns that the gateway has written are news, sans-IO: the client knows those that it has witnessed itself."""

from collections import deque

from novadesk.models import Role
from novadesk.protocol.envelope_server import Turn

_SEEN = 256
_SAID = 32


class WrittenTurns:
    """The turns of one gateway session, across connections and wire sessions.

    Whoever was there when something was said makes its turn themselves. News are the answer during which a wire session
    ended or a process died, and everything that was written until the next exchange was witnessed again.
    """

    def __init__(self) -> None:
        self._seen: deque[str] = deque(maxlen=_SEEN)
        self._said: deque[str] = deque(maxlen=_SAID)
        self._answering = self._broken = self._away = False

    def said(self, text: str) -> None:
        """Note words of the person that are known here."""
        self._said.append(text.strip())

    def answered(self) -> None:
        """Note a sign of an answer whose turn is yet to be written."""
        self._answering = True

    def witnessed(self) -> None:
        """Note that an exchange is witnessed from its beginning."""
        self._away = self._broken = False

    def broken_off(self) -> None:
        """Note that what is said now is not heard here, or only its end."""
        self._away = True
        self._broken |= self._answering

    def take(self, turn: Turn) -> bool:
        """Take a turn that was written; return whether it is news."""
        if turn.unconfirmed or turn.turn_id in self._seen:
            return False
        self._seen.append(turn.turn_id)
        if turn.role is Role.USER:
            return self._away and turn.text.strip() not in self._said
        news = self._away or self._broken
        self._answering = self._broken = False
        return news
