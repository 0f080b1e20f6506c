"""What is worth a notice of the desktop while the window is not in front: little, and each outage once."""

from dataclasses import dataclass

from novadesk.conversation.api import Phase, Snapshot
from novadesk.text import Text

_BROKEN = frozenset({Phase.RECONNECTING, Phase.FAILED})
_ANSWERING = frozenset({Phase.THINKING, Phase.TOOL, Phase.SPEAKING})
_BACK = frozenset({Phase.READY, Phase.LISTENING, Phase.THINKING, Phase.SPEAKING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice: title and one sentence. `bad` ones need the person."""

    title: str
    words: str
    bad: bool = False


class Notices:
    """Follows the snapshots and says when there is something to tell."""

    def __init__(self) -> None:
        self._before = Snapshot()
        self._told: str | None = None

    def look(self, now: Snapshot, *, seen: bool) -> Notice | None:
        """Return what to tell, or None.

        Args:
            now: the newest snapshot.
            seen: the window is in front: the person sees for themselves.
        """
        before, self._before = self._before, now
        if self._told is not None and now.phase in _BACK:
            self._told = None
            return None if seen else Notice(title=Text("NovaDesk is back"), words=_back(now))
        if now.phase not in _BROKEN or seen:
            return None
        reason = "" if now.error is None else now.error.reason
        if now.phase is Phase.FAILED and self._told != reason:
            self._told = reason
            what, advice = ("", "") if now.error is None else (now.error.what, now.error.advice)
            words = Text("{what} {advice}", what=what, advice=advice) if what else Text("The conversation has stopped.")
            return Notice(title=Text("NovaDesk needs you"), words=words, bad=True)
        if before.phase in _ANSWERING and self._told is None:
            self._told = reason
            return Notice(
                title=Text("The answer was cut off"),
                words=Text("The connection was lost. NovaDesk connects again by itself."),
            )
        return None


def _back(now: Snapshot) -> Text:
    if not now.turns:
        return Text("It is connected again.")
    return Text.counted(
        "It is connected again, with 1 turn carried over.",
        "It is connected again, with {n} turns carried over.",
        len(now.turns),
    )
