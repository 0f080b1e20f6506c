"""`novadesk update-check`: asks now whether there is a newer version; also what `novadesk doctor` says of it."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from novadesk.app.clock import SystemClock
from novadesk.app.output import put
from novadesk.app.update_memory import read_memory
from novadesk.app.updates import find_place, make_updates, why_unasked
from novadesk.config import Settings
from novadesk.conversation.updateapi import UpdateStanding
from novadesk.desktop.control import send
from novadesk.errors import KnownError, Reason
from novadesk.feed import KEYS
from novadesk.paths import Folders, find_folders
from novadesk.settings_file import load_settings

_ANSWER_S = 90.0


def run_update_check(*, profile: str, as_json: bool) -> int:
    """Print whether there is a newer version; return 0.

    Raises:
        KnownError: the feed cannot be had, or is not to be believed; or nobody can be asked.
    """
    folders = find_folders(profile=profile)
    row = _through_core(folders) or standing_row(asyncio.run(_ask(folders)))
    if as_json:
        put(json.dumps(row, indent=2, ensure_ascii=False))
        return 0
    newest = row["newest"]
    if newest is None:
        put(f"NovaDesk {row['version']} is the newest of its channel, {row['channel']}.")
    else:
        put(f"NovaDesk {newest['version']} is there; this is {row['version']}. {newest['unfit']}".rstrip())
        put(f"Download it at {newest['page']}")
    return 0


def standing_row(standing: UpdateStanding) -> dict[str, Any]:
    """Return how things stand as JSON has it."""
    offer = standing.offer
    return {
        "version": standing.version,
        "channel": standing.channel,
        "kind": standing.kind,
        "checked": None if standing.checked_ms is None else _time(standing.checked_ms),
        "newest": None
        if offer is None
        else {"version": offer.version, "page": offer.page, "notes": offer.notes_in("en"), "unfit": str(offer.unfit)},
    }


def examine_updates(folders: Folders, settings: Settings) -> str:
    """Return channel, last check and what came of it. Reads files and asks nobody.

    Raises:
        KnownError: the last check did not work.
    """
    place = find_place()
    copy = f"NovaDesk {place.version}, {place.channel} channel, {place.kind}"
    if (unasked := why_unasked(settings.updates, place, KEYS)) is not None:
        return f"{copy}. {unasked.value.rstrip('.')}"
    memory = read_memory(folders.updates_file).for_version(place.version, place.channel)
    if memory.trouble:
        raise KnownError(Reason.FEED_BROKEN, memory.trouble, "See `novadesk update-check`.")
    if memory.checked_ms is None:
        return f"{copy}, not checked yet"
    newest = "the newest" if memory.offer is None else f"{memory.offer.version} is there"
    return f"{copy}, checked on {_time(memory.checked_ms)[:10]}: {newest}"


def _through_core(folders: Folders) -> dict[str, Any] | None:
    """Return the running core's answer, or None when there is no core."""
    try:
        answer = send(folders.control_socket, {"do": "update-check"}, deadline_s=_ANSWER_S)
    except KnownError as error:
        if error.reason is not Reason.NOT_RUNNING:
            raise
        return None
    return {name: value for name, value in answer.items() if name != "protocol"}


async def _ask(folders: Folders) -> UpdateStanding:
    folders.make()
    settings = load_settings(folders.settings_file)
    return await make_updates(settings, folders, SystemClock()).check()


def _time(unix_ms: int) -> str:
    return f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
