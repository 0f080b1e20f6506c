"""What an outage costs: a sound as it begins, a line on speech that nobody heard and on what was kept."""

from collections.abc import Callable

from novadesk.conversation.api import Phase
from novadesk.conversation.lifecycle import Lifecycle
from novadesk.conversation.record import Record, carried_line
from novadesk.conversation.tally import Tally
from novadesk.conversation.uplink import Uplink
from novadesk.conversation.view import View
from novadesk.models import Cue
from novadesk.text import Text


class Losses:
    """Tells of every outage and of every second that was lost, once.

    Args:
        view: takes passing lines.
        cue: makes a sound.
        tally: counts.
        uplink: knows what no wire session could take.
        record: knows what was kept.
    """

    def __init__(self, *, view: View, cue: Callable[[Cue], None], tally: Tally, uplink: Uplink, record: Record) -> None:
        self._view, self._cue, self._tally, self._uplink, self._record = view, cue, tally, uplink, record
        self._sounded: float | None = None  # when the outage began that the cue told of

    def sound(self, state: Lifecycle) -> None:
        """Let the person hear that an outage began; giving up has a sound of its own, the last that is heard."""
        if state.error is not None and state.lost_at != self._sounded:
            self._sounded = state.lost_at
            if state.phase is not Phase.FAILED:
                self._cue(Cue.ERROR)

    def tell(self) -> None:
        """Say what was lost since this was said last, if anything."""
        if lost := self._newly_lost():
            self._view.notice(lost)

    def tell_back(self, after_s: float, began_at: float) -> None:
        """Say in one line that an outage is over, what was kept, and what was not."""
        self._tally.came_back(after_s, began_at)
        parts: list[str] = [Text("Back after {s} s.", s=max(1, round(after_s)))]
        conversation = self._record.conversation
        if conversation is not None and (turns := max(conversation.turns, len(self._record.turns))):
            parts.append(carried_line(turns))
        lost = self._newly_lost()  # a line that tells of a loss stays, whatever becomes of the link
        self._view.notice(Text.joined(*parts, lost), about=None if lost else began_at)

    def _newly_lost(self) -> str:
        """Return in words what was lost of the person's speech since this was asked last, or an empty text."""
        lost_s = self._tally.lost(self._uplink.lost_frames)
        return Text("{s} s of what you said were lost.", s=f"{lost_s:.1f}") if lost_s else ""
