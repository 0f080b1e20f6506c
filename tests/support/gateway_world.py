"""One session's upstream on virtual time: a scripted voice service, a store in memory, a client that takes notes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from novadesk.models import make_handle
from novadesk.protocol.envelope_server import CallStatusChanged, ContentEnd, ContentStart, Transcript
from novadesk.protocol.envelope_server import Turn as TurnWritten
from novadesk.protocol.envelope_values import CallStatus
from novadesk.server.gateway.narration import Output, Speech
from novadesk.server.gateway.state import Limits, SessionRecord
from novadesk.server.gateway.upstream import Upstream, UpstreamParts
from tests.support.gateway_memory import MemorySessions
from tests.support.memory_service import MemoryLink, MemoryLinker
from tests.support.virtual_loop import LoopClock, run_virtually

FRAME = b"\x11\x11" * 512
MANY = Limits(per_owner=100, in_all=100)


def make_record(owner: str = "ann", **fields: Any) -> SessionRecord:
    """Return a session that is alive for an hour of virtual time."""
    now_ms = LoopClock().unix_ms()
    return SessionRecord(
        session_id=make_handle(now_ms),
        owner=owner,
        secret_hash="",
        created_ms=now_ms,
        last_activity_ms=now_ms,
        expires_at_s=now_ms // 1000 + 3_600,
        **fields,
    )


class World:
    """An upstream and everything around it."""

    def __init__(self, store: MemorySessions, linker: MemoryLinker, record: SessionRecord) -> None:
        self.store, self.linker, self.record = store, linker, record
        self.told: list[Output] = []
        self.parts = UpstreamParts(
            linker=linker, clock=LoopClock(), store=store, local_time=lambda: datetime(2026, 11, 22, tzinfo=UTC)
        )
        self.upstream = Upstream(self.parts, record, self.parts.voice, self.told.append)

    @property
    def service(self) -> MemoryLink:
        """Return the newest link of the voice service."""
        return self.linker.newest

    @property
    def statuses(self) -> list[CallStatus]:
        """Return where the call was said to stand, in order."""
        return [said.status for said in self.told if isinstance(said, CallStatusChanged)]

    @property
    def turns(self) -> list[TurnWritten]:
        """Return the turns that were said to be written."""
        return [said for said in self.told if isinstance(said, TurnWritten)]

    def script(self) -> list[str]:
        """Return what was said, in short."""
        lines = []
        for said in self.told:
            match said:
                case ContentStart():
                    lines.append(f"{said.role.value} {said.kind.value}")
                case Transcript():
                    lines.append(said.text)
                case Speech():
                    lines.append(f"{len(said.pcm) // 2} samples")
                case ContentEnd():
                    lines.append(f"{said.kind.value} {said.stop_reason.value}")
        return lines

    async def until(self, condition: Callable[[], bool], most_s: float = 120.0) -> None:
        """Wait for something that has to come."""
        async with asyncio.timeout(most_s):
            while not condition():
                await asyncio.sleep(0.01)

    async def connected(self) -> None:
        """Wait until the call is said to be connected."""
        await self.until(lambda: self.upstream.status is CallStatus.CONNECTED and self.service.listening)


def run_upstream(
    work: Callable[[World], Awaitable[None]], *, store: MemorySessions | None = None, **fields: Any
) -> World:
    """Run a story on one upstream; nothing is left of it."""

    async def run() -> World:
        kept = store or MemorySessions()
        world = World(kept, MemoryLinker(), make_record(**fields))
        await kept.create(world.record, limits=MANY)
        await world.upstream.start()
        try:
            await work(world)
        finally:
            await world.upstream.stop()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        assert all(link.closed for link in world.linker.links)
        return world

    return run_virtually(run())
