"""The microphone is open in a conversation, and at no other time."""

import time
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.ears import capture_streams
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]

WITHIN_S = 30.0


def wait_for_streams(desk: Desk, count: int) -> None:
    until = time.monotonic() + WITHIN_S
    while len(streams := capture_streams(desk)) != count:
        assert time.monotonic() < until, f"{len(streams)} programs listen, not {count}"
        time.sleep(0.05)


def test_a_capture_stream_exists_from_the_beginning_to_the_end_of_a_conversation(desk: Desk, tmp_path: Path) -> None:
    with Program(tmp_path / "home", desk.env) as program:
        assert program.run("devices").returncode == 0
        assert capture_streams(desk) == []
        program.start()
        wait_for_streams(desk, 1)
        program.ask("end")
        wait_for_streams(desk, 0)
        assert program.run("devices").returncode == 0
        assert capture_streams(desk) == []
        program.ask("new")
        wait_for_streams(desk, 1)
        assert program.quit() == 0
        assert capture_streams(desk) == []
