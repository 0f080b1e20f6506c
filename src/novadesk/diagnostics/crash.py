"""A fault of NovaDesk itself as one file that a person can read and send: where it happened, never with what in hand.

A file waits until the person has seen it; some are kept afterwards.
"""

import os
import re
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from novadesk.config import Settings
from novadesk.diagnostics.report import frame_line, grave_lines, hide, open_settings, pairs, scrub, traceback_line

KEPT = 10
"""Reports kept of each kind: those to be seen, and those that were."""

_NEW, _SEEN = "crash-", "seen-crash-"
_HEADING = re.compile(
    r"(Fatal Python error: [A-Za-z ]+"
    r"|Windows fatal exception: [\w ]+"
    r"|(?:Stack |(?:Current thread|Thread) 0x[0-9a-f]+[^:]*)\(most recent call first\):)"
)
_FAULT_FRAME = re.compile(r'( +)File "([^"]*)", (line \d+ in \S+)')
_MOST_LINES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """What is known of a fault.

    Attributes:
        where: the thread or process, such as "core thread".
        made_at: as it is to be shown.
        lines: the traceback, see `of_exception` and `of_dump`.
        program: (name, value) about version and system.
        settings: as in force.
        log: lines of the log, oldest first.
        hidden: texts that must not stand in the report, such as the person's name.
    """

    where: str
    made_at: str
    lines: Sequence[str]
    program: Sequence[tuple[str, str]]
    settings: Settings
    log: Sequence[str] = ()
    hidden: Sequence[str] = ()


def of_exception(error: BaseException) -> list[str]:
    """Return the frames of an exception and of what caused it; of each exception only the type."""
    whole = "".join(traceback.format_exception(error)).splitlines()
    kept = [found for line in whole[-_MOST_LINES:] if (found := traceback_line(line))]
    name = type(error).__name__
    return kept if kept and kept[-1].endswith(name) else [*kept, name]  # some names look like no exception's


def of_dump(text: str) -> list[str]:
    """Return what matters of a dump of Python's fault handler or of a traceback that another process wrote.

    Nothing when there is neither in the text.
    """
    found: list[str] = []
    grave = False
    for line in text.splitlines()[-_MOST_LINES:]:
        heading = _HEADING.search(line)
        grave = grave or heading is not None or "Traceback (most recent call last)" in line
        frame = _FAULT_FRAME.match(line)
        if heading is not None:
            found.append(heading[1])
        elif frame is not None:
            found.append(frame_line(frame[1], frame[2], frame[3]))
        elif grave and (kept := traceback_line(line)):
            found.append(kept)
    return found if grave else []


def make_crash_report(crash: Crash) -> str:
    """Return the report."""
    parts = {
        "What happened": [f"where: {scrub(crash.where)}", *crash.lines],
        "Program": pairs(crash.program),
        "Settings": open_settings(crash.settings),
        "Warnings and errors": grave_lines(crash.log) or ["none"],
    }
    lines = [f"NovaDesk crash report, {crash.made_at}"]
    for title, content in parts.items():
        lines += ["", f"## {title}", *content]
    return hide("\n".join(lines) + "\n", crash.hidden)


class CrashFiles:
    """The reports of a folder.

    Args:
        folder: made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, stamp: str) -> Path:
        """Write a report, mode 0600, and let the oldest of too many go; return its file.

        Raises:
            OSError: it cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.folder / f"{_NEW}{stamp}.txt"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
        for old in sorted(self._files(_SEEN), key=_stamp)[:-KEPT] + sorted(self._files(_NEW), key=_stamp)[:-KEPT]:
            old.unlink(missing_ok=True)
        return file

    def unseen(self) -> list[Path]:
        """Return the reports that nobody has seen, the newest last."""
        return sorted(self._files(_NEW), key=_stamp)

    def newest(self, count: int) -> list[Path]:
        """Return the newest reports, seen or not, the newest last."""
        return sorted([*self._files(_NEW), *self._files(_SEEN)], key=_stamp)[-count:]

    def note_seen(self, file: Path) -> None:
        """Show a report no more by itself."""
        file.rename(file.with_name(f"{_SEEN}{_stamp(file)}.txt"))

    def _files(self, prefix: str) -> Iterable[Path]:
        return self.folder.glob(f"{prefix}*.txt")


def _stamp(file: Path) -> str:
    return file.stem.removeprefix(_SEEN).removeprefix(_NEW)
