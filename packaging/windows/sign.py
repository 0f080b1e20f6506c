"""Sign what Windows loads: every .exe, .dll and .pyd that nobody has signed yet.

    python packaging/windows/sign.py FOLDER

NOVADESK_SIGN_COMMAND is the command to which the names of files are added, such as
`signtool sign /fd SHA256 /tr ADDRESS /td SHA256 /dlib Azure.CodeSigning.Dlib.dll /dmdf account.json`.
Without it nothing is signed, and that is said.
"""

import os
import struct
import subprocess
import sys
from collections.abc import Iterable
from itertools import batched
from pathlib import Path

COMMAND = "NOVADESK_SIGN_COMMAND"
_ENDINGS = (".exe", ".dll", ".pyd")
_AT_ONCE = 50  # a command line of Windows has 32,767 characters at most
_DIRECTORIES = {0x10B: 96, 0x20B: 112}  # offset of the data directories in the optional header of PE32 and PE32+
_SECURITY = 4


def is_signed(file: Path) -> bool:
    """Return whether a program or library carries an Authenticode signature, whosesoever it is.

    Raises:
        ValueError: it is no PE file.
    """
    data = file.read_bytes()
    if data[:2] != b"MZ" or len(data) < 0x40:
        raise ValueError(f"{file.name} is no program or library of Windows")
    (start,) = struct.unpack_from("<I", data, 0x3C)
    if data[start : start + 4] != b"PE\0\0":
        raise ValueError(f"{file.name} is no program or library of Windows")
    optional = start + 24
    (magic,) = struct.unpack_from("<H", data, optional)
    _, size = struct.unpack_from("<II", data, optional + _DIRECTORIES[magic] + 8 * _SECURITY)
    return bool(size)


def unsigned(files: Iterable[Path]) -> list[Path]:
    """Return those that nobody has signed."""
    return [file for file in files if file.suffix.lower() in _ENDINGS and not is_signed(file)]


def sign(folder: Path, command: str) -> int:
    """Sign what is unsigned below a folder; return how many files that were.

    Raises:
        CalledProcessError: the command failed.
        ValueError: a file is unsigned all the same.
    """
    wanted = unsigned(sorted(folder.rglob("*")))
    for some in batched(wanted, _AT_ONCE):
        names = subprocess.list2cmdline([str(file) for file in some])
        subprocess.run(f"{command} {names}", shell=True, check=True)
    left = unsigned(wanted)
    if left:
        raise ValueError(f"the command did not sign {left[0].name}")
    return len(wanted)


def main() -> int:
    """Sign a folder; return the exit status."""
    command = os.environ.get(COMMAND, "")
    if not command:
        print(f"sign: {COMMAND} is not set, nothing is signed")
        return 0
    print(f"sign: {sign(Path(sys.argv[1]), command)} files signed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
