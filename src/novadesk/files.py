"""Files that are there in full or not at all: the part that every writer of one begins with."""

import os
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
