"""Sessions, invocations and steps of the local Agent Runtime in SQLite: the rules of the service, no HTTP."""

import base64
import binascii
import contextlib
import json
import os
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from novadesk.server.agentruntime_shapes import MAX_TAGS, ErrorType, ServiceError, StepInput, format_time, invalid

DEFAULT_MAX_STEPS = 1_000
"""Steps a session takes; figure of a product that lives on the service, AWS's own is not in the model."""

_BUSY_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
  created REAL NOT NULL, updated REAL NOT NULL, key_arn TEXT, metadata TEXT, tags TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS invocation (
  number INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
  id TEXT NOT NULL, created REAL NOT NULL, description TEXT, UNIQUE (session, id)
) STRICT;
CREATE TABLE IF NOT EXISTS step (
  number INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
  invocation INTEGER NOT NULL REFERENCES invocation ON DELETE CASCADE, id TEXT NOT NULL, time TEXT NOT NULL,
  payload TEXT NOT NULL, UNIQUE (session, id)
) STRICT;
CREATE INDEX IF NOT EXISTS step_of_invocation ON step (invocation);
"""

type Document = dict[str, Any]


class SessionStore:
    """The state behind the API. Every method is one transaction; call it from one thread at a time.

    Args:
        file: SQLite file, created with mode 0600.
        clock: Unix seconds.
        idle_timeout_s: a session that was not written to for so long becomes EXPIRED; None means never.
        max_steps: steps one session takes before it answers ServiceQuotaExceededException.
    """

    def __init__(
        self,
        file: Path,
        *,
        region: str,
        account: str,
        clock: Callable[[], float],
        idle_timeout_s: float | None,
        max_steps: int,
    ) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        self._arn_prefix = f"arn:aws:bedrock:{region}:{account}:session/"
        self._clock = clock
        self._idle_timeout_s = idle_timeout_s
        self._max_steps = max_steps

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def create_session(self, key_arn: str | None, metadata: Document | None, tags: Document) -> Document:
        """Create an ACTIVE session under a fresh UUID."""
        with self._transaction():
            now = self._clock()
            session = str(uuid.uuid4())
            self._db.execute(
                "INSERT INTO session (id, status, created, updated, key_arn, metadata, tags) VALUES (?,?,?,?,?,?,?)",
                (session, "ACTIVE", now, now, key_arn, _dump(metadata), _dump(tags)),
            )
            return self._identity(self._session(session)) | {"createdAt": format_time(now)}

    def get_session(self, session: str) -> Document:
        """Return a session with its metadata."""
        with self._transaction():
            row = self._session(session)
            found = self._summary(row)
            if row["key_arn"] is not None:
                found["encryptionKeyArn"] = row["key_arn"]
            if row["metadata"] is not None:
                found["sessionMetadata"] = json.loads(row["metadata"])
            return found

    def update_session(self, session: str, metadata: Document | None) -> Document:
        """Replace the metadata (None keeps it)."""
        with self._transaction():
            row = self._writable(session)
            if metadata is not None:
                self._db.execute("UPDATE session SET metadata = ? WHERE number = ?", (_dump(metadata), row["number"]))
            self._touch(row)
            return self._summary(self._session(session))

    def end_session(self, session: str) -> Document:
        """End a session for good."""
        with self._transaction():
            row = self._session(session)
            if row["status"] == "ENDED":
                raise ServiceError(ErrorType.CONFLICT, "The session has ended already")
            self._set_status(row, "ENDED", self._clock())
            return self._identity(self._session(session))

    def delete_session(self, session: str) -> Document:
        """Delete a session that is not ACTIVE, with all that it holds."""
        with self._transaction():
            row = self._session(session)
            if row["status"] == "ACTIVE":
                raise ServiceError(ErrorType.CONFLICT, "An active session cannot be deleted: end it first")
            self._db.execute("DELETE FROM session WHERE number = ?", (row["number"],))
            return {}

    def close_all(self, status: str | None) -> None:
        """Put every ACTIVE session into a state, or delete all sessions for None."""
        with self._transaction():
            if status is None:
                self._db.execute("DELETE FROM session")
            else:
                self._db.execute("UPDATE session SET status = ? WHERE status = 'ACTIVE'", (status,))

    def list_sessions(self, count: int, token: str | None) -> Document:
        """Return a page of sessions."""
        with self._transaction():
            self._expire_all()
            rows, rest = self._page("SELECT * FROM session WHERE number < ?", (), count, token, "sessions")
            return {"sessionSummaries": [self._summary(row) for row in rows]} | rest

    def create_invocation(self, session: str, invocation: str | None, description: str | None) -> Document:
        """Create an invocation under the caller's UUID or a fresh one."""
        with self._transaction():
            row, now = self._writable(session), self._clock()
            invocation = invocation or str(uuid.uuid4())
            try:
                self._db.execute(
                    "INSERT INTO invocation (session, id, created, description) VALUES (?,?,?,?)",
                    (row["number"], invocation, now, description),
                )
            except sqlite3.IntegrityError as error:
                raise ServiceError(ErrorType.CONFLICT, "An invocation with this id exists already") from error
            self._touch(row)
            return {"sessionId": session, "invocationId": invocation, "createdAt": format_time(now)}

    def list_invocations(self, session: str, count: int, token: str | None) -> Document:
        """Return a page of a session's invocations."""
        with self._transaction():
            number = self._session(session)["number"]
            query = "SELECT * FROM invocation WHERE session = ? AND number < ?"
            rows, rest = self._page(query, (number,), count, token, f"invocations/{session}")
            summaries = [
                {"sessionId": session, "invocationId": row["id"], "createdAt": format_time(row["created"])}
                for row in rows
            ]
            return {"invocationSummaries": summaries} | rest

    def put_step(self, session: str, step: StepInput) -> Document:
        """Add a step under the caller's UUID or a fresh one."""
        with self._transaction():
            row = self._writable(session)
            invocation = self._invocation(row, step.invocation_id)
            step_id = step.step_id or str(uuid.uuid4())
            if self._db.execute("SELECT 1 FROM step WHERE session = ? AND id = ?", (row["number"], step_id)).fetchone():
                raise ServiceError(ErrorType.CONFLICT, "A step with this id exists already")
            (steps,) = self._db.execute("SELECT count(*) FROM step WHERE session = ?", (row["number"],)).fetchone()
            if steps >= self._max_steps:
                raise ServiceError(ErrorType.QUOTA, f"A session takes at most {self._max_steps} invocation steps")
            self._db.execute(
                "INSERT INTO step (session, invocation, id, time, payload) VALUES (?,?,?,?,?)",
                (row["number"], invocation["number"], step_id, step.time, step.payload),
            )
            self._touch(row)
            return {"invocationStepId": step_id}

    def get_step(self, session: str, invocation: str, step: str) -> Document:
        """Return one step with its payload."""
        with self._transaction():
            inside = self._invocation(self._session(session), invocation)
            query = "SELECT * FROM step WHERE invocation = ? AND id = ?"
            row = self._db.execute(query, (inside["number"], step)).fetchone()
            if row is None:
                raise ServiceError(ErrorType.NOT_FOUND, "The invocation step was not found")
            summary = _step_summary(session, invocation, row)
            return {"invocationStep": summary | {"payload": json.loads(row["payload"])}}

    def list_steps(self, session: str, invocation: str | None, count: int, token: str | None) -> Document:
        """Return a page of the steps of a session, or of one invocation; no payloads."""
        with self._transaction():
            row = self._session(session)
            where, key = "step.session = ?", row["number"]
            if invocation is not None:
                where, key = "step.invocation = ?", self._invocation(row, invocation)["number"]
            query = (
                "SELECT step.number AS number, step.id AS id, time, invocation.id AS invocation_id FROM step "
                f"JOIN invocation ON invocation.number = step.invocation WHERE {where} AND step.number < ?"
            )
            rows, rest = self._page(query, (key,), count, token, f"steps/{session}/{invocation}", "step.number")
            return {"invocationStepSummaries": [_step_summary(session, r["invocation_id"], r) for r in rows]} | rest

    def tags(self, session: str) -> Document:
        """Return the tags of a session."""
        with self._transaction():
            return {"tags": json.loads(self._session(session)["tags"])}

    def tag(self, session: str, tags: Mapping[str, str]) -> Document:
        """Add or replace tags; a session keeps at most 200."""
        with self._transaction():
            row = self._session(session)
            merged = json.loads(row["tags"]) | dict(tags)
            if len(merged) > MAX_TAGS:
                raise ServiceError(ErrorType.QUOTA, f"A session takes at most {MAX_TAGS} tags")
            self._db.execute("UPDATE session SET tags = ? WHERE number = ?", (_dump(merged), row["number"]))
            return {}

    def untag(self, session: str, keys: list[str]) -> Document:
        """Remove tags; absent keys are no error."""
        with self._transaction():
            row = self._session(session)
            kept = {key: value for key, value in json.loads(row["tags"]).items() if key not in keys}
            self._db.execute("UPDATE session SET tags = ? WHERE number = ?", (_dump(kept), row["number"]))
            return {}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except ServiceError:
            self._db.execute("COMMIT")  # Nothing was written before a refusal but, perhaps, an expiry.
            raise
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _session(self, session: str) -> sqlite3.Row:
        self._expire_all(session)
        row: sqlite3.Row | None = self._db.execute("SELECT * FROM session WHERE id = ?", (session,)).fetchone()
        if row is None:
            raise ServiceError(ErrorType.NOT_FOUND, "The session was not found")
        return row

    def _writable(self, session: str) -> sqlite3.Row:
        row = self._session(session)
        if row["status"] != "ACTIVE":
            raise ServiceError(ErrorType.CONFLICT, f"The session is {row['status']} and takes no changes")
        return row

    def _invocation(self, row: sqlite3.Row, invocation: str) -> sqlite3.Row:
        query = "SELECT * FROM invocation WHERE session = ? AND id = ?"
        found: sqlite3.Row | None = self._db.execute(query, (row["number"], invocation)).fetchone()
        if found is None:
            raise ServiceError(ErrorType.NOT_FOUND, "The invocation was not found")
        return found

    def _touch(self, row: sqlite3.Row) -> None:
        self._db.execute("UPDATE session SET updated = ? WHERE number = ?", (self._clock(), row["number"]))

    def _set_status(self, row: sqlite3.Row, status: str, now: float) -> None:
        self._db.execute("UPDATE session SET status = ?, updated = ? WHERE number = ?", (status, now, row["number"]))

    def _expire_all(self, session: str | None = None) -> None:
        if self._idle_timeout_s is None:
            return
        self._db.execute(
            "UPDATE session SET status = 'EXPIRED', updated = updated + :idle"
            " WHERE status = 'ACTIVE' AND updated + :idle <= :now AND (:id IS NULL OR id = :id)",
            {"idle": self._idle_timeout_s, "now": self._clock(), "id": session},
        )

    def _identity(self, row: sqlite3.Row) -> Document:
        return {"sessionId": row["id"], "sessionArn": self._arn_prefix + row["id"], "sessionStatus": row["status"]}

    def _summary(self, row: sqlite3.Row) -> Document:
        times = {"createdAt": format_time(row["created"]), "lastUpdatedAt": format_time(row["updated"])}
        return self._identity(row) | times

    def _page(
        self, query: str, values: tuple[Any, ...], count: int, token: str | None, scope: str, key: str = "number"
    ) -> tuple[list[sqlite3.Row], Document]:
        """Return one page, newest first, and `nextToken` when there is more. Rows added meanwhile shift nothing."""
        below = (1 << 62) if token is None else _read_token(token, scope)
        rows = self._db.execute(f"{query} ORDER BY {key} DESC LIMIT ?", (*values, below, count + 1)).fetchall()
        if len(rows) <= count:
            return rows, {}
        return rows[:count], {"nextToken": _make_token(scope, rows[count - 1]["number"])}


def _step_summary(session: str, invocation: str, row: sqlite3.Row) -> Document:
    return {
        "sessionId": session,
        "invocationId": invocation,
        "invocationStepId": row["id"],
        "invocationStepTime": row["time"],
    }


def _make_token(scope: str, below: int) -> str:
    return base64.urlsafe_b64encode(f"{below}|{scope}".encode()).decode("ascii")


def _read_token(token: str, scope: str) -> int:
    try:
        text = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode("utf-8")
    except (binascii.Error, UnicodeError):
        text = ""
    below, _, owner = text.partition("|")
    if owner != scope or not re.fullmatch(r"[0-9]{1,18}", below):
        raise invalid("Value at 'nextToken' is not a token of this list")
    return int(below)


def _dump(value: Document | None) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
