"""A device that opens and does nothing while the other one works: what becomes of both. Audio processes are made up."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self

import pytest

from novadesk.audio.child import OPEN_S, engine_died
from novadesk.audio.client import EngineSound, hung
from novadesk.audio.deaddevices import AGAIN_S, DeadDevices
from novadesk.audio.devices import Direction
from novadesk.audio.hotplug import LIST_S
from novadesk.audio.pump import FIRST_CALLBACK_S
from novadesk.audio.wire import Command, Failed, Frame, List, Listed, Open, Opened, Ready, Report, Trying
from novadesk.config import AudioSettings
from novadesk.errors import KnownError, Reason
from novadesk.models import BargeIn, InputTrouble
from novadesk.text import Text
from tests.support.virtual_loop import run_virtually

USB, LAPTOP, SPEAKER, OTHER = "ALSA: USB", "ALSA: Laptop", "ALSA: Speaker", "ALSA: Other"
NUMBERS: dict[str, Any] = {
    "capture_hz": 1, "playout_hz": 1, "capture_latency_s": 0, "playout_latency_s": 0, "one_clock": False
}  # fmt: skip


class World:
    """The devices that there are, which of them do nothing, and what was opened."""

    def __init__(self) -> None:
        self.devices = {Direction.MICROPHONE: [LAPTOP, USB], Direction.SPEAKER: [SPEAKER, OTHER]}
        self.dead: set[tuple[Direction, str]] = set()
        self.hang: set[tuple[Direction, str]] = set()
        self.one_stream = False
        self.closed: set[tuple[Direction, str]] = set()
        self.opened: list[Open] = []
        self.tries = 0
        self.running: list[Process] = []

    def picked(self, order: Open, way: Direction) -> str:
        if order.only not in (None, way):
            return ""
        wanted, shunned = getattr(order, way.value), getattr(order, f"dead_{way.value}s")
        left = [title for title in (wanted, *self.devices[way]) if title and title not in shunned]
        return left[0] if left else ""

    def die(self, *sides: tuple[Direction, str]) -> None:
        """Let devices do nothing from now on, also those in use."""
        self.dead.update(sides)
        for process in self.running:
            process.look()


class Process:
    """Fits `Child`, in this process."""

    world: World
    pid = 1

    def __init__(self) -> None:
        self.reports: asyncio.Queue[Report | None] = asyncio.Queue()
        self.names: dict[Direction, str] = {}
        self.trying = Trying()
        self.reports.put_nowait(Ready())

    @classmethod
    async def start(cls, _command: Sequence[str]) -> Self:
        return cls()

    def send(self, command: Command) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(command, List):
            names = (tuple(titles) for titles in self.world.devices.values())
            self.reports.put_nowait(Listed(**dict(zip(("microphones", "speakers"), names, strict=True))))
        if not isinstance(command, Open):
            return
        if command.only is None:
            self.world.opened.append(command)
        else:
            self.world.tries += 1
        names = {way: self.world.picked(command, way) for way in Direction}
        closed = {(way, title) for way, title in names.items() if (way, title) in self.world.closed}
        self.names = {way: "" if (way, title) in closed else title for way, title in names.items()}
        if closed and command.only is not None:
            self.reports.put_nowait(failed(reason=Reason.NO_MICROPHONE))
        elif stuck := [side for side in self.names.items() if side in self.world.hang]:
            if command.apart or not self.world.one_stream:
                self.trying = Trying(direction=stuck[0][0], device=stuck[0][1])
        elif self.dead_ways():
            loop.call_later(FIRST_CALLBACK_S, self.look)
        else:
            self.world.running.append(self)
            opened = {way.value: title for way, title in self.names.items()}
            opened |= {f"closed_{way.value}s": (title,) for way, title in closed}
            self.reports.put_nowait(Opened(**opened, note="", **NUMBERS))
            self.frame()

    def frame(self) -> None:
        if self in self.world.running:
            self.reports.put_nowait(Frame(level=0.1, captured_ns=0, pcm=bytes(1024)))
            asyncio.get_running_loop().call_later(0.5, self.frame)

    def dead_ways(self) -> list[Direction]:
        return [way for way, title in self.names.items() if (way, title) in self.world.dead]

    def look(self) -> None:
        """Tell what is dead of what is open."""
        if ways := self.dead_ways():
            one = ways[0] if len(ways) < len([title for title in self.names.values() if title]) else None
            device = self.names[one] if one else ""
            self.reports.put_nowait(Failed(reason=Reason.DEVICE_STALLED, what="", advice="", dead=one, device=device))

    async def receive(self, deadline_s: float) -> Report | None:
        try:
            async with asyncio.timeout(deadline_s):
                report = await self.reports.get()
        except TimeoutError:
            return None
        if report is None:
            raise engine_died("has stopped")
        return report

    def kill(self) -> None:
        self.reports.put_nowait(None)

    async def end(self) -> None:
        if self in self.world.running:
            self.world.running.remove(self)


class Ear:
    """Fits `Listener`."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, str]] = []
        self.lost: list[KnownError] = []

    def on_frame(self, pcm: bytes, level: float) -> None:
        """Nothing is asked of it."""

    def on_played(self, generation: int, samples: int, level: float) -> None:
        raise AssertionError

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.opened.append((microphone, speaker))

    def on_lost(self, error: KnownError) -> None:
        self.lost.append(error)

    def on_barge_in(self, stage: BargeIn) -> None:
        raise AssertionError(stage)

    def on_input(self, trouble: InputTrouble) -> None:
        raise AssertionError(trouble)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(Process, "world", made, raising=False)
    for module in ("client", "lister", "trial"):
        monkeypatch.setattr(f"novadesk.audio.{module}.Child", Process)
    return made


type Work = Callable[[EngineSound, Ear], Coroutine[None, None, None]]


def run(work: Work, microphone: str = USB, speaker: str = SPEAKER) -> Ear:
    """Do it with a sound on virtual time."""
    ear = Ear()

    async def whole() -> None:
        sound = EngineSound(("engine",), AudioSettings(microphone=microphone, speaker=speaker))
        try:
            await work(sound, ear)
        finally:
            await sound.shutdown()

    run_virtually(whole())
    return ear


async def opened(sound: EngineSound, ear: Ear) -> int:
    """Open as the app does, again and again; return how often that failed."""
    for failures in range(9):
        try:
            await sound.open(ear)
        except KnownError:
            continue
        else:
            return failures
    raise AssertionError("it never opens")


MICROPHONE_DIES, SPEAKER_DIES = (Direction.MICROPHONE, USB), (Direction.SPEAKER, SPEAKER)


@pytest.mark.parametrize(("dies", "then"), [(MICROPHONE_DIES, (LAPTOP, SPEAKER)), (SPEAKER_DIES, (USB, OTHER))])
def test_after_two_dead_openings_another_device_is_opened(
    world: World, dies: tuple[Direction, str], then: tuple[str, str]
) -> None:
    async def work(sound: EngineSound, ear: Ear) -> None:
        await sound.open(ear)
        await asyncio.sleep(10)
        world.die(dies)
        await asyncio.sleep(10)

    ear = run(work)
    assert ear.opened == [(USB, SPEAKER), then]
    assert [error.reason for error in ear.lost] == [Reason.DEVICE_STALLED]
    assert len(world.opened) == 4  # once alive, twice dead


@pytest.mark.parametrize(("dies", "then"), [(MICROPHONE_DIES, ("", SPEAKER)), (SPEAKER_DIES, (USB, ""))])
def test_where_there_is_no_other_the_living_one_is_opened_alone(
    world: World, dies: tuple[Direction, str], then: tuple[str, str]
) -> None:
    world.devices = {Direction.MICROPHONE: [USB], Direction.SPEAKER: [SPEAKER]}
    world.die(dies)

    async def work(sound: EngineSound, ear: Ear) -> None:
        assert await opened(sound, ear) == 2
        await asyncio.sleep(60)

    assert run(work).opened == [then]


def test_a_dead_device_is_used_again_once_it_works_and_until_then_nothing_is_interrupted(world: World) -> None:
    world.die(MICROPHONE_DIES)

    async def work(sound: EngineSound, ear: Ear) -> None:
        assert await opened(sound, ear) == 2
        await asyncio.sleep(AGAIN_S[0] + AGAIN_S[1] + 10)
        assert (world.tries, len(world.opened), ear.lost) == (2, 3, [])
        world.dead.clear()
        await asyncio.sleep(AGAIN_S[2])

    assert run(work).opened == [(LAPTOP, SPEAKER), (USB, SPEAKER)]


def test_the_next_conversation_tries_at_once_what_was_dead_long_ago(world: World) -> None:
    world.die(MICROPHONE_DIES)

    async def work(sound: EngineSound, ear: Ear) -> None:
        assert await opened(sound, ear) == 2
        await sound.close()
        world.dead.clear()
        await asyncio.sleep(3_600)
        await sound.open(ear)
        await asyncio.sleep(1)

    assert run(work).opened == [(LAPTOP, SPEAKER), (LAPTOP, SPEAKER), (USB, SPEAKER)]


def test_who_chooses_a_dead_device_again_gets_it_tried(world: World) -> None:
    world.die(MICROPHONE_DIES)

    async def work(sound: EngineSound, ear: Ear) -> None:
        assert await opened(sound, ear) == 2
        sound.prefer(AudioSettings(microphone=USB, speaker=OTHER))
        await asyncio.sleep(1)
        assert world.opened[-1].dead_microphones == ()

    run(work)


def test_a_default_that_is_dead_is_not_mistaken_for_one_that_was_changed(world: World) -> None:
    world.die((Direction.MICROPHONE, LAPTOP))

    async def work(sound: EngineSound, ear: Ear) -> None:
        assert await opened(sound, ear) == 2
        await asyncio.sleep(3 * LIST_S)
        assert len(world.opened) == 3
        world.devices[Direction.MICROPHONE].insert(0, OTHER)
        await asyncio.sleep(2 * LIST_S)

    assert run(work, microphone="").opened == [(USB, SPEAKER), (OTHER, SPEAKER)]


def test_whoever_has_no_microphone_left_gets_the_next_that_is_connected(world: World) -> None:
    world.devices[Direction.MICROPHONE] = [USB]
    world.die(MICROPHONE_DIES)

    async def work(sound: EngineSound, ear: Ear) -> None:
        assert await opened(sound, ear) == 2
        world.devices[Direction.MICROPHONE].append(LAPTOP)
        await asyncio.sleep(2 * LIST_S)

    assert run(work).opened == [("", SPEAKER), (LAPTOP, SPEAKER)]


HANGS = [(MICROPHONE_DIES, False, 2), (SPEAKER_DIES, False, 2), (MICROPHONE_DIES, True, 3)]


@pytest.mark.parametrize(("side", "one_stream", "tries"), HANGS)
def test_a_driver_that_hangs_while_it_is_opened_is_gone_round(
    world: World, side: tuple[Direction, str], one_stream: bool, tries: int
) -> None:
    world.hang, world.one_stream = {side}, one_stream

    async def work(sound: EngineSound, ear: Ear) -> None:
        begun = asyncio.get_running_loop().time()
        assert await opened(sound, ear) == tries
        assert asyncio.get_running_loop().time() - begun == pytest.approx(tries * OPEN_S)
        world.hang.clear()
        await asyncio.sleep(AGAIN_S[0] + 5)

    then = (LAPTOP, SPEAKER) if side == MICROPHONE_DIES else (USB, OTHER)
    assert run(work).opened == [then, (USB, SPEAKER)]


def test_what_hangs_is_named() -> None:
    for direction, words in (
        (Direction.MICROPHONE, "The microphone"),
        (Direction.SPEAKER, "The speaker"),
        (None, "The sound"),
    ):
        report = hung(Trying(direction=direction, device="X" if direction else ""))
        assert report.what.startswith(words)
        assert isinstance(report.what, Text)
        assert (report.reason, report.dead) == (Reason.DEVICE_STALLED, direction)


def test_a_microphone_that_is_refused_is_used_once_it_is_not_and_until_then_nothing_is_interrupted(
    world: World,
) -> None:
    world.devices[Direction.MICROPHONE] = [USB]
    world.closed = {MICROPHONE_DIES}

    async def work(sound: EngineSound, ear: Ear) -> None:
        assert await opened(sound, ear) == 0
        await asyncio.sleep(AGAIN_S[0] + AGAIN_S[1] + 10)
        assert (world.tries, len(world.opened), ear.lost) == (2, 1, [])
        sound.reopen()
        await asyncio.sleep(1)
        assert world.opened[-1].dead_microphones == ()  # a refusal costs nothing, and says why
        world.closed.clear()
        await asyncio.sleep(AGAIN_S[2] + AGAIN_S[3])

    assert run(work).opened == [("", SPEAKER), ("", SPEAKER), (USB, SPEAKER)]


def test_what_is_not_refused_any_more_is_forgotten() -> None:
    known = DeadDevices()
    known.opened([MICROPHONE_DIES, (Direction.MICROPHONE, LAPTOP)], 0.0)
    known.opened([MICROPHONE_DIES], 10.0)
    assert (known.sides(), known.titles(Direction.MICROPHONE)) == ((MICROPHONE_DIES,), ())
    assert known.wait_s(10.0) == AGAIN_S[0] - 10  # a new opening puts nothing off
    known.tried(MICROPHONE_DIES, 30.0, works=True)
    known.opened([MICROPHONE_DIES], 31.0)
    assert known.wait_s(31.0) == AGAIN_S[2]  # it works alone only


def failed(dead: Direction | None = None, device: str = "", reason: Reason = Reason.DEVICE_STALLED) -> Failed:
    return Failed(reason=reason, what="", advice="", dead=dead, device=device)


def test_where_nobody_knows_which_one_is_dead_they_are_opened_apart_to_see_it() -> None:
    known = DeadDevices()
    for report in (failed(), failed(*MICROPHONE_DIES)):
        known.failed(report, 0.0)
        assert known.apart
    known.failed(failed(*MICROPHONE_DIES), 0.0)
    assert (known.apart, known.titles(Direction.MICROPHONE), known.titles(Direction.SPEAKER)) == (False, (USB,), ())
    known.failed(failed(), 0.0)
    assert known.sides() == ()


@pytest.mark.parametrize("between", ["another", "works", "unplugged"])
def test_it_takes_two_in_a_row(between: str) -> None:
    known = DeadDevices()
    known.failed(failed(*MICROPHONE_DIES), 0.0)
    match between:
        case "another":
            known.failed(failed(*SPEAKER_DIES), 0.0)
        case "works":
            known.works()
        case "unplugged":
            known.failed(failed(reason=Reason.NO_MICROPHONE), 0.0)
    known.failed(failed(*MICROPHONE_DIES), 0.0)
    assert known.sides() == ()


def test_what_took_the_place_of_a_dead_one_is_judged_by_one_opening() -> None:
    known = DeadDevices()
    for report in (failed(*MICROPHONE_DIES),) * 2, (failed(Direction.MICROPHONE, LAPTOP),):
        for told in report:
            known.failed(told, 0.0)
    assert known.titles(Direction.MICROPHONE) == (USB, LAPTOP)


def test_what_dies_again_and_again_is_tried_more_seldom() -> None:
    known, now, waits = DeadDevices(), 0.0, []
    for _ in range(6):
        for _ in range(2):
            known.failed(failed(*MICROPHONE_DIES), now)
        waits.append(known.wait_s(now))
        now += waits[-1]
        known.tried(MICROPHONE_DIES, now, works=True)
        assert known.sides() == ()
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (AGAIN_S[0], AGAIN_S[-1])
