"""A conversation as a document: JSON, Markdown or plain text, with what was heard and nothing else."""

import json
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from enum import Enum
from pathlib import Path

from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Role, Turn, counted

SPEAKERS = {Role.USER: "You", Role.ASSISTANT: "Nova"}
# What begins or frames something in Markdown, wherever it stands in a line.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&])")
_LEADING = re.compile(r"^(\s*)([-+=]|\d+[.)])", re.MULTILINE)


class Format(Enum):
    """How a conversation is written out."""

    JSON = "json"
    MARKDOWN = "markdown"
    TEXT = "text"


def render(conversation: Conversation, turns: Sequence[Turn], form: Format) -> str:
    """Return the document; every text is cut at what the person heard."""
    match form:
        case Format.JSON:
            return _json(conversation, turns)
        case Format.MARKDOWN:
            return _markdown(conversation, turns)
        case Format.TEXT:
            return _text(conversation, turns)


def write_whole(file: Path, text: str, *, force: bool) -> None:
    """Write a file that is there in full or not at all, mode 0600; another one is replaced only with `force`.

    Raises:
        KnownError: `BAD_INPUT` when it exists, or cannot be written.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        if not force and (file.exists() or file.is_symlink()):
            raise FileExistsError
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if force:
            draft.replace(file)
        else:
            _place(draft, file)
    except FileExistsError as error:
        raise KnownError(
            Reason.BAD_INPUT, f"The file {file} exists already.", "Name another one, or use --force to replace it."
        ) from error
    except OSError as error:
        why = error.strerror or "input/output error"
        raise KnownError(
            Reason.BAD_INPUT, f"The file {file} cannot be written ({why}).", "Choose another place with --out."
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()


def iso(at_ms: int) -> str:
    """Return a time as ISO 8601 in the zone of this computer."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().isoformat(timespec="milliseconds")


def _place(draft: Path, file: Path) -> None:
    """Give the draft its name unless that has been taken meanwhile."""
    try:
        os.link(draft, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: then the look before is all there is
        if file.exists():
            raise FileExistsError from None
        draft.replace(file)


def _json(conversation: Conversation, turns: Sequence[Turn]) -> str:
    document = {
        "handle": conversation.handle,
        "label": conversation.label,
        "title": conversation.title,
        "starred": conversation.starred,
        "backend": conversation.backend.value,
        "created": iso(conversation.created_ms),
        "updated": iso(conversation.updated_ms),
        "turns": [
            {
                "turn_id": turn.turn_id,
                "role": turn.role.value,
                "text": turn.heard_text,
                "at": iso(turn.at_ms),
                "interrupted": turn.interrupted,
                "unconfirmed": turn.unconfirmed,
                "typed": turn.typed,
            }
            for turn in turns
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _markdown(conversation: Conversation, turns: Sequence[Turn]) -> str:
    lines = [
        f"# {_plain(_name(conversation))}",
        "",
        f"{_when(conversation.created_ms)}, {counted(len(turns), 'turn')}",
        "",
    ]
    for turn in turns:
        lines += [f"**{SPEAKERS[turn.role]}** {_clock(turn.at_ms)}{_note(turn)}", "", _plain(turn.heard_text), ""]
    return "\n".join(lines)


def _text(conversation: Conversation, turns: Sequence[Turn]) -> str:
    lines = [_name(conversation), f"{_when(conversation.created_ms)}, {counted(len(turns), 'turn')}", ""]
    lines += [f"[{_clock(turn.at_ms)}] {SPEAKERS[turn.role]}{_note(turn)}: {turn.heard_text}" for turn in turns]
    return "\n".join(lines) + "\n"


def _name(conversation: Conversation) -> str:
    return " ".join((conversation.title or conversation.label or "Conversation").split())


def _note(turn: Turn) -> str:
    if turn.interrupted:
        return " (interrupted)"
    return " (unconfirmed)" if turn.unconfirmed else ""


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%H:%M:%S")


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _LEADING.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", text))
