"""A private conversation is neither measured nor recorded, and no report is written on its own."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

from novadesk.app.clock import SystemClock
from novadesk.app.diagnosis import Diagnosis
from novadesk.config import Settings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.diagnostics.metrics import Measure
from novadesk.models import BackendKind, Conversation
from novadesk.paths import find_folders
from novadesk.store.database import Database
from novadesk.store.measurements import Measurements
from tests.support.leaks import LogWatch

OPEN = Snapshot(
    phase=Phase.READY,
    conversation=Conversation(
        handle="", label="caring-king-275", title="", backend=BackendKind.PRACTICE, created_ms=1, updated_ms=1
    ),
)
PAYLOAD = b'{"event":{"sessionEnd":{}}}'


async def test_only_what_is_not_private_is_measured_recorded_and_reported(
    tmp_path: Path, expected_logs: LogWatch
) -> None:
    expected_logs.allow("a bug")
    folders = find_folders(home=str(tmp_path)).make()
    assert OPEN.conversation is not None
    private = replace(OPEN, phase=Phase.SPEAKING, conversation=replace(OPEN.conversation, private=True))
    async with Database(folders.database) as database:
        diagnosis = Diagnosis(
            settings=Settings(), folders=folders, database=database, clock=SystemClock(), snapshot=lambda: private
        )
        diagnosis.start()
        for snapshot in (OPEN, private, OPEN):
            diagnosis.see(snapshot)
            diagnosis.note(Measure.RENEWAL, 12.0)
            diagnosis.recorder.sent(1, PAYLOAD, 1.0)
            diagnosis.recorder.received(1, PAYLOAD, 1.0)
            diagnosis.recorder.note("a note", 1.0)
        diagnosis.see(private)
        try:
            raise ValueError
        except ValueError:
            logging.getLogger("novadesk.test").exception("a bug")
        await asyncio.sleep(0)  # the watch tells the loop
        await asyncio.sleep(0)
        await diagnosis.stop()
        rows = [row for row in await Measurements(database).since(0) if row.measure is Measure.RENEWAL]
    assert len(rows) == 2
    assert len(diagnosis.recorder.story(99)) == 2 * 4  # phase, sent, received, note
    assert not any("speaking" in line for line in diagnosis.recorder.story(99))
    assert not (folders.state / "reports").exists()
