"""One writer at a time: two real processes want one store."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from novadesk.store.conversations import Conversations
from novadesk.store.copies import Health, check
from novadesk.store.database import Database
from tests.support.store_rig import make_conversation

ENV = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}

HOLDER = """
import asyncio, json, sys
from pathlib import Path
from novadesk.desktop.corelock import CoreLock
from novadesk.errors import KnownError
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import make_conversation, make_turn

async def main():
    folder, name = Path(sys.argv[1]), sys.argv[2]
    lock = CoreLock(folder / "core.lock")
    for command in sys.stdin:
        try:
            lock.acquire(name)
        except KnownError as error:
            print(json.dumps({"held": False, "reason": error.reason.value, "what": error.what}), flush=True)
            continue
        async with Database(folder / "novadesk.db") as database:
            archive = Conversations(database)
            made = make_conversation()
            await archive.create(made)
            await archive.append(make_turn(made.handle, name))
        print(json.dumps({"held": True}), flush=True)

asyncio.run(main())
"""

WRITER = """
import asyncio, sys
from pathlib import Path
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import make_turn

async def main():
    async with Database(Path(sys.argv[1])) as database:
        archive = Conversations(database)
        (made,) = await archive.conversations()
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(100):
            await archive.append(make_turn(made.handle, f"{sys.argv[2]} {number}"))

asyncio.run(main())
"""


@contextmanager
def started(script: str, *arguments: str | Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENV,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ask(process: "subprocess.Popen[str]") -> dict[str, object]:
    """Have the process try to write; return what came of it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("write\n")
    process.stdin.flush()
    return dict(json.loads(process.stdout.readline()))


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
async def test_one_of_two_processes_writes_and_the_other_is_told_who(tmp_path: Path) -> None:
    with started(HOLDER, tmp_path, "first") as first, started(HOLDER, tmp_path, "second") as second:
        assert ask(first) == {"held": True}
        for _ in range(3):
            told = ask(second)
            assert (told["held"], told["reason"]) == (False, "control.already_running")
            assert f"process {first.pid}, first" in str(told["what"])
        assert ask(first) == {"held": True}
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert ask(second) == {"held": True}, "the right goes with the process, however it ends"
    async with Database(tmp_path / "novadesk.db") as database:
        archive = Conversations(database)
        said = [(await archive.turns(one.handle))[0].text for one in await archive.conversations()]
    assert sorted(said) == ["first", "first", "second"]


async def test_even_two_writers_that_ignore_the_lock_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    made = make_conversation()
    async with Database(file) as database:
        await Conversations(database).create(made)
    with started(WRITER, file, "left") as left, started(WRITER, file, "right") as right:
        for process in (left, right):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in (left, right):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert (left.wait(60), right.wait(60)) == (0, 0)
    async with Database(file) as database:
        archive = Conversations(database)
        turns = await archive.turns(made.handle, limit=1_000)
        assert await archive.pending() == 200
    assert [turn.position for turn in turns] == list(range(200))
    for name in ("left", "right"):
        assert [turn.text for turn in turns if turn.text.startswith(name)] == [f"{name} {n}" for n in range(100)]
    assert check(file) is Health.WHOLE
