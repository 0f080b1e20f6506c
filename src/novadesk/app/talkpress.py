"""Who talks, in the running core: every key, button and command meets in one press state, on the core's loop."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from novadesk.app.keytest import KeyCounter
from novadesk.chord import Key, KeyDown, KeyUp, Origin, OtherDown
from novadesk.config import PressSetting
from novadesk.conversation.alarm import Alarm
from novadesk.conversation.api import MicrophoneState, Phase, Snapshot, TalkMode
from novadesk.conversation.talkapi import KEY_TEST_S, KeyCount
from novadesk.desktop.hotkeys.press import (
    Begin,
    Closed,
    Deed,
    End,
    Event,
    Loss,
    Lost,
    Mute,
    MuteWished,
    Press,
    Rules,
    Stage,
    TimePassed,
    Why,
    Wish,
    Wished,
    deadline,
    step,
)
from novadesk.text import Text

_RESTING = frozenset({Phase.IDLE, Phase.OFFLINE, Phase.FAILED, Phase.ENDED})

_STOP = Wished(wish=Wish.STOP, origin=Origin.WINDOW)

_LOST_WORDS = {
    Loss.LISTENER: Text("Talking stopped: NovaDesk no longer hears the key."),
    Loss.PORTAL: Text("Talking stopped: the desktop no longer tells of the key."),
    Loss.LOCK: Text("Talking stopped when the screen was locked."),
    Loss.SLEEP: Text("Talking stopped when the computer slept."),
    Loss.DEVICES: Text("Talking stopped: this is another microphone. Press again to go on."),
}


class Talker(Protocol):
    """What carries out the deeds: the conversation."""

    def press_talk(self, held_s: float = 0.0) -> None:
        """Begin to talk; the key was held for so many seconds before it counted."""
        ...

    def release_talk(self, *, meant: bool = True) -> None:
        """Stop talking; not `meant` where a shortcut or a loss ended it, no hand."""
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

    def set_extra(self, **values: Any) -> None:
        """Show how a press is taken and whether the talk is locked."""
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
        self._counters: list[KeyCounter] = []
        self._shown_muted = False
        self._shown = (PressSetting.HOLD, False)
        self._microphone = ""
        self._heard: frozenset[Key] = frozenset()

    def take(self, event: Event) -> None:
        """Take what happened."""
        counted = isinstance(event, KeyDown | KeyUp | OtherDown | Lost)
        for counter in self._counters if counted else ():
            counter.take(event)
        self._state, deeds = step(self._state, event, self._now(), self._rules)
        for deed in deeds:
            self._do(deed, event)
        due = deadline(self._state, self._rules)
        if due is None:
            self._alarm.cancel()
        else:
            self._alarm.set_in(due - self._now())
        self.show()

    def take_key(self, event: KeyDown | KeyUp | OtherDown) -> None:
        """Take what a key of the window did, unless the desktop's backend tells of the same."""
        if isinstance(event, OtherDown) or replace(event.key, origin=Origin.GLOBAL) not in self._heard:
            self.take(event)

    def lose_focus(self) -> None:
        """Take that the window sees no keys any more."""
        self.take(Lost(loss=Loss.FOCUS))

    def toggle_talk(self) -> None:
        """Begin or end a talk for the window, without a key that is held."""
        self.take(Wished(wish=Wish.TOGGLE, origin=Origin.WINDOW))

    def set_muted(self, muted: bool) -> None:
        """Mute, or unmute once no mute key is held any more."""
        self.take(MuteWished(on=muted))

    def set_heard(self, keys: frozenset[Key]) -> None:
        """Take which keys the desktop's backend tells of while the window has the focus, too."""
        if keys != self._heard:
            self.lose_focus()  # a key that goes down as one of the window's would come up as one of the desktop's
            self._heard = keys

    def set_rules(self, rules: Rules) -> None:
        """Take presses another way from now on; a talk ends."""
        if rules != self._rules:
            self.take(_STOP)
            self._rules = rules
            self.show()

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
        self.take(_STOP)
        self._talker.set_talk_mode(mode)

    async def count_keys(self, tell: Callable[[KeyCount], None], *, seconds: float = KEY_TEST_S) -> KeyCount:
        """Count presses and releases for a while, during which keys do nothing else.

        Args:
            tell: takes each count, on the core's loop; must return at once.
            seconds: how long.
        """
        counter = KeyCounter(tell)
        with self._quiet(counter):
            tell(counter.count)
            await asyncio.sleep(seconds)
        return counter.count

    async def ignore_keys(self) -> None:
        """Let no key do anything until this is cancelled."""
        with self._quiet(KeyCounter(lambda _: None)):
            await asyncio.Event().wait()

    @contextmanager
    def _quiet(self, counter: KeyCounter) -> Iterator[None]:
        """Give what keys do to a counter alone."""
        self.take(_STOP)
        self._counters.append(counter)
        try:
            yield
        finally:
            if self._counters == [counter]:  # what is still held has had its effect: it was counted
                self.take(_STOP)
            self._counters.remove(counter)
            self._mute()

    def stop(self) -> None:
        """End a talk, for good."""
        self.take(Wished(wish=Wish.STOP, origin=Origin.COMMAND))
        self._alarm.cancel()

    def _do(self, deed: Deed, event: Event) -> None:
        if self._counters:
            return
        match deed:
            case Begin(held_s=held_s):
                self._talker.press_talk(held_s)
            case End(why=why):
                self._talker.release_talk(meant=why is Why.RELEASED)
                if why is Why.TOO_LONG:
                    self._talker.notice(_too_long(self._rules.max_talk_s))
                elif isinstance(event, Lost) and event.loss in _LOST_WORDS:
                    self._talker.notice(_LOST_WORDS[event.loss])
            case Mute():
                self._mute()

    def show(self) -> None:
        """Show how presses are taken, and whether the talk is locked."""
        shown = (self._rules.press, self._state.stage is Stage.LATCHED and not self._counters)
        if shown != self._shown:
            self._shown = shown
            self._talker.set_extra(press=shown[0], talk_locked=shown[1])

    def _mute(self) -> None:
        if self._state.muted is not self._shown_muted:
            self._shown_muted = self._state.muted
            self._talker.set_muted(self._shown_muted)


def _open_microphone(snapshot: Snapshot) -> str:
    """Return the microphone that hears the person now, or an empty text; the name of a closed one stays in the view."""
    closed = snapshot.phase in _RESTING or snapshot.sound_opening or snapshot.microphone is MicrophoneState.ABSENT
    return "" if closed else snapshot.microphone_name


def _too_long(seconds: float) -> Text:
    if seconds < 90:
        return Text("Talking stopped after {seconds} seconds. Press again to go on.", seconds=round(seconds))
    return Text("Talking stopped after {minutes} minutes. Press again to go on.", minutes=round(seconds / 60))
