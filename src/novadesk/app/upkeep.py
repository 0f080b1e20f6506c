"""What people ask of the store, over the control channel or without a core: delete, name, back up, log out."""

import asyncio
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from novadesk.app.accounts import Accounts, make_accounts
from novadesk.app.clock import SystemClock
from novadesk.app.output import put_note
from novadesk.desktop.control import send
from novadesk.desktop.corelock import CoreLock
from novadesk.desktop.keychain import Keychain
from novadesk.errors import KnownError, Layer, Reason
from novadesk.models import check_handle, no_such_conversation
from novadesk.paths import Folders
from novadesk.store.conversations import Conversations
from novadesk.store.copies import RecoveryCopies, copy_store
from novadesk.store.database import Database
from novadesk.store.registry import Registry

MAX_TITLE_CHARS = 200
_ANSWER_S = 60.0
_HOLDER_S = 10.0
_LOOK_S = 0.1


class Shelf(Protocol):
    """The stored conversations, as the running core changes them."""

    async def delete(self, handle: str, *, here_only: bool = False) -> None:
        """Delete a conversation for good, with `here_only` from this computer only."""
        ...

    async def set_aside(
        self, handles: Sequence[str] | None, *, keep_starred: bool = False, here_only: bool = False
    ) -> Sequence[str]:
        """Delete conversations (None: all) so that it can be undone for a while; return which were there."""
        ...

    async def bring_back(self, handles: Sequence[str]) -> int:
        """Undo `set_aside`; return how many could be brought back."""
        ...

    async def clear(self, *, keep_starred: bool, here_only: bool) -> int:
        """Delete all conversations for good; return how many."""
        ...

    async def rename(self, handle: str, title: str) -> None:
        """Give a conversation a title."""
        ...

    async def star(self, handle: str, on: bool) -> None:
        """Star a conversation or take its star away."""
        ...


class Upkeep:
    """Answers requests about the store.

    Args:
        shelf: changes conversations.
        database: the open store.
        registry: the keyring's entries.
        cache: the folder that a logout empties.
        accounts: the gateways that a logout signs out of.
    """

    def __init__(self, shelf: Shelf, database: Database, registry: Registry, cache: Path, accounts: Accounts) -> None:
        self._shelf, self._database, self._registry, self._cache = shelf, database, registry, cache
        self._accounts = accounts

    async def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Carry out a request and return what there is to say of it, or None when it is not one of these.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`, or what keeps the store or the keyring from doing it.
        """
        match request:
            case {"do": "delete", "handle": str(handle)}:
                await self._shelf.delete(_checked(handle), here_only=_asked(request, "here_only"))
            case {"do": "set_aside", "handle": str(handle)}:
                await self._set_aside(_checked(handle), here_only=_asked(request, "here_only"))
            case {"do": "bring_back", "handle": str(handle)}:
                if not await self._shelf.bring_back((_checked(handle),)):
                    raise no_such_conversation()
            case {"do": "clear", "keep_starred": bool(keep_starred)}:
                here_only = _asked(request, "here_only")
                return {"deleted": await self._shelf.clear(keep_starred=keep_starred, here_only=here_only)}
            case {"do": "rename", "handle": str(handle), "title": str(title)}:
                await self._shelf.rename(_checked(handle), " ".join(title.split())[:MAX_TITLE_CHARS])
            case {"do": "star", "handle": str(handle), "on": bool(on)}:
                await self._shelf.star(_checked(handle), on)
            case {"do": "backup", "file": str(file)} if Path(file).is_absolute():
                await self._database.back_up(Path(file))
            case {"do": "logout"}:
                return {"entries": await self._log_out()}
            case _:
                return None
        return {}

    async def _set_aside(self, handle: str, *, here_only: bool) -> None:
        if not await self._shelf.set_aside((handle,), here_only=here_only):
            raise no_such_conversation()

    async def _log_out(self) -> int:
        entries = await self._registry.forget_all() + await self._accounts.forget()
        empty(self._cache)
        return entries


class StoredShelf:
    """The stored conversations without a core.

    Args:
        database: the open store; nobody else writes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._archive = Conversations(database)
        self._clock = SystemClock()

    async def delete(self, handle: str, *, here_only: bool = False) -> None:
        """Delete a conversation, from the recovery copies too; a later core deletes it remotely."""
        now_ms = self._clock.unix_ms()
        await self._archive.delete(handle, now_ms, here_only=here_only)
        await self._renew_copies(now_ms)

    async def set_aside(
        self, handles: Sequence[str] | None, *, keep_starred: bool = False, here_only: bool = False
    ) -> Sequence[str]:
        """Delete conversations (None: all); a later core makes it final."""
        now_ms = self._clock.unix_ms()
        return await self._archive.set_aside(handles, now_ms, keep_starred=keep_starred, here_only=here_only)

    async def bring_back(self, handles: Sequence[str]) -> int:
        """Undo `set_aside`."""
        return await self._archive.bring_back(handles)

    async def clear(self, *, keep_starred: bool, here_only: bool) -> int:
        """Delete all conversations, from the recovery copies too; a later core deletes them remotely."""
        now_ms = self._clock.unix_ms()
        await self._archive.set_aside(None, now_ms, keep_starred=keep_starred, here_only=here_only)
        count = await self._archive.delete_left(now_ms, now_ms)
        if count:
            await self._renew_copies(now_ms)
        return count

    async def _renew_copies(self, now_ms: int) -> None:
        """Have no recovery copy that holds what was deleted."""
        copies = RecoveryCopies(self._database.file)
        if copies.files():
            with suppress(KnownError):  # The next core that finds room does it.
                await asyncio.to_thread(copies.make, now_ms + 1, only=True)

    async def rename(self, handle: str, title: str) -> None:
        """Give a conversation a title."""
        await self._archive.rename(handle, title, self._clock.unix_ms())

    async def star(self, handle: str, on: bool) -> None:
        """Star a conversation or take its star away."""
        await self._archive.star(handle, on, self._clock.unix_ms())


def ask(folders: Folders, request: dict[str, Any]) -> dict[str, Any]:
    """Have the running core carry out a request, or do it here while no core can start.

    Raises:
        KnownError: what came of it, or `ALREADY_RUNNING` when a core holds the folder and does not answer.
    """
    until = time.monotonic() + _HOLDER_S
    lock, look = CoreLock(folders.core_lock), threading.Event()
    while (answer := _through_core(folders, request)) is None:
        if not folders.database.exists() and not RecoveryCopies(folders.database).files():
            return _without_a_store(folders, request)
        try:
            lock.acquire("upkeep")
        except KnownError:  # a core that is about to open its channel, or has just closed it
            if time.monotonic() > until:
                raise
            look.wait(_LOOK_S)
        else:
            try:
                return asyncio.run(_answer_alone(folders, request))
            finally:
                lock.release()
    return answer


def back_up(folders: Folders, target: Path) -> None:
    """Write a backup, by the running core when there is one; nobody has to wait for it.

    Raises:
        KnownError: there is no store yet, the target exists or cannot be made, or the store cannot be read.
    """
    target = target.absolute()
    if _through_core(folders, {"do": "backup", "file": str(target)}) is not None:
        return
    if not folders.database.exists():
        raise KnownError(Reason.FILE_MISSING, "There is nothing to back up yet.", "Hold a conversation first.")
    copy_store(folders.database, target)


def empty(folder: Path) -> None:
    """Remove everything in a folder; what cannot be removed stays."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()


def _through_core(folders: Folders, request: dict[str, Any]) -> dict[str, Any] | None:
    """Return the running core's answer, or None when there is no core."""
    try:
        return send(folders.control_socket, request, deadline_s=_ANSWER_S)
    except KnownError as error:
        if error.reason is not Reason.NOT_RUNNING:
            raise
        return None


async def _answer_alone(folders: Folders, request: dict[str, Any]) -> dict[str, Any]:
    async with Database(folders.database) as database:
        if database.repaired is not None:
            put_note(Layer.STORE, database.repaired.words)
        registry = Registry(database, Keychain(folders.keyring_service))
        upkeep = Upkeep(StoredShelf(database), database, registry, folders.cache, make_accounts(folders))
        return await upkeep.answer(request) or {}


def _without_a_store(folders: Folders, request: dict[str, Any]) -> dict[str, Any]:
    if "handle" in request:
        _checked(str(request["handle"]))
        raise no_such_conversation()
    if request.get("do") == "clear":
        return {"deleted": 0}
    forgotten = asyncio.run(make_accounts(folders).forget())
    empty(folders.cache)
    return {"entries": int(forgotten)}


def _asked(request: dict[str, Any], name: str) -> bool:
    """Say whether a request asks for something that it need not mention."""
    return request.get(name) is True


def _checked(handle: str) -> str:
    return check_handle(handle, SystemClock().unix_ms())
