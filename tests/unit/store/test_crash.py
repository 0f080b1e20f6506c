"""A writer killed at any moment: what is on disk is whole, in order, and known to the outbox."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from novadesk.store.conversations import Conversations
from novadesk.store.copies import Health, RecoveryCopies, check
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn

KILLS = 8
FORKS = """
import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system takes the dead away
for pipe in sys.stdin:
    if os.fork() == 0:
        os.dup2(os.open(pipe.strip(), os.O_WRONLY), 1)
        print(os.getpid(), flush=True)
        asyncio.run(main())
        os._exit(0)
"""
"""Runs the `main` before it once for each pipe that it is given, without loading everything each time."""


class Victim:
    """A script on a file that is run again and again, and killed each time."""

    def __init__(self, mother: "subprocess.Popen[str]", pipe: Path) -> None:
        self._mother = mother
        self._pipe = pipe

    def run_and_kill(self, turns: int, delay_s: float = 0.0) -> int:
        """Kill it `delay_s` after `turns` turns and return the last one that it said to be written."""
        assert self._mother.stdin is not None
        self._mother.stdin.write(f"{self._pipe}\n")
        self._mother.stdin.flush()
        with self._pipe.open() as said:
            process = int(said.readline())
            assert said.readline() == "ready\n"
            line = "-1"
            for _ in range(turns):
                line = said.readline()
            time.sleep(delay_s)  # the moment of death
            with contextlib.suppress(ProcessLookupError):  # it may have come to its end
                os.kill(process, signal.SIGKILL)
            rest = said.read().split("\n")
        return int(([line.strip(), *rest[:-1]])[-1])


@contextlib.contextmanager
def victim(script: str, file: Path) -> Iterator[Victim]:
    pipe = file.with_name("said")
    os.mkfifo(pipe)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", script + FORKS, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment) as mother:
        yield Victim(mother, pipe)


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
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
async def test_a_killed_writer_loses_at_most_the_turn_in_flight(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    seed = random.Random(20261121)
    with victim(WRITER, file) as writer:
        for _ in range(KILLS):
            said = writer.run_and_kill(seed.randint(1, 60))
            await see_whole(file, said)


async def see_whole(file: Path, said: int) -> None:
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
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
async def test_a_process_killed_while_it_deletes_and_copies_leaves_whole_files(tmp_path: Path) -> None:
    seed = random.Random(3)
    file = tmp_path / "novadesk.db"
    with victim(CHANGER, file) as changer:
        for _ in range(KILLS):
            changer.run_and_kill(seed.randint(1, 6), seed.random() * 0.03)
            await see_tidy(file)


async def see_tidy(file: Path) -> None:
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
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
async def test_a_process_killed_while_it_repairs_is_followed_by_one_that_does(tmp_path: Path) -> None:
    """Whenever it dies: all turns are there afterwards, and the damaged file is kept."""
    whole, store = tmp_path / "whole.db", tmp_path / "novadesk.db"
    made = make_conversation()
    async with Database(whole) as database:
        archive = Conversations(database)
        await archive.create(made)
        for number in range(300):
            await archive.append(make_turn(made.handle, f"turn {number}"))
    noise = os.urandom(100_000)
    with victim(REPAIRER, store) as repairer:
        for delay_s in (0.0, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1):
            store.write_bytes(noise)
            (tmp_path / "recovery").mkdir(exist_ok=True)
            shutil.copy(whole, tmp_path / "recovery" / f"novadesk-{START_MS}.db")
            repairer.run_and_kill(0, delay_s)
            async with Database(store) as database:
                assert len(await Conversations(database).turns(made.handle, limit=1_000)) == 300
            assert noise in [kept.read_bytes() for kept in (tmp_path / "damaged").iterdir()]
            assert [name for name in os.listdir(tmp_path) if "repaired" in name] == []
            shutil.rmtree(tmp_path / "damaged")
