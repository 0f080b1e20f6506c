"""The words and shapes of every state: one table of (phase, microphone)."""

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from novadesk.conversation.api import MicrophoneState, Phase, Snapshot, TalkMode
from novadesk.ui.tokens import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLine:
    """How a state looks and reads. `shape` names an icon; `hint` says what can be done now."""

    shape: str
    word: str
    tone: Tone
    hint: str


_PHASES: dict[Phase, StateLine] = {
    Phase.OFFLINE: StateLine(shape="state-offline", word="Offline", tone=Tone.QUIET, hint="Type a message"),
    Phase.IDLE: StateLine(shape="state-idle", word="Idle", tone=Tone.QUIET, hint="{talk}, or type to begin"),
    Phase.CONNECTING: StateLine(
        shape="state-connecting", word="Connecting", tone=Tone.QUIET, hint="Connecting… type meanwhile"
    ),
    Phase.READY: StateLine(shape="state-ready", word="Ready", tone=Tone.GOOD, hint="{talk}, or type here"),
    Phase.LISTENING: StateLine(
        shape="state-listening", word="Listening", tone=Tone.GOOD, hint="Listening… or type here"
    ),
    Phase.THINKING: StateLine(shape="state-thinking", word="Thinking", tone=Tone.QUIET, hint="Type to add something"),
    Phase.TOOL: StateLine(
        shape="state-tool", word="Looking something up", tone=Tone.QUIET, hint="Type to add something"
    ),
    Phase.SPEAKING: StateLine(
        shape="state-speaking", word="Speaking", tone=Tone.PLAIN, hint="{talk} to interrupt, or type here"
    ),
    Phase.INTERRUPTED: StateLine(
        shape="state-interrupted", word="Interrupted", tone=Tone.CAUTION, hint="Go on, or type here"
    ),
    Phase.RENEWING: StateLine(shape="state-renewing", word="Renewing", tone=Tone.GOOD, hint="{talk}, or type here"),
    Phase.RECONNECTING: StateLine(
        shape="state-renewing",
        word="Reconnecting",
        tone=Tone.CAUTION,
        hint="Type now; it is sent once the connection is back",
    ),
    Phase.FAILED: StateLine(shape="state-failed", word="Stopped", tone=Tone.BAD, hint="Type to try again"),
    Phase.ENDED: StateLine(shape="state-ended", word="Ended", tone=Tone.QUIET, hint="{talk}, or type to go on"),
}

_LIVE = frozenset(
    {Phase.READY, Phase.LISTENING, Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED, Phase.RENEWING}
)

_QUIET_MICROPHONE: dict[MicrophoneState, tuple[str, str]] = {
    MicrophoneState.MUTED: ("state-muted", "Unmute to talk, or type here"),
    MicrophoneState.ABSENT: ("state-no-microphone", "No microphone. Type here"),
}


def state_line(phase: Phase, microphone: MicrophoneState) -> StateLine:
    """Return the table's cell. While the service can hear, a mute or missing microphone is part of the word."""
    line = _PHASES[phase]
    if phase not in _LIVE or microphone not in _QUIET_MICROPHONE:
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
    word = tr(state_line(snapshot.phase, snapshot.microphone).word)
    if snapshot.phase is Phase.RECONNECTING:
        parts = [tr("{ordinal} try").format(ordinal=_ordinal(snapshot.attempt))] if snapshot.attempt else []
        if retry_in_s is not None and retry_in_s >= 0.5:
            parts.append(tr("in {seconds} s").format(seconds=round(retry_in_s)))
        return f"{word} ({', '.join(parts)})" if parts else word
    if snapshot.phase is Phase.FAILED and snapshot.error is not None:
        return f"{word} ({tr(snapshot.error.layer)})"
    return word


def hint(snapshot: Snapshot, key: str) -> str:
    """Return what the text field says while it is empty.

    Args:
        snapshot: what the machine is in.
        key: the talk key as people read it.
    """
    line = state_line(snapshot.phase, snapshot.microphone)
    hands_free = snapshot.talk_mode is TalkMode.HANDS_FREE
    talk = tr("Just speak") if hands_free else tr("Hold {key} to talk").format(key=key)
    if line.hint.startswith("{talk} to interrupt"):
        talk = tr("Speak") if hands_free else tr("Hold {key}").format(key=key)
    return tr(line.hint).format(talk=talk)


def tr(text: str) -> str:
    """Translate a word of the tables."""
    return QCoreApplication.translate("States", text)


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
