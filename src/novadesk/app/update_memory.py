"""What is remembered of the update feed from one start to the next: a small file beside the log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from novadesk.conversation.updateapi import Offer
from novadesk.feed import is_newer, is_version
from novadesk.files import replace_file
from novadesk.text import packed, unpacked

_FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Times are Unix milliseconds.

    Attributes:
        due_ms: when the feed is asked next; None before that was ever settled.
        checked_ms: when a feed was believed last.
        channel: of that feed.
        serials: of the newest feed of each channel that was believed; an older one is refused.
        offer: the version that it offered, where that is newer.
        trouble: what came of the last check where it did not work.
    """

    due_ms: int | None = None
    checked_ms: int | None = None
    channel: str = ""
    serials: Mapping[str, int] = MappingProxyType({})
    offer: Offer | None = None
    trouble: str = ""

    def seen(self, channel: str) -> int:
        """Return the serial of the newest feed of a channel that was believed, 0 for none."""
        return self.serials.get(channel, 0)

    def for_version(self, version: str, channel: str) -> "Memory":
        """Return what of it still says something to a version: it may be the one that was offered."""
        stale = self.offer is not None and (channel != self.channel or not is_newer(self.offer.version, version))
        return replace(self, offer=None) if stale else self


def read_memory(file: Path) -> Memory:
    """Return what is remembered; nothing where the file is missing or makes no sense."""
    try:
        found = json.loads(file.read_bytes())
        if found["format"] != _FORMAT:
            return Memory()
        offer = found["offer"]
        return Memory(
            due_ms=_time(found["due_ms"]),
            checked_ms=_time(found["checked_ms"]),
            channel=str(found["channel"]),
            serials={channel: _whole(serial) for channel, serial in found["serials"].items()},
            offer=None if offer is None else _offer(offer),
            trouble=unpacked(str(found["trouble"])),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Memory()


def write_memory(file: Path, memory: Memory) -> None:
    """Replace what is remembered.

    Raises:
        OSError: the file cannot be written.
    """
    offer = memory.offer
    entries = {
        "format": _FORMAT,
        "due_ms": memory.due_ms,
        "checked_ms": memory.checked_ms,
        "channel": memory.channel,
        "serials": dict(memory.serials),
        "offer": None
        if offer is None
        else {
            "version": offer.version,
            "page": offer.page,
            "notes": dict(offer.notes),
            "unfit": packed(offer.unfit),
        },
        "trouble": packed(memory.trouble),
    }
    replace_file(file, (json.dumps(entries, indent=2, ensure_ascii=False) + "\n").encode())


def _offer(found: Any) -> Offer:
    version = str(found["version"])
    if not is_version(version):
        raise ValueError("this is no version")
    notes = tuple((str(language), str(text)) for language, text in found["notes"].items())
    return Offer(version=version, page=str(found["page"]), notes=notes, unfit=unpacked(str(found["unfit"])))


def _time(found: Any) -> int | None:
    return None if found is None else _whole(found)


def _whole(found: Any) -> int:
    if not isinstance(found, int) or isinstance(found, bool):
        raise ValueError("this is no whole number")
    return found
