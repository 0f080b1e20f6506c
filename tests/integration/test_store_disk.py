"""The store on real file systems and under a real tracer: what the disk has, what a full or read-only one does."""

import asyncio
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from novadesk.conversation.record import Record
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Role
from novadesk.protocol.transcript import TurnText
from novadesk.store.conversations import Conversations
from novadesk.store.copies import Health, check
from novadesk.store.database import Database
from tests.support.store_rig import RealClock, make_conversation, make_turn

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strace, tmpfs")

ROOT = Path(__file__).parents[2]
ENV = os.environ | {"PYTHONPATH": str(ROOT)}

WRITER = """
import asyncio, os, sys
from pathlib import Path
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import make_conversation, make_turn

async def main():
    async with Database(Path(sys.argv[1])) as database:
        archive = Conversations(database)
        made = make_conversation()
        await archive.create(made)
        if len(sys.argv) > 2:
            await database.read(lambda db: None)
            await asyncio.to_thread(lambda: None)
            database._db.execute(f"PRAGMA synchronous = {sys.argv[2]}")
        for number in range(5):
            os.write(1, b"begin\\n")
            await archive.append(make_turn(made.handle, f"turn {number}"))
            os.write(1, b"kept\\n")

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One system call of a trace: its name, the file behind its first argument, and the bytes it wrote."""

    name: str
    file: str
    rest: str


def traced(file: Path, *arguments: str) -> list[Call]:
    """Run the writer under strace; return its writes and syncs, of all threads, in order."""
    trace = file.with_name("trace.txt")
    assert shutil.which("strace"), "scripts/setup.sh test installs it"
    if subprocess.run(["strace", "-o", os.devnull, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody trace a process")
    watch = ("strace", "-f", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", trace)
    subprocess.run(
        [*watch, sys.executable, "-c", WRITER, file, *arguments],
        env=ENV, check=True, stdout=subprocess.DEVNULL, timeout=100,
    )  # fmt: skip
    pattern = re.compile(r"^\d+ +(\w+)\(\d+<([^>]*)>(.*)")
    return [
        Call(name=m[1], file=m[2], rest=m[3]) for row in trace.read_text().splitlines() if (m := pattern.match(row))
    ]


def unsynced(calls: list[Call]) -> list[int]:
    """Return the turns that were said to be kept while something written to the store was not yet synced."""
    missing, number, dirty, wrote = [], -1, set[str](), False
    for call in calls:
        if call.name == "write" and call.rest.startswith(', "begin'):
            number, wrote = number + 1, False
        elif call.name == "write" and call.rest.startswith(', "kept'):
            if dirty or not wrote:
                missing.append(number)
        elif "novadesk.db" in call.file and not call.file.endswith("-shm"):
            if call.name == "pwrite64":
                dirty.add(call.file)
                wrote = True
            elif call.name in ("fsync", "fdatasync"):
                dirty.discard(call.file)
    assert number == 4, "five turns"
    return missing


def test_a_kept_turn_has_been_synced_to_the_disk(tmp_path: Path) -> None:
    assert unsynced(traced(tmp_path / "novadesk.db")) == []


def test_without_full_synchronisation_that_would_not_be_so(tmp_path: Path) -> None:
    """The test above can fail: this is what it sees of a store that saves the sync."""
    assert unsynced(traced(tmp_path / "novadesk.db", "NORMAL")) == [0, 1, 2, 3, 4]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", place],
                                          check=False, capture_output=True).returncode:  # fmt: skip
        pytest.skip("only root may mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(place: Path) -> Path:
    """Use up the disk."""
    ballast = place / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as stream:
        while stream.write(b"\0" * 4_096):
            pass
    return ballast


async def test_a_full_disk_is_said_and_the_turn_can_be_written_once_there_is_room(small_disk: Path) -> None:
    made = make_conversation()
    kept = []
    async with Database(small_disk / "novadesk.db") as database:
        archive = Conversations(database)
        await archive.create(made)
        kept.append(await archive.append(make_turn(made.handle, "before")))
        ballast = fill(small_disk)
        turn = make_turn(made.handle, "x" * 50_000)
        for _ in range(3):
            with pytest.raises(KnownError) as error:
                await archive.append(turn)
            assert error.value.reason is Reason.DISK_FULL
            assert str(small_disk) in error.value.what
            assert [one.text for one in await archive.turns(made.handle)] == ["before"], "it can still be read"
        ballast.unlink()
        await archive.append(turn)
        assert [len(one.text) for one in await archive.turns(made.handle)] == [6, 50_000]
    assert check(small_disk / "novadesk.db") is Health.WHOLE


class Teller:
    """The record of a conversation over a real store, and what it told."""

    def __init__(self, archive: Conversations) -> None:
        self.stored: list[str] = []
        self.troubles: list[KnownError | None] = []
        self.record = Record(
            archive=archive, clock=RealClock(), on_changed=lambda: None, on_stored=self.stored.append,
            on_trouble=self.troubles.append, on_shown=lambda _turn_id: None,
        )  # fmt: skip
        self.record.start()
        self.record.begin(BackendKind.PRACTICE)

    def say(self, *texts: str) -> None:
        for text in texts:
            turn = TurnText(turn_id=str(uuid.uuid4()), role=Role.USER, text=text)
            self.record.keep(turn, wire_session=str(uuid.uuid4()), typed=True)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.01)


async def test_what_is_said_on_a_full_disk_is_told_kept_and_written_once_there_is_room(small_disk: Path) -> None:
    """Nothing is lost, in order, and the person knows."""
    async with Database(small_disk / "novadesk.db") as database:
        archive = Conversations(database)
        teller = Teller(archive)
        ballast = fill(small_disk)
        texts = ["x" * 50_000, "the second", "the third"]
        teller.say(*texts)
        await teller.until(lambda: teller.record.unsaved == 3)
        assert teller.stored == []
        told = teller.troubles[-1]
        assert told is not None
        assert (told.reason, "3 turns are not saved yet" in told.what) == (Reason.DISK_FULL, True)
        assert [turn.text for turn in teller.record.turns] == texts, "they are shown all the same"
        ballast.unlink()
        await teller.until(lambda: len(teller.stored) == 3)
        assert await teller.record.stop() == 0
        assert teller.troubles[-1] is None
        assert teller.record.conversation is not None
        assert [turn.text for turn in await archive.turns(teller.record.conversation.handle)] == texts


async def test_what_is_said_while_a_running_store_is_read_only_is_told_kept_and_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that the system mounts read-only under a running program: SQLite refuses each write (SQLITE_READONLY)."""
    monkeypatch.setattr("novadesk.conversation.backlog.RETRY_S", 0.05)
    async with Database(tmp_path / "novadesk.db") as database:
        archive = Conversations(database)
        teller = Teller(archive)
        teller.say("before")
        await teller.until(lambda: len(teller.stored) == 1)
        await database.read(lambda db: db.execute("PRAGMA query_only = ON"))
        with pytest.raises(KnownError) as refused:
            await archive.create(make_conversation())
        assert isinstance(refused.value.__cause__, sqlite3.OperationalError)
        assert refused.value.__cause__.sqlite_errorcode == sqlite3.SQLITE_READONLY
        teller.say("the second", "the third")
        await teller.until(lambda: teller.record.unsaved == 2 and len(teller.troubles) > 3)
        told = teller.troubles[-1]
        assert told is not None
        assert told.reason is Reason.STORE_LOCKED
        assert f"The store {tmp_path / 'novadesk.db'} cannot be" in told.what
        assert "2 turns are not saved yet" in told.what
        assert "permissions" in told.advice
        assert [turn.text for turn in teller.record.turns] == ["before", "the second", "the third"]
        assert teller.record.conversation is not None
        handle = teller.record.conversation.handle
        assert [turn.text for turn in await archive.turns(handle)] == ["before"], "what is there can still be read"
        await database.read(lambda db: db.execute("PRAGMA query_only = OFF"))
        await teller.until(lambda: teller.record.unsaved == 0)
        assert teller.troubles[-1] is None
        assert [turn.text for turn in await archive.turns(handle)] == ["before", "the second", "the third"]
        assert await teller.record.stop() == 0


async def test_a_store_cannot_be_made_or_opened_on_a_full_disk(small_disk: Path) -> None:
    ballast = fill(small_disk)
    with pytest.raises(KnownError) as error:
        await Database(small_disk / "novadesk.db").open()
    assert error.value.reason is Reason.DISK_FULL
    ballast.unlink()
    async with Database(small_disk / "novadesk.db") as database:
        await Conversations(database).create(make_conversation())


async def test_a_repair_without_room_says_so_and_loses_nothing(small_disk: Path) -> None:
    file = small_disk / "novadesk.db"
    async with Database(file) as database:
        archive = Conversations(database)
        made = make_conversation()
        await archive.create(made)
        for number in range(40):
            await archive.append(make_turn(made.handle, f"turn {number} " + "word " * 400))
    with file.open("r+b") as stream:
        stream.seek(8 * 4_096)
        stream.write(os.urandom(4_096 * 4))
    file.with_name("novadesk.db.suspect").touch()
    before = file.read_bytes()
    ballast = fill(small_disk)
    with pytest.raises(KnownError) as error:
        await Database(file).open()
    assert error.value.reason is Reason.DISK_FULL
    assert file.read_bytes() == before
    ballast.unlink()
    async with Database(file) as database:
        assert database.repaired is not None
        assert database.repaired.turns > 20


async def test_a_backup_without_room_leaves_nothing_behind(small_disk: Path, tmp_path: Path) -> None:
    async with Database(tmp_path / "novadesk.db") as database:
        archive = Conversations(database)
        made = make_conversation()
        await archive.create(made)
        await archive.append(make_turn(made.handle, "x" * 10_000_000))
        with pytest.raises(KnownError) as error:
            await database.back_up(small_disk / "backup.db")
        assert error.value.reason is Reason.DISK_FULL
        assert str(small_disk) in error.value.what
    assert os.listdir(small_disk) == []


LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from novadesk.errors import KnownError
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import make_conversation, make_turn

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    async with Database(Path(sys.argv[1])) as database:
        archive = Conversations(database)
        made = make_conversation()
        await archive.create(made)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        turn = make_turn(made.handle, "x" * 300_000)
        try:
            await archive.append(turn)
        except KnownError as error:
            print(error.reason.value)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await archive.append(turn)
        print(len(await archive.turns(made.handle)))

asyncio.run(main())
"""


def test_a_quota_is_an_error_of_the_world_too(tmp_path: Path) -> None:
    """A file may not grow: no full disk, but nothing is lost and it is no bug of ours."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "a.db"],
        env=ENV,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    reason, turns = done.stdout.split()
    assert reason in (Reason.DISK_FULL.value, Reason.STORE_LOCKED.value)
    assert turns == "1"


UNPRIVILEGED = """
import asyncio, os, stat, sys
from pathlib import Path
from novadesk.errors import KnownError
from novadesk.store.conversations import Conversations
from novadesk.store.copies import RecoveryCopies
from novadesk.store.database import Database
from tests.support.store_rig import make_conversation, make_turn

folder = Path(sys.argv[1]) / "data"
file = folder / "novadesk.db"

async def tried(read_only=False):
    try:
        async with Database(file, read_only=read_only) as database:
            return len(await Conversations(database).conversations())
    except KnownError as error:
        return f"{error.reason.value} {error.what}".replace(" ", "_")

async def main():
    print("nothing", await tried())
    folder.chmod(0o500)
    file.chmod(0o600)
    print("folder", await tried(), await tried(read_only=True))
    folder.chmod(0o700)
    file.chmod(0o400)
    print("file", await tried(), await tried(read_only=True))
    file.chmod(0o000)
    print("closed", await tried(), await tried(read_only=True))
    file.chmod(0o600)
    async with Database(file) as database:
        archive = Conversations(database)
        made = make_conversation()
        await archive.create(made)
        await archive.append(make_turn(made.handle, "one"))
        folder.chmod(0o500)
        try:
            RecoveryCopies(file).make(5)
        except KnownError as error:
            print("copy", error.reason.value)
        print("running", len(await archive.turns(made.handle)), (await archive.append(make_turn(made.handle))).position)
        folder.chmod(0o700)
    print("after", await tried())

asyncio.run(main())
"""


def test_a_place_that_may_not_be_written_is_said_and_what_is_there_can_be_read(tmp_path: Path) -> None:
    """A folder, then a file, without the right to write; and a folder that loses it while the store is open."""
    (tmp_path / "data").mkdir()
    plain = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()
    done = subprocess.run(
        [*plain, sys.executable, "-c", UNPRIVILEGED, tmp_path],
        env=ENV, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    told = {name: rest for name, *rest in (row.split() for row in done.stdout.splitlines())}
    store = tmp_path / "data" / "novadesk.db"
    assert told["nothing"] == ["0"]
    for place in ("folder", "file", "closed"):
        reason, what = told[place][0].split("_", 1)
        assert (reason, str(store) in what) == (Reason.STORE_LOCKED.value, True), told[place]
    assert told["folder"][1] == told["file"][1] == "0", "reading needs no right to write"
    assert told["closed"][1].startswith(Reason.STORE_LOCKED.value)
    assert told["copy"] == [Reason.STORE_LOCKED.value]
    assert told["running"] == ["1", "1"], "what is open goes on"
    assert told["after"] == ["1"]
