"""A flight recording played again: through the protocol core alone, and as the service of a controller."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from novadesk.diagnostics.recorder import Recorded, Recorder, read_dump
from novadesk.models import BackendKind
from novadesk.protocol import session_events as told
from novadesk.protocol.events import PromptStart, SessionStart
from novadesk.protocol.link import Accepted, Arrived, Closed, LinkMessage
from novadesk.protocol.session import NovaSession, Setup, Side
from novadesk.protocol.transcript import Transcript, TurnText

STEP_S = 0.05
OPENING_S = 0.1


def record_file(file: Path) -> str:
    """Return the dump of a session of tests/data/sessions, one event each 50 ms."""
    recorder = Recorder()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        if "client" in row:
            recorder.sent(1, json.dumps(row["client"]).encode(), number * STEP_S)
        elif "service" in row:
            recorder.received(1, json.dumps(row["service"]).encode(), number * STEP_S)
    return recorder.dump()


def played_counts(file: Path) -> list[tuple[float, int]]:
    """Return when the speaker had played how much, on the clock of `record_file`."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [(number * STEP_S, row["played"]) for number, row in enumerate(rows) if "played" in row]


def raw_events(file: Path) -> list[tuple[float, bytes]]:
    """Return the service's events as they are in the file."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        (number * STEP_S, json.dumps(row["service"]).encode()) for number, row in enumerate(rows) if "service" in row
    ]


def received_events(dump: str) -> list[tuple[float, bytes]]:
    """Return the service's events of a dump."""
    return [(event.at_s, event.payload) for event in read_dump(dump) if not event.ours]


def replay_wire(
    events: Iterable[tuple[float, bytes]], played: Iterable[tuple[float, int]] = ()
) -> tuple[list[str], list[TurnText]]:
    """Feed the service's events to a client core; return the kinds of what happened, and the turns."""
    session, transcript = NovaSession(Side.CLIENT), Transcript()
    prompt = PromptStart(prompt_name="11111111-2222-4333-8444-555555555555", voice_id="matthew")
    session.start(Setup(session=SessionStart(), prompt=prompt, system_prompt="Be kind."), 0.0)
    session.accepted(0.0)
    _open(session)
    happened: list[told.SessionEvent] = []
    turns: dict[str, TurnText] = {}

    def settle() -> None:
        for event in session.events_received():
            happened.append(event)
            turns.update((turn.turn_id, turn) for turn in transcript.feed(event))

    moments: list[tuple[float, bytes | int]] = sorted([*events, *played], key=lambda moment: moment[0])
    for at_s, moment in moments:
        if isinstance(moment, int):
            transcript.played(moment)
        else:
            session.receive(moment, at_s)
            settle()
    session.link_closed(moments[-1][0] + 1)
    settle()
    turns.update((turn.turn_id, turn) for turn in transcript.expire())
    return [type(event).__name__ for event in happened], list(turns.values())


def _open(session: NovaSession) -> None:
    session.open_audio((), 0.0)


def shape(turns: Sequence[TurnText]) -> list[tuple[Any, ...]]:
    """Return what a recording keeps of turns: everything but the words."""
    return [
        (turn.role, len(turn.text), turn.interrupted, turn.unconfirmed, turn.heard_chars is not None) for turn in turns
    ]


class RecordedLink:
    """A link whose service says what a recording of one wire session says, at the recording's pace."""

    unheard_s = 0.0

    def __init__(self, events: Sequence[Recorded], begin_s: float, *, ends: bool) -> None:
        self.closed = False
        self.expires_at_ms: int | None = None
        self._events, self._ends = events, ends
        self._ahead_s = begin_s - asyncio.get_running_loop().time()
        self._messages: asyncio.Queue[LinkMessage] = asyncio.Queue()
        self._player: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await asyncio.sleep(OPENING_S)
        self._messages.put_nowait(Accepted())
        self._player = asyncio.create_task(self._play(), name="recorded-service")

    async def send(self, payload: bytes) -> None:
        assert payload

    async def receive(self) -> LinkMessage:
        message = await self._messages.get()
        if isinstance(message, Closed):
            self._messages.put_nowait(message)
        return message

    async def finish(self) -> None:
        self._messages.put_nowait(Closed(None))

    async def close(self) -> None:
        self.closed = True
        self._messages.put_nowait(Closed(None))
        if self._player is not None:
            self._player.cancel()
            await asyncio.gather(self._player, return_exceptions=True)

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        for event in self._events:
            await asyncio.sleep(max(0.0, event.at_s - self._ahead_s - loop.time()))
            self._messages.put_nowait(Arrived(event.payload))
        if self._ends:
            self._messages.put_nowait(Closed(None))


class RecordedLinker:
    """Makes a link for each wire session of a recording, in their order; afterwards links that stay silent."""

    kind = BackendKind.PRACTICE

    def __init__(self, dump: str) -> None:
        events = read_dump(dump)
        generations = list(dict.fromkeys(event.generation for event in events))
        self._sessions = [[event for event in events if event.generation == number] for number in generations]
        self.links: list[RecordedLink] = []

    async def link(self) -> RecordedLink:
        number = len(self.links)
        events = self._sessions[number] if number < len(self._sessions) else []
        begin_s = events[0].at_s if events else 0.0
        service = [event for event in events if not event.ours]
        self.links.append(RecordedLink(service, begin_s, ends=number + 1 < len(self._sessions)))
        return self.links[-1]
