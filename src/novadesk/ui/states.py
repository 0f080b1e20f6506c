"""The words and shapes of every state: one table of (phase, microphone)."""

from dataclasses import dataclass

from novadesk.config import EchoSetting, PressSetting
from novadesk.conversation.api import MicrophoneState, Pause, Phase, Snapshot, TalkMode
from novadesk.errors import Layer
from novadesk.text import Text
from novadesk.ui.i18n import tr
from novadesk.ui.tokens import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLine:
    """How a state looks and reads. `shape` names an icon; `hint` says what can be done now, for `tr` to fill in."""

    shape: str
    word: Text
    tone: Tone
    hint: Text


def _line(shape: str, word: Text, tone: Tone, hint: Text) -> StateLine:
    return StateLine(shape=shape, word=word, tone=tone, hint=hint)


_OR_TYPE = Text("{talk}, or type {here}")
_INTERRUPT = Text("{talk} to interrupt, or type {here}")
_ADD = Text("Type to add something")


_PHASES: dict[Phase, StateLine] = {
    Phase.OFFLINE: _line("state-offline", Text("Offline"), Tone.QUIET, Text("Type a message")),
    Phase.IDLE: _line("state-idle", Text("Idle"), Tone.QUIET, Text("{talk}, or type to begin")),
    Phase.CONNECTING: _line("state-connecting", Text("Connecting"), Tone.QUIET, Text("Connecting… type meanwhile")),
    Phase.READY: _line("state-ready", Text("Ready"), Tone.GOOD, _OR_TYPE),
    Phase.LISTENING: _line("state-listening", Text("Listening"), Tone.GOOD, Text("Listening… or type {here}")),
    Phase.THINKING: _line("state-thinking", Text("Thinking"), Tone.QUIET, _ADD),
    Phase.TOOL: _line("state-tool", Text("Looking something up"), Tone.QUIET, _ADD),
    Phase.SPEAKING: _line("state-speaking", Text("Speaking"), Tone.PLAIN, _INTERRUPT),
    Phase.INTERRUPTED: _line("state-interrupted", Text("Interrupted"), Tone.CAUTION, Text("Go on, or type {here}")),
    Phase.RENEWING: _line("state-renewing", Text("Renewing"), Tone.GOOD, _OR_TYPE),
    Phase.RECONNECTING: _line(
        "state-renewing", Text("Reconnecting"), Tone.CAUTION, Text("Type now, sent once reconnected")
    ),
    Phase.FAILED: _line("state-failed", Text("Stopped"), Tone.BAD, Text("Type to try again")),
    Phase.ENDED: _line("state-ended", Text("Ended"), Tone.QUIET, Text("{talk}, or type to go on")),
}

HEARING = frozenset(
    {Phase.READY, Phase.LISTENING, Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED, Phase.RENEWING}
)

RESTING = frozenset({Phase.IDLE, Phase.ENDED})
_BUSY = frozenset({Phase.LISTENING, Phase.THINKING, Phase.TOOL, Phase.SPEAKING})

_QUIET_MICROPHONE: dict[MicrophoneState, tuple[str, Text, Text, Text]] = {
    MicrophoneState.MUTED: (
        "state-muted",
        Text("Muted"),
        Text("muted"),
        Text("Unmute to talk, or type {here}"),
    ),
    MicrophoneState.ABSENT: (
        "state-no-microphone",
        Text("No microphone"),
        Text("no microphone"),
        Text("No microphone. Type {here}"),
    ),
}
"""The shape, the word alone, the word after another one, and the hint."""

LAYERS: dict[Layer, Text] = {
    Layer.INPUT: Text("input"),
    Layer.SETTINGS: Text("settings"),
    Layer.AUDIO: Text("audio"),
    Layer.NETWORK: Text("network"),
    Layer.CREDENTIALS: Text("credentials"),
    Layer.SERVICE: Text("service"),
    Layer.PRACTICE: Text("practice"),
    Layer.STORE: Text("store"),
    Layer.SYNC: Text("sync"),
    Layer.KEYRING: Text("keyring"),
    Layer.CONTROL: Text("control"),
    Layer.DESKTOP: Text("desktop"),
    Layer.UPDATE: Text("updates"),
}
"""The word of each layer that an error can name."""

_HERE = {"here": Text("here"), "below": Text("below")}


_PAUSES: dict[Pause, StateLine] = {
    Pause.PAUSING: _line("state-paused", Text("Pausing"), Tone.QUIET, Text("Pausing… the microphone is off")),
    Pause.PAUSED: _line("state-paused", Text("Paused"), Tone.CAUTION, Text("Paused. {talk}, or type to go on")),
    Pause.RESUMING: _line("state-connecting", Text("Resuming"), Tone.QUIET, Text("Resuming… type meanwhile")),
}
_OPENING = _line(
    "state-connecting", Text("Opening the microphone"), Tone.QUIET, Text("Opening the microphone… type meanwhile")
)
_RESTING = _line("state-idle", Text("Resting"), Tone.QUIET, Text("Resting. {talk}, or type to go on"))
_HEARD = _line("state-listening", Text("Listening"), Tone.GOOD, _OR_TYPE)


def line_of(snapshot: Snapshot) -> StateLine:
    """Return how a snapshot's state looks and reads."""
    absent = snapshot.microphone is MicrophoneState.ABSENT
    if snapshot.pause in _PAUSES:
        return _PAUSES[snapshot.pause]
    if snapshot.phase is Phase.IDLE and snapshot.turns:
        return _RESTING
    if not (absent and snapshot.sound_opening):
        return state_line(snapshot.phase, snapshot.microphone)
    if snapshot.phase in (Phase.READY, Phase.LISTENING):
        return _OPENING
    return state_line(snapshot.phase, MicrophoneState.GATED)


def state_line(phase: Phase, microphone: MicrophoneState) -> StateLine:
    """Return the table's cell. While the service can hear, a mute or missing microphone is part of the word."""
    line = _PHASES[phase]
    if phase is Phase.READY and microphone is MicrophoneState.OPEN:
        return _HEARD
    if phase not in HEARING or microphone not in _QUIET_MICROPHONE:
        return line
    shape, alone, after, hint = _QUIET_MICROPHONE[microphone]
    if phase in (Phase.READY, Phase.LISTENING):
        return StateLine(shape=shape, word=alone, tone=Tone.CAUTION, hint=hint)
    word = Text("{state}, {microphone}", state=line.word, microphone=after)
    return StateLine(shape=line.shape, word=word, tone=line.tone, hint=hint)


def state_words(snapshot: Snapshot, retry_in_s: float | None, *, short: bool = False) -> str:
    """Return the state's words with attempt, countdown and layer.

    Args:
        snapshot: what the machine is in.
        retry_in_s: seconds left until the next attempt, None when unknown.
        short: there is little room; which attempt it is can be left out.
    """
    word = tr(line_of(snapshot).word)
    if snapshot.phase is Phase.RECONNECTING:
        attempt, left = 0 if short else snapshot.attempt, round(retry_in_s or 0)
        if retry_in_s is not None and retry_in_s >= 0.5:
            soon = tr("{state} (attempt {n}, in {s} s)", state=word, n=attempt, s=left)
            return soon if attempt else tr("{state} (in {s} s)", state=word, s=left)
        return tr("{state} (attempt {n})", state=word, n=attempt) if attempt else word
    if snapshot.phase is Phase.FAILED and snapshot.error is not None:
        return f"{word} ({tr(LAYERS[Layer(snapshot.error.layer)])})"
    return word


def empty_title(snapshot: Snapshot) -> str:
    """Return what the page without turns says above its hint."""
    if snapshot.phase in _BUSY:
        return f"{tr(line_of(snapshot).word)}…"
    return tr("Private conversation") if _is_private(snapshot) else tr("Nothing said yet")


def empty_hint(snapshot: Snapshot, key: str) -> str:
    """Return what the page without turns says below its title: how to begin, and what becomes of what is said."""
    words = hint(snapshot, key, where="below")
    if not _is_private(snapshot):
        return words
    gone = tr("Nothing that is said here is saved or synced. It is gone when you leave it.")
    return f"{gone}\n{words}"


def hint(snapshot: Snapshot, key: str, *, where: str = "here") -> str:
    """Return what the text field says while it is empty.

    Args:
        snapshot: what the machine is in.
        key: the talk key as people read it.
        where: the text field, as seen from the words: "here" or "below".
    """
    line = line_of(snapshot)
    here = tr(_HERE[where])
    hands_free = snapshot.talk_mode is TalkMode.HANDS_FREE
    toggled = snapshot.press is PressSetting.TOGGLE
    if not_listening(snapshot):
        return tr("Stop to interrupt, or type {here}", here=here)
    if hands_free and line.hint is _INTERRUPT:
        talk = tr("Speak", "to interrupt")
    elif line.hint is _INTERRUPT:
        talk = tr("Press {key}", "to interrupt", key=key) if toggled else tr("Hold {key}", "to interrupt", key=key)
    elif hands_free:
        talk = tr("Press {key}", key=key) if snapshot.phase in RESTING else tr("Just speak")
    else:
        talk = tr("Press {key} to talk", key=key) if toggled else tr("Hold {key} to talk", key=key)
    return tr(line.hint, talk=talk, here=here)


def not_listening(snapshot: Snapshot) -> bool:
    """Return whether the person takes turns with an answer that is being played, and no word cuts in."""
    hearing = snapshot.talk_mode is TalkMode.HANDS_FREE and snapshot.microphone is MicrophoneState.OPEN
    return hearing and snapshot.echo is EchoSetting.HALF_DUPLEX and snapshot.phase is Phase.SPEAKING


def _is_private(snapshot: Snapshot) -> bool:
    return snapshot.conversation is not None and snapshot.conversation.private
