"""Scenarios as a person without a mouse uses them: choose one, fill in its form, speak, practise again, write one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end2end.test_window_stories import Person
from tests.support.desk import Desk
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]


@pytest.fixture
def program(desk: Desk, tmp_path: Path) -> Iterator[Program]:
    with Program(tmp_path / "home", desk.env) as made:
        yield made


def until(program: Program, **values: Any) -> dict[str, Any]:
    """Wait until the status says all of this; return it."""
    status = program.wait(
        lambda found: found is not None and all(found[name] == value for name, value in values.items()), f"{values}"
    )
    assert status is not None
    return status


def test_an_interview_is_chosen_held_and_practised_again_and_another_scenario_is_written(
    desk: Desk, program: Program
) -> None:
    person = Person(desk, program)
    desk.press("ctrl+b")
    desk.find_window("More ways to begin")
    desk.press("j")
    desk.focus(desk.find_window("Job interview"))
    desk.type_text("Engineer")
    desk.press("Tab")
    desk.type_text("Example")
    desk.press("ctrl+Return")
    first = until(program, scenario="job-interview", phase="ready", microphone="gated")["conversation"]

    desk.focus(person.window)
    desk.key_down("space")
    program.wait_for_phase("listening")
    desk.say("hello how are you")
    desk.key_up("space")
    assert program.wait_for_turns(2)[0]["text"]
    program.wait_for_phase("ready")
    person.ask("my name is anna", turns=4)  # written: what is asked below is whether it is known, not how it is heard
    program.wait_for_phase("ready")
    desk.press("ctrl+e")
    until(program, phase="ended", conversation=first)
    desk.press("ctrl+r")
    again = until(program, scenario="job-interview", phase="ready")["conversation"]
    assert again != first
    assert "Anna" not in person.ask("what is my name", turns=2), "practised from the beginning"

    desk.press("ctrl+shift+b")
    desk.focus(desk.find_window("Scenarios"))
    desk.press("ctrl+n")
    desk.type_text("Tea")
    desk.press("Tab")
    desk.type_text("Chat about tea.")
    desk.press("Tab")
    desk.type_text("tiffany")
    desk.press("Tab", "alt+b")
    until(program, scenario="tea", voice="tiffany", phase="ready")
    assert '"tiffany"' in (program.settings_file.parent / "scenarios" / "tea.toml").read_text()
    assert program.quit() == 0
