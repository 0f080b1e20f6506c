"""Keeps the compiled form of what would be compiled anew at every start, as Python does with modules.

Two libraries make code of texts: Qt for Python carries modules of its own as source in a string (see its
`signature_bootstrap.py`), and `dataclasses` writes the methods of every class.
"""

import builtins
import dataclasses
import marshal
import os
import sys
from contextlib import suppress
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from types import CodeType
from typing import Any

type Codes = dict[tuple[str, str | bytes], CodeType]
"""Code by the file that it names and the text of which it was made."""

_OF_QT = "shibokensupport/"
_OTHERS_WRITE = 0o022


class CodeKeeper:
    """Compiles between `start` and `stop`, or takes what another start has compiled. For the main thread.

    Args:
        folder: of the file, which may be lost at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"start-{sys.implementation.cache_tag}.code"
        self._compile = builtins.compile
        self._known: Codes = {}
        self._used: Codes = {}

    def start(self) -> None:
        """Stand in for what compiles."""
        self._known = read_codes(self._file)
        builtins.compile = self._compile_for_qt
        dataclasses.exec = self._run  # type: ignore[attr-defined]

    def stop(self) -> None:
        """Give way again; write what this start has used, if any of it is new. Idempotent."""
        builtins.compile = self._compile
        vars(dataclasses).pop("exec", None)
        if not self._used.keys() <= self._known.keys():
            self._known = self._used
            write_codes(self._file, self._used)

    def _compile_for_qt(self, source: Any, filename: Any, mode: str, *given: Any, **named: Any) -> Any:
        if isinstance(source, bytes) and isinstance(filename, str) and filename.startswith(_OF_QT):
            return self._code(source, filename)
        return self._compile(source, filename, mode, *given, **named)

    def _run(self, source: str, names: dict[str, Any], made: dict[str, Any]) -> None:
        exec(self._code(source, "<string>"), names, made)

    def _code(self, source: str | bytes, filename: str) -> CodeType:
        key = filename, source
        code = self._known.get(key) or self._compile(source, filename, "exec", dont_inherit=True)
        self._used[key] = code
        return code


def read_codes(file: Path) -> Codes:
    """Return what is in the file: nothing of another Python, nothing damaged, and nothing that others could write."""
    with suppress(OSError), file.open("rb") as stream:
        found = os.fstat(stream.fileno())
        if os.name == "posix" and (found.st_uid != os.getuid() or found.st_mode & _OTHERS_WRITE):
            return {}
        head, body = stream.read(len(_head(b""))), stream.read()
        if head == _head(body):
            return dict(marshal.loads(body))
    return {}


def write_codes(file: Path, codes: Codes) -> None:
    """Write the file, open to the user only, where that is possible. What is half written is not read."""
    body, draft = marshal.dumps(codes), file.with_name(f"{file.name}.draft")
    with suppress(OSError):
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(_head(body) + body)
        draft.replace(file)


def _head(body: bytes) -> bytes:
    """Return what names the Python that can run it, and proves that it is whole."""
    return MAGIC_NUMBER + bytes([sys.flags.optimize]) + source_hash(body)
