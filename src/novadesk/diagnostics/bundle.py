"""The diagnostics bundle: a few texts in one ZIP archive, exactly those that the person has read before."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePart:
    """One file of the bundle; `about` says in words what it is."""

    name: str
    about: str
    text: str


def write_bundle(file: Path, parts: Sequence[BundlePart]) -> None:
    """Write the archive, mode 0600; one of that name is replaced once the new one is whole.

    Raises:
        OSError: it cannot be written there; nothing is left then.
    """
    making = file.with_name(f".{file.name}.part")
    try:
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(descriptor, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in parts:
                archive.writestr(part.name, part.text.encode("utf-8", "replace"))
        making.replace(file)
    finally:
        making.unlink(missing_ok=True)
