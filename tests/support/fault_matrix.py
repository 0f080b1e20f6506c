"""The fault matrix: every trouble in every state of a conversation, on virtual time, and what became of it."""

import asyncio
import math
from collections import Counter
from dataclasses import dataclass

from novadesk.conversation.api import Phase
from novadesk.errors import Reason
from tests.support.fault_states import STATES, State
from tests.support.fault_troubles import TROUBLES, Trouble
from tests.support.fault_world import LIVE, RESTING, World, run_in_world

__all__ = ["STATES", "TROUBLES", "Cell", "State", "Trouble", "check_books", "run_cell"]

ACT_S = 1.0
QUIET_S = 90.0
NOTICED_S = 0.1


@dataclass(slots=True)
class Cell:
    """What became of a trouble in a state.

    Attributes:
        failed: the reason that the person was told, or None when the conversation went on by itself.
        rested: the conversation went to rest instead, and went on with the person's next press.
        moved: the wire session that carried the conversation is dead.
        back_s: seconds until the conversation went on: from the trouble, its end, or the person's wish to go on.
        attempts: attempts to connect until then.
    """

    failed: Reason | None = None
    rested: bool = False
    moved: bool = False
    back_s: float = 0.0
    attempts: int = 0

    def words(self) -> str:
        """Return it as the table shows it; times are rounded up to half seconds."""
        time = f"{math.ceil(self.back_s * 2 - 1e-3) / 2:g} s"
        if self.failed is not None:
            return f"**{self.failed.value.split('.')[1].replace('_', ' ')}** → {time}"
        if self.rested:
            return f"rests → {time}"
        if self.back_s < NOTICED_S:
            return "hand-over" if self.moved else "·"
        return time


def run_cell(trouble: Trouble, state: State) -> Cell:
    """Run one cell and hold it to all that is promised."""
    cell = Cell()

    async def work(world: World) -> None:
        await state.bring(world)
        asked, attempts, carrier = world.in_flight(), len(world.service.attempts), world.service.carrier
        await trouble.strike(world)
        since = world.time
        heal_at = world.time + trouble.lasts_s
        if world.now.phase in RESTING:
            await asyncio.sleep(ACT_S)
            since = world.time
            _go_on(world)
        await _come_through(world, trouble, cell, since, heal_at)
        cell.moved = carrier is not None and carrier.broken
        cell.attempts = len(world.service.attempts) - attempts
        bound_s = trouble.bound_s + state.waits_s
        assert cell.back_s <= bound_s, f"took {cell.back_s:.1f} s, more than {bound_s:g} s"
        await world.must(lambda: world.now.phase is Phase.READY and not world.now.live, "quiet", QUIET_S)
        await world.exchange(9)
        if asked is not None and cell.failed is None and state.keeps_question and not cell.rested:
            assert world.was_answered(asked), "the question that was in flight never got its answer"
        await check_books(world)
        check_lines(world)

    run_in_world(work, **state.options)
    return cell


def _go_on(world: World) -> None:
    """Do what a person does to go on: Try now after a failure, else open the conversation again."""
    if world.now.phase is Phase.FAILED:
        assert world.now.error is not None
        assert world.now.error.what
        assert world.now.error.advice
        world.controller.try_now()
    else:
        world.connect()


async def _come_through(world: World, trouble: Trouble, cell: Cell, since: float, heal_at: float) -> None:
    """Wait until the conversation goes on; heal the trouble in its time, help where only the person can."""
    if trouble.heal is not None:
        await world.until(lambda: world.well() or world.now.phase is Phase.FAILED, heal_at - world.time)
        touched = not world.well()
        cell.back_s = world.time - since
        if not touched:
            await _talk_meanwhile(world)
            await asyncio.sleep(max(0.0, heal_at - world.time))
        trouble.heal(world)
        since = max(since, world.time)
    else:
        touched = True
    await world.must(lambda: world.well() or world.now.phase in RESTING, "back, or an honest failure")
    cell.rested = touched and world.now.phase in (Phase.IDLE, Phase.ENDED)
    if world.now.phase is Phase.FAILED:
        assert world.now.error is not None
        cell.failed = Reason(world.now.error.reason)
    if world.now.phase in RESTING:
        await asyncio.sleep(ACT_S)
        since = world.time
        _go_on(world)
        await world.must(world.well, "back after the person's wish")
    assert world.now.phase in LIVE
    if touched:
        cell.back_s = world.time - since


async def _talk_meanwhile(world: World) -> None:
    """Go on talking while something behind the conversation is broken: the disk has all, and the count is true."""
    if world.disk.full:
        return
    await world.must(lambda: world.now.phase is Phase.READY and not world.now.live, "quiet", QUIET_S)
    await world.exchange(5)
    assert world.missing() or world.runtime.down is None
    await world.must(
        lambda: world.now.pending_sync == len(world.missing()), "a true count of what waits to be delivered", 15.0
    )


async def check_books(world: World, *, crossing: bool = False) -> None:
    """Compare what the service heard and said, what is on disk, and what is in the session store.

    Args:
        world: what is compared.
        crossing: the person talked before an answer was confirmed: the disk keeps what began first before what began
            later, whatever was confirmed first.
    """
    local = world.local()
    texts = [(turn.role, turn.text) for turn in local if not turn.unconfirmed and not turn.typed]
    said = world.service.delivered
    assert texts == said or (crossing and Counter(texts) == Counter(said)), f"on disk {texts}, said {said}"
    assert len(set(texts)) == len(texts), "nothing is there twice"
    told = [turn.text for turn in local]
    assert len(set(told)) == len(told), "no unconfirmed text stays beside its confirmed one"
    history = [message.text for message in world.service.carrier.history or ()] if world.service.carrier else []
    stored = [turn.heard_text for turn in local]
    assert is_told(history, stored), f"told {history}, stored {stored}"
    twice = [link.told_twice() for link in world.service.links if link.told_twice()]
    assert not twice, f"told as history and asked as well: {twice}"
    assert await world.delivered(), f"{world.now.pending_sync} turns were never delivered: {world.store.sync.note}"
    assert world.remote() == told, f"in the session store {world.remote()}, on disk {told}"


def check_lines(world: World) -> None:
    """Hold the passing lines to one for each outage, once a link carries the conversation again."""
    carried = [*(spell.before for spell in world.spells[1:]), world.carried]
    for spell, until in zip(world.spells, carried, strict=True):
        assert len(spell.lines) <= 1, f"more than one line: {spell.lines}"
        if spell.troubled and until > spell.before:
            assert spell.lines[-1].startswith("Back after"), f"only {spell.lines}"


def is_told(history: list[str], stored: list[str]) -> bool:
    """Return whether a history tells what is stored, in order; an answer may have been cut after it was told."""
    rest = iter(stored)
    return all(any(told.startswith(kept) or kept.startswith(told) for kept in rest) for told in history)
