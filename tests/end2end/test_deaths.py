"""Whatever dies, the conversation goes on: the sound engine, the local server, the window itself by a fault."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end2end.test_survival import ask_aloud
from tests.support.atspi import Reader
from tests.support.desk import Desk
from tests.support.program import Program, children, shared_program
from tests.support.sound import Samples

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def program(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Give a program that several stories use, each in a new conversation."""
    with shared_program(tmp_path_factory.mktemp("deaths"), desk.env) as made:
        yield made
        assert made.quit() == 0


def find(program: Program, word: str) -> list[int]:
    """Return the child processes of the program whose command has this word."""
    found = []
    for pid in children(program.pid):
        with contextlib.suppress(OSError):  # it may be gone by now
            if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                found.append(pid)
    return found


def child(program: Program, word: str) -> int:
    """Return the only such child process."""
    (pid,) = find(program, word)
    return pid


def loud(samples: Samples) -> int:
    """Return how many samples are clearly sound."""
    return int((abs(samples) > 1000).sum())


async def test_a_crash_costs_no_word_and_is_there_to_be_read_at_the_next_start(desk: Desk, tmp_path: Path) -> None:
    with Program(tmp_path / "home", desk.env) as program:
        program.start()
        program.wait_for_phase("ready")
        program.ask("say", text="my name is anna")
        said = program.wait_for_turns(2)
        program.kill(signal.SIGSEGV)  # as a fault in a library of the system does

        program.start()
        preview = desk.find_window("NovaDesk met a fault")
        async with Reader.listening(desk.env) as reader:
            tree = await reader.tree("NovaDesk")
            assert tree is not None
            tree.find("label", "NovaDesk met a fault the last time it ran.")
            report = await reader.text(tree.find("text", "Report"))
        assert "Segmentation fault" in report
        assert 'File "novadesk/app/window.py"' in report
        assert "anna" not in report.lower()
        desk.focus(preview)
        desk.press("Escape")
        program.wait_for_phase("ready")
        assert [turn["text"] for turn in program.turns()] == [turn["text"] for turn in said]
        assert program.quit() == 0


def test_the_engine_dies_and_the_next_exchange_is_spoken_as_ever(desk: Desk, program: Program) -> None:
    program.begin()
    engine = child(program, "engine")
    os.kill(engine, signal.SIGKILL)
    program.wait(lambda _: find(program, "engine") not in ([], [engine]), "another engine")
    program.wait(lambda status: bool(status) and status["microphone"] == "gated", "the microphone to come back")
    with desk.recording() as speaker:
        ask_aloud(program, desk, "hello how are you today")
        turns = program.wait_for_turns(2)
        program.wait_for_phase("ready")
        assert abs(speaker.samples).max() > 1000
    assert [turn["role"] for turn in turns] == ["user", "assistant"]


def test_the_engine_dies_within_an_answer_and_the_rest_is_heard(desk: Desk, program: Program) -> None:
    program.begin()
    with desk.recording() as speaker:
        program.ask("say", text="what can you do")
        program.wait(lambda _: loud(speaker.samples) > 12_000, "some words to be heard")
        os.kill(child(program, "engine"), signal.SIGKILL)
        before = loud(speaker.samples)
        program.wait_for_turns(2)
        program.wait_for_phase("ready")
        assert loud(speaker.samples) > before + 24_000, "the rest of the answer was not heard"


def test_the_server_dies_and_the_conversation_is_remembered(desk: Desk, program: Program) -> None:
    program.begin()
    program.ask("say", text="my name is anna")
    program.wait_for_turns(2)
    program.wait_for_phase("ready")
    os.kill(child(program, "serve"), signal.SIGKILL)
    program.wait(lambda status: bool(status) and status["phase"] != "ready", "the loss to be noticed")
    program.wait_for_phase("ready")
    program.ask("say", text="what is my name")
    turns = program.wait_for_turns(4)
    assert "anna" in turns[3]["text"].lower()
    program.wait_for_phase("ready")


def test_the_talk_key_interrupts_and_the_record_ends_where_the_person_stopped_listening(
    desk: Desk, program: Program
) -> None:
    program.begin()
    with desk.recording() as speaker:
        program.ask("say", text="what can you do")
        program.wait_for_phase("speaking")
        program.wait(lambda _: loud(speaker.samples) > 12_000, "some words to be heard")
        desk.key_down("F9")
        program.wait_for_phase("listening")
        desk.key_up("F9")
    program.ask("say", text="thank you")
    turns = program.wait_for_turns(4)
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant"]
    cut = turns[1]
    assert cut["interrupted"]
    assert cut["heard_chars"] is None or cut["heard_chars"] < len(cut["text"])
    program.wait_for_phase("ready")
