"""Reads a conversation back from Agent Runtime: all along its chain, for its owner only, in order."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from novadesk.diagnostics.metrics import Measure, Meter
from novadesk.errors import KnownError, Reason
from novadesk.models import Turn, no_such_conversation
from novadesk.server.gateway.remote_chain import is_owned, sessions_of
from novadesk.server.gateway.state import RemoteChain, SessionStore
from novadesk.store.agentruntime import RemoteSession, RemoteSessions, RemoteStatus, StepSummary
from novadesk.store.metadata import KEY_PREDECESSOR, KEY_SUCCESSOR
from novadesk.store.pause import Clock
from novadesk.store.remoteclient import MAX_PARALLEL
from novadesk.store.steps import decode_turn
from novadesk.store.together import together

_MAX_LINKS = 100
_NOT_THERE = (Reason.SYNC_SESSION_CLOSED, Reason.BAD_REQUEST)
_HOLD_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHistory:
    """What Agent Runtime has of a conversation.

    Attributes:
        turns: in order, each once.
        newest: the remote session that takes the next step.
        number: its place in the chain.
        begun_ms: Unix milliseconds at which it was made.
        steps: steps it has.
        last_step_ms: Unix milliseconds of the newest step of all.
    """

    turns: Sequence[Turn] = field(repr=False)
    newest: str = field(repr=False)
    number: int
    begun_ms: int
    steps: int
    last_step_ms: int


class HistoryReader:
    """Reads histories.

    Args:
        remote: the remote session store.
        clock: monotonic seconds and Unix milliseconds.
        meter: told `RESUME_TRIED`, and `RESUME_COMPLETE` and `LOAD` (milliseconds) when a history is there whole.
    """

    def __init__(self, remote: RemoteSessions, clock: Clock, *, meter: Meter | None = None) -> None:
        self._remote = remote
        self._clock = clock
        self._note: Callable[..., None] = meter.note if meter is not None else _unmeasured

    async def load(self, owner: str, bedrock_session_id: str) -> RemoteHistory:
        """Return the conversation that a remote session belongs to, wherever in its chain that is.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` when it is not there, is another owner's or is not a gateway's, or when
                its newest session takes no more; otherwise what is wrong with the remote side.
        """
        begun = self._clock.now()
        try:
            chain = await self._chain(owner, bedrock_session_id)
        except KnownError:
            self._note(Measure.RESUME_TRIED)
            raise
        if not chain:
            raise no_such_conversation()
        self._note(Measure.RESUME_TRIED)
        newest = chain[-1]
        steps = [await self._steps(one.session_id) for one in chain]
        turns = await self._turns([(one.session_id, step) for one, of in zip(chain, steps, strict=True) for step in of])
        self._note(Measure.RESUME_COMPLETE)
        self._note(Measure.LOAD, (self._clock.now() - begun) * 1000)
        return RemoteHistory(
            turns=turns,
            newest=newest.session_id,
            number=len(chain) - 1,
            begun_ms=newest.created_ms,
            steps=len(steps[-1]),
            last_step_ms=max((step.step_ms for of in steps for step in of), default=0),
        )

    async def _chain(self, owner: str, bedrock_session_id: str) -> list[RemoteSession]:
        """Return the remote sessions of an owner's conversation that can go on, oldest first; none for any other."""
        first = await self._owned(owner, bedrock_session_id)
        chain = [] if first is None else await self._follow(owner, first)
        return chain if chain and chain[-1].status is RemoteStatus.ACTIVE else []

    async def _owned(self, owner: str, session_id: str) -> RemoteSession | None:
        try:
            found = await self._remote.session(session_id)
        except KnownError as error:
            if error.reason in _NOT_THERE:
                return None
            raise
        return found if is_owned(found.metadata, owner) else None

    async def _follow(self, owner: str, first: RemoteSession) -> list[RemoteSession]:
        """Return the sessions of a conversation, oldest first, as far as they are there."""
        chain, seen = [first], {first.session_id}
        for key, place in ((KEY_PREDECESSOR, 0), (KEY_SUCCESSOR, -1)):
            while (other := chain[place].metadata.get(key)) and other not in seen and len(chain) < _MAX_LINKS:
                seen.add(other)
                found = await self._owned(owner, other)
                if found is None:
                    break
                chain.insert(0 if place == 0 else len(chain), found)
        while chain[-1].status is not RemoteStatus.ACTIVE and (found := await self._after(owner, chain[-1])):
            chain.append(found)
        return chain

    async def _after(self, owner: str, closed: RemoteSession) -> RemoteSession | None:
        """Return the session that names a closed one as its predecessor: that one could not be told any more."""
        later = await sessions_of(self._remote, owner, since_ms=closed.created_ms)
        after = [one for one in later if one.metadata.get(KEY_PREDECESSOR) == closed.session_id]
        return after[0] if after else None

    async def _steps(self, session_id: str) -> Sequence[StepSummary]:
        try:
            return await self._remote.steps(session_id)
        except KnownError as error:
            if error.reason in _NOT_THERE:
                return ()
            raise

    async def _turns(self, steps: Sequence[tuple[str, StepSummary]]) -> tuple[Turn, ...]:
        found: dict[str, Turn] = {}
        for start in range(0, len(steps), MAX_PARALLEL):
            batch = steps[start : start + MAX_PARALLEL]
            for turn in await together(*(self._turn(session_id, step) for session_id, step in batch)):
                if turn is not None and ((known := found.get(turn.turn_id)) is None or turn.replaces(known)):
                    found[turn.turn_id] = turn
        in_order = sorted(found.values(), key=lambda turn: (turn.at_ms, turn.turn_id))
        return tuple(dataclasses.replace(turn, position=number) for number, turn in enumerate(in_order))

    async def _turn(self, session_id: str, step: StepSummary) -> Turn | None:
        content = await self._remote.step(session_id, step.invocation, step.step_id)
        if content is None:
            return None
        return decode_turn(
            content.text,
            conversation="",
            step_id=step.step_id,
            step_ms=step.step_ms,
            wire_session=step.invocation,
        )


async def adopt(store: SessionStore, session_id: str, history: RemoteHistory, *, holder: str, now_ms: int) -> None:
    """Give a session that was just created what was said before it, and have it go on in the same remote session.

    Again, it changes nothing.

    Args:
        store: where the session is.
        session_id: the session.
        history: what Agent Runtime has.
        holder: a name that nobody else delivers under.
        now_ms: Unix milliseconds.

    Raises:
        KnownError: a fault of the store.
    """
    chain = await store.lease_chain(session_id, holder=holder, now_ms=now_ms, until_ms=now_ms + _HOLD_MS)
    if chain is not None:
        await store.save_chain(_continued(chain, history), holder=holder)
        await store.free_chain(session_id, holder=holder)
    for turn in history.turns:
        await store.append_turn(dataclasses.replace(turn, conversation=session_id), delivered=True)


def _continued(chain: RemoteChain, history: RemoteHistory) -> RemoteChain:
    return dataclasses.replace(
        chain,
        number=history.number,
        bedrock_session_id=history.newest,
        begun_ms=history.begun_ms,
        steps=history.steps,
        last_step_ms=history.last_step_ms,
    )


def _unmeasured(_measure: Measure, _value: float = 1.0) -> None:
    return
