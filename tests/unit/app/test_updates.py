"""The weekly look for a newer version: when it asks, whom, what it remembers, and when it asks nobody."""

import asyncio
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from novadesk.app import update_memory
from novadesk.app import updates as updates_module
from novadesk.app.update_memory import Memory, read_memory, write_memory
from novadesk.app.updates import LOOK_S, WEEK_MS, Nature, Updates, find_place, offer_of, why_unasked
from novadesk.config import UpdateSettings
from novadesk.conversation.updateapi import Offer, Unasked
from novadesk.errors import KnownError, Reason
from novadesk.feed import FeedRefused, Place, Refusal, parse_feed
from novadesk.installation import Kind
from novadesk.text import Text
from tests.support.feeds import DAY_MS, HERE, MAC, NOW_MS, Signer, feed, package, when
from tests.support.leaks import LogWatch

HOUR_MS = 3_600_000
ASKS = UpdateSettings(feed="https://example.com/{channel}.json")
SIGNER = Signer()


class World:
    """Time, chance, and a server of feeds; notes what was asked for and told."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.now_ms, self.luck = NOW_MS, 0.5
        self.feed = feed(notes={"en": "What is new.", "de": "Neues."})
        self.down = self.stuck = False
        self.asked: list[str] = []
        self.told: list[Offer | None] = []
        self.heard = asyncio.Event()

    async def fetch(self, address: str) -> tuple[bytes, bytes]:
        self.asked.append(address)
        if self.stuck:
            raise TimeoutError
        if self.down:
            raise KnownError(Reason.UNREACHABLE, "{host} cannot be reached.", "Check the network.", host="example.com")
        return self.feed, SIGNER.sign(self.feed)

    def tell(self, offer: Offer | None) -> None:
        self.told.append(offer)
        self.heard.set()

    def start(self, settings: UpdateSettings = ASKS, place: Place = HERE) -> Updates:
        """Return what a start of the program makes."""
        nature = Nature(unix_ms=lambda: self.now_ms, fetch=self.fetch, chance=lambda: self.luck, keys=SIGNER.keys)
        return Updates(settings, lambda: place, self.file, nature, self.tell)

    async def pass_time(self, updates: Updates, *, days: float) -> None:
        """Let time pass, with a look whenever one is due."""
        until = self.now_ms + round(days * DAY_MS)
        while self.now_ms < until:
            wait_s = await updates.look()
            assert 0 <= wait_s <= LOOK_S
            self.now_ms += max(1, round(wait_s * 1000))

    @property
    def newest(self) -> str:
        return "" if self.told[-1] is None else self.told[-1].version


def running() -> list[asyncio.Task[None]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "updates"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "updates.json")


async def test_the_first_question_comes_hours_after_the_first_start_and_then_one_a_week(world: World) -> None:
    updates = world.start()
    await world.pass_time(updates, days=13 / 24 - 0.001)  # an hour, and half a day of chance
    assert (world.asked, world.newest) == ([], "")
    world.feed = feed(expires=when(90))
    await world.pass_time(updates, days=0.1)
    assert world.asked == ["https://example.com/stable.json"]
    assert world.newest == "0.2.0"
    await world.pass_time(updates, days=61)
    assert len(world.asked) == 1 + 8  # every 7.5 days


async def test_chance_spreads_the_questions_over_a_day(world: World) -> None:
    due = []
    for luck in (0.0, 0.5, 1.0):
        world.luck = luck
        updates = world.start()
        await updates.check()
        due.append(read_memory(world.file).due_ms)
    assert due == [NOW_MS + WEEK_MS + round(luck * DAY_MS) for luck in (0.0, 0.5, 1.0)]


async def test_what_is_due_outlives_the_program_and_is_known_at_once(world: World) -> None:
    await world.start().check()
    world.now_ms += 2 * DAY_MS
    assert await world.start().look() == LOOK_S
    assert (len(world.asked), world.newest) == (1, "0.2.0")
    world.now_ms += 6 * DAY_MS
    await world.start().look()
    assert len(world.asked) == 2


async def test_the_version_that_was_offered_says_nothing_to_itself(world: World) -> None:
    await world.start().check()
    world.told.clear()
    await world.start(place=replace(HERE, version="0.2.0")).look()
    assert world.told == [None]
    await world.start(place=replace(HERE, version="0.2.0b1")).look()
    assert world.newest == "0.2.0"


async def test_a_clock_that_was_ahead_does_not_silence_it(world: World) -> None:
    world.now_ms += 400 * DAY_MS
    await world.start().look()
    world.now_ms = NOW_MS
    updates = world.start()
    await world.pass_time(updates, days=1)
    assert len(world.asked) == 1


async def test_what_failed_is_tried_again_the_next_day_and_said(world: World, expected_logs: LogWatch) -> None:
    expected_logs.allow("the update feed brought nothing: network.unreachable")
    world.down = True
    updates = world.start()
    await world.pass_time(updates, days=3.1)
    assert len(world.asked) == 3  # after 13 h, then daily
    standing = await world.start().standing()
    assert (standing.trouble, standing.checked_ms) == ("example.com cannot be reached. Check the network.", None)
    assert isinstance(standing.trouble, Text)  # the window can say it in its own language
    assert not (await updates.standing()).offer
    world.down = False
    assert (await updates.check()).trouble == ""
    assert read_memory(world.file).trouble == ""


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have nothing verified before the end of the test, and nobody wait for it."""
    free = threading.Event()
    monkeypatch.setattr(updates_module, "read_feed", lambda *_, **__: free.wait(60))
    monkeypatch.setattr(updates_module, "_JUDGE_S", 0.0)
    yield
    free.set()


@pytest.mark.usefixtures("stuck")
async def test_what_is_not_verified_in_time_is_tried_again_the_next_day_and_said(
    world: World, expected_logs: LogWatch
) -> None:
    expected_logs.allow("the update feed brought nothing: update.feed_broken")
    await world.pass_time(world.start(), days=3.1)
    assert len(world.asked) == 3  # after 13 h, then daily
    trouble = (await world.start().standing()).trouble
    said = "This computer took too long to read the update feed. NovaDesk asks again tomorrow; nothing was changed."
    assert trouble == said
    assert isinstance(trouble, Text)


async def test_what_does_not_load_in_time_is_tried_again_the_next_day(world: World, expected_logs: LogWatch) -> None:
    expected_logs.allow("the update feed brought nothing: update.feed_broken")
    world.stuck = True
    await world.pass_time(world.start(), days=3.1)
    assert len(world.asked) == 3


async def test_an_older_feed_is_refused_after_a_newer_one_also_at_the_next_start(world: World) -> None:
    await world.start().check()
    world.feed = feed(serial=6, version="0.3.0")
    with pytest.raises(FeedRefused) as raised:
        await world.start().check()
    assert raised.value.refusal is Refusal.ROLLED_BACK
    assert (await world.start().standing()).offer == world.told[-1]  # what was believed still is


async def test_each_channel_has_a_newest_feed_also_after_a_stay_in_the_other(world: World) -> None:
    beta = replace(HERE, channel="beta")
    await world.start().check()
    world.feed = feed(serial=6, version="0.3.0", channel="beta")
    assert (await world.start(place=beta).check()).offer is not None
    assert not (await world.start().standing()).offer  # that was a beta version
    for place in (HERE, beta):
        world.feed = feed(serial=5, version="0.3.0", channel=place.channel)
        with pytest.raises(FeedRefused) as raised:
            await world.start(place=place).check()
        assert raised.value.refusal is Refusal.ROLLED_BACK
    world.feed = feed(serial=7)
    assert (await world.start().check()).offer is not None


async def test_two_wishes_at_once_are_one_after_the_other(world: World) -> None:
    updates = world.start()
    one, other = await asyncio.gather(updates.check(), updates.check())
    assert one == other
    assert len(world.asked) == 2


@pytest.mark.parametrize(
    ("settings", "place", "expected"),
    [
        (ASKS, HERE, None),
        (replace(ASKS, check=False), HERE, Unasked.OFF),
        (UpdateSettings(feed=""), HERE, Unasked.NO_FEED),
        (ASKS, replace(HERE, kind="source"), Unasked.SOURCE),
        (ASKS, replace(HERE, version="0.2.0.dev1"), Unasked.SOURCE),
        *((ASKS, replace(HERE, kind=kind.value), Unasked.MANAGED) for kind in Kind if kind.managed),
    ],
)
async def test_who_is_asked(
    world: World, settings: UpdateSettings, place: Place, expected: Unasked | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates_module, "FIRST_S", 0.0)
    updates = world.start(settings, place)
    assert (await updates.standing()).unasked is expected
    updates.start()
    (task,) = running()
    if expected is None:
        await world.heard.wait()
        assert not task.done()
    else:
        await task  # there is no timer any more
        assert world.told == []
        assert not world.file.exists()
    await updates.stop()
    assert not running()
    if expected in (None, Unasked.OFF):  # off means that nobody is asked by itself
        assert (await updates.check()).offer is not None
    else:
        with pytest.raises(KnownError) as raised:
            await updates.check()
        assert raised.value.what == expected.value
        assert not world.file.exists()
    assert len(world.asked) == (expected in (None, Unasked.OFF))


def test_without_a_key_nobody_is_asked() -> None:
    assert why_unasked(ASKS, HERE, {}) is Unasked.NO_FEED


async def test_it_runs_by_itself_until_it_is_switched_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates_module, "FIRST_S", 0.0)
    write_memory(world.file, Memory(due_ms=NOW_MS - 1))
    updates = world.start()
    updates.start()
    while len(world.told) < 2:
        world.heard.clear()
        await world.heard.wait()
    assert [None if one is None else one.version for one in world.told] == [None, "0.2.0"]
    await updates.use(replace(ASKS, check=False))
    assert world.told[-1] is None
    assert not running()
    await updates.use(ASKS)
    world.heard.clear()
    await world.heard.wait()
    assert world.newest == "0.2.0"
    await updates.stop()


def test_an_offer_is_for_this_computer() -> None:
    release = parse_feed(feed(files=[package(), package(system="macos", machine="arm64", kind="dmg", minimum="15")]))
    offer, mac = offer_of(release, HERE), offer_of(release, MAC)
    assert offer is not None
    assert (offer.version, offer.page, offer.unfit) == ("0.2.0", "https://example.com/novadesk/0.2.0", "")
    assert [offer.notes_in(language) for language in ("de", "de-AT", "fr", "en")] == ["Neues."] * 2 + [
        "What is new."
    ] * 2
    assert mac is not None
    assert mac.unfit == "It needs macOS 15 or newer, and this computer has 14.2."
    assert offer_of(release, replace(HERE, machine="arm64")) is None
    assert offer_of(release, replace(HERE, version="0.2.0")) is None


def test_this_copy_is_the_source() -> None:
    place = find_place()
    assert (place.kind, place.channel) == ("source", "stable")
    assert place.system in ("linux", "windows", "macos")
    if sys.platform == "linux":
        assert place.system_version.startswith("2.")


# --- what is remembered ---


def test_what_is_remembered_is_read_again(tmp_path: Path) -> None:
    unfit = Text("It needs {system}.", system="glibc")
    offer = Offer(version="0.2.0", page="https://example.com", notes=(("en", "New."), ("de", "Neu.")), unfit=unfit)
    memory = Memory(due_ms=5, checked_ms=4, channel="stable", serials={"stable": 3, "beta": 2}, offer=offer)
    memory = replace(memory, trouble=Text("No."))
    file = tmp_path / "updates.json"
    write_memory(file, memory)
    assert read_memory(file) == memory
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    write_memory(file, Memory())
    assert read_memory(file) == Memory()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: text[:-9],
        lambda text: text.replace('"format": 2', '"format": 1'),
        lambda text: text.replace('"stable": 3', '"stable": "3"'),
        lambda text: text.replace('"serials": {', '"serials": 3, "others": {'),
        lambda text: text.replace("0.2.0", "newest"),
        lambda text: text.replace('"due_ms": 5', '"due_ms": true'),
        lambda text: text.replace('"No."', '"\\u001ftext{"'),
    ],
)
def test_a_spoilt_memory_is_none(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    file = tmp_path / "updates.json"
    write_memory(
        file,
        Memory(
            due_ms=5, serials={"stable": 3}, offer=Offer(version="0.2.0", page="https://example.com"), trouble="No."
        ),
    )
    file.write_text(spoil(file.read_text()))
    assert read_memory(file) == Memory()


async def test_a_disk_that_is_full_costs_nothing_but_the_memory(
    world: World, monkeypatch: pytest.MonkeyPatch, expected_logs: LogWatch
) -> None:
    expected_logs.allow("what is known of updates cannot be written")

    def full(_file: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("novadesk.app.update_memory.replace_file", full)
    assert (await world.start().check()).offer is not None
    assert not world.file.exists()


async def test_a_write_that_is_given_up_does_not_stand_in_the_way_of_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, free, real = threading.Event(), threading.Event(), update_memory.replace_file

    def slow(file: Path, content: bytes) -> None:
        begun.set()
        assert free.wait(60)
        real(file, content)

    monkeypatch.setattr(update_memory, "replace_file", slow)
    updates = world.start()
    first = asyncio.create_task(updates.check())
    await asyncio.to_thread(begun.wait, 5)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    world.feed = feed(serial=9)
    second = asyncio.create_task(updates.check())
    while len(world.asked) < 2:
        await asyncio.sleep(0)
    free.set()
    await second
    assert read_memory(world.file).seen("stable") == 9
