"""Make the packages of this system in dist/: freeze, package, list what is in them, and try the result.

python packaging/build.py [--no-smoke] [--no-packages]

The same command everywhere: two .deb packages on Debian and Ubuntu, an installer on Windows, a disk image on macOS. The
recipes of AppImage and Flatpak take what it freezes, dist/novadesk. Everything made is dated as the commit is.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from debs import has_tools, make_debs
from frozen import (
    APP,
    ICONS,
    PACKAGING,
    PRACTICE,
    ROOT,
    TREE,
    BuildError,
    freeze,
    make_stamp,
    run,
    source_date,
)
from inventory import Component, take_inventory
from licences import Part
from notices import NOTICES, checksums, make_sbom, write_notices

from novadesk.installation import this_system
from novadesk.stamp import Stamp

DIST = ROOT / "dist"
SUMS = "SHA256SUMS"
SHIPPED_AS = {"win32": "setup", "darwin": "dmg"}
"""What a frozen tree is stamped as where one kind of package takes it as it is; the others stamp it anew."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do as told; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-packages", action="store_true", help="freeze only")
    parser.add_argument("--no-smoke", action="store_true", help="do not try the result")
    options = parser.parse_args(arguments)
    os.environ["SOURCE_DATE_EPOCH"] = str(source_date())
    try:
        stamp = make_stamp(SHIPPED_AS.get(sys.platform, "folder"))
        _timed("frozen", lambda: freeze(stamp))
        made = [describe(TREE, take_inventory(), stamp)]
        if not options.no_packages:
            made += _timed("packaged", lambda: make_packages(stamp))
        (DIST / SUMS).write_text(checksums(made), encoding="utf-8")
    except BuildError as error:
        sys.stderr.write(f"package: {error}\n")
        return 1
    for file in (*made, DIST / SUMS):
        print(f"package: {file.relative_to(ROOT)}, {file.stat().st_size / 1e6:.1f} MB")
    return 0 if options.no_smoke else _try(made)


def make_packages(stamp: Stamp) -> list[Path]:
    """Make this system's packages of the frozen tree; return the files.

    Raises:
        BuildError: a tool failed.
    """
    if has_tools():
        return make_debs(TREE, stamp, DIST)
    if sys.platform == "win32":
        run(sys.executable, PACKAGING / "windows" / "installer.py", TREE, ICONS / "novadesk.ico", DIST)
    elif sys.platform == "darwin":
        run(sys.executable, PACKAGING / "macos" / "package.py", APP, DIST)
    return sorted(file for file in DIST.iterdir() if file.suffix in (".exe", ".dmg"))


def describe(tree: Path, components: Sequence[Component], stamp: Stamp) -> Path:
    """Lay the notices into a frozen tree, and the bill of materials beside it; return the latter."""
    folders = [(Part.CLIENT, tree), (Part.PRACTICE, tree / PRACTICE)]
    if APP.exists():
        inside = APP / "Contents"
        folders += [(Part.CLIENT, inside / "Resources"), (Part.PRACTICE, inside / "Frameworks" / Path(PRACTICE).name)]
    for part, folder in folders:
        (folder / NOTICES).write_text(write_notices(components, part), encoding="utf-8")
    bill = make_sbom(components, made_at=source_date(), version=stamp.version, commit=stamp.commit)
    file = DIST / f"novadesk-{stamp.version}-{'-'.join(this_system())}.cdx.json"
    file.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    return file


def _timed[T](what: str, work: Callable[[], T]) -> T:
    began = time.monotonic()
    done = work()
    print(f"package: {what} in {time.monotonic() - began:.0f} s", flush=True)
    return done


def _try(made: Sequence[Path]) -> int:
    """Try the frozen tree, hold it to its budgets, try the packages in a clean root; return the exit status."""
    smoke = [sys.executable, str(ROOT / "packaging" / "smoke_test.py")]
    parts = [] if sys.platform == "linux" else ["size"]  # the others take the tests' private desktop
    tries = [[*smoke, str(TREE)], [sys.executable, str(ROOT / "benchmarks" / "package.py"), *parts]]
    if debs := [str(file) for file in made if file.suffix == ".deb"]:
        tries.append([*smoke, "--clean-root", *debs])  # the last: who is not root shall read that it was not tried
    return max(subprocess.run(command, cwd=ROOT, check=False).returncode for command in tries)


if __name__ == "__main__":
    sys.exit(main())
