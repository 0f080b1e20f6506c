"""Trying the access: what is tried for whom, in which order, and where it stops."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from novadesk.app import access
from novadesk.app.access import tries, try_access
from novadesk.app.practice import PracticeServer
from novadesk.config import BackendSettings, Settings
from novadesk.conversation.firststeps import AccessStep, StepState
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.text import Text

UNUSED = cast(PracticeServer, None)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (BackendKind.PRACTICE, ["Parts", "Voice", "Session store"]),
        (BackendKind.BEDROCK, ["AWS sign-in", "Voice", "Session store"]),
        (BackendKind.GATEWAY, ["Voice"]),
    ],
)
def test_each_backend_is_tried_by_its_own_steps(kind: BackendKind, names: list[str]) -> None:
    found = tries(Settings(backend=BackendSettings(kind=kind)), UNUSED)
    assert [name for name, _, _ in found] == names
    assert [name for name, needed, _ in found if not needed] == [name for name in names if name == "Session store"]


async def test_no_keys_are_said_by_the_first_step_of_bedrock(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[AccessStep] = []
    settings = Settings(backend=BackendSettings(kind=BackendKind.BEDROCK, profile="nobody"))
    assert not await try_access(settings, UNUSED, told.append)
    assert [(step.name, step.state) for step in told] == [
        ("AWS sign-in", StepState.RUNNING),
        ("AWS sign-in", StepState.FAILED),
    ]
    assert "nobody" in told[-1].what


def work(error: KnownError | None) -> Callable[[], Awaitable[str]]:
    async def do() -> str:
        if error is not None:
            raise error
        return Text("fine")

    return do


DENIED = KnownError(Reason.SYNC_DENIED, "No access.", "Ask for bedrock:ListSessions.")


@pytest.mark.parametrize(
    ("fails", "works", "last"),
    [
        ({}, True, ("store", StepState.DONE)),
        ({"store": DENIED}, True, ("store", StepState.FAILED)),
        ({"voice": DENIED}, False, ("voice", StepState.FAILED)),
    ],
    ids=["all", "without the store", "without the voice"],
)
async def test_what_is_needed_decides(
    monkeypatch: pytest.MonkeyPatch, fails: dict[str, KnownError], works: bool, last: tuple[Any, ...]
) -> None:
    found = tuple((Text(name), name == "voice", work(fails.get(name))) for name in ("voice", "store"))
    monkeypatch.setattr(access, "tries", lambda *_: found)
    told: list[AccessStep] = []
    assert await try_access(Settings(), UNUSED, told.append) is works
    assert (told[-1].name, told[-1].state) == last
    assert told[-1].advice == (DENIED.advice if last[1] is StepState.FAILED else "")
