"""What a damaged store has lost for good comes back from the session store; nothing is delivered or stored twice."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from novadesk.store import repair
from novadesk.store.copies import RecoveryCopies
from tests.support.leaks import LogWatch
from tests.support.remote_rig import RunningServer, running_server
from tests.support.store_rig import START_MS, MemoryKeychain, make_turn
from tests.support.sync_rig import computer, remote_state

TEXTS = [f"turn {number} " + "word " * 60 for number in range(40)]
PAGE = 4_096


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "remote.db") as server:
        yield server


def spoil(file: Path, place: str) -> None:
    """Destroy the pages where the turns 10 to 12 lie, or all of the file."""
    if place == "everything":
        file.write_bytes(os.urandom(file.stat().st_size))
        return
    content = bytearray(file.read_bytes())
    for number in range(10, 13):
        start = content.find(f"turn {number} ".encode()) // PAGE * PAGE
        if start >= 0:  # it may have lain on a page that is gone already
            content[start : start + PAGE] = os.urandom(PAGE)
    file.write_bytes(content)
    repair.mark_suspect(file)


def known_steps(file: Path) -> int:
    with closing(sqlite3.connect(file)) as db:
        (count,) = db.execute("SELECT count(*) FROM step").fetchone()
        return int(count)


@pytest.mark.parametrize("place", ["some pages", "everything"])
@pytest.mark.parametrize("copied", [True, False], ids=["with a copy", "without"])
async def test_sync_brings_the_rest(
    tmp_path: Path, server: RunningServer, place: str, copied: bool, expected_logs: LogWatch
) -> None:
    expected_logs.allow("put off")
    file, keychain = tmp_path / "here.db", MemoryKeychain()
    async with computer(file, server, keychain=keychain) as here:
        made = await here.talk(*TEXTS[:30])
        assert await here.settled()
    if copied:
        RecoveryCopies(file).make(START_MS)
    async with computer(file, server, keychain=keychain) as here:
        for number, text in enumerate(TEXTS[30:], 30):
            await here.say(made.handle, text, START_MS + number)
        assert await here.settled()
    spoil(file, place)
    async with computer(file, server, keychain=keychain) as here:
        assert here.database.repaired is not None
        if place == "everything":
            assert here.database.repaired.turns == (30 if copied else 0)
        else:
            assert copied or here.database.repaired.turns < len(TEXTS), "something was lost"
        await here.sync.pull()
        await here.sync.pull(made.handle)
        assert await here.settled()
        assert await here.texts(made.handle) == TEXTS
        await here.archive.append(make_turn(made.handle, "and on it goes", START_MS + 1_000))
        assert await here.settled()
    there = await remote_state(server)
    assert sorted(there.texts) == sorted([*TEXTS, "and on it goes"])
    assert known_steps(file) == len(TEXTS) + 1
