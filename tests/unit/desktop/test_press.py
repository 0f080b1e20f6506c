"""The one owner of the press state: its table, case by case, and what no sequence of events can make it do."""

from collections.abc import Iterable

import pytest

from novadesk.chord import Action, Key, KeyDown, KeyUp, Origin, OtherDown
from novadesk.config import PressSetting
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
    TimePassed,
    Why,
    Wish,
    Wished,
    deadline,
    step,
)

HOLD, TOGGLE, LOCK = PressSetting.HOLD, PressSetting.TOGGLE, PressSetting.HOLD_OR_LOCK
F9, MOUSE = Key(name="f9"), Key(name="mouse_back")
CTRL = Key(name="right_ctrl", bare=True)
SPACE = Key(name="space", origin=Origin.WINDOW)
SILENCER = Key(name="f8", action=Action.MUTE)
BEGIN, LATE, MUTE, UNMUTE = Begin(), Begin(held_s=BARE_S), Mute(on=True), Mute(on=False)
RELEASED, CANCELLED, LOST, TOO_LONG = (End(why=why) for why in Why)
MAX_S = 60.0
RIPE = (BARE_S, TimePassed())


def down(key: Key = F9) -> KeyDown:
    return KeyDown(key=key)


def up(key: Key = F9) -> KeyUp:
    return KeyUp(key=key)


def lost(loss: Loss) -> Lost:
    return Lost(loss=loss)


def wish(wanted: Wish, origin: Origin = Origin.COMMAND) -> Wished:
    return Wished(wish=wanted, origin=origin)


def run(press: PressSetting, events: Iterable[tuple[float, Event]]) -> list[Deed]:
    """Return what is done, when each event comes so many seconds after the one before."""
    state, now, deeds = Press(), 1000.0, []
    for passed, event in events:
        now += passed
        state, done = step(state, event, now, Rules(press=press, max_talk_s=MAX_S))
        deeds += done
    return deeds


CASES: dict[str, tuple[PressSetting, list[tuple[float, Event]], list[Deed]]] = {
    "held": (HOLD, [(0, down()), (5, up())], [BEGIN, RELEASED]),
    "repeats of a held key": (HOLD, [(0, down()), (0.5, down()), (0.04, down()), (0.04, up())], [BEGIN, RELEASED]),
    "two quick presses are two": (HOLD, [(0, down()), (0.05, up()), (0.01, down()), (1, up())], [BEGIN, RELEASED] * 2),
    "a release without a press": (HOLD, [(0, up()), (0, down())], [BEGIN]),
    "the last of two keys ends": (
        HOLD,
        [(0, down()), (0.1, down(MOUSE)), (1, up()), (0.5, up(MOUSE))],
        [BEGIN, RELEASED],
    ),
    "a key that took over from a command ends by its release": (
        HOLD,
        [(0, wish(Wish.START)), (1, down()), (1, up())],
        [BEGIN, RELEASED],
    ),
    "a press after a release that was lost is held on": (
        HOLD,
        [(0, down()), (REPEAT_S, down()), (1, up())],
        [BEGIN, RELEASED],
    ),
    "presses whose releases are lost do not put off the end": (
        HOLD,
        [(0, down()), *[(REPEAT_S + 1, down())] * 19, (3, TimePassed())],
        [BEGIN, TOO_LONG],
    ),
    "toggled": (TOGGLE, [(0, down()), (0.1, up()), (9, down()), (0.1, up())], [BEGIN, RELEASED]),
    "repeats do not toggle": (TOGGLE, [(0, down()), (0.5, down()), (0.04, down()), (0.04, up())], [BEGIN]),
    "another key ends a toggled talk": (TOGGLE, [(0, down()), (0.1, up()), (1, down(MOUSE))], [BEGIN, RELEASED]),
    "a press after a release that was lost toggles": (
        TOGGLE,
        [(0, down()), (REPEAT_S, down())],
        [BEGIN, RELEASED],
    ),
    "a press soon after a repeat is one": (TOGGLE, [(0, down()), (1, down()), (REPEAT_S - 0.1, down())], [BEGIN]),
    "held, with locking": (LOCK, [(0, down()), (5, up())], [BEGIN, RELEASED]),
    "a double press locks until the next": (
        LOCK,
        [(0, down()), (0.1, up()), (DOUBLE_S - 0.1, down()), (0.1, up()), (9, down()), (0.1, up())],
        [BEGIN, RELEASED, BEGIN, RELEASED],
    ),
    "the press that ends a lock does not begin another": (
        LOCK,
        [(0, down()), (0.1, up()), (0.1, down()), (0.1, up()), (9, down()), (0.1, up()), (0.1, down()), (0.1, up())],
        [BEGIN, RELEASED] * 3,
    ),
    "too slow for a double press": (
        LOCK,
        [(0, down()), (0.1, up()), (DOUBLE_S, down()), (0.1, up())],
        [BEGIN, RELEASED] * 2,
    ),
    "two keys are no double press": (
        LOCK,
        [(0, down()), (0.1, up()), (0.1, down(MOUSE)), (0.1, up(MOUSE))],
        [BEGIN, RELEASED] * 2,
    ),
    "a double press beside a key that is held": (
        LOCK,
        [(0, down()), (1, down(MOUSE)), (0.1, up(MOUSE)), (0.1, down(MOUSE)), (1, up(MOUSE)), (1, up()), (1, down())],
        [BEGIN, RELEASED],
    ),
    "a double press that was let go locks nothing when the key was part of a shortcut in between": (
        LOCK,
        [(0, down(CTRL)), (0.1, OtherDown()), (0.1, up(CTRL)), (0.1, down(CTRL)), (0.1, up(CTRL))],
        [],
    ),
    "a second press ends what a command took over from the first": (
        LOCK,
        [(0, down()), (0.1, wish(Wish.START)), (0.1, up()), (0.1, down())],
        [BEGIN, RELEASED],
    ),
    "a shortcut takes the talk of a modifier back": (
        HOLD,
        [(0, down(CTRL)), RIPE, (0.1, OtherDown()), (0.1, up(CTRL))],
        [LATE, CANCELLED],
    ),
    "the repeat of a modifier that was taken back": (
        HOLD,
        [(0, down(CTRL)), (0.1, OtherDown()), (0.4, down(CTRL))],
        [],
    ),
    "a modifier that is held": (HOLD, [(0, down(CTRL)), RIPE, (1, up(CTRL))], [LATE, RELEASED]),
    "a modifier that is held, with locking": (LOCK, [(0, down(CTRL)), RIPE, (1, up(CTRL))], [LATE, RELEASED]),
    "a modifier that is tapped begins nothing": (HOLD, [(0, down(CTRL)), (0.1, up(CTRL)), RIPE], []),
    "a shortcut begins nothing": (HOLD, [(0, down(CTRL)), (0.1, OtherDown()), RIPE, (0.1, up(CTRL))], []),
    "a shortcut begins nothing, the timer late": (HOLD, [(0, down(CTRL)), (0.3, OtherDown()), (0.1, up(CTRL))], []),
    "a modifier that is lost begins nothing": (HOLD, [(0, down(CTRL)), (0.1, lost(Loss.LOCK)), RIPE], []),
    "who wants to stop wants no modifier to begin": (HOLD, [(0, down(CTRL)), (0.1, wish(Wish.STOP)), RIPE], []),
    "a shortcut ends no talk of a command": (
        HOLD,
        [(0, wish(Wish.START)), (1, down(CTRL)), (0.1, OtherDown())],
        [BEGIN],
    ),
    "a modifier takes over from a command": (
        HOLD,
        [(0, wish(Wish.START)), (1, down(CTRL)), RIPE, (1, up(CTRL))],
        [BEGIN, RELEASED],
    ),
    "a modifier takes over from another key at once": (
        HOLD,
        [(0, down()), (1, down(CTRL)), (0.1, up()), (1, up(CTRL))],
        [BEGIN, RELEASED],
    ),
    "a modifier that waits outlives the talk of another key": (
        HOLD,
        [(0, down(CTRL)), (0, down()), (0, up()), RIPE, (1, up(CTRL))],
        [BEGIN, RELEASED, LATE, RELEASED],
    ),
    "typing does not disturb another key": (HOLD, [(0, down()), (0.1, OtherDown()), (1, up())], [BEGIN, RELEASED]),
    "typing does not disturb a key that toggled": (TOGGLE, [(0, down()), (0.1, OtherDown()), (0.1, up())], [BEGIN]),
    "a tap whose release was lost does not count late": (
        TOGGLE,
        [(0, down(CTRL)), (REPEAT_S, down(CTRL)), (0.1, up(CTRL))],
        [BEGIN],
    ),
    "a modifier toggles as it comes up": (
        TOGGLE,
        [(0, down(CTRL)), (0.2, up(CTRL)), (3, down(CTRL)), (0.2, up(CTRL))],
        [BEGIN, RELEASED],
    ),
    "a shortcut toggles nothing": (TOGGLE, [(0, down(CTRL)), (0.1, OtherDown()), (0.1, up(CTRL))], []),
    "a shortcut ends no locked talk": (
        LOCK,
        [(0, wish(Wish.START)), (1, down(CTRL)), (0.1, OtherDown()), (0.1, up(CTRL))],
        [BEGIN],
    ),
    "a modifier ends a locked talk as it comes up": (
        LOCK,
        [(0, wish(Wish.START)), (1, down(CTRL)), (0.1, up(CTRL))],
        [BEGIN, RELEASED],
    ),
    "a later shortcut with the modifier that began a talk leaves it": (
        TOGGLE,
        [(0, down(CTRL)), (0.1, up(CTRL)), (1, down(CTRL)), (0.1, OtherDown()), (0.1, up(CTRL))],
        [BEGIN],
    ),
    "a shortcut takes the lock of a modifier back": (
        LOCK,
        [(0, down(CTRL)), (0.1, up(CTRL)), (0.1, down(CTRL)), RIPE, (0.1, OtherDown())],
        [LATE, CANCELLED],
    ),
    "a shortcut after the lock leaves it": (
        LOCK,
        [(0, down(CTRL)), (0.1, up(CTRL)), (0.1, down(CTRL)), (0.1, up(CTRL)), (1, OtherDown())],
        [BEGIN],
    ),
    "commands": (HOLD, [(0, wish(Wish.START)), (1, wish(Wish.START)), (1, wish(Wish.STOP))], [BEGIN, RELEASED]),
    "a command toggles": (HOLD, [(0, wish(Wish.TOGGLE)), (1, wish(Wish.TOGGLE))], [BEGIN, RELEASED]),
    "a command ends what a key holds": (
        HOLD,
        [(0, down()), (1, wish(Wish.TOGGLE)), (0.1, down()), (1, up())],
        [BEGIN, RELEASED],
    ),
    "a command takes over from a key": (HOLD, [(0, down()), (1, wish(Wish.START)), (1, up())], [BEGIN]),
    "too long": (HOLD, [(0, down()), (MAX_S, TimePassed())], [BEGIN, TOO_LONG]),
    "too long, by key and command together": (
        HOLD,
        [(0, down()), (MAX_S - 1, wish(Wish.START)), (1, TimePassed())],
        [BEGIN, TOO_LONG],
    ),
    "a key that was held too long holds no other talk": (
        HOLD,
        [(0, down()), (MAX_S, TimePassed()), (0.1, down(MOUSE)), (0.1, up(MOUSE))],
        [BEGIN, TOO_LONG, BEGIN, RELEASED],
    ),
    "a modifier that came down before the wish that locked the talk ends it": (
        LOCK,
        [(0, down(CTRL)), (0.05, wish(Wish.START)), (BARE_S, TimePassed())],
        [BEGIN, RELEASED],
    ),
    "not yet too long": (HOLD, [(0, down()), (MAX_S - 0.01, TimePassed())], [BEGIN]),
    "too long, the timer late": (HOLD, [(0, down()), (MAX_S + 5, up())], [BEGIN, TOO_LONG]),
    "too long, toggled": (TOGGLE, [(0, down()), (0.1, up()), (MAX_S, TimePassed())], [BEGIN, TOO_LONG]),
    "the repeats of a key that was held too long": (
        HOLD,
        [(0, down()), *[(1.0, down())] * 70, (0.1, up()), (0.1, down())],
        [BEGIN, TOO_LONG, BEGIN],
    ),
    "the conversation ends the talk": (HOLD, [(0, down()), (1, Closed()), (0.5, down()), (1, up())], [BEGIN]),
    "nothing is ended that was not begun": (HOLD, [(0, Closed()), (0, wish(Wish.STOP)), (0, TimePassed())], []),
    "the end of another talk leaves a tap alone": (TOGGLE, [(0, down(CTRL)), (0, Closed()), (0.1, up(CTRL))], [BEGIN]),
    "a press after a talk that the conversation ended": (
        TOGGLE,
        [(0, down()), (0.1, up()), (1, Closed()), (1, down())],
        [BEGIN, BEGIN],
    ),
    "muted while held": (HOLD, [(0, down(SILENCER)), (1, down(SILENCER)), (1, up(SILENCER))], [MUTE, UNMUTE]),
    "who was muted before stays so": (
        HOLD,
        [(0, MuteWished(on=True)), (1, down(SILENCER)), (1, up(SILENCER)), (1, MuteWished(on=False))],
        [MUTE, UNMUTE],
    ),
    "a wish to unmute waits for the key": (
        HOLD,
        [(0, down(SILENCER)), (1, MuteWished(on=False)), (1, up(SILENCER))],
        [MUTE, UNMUTE],
    ),
    "a mute key that is lost stays muted": (
        HOLD,
        [(0, down(SILENCER)), (1, lost(Loss.LISTENER)), (1, up(SILENCER))],
        [MUTE],
    ),
    "a mute key that is held over a lock stays muted": (
        HOLD,
        [(0, down(SILENCER)), (1, lost(Loss.LOCK)), (1, up(SILENCER))],
        [MUTE],
    ),
    "who lost a mute key unmutes by a wish": (
        HOLD,
        [(0, down(SILENCER)), (1, lost(Loss.LISTENER)), (1, MuteWished(on=False))],
        [MUTE, UNMUTE],
    ),
    "a mute key does not end a talk": (
        HOLD,
        [(0, down()), (1, down(SILENCER)), (1, up(SILENCER)), (1, up())],
        [BEGIN, MUTE, UNMUTE, RELEASED],
    ),
    "a talk that ends does not unmute": (HOLD, [(0, down(SILENCER)), (0, down()), (1, up())], [MUTE, BEGIN, RELEASED]),
}  # fmt: skip


@pytest.mark.parametrize(("press", "events", "deeds"), CASES.values(), ids=CASES)
def test_what_is_done(press: PressSetting, events: list[tuple[float, Event]], deeds: list[Deed]) -> None:
    assert run(press, events) == deeds


GLOBAL, WINDOW, COMMAND = Origin.GLOBAL, Origin.WINDOW, Origin.COMMAND
ENDED_BY: dict[Loss, set[Origin]] = {
    Loss.FOCUS: {WINDOW},
    Loss.LISTENER: {GLOBAL},
    Loss.PORTAL: {GLOBAL},
    Loss.LOCK: {GLOBAL, WINDOW, COMMAND},
    Loss.SLEEP: {GLOBAL, WINDOW, COMMAND},
    Loss.DEVICES: {GLOBAL, WINDOW, COMMAND},
}


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("press", PressSetting)
def test_a_loss_ends_what_it_concerns(press: PressSetting, origin: Origin, loss: Loss) -> None:
    key = Key(name="key", origin=origin)
    begun: list[tuple[float, Event]] = [(0, wish(Wish.START))] if origin is COMMAND else [(0, down(key))]
    assert run(press, [*begun, (1, lost(loss))]) == ([BEGIN, LOST] if origin in ENDED_BY[loss] else [BEGIN])


def test_a_held_key_does_not_begin_anew_by_its_repeats_after_a_loss() -> None:
    assert run(HOLD, [(0, down()), (1, lost(Loss.DEVICES)), *[(0.5, down())] * 20]) == [BEGIN, LOST]


def test_a_press_after_a_loss_counts_though_the_release_was_not_seen() -> None:
    assert run(HOLD, [(0, down()), (0.1, lost(Loss.SLEEP)), (REPEAT_S, down())]) == [BEGIN, LOST, BEGIN]


@pytest.mark.parametrize("loss", [Loss.LISTENER, Loss.PORTAL])
def test_a_new_listener_begins_with_nothing_held(loss: Loss) -> None:
    assert run(HOLD, [(0, down()), (0.1, lost(loss)), (0.1, down())]) == [BEGIN, LOST, BEGIN]


def test_the_window_that_loses_the_focus_leaves_the_global_key_alone() -> None:
    events = [(0, down()), (0.1, down(SPACE)), (1, lost(Loss.FOCUS)), (1, up())]
    assert run(HOLD, events) == [BEGIN, RELEASED]


def test_a_talk_goes_on_while_any_of_its_keys_is_held() -> None:
    state, rules = Press(), Rules()
    for at, event in enumerate([down(), down(MOUSE), up(), down(SILENCER), up(SILENCER)]):
        state, _ = step(state, event, at, rules)
        assert state.talking
    assert not step(state, up(MOUSE), 5.0, rules)[0].talking


def test_the_deadline_is_that_of_the_talk() -> None:
    rules = Rules(max_talk_s=MAX_S)
    assert deadline(Press(), rules) is None
    state, _ = step(Press(), down(), 7.0, rules)
    state, _ = step(state, down(MOUSE), 9.0, rules)
    assert deadline(state, rules) == 7.0 + MAX_S


def test_the_deadline_of_a_modifier_is_when_it_is_no_part_of_a_shortcut() -> None:
    rules = Rules(max_talk_s=MAX_S)
    state, _ = step(Press(), down(CTRL), 7.0, rules)
    assert deadline(state, rules) == 7.0 + BARE_S
    state, _ = step(state, TimePassed(), 7.0 + BARE_S, rules)
    assert deadline(state, rules) == 7.0 + BARE_S + MAX_S
