"""A model of the Agent Runtime: its rules in dictionaries, and connections that fail in every way a network can."""

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from novadesk.errors import KnownError, Reason
from novadesk.store.agentruntime import PAGE, RemoteSession, RemoteStatus, RemoteStep, StepSummary

ANSWER_S = 0.02
DEADLINE_S = 10.0
LATE_S = 25.0
_MISSING = frozenset({Reason.SYNC_SESSION_CLOSED})
_TAKEN = frozenset({Reason.SYNC_CONFLICT})
_NO_CHANGE = _MISSING | _TAKEN


class Fault(Enum):
    """What goes wrong with one call."""

    REFUSED = "refused"  # not applied, and said so, with the reason that goes with it
    UNHEARD = "unheard"  # never arrives
    LOST_ANSWER = "lost answer"  # applied, but the caller never hears of it
    LATE = "late"  # applied long after the caller gave up
    TWICE = "twice"  # applied twice; the caller hears the second answer
    SLOW = "slow"  # applied at the end of the deadline


@dataclass(frozen=True, slots=True)
class Mishap:
    """A fault that waits for its call; `reason` is that of a refusal."""

    fault: Fault
    reason: Reason = Reason.UNAVAILABLE


@dataclass(slots=True)
class StoredStep:
    """A step as the service keeps it."""

    invocation: str
    step_ms: int
    text: str


@dataclass(slots=True)
class StoredSession:
    """A session as the service keeps it."""

    session_id: str
    metadata: dict[str, str]
    created_ms: int
    updated_ms: int
    status: RemoteStatus = RemoteStatus.ACTIVE
    invocations: set[str] = field(default_factory=set)
    steps: dict[str, StoredStep] = field(default_factory=dict)

    def public(self, *, metadata: bool) -> RemoteSession:
        """Return it as the client library shows it."""
        return RemoteSession(
            session_id=self.session_id,
            status=self.status,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
            metadata=dict(self.metadata) if metadata else {},
        )


class ModelRuntime:
    """The account's sessions. Its clock is its own.

    Args:
        unix_ms: the service's clock.
        max_steps: steps that one session takes.
    """

    def __init__(self, unix_ms: Callable[[], int], *, max_steps: int) -> None:
        self.sessions: dict[str, StoredSession] = {}
        self.mishaps: deque[Mishap] = deque()
        self.down: KnownError | None = None
        self.lost_steps: set[str] = set()  # texts of steps that went with a session that somebody deleted
        self._unix_ms = unix_ms
        self._max_steps = max_steps
        self._late: list[tuple[int, Callable[[], object]]] = []

    def heal(self) -> None:
        """Nothing goes wrong any more; what was late arrives now."""
        self.mishaps.clear()
        self.down = None
        self.arrive(everything=True)

    def later(self, apply: Callable[[], object]) -> None:
        """Have a call arrive long after it was given up."""
        self._late.append((self._unix_ms() + round(LATE_S * 1000), apply))

    def arrive(self, *, everything: bool = False) -> None:
        """Carry out the late calls that are due."""
        due = [apply for at, apply in self._late if everything or at <= self._unix_ms()]
        self._late = [(at, apply) for at, apply in self._late if not everything and at > self._unix_ms()]
        for apply in due:
            attempt(apply)

    # --- the rules of the service ---

    def create(self, metadata: Mapping[str, str]) -> RemoteSession:
        now = self._unix_ms()
        made = StoredSession(str(uuid.uuid4()), dict(metadata), now, now)
        self.sessions[made.session_id] = made
        return made.public(metadata=False)

    def session(self, session_id: str) -> RemoteSession:
        return self._find(session_id).public(metadata=True)

    def list_sessions(self) -> tuple[RemoteSession, ...]:
        return tuple(found.public(metadata=False) for found in reversed(self.sessions.values()))

    def update(self, session_id: str, metadata: Mapping[str, str]) -> None:
        self._writable(session_id).metadata = dict(metadata)

    def end(self, session_id: str) -> None:
        found = self._find(session_id)
        if found.status is RemoteStatus.ENDED:
            raise conflict()
        found.status = RemoteStatus.ENDED

    def delete(self, session_id: str) -> None:
        found = self._find(session_id)
        if found.status is RemoteStatus.ACTIVE:
            raise conflict()
        self.lost_steps |= {step.text for step in found.steps.values()}
        del self.sessions[session_id]

    def open_invocation(self, session_id: str, invocation: str) -> None:
        found = self._writable(session_id)
        if invocation in found.invocations:
            raise conflict()
        found.invocations.add(invocation)

    def put_step(self, session_id: str, invocation: str, step_id: str, step_ms: int, text: str) -> None:
        found = self._writable(session_id)
        if invocation not in found.invocations:
            raise gone()
        if step_id in found.steps:
            raise conflict()
        if len(found.steps) >= self._max_steps:
            raise KnownError(Reason.QUOTA, "A session takes no more steps.", "")
        found.steps[step_id] = StoredStep(invocation, step_ms, text)

    def step(self, session_id: str, invocation: str, step_id: str) -> RemoteStep:
        found = self._find(session_id).steps.get(step_id)
        if found is None or found.invocation != invocation:
            raise gone()
        return RemoteStep(text=found.text, step_ms=found.step_ms)

    def steps(self, session_id: str) -> tuple[StepSummary, ...]:
        """Return the steps newest first, as the service lists them."""
        return tuple(
            StepSummary(step_id=step_id, invocation=step.invocation, step_ms=step.step_ms)
            for step_id, step in reversed(self._find(session_id).steps.items())
        )

    def _find(self, session_id: str) -> StoredSession:
        found = self.sessions.get(session_id)
        if found is None:
            raise gone()
        found.updated_ms = max(found.updated_ms, found.created_ms)
        return found

    def _writable(self, session_id: str) -> StoredSession:
        found = self._find(session_id)
        if found.status is not RemoteStatus.ACTIVE:
            raise conflict()
        found.updated_ms = self._unix_ms()
        return found


class ModelRemote:
    """One machine's way to the service; stands in for `RemoteSessions`.

    Args:
        runtime: the service.
        alive: raises once the machine has died.
    """

    def __init__(self, runtime: ModelRuntime, alive: Callable[[], None]) -> None:
        self._runtime = runtime
        self._alive = alive

    async def create(self, metadata: Mapping[str, str]) -> RemoteSession:
        return await self._ask(lambda: self._runtime.create(metadata))

    async def session(self, session_id: str) -> RemoteSession:
        return await self._ask(lambda: self._runtime.session(session_id))

    async def sessions(self) -> tuple[RemoteSession, ...]:
        return await self._ask(self._runtime.list_sessions)

    async def update(self, session_id: str, metadata: Mapping[str, str]) -> None:
        await self._ask(lambda: self._runtime.update(session_id, metadata))

    async def end(self, session_id: str) -> None:
        await self._call(lambda: self._runtime.end(session_id), but=_NO_CHANGE)

    async def delete(self, session_id: str) -> None:
        await self.end(session_id)
        await self._call(lambda: self._runtime.delete(session_id), but=_MISSING)

    async def open_invocation(self, session_id: str, invocation: str) -> None:
        await self._call(lambda: self._runtime.open_invocation(session_id, invocation), but=_TAKEN)

    async def put_step(self, session_id: str, invocation: str, step_id: str, step_ms: int, text: str) -> None:
        await self._ask(lambda: self._runtime.put_step(session_id, invocation, step_id, step_ms, text))

    async def step(self, session_id: str, invocation: str, step_id: str) -> RemoteStep | None:
        return await self._call(lambda: self._runtime.step(session_id, invocation, step_id), but=_MISSING)

    async def steps(self, session_id: str) -> tuple[StepSummary, ...]:
        steps = await self._ask(lambda: self._runtime.steps(session_id))
        return tuple(sorted(steps, key=lambda step: (step.step_ms, step.step_id)))

    async def step_pages(self, session_id: str, *, size: int = PAGE) -> AsyncIterator[Sequence[StepSummary]]:
        steps = await self._ask(lambda: self._runtime.steps(session_id))
        for start in range(0, max(1, len(steps)), size):
            yield steps[start : start + size]

    async def close(self, *, deadline_s: float = 2.0) -> None:
        return None

    async def _call[T](self, apply: Callable[[], T], *, but: frozenset[Reason]) -> T | None:
        """Ask, and take a refusal for one of these reasons as no answer."""
        try:
            return await self._ask(apply)
        except KnownError as error:
            if error.reason in but:
                return None
            raise

    async def _ask[T](self, apply: Callable[[], T]) -> T:
        runtime = self._runtime
        await self._pause(ANSWER_S)
        runtime.arrive()
        if runtime.down is not None:
            raise KnownError(runtime.down.reason, runtime.down.what, runtime.down.advice)
        mishap = runtime.mishaps.popleft() if runtime.mishaps else None
        match mishap:
            case Mishap(fault=Fault.REFUSED, reason=reason):
                raise KnownError(reason, "The service refuses.", "Wait.")
            case Mishap(fault=Fault.UNHEARD):
                await self._pause(DEADLINE_S)
                raise unreachable()
            case Mishap(fault=Fault.LOST_ANSWER):
                attempt(apply)
                await self._pause(DEADLINE_S)
                raise unreachable()
            case Mishap(fault=Fault.LATE):
                runtime.later(apply)
                await self._pause(DEADLINE_S)
                raise unreachable()
            case Mishap(fault=Fault.TWICE):
                attempt(apply)
            case Mishap(fault=Fault.SLOW):
                await self._pause(DEADLINE_S - 1.0)
            case _:
                pass
        answer = apply()
        await self._pause(ANSWER_S)
        return answer

    async def _pause(self, seconds: float) -> None:
        self._alive()
        await asyncio.sleep(seconds)
        self._alive()


def attempt(apply: Callable[[], Any]) -> None:
    """Carry out a call whose answer nobody hears."""
    try:
        apply()
    except KnownError:
        return


def conflict() -> KnownError:
    return KnownError(Reason.SYNC_CONFLICT, "The service has this id already, or takes no changes.", "Wait.")


def gone() -> KnownError:
    return KnownError(Reason.SYNC_SESSION_CLOSED, "The remote session is gone.", "A new one is made.")


def unreachable() -> KnownError:
    return KnownError(Reason.SYNC_UNREACHABLE, "The service cannot be reached.", "Wait.")
