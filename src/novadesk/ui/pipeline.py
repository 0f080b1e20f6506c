"""The way of what is said, stage by stage: microphone, gate, link, service, speaker. One table of the snapshot."""

from dataclasses import dataclass

from novadesk.conversation.api import MicrophoneState, Pause, Phase, Snapshot
from novadesk.text import Text
from novadesk.ui.tokens import Tone
from novadesk.ui.words import device_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: its name, what it does now, and what there is to say about it. `shape` names an icon."""

    name: Text
    shape: str
    word: Text
    tone: Tone
    detail: str = ""


_GATE = {
    MicrophoneState.OPEN: ("state-listening", Text("open"), Tone.GOOD),
    MicrophoneState.GATED: ("state-idle", Text("closed, sends silence"), Tone.QUIET),
    MicrophoneState.MUTED: ("state-muted", Text("muted, sends silence"), Tone.CAUTION),
    MicrophoneState.ABSENT: ("state-idle", Text("closed"), Tone.QUIET),
}
_CLOSED = ("state-idle", Text("closed"), Tone.QUIET)
_UP = ("state-ready", Text("open"), Tone.GOOD)
_LINK = {
    Phase.OFFLINE: ("state-offline", Text("no network"), Tone.CAUTION),
    Phase.IDLE: _CLOSED,
    Phase.CONNECTING: ("state-connecting", Text("connecting"), Tone.QUIET),
    Phase.RENEWING: ("state-renewing", Text("being renewed"), Tone.GOOD),
    Phase.RECONNECTING: ("state-renewing", Text("lost, connecting again"), Tone.CAUTION),
    Phase.FAILED: ("state-failed", Text("stopped"), Tone.BAD),
    Phase.ENDED: _CLOSED,
}
_BREAK = {
    Pause.PAUSING: ("state-paused", Text("being ended for a break"), Tone.QUIET),
    Pause.PAUSED: ("state-paused", Text("closed for a break"), Tone.QUIET),
    Pause.RESUMING: ("state-connecting", Text("connecting after a break"), Tone.QUIET),
}
_SERVICE = {
    Phase.READY: ("state-ready", Text("waits for you"), Tone.GOOD),
    Phase.LISTENING: ("state-listening", Text("listens"), Tone.GOOD),
    Phase.THINKING: ("state-thinking", Text("thinks"), Tone.PLAIN),
    Phase.TOOL: ("state-tool", Text("waits for a tool"), Tone.PLAIN),
    Phase.SPEAKING: ("state-speaking", Text("answers"), Tone.PLAIN),
    Phase.INTERRUPTED: ("state-interrupted", Text("was interrupted"), Tone.CAUTION),
}
_NOBODY = ("state-idle", Text("not connected"), Tone.QUIET)


def stages(snapshot: Snapshot) -> tuple[Stage, ...]:
    """Return the five stages, in the order in which sound passes them."""
    shape, word, tone = _GATE[snapshot.microphone]
    gate = Stage(name=Text("Gate"), shape=shape, word=word, tone=tone)
    shape, word, tone = _BREAK.get(snapshot.pause) or _LINK.get(snapshot.phase, _UP)
    link = Stage(name=Text("Link"), shape=shape, word=word, tone=tone, detail=snapshot.backend_name)
    shape, word, tone = _SERVICE.get(snapshot.phase, _NOBODY)
    service = Stage(name=Text("Service"), shape=shape, word=word, tone=tone, detail=snapshot.model)
    return _microphone(snapshot), gate, link, service, _speaker(snapshot)


def _microphone(snapshot: Snapshot) -> Stage:
    name = Text("Microphone")
    if snapshot.microphone is MicrophoneState.ABSENT:
        opening = snapshot.sound_opening
        shape = "state-connecting" if opening else "state-no-microphone"
        return Stage(name=name, shape=shape, word=Text("opening") if opening else Text("closed"), tone=Tone.QUIET)
    if snapshot.input_note:
        detail = device_words(snapshot.microphone_name)
        return Stage(name=name, shape="warning", word=Text("brings no voice"), tone=Tone.CAUTION, detail=detail)
    return Stage(
        name=name, shape="state-ready", word=Text("open"), tone=Tone.GOOD, detail=device_words(snapshot.microphone_name)
    )


def _speaker(snapshot: Snapshot) -> Stage:
    name, detail = Text("Speaker"), device_words(snapshot.speaker_name)
    if not detail:
        return Stage(name=name, shape="state-idle", word=Text("closed"), tone=Tone.QUIET)
    if snapshot.phase is Phase.SPEAKING:
        return Stage(name=name, shape="state-speaking", word=Text("plays"), tone=Tone.PLAIN, detail=detail)
    return Stage(name=name, shape="state-ready", word=Text("silent"), tone=Tone.GOOD, detail=detail)
