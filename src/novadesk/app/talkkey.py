"""The talk key of the running core: every key, button and command meets in one press state, on the core's loop."""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Protocol

from novadesk.chord import Action, Binding, Key, KeyDown, KeyUp, Origin, OtherDown, parse_bindings
from novadesk.config import TalkSettings
from novadesk.conversation.alarm import Alarm
from novadesk.conversation.api import MicrophoneState, Phase, Snapshot, TalkMode
from novadesk.daemon import DaemonCall
from novadesk.desktop.hotkeys.away import AwayWatch
from novadesk.desktop.hotkeys.base import LADDER, HotkeyBackend, News, Standing, choose_backend
from novadesk.desktop.hotkeys.keytest import TEST_S, KeyCount, KeyCounter
from novadesk.desktop.hotkeys.press import (
    Begin,
    Closed,
    Deed,
    End,
    Event,
    Loss,
    Lost,
    Mute,
    Press,
    Rules,
    TimePassed,
    Why,
    Wish,
    Wished,
    deadline,
    step,
)
from novadesk.errors import KnownError
from novadesk.text import Text

_log = logging.getLogger(__name__)

FIND_S = 5.0

_RESTING = frozenset({Phase.IDLE, Phase.OFFLINE, Phase.FAILED, Phase.ENDED})

_LOST_WORDS = {
    Loss.LISTENER: Text("Talking stopped: NovaDesk no longer hears the key."),
    Loss.PORTAL: Text("Talking stopped: the desktop no longer tells of the key."),
    Loss.LOCK: Text("Talking stopped when the screen was locked."),
    Loss.SLEEP: Text("Talking stopped when the computer slept."),
    Loss.DEVICES: Text("Talking stopped: this is another microphone. Press again to go on."),
}


class Talker(Protocol):
    """What carries out the deeds: the conversation."""

    def press_talk(self) -> None:
        """Begin to talk."""
        ...

    def release_talk(self) -> None:
        """Stop talking."""
        ...

    def set_talk_mode(self, mode: TalkMode) -> None:
        """Choose how to talk."""
        ...

    def set_muted(self, muted: bool) -> None:
        """Mute or unmute."""
        ...

    def notice(self, line: str) -> None:
        """Show a passing line."""
        ...


class TalkPress:
    """Owns the press state on the core's loop, and has the conversation do what follows from it.

    Args:
        rules: how presses are taken.
        talker: begins and ends the talk, mutes.
        now: monotonic seconds.
    """

    def __init__(self, rules: Rules, talker: Talker, now: Callable[[], float]) -> None:
        self._rules, self._talker, self._now = rules, talker, now
        self._state = Press()
        self._alarm = Alarm(lambda: self.take(TimePassed()))
        self._counters: list[tuple[KeyCounter, Callable[[KeyCount], None]]] = []
        self._shown_muted = False
        self._microphone = ""

    def take(self, event: Event) -> None:
        """Take what happened."""
        counted = isinstance(event, KeyDown | KeyUp | OtherDown | Lost)
        for counter, tell in self._counters if counted else ():
            if counter.take(event):
                tell(counter.count)
        self._state, deeds = step(self._state, event, self._now(), self._rules)
        for deed in deeds:
            self._do(deed, event)
        due = deadline(self._state, self._rules)
        if due is None:
            self._alarm.cancel()
        else:
            self._alarm.set_in(due - self._now())

    def see(self, snapshot: Snapshot) -> None:
        """Follow the conversation: it may have ended the talk, or be hearing another microphone than at its begin."""
        if self._state.talking and not snapshot.talking:
            self.take(Closed())
        if not self._state.talking:
            self._microphone = ""
        elif name := _open_microphone(snapshot):
            if self._microphone and name != self._microphone:
                self.take(Lost(loss=Loss.DEVICES))
            self._microphone = name

    def set_talk_mode(self, mode: TalkMode) -> None:
        """Choose between hold-to-talk and hands-free; a change ends what is held."""
        self.take(Wished(wish=Wish.STOP, origin=Origin.WINDOW))
        self._talker.set_talk_mode(mode)

    async def count_keys(self, tell: Callable[[KeyCount], None], *, seconds: float = TEST_S) -> KeyCount:
        """Count presses and releases of the global keys for a while, during which they do nothing else.

        Args:
            tell: takes each new count, on the core's loop; must return at once.
            seconds: how long.
        """
        self.take(Wished(wish=Wish.STOP, origin=Origin.WINDOW))
        counter = KeyCounter()
        entry = (counter, tell)
        self._counters.append(entry)
        try:
            await asyncio.sleep(seconds)
        finally:
            if self._counters == [entry]:  # what is still held has had its effect: it was counted
                self.take(Wished(wish=Wish.STOP, origin=Origin.WINDOW))
            self._counters.remove(entry)
            self._mute()
        return counter.count

    def stop(self) -> None:
        """End a talk, for good."""
        self.take(Wished(wish=Wish.STOP, origin=Origin.COMMAND))
        self._alarm.cancel()

    def _do(self, deed: Deed, event: Event) -> None:
        if self._counters:
            return
        match deed:
            case Begin():
                self._talker.press_talk()
            case End(why=why):
                self._talker.release_talk()
                if why is Why.TOO_LONG:
                    words = Text(
                        "Talking stopped after {time}. Press again to go on.", time=_minutes(self._rules.max_talk_s)
                    )
                    self._talker.notice(words)
                elif isinstance(event, Lost) and event.loss in _LOST_WORDS:
                    self._talker.notice(_LOST_WORDS[event.loss])
            case Mute():
                self._mute()

    def _mute(self) -> None:
        if self._state.muted is not self._shown_muted:
            self._shown_muted = self._state.muted
            self._talker.set_muted(self._shown_muted)


def watch_away(press: TalkPress) -> AwayWatch | None:
    """Return what notices that the screen is locked or the computer goes to sleep; nothing does outside Linux."""
    return AwayWatch(press.take) if sys.platform == "linux" else None


class TalkKey:
    """Watches the desktop's keys for the press state; what came of it is shown.

    Args:
        settings: the keys.
        press: takes what they do.
        show: takes the keys that talk, as people read them, and why some may not work, in words.
        choose: finds the backend; blocks.
        away: makes what notices that the screen is locked or the computer goes to sleep, where there is such a thing.
    """

    def __init__(
        self,
        settings: TalkSettings,
        press: TalkPress,
        show: Callable[[str, str], None],
        choose: Callable[[tuple[Binding, ...]], HotkeyBackend] = choose_backend,
        away: Callable[[TalkPress], AwayWatch | None] = watch_away,
    ) -> None:
        self._settings, self._press, self._show, self._choose = settings, press, show, choose
        self._away = away(press)
        self._backend: HotkeyBackend | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._find(), name="talk-key")
        if self._away is not None:
            self._away.start()

    async def stop(self) -> None:
        """Stop watching, and end a talk."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._backend is not None:
            await self._backend.stop()
            self._backend = None
        if self._away is not None:
            await self._away.stop()
        self._press.take(Wished(wish=Wish.STOP, origin=Origin.GLOBAL))

    async def _find(self) -> None:
        loop = asyncio.get_running_loop()

        def hand_over(news: News) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._take, news)

        try:
            bindings = parse_bindings(self._settings.key, self._settings.mute_key)
            find = DaemonCall(lambda: self._choose(bindings), name="talk-key")
            self._backend = await find.result(deadline_s=FIND_S)
        except TimeoutError:
            self._take(
                Standing(note=Text.joined(Text("The desktop did not let NovaDesk watch a key in time."), LADDER))
            )
        except KnownError as error:
            self._take(Standing(note=error.whole))
        else:
            self._backend.start(hand_over)

    def _take(self, news: News) -> None:
        if self._stopped:
            return
        if not isinstance(news, Standing):
            self._press.take(news)
            return
        talk = [words for action, words in news.triggers if action is Action.TALK]
        if not talk:
            _log.info("no global talk key")
        self._show(" or ".join(talk), news.note)


async def try_keys(
    settings: TalkSettings,
    tell: Callable[[KeyCount | Standing], None],
    *,
    seconds: float = TEST_S,
    choose: Callable[[tuple[Binding, ...]], HotkeyBackend] = choose_backend,
) -> KeyCount:
    """Do as `TalkPress.count_keys` without a running core, and tell where the keys stand, too.

    The count begins as soon as that is known. Under Wayland the desktop may ask the person for a key first.

    Args:
        settings: the keys.
        tell: takes each new count and standing; must return at once.
        seconds: how long.
        choose: finds the backend; blocks.
    """
    known = asyncio.Event()

    def show(keys: str, note: str) -> None:
        tell(Standing(note=note, triggers=((Action.TALK, keys),) if keys else ()))
        known.set()

    press = TalkPress(Rules(), _Nobody(), asyncio.get_running_loop().time)
    key = TalkKey(settings, press, show, choose, lambda _: None)
    key.start()
    try:
        await known.wait()
        return await press.count_keys(tell, seconds=seconds)
    finally:
        await key.stop()


class _Nobody:
    """A talker that does nothing."""

    def press_talk(self) -> None: ...

    def release_talk(self) -> None: ...

    def set_talk_mode(self, mode: TalkMode) -> None: ...

    def set_muted(self, muted: bool) -> None: ...

    def notice(self, line: str) -> None: ...


def _open_microphone(snapshot: Snapshot) -> str:
    """Return the microphone that hears the person now, or an empty text; the name of a closed one stays in the view."""
    closed = snapshot.phase in _RESTING or snapshot.sound_opening or snapshot.microphone is MicrophoneState.ABSENT
    return "" if closed else snapshot.microphone_name


def window_key(name: str, *, bare: bool = False) -> Key:
    """Return a key that is seen only while the window has the focus, for `KeyDown` and `KeyUp`."""
    return Key(name=name, origin=Origin.WINDOW, bare=bare)


def _minutes(seconds: float) -> Text:
    if seconds < 90:
        return Text.counted("1 second", "{n} seconds", round(seconds))
    return Text.counted("1 minute", "{n} minutes", round(seconds / 60))
