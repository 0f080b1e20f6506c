"""The keychain against the real secret service of a private desktop."""

import json
import subprocess
import sys
from collections.abc import Iterator

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
