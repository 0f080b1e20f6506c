"""`novadesk history search|export|delete|rename|star|backup` and `novadesk logout`.

What only reads looks at the store beside whoever writes it. What changes something goes through the running core.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from novadesk.app import upkeep
from novadesk.app.clock import SystemClock
from novadesk.app.export import encoded, likely_format, render, write_whole
from novadesk.app.export_chosen import find_chosen
from novadesk.app.export_many import ALL_TURNS, export_many
from novadesk.app.export_words import SPEAKERS, iso
from novadesk.app.output import put, put_row
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Exported, Filter, Format, Found, Turn, check_handle, no_such_conversation
from novadesk.paths import Folders, find_folders
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database


def search_turns(*, profile: str, text: str, limit: int, only: Filter, as_json: bool) -> int:
    """Print the turns that have these words, of what the filter leaves, those written last first."""

    async def read(archive: Conversations) -> Sequence[Found]:
        return await archive.search(text, limit, only=only)

    found = read_store(find_folders(profile=profile), read) or ()
    if as_json:
        put(json.dumps([_found(hit) for hit in found], indent=2))
    else:
        for hit in found:
            name = hit.conversation.title or hit.conversation.label
            words = " ".join(hit.snippet.split())
            put(f"{hit.conversation.handle}  {name}  {SPEAKERS[hit.turn.role]}: {words}")
    return 0


def export_conversation(
    *, profile: str, handle: str, form: str | None, out: Path | None, force: bool, as_json: bool
) -> int:
    """Write a conversation to a file, or print it.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION`, or the file exists or cannot be written.
    """
    check_handle(handle, SystemClock().unix_ms())

    async def read(archive: Conversations) -> tuple[Conversation, Sequence[Turn]]:
        conversation = await archive.find(handle)
        if conversation is None:
            raise no_such_conversation()
        return conversation, await archive.turns(handle, limit=ALL_TURNS)

    stored = read_store(find_folders(profile=profile), read)
    if stored is None:
        raise no_such_conversation()
    if out is None:
        chosen = Format(form) if form else Format.JSON if as_json else Format.TEXT
        put(render(*stored, chosen).rstrip("\r\n"))
        return 0
    write_whole(out, encoded(*stored, Format(form) if form else likely_format(out) or Format.TEXT), force=force)
    if as_json:
        put_row(file=str(out), turns=len(stored[1]))
    return 0


def export_conversations(
    *, profile: str, handles: Sequence[str], starred: bool, form: str | None, out: Path, force: bool, as_json: bool
) -> int:
    """Write these conversations, or (none named) all or the starred ones, to a new folder or a zip file.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION`, there is nothing to write, or the target exists or cannot be written.
    """
    for handle in handles:
        check_handle(handle, SystemClock().unix_ms())

    async def write(archive: Conversations) -> Exported:
        chosen = await find_chosen(archive, handles or None, starred=starred)
        return await export_many(archive, chosen, Format(form or "markdown"), out, force=force)

    written = read_store(find_folders(profile=profile), write)
    if written is None:
        raise no_such_conversation() if handles else nothing_stored()
    if as_json:
        put_row(file=str(written.target), conversations=written.conversations, turns=written.turns)
    return 0


def nothing_stored() -> KnownError:
    """Return the error for a store without a conversation."""
    return KnownError(Reason.FILE_MISSING, "There is no conversation here yet.", "Hold a conversation first.")


def change(*, profile: str, request: dict[str, Any], as_json: bool) -> int:
    """Have stored conversations changed.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION`, or what keeps the store from it.
    """
    if "handle" in request:
        check_handle(request["handle"], SystemClock().unix_ms())
    answer = upkeep.ask(find_folders(profile=profile), request)
    if as_json:
        told = request | {name: value for name, value in answer.items() if name == "deleted"}
        put_row(done=True, **{name: value for name, value in told.items() if name != "do"})
    return 0


def back_up(*, profile: str, target: Path, as_json: bool) -> int:
    """Write a copy of the store that can be opened by itself.

    Raises:
        KnownError: there is nothing to copy, or the target exists or cannot be made.
    """
    upkeep.back_up(find_folders(profile=profile), target)
    if as_json:
        put_row(file=str(target), bytes=target.stat().st_size)
    return 0


def log_out(*, profile: str, as_json: bool) -> int:
    """Remove every keyring entry and empty the caches; conversations stay.

    Raises:
        KnownError: `KEYRING_…`: the keyring keeps an entry.
    """
    entries = int(upkeep.ask(find_folders(profile=profile), {"do": "logout"}).get("entries", 0))
    if as_json:
        put_row(entries=entries)
    else:
        put(
            f"{entries} keyring {'entry was' if entries == 1 else 'entries were'} removed. All conversations stay here."
        )
    return 0


def read_store[T](folders: Folders, read: Callable[[Conversations], Awaitable[T]]) -> T | None:
    """Return what `read` finds in the store, or None when there is no store; nobody is held up."""
    if not folders.database.exists():
        return None

    async def opened() -> T:
        async with Database(folders.database, read_only=True) as database:
            return await read(Conversations(database))

    return asyncio.run(opened())


def _found(hit: Found) -> dict[str, object]:
    return {
        "handle": hit.conversation.handle,
        "label": hit.conversation.label,
        "title": hit.conversation.title,
        "turn_id": hit.turn.turn_id,
        "position": hit.turn.position,
        "role": hit.turn.role.value,
        "at": iso(hit.turn.at_ms),
        "snippet": hit.snippet,
        "marks": [list(mark) for mark in hit.marks],
    }
