"""Write the version resource of novadesk.exe, in the form that PyInstaller's EXE(version=…) reads.

python packaging/windows/version_resource.py FILE
"""

import re
import sys
from pathlib import Path

from novadesk import __version__

_FORM = """\
VSVersionInfo(
  ffi=FixedFileInfo(
    filevers={numbers}, prodvers={numbers}, mask=0x3F, flags=0x0, OS=0x40004, fileType=0x1, subtype=0x0, date=(0, 0)
  ),
  kids=[
    StringFileInfo([StringTable("040904B0", [
{strings}
    ])]),
    VarFileInfo([VarStruct("Translation", [0x0409, 1200])]),
  ],
)
"""


def numbers(version: str) -> tuple[int, int, int, int]:
    """Return the four numbers that Windows compares: those of the release, whatever stands behind them.

    Raises:
        ValueError: the version does not begin with three numbers.
    """
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if found is None:
        raise ValueError(f"{version} does not begin with three numbers")
    major, minor, micro = map(int, found.groups())
    return major, minor, micro, 0


def resource(version: str) -> str:
    """Return the resource as the Python expression that PyInstaller evaluates."""
    strings = {
        "CompanyName": "The NovaDesk authors",
        "FileDescription": "NovaDesk",
        "FileVersion": version,
        "InternalName": "novadesk",
        "LegalCopyright": "The NovaDesk authors, Apache-2.0",
        "OriginalFilename": "novadesk.exe",
        "ProductName": "NovaDesk",
        "ProductVersion": version,
    }
    rows = "\n".join(f'      StringStruct("{name}", "{value}"),' for name, value in strings.items())
    return _FORM.format(numbers=numbers(version), strings=rows)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(resource(__version__), encoding="utf-8")
