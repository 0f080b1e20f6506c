"""`novadesk logout` with the desktop's real keyring, beside the running program and without it."""

import sys
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]


def entries(desk: Desk) -> int:
    """Return how many entries NovaDesk has in the desktop's keyring."""
    count = (
        "import secretstorage as s; c = s.get_default_collection(s.dbus_init()); "
        "print(sum(1 for i in c.search_items({'service': 'novadesk'})))"
    )
    return int(desk.run(sys.executable, "-c", count))


def log_out(program: Program) -> str:
    done = program.run("logout")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_logging_out_empties_the_keyring_and_keeps_every_conversation(desk: Desk, tmp_path: Path) -> None:
    before = entries(desk)
    with Program(tmp_path / "home", desk.env) as program:
        program.start()
        program.wait_for_phase("ready")
        program.ask("say", text="my name is anna")
        program.wait_for_turns(2)
        program.wait(lambda status: bool(status) and status["pending_sync"] == 0, "delivery")
        assert entries(desk) == before + 1

        assert log_out(program) == "1 keyring entry was removed. All conversations stay here.\n"
        assert entries(desk) == before
        assert log_out(program).startswith("0 keyring entries were removed.")

        program.wait_for_phase("ready")
        program.ask("say", text="what is my name")
        program.wait_for_turns(4)
        program.wait(lambda status: bool(status) and status["pending_sync"] == 0, "delivery")
        assert program.quit() == 0

        log_out(program)
        assert entries(desk) == before
        texts = [turn["text"] for turn in program.turns()]
        assert texts[::2] == ["my name is anna", "what is my name"]
