"""packaging/feed.py: what it makes and signs is what NovaDesk believes, and nothing else."""

import glob
import hashlib
import importlib.util
import json
import os
import plistlib
import re
import shlex
import stat
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from novadesk.app.updates import offer_of
from novadesk.feed import file_for, parse_feed, read_feed
from tests.support.feeds import HERE, MAC

PACKAGING = Path(__file__).parents[2] / "packaging"
NAMES = ("NovaDesk-0.2.0-linux-x64.AppImage", "NovaDesk-0.2.0-windows-x64.exe", "NovaDesk-0.2.0-macos-arm64.dmg")
UNRELEASED = "NovaDesk-0.2.0.dev1-linux-x64.AppImage"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("packaging_feed", PACKAGING / "feed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NOVADESK_FEED_KEY", raising=False)
    for name in (*NAMES, UNRELEASED):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "en.txt").write_text("What is new.\n")
    (tmp_path / "de.txt").write_text("Neues.\n")
    return tmp_path


def make(tool: ModuleType, *more: str, packages: tuple[str, ...] = NAMES, serial: str = "8") -> int:
    words = ["make", "stable.json", *packages, "--serial", serial, "--version", "0.2.0"]
    words += ["--page", "https://example.com/0.2.0", "--base", "https://example.com/files/"]
    words += ["--notes", "en=en.txt", "--notes", "de=de.txt", "--minimum", "linux=2.35", *more]
    return int(tool.main(words))


def test_a_release_is_described_signed_and_believed(
    tool: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["key", "old.key", "--name", "2026a"]) == 0
    assert tool.main(["key", "new.key", "--name", "2027a"]) == 0
    keys = json.loads("{" + capsys.readouterr().out.strip().rstrip(",") + "}")
    assert make(tool) == 0
    for name, file in {"2026a": "old.key", "2027a": "new.key"}.items():
        assert tool.main(["sign", "stable.json", "--key", name, "--private", file]) == 0
    content, signatures = Path("stable.json").read_bytes(), Path("stable.json.sig").read_bytes()
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    for name in keys:  # either one will do while keys change hands
        one = {name: keys[name]}
        release = read_feed(content, signatures, place=HERE, seen=7, now_ms=now_ms, keys=one)
    found = file_for(release, HERE)
    assert found is not None
    assert found.url == f"https://example.com/files/{NAMES[0]}"
    assert found.sha256 == hashlib.sha256(NAMES[0].encode()).hexdigest()
    assert found.size == len(NAMES[0])
    assert offer_of(release, MAC) is not None
    assert release.notes == (("en", "What is new."), ("de", "Neues."))
    capsys.readouterr()
    assert tool.main(["check", "stable.json", "--public", f"2027a={keys['2027a']}"]) == 0
    assert capsys.readouterr().out == "0.2.0 of stable, number 8, 3 packages, 60 days left\n"


def test_a_feed_that_is_made_anew_is_signed_anew(
    tool: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.main(["key", "one.key", "--name", "2027a"])
    public = capsys.readouterr().out.split('"')[3]
    monkeypatch.setenv("NOVADESK_FEED_KEY", Path("one.key").read_text())
    make(tool)
    assert tool.main(["sign", "stable.json", "--key", "2027a"]) == 0
    make(tool, serial="9")
    assert tool.main(["check", "stable.json", "--public", f"2027a={public}"]) == 1
    assert "does not fit its signature" in capsys.readouterr().err
    assert tool.main(["sign", "stable.json", "--key", "2027a"]) == 0
    assert len(Path("stable.json.sig").read_text().splitlines()) == 1
    assert tool.main(["check", "stable.json", "--public", f"2027a={public}"]) == 0


def test_a_private_key_is_the_user_s_own_and_never_replaced(
    tool: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.main(["key", "one.key"])
    kept = Path("one.key").read_text()
    assert kept.strip() not in capsys.readouterr().out
    if os.name == "posix":
        assert stat.S_IMODE(Path("one.key").stat().st_mode) == 0o600
    assert tool.main(["key", "one.key"]) == 1
    assert Path("one.key").read_text() == kept


@pytest.mark.parametrize(
    ("words", "packages", "said"),
    [
        (("--days", "93"), NAMES, "“expires” is missing or makes no sense"),
        (("--page", "http://example.com"), NAMES, "“page” is missing"),
        (("--version", "0.2.0.dev1"), (UNRELEASED,), "“version” is missing"),
        (("--version", "0.2.1"), NAMES, f"{NAMES[0]} is of version 0.2.0, and the feed of 0.2.1"),
        ((), (*NAMES, UNRELEASED), f"{UNRELEASED} is of version 0.2.0.dev1, and the feed of 0.2.0"),
        (("--notes", "en"), NAMES, "NAME=VALUE"),
        ((), ("NovaDesk.exe",), "not named like a package"),
        ((), ("NovaDesk-0.2.0-linux-riscv64.AppImage",), "not named like a package"),
        ((), ("NovaDesk-0.2.0-linux-arm64.AppImage",), "No such file"),
    ],
)
def test_what_nobody_would_believe_is_not_made(
    tool: ModuleType,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    packages: tuple[str, ...],
    said: str,
) -> None:
    assert make(tool, *words, packages=packages) == 1
    assert said in capsys.readouterr().err
    assert not Path("stable.json").exists()


def test_without_a_key_nothing_is_signed(
    tool: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tool)
    assert tool.main(["sign", "stable.json", "--key", "2027a"]) == 1
    assert "there is no private key" in capsys.readouterr().err
    monkeypatch.setenv("NOVADESK_FEED_KEY", "nonsense")
    assert tool.main(["sign", "stable.json", "--key", "2027a"]) == 1
    assert "the private key is not one" in capsys.readouterr().err
    assert not Path("stable.json.sig").exists()


def test_the_commands_that_the_page_shows_do_what_it_says(
    tool: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "dist").mkdir()
    for name in NAMES:
        (folder / name).rename(folder / "dist" / name)
    (folder / "en.txt").rename(folder / "notes.txt")
    page = (PACKAGING.parent / "docs" / "updates.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"(?m)^python packaging/feed\.py (.+)$", page)
    assert [command.split()[0] for command in commands] == ["key", "make", "sign", "check"]
    for command in commands:
        words = [found for word in shlex.split(command) for found in (sorted(glob.glob(word)) or [word])]
        if words[0] == "make":
            words += ["--version", "0.2.0"]  # the next release's
        assert tool.main(words) == 0, capsys.readouterr().err
        if words[0] == "key":
            _, name, _, public, _ = capsys.readouterr().out.split('"')
            monkeypatch.setattr(tool, "KEYS", {name: public})
    assert capsys.readouterr().out.endswith("0.2.0 of stable, number 8, 3 packages, 60 days left\n")


def test_the_feed_that_the_page_shows_is_one() -> None:
    page = (PACKAGING.parent / "docs" / "updates.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```json\n(.+?)```", page, re.DOTALL)
    assert parse_feed(shown.encode()).files[0].kind == "appimage"


def test_the_least_systems_are_those_of_the_packages(tool: ModuleType) -> None:
    setup = (PACKAGING / "windows" / "novadesk.iss").read_text(encoding="utf-8")
    minimum = re.search(r"^MinVersion=(.+)$", setup, re.MULTILINE)
    assert minimum is not None
    assert tool.MINIMUM["windows"] == minimum[1].strip()
    bundle = plistlib.loads((PACKAGING / "macos" / "Info.plist").read_bytes())
    assert tool.MINIMUM["macos"] == bundle["LSMinimumSystemVersion"]
