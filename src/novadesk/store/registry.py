"""Which remote session stands behind a handle: kept in the keyring, one entry a conversation, never in SQLite."""

import asyncio
import json
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from novadesk.errors import KnownError, Reason
from novadesk.store import links
from novadesk.store.database import Database
from novadesk.text import Text

_MAX_GENERATIONS = 24
"""Sessions of one chain kept in an entry: a Windows keyring entry holds 1,280 characters, an id takes 42, the resume
secret 43."""

_SECRET = "secret"
_FOR_THIS_RUN = Text("NovaDesk remembers its remote sessions for this run only, and looks them up again next time.")


class Keychain(Protocol):
    """What the registry needs of the system's keyring. Every method may raise `KnownError`, reason `KEYRING_…`."""

    async def get(self, name: str) -> str | None:
        """Return the value kept under `name`, or None."""
        ...

    async def set(self, name: str, value: str) -> None:
        """Keep `value` under `name`."""
        ...

    async def delete(self, name: str) -> None:
        """Forget `name`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    ids: dict[int, str] = field(default_factory=dict, repr=False)
    secret: str = field(default="", repr=False)


class Registry:
    """Remote session ids by handle and generation (place in the chain of sessions), and a resume secret for each.

    The keyring is touched only when an id is needed that this run has not seen, and left alone for a while after it
    failed; meanwhile ids are kept in memory, and `note` says so.

    Args:
        database: remembers that an entry exists, nothing of its content.
        keychain: the keyring, or None for memory only.
        now: monotonic seconds.
        deadline_s: longest wait for one keyring call.
        rest_s: how long a failing keyring is left alone.
    """

    def __init__(
        self,
        database: Database,
        keychain: Keychain | None,
        *,
        now: Callable[[], float] = time.monotonic,
        deadline_s: float = 8.0,
        rest_s: float = 300.0,
    ) -> None:
        self._database = database
        self._keychain = keychain
        self._now = now
        self._deadline_s = deadline_s
        self._rest_s = rest_s
        self._resting_until = 0.0
        self._known: dict[str, dict[int, str]] = {}
        self._kept: dict[str, _Entry] = {}
        self._note = Text.joined(Text("There is no keyring."), _FOR_THIS_RUN) if keychain is None else ""

    @property
    def note(self) -> str:
        """Return in words why session ids are kept for this run only, or an empty string."""
        return self._note

    async def find(self, handle: str, generation: int) -> str | None:
        """Return the remote session id, or None when neither memory nor keyring has it."""
        known = self._known.get(handle, {}).get(generation)
        if known is None and await self._load(handle):
            known = self._known.get(handle, {}).get(generation)
        return known

    def known(self, handle: str) -> dict[int, str]:
        """Return the ids of a conversation that this run has seen, by generation; the keyring is left alone."""
        return dict(self._known.get(handle, {}))

    async def secret(self, handle: str) -> str:
        """Return the resume secret of a conversation, made once; empty while the keyring has none."""
        await self._load(handle)
        entry = self._kept.get(handle)
        return "" if entry is None else entry.secret

    def learn(self, handle: str, generation: int, session_id: str) -> None:
        """Take an id that the service's list told, in memory only."""
        self._known.setdefault(handle, {})[generation] = session_id

    async def remember(self, handle: str, generation: int, session_id: str) -> None:
        """Keep an id, in the keyring if that works and in memory in any case."""
        self.learn(handle, generation, session_id)
        await self.keep(handle)

    async def drop(self, handle: str, generation: int) -> None:
        """Forget the id of a session that is gone."""
        await self._load(handle)
        if self._known.get(handle, {}).pop(generation, None) is not None:
            await self.keep(handle)

    async def keep(self, handle: str) -> None:
        """Bring the keyring's entry up to what is known, when the keyring lets us."""
        if not await self._load(handle):
            return
        ids, kept = self._known.get(handle, {}), self._kept.get(handle)
        if kept is None and not ids:
            return
        entry = _Entry(ids=_newest(ids), secret=kept.secret if kept and kept.secret else secrets.token_urlsafe(24))
        if entry != kept and await self._change_entry(handle, _encode(entry)):
            self._kept[handle] = entry
            await self._database.run(lambda db: _note_entry(db, handle, True))

    async def note_gateway(self, handle: str, mark: str) -> None:
        """Remember for good that the gateway of a mark has a copy of a conversation."""
        await self._database.run(lambda db: links.note_gateway(db, handle, mark))

    async def bind(self, handle: str, session_id: str, secret: str) -> None:
        """Keep the one session that a gateway, noted before, has for a conversation, with the secret that it gave."""
        await self._load(handle)
        self._known[handle] = {0: session_id}
        entry = _Entry(ids={0: session_id}, secret=secret)
        if await self._change_entry(handle, _encode(entry)):
            self._kept[handle] = entry
            await self._database.run(lambda db: _note_entry(db, handle, True))

    async def forget(self, handle: str) -> None:
        """Remove the entry of a conversation."""
        self._known.pop(handle, None)
        self._kept.pop(handle, None)
        if await self._database.read(lambda db: _in_keyring(db, handle)) and await self._change_entry(handle, None):
            await self._database.run(lambda db: _note_entry(db, handle, False))

    async def forget_all(self) -> int:
        """Remove every entry that NovaDesk made; return how many. The conversations stay.

        Raises:
            KnownError: the keyring does not let go of an entry; the ones before it are gone.
        """
        query = "SELECT DISTINCT handle FROM remote_session WHERE in_keyring"
        handles: list[str] = await self._database.read(lambda db: [row["handle"] for row in db.execute(query)])
        for handle in handles:
            await self._forget_entry(handle)
        self._known.clear()
        self._kept.clear()
        return len(handles)

    async def _forget_entry(self, handle: str) -> None:
        if self._keychain is None:
            raise KnownError(Reason.KEYRING_ABSENT, "There is no keyring.", "Set up a keyring and try again.")
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._keychain.delete(handle)
        except TimeoutError as error:
            raise _no_answer() from error
        await self._database.run(lambda db: _note_entry(db, handle, False))

    async def _load(self, handle: str) -> bool:
        """Read the entry of a conversation once, if there is one; say whether it may be overwritten."""
        if handle in self._kept or not await self._database.read(lambda db: _in_keyring(db, handle)):
            return True
        if (keychain := self._awake()) is None:
            return False
        try:
            async with asyncio.timeout(self._deadline_s):
                text = await keychain.get(handle)
        except (KnownError, TimeoutError) as error:
            self._rest(error)
            return False
        self._note = ""
        entry = self._kept[handle] = _decode(text)
        self._known[handle] = entry.ids | self._known.get(handle, {})
        return True

    async def _change_entry(self, handle: str, value: str | None) -> bool:
        """Write (or with None delete) an entry; say whether the keyring did it."""
        if (keychain := self._awake()) is None:
            return False
        try:
            async with asyncio.timeout(self._deadline_s):
                await (keychain.delete(handle) if value is None else keychain.set(handle, value))
        except (KnownError, TimeoutError) as error:
            self._rest(error)
            return False
        self._note = ""
        return True

    def _awake(self) -> Keychain | None:
        return self._keychain if self._now() >= self._resting_until else None

    def _rest(self, error: KnownError | TimeoutError) -> None:
        self._resting_until = self._now() + self._rest_s
        known = error if isinstance(error, KnownError) else _no_answer()
        self._note = Text.joined(known.what, known.advice, _FOR_THIS_RUN)


def _no_answer() -> KnownError:
    return KnownError(Reason.KEYRING_TIMED_OUT, "The keyring does not answer.", "Unlock it and try again.")


def _in_keyring(db: sqlite3.Connection, handle: str) -> bool:
    return db.execute("SELECT 1 FROM remote_session WHERE handle = ? AND in_keyring", (handle,)).fetchone() is not None


def _note_entry(db: sqlite3.Connection, handle: str, exists: bool) -> None:
    db.execute("UPDATE remote_session SET in_keyring = ? WHERE handle = ?", (exists, handle))


def _newest(ids: dict[int, str]) -> dict[int, str]:
    return {generation: ids[generation] for generation in sorted(ids)[-_MAX_GENERATIONS:]}


def _encode(entry: _Entry) -> str:
    content = {str(generation): session_id for generation, session_id in entry.ids.items()}
    return json.dumps(content | {_SECRET: entry.secret}, separators=(",", ":"))


def _decode(text: str | None) -> _Entry:
    try:
        content = json.loads(text or "{}")
        secret = content.pop(_SECRET, "")
        ids = {int(generation): str(session_id) for generation, session_id in content.items()}
    except (ValueError, AttributeError, TypeError):
        return _Entry()
    return _Entry(ids=ids, secret=secret if isinstance(secret, str) else "")
