"""Gathers the diagnostics bundle and writes it, for the running core and for the doctor of one that does not start."""

import errno
from collections.abc import Sequence
from pathlib import Path

from novadesk.app.facts import hidden
from novadesk.diagnostics.bundle import BundlePart, write_bundle
from novadesk.diagnostics.crash import CrashFiles
from novadesk.diagnostics.report import Facts, hide, make_report
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

_CRASHES = 3


def report_part(facts: Facts) -> BundlePart:
    """Return the report as a part."""
    return BundlePart(
        name="report.txt",
        about=Text("Version, system, settings, numbers, warnings and the newest protocol events"),
        text=hide(make_report(facts), hidden()),
    )


def recording_part(dump: str) -> BundlePart:
    """Return the recording of protocol events as a part."""
    about = Text("Protocol events, with lengths in the place of texts and sound")
    return BundlePart(name="recording.jsonl", about=about, text=hide(dump, hidden()))


def crash_parts(folder: Path) -> list[BundlePart]:
    """Return the newest crash reports as parts."""
    found = []
    for file in CrashFiles(folder).newest(_CRASHES):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        about = Text("Where in the program a fault happened")
        found.append(BundlePart(name=file.name, about=about, text=hide(text, hidden())))
    return found


def save_bundle(file: Path, parts: Sequence[BundlePart]) -> None:
    """Write the archive.

    Raises:
        KnownError: `DISK_FULL` or `STORE_LOCKED`.
    """
    try:
        write_bundle(file, parts)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise KnownError(
            Reason.DISK_FULL if full else Reason.STORE_LOCKED,
            "The bundle cannot be written there ({why}).",
            "Choose another place.",
            why=error.strerror or "unknown",
        ) from error
