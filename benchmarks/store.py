"""Measure the store with 100,000 turns: opening, searching, paging, writing, copying, repairing.

usage: python benchmarks/store.py [--turns 100000] [--folder DIR] [--gates 1] [--json FILE]
Exit code 1 when a limit is missed. Words are drawn by Zipf's law, as people use them; searches are of one to three of
them, with and without beginnings and phrases, frequent and rare ones alike.
"""

import asyncio
import itertools
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.sheet import Sheet, parser_of
from novadesk.store.conversations import Conversations
from novadesk.store.copies import RecoveryCopies
from novadesk.store.database import Database
from novadesk.store.repair import mark_suspect
from tests.support.store_rig import make_turn

OPEN_MS, SEARCH_P95_MS, SEARCH_GOAL_MS = 300.0, 200.0, 50.0
TURNS_OF_ONE = 100
START_MS = 1_790_000_000_000
SEARCHES = 200
dice = random.Random(20261121)


def words() -> Iterator[str]:
    """Yield words for ever, the n-th most frequent one about 1/n as often as the first."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = ["".join(dice.choices(letters, k=dice.randint(2, 10))) for _ in range(20_000)]
    weights = list(itertools.accumulate(1 / (place + 1) for place in range(len(known))))
    while True:
        yield from dice.choices(known, cum_weights=weights, k=10_000)


def fill(db: sqlite3.Connection, turns: int, source: Iterator[str]) -> None:
    """Write delivered conversations of 100 turns each."""
    for number in range(1, turns // TURNS_OF_ONE + 1):
        at_ms = START_MS + number * 100_000
        handle = f"session_{at_ms:013d}_{number:026d}"
        db.execute(
            "INSERT INTO conversation (number, handle, label, title, backend, created_ms, updated_ms, turns)"
            " VALUES (?, ?, 'caring-king-275', '', 'practice', ?, ?, ?)",
            (number, handle, at_ms, at_ms, TURNS_OF_ONE),
        )
        ids = [str(uuid.uuid4()) for _ in range(TURNS_OF_ONE)]
        db.executemany(
            "INSERT INTO turn (turn_id, conversation, position, role, text, at_ms, wire_session, sync)"
            " VALUES (?,?,?,?,?,?,?,'synced')",
            (
                (
                    turn_id,
                    number,
                    place,
                    ("user", "assistant")[place % 2],
                    " ".join(itertools.islice(source, (10, 30)[place % 2])),
                    at_ms + place,
                    str(uuid.uuid4()),
                )
                for place, turn_id in enumerate(ids)
            ),
        )
        db.executemany(
            "INSERT INTO step (step_id, handle, turn_id, generation, step_ms) VALUES (?,?,?,0,?)",
            ((turn_id, handle, turn_id, at_ms) for turn_id in ids),
        )


def searches(source: Iterator[str]) -> list[str]:
    """Return what people might type."""
    typed = []
    for _ in range(SEARCHES // 5):
        one, two, three = itertools.islice(source, 3)
        typed += [one, one[:2], f"{one} {two}", f'"{one} {two}"', f"{one[:3]}* {two} {three}"]
    return typed


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return milliseconds."""
    begun = time.perf_counter()
    await work()
    return (time.perf_counter() - begun) * 1000


async def opening(file: Path) -> float:
    """Return milliseconds until the store is open for writing."""
    database = Database(file)
    took = await timed(database.open)
    await database.close()
    return took


def p95(took: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(took, n=20)[18]


def drop_caches() -> bool:
    """Have the next reads come from the disk; only root may."""
    with suppress(OSError):
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
        return True
    return False


async def measure(file: Path, turns: int, sheet: Sheet) -> None:
    """Fill the store and print every figure."""
    source = words()
    async with Database(file) as database:
        took = await timed(lambda: database.run(lambda db: fill(db, turns, source)))
        size_bytes = await database.read(
            lambda db: db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[
                0
            ]
        )
    sheet.note(f"{turns:,} turns in {turns // TURNS_OF_ONE:,} conversations, {size_bytes / 1e6:.0f} MB")
    sheet.row("(filling)", took)
    sheet.row("open, median of 5", statistics.median([await opening(file) for _ in range(5)]), OPEN_MS)
    if drop_caches():
        sheet.row("open from a cold disk", await opening(file), OPEN_MS)
    async with Database(file) as database:
        archive = Conversations(database)
        await archive.append(make_turn(f"session_{START_MS + 100_000:013d}_{1:026d}"))
        for name in (file.name, f"{file.name}-wal"):
            shutil.copy(file.parent / name, file.parent / f"killed-{name}")
        await reading(archive, source, sheet)
        await writing(archive, sheet)
    sheet.row("open after kill -9 (all of it is checked)", await opening(file.parent / f"killed-{file.name}"))
    await keeping(file, sheet)


async def reading(archive: Conversations, source: Iterator[str], sheet: Sheet) -> None:
    """Measure searches and pages."""
    typed = searches(source)
    took = [await timed(lambda text=text: archive.search(text)) for text in typed]  # type: ignore[misc]
    found = sum([bool(await archive.search(text)) for text in typed])
    sheet.note(f"{len(typed)} searches, {found} of them find something")
    sheet.row("search, p95", p95(took), SEARCH_P95_MS, SEARCH_GOAL_MS)
    sheet.row("search, median", statistics.median(took))
    sheet.row("search, slowest", max(took))
    pages = [await timed(lambda at=at: archive.conversations(offset=at)) for at in range(0, 1_000, 50)]  # type: ignore[misc]
    sheet.row("page of 200 conversations, p95", p95(pages))
    handles = [one.handle for one in await archive.conversations()]
    newest = [await timed(lambda handle=handle: archive.turns(handle)) for handle in handles[:100]]  # type: ignore[misc]
    sheet.row("newest 100 turns of a conversation, p95", p95(newest))


async def writing(archive: Conversations, sheet: Sheet) -> None:
    """Measure a turn's way to the disk, and a deletion."""
    handles = [one.handle for one in await archive.conversations(limit=50)]
    took = [await timed(lambda handle=handle: archive.append(make_turn(handle))) for handle in handles]  # type: ignore[misc]
    sheet.row("a turn on the disk, p95", p95(took))
    sheet.row("delete a conversation and every trace of it", await timed(lambda: archive.delete(handles[0], START_MS)))


async def keeping(file: Path, sheet: Sheet) -> None:
    """Measure a recovery copy and a repair."""
    copies = RecoveryCopies(file)
    sheet.row(
        "recovery copy, made and checked (background)", await timed(lambda: asyncio.to_thread(copies.make, START_MS))
    )
    spoil(file)
    async with asyncio.timeout(600):
        begun = time.perf_counter()
        async with Database(file) as database:
            done = database.repaired
            sheet.row("repair at a start", (time.perf_counter() - begun) * 1000)
    sheet.note(done.words.split("; ")[1].split(", and")[0] if done else "nothing was found to repair")


def spoil(file: Path) -> None:
    """Destroy twenty pages from that of an early turn on, and have the next start look for that."""
    page_bytes = 4_096
    with closing(sqlite3.connect(file)) as db:
        (known,) = db.execute("SELECT turn_id FROM turn LIMIT 1 OFFSET 500").fetchone()
    with file.open("r+b") as stream:
        stream.seek(stream.read().index(known.encode()) // page_bytes * page_bytes)
        stream.write(b"\xff" * page_bytes * 20)
    mark_suspect(file)


def main() -> int:
    """Return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; a temporary one otherwise")
    chosen = parser.parse_args()
    sheet = Sheet(chosen.gates)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        asyncio.run(measure(Path(folder) / "novadesk.db", chosen.turns, sheet))
    return sheet.finish(chosen.json)


if __name__ == "__main__":
    raise SystemExit(main())
