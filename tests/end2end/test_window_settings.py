"""The real window begun with other settings than a new one, with settings that are none, and on a silent desktop."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from novadesk.paths import find_folders
from tests.end2end.test_window_stories import Person, heard, roles
from tests.support.desk import Desk
from tests.support.program import Program, shared_program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]


@pytest.fixture
def program(desk: Desk, tmp_path: Path) -> Iterator[Program]:
    with Program(tmp_path / "home", desk.env) as made:
        yield made


@pytest.fixture(scope="module")
def hands_free(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Give a program that listens without a key; whoever else speaks at the desktop comes before."""
    with shared_program(tmp_path_factory.mktemp("hands free"), desk.env, '[talk]\nmode = "hands_free"\n') as made:
        yield made
        assert not made.runs or made.quit() == 0


def test_the_settings_keep_what_makes_sense_at_once_and_nothing_else(desk: Desk, program: Program) -> None:
    person = Person(desk, program)
    file = find_folders(home=str(program.home)).settings_file
    person.change("accent", "ctrl+a", text="tina")
    program.wait(lambda _: 'voice = "tina"' in file.read_text(), "the voice to be written")
    person.change("hotkey mouse", "space", "F8")  # while the voice comes into force
    program.wait(lambda _: 'key = "f9, f8"' in file.read_text(), "the key to be written")
    person.change("cough", "space", "F9")  # which talks already
    assert program.quit() == 0
    assert 'key = "f9, f8"' in file.read_text()
    assert "mute_key" not in file.read_text()


def test_without_a_sound_server_the_conversation_is_held_in_writing(desk: Desk, tmp_path: Path) -> None:
    env = {**desk.env, "PULSE_SERVER": f"unix:{tmp_path}/nowhere"}
    with Program(tmp_path / "home", env) as program:
        program.start()
        program.wait_for_phase("ready")
        status = program.wait(lambda status: bool(status) and status["error"] is not None, "word of the missing sound")
        assert status is not None
        assert status["error"]["layer"] == "audio"
        program.ask("say", text="what is three plus four")
        assert "seven" in program.wait_for_turns(2)[1]["text"].lower()
        program.wait_for_phase("ready")
        assert program.quit() == 0


def test_hands_free_takes_two_questions_without_a_key_and_stops_for_a_third(desk: Desk, hands_free: Program) -> None:
    Person(desk, hands_free)
    desk.say("my name is anna")
    hands_free.wait_for_turns(2)
    hands_free.wait_for_phase("ready")
    with desk.recording() as speaker:
        desk.say("what can you do")
        hands_free.wait_for_phase("speaking")
        heard(hands_free, speaker)
        desk.say("what is three plus four")
    turns = hands_free.wait_for_turns(6)
    assert roles(turns) == ["user", "assistant"] * 3
    assert [turn["interrupted"] for turn in turns[1::2]] == [False, True, False]
    assert "seven" in turns[5]["text"].lower()
    hands_free.wait_for_phase("ready")


def test_a_broken_settings_file_costs_neither_the_start_nor_a_word_of_it(desk: Desk, hands_free: Program) -> None:
    assert hands_free.quit() == 0
    broken = '[voice]\nvoice = "tina\n'
    hands_free.settings(broken)
    file = find_folders(home=str(hands_free.home)).settings_file
    person = Person(desk, hands_free)
    status = hands_free.status()
    assert status is not None
    assert status["microphone"] == "open", "the settings that worked last are not in use"
    assert file.read_text() == broken
    assert "line 2" in hands_free.run("doctor").stdout
    person.change("loudness beep", "Left")
    hands_free.wait(lambda _: "cue_volume" in file.read_text(), "the change to be written")
    assert file.with_name("settings.broken-1.toml").read_text() == broken
    assert "hands_free" in file.read_text()
    assert hands_free.quit() == 0
