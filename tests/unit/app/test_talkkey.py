"""Every key, button and command in one press state, on virtual time: what the conversation is told, and when."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from novadesk.app.talkkey import TalkKey
from novadesk.app.talkpress import TalkPress
from novadesk.chord import Action, Binding, Key, KeyDown, KeyUp, Origin, OtherDown, parse_bindings
from novadesk.config import PressSetting, TalkSettings
from novadesk.conversation.api import MicrophoneState, Phase, Snapshot, TalkMode
from novadesk.conversation.talkapi import KeyCount
from novadesk.desktop.hotkeys.base import News, Standing, Tell
from novadesk.desktop.hotkeys.press import Loss, Lost, MuteWished, Rules, Wish, Wished
from tests.support.virtual_loop import run_virtually

F9 = Key(name="f9")
SILENCER = Key(name="f8", action=Action.MUTE)
START, STOP, TOGGLE = (Wished(wish=wish, origin=Origin.COMMAND) for wish in Wish)
MAX_S = 30.0


@dataclass
class Recorded:
    """A conversation that notes what it is told, and when."""

    told: list[tuple[float, str]] = field(default_factory=list)
    talking: bool = False
    meant: list[bool] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.told.append((round(asyncio.get_running_loop().time(), 3), what))

    def press_talk(self, held_s: float = 0.0) -> None:
        self.talking = True
        self.note("press")

    def release_talk(self, *, meant: bool = True) -> None:
        self.talking = False
        self.meant.append(meant)
        self.note("release")

    def set_talk_mode(self, mode: TalkMode) -> None:
        self.note(mode.value)

    def set_muted(self, muted: bool) -> None:
        self.note("mute" if muted else "unmute")

    def notice(self, line: str) -> None:
        self.note(line)

    def set_extra(self, **values: Any) -> None:
        pass


def told(
    work: Callable[[TalkPress, Recorded], Coroutine[Any, Any, None]], press: PressSetting
) -> list[tuple[float, str]]:
    """Return what the conversation is told while `work` runs from time 0 on."""

    async def run() -> list[tuple[float, str]]:
        talker = Recorded()
        talk = TalkPress(Rules(press=press, max_talk_s=MAX_S), talker, asyncio.get_running_loop().time)
        await work(talk, talker)
        talk.stop()
        return talker.told

    return run_virtually(run())


def test_a_key_a_command_and_the_watchdog_move_one_talk() -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        talk.take(KeyDown(key=F9))
        await asyncio.sleep(1)
        talk.take(TOGGLE)
        await asyncio.sleep(1)
        talk.take(KeyUp(key=F9))
        talk.take(START)
        await asyncio.sleep(100)

    assert told(work, PressSetting.HOLD) == [
        (0, "press"),
        (1, "release"),
        (2, "press"),
        (2 + MAX_S, "release"),
        (2 + MAX_S, "Talking stopped after 30 seconds. Press again to go on."),
    ]


def test_only_a_hand_that_lets_go_means_the_end_of_a_talk() -> None:
    async def work(talk: TalkPress, talker: Recorded) -> None:
        key = Key(name="right_ctrl", bare=True)
        for end in (KeyUp(key=key), OtherDown(), Lost(loss=Loss.LOCK)):
            talk.take(KeyDown(key=key))
            await asyncio.sleep(1)
            talk.take(end)
            talk.take(KeyUp(key=key))
        assert talker.meant == [True, False, False]

    told(work, PressSetting.HOLD)


def test_the_watchdog_is_that_of_the_present_talk() -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        for _ in range(3):
            talk.take(KeyDown(key=F9))
            await asyncio.sleep(MAX_S - 1)
            talk.take(KeyUp(key=F9))

    assert [what for _, what in told(work, PressSetting.HOLD)] == ["press", "release"] * 3


def test_nothing_puts_the_watchdog_off() -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        talk.take(KeyDown(key=F9))
        await asyncio.sleep(MAX_S - 1)
        talk.take(OtherDown())
        await asyncio.sleep(2)

    assert told(work, PressSetting.HOLD)[1] == (MAX_S, "release")


def test_the_end_of_everything_ends_a_talk() -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        talk.take(START)

    assert told(work, PressSetting.HOLD) == [(0, "press"), (0, "release")]


@pytest.mark.parametrize("mode", TalkMode)
def test_another_way_to_talk_ends_a_talk_before(mode: TalkMode) -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        talk.take(KeyDown(key=F9))
        talk.set_talk_mode(mode)
        talk.take(KeyUp(key=F9))

    assert [what for _, what in told(work, PressSetting.HOLD)] == ["press", "release", mode.value]


def test_mute_of_key_button_and_command_is_one() -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        talk.take(KeyDown(key=SILENCER))
        talk.take(MuteWished(on=True))
        talk.take(KeyUp(key=SILENCER))
        await asyncio.sleep(1)
        talk.take(MuteWished(on=False))

    assert told(work, PressSetting.HOLD) == [(0, "mute"), (1, "unmute")]


def test_after_a_talk_that_the_conversation_ended_the_next_press_talks() -> None:
    async def work(talk: TalkPress, talker: Recorded) -> None:
        talk.take(TOGGLE)
        talk.see(Snapshot(talking=True))
        talk.see(Snapshot(talking=False))
        await asyncio.sleep(1)
        talk.take(TOGGLE)

    assert told(work, PressSetting.TOGGLE) == [(0, "press"), (1, "press"), (1, "release")]


def heard_by(name: str) -> Snapshot:
    """Return what is seen while the person is heard by a microphone."""
    return Snapshot(talking=True, microphone_name=name, microphone=MicrophoneState.OPEN, phase=Phase.LISTENING)


ANOTHER = "Talking stopped: this is another microphone. Press again to go on."
A, B = heard_by("A"), heard_by("B")
MICROPHONES = {
    "another": ([A, A, B], [ANOTHER]),
    "another after the first had gone": ([A, replace(A, microphone=MicrophoneState.ABSENT), B], [ANOTHER]),
    "the same again": ([A, replace(B, microphone=MicrophoneState.ABSENT), replace(B, sound_opening=True), A], []),
    "the name of a microphone that is not open yet": ([replace(A, sound_opening=True), B], []),
    "the name of one that was open before": ([replace(A, phase=Phase.IDLE), B], []),
    "none yet": ([replace(A, microphone_name=""), B], []),
}


@pytest.mark.parametrize(("seen", "words"), MICROPHONES.values(), ids=MICROPHONES)
def test_another_microphone_in_the_middle_ends_a_talk(seen: list[Snapshot], words: list[str]) -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        talk.see(heard_by("that of the talk before"))
        talk.take(KeyDown(key=F9))
        talk.see(heard_by("that of the talk before"))
        talk.take(KeyUp(key=F9))
        talk.see(Snapshot(microphone_name="that of the talk before"))
        talk.take(KeyDown(key=F9))
        for snapshot in seen:
            talk.see(snapshot)

    assert [what for _, what in told(work, PressSetting.HOLD)] == ["press", "release"] * 2 + words


@pytest.mark.parametrize(("loss", "words"), [(Loss.SLEEP, "slept"), (Loss.LOCK, "locked"), (Loss.PORTAL, "desktop")])
def test_a_lost_key_is_told(loss: Loss, words: str) -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        talk.take(Lost(loss=loss))
        talk.take(KeyDown(key=F9))
        talk.take(Lost(loss=loss))

    (_, first), (_, second), (_, notice) = told(work, PressSetting.HOLD)
    assert (first, second) == ("press", "release")
    assert words in notice


def test_the_window_that_loses_the_focus_ends_its_key_without_a_word() -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        talk.take(KeyDown(key=Key(name="space", origin=Origin.WINDOW)))
        talk.take(Lost(loss=Loss.FOCUS))

    assert [what for _, what in told(work, PressSetting.TOGGLE)] == ["press", "release"]


def test_the_key_test_counts_and_does_nothing_else() -> None:
    counts: list[KeyCount] = []

    async def work(talk: TalkPress, talker: Recorded) -> None:
        talk.take(START)
        test = asyncio.create_task(talk.count_keys(counts.append, seconds=10))
        await asyncio.sleep(1)
        for event in (
            KeyDown(key=F9),
            KeyDown(key=F9),
            OtherDown(),
            KeyUp(key=F9),
            KeyDown(key=SILENCER),
            KeyUp(key=SILENCER),
            KeyDown(key=Key(name="space", origin=Origin.WINDOW)),
            KeyDown(key=F9),
            Lost(loss=Loss.FOCUS),
            KeyDown(key=F9),
        ):
            talk.take(event)
            talk.see(Snapshot(talking=False))
        while not test.done():
            await asyncio.sleep(1)
            talk.take(KeyDown(key=F9))  # the repeats of what is still held
        assert await test == KeyCount(presses=4, releases=2, here=1, others=1)
        talk.take(KeyUp(key=F9))
        talk.take(KeyDown(key=F9))

    assert told(work, PressSetting.HOLD) == [(0, "press"), (0, "release"), (10, "press"), (10, "release")]
    assert [count.presses for count in counts] == [0, 1, 1, 1, 2, 2, 2, 3, 4]


def test_a_mute_key_that_is_held_at_the_end_of_the_key_test_mutes() -> None:
    async def work(talk: TalkPress, _: Recorded) -> None:
        test = asyncio.create_task(talk.count_keys(lambda _: None, seconds=10))
        await asyncio.sleep(1)
        talk.take(KeyDown(key=SILENCER))
        await test

    assert told(work, PressSetting.HOLD) == [(10, "mute")]


class Board:
    """A backend whose keys a test presses."""

    def __init__(self, note: str = "") -> None:
        self.tell: Tell | None = None
        self.note = note
        self.stopped = False

    def start(self, tell: Tell) -> None:
        self.tell = tell
        tell(Standing(note="The person is asked.", settled=False))
        triggers = ((Action.TALK, "F9"), (Action.MUTE, "F8"), (Action.TALK, "the side button"))
        tell(Standing(triggers=triggers, note=self.note))

    async def stop(self) -> None:
        self.stopped = True

    def send(self, news: News) -> None:
        """Tell it from another thread, as listeners do."""
        assert self.tell is not None
        thread = threading.Thread(target=self.tell, args=(news,))
        thread.start()
        thread.join()


@dataclass
class Desktop:
    """A talk key whose backend is found by `choose`."""

    choose: Callable[[tuple[Binding, ...]], Any]
    settings: TalkSettings = field(default_factory=TalkSettings)
    away: Any = None
    shown: list[Standing] = field(default_factory=list)

    late: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.known = asyncio.Event()

    def show(self, standing: Standing) -> None:
        self.shown.append(standing)
        if standing.settled:
            self.known.set()

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> list[str]:
        talker = Recorded()
        talk = TalkPress(Rules(), talker, asyncio.get_running_loop().time)
        key = TalkKey(self.settings, talk, self.show, self.choose, away=lambda _: self.away)
        key.start()
        await self.known.wait()
        await work()
        await key.stop()
        self.late()
        await asyncio.sleep(0)
        return [what for _, what in talker.told]


async def _no_work() -> None:
    pass


async def test_keys_of_the_desktop_are_found_shown_and_heard() -> None:
    board = Board()
    seen: list[tuple[Binding, ...]] = []

    def choose(bindings: tuple[Binding, ...]) -> Board:
        seen.append(bindings)
        return board

    async def work() -> None:
        board.send(KeyDown(key=F9))
        board.send(KeyUp(key=F9))
        board.send(KeyDown(key=F9))
        await asyncio.sleep(0)

    desktop = Desktop(choose, replace(TalkSettings(), key="f9, mouse_back", mute_key="f8"))
    desktop.late = lambda: board.send(KeyDown(key=Key(name="mouse_back")))
    assert await desktop.run(work) == ["press", "release"] * 2
    assert [standing.settled for standing in desktop.shown] == [False, True]
    assert [words for _, words in desktop.shown[-1].triggers] == ["F9", "F8", "the side button"]
    assert seen == [parse_bindings("f9, mouse_back", "f8")]


class Away:
    """Notes that it is started and stopped."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def start(self) -> None:
        self.told.append("start")

    async def stop(self) -> None:
        self.told.append("stop")


async def test_lock_and_sleep_are_watched_as_long_as_the_keys() -> None:
    away = Away()

    async def work() -> None:
        assert away.told == ["start"]

    await Desktop(lambda _: Board(), away=away).run(work)
    assert away.told == ["start", "stop"]


# --- other keys, without a restart ---


@dataclass
class Boards:
    """Makes a board for each binding, and keeps them."""

    made: list[tuple[tuple[Binding, ...], Board]] = field(default_factory=list)
    note: str = ""

    def __call__(self, bindings: tuple[Binding, ...]) -> Board:
        board = Board(self.note)
        self.made.append((bindings, board))
        return board

    @property
    def newest(self) -> Board:
        return self.made[-1][1]

    @property
    def chords(self) -> list[str]:
        return [str(bindings[0].chord) if bindings else "" for bindings, _ in self.made]


async def ready(boards: Boards, number: int) -> None:
    while len(boards.made) < number or boards.newest.tell is None:
        await asyncio.sleep(0.001)


async def test_other_keys_are_watched_from_now_on_and_the_old_ones_no_more() -> None:
    boards = Boards()
    talker = Recorded()
    talk = TalkPress(Rules(), talker, asyncio.get_running_loop().time)
    key = TalkKey(TalkSettings(), talk, lambda _: None, boards, away=lambda _: None)
    key.start()
    await ready(boards, 1)
    boards.newest.send(KeyDown(key=F9))
    await asyncio.sleep(0)
    await key.use(TalkSettings(key="f8", press=PressSetting.TOGGLE))
    await ready(boards, 2)
    boards.made[0][1].send(KeyUp(key=F9))
    boards.made[0][1].send(KeyDown(key=F9))
    boards.newest.send(KeyDown(key=Key(name="f8")))
    boards.newest.send(KeyUp(key=Key(name="f8")))
    await asyncio.sleep(0)
    assert [what for _, what in talker.told] == ["press", "release", "press"]
    await key.use(TalkSettings(key="f8", press=PressSetting.TOGGLE, max_talk_s=60))  # the desktop need not be asked
    assert boards.chords == ["f9", "f8"]
    assert boards.made[0][1].stopped
    await key.stop()
    await key.use(TalkSettings(key="f7"))
    assert boards.chords == ["f9", "f8"]
    assert [what for _, what in talker.told] == ["press", "release"] * 2


async def test_a_key_that_was_down_as_keys_changed_talks_at_its_next_press() -> None:
    boards = Boards()
    talker = Recorded()
    talk = TalkPress(Rules(), talker, asyncio.get_running_loop().time)
    key = TalkKey(TalkSettings(), talk, lambda _: None, boards, away=lambda _: None)
    key.start()
    await ready(boards, 1)
    boards.newest.send(KeyDown(key=F9))
    await asyncio.sleep(0)
    await key.use(TalkSettings(key="f9, f8"))
    await ready(boards, 2)
    boards.newest.send(KeyDown(key=F9))  # nobody told that it came up meanwhile
    await asyncio.sleep(0)
    await key.stop()
    assert [what for _, what in talker.told] == ["press", "release"] * 2


async def trying(boards: Boards, settings: TalkSettings, *, cancel: bool, bound: int) -> list[KeyCount]:
    counts: list[KeyCount] = []
    began = asyncio.Event()

    def tell(count: KeyCount) -> None:
        counts.append(count)
        began.set()

    talk = TalkPress(Rules(), Recorded(), asyncio.get_running_loop().time)
    key = TalkKey(TalkSettings(), talk, lambda _: None, boards, away=lambda _: None)
    key.start()
    await ready(boards, 1)
    test = asyncio.create_task(key.try_keys(settings, tell, seconds=60 if cancel else 0.02))
    await began.wait()
    boards.newest.send(KeyDown(key=F9))
    await asyncio.sleep(0)
    if cancel:
        test.cancel()
    await asyncio.gather(test, return_exceptions=True)
    await ready(boards, bound)
    await key.stop()
    return counts


@pytest.mark.parametrize("cancel", [False, True])
async def test_a_test_of_other_keys_binds_them_for_as_long_as_it_takes(cancel: bool) -> None:
    boards = Boards()
    counts = await trying(boards, TalkSettings(key="f8"), cancel=cancel, bound=3)
    assert counts == [KeyCount(), KeyCount(presses=1)]
    assert boards.chords == ["f9", "f8", "f9"]


@pytest.mark.parametrize(("note", "chords"), [("", ["f9"]), ("The desktop was told no.", ["f9", "f9"])])
async def test_a_test_of_the_same_keys_asks_again_only_where_they_do_not_work(note: str, chords: list[str]) -> None:
    boards = Boards(note=note)
    await trying(boards, TalkSettings(), cancel=False, bound=len(chords))
    assert boards.chords == chords


async def test_a_key_that_does_not_exist_is_said_and_nothing_is_looked_for() -> None:
    desktop = Desktop(lambda _: pytest.fail("looked for"), TalkSettings(key="f99"))
    assert await desktop.run(_no_work) == []
    (standing,) = desktop.shown
    note = standing.note
    assert standing.triggers == ()
    assert "f99" in note


async def test_a_desktop_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("novadesk.app.talkkey.FIND_S", 0.05)
    release = threading.Event()
    desktop = Desktop(lambda _: release.wait(60))
    await desktop.run(_no_work)
    release.set()
    (standing,) = desktop.shown
    note = standing.note
    assert standing.triggers == ()
    assert "in time" in note
    assert "novadesk ctl talk toggle" in note
