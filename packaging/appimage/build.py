"""Make an AppImage of the frozen folder: the static type-2 runtime, with a squashfs of an AppDir behind it.

    python packaging/appimage/build.py dist/novadesk build/icons RUNTIME dist

RUNTIME is what packaging/appimage/runtime.py fetches. Needs mksquashfs.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from novadesk import __version__
from novadesk.desktop.menuentry import APP_ID
from novadesk.installation import this_system
from novadesk.stamp import FILE, read_stamp

HERE = Path(__file__).resolve().parent
DESKTOP_FILE = HERE.parents[1] / "resources" / "linux" / f"{APP_ID}.desktop"
ICON_EDGE = 256


def app_dir(tree: Path, icons: Path, folder: Path) -> None:
    """Lay out an AppDir: AppRun, the desktop file and its icon in the top, the program below usr/lib."""
    picture = icons / f"novadesk-{ICON_EDGE}.png"
    shutil.copytree(tree, folder / "usr" / "lib" / "novadesk", symlinks=True)
    shared = folder / "usr" / "share"
    for file, place in (
        (HERE / "AppRun", folder / "AppRun"),
        (DESKTOP_FILE, folder / DESKTOP_FILE.name),
        (DESKTOP_FILE, shared / "applications" / DESKTOP_FILE.name),
        (picture, folder / f"{APP_ID}.png"),
        (picture, shared / "icons" / "hicolor" / f"{ICON_EDGE}x{ICON_EDGE}" / "apps" / f"{APP_ID}.png"),
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    (folder / ".DirIcon").symlink_to(f"{APP_ID}.png")
    stamped = folder / "usr" / "lib" / "novadesk" / "_internal" / "novadesk" / FILE
    if (stamp := read_stamp(stamped)) is not None:
        stamped.write_text(json.dumps(asdict(replace(stamp, package="appimage"))) + "\n", encoding="utf-8")


def squash(folder: Path, image: Path) -> None:
    """Pack a folder: the same folder gives the same bytes where SOURCE_DATE_EPOCH is set.

    Raises:
        CalledProcessError: mksquashfs failed.
    """
    subprocess.run(
        [
            "mksquashfs", str(folder), str(image), "-noappend", "-root-owned", "-comp", "zstd", "-b", "1M",
            "-quiet", "-no-progress",
        ],
        check=True,
    )  # fmt: skip


def make(tree: Path, icons: Path, runtime: Path, out: Path) -> Path:
    """Return the AppImage, made in the folder `out`.

    Raises:
        SystemExit: the runtime is none of type 2.
    """
    head = runtime.read_bytes()
    if head[:4] != b"\x7fELF" or head[8:11] != b"AI\x02":
        raise SystemExit(f"appimage: {runtime.name} is no type-2 runtime")
    _, arch = this_system()
    result = out / f"NovaDesk-{__version__}-linux-{arch}.AppImage"
    with tempfile.TemporaryDirectory(dir=out, prefix="appimage.") as folder:
        inside, image = Path(folder) / "NovaDesk.AppDir", Path(folder) / "image"
        app_dir(tree, icons, inside)
        squash(inside, image)
        with result.open("wb") as joined, image.open("rb") as packed:
            joined.write(head)
            shutil.copyfileobj(packed, joined)
    os.chmod(result, stat.S_IMODE(result.stat().st_mode) | 0o755)
    return result


def main() -> int:
    """Make the AppImage; return the exit status."""
    tree, icons, runtime, out = (Path(name).resolve() for name in sys.argv[1:5])
    print(f"appimage: {make(tree, icons, runtime, out).name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
