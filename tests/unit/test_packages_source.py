"""packaging/espeak_source.py: the source that goes with packages is that of the library in them."""

import ctypes
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.recipes import PACKAGING, load

espeak_source = load("espeak_source.py")
inventory = load("inventory.py")


def _git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository of two commits, whose first one is tagged."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    _git(folder, "init", "--quiet")
    _git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")  # as GitHub has it
    for number in (1, 2):
        (folder / "voice.c").write_text(f"int version = {number};\n")
        _git(folder, "add", ".")
        _git(folder, "commit", "--quiet", "-m", str(number))
    return folder


def test_an_archive_holds_the_named_commit_and_is_always_the_same(repository: Path, tmp_path: Path) -> None:
    first = _git(repository, "rev-parse", "HEAD~1")
    source = espeak_source.Source(name="voice-1", address=repository.as_uri(), commit=first)
    (made,), (again,) = (espeak_source.gather((source,), tmp_path / out) for out in ("a", "b"))
    assert made.name == "voice-1.tar.gz"
    assert made.read_bytes() == again.read_bytes()
    with tarfile.open(made) as archive:
        content = archive.extractfile("voice-1/voice.c")
        assert content is not None
        assert content.read() == b"int version = 1;\n"


def test_a_commit_that_is_not_there_is_no_source(repository: Path, tmp_path: Path) -> None:
    source = espeak_source.Source(name="voice-1", address=repository.as_uri(), commit="0" * 40)
    with pytest.raises(subprocess.CalledProcessError):
        espeak_source.gather((source,), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_the_source_is_of_the_library_that_is_locked_and_carried() -> None:
    lock = (PACKAGING.parent / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"^espeakng-loader==([\d.]+)", lock, re.MULTILINE) == [espeak_source.LOADER]
    loader = pytest.importorskip("espeakng_loader")
    library = ctypes.CDLL(loader.get_library_path())
    library.espeak_Info.restype = ctypes.c_char_p
    version = library.espeak_Info(None).decode()
    assert {one.name.partition(version)[0] for one in espeak_source.SOURCES} == {"espeak-ng-"}
    told = {name: number for name, number, _ in inventory._CONTAINED["espeakng-loader"]}
    assert told["espeak-ng"] == version
    (sonic,) = (one for one in espeak_source.SOURCES if one.name.endswith("sonic"))
    assert sonic.commit.startswith(told["Sonic library"])


def test_each_source_is_a_whole_commit_of_a_repository() -> None:
    assert {one.name for one in espeak_source.SOURCES if not re.fullmatch("[0-9a-f]{40}", one.commit)} == set()
    assert all(one.address.startswith("https://") for one in espeak_source.SOURCES)
