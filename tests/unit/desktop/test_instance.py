# ruff: noqa: ASYNC240
import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from novadesk.desktop import control
from novadesk.desktop.corelock import CoreLock
from novadesk.desktop.instance import ControlServer
from novadesk.errors import KnownError, Reason
from tests.support.leaks import LogWatch

HOLD = """
import sys
from pathlib import Path
from novadesk.desktop.corelock import CoreLock
lock = CoreLock(Path(sys.argv[1]))
lock.acquire("talk")
print("held", flush=True)
sys.stdin.read()
"""


async def echo(request: dict[str, Any]) -> dict[str, Any]:
    return {"echo": request}


async def ask(path: Path, request: dict[str, Any], deadline_s: float = 60.0) -> dict[str, Any]:
    return await asyncio.to_thread(control.send, path, request, deadline_s)


@pytest.fixture(params=[False, True], ids=["socket", "loopback"])
def loopback(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    return folder / "control.sock"


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = CoreLock(tmp_path / "core.lock"), CoreLock(tmp_path / "core.lock")
    first.acquire("window")
    with pytest.raises(KnownError) as caught:
        second.acquire("talk")
    assert caught.value.reason is Reason.ALREADY_RUNNING
    assert str(os.getpid()) in caught.value.what
    assert "window" in caught.value.what
    assert first.held
    assert not second.held
    first.release()
    first.release()
    second.acquire("talk")
    assert second.holder() is not None
    second.release()
    assert stat.S_IMODE((tmp_path / "core.lock").stat().st_mode) == 0o600


def test_a_killed_holder_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "core.lock"
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(KnownError, match=f"process {process.pid}, talk"):
            CoreLock(file).acquire("window")
        process.send_signal(signal.SIGKILL)
        process.wait()
        lock = CoreLock(file)
        lock.acquire("window")
        holder = lock.holder()
        assert holder is not None
        assert (holder.pid, holder.role) == (os.getpid(), "window")
        lock.release()


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = CoreLock(tmp_path / "core.lock")
    lock.acquire("window")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lock.release()
        other = CoreLock(tmp_path / "core.lock")
        other.acquire("window")
        other.release()
        child.communicate(b"\n")


async def test_a_request_gets_its_answer(path: Path, loopback: bool) -> None:
    server = ControlServer(path, echo, loopback=loopback)
    await server.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await ask(path, {"do": "status", "text": "süß 🎤"}) == {"echo": {"do": "status", "text": "süß 🎤"}}
    await server.stop()
    await server.stop()
    assert not path.exists()
    with pytest.raises(KnownError) as caught:
        await ask(path, {})
    assert caught.value.reason is Reason.NOT_RUNNING


async def test_known_errors_reach_the_client(path: Path, loopback: bool) -> None:
    async def fail(request: dict[str, Any]) -> dict[str, Any]:
        raise KnownError(Reason.UNKNOWN_CONVERSATION, "No such conversation.", "Look it up.")

    server = ControlServer(path, fail, loopback=loopback)
    await server.start()
    with pytest.raises(KnownError) as caught:
        await ask(path, {})
    assert (caught.value.reason, caught.value.what) == (Reason.UNKNOWN_CONVERSATION, "No such conversation.")
    await server.stop()


async def test_a_fault_of_ours_is_logged_and_refused(path: Path, expected_logs: LogWatch) -> None:
    expected_logs.allow("A control request failed")

    async def fail(request: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError

    server = ControlServer(path, fail)
    await server.start()
    with pytest.raises(KnownError) as caught:
        await ask(path, {})
    assert caught.value.reason is Reason.CONTROL_REFUSED
    assert [record.exc_info[0] for record in expected_logs.records if record.exc_info] == [ZeroDivisionError]
    await server.stop()


async def test_a_handler_ends_at_the_clients_deadline(path: Path) -> None:
    cancelled = asyncio.Event()

    async def never(request: dict[str, Any]) -> dict[str, Any]:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return {}

    server = ControlServer(path, never)
    await server.start()
    with pytest.raises(KnownError) as caught:
        await ask(path, {}, 0.2)
    assert caught.value.reason is Reason.TIMED_OUT
    async with asyncio.timeout(60):
        await cancelled.wait()
    await server.stop()


@pytest.mark.parametrize(
    "line",
    [
        b"\n", b"garbage\n", b"[]\n", b"null\n", b'{"protocol": 1}\n', b'{"protocol": 1, "request": 5}\n',
        b'{"protocol": 2, "request": {}}\n', b'{"protocol": 1, "request": {}, "deadline_s": NaN}\n',
        b'{"protocol": 1, "request": {}, "deadline_s": -1}\n', b"[" * 60_000 + b"\n", b"\xff\xfe\n",
        b"x" * 200_000 + b"\n",
    ],
)  # fmt: skip
async def test_senseless_lines_are_refused_and_cost_nothing(path: Path, line: bytes) -> None:
    server = ControlServer(path, echo)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(line)
    answer = json.loads(await asyncio.wait_for(reader.readline(), 60))
    assert answer["error"]["reason"] == Reason.CONTROL_REFUSED.value
    assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()
    assert await ask(path, {"a": 1}) == {"echo": {"a": 1}}
    await server.stop()


async def test_silent_and_vanished_clients_do_not_block_others(path: Path) -> None:
    server = ControlServer(path, echo, patience_s=0.3, most_clients=3)
    await server.start()
    silent = [await asyncio.open_unix_connection(str(path)) for _ in range(3)]
    silent[0][1].write(b'{"protocol"')
    assert await asyncio.wait_for(silent[0][0].read(), 60) == b"", "dropped after the patience"
    vanished, request = await asyncio.open_unix_connection(str(path))
    request.write(b'{"protocol": 1, "request": {}}\n')
    request.transport.abort()
    for reader, _ in silent:
        await asyncio.wait_for(reader.read(), 60)
    assert await ask(path, {}) == {"echo": {}}
    del vanished
    for _, writer in silent:
        writer.close()
    await server.stop()


async def test_clients_past_the_ceiling_are_refused(path: Path) -> None:
    server = ControlServer(path, echo, most_clients=1)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b'{"protocol": 1, "request": {}}\n')
    await reader.readline()
    with pytest.raises(KnownError) as caught:
        await ask(path, {})
    assert caught.value.reason is Reason.CONTROL_REFUSED
    writer.close()
    await server.stop()


def test_who_is_refused_before_it_has_asked_hears_why(tmp_path: Path) -> None:
    refusal = b'{"protocol": 1, "error": {"reason": "control.refused", "what": "Too many.", "advice": "Wait."}}\n'
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control"))
        listener.listen()

        def refuse() -> None:
            channel, _ = listener.accept()
            channel.sendall(refusal)
            channel.close()

        refusing = threading.Thread(target=refuse)
        connected = control._connected

        def connect_and_be_refused(channel: socket.socket, address: Any, until: float) -> socket.socket:
            connected(channel, address, until)
            refusing.join()
            return channel

        refusing.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(control, "_connected", connect_and_be_refused)
            with pytest.raises(KnownError, match="Too many") as caught:
                control.send(tmp_path / "control", {})
    assert caught.value.reason is Reason.CONTROL_REFUSED


async def test_a_client_that_does_not_read_is_dropped(path: Path) -> None:
    async def long(request: dict[str, Any]) -> dict[str, Any]:
        return {"long": "x" * 3_000_000}

    server = ControlServer(path, long, patience_s=0.2)
    await server.start()
    lazy = socket.socket(socket.AF_UNIX)
    lazy.setblocking(False)
    await asyncio.get_running_loop().sock_connect(lazy, str(path))
    await asyncio.get_running_loop().sock_sendall(lazy, b'{"protocol": 1, "request": {}}\n')
    async with asyncio.timeout(60):
        while not server._clients:
            await asyncio.sleep(0.01)
        while server._clients:
            await asyncio.sleep(0.01)
    lazy.close()
    assert len((await ask(path, {}))["long"]) == 3_000_000
    await server.stop()


async def test_a_dead_socket_is_replaced_and_a_live_one_is_not(path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    first = ControlServer(path, echo)
    await first.start()
    assert await ask(path, {}) == {"echo": {}}
    with pytest.raises(KnownError) as caught:
        await ControlServer(path, echo).start()
    assert caught.value.reason is Reason.ALREADY_RUNNING
    assert await ask(path, {}) == {"echo": {}}
    await first.stop()


async def test_a_path_too_long_for_a_socket_still_works(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir(mode=0o700)
    short = control.socket_path(folder / "control.sock")
    assert len(str(short)) < 104
    server = ControlServer(folder / "control.sock", echo)
    await server.start()
    assert stat.S_IMODE(short.parent.stat().st_mode) == 0o700
    assert await ask(folder / "control.sock", {}) == {"echo": {}}
    await server.stop()
    assert not short.exists()


async def test_a_folder_open_to_others_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(KnownError) as caught:
        await ControlServer(folder / "control.sock", echo).start()
    assert caught.value.reason is Reason.CONTROL_REFUSED


async def test_without_the_secret_nothing_is_answered(path: Path) -> None:
    server = ControlServer(path, echo, loopback=True)
    await server.start()
    port = json.loads(path.read_text())["port"]
    for secret in ({}, {"secret": ""}, {"secret": "guessed"}):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(json.dumps({"protocol": 1, "request": {}, **secret}).encode() + b"\n")
        assert b"control.refused" in await asyncio.wait_for(reader.readline(), 60)
        writer.close()
    await server.stop()


@pytest.mark.parametrize(
    "line",
    [b"{}\n", b"garbage\n", b'{"protocol": 7, "answer": {}}\n', b'{"protocol": 1, "answer": 5}\n',
     b'{"protocol": 1, "error": {}}\n', b'{"protocol": 1, "error": {"reason": "new", "what": "", "advice": ""}}\n'],
)  # fmt: skip
async def test_a_senseless_answer_is_a_known_error(path: Path, line: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(line)
        writer.close()

    server = await asyncio.start_unix_server(answer, str(path))
    with pytest.raises(KnownError) as caught:
        await ask(path, {})
    assert caught.value.reason is Reason.CONTROL_REFUSED
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_core_that_goes_away_over_a_question_is_not_there(path: Path, reset: bool) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not reset:  # else the question lies unread, and the system says so
            await reader.readline()
        writer.close()

    server = await asyncio.start_unix_server(leave, str(path))
    with pytest.raises(KnownError) as caught:
        await ask(path, {"long": "x" * 50_000})
    assert caught.value.reason is Reason.NOT_RUNNING
    server.close()
    await server.wait_closed()


def test_a_mute_core_is_given_up_at_the_deadline(path: Path) -> None:
    mute = socket.socket(socket.AF_UNIX)
    mute.bind(str(path))
    mute.listen()
    with mute, pytest.raises(KnownError) as caught:
        control.send(path, {}, 0.2)
    assert caught.value.reason is Reason.TIMED_OUT


def test_the_client_imports_the_standard_library_only() -> None:
    program = "import sys, novadesk.desktop.control; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    foreign = {n for n in loaded if n not in sys.stdlib_module_names and not n.startswith("_")} - {
        "novadesk",
        "sitecustomize",
        "usercustomize",
    }
    assert not foreign
    assert not {"asyncio", "PySide6", "numpy", "boto3"} & set(loaded)
