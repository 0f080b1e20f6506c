"""Ask the running core something over its control channel: standard library only, quick to import.

One request and one answer are one line of JSON each, UTF-8:

    {"protocol": 1, "deadline_s": 5.0, "request": {...}}
    {"protocol": 1, "answer": {...}}      or      {"protocol": 1, "error": {"reason", "what", "advice"}}

Where sockets of the file system exist, `path` is one, open to its owner only. Elsewhere `path` is a file, readable by
its owner only, with the loopback port and a secret that has to come with every request.
"""

import contextlib
import json
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from novadesk.errors import KnownError, Reason

if TYPE_CHECKING:
    import socket

PROTOCOL = 1
MAX_REQUEST_BYTES = 65_536
MAX_ANSWER_BYTES = 4_000_000
# sun_path holds 104 bytes on macOS and 108 on Linux, the final zero included.
_MAX_SOCKET_PATH_BYTES = 103


def send(path: Path, request: dict[str, Any], deadline_s: float = 5.0) -> dict[str, Any]:
    """Send one request to the running core and return its answer, all within `deadline_s` seconds.

    Raises:
        KnownError: `NOT_RUNNING`, `CONTROL_REFUSED`, `TIMED_OUT`, or the core's own answer to this request.
    """
    until = time.monotonic() + deadline_s
    envelope: dict[str, Any] = {"protocol": PROTOCOL, "deadline_s": deadline_s, "request": request}
    try:
        channel, secret = _connect(socket_path(path), until)
        if secret:
            envelope["secret"] = secret
        with channel:
            line = _exchange(channel, json.dumps(envelope).encode() + b"\n", until)
    except TimeoutError as error:
        raise KnownError(
            Reason.TIMED_OUT,
            "NovaDesk did not answer within {s} seconds.",
            "Try again; if it stays so, end NovaDesk and start it anew.",
            s=deadline_s,
        ) from error
    except ConnectionError as error:
        raise _left_alone() from error
    except OSError as error:
        raise refused("The connection to the running NovaDesk broke.") from error
    return _open_answer(line)


def socket_path(path: Path) -> Path:
    """Return where the channel of `path` really lies: a short path of the same owner when `path` is too long.

    Raises:
        KnownError: `CONTROL_REFUSED` when the short folder belongs to somebody else.
    """
    if os.name != "posix" or len(os.fsencode(path)) <= _MAX_SOCKET_PATH_BYTES:
        return path
    import hashlib

    # Both sides must agree whatever XDG_RUNTIME_DIR and TMPDIR say, so neither is asked.
    folder = Path("/tmp") / f"novadesk-{os.getuid()}"
    if folder.exists() or folder.is_symlink():
        check_private(folder)
    return folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:24]}.sock"


def check_private(folder: Path) -> None:
    """Refuse a folder that others could have prepared for us.

    Raises:
        KnownError: `CONTROL_REFUSED` unless it is a real folder, ours, closed to everybody else.
    """
    found = folder.lstat()
    if os.name == "posix" and (
        not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077
    ):
        raise KnownError(
            Reason.CONTROL_REFUSED,
            "The folder {folder} is not private to you.",
            "Remove {folder}, or give it to yourself with mode 0700.",
            folder=str(folder),
        )


def refused(what: str) -> KnownError:
    """Make the error for a channel that does not work as agreed."""
    return KnownError(Reason.CONTROL_REFUSED, what, "Make sure that this NovaDesk and the running one are one version.")


def _left_alone() -> KnownError:
    return KnownError(
        Reason.NOT_RUNNING,
        "NovaDesk closed the connection: it ends, or begins anew with other settings.",
        "Try again in a moment.",
    )


def _connect(path: Path, until: float) -> "tuple[socket.socket, str]":
    try:
        mode = path.stat().st_mode
        import socket  # most starts find nobody to connect to

        if stat.S_ISSOCK(mode):
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            return _connected(channel, str(path), until), ""
        port, secret = _read_address(path)
        channel = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        return _connected(channel, ("127.0.0.1", port), until), secret
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise KnownError(Reason.NOT_RUNNING, "NovaDesk is not running.", "Start it with `novadesk`.") from error
    except PermissionError as error:
        raise KnownError(
            Reason.CONTROL_REFUSED, "The running NovaDesk belongs to another user.", "Run the command as that user."
        ) from error


def _connected(channel: "socket.socket", address: Any, until: float) -> "socket.socket":
    try:
        channel.settimeout(_left(until))
        channel.connect(address)
    except BlockingIOError as error:  # a full backlog: the core is there and busy
        channel.close()
        raise TimeoutError from error
    except OSError:
        channel.close()
        raise
    return channel


def _read_address(path: Path) -> tuple[int, str]:
    try:
        address = json.loads(path.read_bytes()[:1024])
        return int(address["port"]), str(address["secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise refused("The control file of NovaDesk is not readable.") from error


def _exchange(channel: "socket.socket", line: bytes, until: float) -> bytes:
    if len(line) > MAX_REQUEST_BYTES:
        raise KnownError(
            Reason.CONTROL_REFUSED, "The request is too long for the control channel.", "Send a shorter text."
        )
    channel.settimeout(_left(until))
    with contextlib.suppress(ConnectionError):  # who has no room for us says so before it is asked, and hangs up
        channel.sendall(line)
    received = bytearray()
    while b"\n" not in received:
        channel.settimeout(_left(until))
        part = channel.recv(65_536)
        if not part:
            raise _left_alone()
        received += part
        if len(received) > MAX_ANSWER_BYTES:
            raise refused("The running NovaDesk sent too long an answer.")
    return bytes(received[: received.index(b"\n")])


def _open_answer(line: bytes) -> dict[str, Any]:
    try:
        envelope = json.loads(line)
        if envelope["protocol"] != PROTOCOL:
            raise refused("The running NovaDesk speaks another version of the control protocol.")
        if "error" not in envelope:
            return dict(envelope["answer"])
        error = envelope["error"]
        known = KnownError(_reason(error["reason"]), str(error["what"]), str(error["advice"]))
    except (ValueError, KeyError, TypeError) as broken:
        raise refused("The running NovaDesk answered with something else than agreed.") from broken
    raise known


def _reason(value: object) -> Reason:
    try:
        return Reason(value)
    except ValueError:
        return Reason.CONTROL_REFUSED


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
