"""Two .deb packages of a frozen tree: the client, and the practice partner's parts for the system's espeak-ng."""

import gzip
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from pathlib import Path

from commandline import complete_bash, complete_fish, complete_zsh, manual_page, read_commands
from frozen import BUILD, ICONS, INSIDE, PRACTICE, ROOT, BuildError, run, source_date, write_stamp
from notices import NOTICES

from novadesk.desktop.menuentry import APP_ID
from novadesk.stamp import Stamp

DEB = ROOT / "packaging" / "deb"
HOME = Path("usr/lib/novadesk")
ICON_EDGES = (16, 24, 32, 48, 64, 128, 256, 512)
SHLIBS = Path("/var/lib/dpkg/info")
_TOOLS = ("dpkg-deb", "dpkg", "readelf")
_LOADER = "ld-linux"
_ELF = b"\x7fELF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package in the making.

    Attributes:
        name: of it.
        root: what is unpacked as the root of the file system.
        version: of it.
        machine: Debian's name of the processor.
    """

    name: str
    root: Path
    version: str
    machine: str

    @property
    def documents(self) -> Path:
        """Return the folder of its documents."""
        return self.root / "usr/share/doc" / self.name


def has_tools() -> bool:
    """Say whether this system can make .deb packages."""
    return sys.platform == "linux" and all(map(shutil.which, _TOOLS))


def make_debs(tree: Path, stamp: Stamp, folder: Path) -> list[Path]:
    """Make both packages; return the files.

    Raises:
        BuildError: a tool failed.
    """
    machine = run("dpkg", "--print-architecture").strip()
    staged = BUILD / "deb"
    shutil.rmtree(staged, ignore_errors=True)
    client = Package(name="novadesk", root=staged / "novadesk", version=stamp.version, machine=machine)
    practice = replace(client, name="novadesk-practice", root=staged / "novadesk-practice")
    _stage_client(client, tree, stamp)
    _stage_practice(practice, tree)
    return [_finish(package, client.root / HOME, folder) for package in (client, practice)]


# ---------------------------------------------------------------- contents


def _stage_client(package: Package, tree: Path, stamp: Stamp) -> None:
    home = package.root / HOME
    inner = Path(PRACTICE).name
    shutil.copytree(tree, home, symlinks=True, ignore=lambda folder, _: [inner] if Path(folder).name == INSIDE else [])
    for name in ("LICENSE", "NOTICE", NOTICES):
        (home / name).unlink()  # they go to where Debian looks for them
    write_stamp(replace(stamp, package="deb"), home / INSIDE / "novadesk")
    program = package.root / "usr/bin/novadesk"
    program.parent.mkdir(parents=True)
    program.symlink_to("../lib/novadesk/novadesk")
    share = package.root / "usr/share"
    _copy(ROOT / f"resources/linux/{APP_ID}.desktop", share / f"applications/{APP_ID}.desktop")
    metainfo = (DEB / "metainfo.xml").read_text("utf-8")
    metainfo = metainfo.replace("@VERSION@", stamp.version).replace("@DATE@", stamp.date)
    _write(share / f"metainfo/{APP_ID}.metainfo.xml", metainfo)
    _stage_icons(share / "icons/hicolor")
    commands = read_commands()
    tail = (DEB / "manual_tail.man").read_text("utf-8")
    _write_packed(share / "man/man1/novadesk.1.gz",
                  manual_page(commands, version=stamp.version, date=stamp.date, tail=tail))  # fmt: skip
    _write(share / "bash-completion/completions/novadesk", complete_bash(commands))
    _write(share / "zsh/vendor-completions/_novadesk", complete_zsh(commands))
    _write(share / "fish/vendor_completions.d/novadesk.fish", complete_fish(commands))
    _stage_documents(package, tree / NOTICES)


def _stage_icons(folder: Path) -> None:
    for edge in ICON_EDGES:
        _copy(ICONS / f"novadesk-{edge}.png", folder / f"{edge}x{edge}/apps/{APP_ID}.png")
    _copy(ICONS / "novadesk.svg", folder / f"scalable/apps/{APP_ID}.svg")


def _stage_practice(package: Package, tree: Path) -> None:
    """Lay the recogniser, and in the place of a bundled espeak-ng what leads to the distribution's."""
    folder = package.root / HOME / INSIDE / Path(PRACTICE).name
    shutil.copytree(tree / PRACTICE / "pocketsphinx", folder / "pocketsphinx")
    _copy(DEB / "system_espeakng.py", folder / "espeakng_loader/__init__.py")
    _stage_documents(package, tree / PRACTICE / NOTICES)


def _stage_documents(package: Package, notices: Path) -> None:
    _write(package.documents / "copyright", (DEB / f"{package.name}.copyright").read_text("utf-8"))
    _write_packed(package.documents / f"{NOTICES}.gz", notices.read_text("utf-8"))
    when = format_datetime(datetime.fromtimestamp(source_date(), UTC))
    _write_packed(
        package.documents / "changelog.gz",
        f"novadesk ({package.version}) unstable; urgency=medium\n\n  * Release {package.version}.\n\n"
        f" -- The NovaDesk authors <novadesk@users.noreply.github.com>  {when}\n",
    )
    overrides = DEB / f"{package.name}.lintian-overrides"
    if overrides.is_file():
        _write(package.root / "usr/share/lintian/overrides" / package.name, overrides.read_text("utf-8"))


# ---------------------------------------------------------------- control


def needed_libraries(root: Path, *, private: Path) -> str:
    """Return the Depends of every program and library below a folder, by the system's own table of libraries.

    Args:
        root: of the package.
        private: folder of libraries that packages of ours bring: where they are, the system's are not needed.

    Raises:
        BuildError: a library is of no package.
    """
    elves = list(_elves(root))
    said = run("readelf", "--dynamic", "--wide", *elves) if elves else ""
    wanted = set(re.findall(r"\(NEEDED\).*\[(.+)\]", said)) - {file.name for file in private.rglob("*.so*")}
    table = read_shlibs(file.read_text("utf-8") for file in sorted(SHLIBS.glob("*.shlibs")))
    if unknown := sorted(name for name in wanted if name not in table and not name.startswith(_LOADER)):
        raise BuildError(f"these libraries are of no package: {', '.join(unknown)}")
    newest = max((newest_glibc(file.read_bytes()) for file in elves), default=(2, 0))
    needed = {table[name] for name in wanted if name in table and not table[name].startswith("libc6")}
    return ", ".join(["libc6 (>= " + ".".join(map(str, newest)) + ")", *sorted(needed)])


def read_shlibs(files: Iterable[str]) -> dict[str, str]:
    """Return what to depend on for a library, by its name, of the tables that deb-shlibs(5) describes."""
    table = {}
    for text in files:
        for line in text.splitlines():
            words = line.split(maxsplit=2)
            if len(words) == 3 and not words[0].endswith(":"):  # with a colon it is for other kinds of packages
                library, version, needed = words
                table[f"{library}.so.{version}"] = table[f"{library}-{version}.so"] = needed
    return table


def newest_glibc(library: bytes) -> tuple[int, int]:
    """Return the newest version of the C library that a library names."""
    found = {(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", library)}
    return max(found, default=(2, 0))


def _elves(root: Path) -> Iterator[Path]:
    for file in sorted(root.rglob("*")):
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as stream:
                if stream.read(4) == _ELF:
                    yield file


def _finish(package: Package, private: Path, folder: Path) -> Path:
    control = package.root / "DEBIAN"
    control.mkdir()
    size_kb = sum(-(-file.stat().st_size // 1024) for file in _files(package.root))
    filled = (DEB / f"{package.name}.control").read_text("utf-8")
    values = {"VERSION": package.version, "MACHINE": package.machine, "SIZE": str(size_kb),
              "LIBRARIES": needed_libraries(package.root, private=private)}  # fmt: skip
    for name, value in values.items():
        filled = filled.replace(f"@{name}@", value)
    _write(control / "control", filled)
    sums = (f"{md5(file.read_bytes()).hexdigest()}  {file.relative_to(package.root)}\n" for file in
            _files(package.root) if control not in file.parents)  # fmt: skip
    _write(control / "md5sums", "".join(sums))
    script = DEB / f"{package.name}.postrm"
    if script.is_file():
        _copy(script, control / "postrm")
    _settle(package.root, programs=(package.root / HOME / "novadesk", control / "postrm"))
    file = folder / f"{package.name}_{package.version}_{package.machine}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zxz", "-z6", "--build", package.root, file,
        env={"SOURCE_DATE_EPOCH": str(source_date())})  # fmt: skip
    return file


def _settle(root: Path, *, programs: Iterable[Path]) -> None:
    """Give everything the commit's date and plain permissions: the same tree makes the same package."""
    for path in [root, *sorted(root.rglob("*"))]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in programs else 0o644)
        os.utime(path, (source_date(), source_date()), follow_symlinks=False)


def _files(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _write_packed(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _copy(source: Path, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, file)
