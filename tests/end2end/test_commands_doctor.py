"""`novadesk doctor` and `novadesk devices`: what is said of a healthy and of an ailing machine."""

import json
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.atspi import Reader
from tests.support.commands import CommandLine, exchange, write_wav
from tests.support.desk import Desk
from tests.support.program import Program

PRACTICE, BEDROCK = "Practice partner (local)", "Amazon Bedrock"


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


def examine(line: CommandLine, env: dict[str, str] | None = None) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run the doctor; return its exit code and the findings by name."""
    result = line.run("doctor", "--json", env=env)
    assert result.err == ""
    report = json.loads(result.out)
    assert report.keys() == {"ok", "findings"}
    assert result.code == (0 if report["ok"] else 1)
    for finding in report["findings"]:
        assert finding.keys() == {"name", "ok", "needed", "what", "advice", "code"}
        assert finding["what"]
        assert finding["ok"] or (finding["advice"] and finding["code"].startswith("ND-"))
    return result.code, {finding["name"]: finding for finding in report["findings"]}


def test_a_machine_without_sound_keyring_and_display_is_fit_for_talk(line: CommandLine) -> None:
    code, findings = examine(line)
    assert code == 0
    assert findings[PRACTICE]["ok"]
    assert [name for name, finding in findings.items() if finding["needed"]] == [
        "settings", "store", "practice parts", PRACTICE,
    ]  # fmt: skip
    assert findings["sync"]["ok"]
    people = line.run("doctor")
    assert people.code == 0
    assert f"  ok  {PRACTICE}: answered" in people.out


def test_one_fault_is_found_once(line: CommandLine) -> None:
    line.settings("[voice]\ntemperature = 3\n")
    code, findings = examine(line)
    assert code == 1
    assert [name for name, finding in findings.items() if finding["needed"] and not finding["ok"]] == ["settings"]
    assert "temperature" in findings["settings"]["what"]


def test_a_damaged_store_is_found_and_left(line: CommandLine) -> None:
    file = line.folders.make().database
    file.write_text("this was a database")
    code, findings = examine(line)
    assert code == 1
    assert "damaged" in findings["store"]["what"]
    assert findings[PRACTICE]["ok"]
    assert file.read_text() == "this was a database"


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, findings = examine(CommandLine(tmp_path / "file" / "home"))
    assert code == 1
    assert str(tmp_path / "file") in findings["settings"]["what"]


def test_bedrock_with_and_without_keys(line: CommandLine, tmp_path: Path) -> None:
    line.settings("[backend]\nkind = 'bedrock'\n")
    code, findings = examine(line)
    assert code == 1
    assert "no AWS keys" in findings[BEDROCK]["what"]
    assert (findings["sync"]["ok"], findings["sync"]["needed"]) == (False, False)
    with CommandLine(tmp_path / "elsewhere").partner(*exchange("hello", "Hello.")) as address:
        keys = {
            "AWS_ACCESS_KEY_ID": address["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": address["secret_access_key"],
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": address["bedrock_tls"],
            "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": address["agent_runtime"],
            "AWS_CA_BUNDLE": address["ca_file"],
        }
        code, findings = examine(line, keys)
        assert (code, findings[BEDROCK]["ok"], findings["sync"]["ok"]) == (0, True, True)
        code, findings = examine(line, {**keys, "AWS_CA_BUNDLE": ""})
        assert (code, findings[BEDROCK]["ok"]) == (1, False)


class Denying(BaseHTTPRequestHandler):
    """A session store that lets nobody in."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("x-amzn-ErrorType", "AccessDeniedException")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def denying() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Denying) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def closed() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


def test_a_session_store_out_of_reach_is_a_note(tmp_path: Path) -> None:
    """Voice works without it: what is said stays on this computer."""
    stores = {denying: "no access", silent: "too long", closed: "cannot be reached"}
    with CommandLine(tmp_path / "elsewhere").partner(*exchange("hello", "Hello.")) as address:
        keys = {
            "AWS_ACCESS_KEY_ID": address["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": address["secret_access_key"],
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": address["bedrock_tls"],
            "AWS_CA_BUNDLE": address["ca_file"],
        }

        def examine_without(store: Callable[[], AbstractContextManager[str]]) -> tuple[int, dict[str, dict[str, Any]]]:
            line = CommandLine(tmp_path / store.__name__)
            line.settings("[backend]\nkind = 'bedrock'\n")
            with store() as endpoint:
                return examine(line, {**keys, "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": endpoint})

        with ThreadPoolExecutor() as side_by_side:
            examined = list(side_by_side.map(examine_without, stores))
    for (code, findings), words in zip(examined, stores.values(), strict=True):
        assert (code, findings[BEDROCK]["ok"]) == (0, True)
        assert (findings["sync"]["ok"], findings["sync"]["needed"]) == (False, False)
        assert words in findings["sync"]["what"]


def test_without_the_window_s_library_there_is_still_a_doctor_and_a_sentence(line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['PySide6'] = None\n")
    env = {"PYTHONPATH": str(tmp_path), "DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}
    line.settings("[backend]\nkind = 'gateway'\n")  # which needs no server to say no
    code, findings = examine(line, env)
    assert code == 1
    assert (findings["window"]["ok"], findings["window"]["code"]) == (False, "ND-DESK-04")
    assert findings["settings"]["ok"]
    line.run(env=env).check_known("desktop", "does not load", "novadesk doctor")
    people = line.run("doctor", "--bundle", tmp_path / "bundle.zip", env=env)
    assert f"The bundle is {tmp_path / 'bundle.zip'}" in people.out
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert "window: BAD ND-DESK-04" in bundle.read("report.txt").decode()


def test_a_display_that_is_none_is_found_and_said(line: CommandLine, tmp_path: Path) -> None:
    line.settings("[backend]\nkind = 'gateway'\n")
    env = {"QT_QPA_PLATFORM": "", "DISPLAY": ":7777", "WAYLAND_DISPLAY": "", "XDG_RUNTIME_DIR": str(tmp_path)}
    line.run(env=env).check_known("desktop", "No window can be opened", "novadesk doctor")
    _, findings = examine(line, env)
    assert (findings["window"]["ok"], findings["window"]["code"]) == (False, "ND-DESK-01")
    assert "DISPLAY" in findings["window"]["advice"]


def test_no_display_for_the_window(line: CommandLine) -> None:
    result = line.run(env={"QT_QPA_PLATFORM": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""})
    result.check_known("desktop", "no display", "novadesk talk")


@pytest.mark.rig
@pytest.mark.timeout(240)
async def test_what_keeps_the_window_from_starting_is_shown_and_the_doctor_finds_the_same(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "home"
    line = CommandLine(home, {**desk.env, "NOVADESK_HOME": str(home)})
    with line.started() as window:
        box = desk.find_window("^NovaDesk$", timeout_s=60.0)
        async with Reader.listening(desk.env) as reader:
            tree = await reader.tree("NovaDesk")
            assert tree is not None
            words = " ".join(node.name for node in tree.all())
        assert f"{home} cannot be used (Not a directory)." in words
        assert "Error ND-STORE-01 (store)." in words
        desk.focus(box)
        desk.press("Escape")
        window.end().check_known("store", "cannot be used")
    code, findings = examine(line)
    assert (code, findings["settings"]["code"]) == (1, "ND-STORE-01")


@pytest.mark.rig
@pytest.mark.timeout(240)
def test_a_desktop_with_everything(desk: Desk, tmp_path: Path) -> None:
    """Devices and doctor on a healthy desktop; the window's core is driven by the same commands as that of `talk`."""
    with Program(tmp_path / "home", desk.env) as program:
        line = CommandLine(program.home)
        line.env = dict(program.env)
        devices = json.loads(line.run("devices", "--json").out)
        assert devices.keys() == {"microphones", "speakers"}
        assert devices["microphones"]
        assert devices["speakers"]
        assert devices["microphones"][0] in line.run("devices").out

        program.start()
        program.wait_for_phase("ready")
        code, findings = examine(line)
        assert (code, [name for name, finding in findings.items() if not finding["ok"]]) == (0, [])
        (status,) = line.run("ctl", "status", "--json").rows
        assert (status["phase"], status["microphone"]) == ("ready", "gated")
        assert line.run("ctl", "say", "my name is anna").code == 0
        turns = program.wait_for_turns(2)
        assert turns[0]["typed"] is True
        wav = write_wav(tmp_path / "in.wav", b"\x10\x00" * 16_000)
        line.run("talk", "--in", wav).check_known("control", f"process {program.pid}", "window")
        assert program.quit() == 0
