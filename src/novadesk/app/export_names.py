"""File names for conversations that every system takes: Windows, macOS and Linux, and the drives between them."""

import re
import unicodedata

from novadesk.app.export_words import day, name_of
from novadesk.models import Conversation
from novadesk.protocol.history import well_formed

STEM_BYTES = 100
"""Of a name, without number and ending: encrypted home folders take 143 bytes, others 255."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file, whatever ending follows.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(?=\.|$)", re.IGNORECASE)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Names:
    """Gives names of which no two are the same, not even for a drive that knows no case or another Unicode form."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, stem: str, ending: str) -> str:
        """Return a name that was not given yet."""
        key = _folded(stem)
        number = self._next.get(key, 1)
        while _folded(name := f"{stem}{f' ({number})' if number > 1 else ''}{ending}") in self._taken:
            number += 1
        self._next[key] = number + 1
        self._taken.add(_folded(name))
        return name


def stem_of(conversation: Conversation) -> str:
    """Return the name of a conversation's file without its ending: date and title."""
    return safe(f"{day(conversation.created_ms)} {name_of(conversation)}")


def safe(text: str) -> str:
    """Return text as a name without ending: no character or word that a system keeps for itself, not too long."""
    text = unicodedata.normalize("NFC", well_formed(text))
    text = "".join(" " if unicodedata.category(character) in _UNSEEN else character for character in text)
    text = _FORBIDDEN.sub("-", " ".join(text.split())).lstrip(".-~ ")
    text = text.encode()[:STEM_BYTES].decode(errors="ignore").rstrip(". ")
    if not text:
        return "Conversation"
    return f"_{text}" if _DEVICE.match(text) else text


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
