"""A writer killed at any moment: what is on disk is whole, in order, and known to the outbox."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from novadesk.store.conversations import Conversations
from novadesk.store.database import Database

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


def run_and_kill(file: Path, environment: dict[str, str], turns: int) -> int:
    """Kill the writer after `turns` turns and return the last one that it said to be written."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True, env=environment
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        for _ in range(turns):
            line = writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split("\n")
        return int(([line.strip(), *rest[:-1]])[-1])
