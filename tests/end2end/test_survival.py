"""The promise: speak, be answered, lose the process to kill -9, start again, and the conversation is remembered."""

import sys
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]


def ask_aloud(program: Program, desk: Desk, text: str) -> None:
    """Hold the talk key on the desktop, say it into the microphone, let go."""
    desk.key_down("F9")
    try:
        program.wait_for_phase("listening")
        desk.say(text)
    finally:
        desk.key_up("F9")


def keyring_entries(desk: Desk) -> int:
    """Return how many entries NovaDesk has in the desktop's keyring."""
    count = (
        "import secretstorage as s; c = s.get_default_collection(s.dbus_init()); "
        "print(sum(1 for i in c.search_items({'service': 'novadesk'})))"
    )
    return int(desk.run(sys.executable, "-c", count))


def test_a_spoken_conversation_survives_kill_9_and_is_remembered(desk: Desk, tmp_path: Path) -> None:
    with Program(tmp_path / "home", desk.env) as program:
        entries = keyring_entries(desk)
        program.start()
        program.wait_for_phase("ready")
        with desk.recording() as speaker:
            ask_aloud(program, desk, "my name is anna")
            first = program.wait_for_turns(2)
            program.wait_for_phase("ready")
            answer = speaker.samples
        assert [turn["role"] for turn in first] == ["user", "assistant"]
        assert "anna" in first[0]["text"].lower() + first[1]["text"].lower()
        assert abs(answer).max() > 1000, "the answer was not heard at the speaker"

        assert keyring_entries(desk) == entries + 1, "the remote session has its entry in the keyring"
        assert all(turn["sync"] == "synced" for turn in program.turns())

        program.kill()
        assert [turn["text"] for turn in program.turns()] == [turn["text"] for turn in first]

        program.start()
        program.wait_for_phase("ready")
        status = program.status()
        assert status is not None
        assert status["recovered_turns"] == 2
        ask_aloud(program, desk, "what did we talk about")
        turns = program.wait_for_turns(4)
        assert [turn["text"] for turn in turns[:2]] == [turn["text"] for turn in first]
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2
        assert "anna" in turns[3]["text"].lower()
        program.wait_for_phase("ready")
        assert program.quit() == 0
