"""Who holds the talk key: the one owner of that question, for every key, button and command.

Pure: `step(state, event, now, rules) -> (state, actions)`. Values in, values out, no clock, no thread. What moves the
talk is one table; around it stands which keys are down. Two promises hold for every sequence of events:

* nothing talks for longer than `Rules.max_talk_s` after it began, nor after the last key that holds it came up or was
  lost (the gate's release tail comes on top);
* a press that is no repeat always counts, whatever was lost before it; one of a modifier alone does so once it is held
  for `BARE_S` without another key, for every shortcut begins with one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from novadesk.chord import Action, Key, KeyDown, KeyUp, Origin, OtherDown
from novadesk.config import PressSetting

REPEAT_S = 2.0
"""A held key that repeats is never silent for longer: its first repeat comes after at most 1 s under Windows and 2 s
under macOS, the longest delays that their settings offer. A press after such a silence means that a release was lost.
"""

BARE_S = 0.15
"""How long a modifier alone is held before it talks. The keys of a shortcut follow one another more quickly, and what
is said meanwhile is kept (`Begin.held_s`)."""

DOUBLE_S = 0.4
"""Most time between two presses of a double press; the default of Qt's and GTK's double click."""


_NEVER = float("inf")


class Loss(Enum):
    """Why a release may never come."""

    FOCUS = "focus"
    LISTENER = "listener"
    PORTAL = "portal"
    LOCK = "lock"
    SLEEP = "sleep"
    DEVICES = "devices"


class Wish(Enum):
    """What is asked for without a key that comes up again: a command, or a button that counts its own presses."""

    START = "start"
    STOP = "stop"
    TOGGLE = "toggle"


class Why(Enum):
    """Why a talk ended."""

    RELEASED = "released"
    CANCELLED = "cancelled"
    LOST = "lost"
    TOO_LONG = "too long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The release of what is held may never be seen."""

    loss: Loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """Somebody wants to talk, or no more, without a key."""

    wish: Wish
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteWished:
    """Somebody mutes or unmutes, without a key."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The conversation ended the talk by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """The time of `deadline` has come."""


type Event = KeyDown | KeyUp | OtherDown | Lost | Wished | MuteWished | Closed | TimePassed


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Open the gate. `held_s`: how long its key had to be held before, in seconds."""

    held_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Close the gate after its tail."""

    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Mute, or unmute."""

    on: bool


type Deed = Begin | End | Mute


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How presses are taken. `max_talk_s` is the longest talk, in seconds."""

    press: PressSetting = PressSetting.HOLD
    max_talk_s: float = 300.0


class Stage(Enum):
    """What keeps the gate open: nothing, keys that are down, or a press or wish that another one has to end."""

    SILENT = "silent"
    HELD = "held"
    LATCHED = "latched"


class Move(Enum):
    """What a key or a wish does to the stage."""

    PRESS = "press"
    DOUBLE = "double press"
    RELEASE = "release of the last key"
    START = "start"
    STOP = "stop"
    TOGGLE = "toggle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A key that is down.

    Attributes:
        seen_at: when it was heard of last.
        holds: it holds something.
        waits: what it does once no shortcut has it: as it comes up, or at `ripe_at` while it is still down.
        ripe_at: never, where it acts only as it comes up.
    """

    seen_at: float
    holds: bool = False
    waits: Move | None = None
    ripe_at: float = _NEVER

    @property
    def ripens(self) -> bool:
        """Return whether it acts by being held on."""
        return self.waits is not None and self.ripe_at < _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """The press state.

    Attributes:
        stage: what keeps the gate open.
        began_at: when it was opened; of use unless silent.
        latched_by: where the latch comes from, and `latch_key` by which key, if by one; of use while latched.
        down: the keys that are down.
        last_press: the key that was pressed last, and when, while a second press of it may lock the talk.
        own_mute: muted by a wish, or by a mute key that was lost.
    """

    stage: Stage = Stage.SILENT
    began_at: float = 0.0
    latched_by: Origin | None = None
    latch_key: Key | None = None
    down: Mapping[Key, Held] = field(default_factory=dict)
    last_press: tuple[Key, float] | None = None
    own_mute: bool = False

    @property
    def talking(self) -> bool:
        """Return whether the gate is to be open."""
        return self.stage is not Stage.SILENT

    @property
    def muted(self) -> bool:
        """Return whether the microphone is to be muted."""
        return self.own_mute or self.holds(Action.MUTE)

    def holds(self, action: Action) -> bool:
        """Return whether a key that is down holds this."""
        return any(held.holds and key.action is action for key, held in self.down.items())


_HOLD, _TOGGLE, _LOCK = PressSetting.HOLD, PressSetting.TOGGLE, PressSetting.HOLD_OR_LOCK
_SILENT, _HELD, _LATCHED = Stage.SILENT, Stage.HELD, Stage.LATCHED

_KEYS: dict[tuple[PressSetting, Stage, Move], Stage] = {
    (_HOLD, _SILENT, Move.PRESS): _HELD,
    (_HOLD, _LATCHED, Move.PRESS): _HELD,  # who takes the key wants to end it by letting go
    (_HOLD, _HELD, Move.RELEASE): _SILENT,
    (_TOGGLE, _SILENT, Move.PRESS): _LATCHED,
    (_TOGGLE, _LATCHED, Move.PRESS): _SILENT,
    (_LOCK, _SILENT, Move.PRESS): _HELD,
    (_LOCK, _HELD, Move.RELEASE): _SILENT,
    (_LOCK, _SILENT, Move.DOUBLE): _LATCHED,
    (_LOCK, _HELD, Move.DOUBLE): _LATCHED,
    (_LOCK, _LATCHED, Move.PRESS): _SILENT,
    (_LOCK, _LATCHED, Move.DOUBLE): _SILENT,
}
_WISHES: dict[tuple[Stage, Move], Stage] = {
    (_SILENT, Move.START): _LATCHED,
    (_HELD, Move.START): _LATCHED,
    (_SILENT, Move.TOGGLE): _LATCHED,
    (_HELD, Move.TOGGLE): _SILENT,
    (_LATCHED, Move.TOGGLE): _SILENT,
    (_HELD, Move.STOP): _SILENT,
    (_LATCHED, Move.STOP): _SILENT,
}
_CONCERNS: dict[Loss, frozenset[Origin]] = {
    Loss.FOCUS: frozenset({Origin.WINDOW}),
    Loss.LISTENER: frozenset({Origin.GLOBAL}),
    Loss.PORTAL: frozenset({Origin.GLOBAL}),
}
_ALL = frozenset(Origin)


def deadline(state: Press, rules: Rules) -> float | None:
    """Return when `TimePassed` is due, or None."""
    times = [held.ripe_at for held in state.down.values() if held.ripens]
    if state.talking:
        times.append(state.began_at + rules.max_talk_s)
    return min(times, default=None)


def step(state: Press, event: Event, now: float, rules: Rules) -> tuple[Press, tuple[Deed, ...]]:
    """Return the next state and what to do, in order.

    Args:
        state: the state so far.
        event: what happened.
        now: monotonic seconds, never less than before.
        rules: how presses are taken.
    """
    deeds: tuple[Deed, ...] = ()
    if state.talking and now >= state.began_at + rules.max_talk_s:
        state, deeds = _silent(state), (End(why=Why.TOO_LONG),)
    if not isinstance(event, OtherDown | Lost | Closed):
        state, begun = _ripen(state, now, rules)
        deeds += begun
    after, why = _after(state, event, now, rules)
    if after.talking and not state.talking:
        deeds += (Begin(),)
    elif state.talking and not after.talking and why is not None:
        deeds += (End(why=why),)
    if after.muted is not state.muted:
        deeds += (Mute(on=after.muted),)
    return after, deeds


def _after(state: Press, event: Event, now: float, rules: Rules) -> tuple[Press, Why | None]:
    """Return the next state, and why a talk ended if one did; None when the gate is closed already."""
    match event:
        case KeyDown(key=key):
            return _down(state, key, now, rules), Why.RELEASED
        case KeyUp(key=key):
            return _up(state, key, now, rules), Why.RELEASED
        case OtherDown():
            return _cancel(state), Why.CANCELLED
        case Lost(loss=loss):
            return _lose(state, loss), Why.LOST
        case Wished(wish=Wish.STOP, origin=origin):
            spent = {key: replace(held, waits=None) for key, held in state.down.items()}
            return _move(replace(state, down=spent), Move.STOP, now, rules, origin=origin), Why.RELEASED
        case Wished(wish=wish, origin=origin):
            return _move(state, Move[wish.name], now, rules, origin=origin), Why.RELEASED
        case MuteWished(on=on):
            return replace(state, own_mute=on), None
        case Closed():
            return (_silent(state) if state.talking else state), None
        case TimePassed():
            return state, None


def _ripen(state: Press, now: float, rules: Rules) -> tuple[Press, tuple[Deed, ...]]:
    """Let keys act that are no part of a shortcut any more."""
    deeds: tuple[Deed, ...] = ()
    for key, held in state.down.items():
        if held.waits is not None and now >= held.ripe_at:
            before = state.talking
            state = _with(state, key, replace(held, holds=True, waits=None))
            state = _move(state, held.waits, now, rules, key=key)
            if state.talking and not before:
                deeds += (Begin(held_s=now - held.ripe_at + BARE_S),)
            elif before and not state.talking:  # it came down before the wish that began the talk
                deeds += (End(why=Why.RELEASED),)
    return state, deeds


def _down(state: Press, key: Key, now: float, rules: Rules) -> Press:
    known = state.down.get(key)
    if known is not None and now - known.seen_at < REPEAT_S:
        return _with(state, key, replace(known, seen_at=now))
    if key.action is Action.MUTE:
        return _with(state, key, Held(seen_at=now, holds=True))
    on_release = rules.press is _TOGGLE or (rules.press is _LOCK and state.stage is _LATCHED)
    if key.bare and on_release:
        return _with(state, key, Held(seen_at=now, waits=Move.PRESS))
    double = state.last_press is not None and state.last_press[0] == key and now - state.last_press[1] <= DOUBLE_S
    move = Move.DOUBLE if double and rules.press is _LOCK else Move.PRESS
    if key.bare and state.stage is not _HELD:
        state = _with(state, key, Held(seen_at=now, waits=move, ripe_at=now + BARE_S))
        return replace(state, last_press=(key, now) if move is Move.PRESS else None)
    state = _with(state, key, Held(seen_at=now, holds=True))
    state = _move(state, move, now, rules, key=key)
    return replace(state, last_press=(key, now) if state.stage is _HELD else None)


def _up(state: Press, key: Key, now: float, rules: Rules) -> Press:
    known = state.down.get(key)
    if known is None:
        return state
    state = replace(state, down={other: held for other, held in state.down.items() if other != key})
    if known.ripens and known.waits is Move.PRESS:  # it was tapped
        return state
    if known.waits is not None:
        return _move(state, known.waits, now, rules, key=key)
    return state if state.holds(Action.TALK) else _move(state, Move.RELEASE, now, rules, key=key)


def _cancel(state: Press) -> Press:
    down = {key: replace(held, holds=False, waits=None) if key.bare else held for key, held in state.down.items()}
    latch = None if state.latch_key is None or not state.latch_key.bare else state.down.get(state.latch_key)
    latch_taken_back = latch is not None and latch.holds  # by the press that latched, not by a later one
    state = replace(state, down=down, last_press=None)
    if state.stage is _HELD and not state.holds(Action.TALK):
        return _silent(state)
    return _silent(state) if state.stage is _LATCHED and latch_taken_back else state


def _lose(state: Press, loss: Loss) -> Press:
    concerned = _CONCERNS.get(loss, _ALL)
    # A mute key that is lost leaves the microphone muted: what is lost never opens it.
    mute = any(held.holds and key.action is Action.MUTE and key.origin in concerned for key, held in state.down.items())
    spent = {key: replace(held, holds=False, waits=None) for key, held in state.down.items()}
    if loss in _CONCERNS:  # their keys are not seen any more, so nothing of them can be a repeat
        down = {key: held for key, held in state.down.items() if key.origin not in concerned}
    else:
        down = spent
    state = replace(state, down=down, own_mute=state.own_mute or mute, last_press=None)
    if state.stage is _HELD and not state.holds(Action.TALK):
        return _silent(state)
    return _silent(state) if state.stage is _LATCHED and state.latched_by in concerned else state


def _move(
    state: Press, move: Move, now: float, rules: Rules, *, key: Key | None = None, origin: Origin | None = None
) -> Press:
    stage = _WISHES.get((state.stage, move)) if key is None else _KEYS.get((rules.press, state.stage, move))
    if stage is None:
        return state
    if stage is _SILENT:
        return _silent(state)
    began_at = state.began_at if state.talking else now
    if stage is _LATCHED:
        latched_by = origin if key is None else key.origin
        return replace(state, stage=stage, began_at=began_at, latched_by=latched_by, latch_key=key)
    return replace(state, stage=stage, began_at=began_at)


def _silent(state: Press) -> Press:
    """Return the state with nothing that talks: keys that are still down have had their effect, or are about to."""
    down = {
        key: held if key.action is Action.MUTE or held.ripens else replace(held, holds=False, waits=None)
        for key, held in state.down.items()
    }
    return replace(state, stage=_SILENT, down=down)


def _with(state: Press, key: Key, held: Held) -> Press:
    return replace(state, down={**state.down, key: held})
