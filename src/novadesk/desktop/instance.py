"""The channel over which others drive the core of a data folder."""

import asyncio
import contextlib
import errno
import hmac
import json
import logging
import secrets
import socket
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from novadesk.desktop.control import MAX_REQUEST_BYTES, PROTOCOL, check_private, refused, socket_path
from novadesk.errors import KnownError, Reason
from novadesk.files import replace_file

_log = logging.getLogger(__name__)

type ControlHandler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class ControlServer:
    """Answers requests on the core's loop; a slow, silent or senseless client costs the core nothing.

    Args:
        path: where clients look, see `novadesk.desktop.control`.
        handler: answers one request; a `KnownError` of it goes to the client as such.
        loopback: use a loopback port and a secret instead of a socket of the file system.
        patience_s: longest wait for a client to send its line or to take its answer.
        longest_s: longest time that a handler gets, whatever deadline the client names.
        most_clients: connections at a time; further ones are refused.
    """

    def __init__(
        self,
        path: Path,
        handler: ControlHandler,
        *,
        loopback: bool = sys.platform == "win32",
        patience_s: float = 5.0,
        longest_s: float = 60.0,
        most_clients: int = 16,
    ) -> None:
        self._path = path if loopback else socket_path(path)
        self._handler = handler
        self._loopback = loopback
        self._patience_s = patience_s
        self._longest_s = longest_s
        self._most_clients = most_clients
        self._secret = ""
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen; a socket that nobody answers on is replaced.

        Raises:
            KnownError: `ALREADY_RUNNING` when another core answers there, `CONTROL_REFUSED` when the folder is unfit.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(self._path.parent)
        if self._loopback:
            self._server = await asyncio.start_server(
                self._take, "127.0.0.1", 0, limit=MAX_REQUEST_BYTES, start_serving=False
            )
            await self._server.start_serving()  # not before `_take` knows the server
            self._publish_port(self._server.sockets[0].getsockname()[1])
        else:
            listener = _bind(self._path)
            self._server = await asyncio.start_unix_server(
                self._take, sock=listener, limit=MAX_REQUEST_BYTES, start_serving=False
            )
            await self._server.start_serving()

    async def stop(self) -> None:
        """Stop listening, drop every client, remove the socket. Idempotent, bounded by the handlers' own cancelling."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await server.wait_closed()
        self._path.unlink(missing_ok=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if self._server is None:
                return
            if len(self._clients) >= self._most_clients:
                busy = KnownError(Reason.CONTROL_REFUSED, "Too many ask NovaDesk at a time.", "Try again in a moment.")
                writer.write(json.dumps(_error(busy)).encode() + b"\n")
                return
            self._clients.add(task)
            while await self._serve_one(reader, writer):
                pass
        except (OSError, asyncio.CancelledError, TimeoutError):
            pass  # a client that left, or that took longer than it may; cancelled only by stop()
        except Exception:
            _log.exception("The control channel met a fault of our own.")
        finally:
            self._clients.discard(task)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one line; return whether the client may send another one."""
        keep = True
        try:
            async with asyncio.timeout(self._patience_s):
                line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return False
        except asyncio.LimitOverrunError:
            keep, envelope = False, _error(refused("The request is too long."))
        else:
            envelope = await self._answer(line)
            keep = "error" not in envelope
        writer.write(json.dumps(envelope).encode() + b"\n")
        async with asyncio.timeout(self._patience_s):
            await writer.drain()
        return keep

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request, deadline_s = self._open_request(line)
            async with asyncio.timeout(deadline_s):
                answer = await self._handler(request)
        except KnownError as error:
            return _error(error)
        except TimeoutError:
            return _error(KnownError(Reason.TIMED_OUT, "NovaDesk took too long over this request.", "Try again."))
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("A control request failed.")
            return _error(
                KnownError(Reason.CONTROL_REFUSED, "NovaDesk failed over this request.", "Look into its log file.")
            )
        return {"protocol": PROTOCOL, "answer": answer}

    def _open_request(self, line: bytes) -> tuple[dict[str, Any], float]:
        try:
            envelope = json.loads(line)
            protocol, request = envelope["protocol"], envelope["request"]
            deadline_s = min(float(envelope.get("deadline_s", self._longest_s)), self._longest_s)
            secret = str(envelope.get("secret", ""))
            if not deadline_s > 0:  # NaN included
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise refused("The request is not readable.") from error
        if self._loopback and not hmac.compare_digest(secret.encode(), self._secret.encode()):
            raise refused("The request came without the secret of this NovaDesk.")
        if protocol != PROTOCOL:
            raise refused(f"This NovaDesk speaks version {PROTOCOL} of the control protocol.")
        if not isinstance(request, dict):
            raise refused("The request is not an object.")
        return request, deadline_s

    def _publish_port(self, port: int) -> None:
        self._secret = secrets.token_urlsafe(32)
        replace_file(self._path, json.dumps({"port": port, "secret": self._secret}).encode())


def _error(error: KnownError) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL,
        "error": {"reason": error.reason.value, "what": error.what, "advice": error.advice},
    }


def _bind(path: Path) -> socket.socket:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode) and _answers(path):
            raise KnownError(
                Reason.ALREADY_RUNNING,
                "Another NovaDesk answers on the control socket.",
                "Use that one, end it, or give another --profile.",
            )
        path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        # EAGAIN is a full backlog: somebody listens there.
        return probe.connect_ex(str(path)) in (0, errno.EAGAIN, errno.EINPROGRESS)
