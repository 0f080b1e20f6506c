"""What one start has compiled, the next one takes from a file; it never takes what it cannot trust."""

import builtins
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from novadesk.app.code_keeper import CodeKeeper, read_codes

MODULE = ("shibokensupport/answer.py", b"answer = 42")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the texts that were compiled."""
    names: list[str] = []
    before = builtins.compile

    def watched(source: Any, filename: Any, *given: Any, **named: Any) -> Any:
        names.append(str(filename))
        return before(source, filename, *given, **named)

    monkeypatch.setattr(builtins, "compile", watched)
    return names


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = builtins.compile
    yield tmp_path
    assert builtins.compile is before
    assert "exec" not in vars(dataclasses)


def start(folder: Path) -> tuple[int, object]:
    """Load what is compiled at a start; return what came of it."""
    keeper = CodeKeeper(folder)
    keeper.start()
    try:
        names: dict[str, Any] = {}
        exec(compile(MODULE[1], MODULE[0], "exec"), names)

        @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
        class Pair:
            left: int
            right: int = 2

        return names["answer"], dataclasses.astuple(Pair(left=1))
    finally:
        keeper.stop()


def the_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_what_was_compiled_once_is_not_compiled_again(folder: Path, compiled: list[str]) -> None:
    assert start(folder) == (42, (1, 2))
    assert MODULE[0] in compiled
    assert compiled.count("<string>") >= 5  # the methods of the class
    compiled.clear()
    assert start(folder) == (42, (1, 2))
    assert not compiled


def test_other_code_is_compiled_as_ever(folder: Path, compiled: list[str]) -> None:
    keeper = CodeKeeper(folder)
    keeper.start()
    assert eval(compile("6 * 7", "elsewhere.py", "eval")) == 42
    keeper.stop()
    assert not list(folder.iterdir())


def test_the_file_is_the_users_alone_and_holds_what_the_last_start_used(folder: Path) -> None:
    keeper = CodeKeeper(folder)
    keeper.start()
    compile(b"old = 1", "shibokensupport/old.py", "exec")
    keeper.stop()
    start(folder)
    file = the_file(folder)
    assert os.name != "posix" or file.stat().st_mode & 0o777 == 0o600
    names = {name for name, _ in read_codes(file)}
    assert names == {MODULE[0], "<string>"}


@pytest.mark.parametrize("damage", ["cut", "changed", "other Python", "empty", "others write"])
def test_a_file_that_cannot_be_trusted_is_written_anew(damage: str, folder: Path, compiled: list[str]) -> None:
    start(folder)
    file = the_file(folder)
    whole = file.read_bytes()
    if damage == "others write":
        if os.name != "posix":
            pytest.skip("files have no such mode here")
        file.chmod(0o622)
    else:
        place = 0 if damage == "other Python" else len(whole) // 2
        broken = bytearray(whole)
        broken[place] ^= 1
        file.write_bytes({"cut": whole[:-9], "empty": b""}.get(damage, bytes(broken)))
    compiled.clear()
    assert start(folder) == (42, (1, 2))
    assert MODULE[0] in compiled
    assert read_codes(file)


def test_without_a_place_for_the_file_a_start_is_a_start(tmp_path: Path) -> None:
    assert start(tmp_path / "none") == (42, (1, 2))
