"""What is counted, and what is measured of it."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from novadesk.conversation.api import Phase
from novadesk.conversation.record import SHOWN_TURNS
from novadesk.conversation.tally import Tally
from novadesk.diagnostics.metrics import Measure
from novadesk.errors import KnownError, Reason
from novadesk.models import Turn
from tests.support.bench import DENIED, LOST, Bench
from tests.support.leaks import LogWatch
from tests.support.memory_service import MemoryArchive
from tests.support.store_rig import make_conversation, make_turn
from tests.support.virtual_loop import run_virtually

TRIED, COMPLETE = Measure.RESUME_TRIED, Measure.RESUME_COMPLETE


class Notes:
    """Keeps what was measured."""

    def __init__(self) -> None:
        self.rows: list[tuple[Measure, float]] = []

    def note(self, measure: Measure, value: float = 1.0) -> None:
        self.rows.append((measure, value))

    @property
    def resumes(self) -> list[Measure]:
        return [measure for measure, _ in self.rows if measure in (TRIED, COMPLETE)]


def test_a_turn_that_a_later_version_replaces_is_kept_once() -> None:
    notes = Notes()
    tally = Tally(notes)
    for turn_id in ("a", "b", "a", "c", "b"):
        tally.kept(turn_id)
    assert notes.rows == [(Measure.TURN_KEPT, 1.0)] * 3


def test_lost_speech_is_told_once_in_seconds_and_measured_in_samples() -> None:
    notes = Notes()
    tally = Tally(notes)
    assert tally.lost(0) == 0.0
    assert tally.lost(50) == pytest.approx(1.6)
    assert tally.lost(50) == 0.0
    assert tally.lost_s == pytest.approx(1.6)
    assert notes.rows == [(Measure.SAMPLES_LOST, 25_600)]


def test_outages_and_renewals_are_counted_and_timed() -> None:
    notes = Notes()
    tally = Tally(notes)
    tally.came_back(4.0, 10.0)
    tally.renewed(0.25)
    assert (tally.reconnects, tally.renewals) == (1, 1)
    assert notes.rows == [(Measure.RECONNECT, 4000.0), (Measure.RENEWAL, 250.0)]


def test_an_outage_that_went_on_after_a_moment_is_counted_once() -> None:
    tally = Tally(None)
    tally.came_back(1.0, 10.0)
    tally.came_back(5.0, 10.0)
    assert tally.reconnects == 1
    tally.came_back(1.0, 60.0)
    assert tally.reconnects == 2


def test_nobody_has_to_measure() -> None:
    tally = Tally(None)
    tally.kept("a")
    tally.renewed(1.0)
    assert tally.renewals == 1


def test_a_resume_is_complete_once_and_only_after_it_was_tried() -> None:
    notes = Notes()
    tally = Tally(notes)
    tally.resumed()
    for _ in range(2):
        tally.resuming()
    for _ in range(2):
        tally.resumed()
    assert notes.resumes == [TRIED, TRIED, COMPLETE]


class Shelf(MemoryArchive):
    """An archive with one long conversation, open last, whose older pages can be out of reach."""

    def __init__(self, *, readable: bool = True) -> None:
        super().__init__()
        made = make_conversation()
        self.rows[made.handle], self.open = made, made.handle
        self.stored[made.handle] = [
            make_turn(made.handle, f"turn {number}", position=number) for number in range(SHOWN_TURNS + 50)
        ]
        self.readable = readable

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        if before is not None and not self.readable:
            raise KnownError(Reason.STORE_LOCKED, "The store cannot be read.", "Look after the disk.")
        return await super().turns(handle, before=before, limit=limit)


def resumes(archive: MemoryArchive, work: Callable[[Bench], Awaitable[None]], *refusals: KnownError) -> list[Measure]:
    """Return what was measured of the resumes of a start, and what `work` did after it."""
    notes = Notes()

    async def run() -> None:
        bench = Bench(archive, meter=notes)
        bench.linker.refusals = list(refusals)
        await bench.controller.start()
        bench.controller.connect()
        try:
            await work(bench)
        finally:
            await bench.controller.stop()

    run_virtually(run())
    return notes.resumes


async def come_back(bench: Bench) -> None:
    await bench.ready()
    bench.linker.newest.end(LOST)
    await bench.until(lambda: bench.now.phase is Phase.RECONNECTING)
    await bench.ready()


def test_a_resume_with_all_stored_turns_is_complete() -> None:
    assert resumes(Shelf(), Bench.ready) == [TRIED, COMPLETE]
    assert resumes(Shelf(), come_back) == [TRIED, COMPLETE] * 2


def test_nothing_is_resumed_where_nothing_is_stored() -> None:
    assert resumes(MemoryArchive(), come_back) == []


def test_a_resume_whose_older_turns_could_not_be_read_is_not_complete(expected_logs: LogWatch) -> None:
    expected_logs.allow("older turns could not be read")
    assert resumes(Shelf(readable=False), Bench.ready) == [TRIED]
    assert resumes(Shelf(readable=False), come_back) == [TRIED] * 2


def test_a_resume_that_the_service_refuses_is_not_complete() -> None:
    async def fail(bench: Bench) -> None:
        await bench.until(lambda: bench.now.phase is Phase.FAILED)

    assert resumes(Shelf(), fail, DENIED) == [TRIED]


def test_a_resume_that_needs_several_attempts_to_connect_is_one() -> None:
    assert resumes(Shelf(), Bench.ready, LOST, LOST) == [TRIED, COMPLETE]
