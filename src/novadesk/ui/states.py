"""The words and shapes of every state: one table of (phase, microphone)."""

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from novadesk.config import EchoSetting
from novadesk.conversation.api import MicrophoneState, Phase, Snapshot, TalkMode
from novadesk.ui.tokens import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLine:
    """How a state looks and reads. `shape` names an icon; `hint` says what can be done now."""

    shape: str
    word: str
    tone: Tone
    hint: str


def _line(shape: str, word: str, tone: Tone, hint: str) -> StateLine:
    return StateLine(shape=shape, word=word, tone=tone, hint=hint)


_PHASES: dict[Phase, StateLine] = {
    Phase.OFFLINE: _line("state-offline", "Offline", Tone.QUIET, "Type a message"),
    Phase.IDLE: _line("state-idle", "Idle", Tone.QUIET, "{talk}, or type to begin"),
    Phase.CONNECTING: _line("state-connecting", "Connecting", Tone.QUIET, "Connecting… type meanwhile"),
    Phase.READY: _line("state-ready", "Ready", Tone.GOOD, "{talk}, or type {here}"),
    Phase.LISTENING: _line("state-listening", "Listening", Tone.GOOD, "Listening… or type {here}"),
    Phase.THINKING: _line("state-thinking", "Thinking", Tone.QUIET, "Type to add something"),
    Phase.TOOL: _line("state-tool", "Looking something up", Tone.QUIET, "Type to add something"),
    Phase.SPEAKING: _line("state-speaking", "Speaking", Tone.PLAIN, "{talk} to interrupt, or type {here}"),
    Phase.INTERRUPTED: _line("state-interrupted", "Interrupted", Tone.CAUTION, "Go on, or type {here}"),
    Phase.RENEWING: _line("state-renewing", "Renewing", Tone.GOOD, "{talk}, or type {here}"),
    Phase.RECONNECTING: _line("state-renewing", "Reconnecting", Tone.CAUTION, "Type now, sent once reconnected"),
    Phase.FAILED: _line("state-failed", "Stopped", Tone.BAD, "Type to try again"),
    Phase.ENDED: _line("state-ended", "Ended", Tone.QUIET, "{talk}, or type to go on"),
}

HEARING = frozenset(
    {Phase.READY, Phase.LISTENING, Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED, Phase.RENEWING}
)

RESTING = frozenset({Phase.IDLE, Phase.ENDED})
_BUSY = frozenset({Phase.LISTENING, Phase.THINKING, Phase.TOOL, Phase.SPEAKING})

_QUIET_MICROPHONE: dict[MicrophoneState, tuple[str, str]] = {
    MicrophoneState.MUTED: ("state-muted", "Unmute to talk, or type {here}"),
    MicrophoneState.ABSENT: ("state-no-microphone", "No microphone. Type {here}"),
}


_OPENING = _line("state-connecting", "Opening the microphone", Tone.QUIET, "Opening the microphone… type meanwhile")
_RESTING = _line("state-idle", "Resting", Tone.QUIET, "Resting. {talk}, or type to go on")
_HEARD = _line("state-listening", "Listening", Tone.GOOD, "{talk}, or type {here}")


def line_of(snapshot: Snapshot) -> StateLine:
    """Return how a snapshot's state looks and reads."""
    absent = snapshot.microphone is MicrophoneState.ABSENT
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
    shape, hint = _QUIET_MICROPHONE[microphone]
    word = "Muted" if microphone is MicrophoneState.MUTED else "No microphone"
    if phase in (Phase.READY, Phase.LISTENING):
        return StateLine(shape=shape, word=word, tone=Tone.CAUTION, hint=hint)
    return StateLine(shape=line.shape, word=f"{line.word}, {word.lower()}", tone=line.tone, hint=hint)


def state_words(snapshot: Snapshot, retry_in_s: float | None) -> str:
    """Return the state's words with attempt, countdown and layer.

    Args:
        snapshot: what the machine is in.
        retry_in_s: seconds left until the next attempt, None when unknown.
    """
    word = tr(line_of(snapshot).word)
    if snapshot.phase is Phase.RECONNECTING:
        parts = [tr("{ordinal} try").format(ordinal=_ordinal(snapshot.attempt))] if snapshot.attempt else []
        if retry_in_s is not None and retry_in_s >= 0.5:
            parts.append(tr("in {seconds} s").format(seconds=round(retry_in_s)))
        return f"{word} ({', '.join(parts)})" if parts else word
    if snapshot.phase is Phase.FAILED and snapshot.error is not None:
        return f"{word} ({tr(snapshot.error.layer)})"
    return word


def empty_title(snapshot: Snapshot) -> str:
    """Return what the page without turns says above its hint."""
    if snapshot.phase in _BUSY:
        return tr("{state}…").format(state=tr(line_of(snapshot).word))
    return tr("Private conversation") if _is_private(snapshot) else tr("Nothing said yet")


def empty_hint(snapshot: Snapshot, key: str) -> str:
    """Return what the page without turns says below its title: how to begin, and what becomes of what is said."""
    words = hint(snapshot, key, where="below")
    if not _is_private(snapshot):
        return words
    return tr("Nothing that is said here is saved or synced. It is gone when you leave it.") + "\n" + words


def hint(snapshot: Snapshot, key: str, *, where: str = "here") -> str:
    """Return what the text field says while it is empty.

    Args:
        snapshot: what the machine is in.
        key: the talk key as people read it.
        where: the text field, as seen from the words: "here" or "below".
    """
    line = line_of(snapshot)
    hands_free = snapshot.talk_mode is TalkMode.HANDS_FREE
    talk = tr("Just speak") if hands_free else tr("Hold {key} to talk").format(key=key)
    if not_listening(snapshot):
        return tr("Stop to interrupt, or type {here}").format(here=tr(where))
    if line.hint.startswith("{talk} to interrupt"):
        talk = tr("Speak") if hands_free else tr("Hold {key}").format(key=key)
    elif hands_free and snapshot.phase in RESTING:
        talk = tr("Press {key}").format(key=key)
    return tr(line.hint).format(talk=talk, here=tr(where))


def not_listening(snapshot: Snapshot) -> bool:
    """Return whether the person takes turns with an answer that is being played, and no word cuts in."""
    hearing = snapshot.talk_mode is TalkMode.HANDS_FREE and snapshot.microphone is MicrophoneState.OPEN
    return hearing and snapshot.echo is EchoSetting.HALF_DUPLEX and snapshot.phase is Phase.SPEAKING


def _is_private(snapshot: Snapshot) -> bool:
    return snapshot.conversation is not None and snapshot.conversation.private


def tr(text: str) -> str:
    """Translate a word of the tables."""
    return QCoreApplication.translate("States", text)


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
