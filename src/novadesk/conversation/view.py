"""Draws the snapshot: what no machine keeps (devices, levels, troubles, passing lines) beside what they do."""

from collections import deque
from typing import Any

from novadesk.config import Settings, VoiceSettings
from novadesk.conversation.api import RENEWED, ErrorNote, MicrophoneState, Pause, Phase, Snapshot
from novadesk.conversation.downlink import Downlink
from novadesk.conversation.lifecycle import OPENING, Lifecycle
from novadesk.conversation.record import Record
from novadesk.conversation.supervisor import VERDICTS, Verdict
from novadesk.conversation.talkover import TalkOver
from novadesk.conversation.tally import Tally
from novadesk.conversation.uplink import Uplink
from novadesk.conversation.voicing import Voicing
from novadesk.errors import KnownError, Layer
from novadesk.models import BackendKind
from novadesk.text import Text

BACKEND_NAMES = {
    BackendKind.PRACTICE: Text("Practice partner (local)"),
    BackendKind.BEDROCK: Text("Amazon Bedrock"),
    BackendKind.GATEWAY: Text("Gateway"),
}
_NOTICES = 8


def note_error(error: KnownError | None) -> ErrorNote | None:
    """Return an error as the window shows it."""
    if error is None:
        return None
    return ErrorNote(
        layer=error.layer.value,
        reason=error.reason.value,
        what=error.what,
        advice=error.advice,
        retry=VERDICTS.get(error.reason, Verdict.FAIL) is not Verdict.RENEW,
    )


def pause_of(state: Lifecycle, *, closing: bool) -> Pause:
    """Return how far a pause is; `closing` while the service has not agreed to the end of a wire session."""
    if state.paused and state.phase is Phase.IDLE:
        return Pause.PAUSING if closing else Pause.PAUSED
    return Pause.RESUMING if state.paused and state.phase in OPENING else Pause.OFF


def _voice_of(voicing: Voicing, in_force: VoiceSettings | None) -> dict[str, Any]:
    """Return the fields of what wire sessions are opened with; `in_force` is what the live one was."""
    wanted = voicing.wanted
    return {
        "voice": (in_force or wanted).voice,
        "scenario": voicing.scenario,
        "in_force": in_force,
        "changing": in_force is not None and in_force != wanted,
    }


def _talk_of(uplink: Uplink, now: float) -> dict[str, Any]:
    return {
        "muted": uplink.muted,
        "talk_mode": uplink.mode,
        "talking": uplink.talking,
        "unanswered": uplink.unanswered(now),
    }


def _answers_of(downlink: Downlink) -> dict[str, Any]:
    return {
        "live": downlink.live(),
        "answer_s": downlink.answer_s,
        "answer_delay": downlink.answer_delay,
        "tokens": downlink.tokens,
    }


def _costs_of(tally: Tally) -> dict[str, Any]:
    return {"renewals": tally.renewals, "reconnects": tally.reconnects, "lost_s": tally.lost_s}


class View:
    """Gathers what the snapshot shows.

    Args:
        settings: names of model and voice.
        backend: where links lead.
    """

    def __init__(self, *, settings: Settings, backend: BackendKind) -> None:
        self.microphone_level = 0.0
        self.speaker_level = 0.0
        self.sound_opening = False
        self.input_note = ""
        self._settings = settings
        self._backend = backend
        self._notices: deque[tuple[float | None, str]] = deque(maxlen=_NOTICES)
        self._renewed_after = ""
        self._troubles: dict[Layer, KnownError] = {}
        self._devices = ("", "", "")
        self._extras: dict[str, Any] = {}

    def notice(self, line: str, *, about: float | None = None) -> None:
        """Add a passing line; it takes the place of an earlier one about the same, and the oldest of too many goes."""
        if about is not None:
            earlier = [known for known in self._notices if known[0] == about]
            for known in earlier:
                self._notices.remove(known)
        self._notices.append((about, line))

    def renewed(self, turn_id: str) -> None:
        """Add the line of a renewal, once after each turn: a conversation that rests for hours is renewed often."""
        if turn_id != self._renewed_after:
            self._renewed_after = turn_id
            self.notice(RENEWED)

    def clear_notices(self) -> None:
        """Forget every passing line."""
        self._notices.clear()

    def trouble(self, layer: Layer, error: KnownError | None) -> None:
        """Show a lasting trouble of a layer, or none any more."""
        if error is None:
            self._troubles.pop(layer, None)
        else:
            self._troubles[layer] = error

    def devices(self, microphone: str, speaker: str, note: str) -> None:
        """Show the devices in use."""
        self._devices = (microphone, speaker, note)
        self.sound_opening = False

    def extra(self, **values: Any) -> None:
        """Show fields that others own: connection, pending_sync, hotkeys; notes of keys, keyring, store, settings."""
        self._extras.update(values)
        for name in ("store_note", "settings_note"):
            if note := values.get(name):
                self.notice(note)

    @property
    def pending(self) -> int:
        """Return the shown number of turns on their way to the remote store."""
        return int(self._extras.get("pending_sync", 0))

    def draw(
        self,
        *,
        state: Lifecycle,
        record: Record,
        uplink: Uplink,
        downlink: Downlink,
        tally: Tally,
        talk_over: TalkOver,
        voicing: Voicing,
        in_force: VoiceSettings | None,
        closing: bool,
        now: float,
    ) -> Snapshot:
        """Return the snapshot of this moment."""
        microphone, (name, speaker, note) = uplink.state(now), self._devices
        return Snapshot(
            phase=state.phase,
            pause=pause_of(state, closing=closing),
            microphone=microphone,
            **_talk_of(uplink, now),
            sound_opening=self.sound_opening,
            backend=self._backend,
            backend_name=BACKEND_NAMES[self._backend],
            model=self._settings.backend.model,
            **_voice_of(voicing, in_force),
            conversation=record.conversation,
            turns=record.turns,
            **_answers_of(downlink),
            microphone_level=0.0 if microphone is MicrophoneState.ABSENT else self.microphone_level,
            speaker_level=self.speaker_level,
            microphone_name=name,
            speaker_name=speaker,
            device_note=note,
            attempt=state.attempt,
            retry_in_s=None if state.retry_at is None else max(0.0, state.retry_at - now),
            error=note_error(state.error or next(iter(self._troubles.values()), None)),
            recovered_turns=record.recovered,
            **_costs_of(tally),
            notices=tuple(line for _, line in self._notices),
            input_note=self.input_note,
            hears_itself=talk_over.hears_itself,
            loud_echo_db=talk_over.loud_echo_db,
            echo=talk_over.echo,
            store_revision=record.revision,
            unsaved=record.unsaved,
            **self._extras,
        )
