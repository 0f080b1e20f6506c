"""Which devices hang, do nothing, or do not open while the other direction works, and when to try them again. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

from novadesk.audio.devices import Direction
from novadesk.audio.wire import Failed
from novadesk.errors import Reason

AGAIN_S = (30.0, 60.0, 120.0, 300.0)
"""From one try of a dead device to the next."""

type Side = tuple[Direction, str]
"""A device by its title, in one direction: what is dead as a microphone may work as a speaker."""


class _Standing(Enum):
    """What was known of a device last.

    DEAD hangs, or does nothing; CLOSED says at once that it is not to be had, which costs nothing to find out anew.
    """

    DEAD = auto()
    CLOSED = auto()
    WORKS = auto()


@dataclass(slots=True)
class _Record:
    """Of a device that was of no use: how often it was tried since, and when to try it next."""

    standing: _Standing
    tries: int = 0
    due_at: float = 0.0


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
        self._take(side, _Standing.DEAD, now)

    def opened(self, closed: Collection[Side], now: float) -> None:
        """Take an opening, and which devices did not open in it."""
        known = [side for side, record in self._records.items() if record.standing is _Standing.CLOSED]
        for side in known:
            if side not in closed:
                del self._records[side]
        for side in closed:
            if side not in known:
                self._take(side, _Standing.CLOSED, now)

    def works(self) -> None:
        """Take that what was opened has worked for a while."""
        self._suspect = None

    def titles(self, direction: Direction) -> tuple[str, ...]:
        """Return the devices of a direction that are not to be opened, the first to die first."""
        rows = self._records.items()
        return tuple(title for (way, title), row in rows if way is direction and row.standing is _Standing.DEAD)

    def sides(self) -> tuple[Side, ...]:
        """Return all devices that are of no use now."""
        return tuple(side for side, record in self._records.items() if record.standing is not _Standing.WORKS)

    def wait_s(self, now: float) -> float:
        """Return how long to wait before a device is tried again; infinite while none is dead."""
        due_at = [self._records[side].due_at for side in self.sides()]
        return max(0.0, min(due_at, default=float("inf")) - now)

    def tried(self, side: Side, now: float, *, works: bool) -> None:
        """Take what came of a try."""
        record = self._records.get(side)
        if record is not None:
            self._take(side, _Standing.WORKS if works else record.standing, now)

    def forget(self) -> None:
        """Know nothing, as when other devices were chosen."""
        self.apart, self._suspect = False, None
        self._records.clear()

    def _take(self, side: Side, standing: _Standing, now: float) -> None:
        record = self._records.setdefault(side, _Record(standing))
        record.standing = standing
        record.due_at = now + AGAIN_S[min(record.tries, len(AGAIN_S) - 1)]
        record.tries += 1
