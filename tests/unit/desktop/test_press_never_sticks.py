"""No sequence of events with any timing leaves the gate open, and every press that should talk does.

The deeds drive the conversation's own gate, so that the release tail is the real one.
"""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from novadesk.config import PressSetting
from novadesk.conversation.api import TalkMode
from novadesk.conversation.uplink import Uplink
from novadesk.desktop.hotkeys.press import (
    DOUBLE_S,
    REPEAT_S,
    Action,
    Begin,
    Closed,
    Deed,
    End,
    Event,
    Key,
    KeyDown,
    KeyUp,
    Loss,
    Lost,
    Mute,
    MuteWished,
    Origin,
    OtherDown,
    Press,
    Rules,
    TimePassed,
    Wish,
    Wished,
    deadline,
    step,
)

MAX_S = 20.0
SLACK_S = 1e-6
KEYS = [
    Key(name="f9"),
    Key(name="mouse_back"),
    Key(name="right_ctrl", bare=True),
    Key(name="space", origin=Origin.WINDOW),
    Key(name="f8", action=Action.MUTE),
]
TALK_KEYS = [key for key in KEYS if key.action is Action.TALK]
PAUSES = st.one_of(st.sampled_from([0.0, 0.01, DOUBLE_S, 1.0, REPEAT_S, MAX_S]), st.floats(0, 30))
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
                case End():
                    assert self.gate.talking, "ended twice"
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
        """Let time pass; the timer rings when it is due."""
        until = self.now + seconds
        due = deadline(self.state, self.rules)
        if due is not None and due <= until:
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
    talk.wait(MAX_S + tail_s + 0.001)
    assert not talk.gate.open_at(talk.now)


@dataclass
class Person:
    """Somebody at a keyboard: held keys repeat, and releases may be lost on their way."""

    talk: Talk
    held: list[Key] = field(default_factory=list)
    heard_of: dict[Key, float] = field(default_factory=dict)
    ghosts: set[Key] = field(default_factory=set)
    part_of_shortcut: set[Key] = field(default_factory=set)

    def tell(self, event: KeyDown | KeyUp) -> None:
        self.heard_of[event.key] = self.talk.now
        self.talk.take(event)

    def press(self, key: Key) -> None:
        if key in self.held:
            return
        a_repeat = key in self.ghosts and self.talk.now - self.heard_of[key] < REPEAT_S
        was, stage = self.talk.state.talking, self.talk.state.stage
        self.held.append(key)
        self.ghosts.discard(key)
        self.part_of_shortcut.discard(key)
        self.tell(KeyDown(key=key))
        if a_repeat:  # nothing tells it from one
            self.ghosts.add(key)
            return
        press, on_release = self.talk.rules.press, key.bare and (stage.value == "latched" or _toggles(self.talk))
        if press is PressSetting.HOLD or (stage.value != "latched" and press is PressSetting.HOLD_OR_LOCK):
            assert self.talk.gate.talking, "a press that should talk"
        elif not on_release:
            assert self.talk.gate.talking is not was, "a press that should toggle"

    def release(self, key: Key, *, seen: bool) -> None:
        if key not in self.held:
            return
        was = self.talk.state.talking
        pending = key in self.talk.state.down and self.talk.state.down[key].pending
        self.held.remove(key)
        if not seen:
            self.ghosts.add(key)
            return
        self.ghosts.discard(key)
        self.tell(KeyUp(key=key))
        if pending and key not in self.part_of_shortcut:
            assert self.talk.gate.talking is not was, "a tap that should toggle"
        if pending and key in self.part_of_shortcut:
            assert self.talk.gate.talking is was, "a shortcut that should not"

    def other(self) -> None:
        self.part_of_shortcut |= set(self.held)
        self.talk.take(OtherDown())

    def wait(self, seconds: float) -> None:
        """Wait, while the key that was pressed last repeats."""
        repeating = next((key for key in reversed(self.held) if not key.bare), None)
        while repeating is not None and repeating == self.held[-1] and seconds > 0.5:
            self.talk.wait(0.5)
            self.tell(KeyDown(key=repeating))
            seconds -= 0.5
        self.talk.wait(seconds)


def _toggles(talk: Talk) -> bool:
    return talk.rules.press is PressSetting.TOGGLE


HANDS = st.lists(
    st.one_of(
        st.tuples(st.just("press"), st.sampled_from(TALK_KEYS)),
        st.tuples(st.just("release"), st.sampled_from(TALK_KEYS)),
        st.tuples(st.just("release unseen"), st.sampled_from(TALK_KEYS)),
        st.tuples(st.just("other"), st.none()),
        st.tuples(st.just("loss"), st.sampled_from(Loss)),
        st.tuples(st.just("wait"), st.one_of(st.sampled_from([0.05, DOUBLE_S, REPEAT_S]), st.floats(0, 5))),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(press=st.sampled_from(PressSetting), tail_s=TAILS, hands=HANDS)
def test_every_press_that_should_talk_does_and_held_keys_end_with_their_release(
    press: PressSetting, tail_s: float, hands: list[tuple[str, object]]
) -> None:
    person = Person(Talk(Rules(press=press, max_talk_s=MAX_S), tail_s))
    for what, thing in hands:
        match what, thing:
            case "press", Key() as key:
                person.press(key)
            case "release" | "release unseen", Key() as key:
                person.release(key, seen=what == "release")
            case "other", _:
                person.other()
            case "loss", Loss() as loss:
                person.talk.take(Lost(loss=loss))
            case "wait", float(seconds):
                person.wait(seconds)
        if press is PressSetting.HOLD and not person.held and not person.ghosts:
            assert not person.talk.gate.talking, "nothing is held"
