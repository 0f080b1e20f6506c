"""A conversation as a document in one of several formats, with what was heard and nothing else."""

import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from novadesk.app.export_page import page
from novadesk.app.export_subtitles import subtitles
from novadesk.app.export_table import table
from novadesk.app.export_words import SPEAKERS, about, iso, mark_of, name_of, second
from novadesk.errors import KnownError, Reason
from novadesk.files import write_through
from novadesk.models import Conversation, Format, Turn

# What begins or frames something in Markdown, wherever it stands in a line.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&])")
_LEADING = re.compile(r"^(\s*)([-+=]|\d+[.)])", re.MULTILINE)


def render(conversation: Conversation, turns: Sequence[Turn], form: Format) -> str:
    """Return the document; every text is cut at what the person heard, or is what the person made of it."""
    match form:
        case Format.JSON:
            return _json(conversation, turns)
        case Format.MARKDOWN:
            return _markdown(conversation, turns)
        case Format.TEXT:
            return _text(conversation, turns)
        case Format.SUBTITLES:
            return subtitles(conversation, turns)
        case Format.TABLE:
            return table(conversation, turns)
        case Format.PAGE:
            return page(conversation, turns)


def encoded(conversation: Conversation, turns: Sequence[Turn], form: Format) -> bytes:
    """Return the document as a file holds it; spreadsheets know UTF-8 by the mark in front of a table."""
    mark = "\ufeff" if form is Format.TABLE else ""
    return (mark + render(conversation, turns, form)).encode("utf-8", "backslashreplace")


def likely_format(file: Path) -> Format | None:
    """Return the format that a file's name asks for, or None."""
    ending = file.suffix.lower()
    return next((form for form in Format if form.ending == ending), Format.MARKDOWN if ending == ".markdown" else None)


def write_whole(file: Path, content: bytes, *, force: bool) -> None:
    """Write a file that is there in full or not at all, mode 0600; another one is replaced only with `force`.

    Raises:
        KnownError: `BAD_INPUT` when it exists, or cannot be written.
    """
    draft = draft_of(file)
    with faults_in_words(file):
        try:
            if not force:
                refuse_existing(file)
            write_through(draft, content)
            place(draft, file, force=force)
        finally:
            with suppress(OSError):
                draft.unlink()


def draft_of(target: Path) -> Path:
    """Return a hidden name beside `target` that nobody else has."""
    return target.with_name(f".novadesk-{secrets.token_hex(8)}.draft")


@contextmanager
def faults_in_words(target: Path) -> Iterator[None]:
    """Say what keeps `target` from being written.

    Raises:
        KnownError: `BAD_INPUT`.
    """
    try:
        yield
    except FileExistsError as error:
        raise KnownError(
            Reason.BAD_INPUT,
            "The file {file} exists already.",
            "Choose another name, or have it replaced (--force).",
            file=str(target),
        ) from error
    except OSError as error:
        why = error.strerror or "input/output error"
        raise KnownError(
            Reason.BAD_INPUT,
            "The file {file} cannot be written ({why}).",
            "Choose another place.",
            file=str(target),
            why=why,
        ) from error


def refuse_existing(file: Path) -> None:
    """Raise `FileExistsError` when there is something under that name, were it a link that leads nowhere."""
    if file.exists() or file.is_symlink():
        raise FileExistsError


def place(draft: Path, file: Path, *, force: bool) -> None:
    """Give a finished draft its name.

    Raises:
        FileExistsError: the name has been taken meanwhile, and there is no `force`.
    """
    if force:
        draft.replace(file)
        return
    try:
        os.link(draft, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: then a look before is all there is
        refuse_existing(file)
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
                "edited": turn.edited,
                "at": iso(turn.at_ms),
                "interrupted": turn.interrupted,
                "unconfirmed": turn.unconfirmed,
                "typed": turn.typed,
                "voice": turn.voice,
                "tools": list(turn.tools),
            }
            for turn in turns
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _markdown(conversation: Conversation, turns: Sequence[Turn]) -> str:
    lines = [
        f"# {_plain(name_of(conversation))}",
        "",
        _plain(about(conversation, turns)),
        "",
    ]
    for turn in turns:
        lines += [
            f"**{SPEAKERS[turn.role]}** {second(turn.at_ms)}{_plain(_note(turn))}",
            "",
            _plain(turn.shown_text),
            "",
        ]
    return "\n".join(lines)


def _text(conversation: Conversation, turns: Sequence[Turn]) -> str:
    lines = [name_of(conversation), about(conversation, turns), ""]
    lines += [f"[{second(turn.at_ms)}] {SPEAKERS[turn.role]}{_note(turn)}: {turn.shown_text}" for turn in turns]
    return "\n".join(lines) + "\n"


def _note(turn: Turn) -> str:
    mark = mark_of(turn)
    return f" ({mark})" if mark else ""


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _LEADING.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", text))
