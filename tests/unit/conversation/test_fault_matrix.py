"""Every trouble in every state of a conversation, on virtual time; the committed table is what this test finds."""

from pathlib import Path

import pytest

from novadesk.conversation.supervisor import VERDICTS, Verdict
from novadesk.server.faults import Fault
from tests.support.fault_matrix import STATES, TROUBLES, Cell, State, Trouble, run_cell
from tests.support.fault_outcomes import STORE, VOICE
from tests.support.fault_table import render
from tests.support.leaks import LogWatch

pytestmark = pytest.mark.thorough

SECTION = Path(__file__).resolve().parents[3] / "docs" / "reliability" / "10-faults.md"

_found: dict[tuple[str, str], Cell] = {}


@pytest.fixture(autouse=True)
def _allow_what_troubles_log(expected_logs: LogWatch) -> None:
    expected_logs.allow("sync is put off")


def find(trouble: Trouble, state: State) -> Cell:
    key = (trouble.name, state.name)
    if key not in _found:
        _found[key] = run_cell(trouble, state)
    return _found[key]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_a_trouble_in_every_state(trouble: Trouble) -> None:
    broken = []
    for state in STATES:
        try:
            cell = find(trouble, state)
        except AssertionError as error:
            broken.append(f"{state.name}: {error}")
            continue
        if (fault := Fault.__members__.get(trouble.name)) in VOICE and cell.failed is not None:
            assert VERDICTS[cell.failed] is Verdict.FAIL
            assert VOICE[fault].reason is cell.failed, "what the person is told is what the link raised"
    assert not broken, "\n".join(broken)


def test_every_fault_that_the_server_commits_is_in_the_matrix() -> None:
    assert {trouble.name for trouble in TROUBLES} >= {fault.name for fault in Fault}
    assert set(VOICE) | set(STORE) == set(Fault)
    assert len({trouble.name for trouble in TROUBLES}) == len(TROUBLES)


@pytest.mark.timeout(600)  # by itself it runs the whole matrix
def test_the_committed_table_is_what_is_found() -> None:
    results = {(trouble.name, state.name): find(trouble, state) for trouble in TROUBLES for state in STATES}
    assert SECTION.read_text(encoding="utf-8") == render(results), "run scripts/reliability.py --faults"
