"""Manual page, completions, menu entry: read by the programs that read them on a desktop, where these are installed."""

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.recipes import PACKAGING, load

ROOT = PACKAGING.parent
DESKTOP_FILE = ROOT / "resources" / "linux" / "io.github.novadesk.NovaDesk.desktop"
ZSH = Path(__file__).parents[1] / "support" / "complete.zsh"

commandline = load("commandline.py")


def _needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def _said(*command: str | Path, home: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=100, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.stderr == "", done.stderr
    return done.stdout


def _ask_fish(line: str, folder: Path) -> list[str]:
    script = folder / "novadesk.fish"
    script.write_text(commandline.complete_fish(commandline.read_commands()))
    said = _said("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'", home=folder)
    return sorted(row.partition("\t")[0] for row in said.splitlines())


def _ask_zsh(line: str, folder: Path) -> list[str]:
    (folder / "_novadesk").write_text(commandline.complete_zsh(commandline.read_commands()))
    return sorted(re.findall("<(.+)>", _said("zsh", "-f", ZSH, folder, line, home=folder)))


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(_ask_fish, marks=_needs("fish"), id="fish"),
        pytest.param(_ask_zsh, marks=_needs("zsh"), id="zsh"),
    ],
)
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("novadesk ctl mu", ["mute"]),
        ("novadesk --home /x ctl talk ", ["start", "stop", "toggle"]),
        ("novadesk ctl talk --deadline 3 to", ["toggle"]),
        ("novadesk talk --backend ", ["bedrock", "gateway", "practice"]),
        ("novadesk history sea", ["search"]),
        ("novadesk gateway ", ["login", "logout", "token"]),
    ],
)
def test_a_shell_offers_what_comes_next(
    ask: Callable[[str, Path], list[str]], line: str, offered: list[str], tmp_path: Path
) -> None:
    assert ask(line, tmp_path) == offered


def test_every_option_of_the_manual_page_is_told_of() -> None:
    untold = {
        " ".join(["novadesk", *command.name, *option.flags])
        for command in commandline.read_commands().walk()
        for option in command.options
        if not option.words
    }
    assert untold == set()


def test_a_command_with_others_below_it_that_does_something_itself_has_its_options() -> None:
    page = commandline.manual_page(commandline.read_commands(), version="1", date="2026-11-22", tail="")
    own = page.partition(r"\fBnovadesk gateway\fR")[2].partition(".RE")[0]
    assert r"\-\-issuer" in own
    assert r"\fBnovadesk history\fR" not in page


@_needs("groff")
def test_the_manual_page_is_set_without_a_warning(tmp_path: Path) -> None:
    tail = (PACKAGING / "deb" / "manual_tail.man").read_text(encoding="utf-8")
    page = tmp_path / "novadesk.1"
    page.write_text(commandline.manual_page(commandline.read_commands(), version="1.2.3", date="2026-11-22", tail=tail))
    # A warning would be on standard error; with -c nothing is set bold by overprinting.
    shown = _said("groff", "-man", "-Tutf8", "-P-cbou", "-ww", "-rCHECKSTYLE=3", page, home=tmp_path)
    assert "EXIT STATUS" in shown


def test_the_menu_entry_has_keys_of_the_specification_that_every_desktop_knows() -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment,method-assign]  # keys have capitals
    entry.read(DESKTOP_FILE, encoding="utf-8")
    # Those of version 1.0, which validators of every age take; no Version says that.
    known = {"Type", "Name", "GenericName", "Comment", "Exec", "Icon", "Terminal", "Categories", "Keywords",
             "StartupNotify", "StartupWMClass"}  # fmt: skip
    assert {key.partition("[")[0] for key in entry["Desktop Entry"]} == known


@_needs("desktop-file-validate")
def test_a_validator_has_nothing_against_the_menu_entry(tmp_path: Path) -> None:
    assert _said("desktop-file-validate", DESKTOP_FILE, home=tmp_path) == ""


@_needs("appstreamcli")
def test_a_validator_has_nothing_against_the_stores_page(tmp_path: Path) -> None:
    text = (PACKAGING / "deb" / "metainfo.xml").read_text(encoding="utf-8")
    page = tmp_path / "io.github.novadesk.NovaDesk.metainfo.xml"
    page.write_text(text.replace("@VERSION@", "1.2.3").replace("@DATE@", "2026-11-22"), encoding="utf-8")
    said = subprocess.run(
        ["appstreamcli", "validate", "--no-net", str(page)], capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 0, said.stdout
