"""Freeze the program: the client by PyInstaller, and the practice partner's parts in a folder of their own in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from novadesk import __version__
from novadesk.installation import Channel
from novadesk.stamp import FILE, Stamp

ROOT = Path(__file__).resolve().parents[1]
PACKAGING = ROOT / "packaging"
BUILD = ROOT / "build" / "package"
WORK = BUILD / "pyinstaller"
ICONS = ROOT / "build" / "icons"
TREE = ROOT / "dist" / "novadesk"
APP = ROOT / "dist" / "NovaDesk.app"
"""The same as macOS wants it; made there only."""

INSIDE = "_internal"
PRACTICE = f"{INSIDE}/practice"
"""Folder of the practice partner's parts in a frozen tree: without it the tree is the client alone."""

PARTS = ("pocketsphinx", "espeakng_loader")
_LAST_LINES = 25


class BuildError(Exception):
    """A package could not be made."""


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path = ROOT, log: Path | None = None) -> str:
    """Run a program to its end; return its standard output.

    Args:
        command: program and arguments.
        env: further variables.
        cwd: working folder.
        log: takes all output instead.

    Raises:
        BuildError: it failed; with the end of what it said.
    """
    done = subprocess.run(
        [str(word) for word in command], env={**os.environ, **(env or {})}, cwd=cwd, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if log else subprocess.PIPE,
        check=False,
    )  # fmt: skip
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout, encoding="utf-8")
    if done.returncode != 0:
        words = "\n".join(f"{done.stdout}{done.stderr or ''}".splitlines()[-_LAST_LINES:])
        raise BuildError(f"{Path(command[0]).name} failed with {done.returncode}:\n{words}")
    return done.stdout


def make_stamp(package: str) -> Stamp:
    """Return the stamp of a package that is made of this checkout.

    Args:
        package: what people will install; see `Stamp`.

    Raises:
        BuildError: NOVADESK_CHANNEL names no channel.
    """
    channel = channel_of(__version__)
    try:
        commit = run("git", "rev-parse", "--short=9", "HEAD").strip()
        commit += "+" if run("git", "status", "--porcelain", "--untracked-files=no") else ""
        date = run("git", "show", "-s", "--format=%cs", "HEAD").strip()
    except (BuildError, OSError):  # the source without its history
        commit, date = "unknown", "1980-01-01"
    return Stamp(version=__version__, commit=commit, date=date, package=package, channel=channel.value)


def channel_of(version: str, environment: Mapping[str, str] = os.environ) -> Channel:
    """Return whose new versions a package hears of: NOVADESK_CHANNEL, else beta for what is tried before a release.

    Raises:
        BuildError: NOVADESK_CHANNEL names no channel; the package would ask for new versions nowhere.
    """
    named = environment.get("NOVADESK_CHANNEL")
    if not named:
        return Channel.BETA if Version(version).is_prerelease else Channel.STABLE
    try:
        return Channel(named)
    except ValueError as error:
        known = " or ".join(channel.value for channel in Channel)
        raise BuildError(f"NOVADESK_CHANNEL is {named!r}, and has to be {known}") from error


def source_date() -> int:
    """Return the time that everything made is dated: that of the commit, in seconds since 1970."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    try:
        return int(run("git", "show", "-s", "--format=%ct", "HEAD"))
    except (BuildError, OSError):
        return 315_532_800  # 1980, the first year that a ZIP knows


def write_stamp(stamp: Stamp, folder: Path) -> Path:
    """Write a stamp as the program reads it; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    file.write_text(json.dumps(asdict(stamp), indent=1) + "\n", encoding="utf-8")
    return file


def freeze(stamp: Stamp) -> Path:
    """Freeze program and parts; return the folder.

    Raises:
        BuildError: PyInstaller failed, or the practice partner's parts are not installed.
    """
    for made in (TREE, APP):
        shutil.rmtree(made, ignore_errors=True)
    # A hash seed of its own for each run would order sets anew in compiled code.
    given = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": str(source_date()), "NOVADESK_VERSION": stamp.version,
             "NOVADESK_STAMP": str(write_stamp(stamp, BUILD / "stamp"))}  # fmt: skip
    draw_icons()
    if sys.platform == "win32":
        given["NOVADESK_VERSION_RESOURCE"] = str(BUILD / "version.txt")
        run(sys.executable, PACKAGING / "windows" / "version_resource.py", BUILD / "version.txt")
    run(
        sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean", "--distpath", TREE.parent, "--workpath", WORK,
        PACKAGING / "novadesk.spec", env=given, log=BUILD / "pyinstaller.log",
    )  # fmt: skip
    add_practice(TREE / PRACTICE)
    if sys.platform == "linux":
        forget_search_paths(TREE)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, TREE / name)
    if APP.exists():
        run(sys.executable, PACKAGING / "macos" / "bundle.py", APP, TREE)
    return TREE


def draw_icons() -> None:
    """Draw the icon for every system, in a process of its own: Qt wants a platform without a display."""
    run(sys.executable, PACKAGING / "icons.py", ICONS, env={"QT_QPA_PLATFORM": "offscreen"})


def add_practice(folder: Path) -> None:
    """Lay the practice partner's parts into a folder, as Python packages that nothing is frozen of.

    Raises:
        BuildError: one of them is not installed.
    """
    for name in parts_for_this_system():
        found = find_spec(name)
        if found is None or not found.submodule_search_locations:
            raise BuildError(f"{name} is not installed: run `make package`, which installs it")
        shutil.copytree(
            found.submodule_search_locations[0], folder / name, symlinks=False,
            ignore=shutil.ignore_patterns("__pycache__", "*.pyi", "*.pyx", "CMakeLists.txt"),
        )  # fmt: skip
    for twin in twin_libraries(folder / "espeakng_loader"):
        twin.unlink()
    if sys.platform == "linux":
        for library in folder.rglob("*.so*"):
            run("strip", "--strip-unneeded", library)


def forget_search_paths(folder: Path) -> int:
    """Take out of libraries where the computers that built them looked for others; return how many there were.

    Nobody on whose computer such a folder does not exist shall be able to put a library there.

    Raises:
        BuildError: a tool failed.
    """
    libraries = sorted(file for file in folder.rglob("*.so*") if not file.is_symlink())
    left = kept_search_paths(run("readelf", "--dynamic", "--wide", *libraries)) if libraries else {}
    for name, kept in left.items():
        run("chrpath", *(("--replace", kept) if kept else ("--delete",)), name)
    return len(left)


def kept_search_paths(said: str) -> dict[str, str]:
    """Return what may stay of the search path of each library that has a fixed folder in it.

    Args:
        said: `readelf --dynamic --wide` of several files.
    """
    found = {}
    for block in said.split("\nFile: ")[1:]:
        if (paths := re.search(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", block)) is not None:
            kept = [path for path in paths[1].split(":") if path.startswith("$ORIGIN")]
            if kept != paths[1].split(":"):
                found[block.partition("\n")[0]] = ":".join(kept)
    return found


def parts_for_this_system() -> list[str]:
    """Return the practice partner's parts that there are builds of: the recogniser has none for Windows on ARM."""
    needs = [Requirement(text) for text in requires("novadesk") or ()]
    here = {need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": "practice"})}
    return [name for name in PARTS if name.replace("_", "-") in here]


def twin_libraries(folder: Path) -> Iterator[Path]:
    """Yield the copies of a library under its longer names: a wheel has no links."""
    for library in folder.glob("*.so.*"):
        if (folder / f"{library.name.partition('.so')[0]}.so").exists():
            yield library
