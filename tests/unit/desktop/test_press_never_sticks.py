"""No sequence of events with any timing leaves the gate open, and every press that should talk does.

The deeds drive the conversation's own gate, so that the release tail is the real one.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novadesk.chord import Action, Key, KeyDown, KeyUp, Origin, OtherDown
from novadesk.config import PressSetting
from novadesk.conversation.api import TalkMode
from novadesk.conversation.uplink import Uplink
from novadesk.desktop.hotkeys.press import (
    BARE_S,
    DOUBLE_S,
    REPEAT_S,
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

pytestmark = pytest.mark.thorough

MAX_S = 20.0
SLACK_S = 1e-6
KEYS = [
    Key(name="f9"),
    Key(name="mouse_back"),
    Key(name="right_ctrl", bare=True),
    Key(name="space", origin=Origin.WINDOW),
    Key(name="f8", action=Action.MUTE),
]
TALK_KEYS = [KEYS[0], KEYS[2], KEYS[3]]
NO_KEY = Key(name="")
PAUSES = st.one_of(st.sampled_from([0.0, 0.01, BARE_S, DOUBLE_S, 1.0, REPEAT_S, MAX_S]), st.floats(0, 30))
TAILS = st.sampled_from([0.0, 0.2, 1.0])
ANY_EVENT = st.one_of(
    st.builds(KeyDown, key=st.sampled_from(KEYS)),
    st.builds(KeyUp, key=st.sampled_from(KEYS)),
    st.just(OtherDown()),
    st.builds(Lost, loss=st.sampled_from(Loss)),
    st.builds(Wished, wish=st.sampled_from(Wish), origin=st.sampled_from([Origin.WINDOW, Origin.COMMAND])),
    st.builds(MuteWished, on=st.booleans()),
    st.just(Closed()),
    st.just(TimePassed()),
)


@dataclass
class Talk:
    """The press state with a clock, its timer, and the conversation's gate."""

    rules: Rules
    tail_s: float
    now: float = 100.0
    state: Press = field(default_factory=Press)
    opened_at: float = float("-inf")
    closed_at: float = float("-inf")
    too_long_at: float | None = None

    def __post_init__(self) -> None:
        self.gate = Uplink(mode=TalkMode.HOLD, release_tail_s=self.tail_s, held_s=3.0)
        self.gate.present = True

    def take(self, event: Event) -> tuple[Deed, ...]:
        if isinstance(event, Closed):
            self.gate.stop()
        self.state, deeds = step(self.state, event, self.now, self.rules)
        for deed in deeds:
            match deed:
                case Begin():
                    assert not self.gate.talking, "begun twice"
                    self.gate.press()
                    self.opened_at = self.now
                case End(why=why):
                    assert self.gate.talking, "ended twice"
                    self.too_long_at = self.now if why is Why.TOO_LONG else None
                    self.gate.release(self.now)
                    self.closed_at = self.now
                case Mute(on=on):
                    assert self.gate.muted is not on, "muted twice"
                    self.gate.muted = on
        assert self.state.talking is self.gate.talking
        assert self.state.muted is self.gate.muted
        self.check()
        return deeds

    def wait(self, seconds: float) -> None:
        """Let time pass; the timer rings whenever it is due."""
        until = self.now + seconds
        while (due := deadline(self.state, self.rules)) is not None and due <= until:
            self.now = max(self.now, due)
            self.take(TimePassed())
        self.now = max(self.now, until)
        self.check()

    def check(self) -> None:
        """Hold the gate to the promise: open for the longest talk and the tail at most, then only with a new begin."""
        if self.gate.open_at(self.now):
            assert self.now <= self.opened_at + self.rules.max_talk_s + self.tail_s + SLACK_S
            assert self.gate.talking or self.now <= self.closed_at + self.tail_s + SLACK_S


@settings(max_examples=200)
@given(press=st.sampled_from(PressSetting), tail_s=TAILS, events=st.lists(st.tuples(PAUSES, ANY_EVENT), max_size=40))
def test_no_sequence_talks_for_longer_than_watchdog_and_tail(
    press: PressSetting, tail_s: float, events: list[tuple[float, Event]]
) -> None:
    talk = Talk(Rules(press=press, max_talk_s=MAX_S), tail_s)
    for pause_s, event in events:
        talk.wait(pause_s)
        before = talk.state
        deeds = talk.take(event)
        if Begin() in deeds:
            assert isinstance(event, KeyDown | KeyUp | Wished), "nothing else begins a talk"
        if isinstance(event, Lost) and event.loss in (Loss.LOCK, Loss.SLEEP, Loss.DEVICES):
            assert not talk.gate.talking
        if isinstance(event, Lost | OtherDown | Closed | TimePassed):
            assert not (before.muted and not talk.state.muted and isinstance(event, Lost)), "what is lost never unmutes"
    talk.wait(BARE_S + MAX_S + tail_s + 0.001)
    assert not talk.gate.open_at(talk.now)


@dataclass
class Person:
    """Somebody at a keyboard, and what they expect: held keys repeat, and releases may be lost on their way.

    Attributes:
        talk: what they press.
        held: the keys that are down, in the order of their presses.
        heard_of: when NovaDesk heard of a key last.
        ghosts: the keys that came up unseen.
        holding: with HOLD, the keys that keep the talk open.
        waiting: with HOLD, the modifiers that do so from that moment on.
        tapping: with TOGGLE, the bare keys that act as they come up.
        repeating: the key that repeats, or `NO_KEY`.
        on_by: with TOGGLE, where the press came from that began the talk, or None.
    """

    talk: Talk
    held: list[Key] = field(default_factory=list)
    heard_of: dict[Key, float] = field(default_factory=dict)
    ghosts: set[Key] = field(default_factory=set)
    holding: set[Key] = field(default_factory=set)
    waiting: dict[Key, float] = field(default_factory=dict)
    tapping: set[Key] = field(default_factory=set)
    on_by: Origin | None = None
    repeating: Key = NO_KEY

    def tell(self, event: KeyDown | KeyUp) -> None:
        self.note_watchdog()
        self.heard_of[event.key] = self.talk.now
        self.talk.take(event)

    def press(self, key: Key) -> None:
        if key in self.held:
            return
        a_repeat = key in self.ghosts and self.talk.now - self.heard_of[key] < REPEAT_S  # nothing tells it from one
        stage = self.talk.state.stage
        self.held.append(key)
        self.repeating = self.repeating if key.bare else key
        self.tell(KeyDown(key=key))
        if a_repeat:
            return
        self.ghosts.discard(key)
        if key.bare and not self.holding:
            self.waiting[key] = self.talk.now + BARE_S
        else:
            self.holding.add(key)
        if key.bare:
            self.tapping.add(key)
        else:
            self.flip(key)
        if self.talk.rules.press is PressSetting.HOLD_OR_LOCK:
            ends = stage is Stage.LATCHED and not key.bare
            waits = stage is Stage.SILENT and key.bare
            assert waits or self.talk.gate.talking is not ends, "a press that should talk, or end a talk that is locked"

    def release(self, key: Key, *, seen: bool) -> None:
        if key not in self.held:
            return
        self.held.remove(key)
        self.repeating = NO_KEY if key == self.repeating else self.repeating
        if not seen:
            self.ghosts.add(key)
            return
        self.ghosts.discard(key)
        self.tell(KeyUp(key=key))
        self.holding.discard(key)
        self.waiting.pop(key, None)
        if key in self.tapping:
            self.tapping.discard(key)
            self.flip(key)

    def flip(self, key: Key) -> None:
        self.on_by = None if self.on_by else key.origin
        if self.on_by is None:
            self.tapping.clear()

    def other(self) -> None:
        self.note_watchdog()
        self.talk.take(OtherDown())
        self.holding = {key for key in self.holding if not key.bare}
        self.waiting.clear()
        self.tapping.clear()

    def lose(self, loss: Loss) -> None:
        self.note_watchdog()
        self.talk.take(Lost(loss=loss))
        concerned = {
            Loss.FOCUS: {Origin.WINDOW},
            Loss.LISTENER: {Origin.GLOBAL},
            Loss.PORTAL: {Origin.GLOBAL},
        }.get(loss, set(Origin))
        if len(concerned) == 1:  # a new listener, or the window again, has heard of nothing
            self.ghosts = {key for key in self.ghosts if key.origin not in concerned}
            self.held = [key for key in self.held if key.origin not in concerned]
        self.holding = {key for key in self.holding if key.origin not in concerned}
        self.waiting = {key: at for key, at in self.waiting.items() if key.origin not in concerned}
        self.tapping = {key for key in self.tapping if key.origin not in concerned}
        if self.on_by in concerned:
            self.on_by = None
            self.tapping.clear()

    def wait(self, seconds: float) -> None:
        """Wait, while the key that was pressed last repeats; modifiers do not, and no key does once more."""
        while self.repeating in self.held and seconds > 0.5:
            self.talk.wait(0.5)
            self.tell(KeyDown(key=self.repeating))
            seconds -= 0.5
        self.talk.wait(seconds)
        self.note_watchdog()

    def note_watchdog(self) -> None:
        if self.talk.too_long_at is not None:
            self.waiting = {key: at for key, at in self.waiting.items() if at > self.talk.too_long_at}
            self.talk.too_long_at = None
            self.holding.clear()
            self.tapping.clear()
            self.on_by = None
        ripe = {key for key, at in self.waiting.items() if at <= self.talk.now}
        self.waiting = {key: at for key, at in self.waiting.items() if key not in ripe}
        self.holding |= ripe

    def check(self) -> None:
        match self.talk.rules.press:
            case PressSetting.HOLD:
                assert self.talk.gate.talking is bool(self.holding)
            case PressSetting.TOGGLE:
                assert self.talk.gate.talking is (self.on_by is not None)
            case PressSetting.HOLD_OR_LOCK:
                locked = self.talk.state.stage is Stage.LATCHED
                assert self.talk.gate.talking is (locked or bool(self.talk.state.holds(Action.TALK)))


WAITS = st.one_of(st.sampled_from([0.05, DOUBLE_S / 2, DOUBLE_S, REPEAT_S, MAX_S]), st.floats(0, 5))
HANDS = st.lists(
    st.one_of(
        st.tuples(st.just("press"), st.sampled_from(TALK_KEYS)),
        st.tuples(st.just("tap"), st.sampled_from(TALK_KEYS)),
        st.tuples(st.sampled_from(["tap twice", "hold", "press anew"]), st.sampled_from(TALK_KEYS)),
        st.tuples(st.sampled_from(["release", "release unseen"]), st.sampled_from(TALK_KEYS)),
        st.tuples(st.just("other"), st.none()),
        st.tuples(st.just("loss"), st.sampled_from(Loss)),
        st.tuples(st.just("wait"), WAITS),
    ),
    max_size=30,
)


@settings(max_examples=300)
@given(press=st.sampled_from(PressSetting), hands=HANDS)
def test_every_press_that_should_talk_does_and_every_release_that_should_end_it(
    press: PressSetting, hands: list[tuple[str, object]]
) -> None:
    person = Person(Talk(Rules(press=press, max_talk_s=MAX_S), 0.2))
    for what, thing in hands:
        match what, thing:
            case "press", Key() as key:
                person.press(key)
            case "tap" | "tap twice", Key() as key:
                alone = not person.talk.state.talking and not person.held and key not in person.ghosts
                locks = what == "tap twice" and alone and person.talk.now - person.heard_of.get(key, 0) > DOUBLE_S
                for _ in range(2 if what == "tap twice" else 1):
                    person.press(key)
                    person.wait(0.05)
                    person.check()
                    person.release(key, seen=True)
                if press is PressSetting.HOLD_OR_LOCK and locks:
                    assert person.talk.gate.talking, "a double press that should lock"
            case "hold", Key() as key:
                person.press(key)
                person.wait(1.2)
            case "press anew", Key() as key:
                person.press(key)
                person.release(key, seen=False)
                person.wait(REPEAT_S)
                person.press(key)
            case "release" | "release unseen", Key() as key:
                person.release(key, seen=what == "release")
            case "other", _:
                person.other()
            case "loss", Loss() as loss:
                person.lose(loss)
            case "wait", float(seconds):
                person.wait(seconds)
        person.check()
