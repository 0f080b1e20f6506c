"""A turn counts as delivered once, whenever its final text came."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from novadesk.diagnostics.metrics import Measure
from novadesk.models import Turn
from novadesk.store.sync import Sync
from tests.support.remote_rig import RunningServer, running_server
from tests.support.store_rig import MemoryKeychain, RealClock, make_turn
from tests.support.sync_rig import QUICK, computer, remote_state


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "remote.db") as server:
        yield server


class Notes:
    def __init__(self) -> None:
        self.measures: list[Measure] = []

    def note(self, measure: Measure, value: float = 1.0) -> None:
        assert value >= 0
        self.measures.append(measure)


def heard(handle: str, turn_id: str, text: str, *, unconfirmed: bool) -> Turn:
    now_ms = RealClock().unix_ms()
    return make_turn(handle, text, at_ms=now_ms, turn_id=turn_id, unconfirmed=unconfirmed)


@pytest.mark.parametrize("delivered_between", [False, True])
async def test_a_turn_that_is_replaced_is_delivered_once(
    tmp_path: Path, server: RunningServer, delivered_between: bool
) -> None:
    notes = Notes()
    turn_id = "11111111-2222-4333-8444-555555555555"
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), start=False) as here:
        parts = (here.database, here.archive, here.registry, here.remote, RealClock(), lambda: None)
        sync = Sync(*parts, policy=QUICK, meter=notes)
        made = await here.talk()
        await here.archive.append(heard(made.handle, turn_id, "The Rhine", unconfirmed=True))
        if delivered_between:
            sync.start(reading=False)
            assert await sync.settle(60.0)
        await here.archive.append(heard(made.handle, turn_id, "The Rhine is long.", unconfirmed=False))
        sync.kick()
        if not delivered_between:
            sync.start(reading=False)
        assert await sync.settle(60.0)
        await sync.stop()
    assert notes.measures == [Measure.TURN_DELIVERED]
    assert "The Rhine is long." in (await remote_state(server)).texts
