"""The report about a real conversation, its recording played again, and the metrics, all from the command line."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from novadesk.diagnostics.recorder import read_dump
from tests.support.commands import CommandLine, Running, exchange, spoken, write_wav
from tests.support.replay import received_events, replay_wire
from tests.support.replay_bench import recorded_phases, replay
from tests.support.voices import silence

HEARD = "Hello from the Zugspitze."
ANSWER = "The Zugspitze is a mountain in Bavaria, near Garmisch."
TYPED = "My password is Schneefernerhaus."
SECOND_ANSWER = "I shall forget Schneefernerhaus at once."
SENTINELS = ("zugspitze", "schneeferner", "garmisch", "mountain")


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


def hold_conversation(line: CommandLine, tmp_path: Path) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Return the lines of `talk`, what `ctl report` said, and the server's address."""
    wav = spoken(tmp_path / "one.wav", "hello there")
    script = [
        *exchange(HEARD, ANSWER, ms=900),
        {"on_text": "", "delay_ms": 400, "do": "say", "text": SECOND_ANSWER, "ms": 700},
    ]
    with line.partner(*script) as address, line.started("talk", "--in", wav, "--json") as talk:
        talk.wait_for_line(ANSWER)
        wait_for_phase(line, "ready")
        assert line.run("ctl", "say", TYPED).code == 0
        talk.wait_for_line(SECOND_ANSWER)
        wait_for_phase(line, "ready")
        said = line.run("ctl", "report", "--json")
        assert (said.code, said.err) == (0, "")
        result = end(talk)
    return result, said.rows[0], address


def wait_for_phase(line: CommandLine, phase: str) -> None:
    for _ in range(50):
        if line.run("ctl", "status", "--json").rows[0]["phase"] == phase:
            return
    raise AssertionError(phase)


def end(talk: Running) -> list[dict[str, Any]]:
    result = talk.end(30.0)
    assert (result.code, result.err) == (0, "")
    return result.rows


def test_a_report_tells_all_but_what_was_said(line: CommandLine, tmp_path: Path) -> None:
    rows, said, address = hold_conversation(line, tmp_path)
    assert said["protocol"] == 1
    report, recording = Path(said["report"]), Path(said["recording"])
    for file in (report, recording):
        assert file.parent.parent == line.folders.state
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(report.parent.stat().st_mode) == 0o700
    dump = recording.read_text(encoding="utf-8")
    written = report.read_text(encoding="utf-8") + dump
    assert "phase: ready" in written
    assert "turns shown: 4" in written
    assert "textOutput" in written

    (handle,) = {row["conversation"] for row in rows if row["type"] == "turn"}
    secrets = [*SENTINELS, handle, handle.rsplit("_", 1)[1], address["access_key_id"], address["secret_access_key"]]
    secrets.append(str(address["pid"]) if address["pid"] > 99_999 else handle)
    for secret in secrets:
        assert secret.casefold() not in written.casefold(), secret

    # Through the protocol core alone.
    happened, turns = replay_wire(received_events(dump))
    assert [(turn.role.value, len(turn.text)) for turn in turns] == [
        ("user", len(HEARD)),
        ("assistant", len(ANSWER)),
        ("assistant", len(SECOND_ANSWER)),
    ]
    assert "Violated" not in happened

    # Through a whole controller: the same turns, and phases in the same order.
    again = replay(dump)
    assert again.turns == [
        ("user", len(HEARD), False),
        ("assistant", len(ANSWER), False),
        ("user", len(TYPED), False),
        ("assistant", len(SECOND_ANSWER), False),
    ]
    phases = recorded_phases(dump)
    assert phases[0] == "connecting"
    assert phases.count("speaking") == 2
    following = iter(again.phases)
    assert all(phase in following for phase in phases), "in the same order"
    lasting = [[phase for phase in shown if phase != "thinking"] for shown in (again.phases, phases)]
    assert lasting[0] == lasting[1], "thinking may be over within one look, and is in the replay alone then"
    assert any(event.ours for event in read_dump(dump))


def test_metrics_of_a_conversation_and_its_resumption(line: CommandLine, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "long.wav", silence(60_000))
    answer = {"on_text": "", "do": "say", "text": SECOND_ANSWER, "ms": 300}
    with line.partner(answer, {"do": "repeat"}):
        for _ in range(2):  # the second one goes on with the conversation of the first
            with line.started("talk", "--in", wav, "--json") as talk:
                talk.wait_for_line('"ready"')
                assert line.run("ctl", "say", TYPED).code == 0
                talk.wait_for_line(SECOND_ANSWER)
                assert line.run("ctl", "quit").code == 0
                end(talk)
    done = line.run("metrics", "--json")
    assert (done.code, done.err) == (0, "")
    found = {row["name"]: row for row in json.loads(done.out)}
    assert (found["session_recovery_rate"]["value"], found["session_recovery_rate"]["samples"]) == (100.0, 1)
    assert found["history_load_time"]["samples"] == 1
    assert found["history_load_time"]["value"] < 2.0
    assert (found["reconnects"]["value"], found["samples_lost"]["value"]) == (0, 0)
    assert found["persistence_success_rate"]["samples"] == 0  # too young to be judged
    assert not any(row["alert"] for row in found.values())
    assert len(line.run("metrics").out.splitlines()) == len(found)


def test_a_report_needs_a_running_core(line: CommandLine) -> None:
    line.run("ctl", "report").check_known("control")
