"""How many conversations in real time one gateway process on one core carries, over the wire and beside a bare echo."""

import argparse
import asyncio
import math
import statistics
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateway_echo import MARK
from benchmarks.gateway_load import FRAME_S, Delays, Line, drive, hang_up
from benchmarks.gateway_processes import BESIDE, Hosted, hosted, tokens
from benchmarks.sheet import Rule, Sheet, told
from novadesk.config import Settings
from novadesk.paths import find_folders
from novadesk.protocol.events import PromptStart, SessionStart
from novadesk.protocol.link import Accepted, Arrived
from novadesk.protocol.session import NovaSession, Setup, Side
from novadesk.protocol.session_events import SpeechReceived
from novadesk.server.address import find_server
from novadesk.transport.bedrock import PracticeLinker

MOST_ADDED_S = 0.05
_GATE = 8
_WARM_S, _LEVELS = 2.0, 3
_FULL, _NEAR = 0.92, 1.06
_DIRECT_FRAMES = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is asked of a process.

    Attributes:
        name: for the notes.
        folder: whose people have sessions; None where there are none.
        first: how many conversations are tried first.
        apart_s: between the begins of two of them.
        direct_s: of a delay, what is not added.
    """

    name: str
    folder: Path | None
    first: int
    apart_s: float
    direct_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """So many at once.

    Attributes:
        added_s: p99 of the added delay.
        each_bytes: memory of a conversation.
    """

    sessions: int
    added_s: float
    each_bytes: float
    delays: Delays

    @property
    def kept(self) -> bool:
        """Say whether the delay was small enough."""
        return self.added_s <= MOST_ADDED_S


def measure(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Put down how many there are."""
    with tempfile.TemporaryDirectory() as folder:
        _over_the_wire(sheet, chosen.over_s, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        _beside_an_echo(sheet, chosen.over_s, Path(folder))


def _over_the_wire(sheet: Sheet, over_s: float, folder: Path) -> None:
    with hosted("upstream", folder, BESIDE) as upstream:
        direct_s = statistics.median(asyncio.run(_direct(folder)))
        sheet.row("straight to the voice service and back, median", 1e3 * direct_s)
        course = Course(name="true wire", folder=folder, first=_GATE, apart_s=0.1, direct_s=direct_s)
        with hosted("gateway", folder) as gateway:
            most, first = _most(sheet, gateway, course, over_s)
        sheet.row("conversations, true wire", most, _GATE, unit="", rule=Rule.AT_LEAST)
        sheet.row(f"added delay of {_GATE}, true wire, median", 1e3 * (first.delays.quantile(0.5) - direct_s))
        sheet.row(f"added delay of {_GATE}, true wire, p99", 1e3 * first.added_s, 50, rule=Rule.AT_MOST)
        sheet.row("memory of one, true wire", first.each_bytes / 1e6, unit="MB")
        sheet.row("streams of the voice service left", upstream.counts()["streams"], 0, unit="", rule=Rule.AT_MOST)


def _beside_an_echo(sheet: Sheet, over_s: float, folder: Path) -> None:
    with hosted("gateway", folder, scripted=True) as gateway:
        course = Course(name="scripted", folder=folder, first=30, apart_s=0.03)
        most, first = _most(sheet, gateway, course, over_s)
    with hosted("echo", folder) as echo:
        bare, _ = _most(sheet, echo, Course(name="bare echo", folder=None, first=300, apart_s=0.002), over_s)
    sheet.row("conversations, scripted voice service", most, unit="")
    sheet.row("connections, bare aiohttp echo", bare, unit="")
    share = 100 * most / bare if bare else math.nan
    sheet.row("conversations for each of those", share, goal_ms=30, unit="%", rule=Rule.AT_LEAST)
    sheet.row("memory of one, scripted voice service", first.each_bytes / 1e6, unit="MB")


def _most(sheet: Sheet, host: Hosted, course: Course, over_s: float) -> tuple[int, Level]:
    """Return how many were carried at most, and what became of the first number that was tried.

    The next number follows from the processor time of the one before. One that is missed is tried once more: other
    work on the machine is not the gateway's.
    """
    _level(host, course, 1, 0.5)  # what is loaded once is nobody's memory
    count, most, too_many = course.first, 0, math.inf
    levels: list[Level] = []
    while len(levels) < _LEVELS and most * _NEAR < count < too_many:
        level = _told(sheet, course, _level(host, course, count, over_s))
        if not level.kept:
            level = min(level, _told(sheet, course, _level(host, course, count, over_s)), key=lambda one: one.added_s)
        levels.append(level)
        if level.kept:
            most = count
            count = min(int(_FULL * count / level.delays.served), int((most + min(too_many, 9 * most)) / 2))
        else:
            too_many = count
            count = (most + count) // 2
    return most, levels[0]


def _told(sheet: Sheet, course: Course, level: Level) -> Level:
    delays = level.delays
    sheet.note(
        f"{course.name}, {level.sessions} at once: p99 {told(1e3 * level.added_s)}, {delays.lost} of {delays.frames}"
        f" frames lost, {delays.served:.0%} of the core, the load {delays.busy:.0%} of the other one"
    )
    return level


def _level(host: Hosted, course: Course, count: int, over_s: float) -> Level:
    shown = [""] * count if course.folder is None else tokens(course.folder, count)
    before = host.counts()
    lines = [Line(host.url, token) for token in shown]
    delays = drive(lines, host.cpu_s, apart_s=course.apart_s, warm_s=_WARM_S, over_s=over_s)
    after = host.counts()
    hang_up(lines)
    return Level(
        sessions=count,
        added_s=delays.quantile(0.99) - course.direct_s,
        each_bytes=(after["resident"] - before["resident"]) / count,
        delays=delays,
    )


async def _direct(folder: Path) -> list[float]:
    """Return seconds from a frame to its echo over the gateway's own link, without a gateway."""
    server = find_server(find_folders(home=str(folder)).practice)
    assert server is not None

    async def address() -> dict[str, str]:
        return {name: getattr(server, name) for name in ("bedrock", "region", "access_key_id", "secret_access_key")}

    loop = asyncio.get_running_loop()
    link = await PracticeLinker(address, Settings()).link()
    session = NovaSession(Side.CLIENT)
    sent_at: list[float] = []
    seconds: list[float] = []

    async def flush() -> None:
        for payload in session.events_to_send():
            await link.send(payload)

    async def hear() -> None:
        while len(seconds) < _DIRECT_FRAMES:
            message = await link.receive()
            if isinstance(message, Arrived):
                session.receive(message.payload, loop.time())
                echoes = [event for event in session.events_received() if isinstance(event, SpeechReceived)]
                seconds.extend(loop.time() - sent_at[int.from_bytes(echo.pcm[4:8], "little")] for echo in echoes)

    await link.open()
    setup = Setup(
        session=SessionStart(), prompt=PromptStart(prompt_name="p", voice_id="amy"), system_prompt="Be brief."
    )
    session.start(setup, loop.time())
    await flush()
    while not isinstance(await link.receive(), Accepted):
        pass
    session.accepted(loop.time())
    session.open_audio((), loop.time())
    hearing = asyncio.create_task(hear())
    for number in range(_DIRECT_FRAMES):
        sent_at.append(loop.time())
        session.send_audio(MARK + struct.pack("<I", number) + bytes(1_016), loop.time())
        await flush()
        await asyncio.sleep(FRAME_S)
    async with asyncio.timeout(10):
        await hearing
    await link.close()
    return seconds
