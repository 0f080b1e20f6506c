"""What the documents tell people to do: every command of a fenced block is run here, or marked with what it needs.

A block of `sh` is run. One that needs something else says so behind that, as in `sh macos`; its `novadesk` lines are
still held to the command line.
"""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from novadesk import __version__, permission
from novadesk.catalogue import entry_of
from novadesk.cli import _parser as make_parser
from novadesk.cli import main
from novadesk.config import Settings
from novadesk.errors import KnownError, Reason
from novadesk.paths import find_folders
from novadesk.settings_file import load_settings
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "packaging" / "README.md"])

SHELLS = {"sh", "powershell"}
OTHER_LANGUAGES = {"json", "python", "text", "toml"}
SYSTEMS = {
    "aws",
    "clone",
    "debian",
    "docker",
    "flatpak",
    "gateway",
    "kubernetes",
    "macos",
    "release",
    "window",
    "windows",
}
"""What a block may need that is not here: another system, an account, a running gateway or window, built packages, a
clone that nobody else works in."""

_CODE = re.compile(r"ND-[A-Z]+-\d\d")
_VARIABLE = re.compile(r"\bNOVADESK_[A-Z_]+\b")
_KEYS = re.compile(r"`((?:Ctrl\+|Shift\+)+[^`]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, the marks behind it, and its lines with continued ones joined."""

    page: str
    language: str
    marks: frozenset[str]
    lines: tuple[str, ...]
    content: str

    def commands(self) -> Iterator[list[str]]:
        """Yield the words of each command, without what is set before it, and without comments."""
        for line in self.lines:
            words = shlex.split(line, comments=True, posix=self.language == "sh")
            while words and re.match(r"[A-Z_]+=", words[0]):
                words = words[1:]
            if words:
                yield words


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _blocks() -> list[Block]:
    found = []
    for page in PAGES:
        for token in _tokens(page):
            if token.type == "fence":
                language, *marks = token.info.split() or [""]
                lines = tuple(token.content.replace("\\\n", " ").splitlines())
                found.append(
                    Block(
                        page=_name(page), language=language, marks=frozenset(marks), lines=lines, content=token.content
                    )
                )
    return found


BLOCKS = _blocks()


def _shell(*, marked: bool) -> list[object]:
    chosen = [block for block in BLOCKS if block.language in SHELLS and bool(block.marks) is marked]
    return [pytest.param(block, id=f"{block.page}: {block.lines[0][:40]}") for block in chosen]


def _arguments(words: list[str]) -> list[str] | None:
    """Return what follows `novadesk`, from source or installed; None for another program."""
    return words[1:] if re.split(r"[/\\]", words[0])[-1] == "novadesk" else None


def _refusal(arguments: list[str]) -> str:
    """Return what the command line has against a command, or nothing."""
    try:
        make_parser().parse_args(arguments)
    except KnownError as error:
        return f"novadesk {shlex.join(arguments)}: {error.what}"
    except SystemExit as over:  # --version, --help
        return "" if over.code == 0 else f"{shlex.join(arguments)} ends with {over.code}"
    return ""


@pytest.fixture
def handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a conversation of a store of its own, beside one with a star; the working folder is empty."""
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    starred, plain = (make_conversation(START_MS + place, title=title) for place, title in enumerate(("Star", "Plain")))

    async def fill() -> None:
        async with Database(find_folders().make().database) as database:
            archive = Conversations(database)
            for one in (starred, plain):
                await archive.create(one)
                await archive.append(make_turn(one.handle))
            await archive.star(starred.handle, True, START_MS)

    asyncio.run(fill())
    return plain.handle


# --- blocks ---


def test_every_block_says_what_it_is_and_what_it_needs() -> None:
    assert len(BLOCKS) > 20
    for block in BLOCKS:
        assert block.language in SHELLS | OTHER_LANGUAGES, (block.page, block.content[:60])
        assert block.marks <= SYSTEMS, (block.page, block.marks)
        assert not block.marks or block.language in SHELLS, block.page
    assert [block.page for block in BLOCKS if block.language == "powershell" and "windows" not in block.marks] == []


def test_no_command_hides_in_an_indented_block() -> None:
    for page in PAGES:
        for token in _tokens(page):
            if token.type == "code_block":
                assert not re.search(r"(?m)^\s*(\S*/)?(novadesk|make|pip|python\S*|docker|aws) ", token.content), _name(
                    page
                )


@pytest.mark.thorough
@pytest.mark.parametrize("block", _shell(marked=False))
def test_a_command_does_what_it_says(block: Block, handle: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in block.commands():
        arguments = _arguments(words)
        if arguments is not None:
            given = [handle if word == "HANDLE" else word for word in arguments]
            assert _refusal(given) == "", block.page
            if given[0] in ("history", "scenarios"):
                assert main(given) == 0, f"{block.page}: {shlex.join(words)}: {capsys.readouterr().err}"
            else:
                _run(given)
        else:
            raise AssertionError(
                f"{block.page}: {shlex.join(words)}: run it here, or mark the block with what it needs"
            )


def _run(arguments: list[str]) -> None:
    """Run `novadesk` by itself: it ends with what it found, which may be that something is lacking here."""
    command = [sys.executable, "-m", "novadesk", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), (arguments, done.stderr)
    assert done.stdout, arguments
    assert "Traceback" not in done.stdout + done.stderr, (arguments, done.stderr)


@pytest.mark.parametrize("block", _shell(marked=True))
def test_what_cannot_be_run_here_is_at_least_what_is_there_to_be_run(block: Block) -> None:
    for words in block.commands():
        if words[0] == "make":
            done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{block.page}: {shlex.join(words)}: {done.stderr}"
        if (arguments := _arguments(words)) is not None:
            assert _refusal(arguments) == "", block.page
        for word in words:
            if (place := re.search(r"(?:^|//)(packaging/[\w./-]+|requirements\.lock)$", word)) is not None:
                assert (ROOT / place[1]).exists(), f"{block.page}: {word}"


def test_packages_are_named_as_they_are_made() -> None:
    (debian, flatpak) = (block for block in BLOCKS if block.page == "README.md" and block.marks & {"debian", "flatpak"})
    assert re.findall(r"\./([\w-]+)_([\d.]+)_amd64", debian.content) == [
        ("novadesk", __version__), ("novadesk-practice", __version__),
    ]  # fmt: skip
    assert f"NovaDesk-{__version__}-linux-x64.flatpak" in flatpak.content
    manifest = next((ROOT / "packaging" / "flatpak").glob("*.yaml"))
    assert manifest.stem in flatpak.content


def test_settings_that_are_shown_are_settings(tmp_path: Path) -> None:
    shown = [block for block in BLOCKS if block.language == "toml"]
    assert shown
    for number, block in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(block.content, encoding="utf-8")
        assert load_settings(file, {}) != Settings() or 'kind = "practice"' in block.content, block.page


def test_the_policy_of_the_front_page_is_the_one_that_the_program_prints() -> None:
    (policy,) = [block for block in BLOCKS if block.page == "README.md" and block.language == "json"]
    assert json.loads(policy.content) == json.loads(permission.policy("us-east-1"))


# --- between the blocks ---


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_in_the_text_are_commands(page: Path) -> None:
    spans = [inner.content for token in _tokens(page) for inner in token.children or () if inner.type == "code_inline"]
    for span in spans:
        if span.startswith("novadesk ") and "…" not in span:
            words = shlex.split(re.sub(r"[\[\]]", "", span))[1:]
            refusal = _refusal(["1" if word == "N" else word for word in words])
            assert not refusal or "required" in refusal, (_name(page), refusal)  # named without what it is given


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    links = [
        str(inner.attrs["href" if inner.type == "link_open" else "src"])
        for token in _tokens(page)
        for inner in token.children or ()
        if inner.type in ("link_open", "image")
    ]
    for link in links:
        place, _, anchor = link.partition("#")
        if "://" in place:
            continue
        target = page if not place else Path(os.path.normpath(page.parent / place))
        assert target.exists(), f"{_name(page)}: {link}"
        if anchor:
            assert anchor in _anchors(target), f"{_name(page)}: {link}"


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of headings."""
    titles = [after.content for before, after in pairwise(_tokens(page)) if before.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_file_that_novadesk_keeps_is_among_what_is_stored_where(tmp_path: Path) -> None:
    stored = (
        (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## What is stored where")[2].partition("##")[0]
    )
    folders = find_folders(home=str(tmp_path))
    kept = [folders.settings_file, folders.database, folders.log_file, folders.updates_file, folders.placement_file,
            folders.strip_file, folders.practice, folders.gateway]  # fmt: skip
    assert [file.name for file in kept if f"`{file.name}" not in stored] == []


def test_every_code_has_a_row_in_the_page_about_troubles() -> None:
    page = next(page for page in PAGES if page.name == "troubleshooting.md")
    rows = [line.split("|")[1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ND-")]
    assert {entry_of(reason).code for reason in Reason} - set(_CODE.findall("".join(rows))) == set()


def test_codes_variables_and_keys_that_are_named_exist() -> None:
    source = "".join(
        file.read_text(encoding="utf-8")
        for folder in ("src", "packaging", "scripts", ".github")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".py", ".sh", ".yml", ".spec")
    )
    codes = {entry_of(reason).code for reason in Reason}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(_CODE.findall(text)) <= codes, _name(page)
        for name in _VARIABLE.findall(text):
            assert name in source, f"{_name(page)}: {name}"
        for keys in _KEYS.findall(text):
            assert f'"{keys}"' in source, f"{_name(page)}: {keys}"
