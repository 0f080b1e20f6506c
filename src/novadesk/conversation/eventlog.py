"""What happened when, in words: read off the difference between one snapshot and the next. Pure.

What was said is not in it: a turn is its length and its id. Of a private conversation only that it was opened is.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from novadesk.catalogue import entry_of
from novadesk.conversation.api import EventKind, Happened, MicrophoneState, Pause, Phase, Snapshot
from novadesk.errors import Reason
from novadesk.models import Role, Turn
from novadesk.text import Text

MOST = 2_000
"""Events kept: some hours of talk."""

_PHASES: dict[Phase, Text] = {
    Phase.OFFLINE: Text("Offline"),
    Phase.IDLE: Text("No session is open"),
    Phase.CONNECTING: Text("Connecting"),
    Phase.READY: Text("The session is open"),
    Phase.LISTENING: Text("The service listens"),
    Phase.THINKING: Text("The service thinks"),
    Phase.TOOL: Text("The model waits for a tool"),
    Phase.SPEAKING: Text("An answer is played"),
    Phase.INTERRUPTED: Text("The answer was interrupted"),
    Phase.RENEWING: Text("The session is being renewed"),
    Phase.RECONNECTING: Text("The connection was lost; connecting again"),
    Phase.FAILED: Text("The session stopped"),
    Phase.ENDED: Text("The conversation was ended"),
}
_GATE: dict[MicrophoneState, Text] = {
    MicrophoneState.OPEN: Text("What the microphone hears is sent"),
    MicrophoneState.GATED: Text("Silence is sent: nobody holds the talk key"),
    MicrophoneState.MUTED: Text("Silence is sent: muted"),
    MicrophoneState.ABSENT: Text("There is no open microphone"),
}
_PAUSES: dict[Pause, Text] = {
    Pause.OFF: Text("The break is over"),
    Pause.PAUSING: Text("A break was asked for; the session is being ended"),
    Pause.PAUSED: Text("The break has begun: no session is open"),
    Pause.RESUMING: Text("Going on after the break; a session is being opened"),
}


class EventLog:
    """Keeps the newest events. Used on the core loop.

    Args:
        most: events kept; the oldest go.
    """

    def __init__(self, *, most: int = MOST) -> None:
        self._events: deque[Happened] = deque(maxlen=most)
        self._last = Snapshot()
        self._made = 0

    def see(self, snapshot: Snapshot, at_ms: int) -> None:
        """Take a snapshot; nothing is noted of one that tells of other levels only."""
        before, self._last = self._last, snapshot
        for kind, words, turn_id in _differences(before, snapshot):
            self._made += 1
            self._events.append(Happened(number=self._made, at_ms=at_ms, kind=kind, words=words, turn_id=turn_id))

    def since(self, number: int) -> Sequence[Happened]:
        """Return the events after the one of this number, oldest first."""
        if number >= self._made:
            return ()
        return tuple(event for event in self._events if event.number > number)


type _Event = tuple[EventKind, Text, str]


def _differences(before: Snapshot, now: Snapshot) -> Iterator[_Event]:
    if before.conversation is not now.conversation:
        yield from _conversation(before, now)
    if _is_private(before) or _is_private(now):
        return
    if before.phase is not now.phase:
        yield EventKind.LINK, _PHASES[now.phase], ""
    if before.pause is not now.pause:
        yield EventKind.LINK, _PAUSES[now.pause], ""
    yield from _scenario(before, now)
    if before.error != now.error:
        yield from _error(before, now)
    if before.renewals != now.renewals:
        yield EventKind.LINK, Text("The session was renewed; this was number {n}", n=now.renewals), ""
    yield from _sound(before, now)
    if before.turns is not now.turns:
        yield from _turns(before, now)
    if before.pending_sync != now.pending_sync:
        yield EventKind.SYNC, _waiting(now.pending_sync), ""
    if before.notices != now.notices:
        for line in now.notices:
            if line not in before.notices:
                yield EventKind.NOTICE, line if isinstance(line, Text) else Text(line), ""
    for name in ("keyring_note", "store_note"):
        line = getattr(now, name)
        if line and line != getattr(before, name):
            yield EventKind.SYNC, line if isinstance(line, Text) else Text(line), ""


def _is_private(snapshot: Snapshot) -> bool:
    return snapshot.conversation is not None and snapshot.conversation.private


def _conversation(before: Snapshot, now: Snapshot) -> Iterator[_Event]:
    old, new = before.conversation, now.conversation
    if new is None or (old is not None and (old.handle, old.label) == (new.handle, new.label)):
        return
    if new.private:
        yield EventKind.CONVERSATION, Text("A private conversation is open; nothing of it is noted here"), ""
    else:
        yield EventKind.CONVERSATION, Text("The conversation {label} is open", label=new.label), ""


def _scenario(before: Snapshot, now: Snapshot) -> Iterator[_Event]:
    if before.scenario != now.scenario:
        if now.scenario is None:
            yield EventKind.SCENARIO, Text("No scenario is chosen"), ""
        else:
            yield EventKind.SCENARIO, Text("The scenario is {title}", title=now.scenario.title), ""
    if now.changing and not before.changing:
        yield EventKind.SCENARIO, Text("Another voice or scenario is wanted; it comes with the next session"), ""
    if now.in_force is not None and before.in_force != now.in_force:
        yield EventKind.SCENARIO, Text("The service has taken voice and instructions: {voice}", voice=now.voice), ""


def _error(before: Snapshot, now: Snapshot) -> Iterator[_Event]:
    old, error = before.error, now.error
    if error is None:
        yield EventKind.ERROR, Text("The trouble is over"), ""
    elif old is None or old.reason != error.reason:
        try:
            code = entry_of(Reason(error.reason)).code
        except ValueError:
            code = error.reason
        yield EventKind.ERROR, Text("{code}: {what}", code=code, what=error.what), ""


def _sound(before: Snapshot, now: Snapshot) -> Iterator[_Event]:
    if before.microphone is not now.microphone:
        yield EventKind.TALK, _GATE[now.microphone], ""
    if now.microphone_name and before.microphone_name != now.microphone_name:
        yield EventKind.SOUND, Text("The microphone is {name}", name=now.microphone_name), ""
    if now.speaker_name and before.speaker_name != now.speaker_name:
        yield EventKind.SOUND, Text("The speaker is {name}", name=now.speaker_name), ""
    for name in ("device_note", "input_note"):
        line = getattr(now, name)
        if line and line != getattr(before, name):
            yield EventKind.SOUND, line if isinstance(line, Text) else Text(line), ""


def _turns(before: Snapshot, now: Snapshot) -> Iterator[_Event]:
    if now.conversation is None:
        return
    if before.conversation is None or before.conversation.handle != now.conversation.handle:
        return  # they were said before
    known = {turn.turn_id for turn in before.turns[-8:]}
    for turn in now.turns[-8:]:
        if turn.turn_id not in known and (not before.turns or turn.position > before.turns[-1].position):
            yield EventKind.TURN, _said(turn), turn.turn_id


def _said(turn: Turn) -> Text:
    length = len(turn.heard_text)
    if turn.role is Role.USER:
        return Text.counted("You said 1 character", "You said {n} characters", length)
    return Text.counted("Nova said 1 character", "Nova said {n} characters", length)


def _waiting(count: int) -> Text:
    if not count:
        return Text("Every turn is in the remote store")
    return Text.counted("1 turn waits for the remote store", "{n} turns wait for the remote store", count)
