"""The talk keys of the real program, pressed while another program has the keyboard."""

import subprocess
from collections.abc import Iterator

import pytest

from novadesk.paths import find_folders
from tests.end2end.test_window_stories import Person, heard, roles
from tests.support.desk import Desk
from tests.support.program import Program, shared_program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def program(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with shared_program(tmp_path_factory.mktemp("keys"), desk.env, '[talk]\nmute_key = "f8"\n') as made:
        yield made
        assert made.quit() == 0


@pytest.fixture
def elsewhere(desk: Desk) -> Iterator[str]:
    """Open a window that has nothing to do with us."""
    with subprocess.Popen(["xev"], env=desk.env, stdout=subprocess.DEVNULL) as other:
        try:
            yield desk.find_window("Event Tester")
        finally:
            other.terminate()


def wait_for_microphone(program: Program, state: str) -> None:
    program.wait(lambda status: bool(status) and status["microphone"] == state, f"the microphone to be {state}")


def test_talk_and_mute_keys_work_while_another_program_has_the_keyboard(
    desk: Desk, program: Program, elsewhere: str
) -> None:
    Person(desk, program)
    desk.focus(elsewhere)
    desk.key_down("F9")
    program.wait_for_phase("listening")
    desk.say("my name is anna")
    desk.key_down("F8")
    wait_for_microphone(program, "muted")
    desk.say("what is three plus four")  # to somebody in the room
    desk.key_up("F8")
    wait_for_microphone(program, "open")
    desk.key_up("F9")
    turns = program.wait_for_turns(2)
    assert "anna" in turns[0]["text"].lower()
    assert not {"three", "plus", "four"} & {*turns[0]["text"].lower().split()}
    assert desk.run("xdotool", "getactivewindow").strip() == elsewhere
    program.wait_for_phase("ready")


def test_a_key_that_was_just_shown_to_the_settings_interrupts_an_answer_from_another_program(
    desk: Desk, program: Program, elsewhere: str
) -> None:
    person = Person(desk, program)
    file = find_folders(home=str(program.home)).settings_file
    person.change("hotkey mouse", "space", "F7")
    program.wait(lambda _: 'key = "f9, f7"' in file.read_text(), "the key to be kept")
    desk.focus(elsewhere)
    with desk.recording() as speaker:
        program.ask("say", text="what can you do")
        program.wait_for_phase("speaking")
        heard(program, speaker)
        desk.key_down("F7")
        program.wait_for_phase("listening")
        desk.say("what is three plus four")
        desk.key_up("F7")
    turns = program.wait_for_turns(4)
    assert roles(turns) == ["user", "assistant"] * 2
    assert [turn["interrupted"] for turn in turns[1::2]] == [True, False]
    assert "seven" in turns[3]["text"].lower()
    program.wait_for_phase("ready")
