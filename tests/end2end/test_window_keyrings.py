"""A desktop whose keyring is locked or missing: the conversation is held, kept and remembered all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.desk import Desk, Keyring
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]


@pytest.fixture(params=[Keyring.ABSENT, Keyring.LOCKED], ids=lambda kind: kind.value, scope="module")
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with Desk(keyring=request.param) as made:
        yield made


def titles(desk: Desk) -> list[str]:
    """Return the titles of all visible windows."""
    found = desk.run("xdotool", "search", "--onlyvisible", "--name", ".").split()
    return [desk.run("xdotool", "getwindowname", window).strip() for window in found]


def test_a_keyring_that_cannot_be_used_neither_blocks_nor_nags(desk: Desk, tmp_path: Path) -> None:
    with Program(tmp_path / "home", desk.env) as program:
        program.start()
        program.wait_for_phase("ready")
        program.ask("say", text="my name is anna")
        program.wait_for_turns(2)
        program.wait(lambda status: bool(status) and status["pending_sync"] == 0, "delivery")
        program.wait_for_phase("ready")
        assert all("NovaDesk" in title for title in titles(desk) if title), "nothing asks for a password"
        program.kill()

        program.start()
        program.wait_for_phase("ready")
        program.ask("say", text="what is my name")
        turns = program.wait_for_turns(3)
        assert [turn["text"] for turn in turns[::2]] == ["my name is anna", "what is my name"]
        program.wait(lambda status: bool(status) and status["pending_sync"] == 0, "delivery")
        assert all(turn["sync"] == "synced" for turn in program.turns()[:3])
        assert program.quit() == 0
