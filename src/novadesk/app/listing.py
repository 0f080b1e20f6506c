"""`novadesk history list` and `show`: what is stored; no running core is needed."""

import json
from datetime import datetime

from novadesk.app.clock import SystemClock
from novadesk.app.export_words import SPEAKERS, iso
from novadesk.app.history import read_store
from novadesk.app.output import put
from novadesk.models import Conversation, Filter, Turn, check_handle, no_such_conversation
from novadesk.paths import find_folders
from novadesk.store.conversations import Conversations

PAGE = 200


def list_conversations(*, profile: str, only: Filter, as_json: bool) -> int:
    """Print the stored conversations that the filter leaves, newest first."""

    async def read(archive: Conversations) -> list[Conversation]:
        found: list[Conversation] = []
        while page := await archive.conversations(offset=len(found), limit=PAGE, only=only):
            found += page
        return found

    rows = read_store(find_folders(profile=profile), read) or []
    if as_json:
        put(json.dumps([_conversation(row) for row in rows], indent=2))
    else:
        for row in rows:
            day = datetime.fromtimestamp(row.updated_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
            put(f"{row.handle}  {day}  {row.turns:4d} turns  {row.sync.value:8}  {row.title or row.label}")
    return 0


def show_conversation(*, profile: str, handle: str, as_json: bool) -> int:
    """Print the turns of one conversation, oldest first.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION`.
    """
    check_handle(handle, SystemClock().unix_ms())

    async def read(archive: Conversations) -> list[Turn]:
        if await archive.find(handle) is None:
            raise no_such_conversation()
        found: list[Turn] = []
        while page := await archive.turns(handle, before=found[0].position if found else None, limit=PAGE):
            found = [*page, *found]
        return found

    turns = read_store(find_folders(profile=profile), read)
    if turns is None:
        raise no_such_conversation()
    if as_json:
        put(json.dumps([_turn(turn) for turn in turns], indent=2))
    else:
        for turn in turns:
            put(f"{SPEAKERS[turn.role]:>5}: {turn.shown_text}{' [interrupted]' if turn.interrupted else ''}")
    return 0


def _conversation(row: Conversation) -> dict[str, object]:
    return {
        "handle": row.handle,
        "label": row.label,
        "title": row.title,
        "turns": row.turns,
        "updated": iso(row.updated_ms),
        "sync": row.sync.value,
    }


def _turn(turn: Turn) -> dict[str, object]:
    return {
        "turn_id": turn.turn_id,
        "role": turn.role.value,
        "text": turn.text,
        "heard_chars": turn.heard_chars,
        "interrupted": turn.interrupted,
        "unconfirmed": turn.unconfirmed,
        "typed": turn.typed,
        "voice": turn.voice,
        "tools": list(turn.tools),
        "edited": turn.edited,
        "at": iso(turn.at_ms),
        "sync": turn.sync.value,
    }
