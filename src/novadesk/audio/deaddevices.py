"""Which devices open and do nothing while the other direction works, and when to try them again. Pure."""

from dataclasses import dataclass

from novadesk.audio.devices import Direction
from novadesk.audio.wire import Failed
from novadesk.errors import Reason

AGAIN_S = (30.0, 60.0, 120.0, 300.0)
"""From one try of a dead device to the next."""

type Side = tuple[Direction, str]
"""A device by its title, in one direction: what is dead as a microphone may work as a speaker."""


@dataclass(slots=True)
class _Record:
    """Of a device that has been dead: how often it was tried since, when to try it next, and whether it is dead now."""

    tries: int
    due_at: float
    dead: bool = True


class DeadDevices:
    """Told what becomes of each opening, judges a device by two in a row, and what took its place by one.

    Attributes:
        apart: the directions are to be opened in streams of their own, to see which of them is dead.
    """

    def __init__(self) -> None:
        self.apart = False
        self._suspect: Side | None = None
        self._records: dict[Side, _Record] = {}

    def failed(self, report: Failed, now: float) -> None:
        """Take how an opening ended, or a stream that ran for a moment only."""
        if report.reason is not Reason.DEVICE_STALLED:
            self._suspect = None
            return
        if report.dead is None:
            # Nothing works: which devices were dead before that is not known any more.
            self._suspect, self.apart = None, True
            self._records.clear()
            return
        side = report.dead, report.device
        if side != self._suspect and not self.titles(report.dead):
            self._suspect = side
            return
        self._suspect, self.apart = None, False
        record = self._records.setdefault(side, _Record(tries=0, due_at=0.0))
        record.dead = True
        self._put_off(record, now)

    def works(self) -> None:
        """Take that what was opened has worked for a while."""
        self._suspect = None

    def titles(self, direction: Direction) -> tuple[str, ...]:
        """Return the dead devices of a direction, the first to die first."""
        return tuple(title for (way, title), record in self._records.items() if way is direction and record.dead)

    def sides(self) -> tuple[Side, ...]:
        """Return all dead devices."""
        return tuple(side for side, record in self._records.items() if record.dead)

    def wait_s(self, now: float) -> float:
        """Return how long to wait before a device is tried again; infinite while none is dead."""
        due_at = [record.due_at for record in self._records.values() if record.dead]
        return max(0.0, min(due_at, default=float("inf")) - now)

    def tried(self, side: Side, now: float, *, works: bool) -> None:
        """Take what came of a try."""
        record = self._records.get(side)
        if record is not None:
            record.dead = not works
            self._put_off(record, now)

    def forget(self) -> None:
        """Know nothing, as when other devices were chosen."""
        self.apart, self._suspect = False, None
        self._records.clear()

    @staticmethod
    def _put_off(record: _Record, now: float) -> None:
        record.due_at = now + AGAIN_S[min(record.tries, len(AGAIN_S) - 1)]
        record.tries += 1
