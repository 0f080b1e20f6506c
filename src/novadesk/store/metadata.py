"""What a remote session says about its conversation: whose it is, its place in the chain, and the names given to it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from novadesk.errors import KnownError
from novadesk.models import BackendKind, Conversation, check_handle

APP = "novadesk"
KEY_APP = "app"
KEY_HANDLE = "novadesk.handle"
KEY_GENERATION = "novadesk.generation"
KEY_DEVICE = "novadesk.device"
KEY_PREDECESSOR = "novadesk.predecessor"
KEY_SUCCESSOR = "novadesk.successor"
KEY_BACKEND = "novadesk.backend"
KEY_CREATED_MS = "novadesk.created_ms"
KEY_LABEL = "novadesk.label"
KEY_LABELLED_MS = "novadesk.labelled_ms"
KEY_TITLE = "novadesk.title"
KEY_TITLED_MS = "novadesk.titled_ms"
KEY_STARRED = "novadesk.starred"
KEY_STARRED_MS = "novadesk.starred_ms"

MAX_NAME_CHARS = 200
"""What is kept of a name that another program wrote; the service takes 5,000 characters."""

_MAX_VALUE_CHARS = 5_000
_MAX_MS = 1 << 53
_LATEST_HANDLE_MS = 9_999_999_999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What people may change about a conversation, each with the Unix milliseconds of its last change."""

    title: str = ""
    titled_ms: int = 0
    label: str = ""
    labelled_ms: int = 0
    starred: bool = False
    starred_ms: int = 0


def newest_names(one: Names, other: Names) -> Names:
    """Return each name as its last writer left it. At equal times the greater value wins, so that all agree."""
    titled_ms, title = max((one.titled_ms, one.title), (other.titled_ms, other.title))
    labelled_ms, label = max((one.labelled_ms, one.label), (other.labelled_ms, other.label))
    starred_ms, starred = max((one.starred_ms, one.starred), (other.starred_ms, other.starred))
    return Names(
        title=title,
        titled_ms=titled_ms,
        label=label,
        labelled_ms=labelled_ms,
        starred=starred,
        starred_ms=starred_ms,
    )


def names_of(metadata: Mapping[str, str]) -> Names:
    """Return the names that a session carries; what is missing or senseless counts as never given."""
    return Names(
        title=metadata.get(KEY_TITLE, "")[:MAX_NAME_CHARS],
        titled_ms=_whole(metadata, KEY_TITLED_MS),
        label=metadata.get(KEY_LABEL, "")[:MAX_NAME_CHARS],
        labelled_ms=_whole(metadata, KEY_LABELLED_MS),
        starred=metadata.get(KEY_STARRED) == "1",
        starred_ms=_whole(metadata, KEY_STARRED_MS),
    )


def name_metadata(names: Names) -> dict[str, str]:
    """Return the part of the metadata that carries names."""
    return {
        KEY_LABEL: names.label[:_MAX_VALUE_CHARS],
        KEY_LABELLED_MS: str(names.labelled_ms),
        KEY_TITLE: names.title[:_MAX_VALUE_CHARS],
        KEY_TITLED_MS: str(names.titled_ms),
        KEY_STARRED: "1" if names.starred else "0",
        KEY_STARRED_MS: str(names.starred_ms),
    }


def make_metadata(
    conversation: Conversation, names: Names, *, generation: int, device: str, predecessor: str = ""
) -> dict[str, str]:
    """Return the metadata of a session: at most 50 pairs, every value within 5,000 characters."""
    metadata = {
        KEY_APP: APP,
        KEY_HANDLE: conversation.handle,
        KEY_GENERATION: str(generation),
        KEY_DEVICE: device[:_MAX_VALUE_CHARS],
        KEY_BACKEND: conversation.backend.value,
        KEY_CREATED_MS: str(conversation.created_ms),
        **name_metadata(names),
    }
    return metadata | ({KEY_PREDECESSOR: predecessor} if predecessor else {})


def handle_of(metadata: Mapping[str, str]) -> str | None:
    """Return the handle of the conversation when the session is one of ours, else None.

    A handle later than this machine's clock is taken: the clock of the machine that made it may be ahead.
    """
    if metadata.get(KEY_APP) != APP:
        return None
    try:
        return check_handle(metadata.get(KEY_HANDLE, ""), _LATEST_HANDLE_MS)
    except KnownError:
        return None


def generation_of(metadata: Mapping[str, str]) -> int:
    """Return a session's place in its chain; 0 when that is not a number."""
    text = metadata.get(KEY_GENERATION, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def backend_of(metadata: Mapping[str, str]) -> BackendKind:
    """Return the backend that the conversation began with; Bedrock when that is not said."""
    try:
        return BackendKind(metadata.get(KEY_BACKEND))
    except ValueError:
        return BackendKind.BEDROCK


def created_ms_of(metadata: Mapping[str, str], otherwise: int) -> int:
    """Return when the conversation began, in Unix milliseconds."""
    return _whole(metadata, KEY_CREATED_MS) or otherwise


def mark_of(session_id: str) -> str:
    """Return what a remote session is recognised by without its id: the id cannot be found from it."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:16]


def _whole(metadata: Mapping[str, str], key: str) -> int:
    text = metadata.get(key, "")
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else 0
    return value if value < _MAX_MS else 0
