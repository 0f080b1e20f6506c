"""Install packages in a clean root of this distribution and try them there as an ordinary user. For root, on Debian.

    python packaging/clean_root.py DEB…

An earlier version comes first, so that they are an upgrade: the same packages with a lower number.

The root is made by debootstrap once, in build/package/clean-root, and laid under an overlay for each try. All mounts
are in a mount namespace of this process: they are gone with it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from frozen import BUILD, INSIDE, ROOT, BuildError, run, write_stamp
from smoke_test import SAMPLE, Person, SmokeError, lent, need

from novadesk.stamp import FILE, read_stamp

BASE = BUILD / "clean-root"
_UNSAFE = ("-o", "DPkg::Options::=--force-unsafe-io")  # nobody keeps this root: nothing has to reach the disk
NUMBER = 65534
"""The user `nobody`, whom every system knows: the session bus wants a name for whoever asks."""

HOME = Path("usr/lib/novadesk")
EARLIER = "~earlier"
"""Behind a version it makes one that is lower: deb-version(7)."""

_INSIDE = "NOVADESK_CLEAN_ROOT"
OS_RELEASE = Path("/etc/os-release")
_COMPONENTS = ("main", "universe")
"""Where a distribution has what a package of ours depends on: Debian in the first, Ubuntu in both."""

_MAINTAINED = ("etc", "usr", "opt", "srv", "var/lib")
"""Where a package may have put something; what apt notes of its own doing lies in `var` besides."""


def try_packages(debs: Sequence[Path]) -> int:
    """Install, try, remove; return the exit status."""
    if os.environ.get(_INSIDE) != "yes":
        lacking = [name for name in ("debootstrap", "unshare", "chroot", "setpriv") if shutil.which(name) is None]
        if os.geteuid() != 0 or lacking:
            missing = ", ".join(lacking) or "root"
            print(f"smoke: the installed packages were NOT tried: it takes root and debootstrap; missing: {missing}")
            return 0
        again = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, *map(str, debs)]
        return subprocess.run(again, env={**os.environ, _INSIDE: "yes"}, check=False).returncode
    try:
        make_base()
        with tempfile.TemporaryDirectory(prefix="novadesk-root.") as folder:
            return _try_in(Path(folder), debs)
    except (BuildError, SmokeError) as error:
        print(f"smoke: FAILED: {error}")
        return 1


def make_base() -> None:
    """Make the clean root, if it is not there: the smallest that debootstrap makes, with apt set up as it is here.

    Raises:
        BuildError: debootstrap failed.
    """
    done = BASE / "etc/apt/sources.list.d/here.list"
    if done.exists():
        return
    shutil.rmtree(BASE, ignore_errors=True)
    sources = own_sources()
    mirror, suite = sources[0].split()[1:3]
    run("debootstrap", "--variant=minbase", suite, BASE, mirror, log=BUILD / "debootstrap.log")
    (BASE / "etc/apt/sources.list").write_text("")
    done.write_text("\n".join(sources) + "\n", encoding="utf-8")


def own_sources() -> list[str]:
    """Return this system's sources of its own distribution as lines of a sources.list, the main one first.

    Raises:
        BuildError: there is none.
    """
    release = dict(line.split("=", 1) for line in OS_RELEASE.read_text().splitlines() if "=" in line)
    suite, maker = (release.get(name, "").strip('"') for name in ("VERSION_CODENAME", "ID"))
    told = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"
    parts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line in run("apt-get", "indextargets", "--format", told, "Created-By: Packages").splitlines():
        uri, name, part, origin = line.split(maxsplit=3)
        if origin.lower() == maker and (name == suite or name.startswith(f"{suite}-")) and part in _COMPONENTS:
            parts[_mirror(uri), name].add(part)
    if not suite or not parts:
        raise BuildError("apt knows no source of this distribution")
    rows = sorted(parts, key=lambda row: (len(row[1]), row))
    return [f"deb {uri} {name} {' '.join(sorted(parts[uri, name]))}" for uri, name in rows]


def _mirror(uri: str) -> str:
    """Return the first address of a file of them, which apt takes and debootstrap does not; others as they are."""
    file = uri.removeprefix("mirror+file:")
    return uri if file == uri else Path(file.rstrip("/")).read_text(encoding="utf-8").split()[0]


def _try_in(folder: Path, debs: Sequence[Path]) -> int:
    root, shared = folder / "root", folder / "shared"
    for one in (root, folder / "upper", folder / "work", shared):
        one.mkdir()
    folder.chmod(0o755)
    layers = f"lowerdir={BASE},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    run("mount", "-t", "overlay", "overlay", "-o", layers, root)
    try:
        _mount_into(root, shared)
        before = files_of(root)
        _try_upgrade(root, shared, debs)
        status = _try_as_person(root, shared)
        # What the person said is not the package's: it outlives it.
        return status or _remove(root, before, debs)
    finally:
        run("umount", "--recursive", "--lazy", root)


def _mount_into(root: Path, shared: Path) -> None:
    run("mount", "-t", "proc", "proc", root / "proc")
    run("mount", "--bind", "/dev", root / "dev")
    run("mount", "-t", "tmpfs", "tmpfs", root / "dev/shm")
    place = root / shared.relative_to("/")
    place.mkdir(parents=True)
    os.chown(shared, NUMBER, NUMBER)
    run("mount", "--bind", shared, place)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    for file in Path("/etc/apt/apt.conf.d").glob("*"):
        if "proxy" in file.read_text(errors="replace").lower():
            shutil.copy(file, root / "etc/apt/apt.conf.d" / file.name)


def _apt(root: Path, *words: str) -> str:
    return run("chroot", root, "/usr/bin/apt-get", "-q", "-y", *_UNSAFE, *words,
               env={"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                    "LANG": "C.UTF-8"})  # fmt: skip


def _install(root: Path, debs: Sequence[Path]) -> None:
    _apt(root, "update")
    for deb in debs:
        shutil.copy(deb, root / "tmp" / deb.name)
    _apt(root, "install", "--no-install-recommends", *(f"/tmp/{deb.name}" for deb in debs))
    if (root / "usr/bin/python3").exists():
        raise BuildError("the packages pull Python in: the try would prove nothing")
    size = run("chroot", root, "dpkg-query", "-W", "-f=${Package} ${Version} ${Installed-Size} kB\\n", "novadesk*")
    print(f"smoke: installed in a clean root, without Python: {', '.join(size.splitlines())}", flush=True)


def _try_upgrade(root: Path, shared: Path, debs: Sequence[Path]) -> None:
    """Talk with an earlier version as an ordinary user, install this one: what was said is there, and goes on.

    Raises:
        BuildError: a package is not installed.
        SmokeError: something is lost.
    """
    _install(root, [make_earlier(deb, shared.parent / "earlier") for deb in debs])
    person = Person(None, [*_as_person(), *_in_root(root), "/usr/bin/novadesk"], shared / "upgrading")
    for folder in (person.home, person.home / "tmp"):
        os.chown(folder, NUMBER, NUMBER)
    talk = ("talk", "--in", str(lent(person, SAMPLE)), "--out", str(person.home / "tmp" / "answer.wav"))
    person.run(*talk, "--new")
    earlier, said = person.run("--version").strip(), person.turns()
    _install(root, debs)
    now = person.run("--version").strip()
    need(EARLIER in earlier and EARLIER not in now, f"it was {earlier}, and is {now}")
    need(len(said) > 0 and person.turns() == said, f"{said} was said, {person.turns()} is kept")
    person.run(*talk)
    need(len(person.data("history", "list")) == 1 and person.turns()[: len(said)] == said, "it does not go on")
    need(len(person.turns()) > len(said), "nothing was added")
    print(f"smoke: ok upgraded from {earlier} to {now}: {len(said)} turns are kept, and go on", flush=True)


def make_earlier(deb: Path, folder: Path) -> Path:
    """Return a package in a folder that differs from another one in its version only, in what it calls itself too.

    Raises:
        BuildError: a tool failed.
    """
    name, version, rest = deb.name.split("_", 2)
    tree, file = folder / name, folder / f"{name}_{version}{EARLIER}_{rest}"
    folder.mkdir(exist_ok=True)
    run("dpkg-deb", "--raw-extract", deb, tree)
    control = tree / "DEBIAN" / "control"
    own = re.compile(rf"^(Version: |.*novadesk(?:-practice)? \(= ){re.escape(version)}", re.MULTILINE)
    control.write_text(own.sub(rf"\g<0>{EARLIER}", control.read_text("utf-8")), "utf-8")
    inside = tree / HOME / INSIDE / "novadesk"
    if stamp := read_stamp(inside / FILE):
        write_stamp(replace(stamp, version=f"{stamp.version}{EARLIER}"), inside)
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, file)
    shutil.rmtree(tree)
    return file


def _try_as_person(root: Path, shared: Path) -> int:
    done = subprocess.run(
        [*_as_person(), sys.executable, str(ROOT / "packaging" / "smoke_test.py"), "--tree", str(root / HOME), "--",
         *_in_root(root), "/usr/bin/novadesk"],
        env={**os.environ, "TMPDIR": str(shared), "HOME": str(shared), "PYTHONDONTWRITEBYTECODE": "1"}, check=False,
    )  # fmt: skip
    return done.returncode


def _as_person() -> list[str]:
    """Return what runs a program as an ordinary user, who may enter a root and see the project's files, no more."""
    rights = "+sys_chroot,+dac_read_search"
    return ["setpriv", f"--reuid={NUMBER}", f"--regid={NUMBER}", "--clear-groups", f"--inh-caps=-all,{rights}",
            f"--ambient-caps=-all,{rights}", "--"]  # fmt: skip


def _in_root(root: Path) -> list[str]:
    """Return what runs a program in the root without any further right."""
    return [str(shutil.which("chroot")), str(root), "/usr/bin/setpriv", "--inh-caps=-all", "--ambient-caps=-all",
            "--no-new-privs", "--"]  # fmt: skip


def _remove(root: Path, before: set[str], debs: Sequence[Path]) -> int:
    """Purge the packages; return the exit status: 1 when something of them is left, or where data is is not said."""
    kept = root / "home/person" / ".local/share/novadesk/novadesk.db"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"a person's own")
    said = _apt(root, "purge", "--autoremove", *(deb.name.partition("_")[0] for deb in debs))
    left = sorted(name for name in files_of(root) - before if "novadesk" in name.lower())
    if left or not kept.exists() or "~/.local/share/novadesk" not in said:
        print(f"smoke: FAILED: after the removal there are {left}; the data: {kept.exists()}; it said: {said[-800:]}")
        return 1
    print("smoke: ok removed: nothing is left but the person's own, and it was said where that is")
    return 0


def files_of(root: Path) -> set[str]:
    """Return what lies in a root's folders for packages."""
    return {str(path.relative_to(root)) for folder in _MAINTAINED for path in (root / folder).rglob("*")}


if __name__ == "__main__":
    sys.exit(try_packages([Path(file).resolve() for file in sys.argv[1:]]))
