"""Many conversations at once: a folder or one zip file, in full or not at all, and never a private one."""

import asyncio
import os
import shutil
import stat
import threading
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from novadesk.app.export import (
    draft_of,
    encoded,
    faults_in_words,
    place,
    refuse_existing,
)
from novadesk.app.export_names import Names, stem_of
from novadesk.app.export_words import local
from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError, Reason
from novadesk.files import write_through
from novadesk.models import Conversation, Exported, Format, Turn
from novadesk.store.copies import sync_folder

ALL_TURNS = 1 << 40
_STEP_S = 120.0
_ZIP_YEARS = (1980, 2107)  # what the format can say


class Source(Protocol):
    """Where stored turns come from."""

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        """Return stored turns, in order."""
        ...


async def export_many(
    source: Source,
    conversations: Sequence[Conversation],
    form: Format,
    target: Path,
    *,
    force: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Exported:
    """Write each conversation to a file of its own, below a new folder or into one file when `target` ends in .zip.

    Reading, rendering and writing are done on other threads. Cancelling leaves nothing behind, and so does a fault.

    Args:
        source: the store.
        conversations: which; private ones are left out, and those that are deleted meanwhile.
        form: of each file.
        target: the folder, which may be there if it is empty, or the zip file; mode 0700 or 0600.
        force: replace a zip file; a folder that holds something is never replaced.
        on_progress: called with how many are written of how many, before each one and at the end.

    Raises:
        KnownError: `BAD_INPUT` when there is nothing to write, the target exists or cannot be written, or what keeps
            the store from being read.
    """
    chosen = [one for one in conversations if not one.private]
    if not chosen:
        raise KnownError(Reason.BAD_INPUT, "There is no conversation to export.", "Choose others.")
    draft = _Archive(target, force=force) if target.suffix.lower() == ".zip" else _Folder(target)
    names, written, count = Names(), 0, 0
    try:
        await aside(draft.begin)
        for number, conversation in enumerate(chosen):
            on_progress(number, len(chosen))
            turns = await source.turns(conversation.handle, limit=ALL_TURNS)
            if conversation.turns and not turns:
                continue
            name = names.take(stem_of(conversation), form.ending)
            await aside(_adding(draft, name, conversation, turns, form))
            written, count = written + 1, count + len(turns)
        await aside(draft.finish)
    except BaseException:
        await aside(draft.drop)
        raise
    on_progress(len(chosen), len(chosen))
    return Exported(target=target, conversations=written, turns=count)


def _adding(
    draft: "_Draft", name: str, conversation: Conversation, turns: Sequence[Turn], form: Format
) -> Callable[[], None]:
    return lambda: draft.add(name, encoded(conversation, turns, form), conversation.updated_ms)


async def aside[T](work: Callable[[], T]) -> T:
    """Return what `work` returns, done on another thread.

    When the wait is cancelled it is done all the same, and nothing begins before.
    """
    call = DaemonCall(work, name="novadesk-export")
    try:
        return await call.result(deadline_s=_STEP_S)
    except asyncio.CancelledError:
        with suppress(Exception):  # The one who cancelled wants to hear of nothing else.
            await call.result(deadline_s=_STEP_S)
        raise
    except TimeoutError as error:
        raise KnownError(Reason.TIMED_OUT, "The export takes too long.", "Choose a faster disk.") from error


class _Draft(ABC):
    """What is being written, under a name that nobody looks at until it is whole."""

    def __init__(self, target: Path) -> None:
        self._target, self._draft = target, draft_of(target)
        self._busy = threading.Lock()  # a step that was given up on may still run

    def begin(self) -> None:
        """Begin, unless the target is taken."""
        with self._busy, faults_in_words(self._target):
            self._begin()

    def add(self, name: str, content: bytes, at_ms: int) -> None:
        """Add a file."""
        with self._busy, faults_in_words(self._target):
            self._add(name, content, at_ms)

    def finish(self) -> None:
        """Give the draft its name."""
        with self._busy, faults_in_words(self._target):
            self._finish()

    def drop(self) -> None:
        """Remove the draft. Never raises."""
        with self._busy, suppress(OSError):
            self._drop()

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _add(self, name: str, content: bytes, at_ms: int) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...

    @abstractmethod
    def _drop(self) -> None: ...


class _Folder(_Draft):
    def _begin(self) -> None:
        self._refuse_taken()
        self._draft.mkdir(mode=0o700)

    def _add(self, name: str, content: bytes, at_ms: int) -> None:
        file = self._draft / name
        write_through(file, content)
        os.utime(file, (at_ms / 1000, at_ms / 1000))

    def _finish(self) -> None:
        self._refuse_taken()
        sync_folder(self._draft)
        if self._target.exists():
            self._target.rmdir()  # which only an empty one lets be done
        self._draft.rename(self._target)
        sync_folder(self._target.parent)

    def _drop(self) -> None:
        shutil.rmtree(self._draft, ignore_errors=True)

    def _refuse_taken(self) -> None:
        if self._target.is_symlink() or not self._target.is_dir() or any(self._target.iterdir()):
            refuse_existing(self._target)


class _Archive(_Draft):
    def __init__(self, target: Path, *, force: bool) -> None:
        super().__init__(target)
        self._force = force
        self._stream: IO[bytes]
        self._zip: zipfile.ZipFile

    def _begin(self) -> None:
        if not self._force:
            refuse_existing(self._target)
        descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._stream = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._stream, "w", zipfile.ZIP_DEFLATED)

    def _add(self, name: str, content: bytes, at_ms: int) -> None:
        at = local(at_ms)
        in_range = _ZIP_YEARS[0] <= at.year <= _ZIP_YEARS[1]
        about = zipfile.ZipInfo(name, at.timetuple()[:6] if in_range else (_ZIP_YEARS[0], 1, 1, 0, 0, 0))
        about.compress_type = zipfile.ZIP_DEFLATED
        about.external_attr = (stat.S_IFREG | 0o600) << 16
        self._zip.writestr(about, content)

    def _finish(self) -> None:
        self._zip.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        place(self._draft, self._target, force=self._force)
        self._draft.unlink(missing_ok=True)  # where the place was given by a second name
        sync_folder(self._target.parent)

    def _drop(self) -> None:
        if self._draft.exists():
            with suppress(OSError, ValueError):  # What it still wants to write has no place to go.
                self._zip.close()
            with suppress(OSError):
                self._stream.close()
            self._draft.unlink(missing_ok=True)
