"""The keychain against the real secret service of a private desktop."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.desk import KEYRING_PASSWORD, Desk, Keyring

pytestmark = [pytest.mark.rig, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Secret Service")]

ASK = """
import asyncio, json, sys
from novadesk.desktop.keychain import Keychain
from novadesk.errors import KnownError

async def main():
    keychain = Keychain("novadesk-contract")
    seen = []
    for step in sys.argv[1:]:
        name, *values = step.split(",")
        limits = {"deadline_s": float(values.pop())} if name == "unlock" else {}
        try:
            seen.append(await getattr(keychain, name)(*values, **limits))
        except KnownError as error:
            seen.append(error.reason.value)
    print(json.dumps(seen))

asyncio.run(main())
"""


def start(desk: Desk, *steps: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", ASK, *steps],
        env=desk.env | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ask(desk: Desk, *steps: str, **environment: str) -> list[str | None]:
    return answers(start(desk, *steps, **environment))


def answers(process: "subprocess.Popen[str]") -> list[str | None]:
    output, errors = process.communicate(timeout=60)
    assert errors == ""
    return list(json.loads(output))


@pytest.fixture
def locked_desk() -> Iterator[Desk]:
    with Desk(keyring=Keyring.LOCKED) as desk:
        yield desk


@pytest.fixture
def bare_desk() -> Iterator[Desk]:
    with Desk(keyring=Keyring.ABSENT) as desk:
        yield desk


def test_round_trip(desk: Desk) -> None:
    assert ask(desk, "get,a", "set,a,wört 🎤", "get,a", "delete,a", "delete,a", "get,a") == [
        None, None, "wört 🎤", None, None, None,
    ]  # fmt: skip
    ask(desk, "set,kept," + "x" * 1280)
    assert ask(desk, "get,kept", "delete,kept") == ["x" * 1280, None], "another process reads it"


def test_a_locked_keyring_is_told_without_asking_for_the_password(locked_desk: Desk) -> None:
    assert ask(locked_desk, "get,a", "set,a,c", "delete,a") == ["keyring.locked"] * 3
    assert ask(locked_desk, "unlock,0.5", "get,a") == ["keyring.timed_out"] * 2


def test_the_person_unlocks_the_keyring(locked_desk: Desk) -> None:
    asking = start(locked_desk, "unlock,60", "set,a,b", "get,a")
    locked_desk.focus(locked_desk.find_window("Unlock"))
    locked_desk.type_text(KEYRING_PASSWORD)
    locked_desk.press("Return")
    assert answers(asking) == [None, None, "b"]


def test_no_service(bare_desk: Desk) -> None:
    assert ask(bare_desk, "get,a", "set,a,b", "delete,a") == ["keyring.absent"] * 3


def test_no_bus(desk: Desk) -> None:
    assert ask(desk, "get,a", DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent") == ["keyring.absent"]


BUS_THAT_REFUSES = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={socket}</listen><policy context="default">
<allow send_destination="*"/><allow eavesdrop="true"/><allow own="*"/>
<deny send_destination="org.freedesktop.secrets"/></policy></busconfig>
"""

OWN_THE_NAME = """
import time
from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection

bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
connection = open_dbus_connection(bus="SESSION")
connection.send_and_get_reply(new_method_call(bus, "RequestName", "su", ("org.freedesktop.secrets", 0)))
print("owned", flush=True)
time.sleep(60)
"""


def test_a_bus_that_keeps_the_program_from_the_service(desk: Desk, tmp_path: Path) -> None:
    """As a sandbox does."""
    config, socket = tmp_path / "bus.conf", tmp_path / "bus"
    config.write_text(BUS_THAT_REFUSES.format(socket=socket))
    own = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={socket}"}
    running = [
        subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"],
            stdout=subprocess.PIPE, text=True,
        )
    ]  # fmt: skip
    try:
        assert running[0].stdout is not None
        assert running[0].stdout.readline()
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", OWN_THE_NAME], env=desk.env | own, stdout=subprocess.PIPE, text=True
            )
        )
        assert running[1].stdout is not None
        assert running[1].stdout.readline() == "owned\n"
        assert ask(desk, "get,a", "set,a,b", "delete,a", **own) == ["keyring.denied"] * 3
    finally:
        for process in reversed(running):
            process.terminate()
            process.communicate(timeout=60)
