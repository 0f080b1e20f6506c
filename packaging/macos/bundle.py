"""Lay into NovaDesk.app what PyInstaller did not know of: the practice partner's parts and the notices.

python packaging/macos/bundle.py dist/NovaDesk.app dist/novadesk
"""

import shutil
import sys
from pathlib import Path

PRACTICE = "practice"


def complete(app: Path, tree: Path) -> None:
    """Copy what is in a frozen tree and not in the bundle that was made beside it. Idempotent.

    Data belongs into Resources; the program looks for it in Frameworks, where PyInstaller, too, leaves links to it.

    Args:
        app: the bundle.
        tree: the frozen tree.
    """
    resources, frameworks = app / "Contents" / "Resources", app / "Contents" / "Frameworks"
    parts = tree / "_internal" / PRACTICE
    if parts.is_dir():
        shutil.rmtree(resources / PRACTICE, ignore_errors=True)
        shutil.copytree(parts, resources / PRACTICE, symlinks=True)
        link = frameworks / PRACTICE
        link.unlink(missing_ok=True)
        link.symlink_to(Path("..") / "Resources" / PRACTICE)
    for file in tree.iterdir():
        if file.is_file() and file.name not in ("novadesk", ".DS_Store"):
            shutil.copy(file, resources / file.name)


if __name__ == "__main__":
    complete(Path(sys.argv[1]), Path(sys.argv[2]))
