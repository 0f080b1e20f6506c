"""The window as a person uses it: mouse, keys, voice, text; what was said is there afterwards."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.end2end.test_deaths import child
from tests.support.desk import Desk
from tests.support.program import Program, shared_program
from tests.support.sound import Recording

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]

# Places in a window of 1120 x 740, from its left upper corner.
TALK = (692, 617)
STOP = (783, 617)
SETTINGS = "^Settings$"


class Person:
    """Somebody at the desktop with NovaDesk's window in front."""

    def __init__(self, desk: Desk, program: Program) -> None:
        self.desk, self.program = desk, program
        program.begin()
        self.window = desk.find_window("NovaDesk$")
        desk.focus(self.window)

    def point(self, place: tuple[int, int]) -> None:
        """Move the pointer to a place in the window."""
        x, y = place
        self.desk.run("xdotool", "mousemove", "--window", self.window, str(x), str(y))

    def click(self, place: tuple[int, int]) -> None:
        """Click with the left button."""
        self.point(place)
        self.desk.run("xdotool", "click", "1")

    def write(self, text: str) -> None:
        """Write a message into the text field and send it."""
        self.desk.press("ctrl+l")
        self.desk.type_text(text)
        self.desk.press("Return")

    def ask(self, text: str, *, turns: int) -> str:
        """Write a message, wait until the newest conversation has so many turns, and return the last one's text."""
        self.write(text)
        answer = self.program.wait_for_turns(turns, first=text if turns == 2 else "")[-1]
        self.program.wait_for_phase("ready")
        return str(answer["text"])

    def change(self, words: str, *keys: str, text: str = "") -> None:
        """Open the settings, look for one, change it by keyboard, and wait until they are closed."""
        desk = self.desk
        desk.focus(self.window)
        desk.press("ctrl+comma")
        desk.focus(desk.find_window(SETTINGS))
        desk.press("ctrl+f")
        desk.type_text(words)
        desk.press("F6", *keys)
        if text:
            desk.type_text(text)
        desk.press("Tab", "Escape", "Escape")  # out of the field, out of the search, out of the settings
        self.program.wait(lambda _: not desk.shows(SETTINGS), "the settings to close")

    def conversation(self) -> str | None:
        """Return the handle of the open conversation."""
        status = self.program.status()
        return status and status["conversation"]


@pytest.fixture(scope="module")
def program(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Give a program that the stories share, each in a conversation of its own; the last ones close it."""
    with shared_program(tmp_path_factory.mktemp("stories"), desk.env, "[window]\nclose_to_tray = false\n") as made:
        yield made
        assert not made.runs or made.quit() == 0


def stored(program: Program) -> int:
    """Return how many conversations `novadesk history` lists."""
    return len(json.loads(program.run("history", "list", "--json").stdout))


def roles(turns: list[dict[str, object]]) -> list[object]:
    return [turn["role"] for turn in turns]


# First come those who talk with the space bar: in the text field, where the others leave the keys, it writes.
def test_the_stop_button_silences_the_answer_and_leaves_space_to_talk(desk: Desk, program: Program) -> None:
    person = Person(desk, program)
    with desk.recording() as speaker:
        program.ask("say", text="what can you do")
        program.wait_for_phase("speaking")
        heard(program, speaker)
        person.click(STOP)
        program.wait(lambda status: bool(status) and status["phase"] != "speaking", "silence")
    assert program.wait_for_turns(2)[1]["interrupted"]
    desk.key_down("space")
    program.wait_for_phase("listening")
    desk.key_up("space")
    program.wait_for_phase("ready", timeout_s=20)  # nothing was said: nothing to think about
    assert len(program.turns()) == 2


def test_the_talk_button_space_and_the_text_field_are_three_ways_to_say_something(desk: Desk, program: Program) -> None:
    person = Person(desk, program)
    person.point(TALK)
    desk.run("xdotool", "mousedown", "1")
    program.wait_for_phase("listening")
    desk.say("my name is anna")
    desk.run("xdotool", "mouseup", "1")
    assert "anna" in program.wait_for_turns(2)[0]["text"].lower()
    program.wait_for_phase("ready")

    desk.key_down("space")
    program.wait_for_phase("listening")
    desk.say("what is three plus four")
    desk.key_up("space")
    assert "seven" in program.wait_for_turns(4)[3]["text"].lower()
    program.wait_for_phase("ready")

    person.write("thank you")  # here the space bar writes, and does not talk
    turns = program.wait_for_turns(5)
    assert roles(turns)[:5] == ["user", "assistant", "user", "assistant", "user"]
    assert [turn["typed"] for turn in turns[::2]] == [False, False, True]


def test_an_older_conversation_is_opened_from_the_list_and_remembered(desk: Desk, program: Program) -> None:
    person = Person(desk, program)
    before = stored(program)
    assert "Anna" in person.ask("my name is anna", turns=2)
    first = person.conversation()
    desk.press("ctrl+n")
    program.wait(lambda status: bool(status) and status["conversation"] != first, "a new conversation")
    program.wait_for_phase("ready")
    assert "Anna" not in person.ask("what is three plus four", turns=2)
    desk.press("ctrl+l", "F6")  # from the text field to the list
    desk.press("Down", "Return")
    program.wait(lambda status: bool(status) and status["conversation"] == first, "the first conversation")
    status = program.wait(lambda status: bool(status) and status["phase"] == "ready", "the link")
    assert status is not None
    assert status["recovered_turns"] == 2
    assert "Anna" in person.ask("what is my name", turns=4)
    desk.press("ctrl+e")
    program.wait_for_phase("ended")
    assert stored(program) == before + 2


def test_a_question_typed_as_the_server_dies_is_still_answered_once(desk: Desk, program: Program) -> None:
    person = Person(desk, program)
    os.kill(child(program, "serve"), signal.SIGKILL)
    assert "seven" in person.ask("what is three plus four", turns=2).lower()
    assert roles(program.turns()) == ["user", "assistant"]


def test_a_second_start_brings_the_first_window_to_the_front_and_ends(desk: Desk, program: Program) -> None:
    person = Person(desk, program)
    window = desk.find_window("NovaDesk")
    desk.run("xdotool", "windowminimize", "--sync", window)
    with subprocess.Popen(program.command, env=program.env, stderr=subprocess.PIPE, text=True) as second:
        _, words = second.communicate(timeout=60)
    assert (second.returncode, words) == (0, "")
    desk.run("xdotool", "search", "--sync", "--onlyvisible", "--name", "NovaDesk")
    assert person.conversation() is not None
    program.wait_for_phase("ready")


@pytest.mark.parametrize("keys", ["alt+F4", "ctrl+q"])
def test_closing_the_window_in_an_answer_loses_nothing_and_leaves_nothing(
    desk: Desk, program: Program, keys: str
) -> None:
    Person(desk, program)
    with desk.recording() as speaker:
        program.ask("say", text="what can you do")
        program.wait_for_phase("speaking")
        heard(program, speaker)
        assert program.leave(lambda: desk.press(keys)) == 0
    turns = program.turns()
    assert roles(turns) == ["user", "assistant"]
    assert turns[1]["text"], "what was heard of the answer is kept"


def heard(program: Program, speaker: Recording) -> None:
    """Wait until a quarter of a second of the answer has come out of the speaker."""
    program.wait(lambda _: int((abs(speaker.samples) > 1000).sum()) > 6_000, "some words to be heard")
