"""The state of a gateway in one SQLite file, which several processes of a machine may share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from novadesk.models import SyncState, Turn
from novadesk.server.gateway import state_rows, state_turn_rows
from novadesk.server.gateway.state import Limits, PendingTurn, RemoteChain, SessionFields, SessionRecord
from novadesk.server.gateway.state_file import StateFile
from novadesk.server.gateway.state_rows import ALIVE


class SqliteSessions:
    """A `SessionStore` in a file, see there for what every method promises.

    Args:
        file: made with mode 0600 when missing.
    """

    def __init__(self, file: Path) -> None:
        self._file = StateFile(file)

    async def create(self, record: SessionRecord, *, limits: Limits) -> SessionRecord:  # noqa: D102
        return await self._file.write(lambda db: state_rows.create(db, record, limits))

    async def find(self, session_id: str, *, now_s: float) -> SessionRecord | None:  # noqa: D102
        found = await self._find(f"session_id = :id AND {ALIVE}", {"id": session_id, "now_s": now_s})
        return found[0] if found else None

    async def find_by_remote(  # noqa: D102
        self, owner: str, bedrock_session_id: str, *, now_s: float
    ) -> SessionRecord | None:
        condition = f"owner = :owner AND bedrock_session_id = :remote AND {ALIVE}"
        found = await self._find(condition, {"owner": owner, "remote": bedrock_session_id, "now_s": now_s})
        return found[-1] if found else None

    async def list_of(self, owner: str, *, now_s: float) -> Sequence[SessionRecord]:  # noqa: D102
        return await self._find(f"owner = :owner AND {ALIVE}", {"owner": owner, "now_s": now_s})

    async def count(self, *, now_s: float) -> int:  # noqa: D102
        return await self._file.read(lambda db: state_rows.count(db, ALIVE, {"now_s": now_s}))

    async def take_over(  # noqa: D102
        self, session_id: str, *, generation: int, connection: str, gateway: str, now_ms: int, expires_at_s: int
    ) -> SessionRecord | None:
        fields = {
            "generation": generation + 1,
            "connection": connection,
            "gateway": gateway,
            "last_activity_ms": now_ms,
            "expires_at_s": expires_at_s,
        }
        return await self._file.write(
            lambda db: state_rows.take_over(db, session_id, generation, fields, now_ms=now_ms)
        )

    async def update(self, session_id: str, *, generation: int, **fields: Unpack[SessionFields]) -> bool:  # noqa: D102
        return await self._file.write(lambda db: state_rows.change(db, session_id, generation, fields) is not None)

    async def touch(self, session_id: str, *, generation: int, now_ms: int, expires_at_s: int) -> bool:  # noqa: D102
        fields = {"last_activity_ms": now_ms, "expires_at_s": expires_at_s}
        return await self._file.write(
            lambda db: state_rows.change(db, session_id, generation, fields, now_ms=now_ms) is not None, durable=False
        )

    async def release(self, session_id: str, *, generation: int, now_ms: int, expires_at_s: int) -> bool:  # noqa: D102
        fields = {"connection": "", "expires_at_s": expires_at_s}
        return await self._file.write(
            lambda db: state_rows.change(db, session_id, generation, fields, now_ms=now_ms) is not None
        )

    async def remove(self, session_id: str, *, owner: str) -> bool:  # noqa: D102
        query = "DELETE FROM session WHERE session_id = ? AND owner = ?"
        return await self._file.write(lambda db: bool(db.execute(query, (session_id, owner)).rowcount))

    async def kept_of(self, owner: str, conversation: str) -> Sequence[str]:  # noqa: D102
        return await self._file.read(lambda db: state_rows.kept_of(db, owner, conversation))

    async def forget(self, session_id: str, *, owner: str) -> bool:  # noqa: D102
        return await self._file.write(lambda db: state_rows.forget(db, session_id, owner))

    async def sweep(self, *, now_s: float) -> int:  # noqa: D102
        return await self._file.write(lambda db: state_rows.sweep(db, now_s))

    async def append_turn(  # noqa: D102
        self, turn: Turn, *, gateway: str | None = None, delivered: bool = False
    ) -> Turn:
        return await self._file.write(lambda db: state_turn_rows.append(db, turn, gateway, delivered=delivered))

    async def turns(self, session_id: str, *, after: int = -1, limit: int = 200) -> Sequence[Turn]:  # noqa: D102
        return await self._file.read(lambda db: state_turn_rows.behind(db, session_id, after, limit))

    async def newest_turns(  # noqa: D102
        self, session_id: str, *, before: int | None = None, limit: int = 200
    ) -> Sequence[Turn]:
        return await self._file.read(lambda db: state_turn_rows.before(db, session_id, before, limit))

    async def count_turns(self, session_id: str) -> int:  # noqa: D102
        return await self._file.read(lambda db: state_turn_rows.count(db, session_id))

    async def waiting(self, *, limit: int = 100) -> Sequence[str]:  # noqa: D102
        return await self._file.read(lambda db: state_turn_rows.waiting(db, limit))

    async def undelivered(self, session_id: str, *, limit: int = 100) -> Sequence[PendingTurn]:  # noqa: D102
        return await self._file.read(lambda db: state_turn_rows.undelivered(db, session_id, limit))

    async def mark_delivered(  # noqa: D102
        self, session_id: str, turn_id: str, *, revision: int, sync: SyncState = SyncState.SYNCED
    ) -> bool:
        return await self._file.write(
            lambda db: state_turn_rows.mark_delivered(db, session_id, turn_id, revision, sync)
        )

    async def redeliver(self, session_id: str) -> int:  # noqa: D102
        return await self._file.write(lambda db: state_turn_rows.redeliver(db, session_id))

    async def lease_chain(  # noqa: D102
        self, session_id: str, *, holder: str, now_ms: int, until_ms: int
    ) -> RemoteChain | None:
        return await self._file.write(lambda db: state_turn_rows.lease_chain(db, session_id, holder, now_ms, until_ms))

    async def save_chain(self, chain: RemoteChain, *, holder: str) -> bool:  # noqa: D102
        return await self._file.write(lambda db: state_turn_rows.save_chain(db, chain, holder))

    async def free_chain(self, session_id: str, *, holder: str) -> None:  # noqa: D102
        await self._file.write(lambda db: state_turn_rows.free_chain(db, session_id, holder))

    async def close(self) -> None:  # noqa: D102
        await self._file.close()

    async def _find(self, condition: str, given: dict[str, object]) -> tuple[SessionRecord, ...]:
        return await self._file.read(lambda db: state_rows.find(db, condition, given))
