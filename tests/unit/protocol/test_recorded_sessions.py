"""Whole wire sessions, written out as the service writes them, replayed through both ends.

A line of tests/data/sessions/*.jsonl is one of: `client` or `service` (an event on the wire), `played` (the speaker's
count of samples), `about` (words), `expect` (what must come of it, last).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from novadesk.protocol import session_events as told
from novadesk.protocol.codec import decode_input, decode_output
from novadesk.protocol.events import (
    AudioStart,
    InputEvent,
    OutputEvent,
    PromptStart,
    SessionStart,
    TextInput,
    TextStart,
    UnknownEvent,
)
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.session import NovaSession, Setup, Side, State
from novadesk.protocol.transcript import Transcript, TurnText

FOLDER = Path(__file__).parents[2] / "data" / "sessions"
FILES = sorted(FOLDER.glob("*.jsonl"))


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def payload_of(document: Any) -> bytes:
    return json.dumps(document).encode()


def opening_of(lines: list[dict[str, Any]]) -> tuple[Setup, list[HistoryMessage]]:
    """Return what a client must be told to open the session as recorded."""
    events = [decode_input(payload_of(line["client"])) for line in lines if "client" in line]
    before_audio = events[: next(index for index, event in enumerate(events) if isinstance(event, AudioStart))]
    start, prompt = before_audio[:2]
    assert isinstance(start, SessionStart)
    assert isinstance(prompt, PromptStart)
    roles = [event.role for event in before_audio if isinstance(event, TextStart)]
    texts = [event.content for event in before_audio if isinstance(event, TextInput)]
    history = [HistoryMessage(role, text) for role, text in zip(roles[1:], texts[1:], strict=True)]
    return Setup(session=start, prompt=prompt, system_prompt=texts[0]), history


def without_names(events: list[InputEvent]) -> list[InputEvent]:
    """Return the events with their content names numbered in order of appearance."""
    numbers: dict[str, int] = {}
    plain: list[InputEvent] = []
    for event in events:
        if not isinstance(event, UnknownEvent) and hasattr(event, "content_name"):
            fields = {name: getattr(event, name) for name in event.__dataclass_fields__}
            fields["content_name"] = str(numbers.setdefault(event.content_name, len(numbers)))
            plain.append(type(event)(**fields))
        else:
            plain.append(event)
    return plain


def test_there_are_sessions() -> None:
    assert {file.stem for file in FILES} >= {"normal", "barge_in", "tool", "doubled_captions"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_client_understands_the_session(file: Path) -> None:
    lines = lines_of(file)
    expected = lines[-1]["expect"]
    session, transcript = NovaSession(Side.CLIENT), Transcript()
    setup, history = opening_of(lines)
    session.start(setup, 0.0)
    session.accepted(0.0)
    session.open_audio(history, 0.0)
    happened: list[told.SessionEvent] = []
    turns: dict[str, TurnText] = {}

    def settle() -> None:
        for event in session.events_received():
            happened.append(event)
            turns.update((turn.turn_id, turn) for turn in transcript.feed(event))

    for line in lines:
        if "service" in line:
            session.receive(payload_of(line["service"]), 1.0)
            settle()
        elif "played" in line:
            transcript.played(line["played"])
    session.link_closed(2.0)
    settle()
    turns.update((turn.turn_id, turn) for turn in transcript.expire())

    assert not [event for event in happened if isinstance(event, told.Violated)]
    assert [
        {"role": turn.role.value, "text": turn.text}
        | ({"interrupted": True} if turn.interrupted else {})
        | ({"unconfirmed": True} if turn.unconfirmed else {})
        for turn in turns.values()
    ] == expected["turns"]
    assert sum(isinstance(event, told.TurnEnded) for event in happened) == expected["turns_ended"]
    assert sum(isinstance(event, told.Interrupted) for event in happened) == expected["interrupted"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_server_finds_no_fault_with_the_session(file: Path) -> None:
    session = NovaSession(Side.SERVER)
    sent: list[OutputEvent] = []
    for line in lines_of(file):
        if "client" in line:
            session.receive(payload_of(line["client"]), 0.0)
        elif "service" in line:
            sent.append(decode_output(payload_of(line["service"])))
            session.send(sent[-1], 0.0)
    assert not [event for event in session.events_received() if isinstance(event, told.Violated | told.UnknownReceived)]
    assert [decode_output(payload) for payload in session.events_to_send()] == sent
    assert session.state in (State.ENDING, State.OPEN)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_client_writes_the_session(file: Path) -> None:
    lines = lines_of(file)
    recorded = [decode_input(payload_of(line["client"])) for line in lines if "client" in line]
    session = NovaSession(Side.CLIENT)
    setup, history = opening_of(lines)
    session.start(setup, 0.0)
    session.accepted(0.0)
    session.open_audio(history, 0.0)
    for line in lines:
        if "service" in line:
            session.receive(payload_of(line["service"]), 1.0)
        event = decode_input(payload_of(line["client"])) if "client" in line else None
        match event.__class__.__name__:
            case "AudioInput":
                session.send_audio(event.pcm, 1.0)  # type: ignore[union-attr]
            case "ToolResult":
                (asked,) = [e for e in session.events_received() if isinstance(e, told.ToolRequested)]
                assert asked.arguments == '{"zone": "Europe/Vienna"}'
                session.send_tool_result(asked.tool_use_id, event.content, 1.0)  # type: ignore[union-attr]
            case "PromptEnd":
                session.end(1.0)
    written = [decode_input(payload) for payload in session.events_to_send()]
    assert without_names(written) == without_names(recorded)
