"""Files that are there in full or not at all."""

import os
from contextlib import suppress
from pathlib import Path


def write_through(file: Path, content: bytes) -> None:
    """Write a new file that only the user can read (0600), and that is on the disk when this returns.

    Raises:
        OSError: `FileExistsError` when there is one of that name already; any other when it cannot be written.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def replace_file(file: Path, content: bytes) -> None:
    """Put a file in its place, or in that of another one, in one step and for good; 0600. One writer at a time.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    draft = file.with_name(f"{file.name}.draft")
    draft.unlink(missing_ok=True)  # of a writer that was killed
    try:
        write_through(draft, content)
        draft.replace(file)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
