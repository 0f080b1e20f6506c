"""Freeze NovaDesk into dist/novadesk/ and hold a conversation with the result.

python packaging/build.py [--no-smoke]
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build() -> Path:
    """Run PyInstaller; return the program.

    Raises:
        SystemExit: with the end of its output, when it fails.
    """
    log = ROOT / "build" / "package.log"
    log.parent.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "PyInstaller", "--noconfirm", "--distpath", str(ROOT / "dist"),
        "--workpath", str(ROOT / "build" / "pyinstaller"), str(ROOT / "packaging" / "novadesk.spec"),
    ]  # fmt: skip
    began = time.monotonic()
    with log.open("wb") as output:
        status = subprocess.run(command, stdout=output, stderr=output, cwd=ROOT, check=False).returncode
    if status != 0:
        raise SystemExit(
            "\n".join(log.read_text(errors="replace").splitlines()[-25:]) + "\npackage: PyInstaller failed"
        )
    folder = ROOT / "dist" / "novadesk"
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder / name)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    print(f"package: {folder.relative_to(ROOT)}, {size / 1e6:.0f} MB, in {time.monotonic() - began:.0f} s")
    return folder / ("novadesk.exe" if sys.platform == "win32" else "novadesk")


def main() -> int:
    """Build, then try the build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-smoke", action="store_true", help="do not try the result")
    options = parser.parse_args()
    program = build()
    if options.no_smoke:
        return 0
    return subprocess.run(
        [sys.executable, str(ROOT / "packaging" / "smoke_test.py"), str(program)], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
