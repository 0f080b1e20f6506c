"""Scenarios of the running core: what the window asks for, and `novadesk ctl new --scenario`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from novadesk.app.control import ControlHandler
from novadesk.app.scenarioshelf import ScenarioShelf
from novadesk.builtin_scenarios import BUILT_IN
from novadesk.cli import main
from novadesk.conversation.api import Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.paths import find_folders
from novadesk.scenario import Chosen, Scenario, choose

TEA = Scenario(name="tea", title="Tea", prompt="Chat about tea.")
JOB = next(one for one in BUILT_IN if one.name == "job-interview")
VALUES = {"title": "Engineer", "company": "Example"}


class Told:
    """A controller and a core that note what they are told."""

    def __init__(self, shelf: ScenarioShelf) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.pull = None
        self.choose_scenario = shelf.choose_scenario
        unused = cast(Any, None)
        self.control = ControlHandler(cast(Any, self), unused, unused, unused, cast(Any, self))

    def snapshot(self) -> Snapshot:
        return Snapshot(scenario=choose(TEA, {}))

    async def begin_anew(self, *, private: bool = False, scenario: Chosen | None = None) -> None:
        self.calls.append(("new", private, scenario))

    async def pause(self) -> None:
        self.calls.append(("pause",))

    def resume_conversation(self) -> None:
        self.calls.append(("resume",))


@pytest.fixture
def shelf(tmp_path: Path) -> ScenarioShelf:
    made = ScenarioShelf()
    made._folders = find_folders(home=str(tmp_path / "home")).make()
    return made


async def test_what_is_kept_is_listed_as_ones_own_until_it_is_removed(shelf: ScenarioShelf) -> None:
    await shelf.keep_scenario(TEA)
    (shelf._folders.config / "scenarios" / "odd.toml").touch()
    found = await shelf.scenarios()
    assert TEA in found.scenarios
    assert set(BUILT_IN) < set(found.scenarios)
    assert (found.own, found.broken) == ({"tea"}, ("odd.toml",))
    with pytest.raises(KnownError):
        await shelf.keep_scenario(TEA)
    await shelf.keep_scenario(TEA, force=True)
    await shelf.remove_scenario("tea")
    assert TEA not in (await shelf.scenarios()).scenarios


@pytest.mark.parametrize(
    ("request_", "call"),
    [
        ({"do": "new"}, ("new", False, None)),
        ({"do": "new", "private": True}, ("new", True, None)),
        (
            {"do": "new", "private": True, "scenario": "job-interview", "values": VALUES},
            ("new", True, choose(JOB, VALUES)),
        ),
        ({"do": "again"}, ("new", False, choose(TEA, {}))),
        ({"do": "pause"}, ("pause",)),
        ({"do": "resume"}, ("resume",)),
        ({"do": "new", "private": 1}, Reason.BAD_INPUT),
        ({"do": "new", "scenario": None, "values": VALUES}, Reason.BAD_INPUT),
        ({"do": "new", "scenario": "none"}, Reason.BAD_INPUT),
        ({"do": "new", "scenario": "job-interview"}, Reason.BAD_INPUT),
    ],
)
async def test_the_control_channel_begins_with_a_scenario(
    shelf: ScenarioShelf, request_: dict[str, Any], call: tuple[Any, ...] | Reason
) -> None:
    told = Told(shelf)
    if isinstance(call, Reason):
        with pytest.raises(KnownError) as caught:
            await told.control(request_)
        assert (caught.value.reason, told.calls) == (call, [])
    else:
        assert (await told.control(request_))["done"] is True
        assert told.calls == [call]


def test_the_command_sends_what_was_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Mapping[str, Any]] = []

    def send(_path: Path, request: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        sent.append(request)
        return {}

    monkeypatch.setattr("novadesk.desktop.control.send", send)
    assert main(["ctl", "new", "--scenario", "job-interview", "--set", "title=Engineer", "--set", "company=A=B"]) == 0
    assert main(["ctl", "again"]) == 0
    assert sent == [
        {"do": "new", "scenario": "job-interview", "values": {"title": "Engineer", "company": "A=B"}},
        {"do": "again"},
    ]
