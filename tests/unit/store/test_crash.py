"""A writer killed at any moment: what is on disk is whole, in order, and known to the outbox."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from novadesk.store.conversations import Conversations
from novadesk.store.copies import Health, RecoveryCopies, check
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn

WRITER = """
import asyncio, sys
from tests.support.store_rig import make_conversation, make_turn
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from pathlib import Path

async def main():
    async with Database(Path(sys.argv[1])) as database:
        archive = Conversations(database)
        found = await archive.conversations()
        made = found[0] if found else make_conversation()
        await archive.create(made)
        number = found[0].turns if found else 0
        print("ready", flush=True)
        while True:
            await archive.append(make_turn(made.handle, f"{number}:" + "x" * (number % 997) + ":end"))
            print(number, flush=True)
            number += 1

asyncio.run(main())
"""
KILLS = 8


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
async def test_a_killed_writer_loses_at_most_the_turn_in_flight(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    seed = random.Random(20261121)
    for _ in range(KILLS):
        said = run_and_kill(file, environment, seed.randint(1, 60))
        async with Database(file) as database:
            assert database.repaired is None
            archive = Conversations(database)
            (made,) = await archive.conversations()
            turns = await archive.turns(made.handle, limit=100_000)
            assert [turn.position for turn in turns] == list(range(len(turns)))
            assert [turn.text for turn in turns] == [f"{n}:" + "x" * (n % 997) + ":end" for n in range(len(turns))]
            assert len(turns) in (said + 1, said + 2)
            assert made.turns == len(turns) == await archive.pending()
            rows = await database.read(
                lambda db: db.execute(
                    "SELECT turn_id, step_id FROM outbox JOIN turn ON turn.number = outbox.turn ORDER BY outbox.number"
                ).fetchall()
            )
            assert [tuple(row) for row in rows] == [(turn.turn_id, turn.turn_id) for turn in turns]


CHANGER = """
import asyncio, itertools, sys
from pathlib import Path
from tests.support.store_rig import START_MS, make_conversation, make_turn
from novadesk.store.conversations import Conversations
from novadesk.store.copies import RecoveryCopies
from novadesk.store.database import Database

async def main():
    file = Path(sys.argv[1])
    async with Database(file) as database:
        archive, copies = Conversations(database), RecoveryCopies(file)
        print("ready", flush=True)
        for number in itertools.count():
            made = make_conversation(label=f"kept {number}" if number % 2 else f"gone {number}")
            await archive.create(made)
            for word in ("alpha", "beta"):
                await archive.append(make_turn(made.handle, f"{word} of {made.label}"))
            if number % 2 == 0:
                await archive.delete(made.handle, START_MS)
            await asyncio.to_thread(copies.make, START_MS + number, only=number % 2 == 0)
            print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
async def test_a_process_killed_while_it_deletes_and_copies_leaves_whole_files(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    seed = random.Random(3)
    file = tmp_path / "novadesk.db"
    for _ in range(KILLS):
        run_and_kill(file, environment, seed.randint(1, 6), CHANGER, seed.random() * 0.03)
        async with Database(file) as database:
            assert database.repaired is None
            archive = Conversations(database)
            made = await archive.conversations(limit=10_000)
            kept = [one for one in made if one.label.startswith("kept")]
            assert len(made) - len(kept) <= 1, "one deletion may have been cut off before it began"
            for one in made:
                await archive.delete(one.handle, START_MS)
        assert check(file) is Health.WHOLE
        found = RecoveryCopies(file)
        assert found.files()
        assert {check(copy) for copy in found.files()} == {Health.WHOLE}
        assert found.make(START_MS * 2) is Health.WHOLE, "a draft left behind is in nobody's way"
        for copy in found.files():
            copy.unlink()


REPAIRER = """
import asyncio, sys
from pathlib import Path
from novadesk.store.database import Database

async def main():
    print("ready", flush=True)
    async with Database(Path(sys.argv[1])) as database:
        print(len(database.repaired.words), flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
async def test_a_process_killed_while_it_repairs_is_followed_by_one_that_does(tmp_path: Path) -> None:
    """Whenever it dies: all turns are there afterwards, and the damaged file is kept."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    whole, store = tmp_path / "whole.db", tmp_path / "novadesk.db"
    made = make_conversation()
    async with Database(whole) as database:
        archive = Conversations(database)
        await archive.create(made)
        for number in range(300):
            await archive.append(make_turn(made.handle, f"turn {number}"))
    noise = os.urandom(100_000)
    for delay_s in (0.0, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1):
        store.write_bytes(noise)
        (tmp_path / "recovery").mkdir(exist_ok=True)
        shutil.copy(whole, tmp_path / "recovery" / f"novadesk-{START_MS}.db")
        run_and_kill(store, environment, 0, REPAIRER, delay_s)
        async with Database(store) as database:
            assert len(await Conversations(database).turns(made.handle, limit=1_000)) == 300
        assert noise in [kept.read_bytes() for kept in (tmp_path / "damaged").iterdir()]
        assert [name for name in os.listdir(tmp_path) if "repaired" in name] == []
        shutil.rmtree(tmp_path / "damaged")


def run_and_kill(
    file: Path, environment: dict[str, str], turns: int, script: str = WRITER, delay_s: float = 0.0
) -> int:
    """Kill the writer `delay_s` after `turns` turns and return the last one that it said to be written."""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE, text=True, env=environment
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        line = "-1"
        for _ in range(turns):
            line = writer.stdout.readline()
        time.sleep(delay_s)  # the moment of death
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split("\n")
        return int(([line.strip(), *rest[:-1]])[-1])
