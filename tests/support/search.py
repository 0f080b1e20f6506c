"""A search for words in every byte that a program left behind: files below folders, and the desktop's keyring."""

import base64
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.desk import Desk

_KEYRING = (
    "import sys, secretstorage as s; bus = s.dbus_init();\n"
    "for c in s.get_all_collections(bus):\n"
    "    for i in c.get_all_items():\n"
    "        if i.is_locked(): i.unlock()\n"
    "        sys.stdout.write(repr((i.get_label(), i.get_attributes(), i.get_secret())) + chr(10))\n"
)


def forms(words: str) -> tuple[bytes, ...]:
    """Return how words may lie in a file: UTF-8, UTF-16 and Base64 at each of its three alignments."""
    plain = words.encode()
    coded = [base64.b64encode(b"\0" * shift + plain)[(0, 2, 3)[shift] :] for shift in range(3)]
    whole = [piece[: len(piece) - len(piece) % 4 - 4] for piece in coded]
    return plain, words.encode("utf-16-le"), words.encode("utf-16-be"), *(piece for piece in whole if len(piece) > 7)


def find_bytes(needles: Iterable[bytes], folders: Iterable[Path]) -> dict[Path, list[bytes]]:
    """Return the files below folders that hold any of the needles, whatever the case of their letters."""
    wanted = sorted({needle.lower() for needle in needles})
    found = {}
    for file in _files(folders):
        text = (f"{file}".encode() + b"\0" + file.read_bytes()).lower()
        if hits := [needle for needle in wanted if needle in text]:
            found[file] = hits
    return found


def find_words(words: Iterable[str], folders: Iterable[Path]) -> dict[Path, list[bytes]]:
    """Return the files below folders that hold any of the words in any of their forms, names of files included."""
    return find_bytes([form for word in words for form in forms(word)], folders)


def keyring_text(desk: Desk) -> str:
    """Return label, attributes and secret of every entry of the desktop's keyring, a line for each."""
    return desk.run(sys.executable, "-c", _KEYRING)


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path
