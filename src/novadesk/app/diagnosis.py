"""What the running core knows about its own health: measurements, recording, stalls, and the report about a fault."""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from novadesk.app.bundling import crash_parts, recording_part, report_part
from novadesk.app.facts import log_tail, program
from novadesk.app.metrics import Ledger
from novadesk.config import Settings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.conversation.ports import Clock
from novadesk.diagnostics.bundle import BundlePart
from novadesk.diagnostics.loopwatch import CORE_STALL_S, LoopWatch
from novadesk.diagnostics.metrics import Measure, Metric
from novadesk.diagnostics.recorder import Recorder
from novadesk.diagnostics.report import Facts
from novadesk.errors import KnownError, Reason
from novadesk.paths import Folders
from novadesk.store.database import Database
from novadesk.store.measurements import Measurements

_log = logging.getLogger(__name__)

REPORT_EVENTS = 400
KEPT_REPORTS = 10
BETWEEN_BUGS_S = 60.0
"""Least time between two reports that nobody asked for."""

_RESTING = frozenset({Phase.OFFLINE, Phase.IDLE, Phase.FAILED, Phase.ENDED})


class Diagnosis:
    """Measures, records and reports; fits `Meter`. Used on the core loop. A private conversation leaves nothing here.

    Args:
        settings: as in force.
        folders: the log is read there, reports are written there.
        database: the open store.
        clock: time.
        snapshot: returns what is shown now; None before there is anything.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        folders: Folders,
        database: Database,
        clock: Clock,
        snapshot: Callable[[], Snapshot | None],
    ) -> None:
        self.ledger = Ledger(Measurements(database), clock)
        self.recorder = Recorder()
        self._settings, self._folders, self._clock, self._snapshot = settings, folders, clock, snapshot
        self._watch: LoopWatch | None = None
        self._bugs: _BugWatch | None = None
        self._reports: set[asyncio.Task[None]] = set()
        self._next_report_at = 0.0
        self._shown = ""
        self._private = False

    def start(self) -> None:
        """Begin to measure, to watch the loop, and to write a report about every bug that is logged."""
        loop = asyncio.get_running_loop()
        self.ledger.start()
        self._watch = LoopWatch(loop, self._on_stall, threshold_s=CORE_STALL_S, resting=self._resting)
        self._watch.start()
        self._bugs = _BugWatch(loop, self._on_bug)
        logging.getLogger("novadesk").addHandler(self._bugs)

    def _resting(self) -> bool:
        """Return whether there is no conversation that a stall could disturb."""
        snapshot = self._snapshot()
        return snapshot is not None and snapshot.phase in _RESTING

    async def stop(self) -> None:
        """Stop everything; what was measured is written first. Idempotent."""
        if self._bugs is not None:
            logging.getLogger("novadesk").removeHandler(self._bugs)
            self._bugs = None
        if self._watch is not None:
            self._watch.stop()
        await asyncio.gather(*self._reports, return_exceptions=True)
        await self.ledger.stop()

    def see(self, snapshot: Snapshot) -> None:
        """Take note of a snapshot: a change of phase or error belongs into the recording."""
        conversation = snapshot.conversation
        self._private = self.recorder.deaf = conversation is not None and conversation.private
        error = f", {snapshot.error.reason}" if snapshot.error is not None else ""
        shown = f"{snapshot.phase.value}{error}"
        if shown != self._shown:
            self._shown = shown
            self.recorder.note(shown, self._clock.now())

    def note(self, measure: Measure, value: float = 1.0) -> None:
        """Take a measurement of the open conversation, unless it is private."""
        if not self._private:
            self.ledger.note(measure, value)

    def note_window_stall(self, late_s: float) -> None:
        """Take a stall of the window's loop."""
        self.ledger.note(Measure.WINDOW_STALL, late_s * 1000)

    async def metrics(self) -> tuple[Metric, ...]:
        """Return what the last 24 hours say.

        Raises:
            KnownError: the store cannot be read.
        """
        return await self.ledger.metrics()

    async def report(self) -> str:
        """Return the report about the present state, to be sent to others."""
        facts = await self._facts()
        return await asyncio.to_thread(lambda: report_part(facts()).text)

    async def bundle(self, tell: Callable[[float], None]) -> tuple[BundlePart, ...]:
        """Return what the diagnostics bundle would hold now; `tell` takes the share that is done, 0 to 1."""
        tell(0.0)
        facts, dump = await self._facts(), self.recorder.dump()
        tell(0.2)
        parts = [await asyncio.to_thread(lambda: report_part(facts()))]
        tell(0.6)
        parts.append(await asyncio.to_thread(recording_part, dump))
        tell(0.8)
        parts += await asyncio.to_thread(crash_parts, self._folders.state / "reports")
        tell(1.0)
        return tuple(parts)

    async def _facts(self) -> Callable[[], Facts]:
        """Return what makes the facts; it reads files, on another thread."""
        try:
            metrics = await self.metrics()
        except KnownError:
            metrics = ()
        state, events = _state(self._snapshot()), self.recorder.lines(REPORT_EVENTS)
        made_at = datetime.fromtimestamp(self._clock.unix_ms() / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return lambda: Facts(
            made_at=made_at,
            program=program(),
            state=state,
            settings=self._settings,
            metrics=metrics,
            log=log_tail(self._folders.log_file),
            events=events,
        )

    async def save(self) -> tuple[Path, Path]:
        """Write report and recording into the state folder, mode 0600; return the two files.

        Raises:
            KnownError: the folder cannot be written.
        """
        report, dump = await self.report(), self.recorder.dump()
        stamp = datetime.fromtimestamp(self._clock.unix_ms() / 1000, UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
        folder = self._folders.state / "reports"
        files = (folder / f"report-{stamp}.txt", folder / f"recording-{stamp}.jsonl")
        await asyncio.to_thread(_write_all, folder, dict(zip(files, (report, dump), strict=True)))
        return files

    def _on_stall(self, late_s: float) -> None:
        self.ledger.note(Measure.CORE_STALL, late_s * 1000)

    def _on_bug(self) -> None:
        now = self._clock.now()
        if self._bugs is None or self._private or now < self._next_report_at:
            return
        self._next_report_at = now + BETWEEN_BUGS_S
        task = asyncio.create_task(self._save_about_bug(), name="bug-report")
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _save_about_bug(self) -> None:
        try:
            await self.save()
        except KnownError as error:
            _log.warning("a report about a bug could not be written: %s", error.reason.value)


class _BugWatch(logging.Handler):
    """Calls back, on the loop, for every logged error that has a traceback."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_bug: Callable[[], None]) -> None:
        super().__init__(logging.ERROR)
        self._loop, self._on_bug = loop, on_bug

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0] is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._on_bug)


def _state(snapshot: Snapshot | None) -> list[tuple[str, str]]:
    if snapshot is None:
        return [("phase", "not started")]
    error = snapshot.error
    return [
        ("phase", snapshot.phase.value),
        ("microphone", snapshot.microphone.value),
        ("backend", snapshot.backend.value),
        ("error", "none" if error is None else error.reason),
        ("attempt", str(snapshot.attempt)),
        ("renewals", str(snapshot.renewals)),
        ("reconnects", str(snapshot.reconnects)),
        ("speech lost", f"{snapshot.lost_s:.1f} s"),
        ("turns shown", str(len(snapshot.turns))),
        ("turns carried over", str(snapshot.recovered_turns)),
        ("turns waiting for the session store", str(snapshot.pending_sync)),
    ]


def _write_all(folder: Path, texts: dict[Path, str]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, text in texts.items():
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as stream:
                stream.write(text)
        for pattern in ("report-*.txt", "recording-*.jsonl"):
            for old in _older(folder, pattern):
                old.unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise KnownError(
            Reason.DISK_FULL if full else Reason.STORE_LOCKED,
            "The report cannot be written ({why}).",
            "Free some space, or make the state folder writable for you.",
            why=str(error.strerror),
        ) from error


def _older(folder: Path, pattern: str) -> Sequence[Path]:
    return sorted(folder.glob(pattern))[:-KEPT_REPORTS]
