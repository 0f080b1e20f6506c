"""Where a local server listens, kept in its folder so that later users find the one that runs."""

import contextlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from novadesk.errors import KnownError, Reason
from novadesk.files import replace_file

_ADDRESS_FILE = "address.json"
_LOCK_FILE = "server.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Everything a client needs; as JSON it is the first line of `novadesk serve`.

    Attributes:
        bedrock: `http://` endpoint of Bedrock Runtime (HTTP/2 with prior knowledge).
        bedrock_tls: `https://` endpoint of the same.
        ca_file: PEM file of the authority that a client of `bedrock_tls` has to trust.
        agent_runtime: `http://` endpoint of the session operations.
        gateway: WebSocket endpoint, or None while there is none.
        pid: process that serves.
    """

    bedrock: str
    bedrock_tls: str
    ca_file: str
    agent_runtime: str
    gateway: str | None
    region: str
    access_key_id: str
    secret_access_key: str
    pid: int

    def to_json(self) -> str:
        """Return the address as one line of JSON."""
        return json.dumps(asdict(self))

    def __repr__(self) -> str:
        return f"ServerAddress(bedrock={self.bedrock!r}, pid={self.pid})"


def find_server(folder: Path) -> ServerAddress | None:
    """Return the address of the server that runs on a folder, or None; a stale file counts for nothing."""
    try:
        kept = json.loads((folder / _ADDRESS_FILE).read_text(encoding="utf-8"))
        address = ServerAddress(**kept)
    except (OSError, ValueError, TypeError):
        return None
    lock = FolderLock(folder)
    if not lock.try_take():
        return address
    lock.release()
    return None


def publish(folder: Path, address: ServerAddress) -> None:
    """Write the address file (0600)."""
    replace_file(folder / _ADDRESS_FILE, address.to_json().encode())


def withdraw(folder: Path) -> None:
    """Remove the address file."""
    with contextlib.suppress(OSError):
        (folder / _ADDRESS_FILE).unlink(missing_ok=True)


class FolderLock:
    """Held by the one process that serves a folder; the operating system drops it with the process."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _LOCK_FILE
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.release()

    def take(self) -> None:
        """Take the lock.

        Raises:
            KnownError: `ALREADY_RUNNING` when another process (or another server of this one) has it.
        """
        if not self.try_take():
            raise KnownError(
                Reason.ALREADY_RUNNING,
                "A local server runs on this folder already.",
                "Use that one, or stop it first.",
            )

    def try_take(self) -> bool:
        """Take the lock if it is free; return whether it was.

        Raises:
            KnownError: `PRACTICE_FAILED` when the lock file cannot be opened.
        """
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise KnownError(
                Reason.PRACTICE_FAILED,
                "The folder of the local server cannot be used.",
                f"Make sure that {self._file.parent} is a writable folder.",
            ) from error
        stream = os.fdopen(descriptor, "r+b")
        if not _lock(stream):
            stream.close()
            return False
        self._stream = stream
        return True

    def release(self) -> None:
        """Let the lock go. Does nothing when it is not held."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: IO[bytes]) -> bool:
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(stream: IO[bytes]) -> bool:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
