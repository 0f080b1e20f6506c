"""The SQLite file of a gateway's state: who may write it, and what is done about one that cannot be used."""

import asyncio
import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from novadesk.errors import BugError, KnownError, Reason
from novadesk.models import Turn
from novadesk.server.gateway import state_file
from novadesk.server.gateway.state import KEEP_TURNS_S, StoreBusy
from novadesk.server.gateway.state_sqlite import SqliteSessions
from tests.support.gateway_state import NOW_MS, NOW_S, PLENTY, make_record, make_turn

_RACER = """
import asyncio, sys
from pathlib import Path
from novadesk.server.gateway.state_sqlite import SqliteSessions
from tests.support.gateway_state import NOW_MS, NOW_S, PLENTY, make_record

async def main(file, mine, session):
    store = SqliteSessions(Path(file))
    made = await store.create(make_record(request_id="first", session_id=mine), limits=PLENTY)
    print(made.session_id, flush=True)
    sys.stdin.readline()
    won = 0
    for generation in range(1, 41):
        taken = await store.take_over(made.session_id, generation=generation, connection=mine, gateway=mine,
            now_ms=NOW_MS, expires_at_s=NOW_S + 60)
        won += taken is not None
    print(won, flush=True)
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


def test_of_two_processes_that_race_one_wins_each_time(tmp_path: Path) -> None:
    """Both open a file that is not there yet, wish for one session, and take it from one another 40 times."""
    ids = [make_record().session_id for _ in range(2)]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, str(tmp_path / "state.sqlite"), mine, ids[0]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for mine in ids
    ]
    try:
        made = {racer.stdout.readline().strip() for racer in racers if racer.stdout}
        assert len(made) == 1
        assert made < set(ids)
        outputs = []
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        outputs = [racer.communicate(timeout=60)[0] for racer in racers]
        assert sum(int(output) for output in outputs) == 40
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


async def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "gateway" / "state.sqlite"
    store = SqliteSessions(file)
    await store.create(make_record(), limits=PLENTY)
    modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    await store.close()
    assert set(modes.values()) == {0o600}, modes
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    with sqlite3.connect(file) as db:
        db.execute(f"PRAGMA user_version = {state_file.VERSION + 1}")
    db.close()
    store = SqliteSessions(file)
    with pytest.raises(KnownError) as refused:
        await store.count(now_s=NOW_S)
    await store.close()
    assert refused.value.reason is Reason.STORE_BROKEN


async def test_a_file_that_is_none_is_said_to_be_damaged(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    file.write_bytes(b"no database" * 500)
    store = SqliteSessions(file)
    with pytest.raises(KnownError) as refused:
        await store.count(now_s=NOW_S)
    await store.close()
    assert refused.value.reason is Reason.STORE_BROKEN


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SqliteSessions(tmp_path / "file" / "state.sqlite")
    with pytest.raises(KnownError) as refused:
        await store.count(now_s=NOW_S)
    await store.close()
    assert refused.value.reason is Reason.STORE_LOCKED


async def test_who_finds_the_file_locked_for_too_long_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_file, "_BUSY_MS", 20)
    store = SqliteSessions(tmp_path / "state.sqlite")
    record = await store.create(make_record(), limits=PLENTY)
    other = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy) as refused:
        await store.append_turn(make_turn(record.session_id))
    other.execute("ROLLBACK")
    other.close()
    assert refused.value.retry_after_s > 0
    assert (await store.append_turn(make_turn(record.session_id))).position == 0
    await store.close()


async def test_a_caller_who_gives_up_leaves_no_half_transaction(tmp_path: Path) -> None:
    file = state_file.StateFile(tmp_path / "state.sqlite")
    begun, go_on = threading.Event(), threading.Event()

    def slow(db: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(60)
        db.execute("INSERT INTO chain (session_id, owner, kept_ms) VALUES ('s', 'ann', 1)")

    given_up = asyncio.create_task(file.write(slow))
    while not begun.is_set():
        await asyncio.sleep(0)
    given_up.cancel()
    count = asyncio.create_task(file.read(lambda db: db.execute("SELECT count(*) FROM chain").fetchone()[0]))
    await asyncio.sleep(0)
    go_on.set()
    assert await count == 1
    await file.close()
    assert given_up.cancelled()


async def test_what_waits_for_the_disk_is_written_with_one_transaction(tmp_path: Path) -> None:
    store = SqliteSessions(tmp_path / "state.sqlite")
    record = await store.create(make_record(), limits=PLENTY)
    asked: list[str] = []
    await store._file.read(lambda db: db.set_trace_callback(asked.append))
    stray, *said = [make_turn(record.session_id, str(number)) for number in range(30)]
    stray = dataclasses.replace(stray, conversation=make_record().session_id)
    outcomes = await asyncio.gather(*(store.append_turn(turn) for turn in (*said, stray)), return_exceptions=True)
    assert [turn.position for turn in outcomes[:-1] if isinstance(turn, Turn)] == list(range(29))
    assert isinstance(outcomes[-1], KnownError)
    assert outcomes[-1].reason is Reason.UNKNOWN_CONVERSATION
    assert [turn.text for turn in await store.turns(record.session_id)] == [turn.text for turn in said]
    assert sum(line == "BEGIN IMMEDIATE" for line in asked) == 2  # nothing else waited beside the first one
    await store.close()


async def test_one_that_breaks_what_is_written_with_it_harms_itself_alone(tmp_path: Path) -> None:
    file = state_file.StateFile(tmp_path / "state.sqlite")

    def chain(name: str) -> state_file.Job[None]:
        return lambda db: db.execute("INSERT INTO chain (session_id, owner, kept_ms) VALUES (?, 'ann', 1)", (name,))  # type: ignore[return-value]

    names = ("first", "second", "second", "third")
    outcomes = await asyncio.gather(*(file.write(chain(name)) for name in names), return_exceptions=True)
    assert [isinstance(outcome, BugError) for outcome in outcomes] == [False, False, True, False]
    rows = await file.read(lambda db: db.execute("SELECT session_id FROM chain ORDER BY rowid").fetchall())
    assert [row["session_id"] for row in rows] == ["first", "second", "third"]
    await file.close()


async def test_who_gives_up_takes_nobody_along(tmp_path: Path) -> None:
    store = SqliteSessions(tmp_path / "state.sqlite")
    record = await store.create(make_record(), limits=PLENTY)
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(60)

    blocking = asyncio.create_task(store._file.write(slow))
    while not begun.is_set():
        await asyncio.sleep(0)
    waiting = [asyncio.create_task(store.append_turn(make_turn(record.session_id, str(one)))) for one in range(4)]
    await asyncio.sleep(0)
    blocking.cancel()
    waiting[1].cancel()
    await asyncio.sleep(0)
    waiting[0].cancel()
    go_on.set()
    await asyncio.gather(blocking, *waiting, return_exceptions=True)
    texts = [turn.text for turn in await store.turns(record.session_id)]
    assert set(texts) >= {"2", "3"}
    assert len(texts) == len(set(texts))
    await store.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteSessions(tmp_path / "state.sqlite")
    await store.close()
    with pytest.raises(BugError):
        await store.count(now_s=NOW_S)


async def test_turns_are_kept_for_their_time_after_a_session_and_then_no_longer(tmp_path: Path) -> None:
    store = SqliteSessions(tmp_path / "state.sqlite")
    record = await store.create(make_record(expires_at_s=NOW_S + 1), limits=PLENTY)
    await store.append_turn(make_turn(record.session_id), delivered=True)
    await store.sweep(now_s=NOW_S + KEEP_TURNS_S)
    assert await store.count_turns(record.session_id) == 1
    await store.sweep(now_s=NOW_S + KEEP_TURNS_S + 1)
    assert await store.count_turns(record.session_id) == 0
    await store.close()


async def test_a_turn_is_synced_to_the_disk_and_a_touch_need_not_be(tmp_path: Path) -> None:
    store = SqliteSessions(tmp_path / "state.sqlite")
    record = await store.create(make_record(), limits=PLENTY)
    asked: list[str] = []
    await store._file.read(lambda db: db.set_trace_callback(asked.append))
    await store.append_turn(make_turn(record.session_id))
    await store.touch(record.session_id, generation=1, now_ms=NOW_MS, expires_at_s=NOW_S + 60)
    await store.close()
    modes = [line for line in asked if "synchronous" in line]
    assert modes == ["PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"], json.dumps(asked)
