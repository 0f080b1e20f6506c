"""Measurements from the hot path to the store and back: the running core's ledger, and `novadesk metrics`."""

import asyncio
import json
import logging
import math
from collections import deque
from collections.abc import Sequence

from novadesk.app.clock import SystemClock
from novadesk.app.output import put
from novadesk.conversation.ports import Clock
from novadesk.diagnostics.metrics import WINDOW_MS, Measure, Metric, Row, summarise
from novadesk.errors import KnownError
from novadesk.paths import find_folders
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.measurements import Measurements

_log = logging.getLogger(__name__)

FLUSH_S = 10.0
"""Time between two writes, each of which costs the disk a sync."""

KEPT_MS = 7 * 24 * 3_600_000
FORGET_MS = 6 * 3_600_000
"""How long measurements are kept, and how often the older ones are deleted."""

MOST_WAITING = 10_000
"""Measurements held while the disk takes none; the oldest go."""


class Ledger:
    """Takes measurements at once (fits `Meter`) and writes them in batches. Used on the core loop.

    Args:
        measurements: the table.
        clock: Unix time.
        flush_s: time between two writes.
    """

    def __init__(self, measurements: Measurements, clock: Clock, *, flush_s: float = FLUSH_S) -> None:
        self._measurements, self._clock, self._flush_s = measurements, clock, flush_s
        self._waiting: deque[Row] = deque(maxlen=MOST_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._troubled = False
        self._forget_at_ms = 0

    def note(self, measure: Measure, value: float = 1.0) -> None:
        """Take one measurement of this moment."""
        if math.isfinite(value):
            self._waiting.append(Row(at_ms=self._clock.unix_ms(), measure=measure, value=float(value)))

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="measurements")

    async def stop(self) -> None:
        """Write what waits, then stop. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        async with self._writing:  # a write that has begun is finished, or its rows would be written twice
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._flush()

    async def metrics(self) -> tuple[Metric, ...]:
        """Return what the last 24 hours say, the measurements that still wait included.

        Raises:
            KnownError: the store cannot be read.
        """
        async with self._writing:
            now_ms = self._clock.unix_ms()
            rows = await self._measurements.since(now_ms - WINDOW_MS)
            return summarise([*rows, *self._waiting], now_ms)

    async def _run(self) -> None:
        while True:
            try:
                await self._flush()
                await self._forget()
            except Exception:  # The outermost frame of the task: a bug here must not end all measuring.
                _log.exception("measurements met a bug")
            await asyncio.sleep(self._flush_s)

    async def _flush(self) -> None:
        async with self._writing:
            rows = list(self._waiting)
            if not rows:
                return
            self._waiting.clear()
            try:
                await self._measurements.add(rows)
            except KnownError as error:
                self._waiting = deque([*rows, *self._waiting], maxlen=MOST_WAITING)
                self._complain(error)
            else:
                self._troubled = False

    async def _forget(self) -> None:
        now_ms = self._clock.unix_ms()
        if now_ms < self._forget_at_ms:
            return
        async with self._writing:
            try:
                await self._measurements.forget(now_ms - KEPT_MS)
            except KnownError as error:
                self._complain(error)
            else:
                self._forget_at_ms = now_ms + FORGET_MS

    def _complain(self, error: KnownError) -> None:
        if not self._troubled:
            self._troubled = True
            _log.warning("measurements wait for the store: %s", error.reason.value)


def run_metrics(*, profile: str, as_json: bool) -> int:
    """Print the metrics of the store; neither a running core nor a lock is needed."""
    metrics = asyncio.run(read_metrics(profile))
    if as_json:
        put(json.dumps([plain(metric) for metric in metrics], indent=2))
    else:
        for line in table(metrics):
            put(line)
    return 0


async def read_metrics(profile: str) -> tuple[Metric, ...]:
    """Return the metrics as the store has them now.

    Raises:
        KnownError: the store cannot be read.
    """
    now_ms = SystemClock().unix_ms()
    async with Database(find_folders(profile=profile).database, read_only=True) as database:
        rows = await Measurements(database).since(now_ms - WINDOW_MS)
        depth = Row(at_ms=now_ms, measure=Measure.OUTBOX_DEPTH, value=await Conversations(database).pending())
    return summarise([*rows, depth], now_ms)


def plain(metric: Metric) -> dict[str, object]:
    """Return a metric as `novadesk metrics --json` prints it."""
    return {
        "name": metric.name,
        "title": metric.title,
        "value": None if metric.value is None else round(metric.value, 3),
        "unit": metric.unit.value,
        "samples": metric.samples,
        "threshold": metric.threshold,
        "alert": metric.alert,
    }


def table(metrics: Sequence[Metric]) -> list[str]:
    """Return metrics as lines for people."""
    width = max(len(metric.title) for metric in metrics)
    return [f"{metric.title:{width}}  {metric.words:>10}  {_judged(metric)}".rstrip() for metric in metrics]


def _judged(metric: Metric) -> str:
    if not metric.bound:
        return ""
    measured = f"{metric.bound}, {metric.samples:,} measured"
    return f"ALERT: {measured}" if metric.alert else f"alert {measured}"
