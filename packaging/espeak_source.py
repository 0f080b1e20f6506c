"""Gather the source of the espeak-ng that packages carry, to be attached to every release of them (GPL 3, section 6 d).

    python packaging/espeak_source.py dist

Needs git and a network. Three archives: espeak-ng itself, the library that its build takes in, and how it was built.
Each is made of one commit, whose name is a checksum of all that is in it.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

LOADER = "0.2.4"
"""Version of the Python package espeakng-loader whose library this is the source of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A commit of a repository.

    Attributes:
        name: of the archive, without its ending; also the folder in it.
        address: of the repository.
        commit: 40 hexadecimal digits.
    """

    name: str
    address: str
    commit: str


SOURCES = (
    # The tag that .github/workflows/build.yml of espeakng-loader builds.
    Source(
        name="espeak-ng-1.52.0",
        address="https://github.com/espeak-ng/espeak-ng",
        commit="4870adfa25b1a32b4361592f1be8a40337c58d6c",
    ),
    # The commit that cmake/deps.cmake of that tag fetches and builds in.
    Source(
        name="espeak-ng-1.52.0-sonic",
        address="https://github.com/waywardgeek/sonic",
        commit="fbf75c3d6d846bad3bb3d456cbc5d07d9fd8c104",
    ),
    # build.sh, with which it was compiled.
    Source(
        name=f"espeak-ng-1.52.0-build-of-espeakng-loader-{LOADER}",
        address="https://github.com/thewh1teagle/espeakng-loader",
        commit="146599e29be31bf17d99f0bcb7dbb2f92aef3d95",
    ),
)


def gather(sources: tuple[Source, ...], folder: Path) -> list[Path]:
    """Write an archive for each; return the files.

    Raises:
        CalledProcessError: a repository or a commit is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_archive(one, folder.resolve() / f"{one.name}.tar.gz") for one in sources]


def _archive(source: Source, file: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix="source.") as clone:
        for words in (
            ("init", "--quiet", "--bare"),
            ("fetch", "--quiet", "--depth=1", source.address, source.commit),
            # Git packs without a name and a time: the same commit gives the same file.
            ("archive", "--format=tar.gz", f"--prefix={source.name}/", f"--output={file}", source.commit),
        ):
            subprocess.run(["git", "-C", clone, *words], check=True, stdin=subprocess.DEVNULL)
    return file


if __name__ == "__main__":
    for made in gather(SOURCES, Path(sys.argv[1])):
        print(f"source: {made.name}, {made.stat().st_size / 1e6:.1f} MB")
