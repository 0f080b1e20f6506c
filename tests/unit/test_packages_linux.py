"""packaging/flatpak, packaging/appimage and the icons: that each says and holds what its system asks for."""

import configparser
import hashlib
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from PySide6.QtGui import QImage

from novadesk.stamp import FILE, Stamp, read_stamp
from tests.support.recipes import PACKAGING, load

ROOT = PACKAGING.parent
ID = "io.github.novadesk.NovaDesk"
FLATPAK = PACKAGING / "flatpak"
DESKTOP_FILE = ROOT / "resources" / "linux" / f"{ID}.desktop"
HEAD = b"\x7fELF\x02\x01\x01\x00AI\x02".ljust(4096, b"\0")  # what stands in for the runtime: the image begins behind it

appimage = load("appimage/build.py")
clean_root = load("clean_root.py")
icons = load("icons.py")
runtime = load("appimage/runtime.py")


def _manifest() -> dict[str, Any]:
    return dict(yaml.safe_load((FLATPAK / f"{ID}.yaml").read_text(encoding="utf-8")))


# --- .deb ---


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="makes packages with dpkg-deb")
def test_an_earlier_package_differs_from_this_one_in_its_version_only(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    inside = tree / clean_root.HOME / clean_root.INSIDE / "novadesk"
    clean_root.write_stamp(Stamp(version="1.2.3", commit="abc", date="2026-11-22", package="deb"), inside)
    control = (PACKAGING / "deb" / "novadesk-practice.control").read_text(encoding="utf-8")
    values = {"VERSION": "1.2.3", "MACHINE": "amd64", "SIZE": "1", "LIBRARIES": "libother (= 1.2.3)"}
    for name, value in values.items():
        control = control.replace(f"@{name}@", value)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN" / "control").write_text(control, encoding="utf-8")
    deb = tmp_path / "novadesk-practice_1.2.3_amd64.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
    earlier = clean_root.make_earlier(deb, tmp_path / "earlier")
    subprocess.run(["dpkg-deb", "-R", earlier, tmp_path / "seen"], check=True)
    assert [file.name for file in (tmp_path / "earlier").iterdir()] == ["novadesk-practice_1.2.3~earlier_amd64.deb"]
    subprocess.run(["dpkg", "--compare-versions", "1.2.3~earlier", "lt", "1.2.3"], check=True)
    expected = control.replace("Version: 1.2.3", "Version: 1.2.3~earlier")
    expected = expected.replace("novadesk (= 1.2.3)", "novadesk (= 1.2.3~earlier)")
    assert (tmp_path / "seen" / "DEBIAN" / "control").read_text(encoding="utf-8") == expected
    stamp = read_stamp(tmp_path / "seen" / inside.relative_to(tree) / FILE)
    assert stamp is not None
    assert stamp.version == "1.2.3~earlier"


# --- Flatpak ---


def test_the_sandbox_is_given_what_the_program_uses_and_no_home() -> None:
    given = _manifest()["finish-args"]
    assert {"--socket=pulseaudio", "--socket=wayland", "--socket=fallback-x11", "--share=network"} <= set(given)
    assert [word for word in given if word.startswith("--filesystem")] == ["--filesystem=~/.aws"]
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src" / "novadesk" / "desktop").rglob("*.py"))
    for word in given:
        kind, _, name = word.partition("=")
        if kind.endswith("talk-name") and name not in ("org.kde.StatusNotifierWatcher", "org.freedesktop.secrets"):
            assert f'"{name}"' in source, name  # the two others are Qt's and keyring's


def test_a_sandbox_is_built_of_files_that_are_there_or_made() -> None:
    (module,) = _manifest()["modules"]
    made = {"dist/novadesk", "build/icons", f"build/package/deb/novadesk/usr/share/metainfo/{ID}.metainfo.xml"}
    for source in module["sources"]:
        place = (FLATPAK / source["path"]).resolve().relative_to(ROOT)
        assert str(place) in made or (ROOT / place).is_file(), place
    commands = " ".join(module["build-commands"])
    for edge in re.findall(r"\d+", re.findall(r"for edge in ([\d ]+);", commands)[0]):
        assert int(edge) in icons.PNG_EDGES
    assert module["build-options"]["strip"] is False


def test_a_sandbox_says_that_it_is_one() -> None:
    file = json.dumps(asdict(Stamp(version="1.2.3", commit="abc", date="2026-11-22", package="folder")), indent=1)
    (command,) = [line for line in _manifest()["modules"][0]["build-commands"] if FILE in line]
    edit = shlex.split(command)[2]
    told = subprocess.run(["sed", edit], input=file, capture_output=True, text=True, check=True, timeout=60).stdout
    assert json.loads(told)["package"] == "flatpak"


def test_name_and_licence_of_the_sandbox_are_one_everywhere() -> None:
    manifest = _manifest()
    info = ET.parse(PACKAGING / "deb" / "metainfo.xml").getroot()
    assert manifest["id"] == info.findtext("id") == ID
    assert info.findtext("launchable") == DESKTOP_FILE.name
    assert info.findtext("project_license") == "Apache-2.0"
    desktop = configparser.ConfigParser(interpolation=None)
    desktop.read(DESKTOP_FILE, encoding="utf-8")
    entry = desktop["Desktop Entry"]
    assert info.findtext("icon") == entry["Icon"] == ID
    assert manifest["command"] == entry["Exec"].split()[0]
    laid = [line for line in manifest["modules"][0]["build-commands"] if "/app/share/icons/" in line]
    assert [re.findall(r"/apps/(.+)\.(?:png|svg)\b", line) for line in laid] == [[ID], [ID]]
    assert info.findtext("summary") == entry["Comment"]


# --- clean root ---


UBUNTU = """mirror+file:{mirrors}/ jammy-updates universe Ubuntu
mirror+file:{mirrors}/ jammy universe Ubuntu
mirror+file:{mirrors}/ jammy main Ubuntu
mirror+file:{mirrors}/ jammy multiverse Ubuntu
https://packages.somebody.example/ubuntu/ jammy main Some Body
https://ppa.example/ubuntu/ jammy main LP-PPA-git
"""


def test_a_clean_root_is_made_of_the_distributions_own_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrors, release = tmp_path / "mirrors.txt", tmp_path / "os-release"
    mirrors.write_text("http://near.example/ubuntu/\tpriority:1\nhttp://far.example/ubuntu/\tpriority:2\n")
    release.write_text('ID=ubuntu\nVERSION_CODENAME="jammy"\n')
    monkeypatch.setattr(clean_root, "OS_RELEASE", release)
    monkeypatch.setattr(clean_root, "run", lambda *_: UBUNTU.format(mirrors=mirrors))
    assert clean_root.own_sources() == [
        "deb http://near.example/ubuntu/ jammy main universe",
        "deb http://near.example/ubuntu/ jammy-updates universe",
    ]
    release.write_text("ID=another\nVERSION_CODENAME=jammy\n")
    with pytest.raises(clean_root.BuildError, match="no source"):
        clean_root.own_sources()


def test_who_is_not_root_reads_at_the_end_that_nothing_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build, tried = load("build.py"), list[list[str]]()

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        tried.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert build._try([tmp_path / "a.deb", tmp_path / "a.cdx.json"]) == 0
    assert tried[-1][2:] == ["--clean-root", str(tmp_path / "a.deb")]
    monkeypatch.delenv("NOVADESK_CLEAN_ROOT", raising=False)
    monkeypatch.setattr(clean_root.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(clean_root.shutil, "which", lambda name: f"/usr/sbin/{name}")
    assert clean_root.try_packages([tmp_path / "a.deb"]) == 0
    assert capsys.readouterr().out == (
        "smoke: the installed packages were NOT tried: it takes root and debootstrap; missing: root\n"
    )
    assert len(tried) == 3


# --- AppImage ---


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return an AppImage of a program that prints what it is given."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "novadesk").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (tree / "novadesk").chmod(0o755)
    stamp = Stamp(version="1.2.3", commit="abc", date="2026-11-22", package="folder")
    (tree / "_internal" / "novadesk").mkdir(parents=True)
    (tree / "_internal" / "novadesk" / FILE).write_text(json.dumps(asdict(stamp)))
    pictures = tmp_path / "icons"
    pictures.mkdir()
    (pictures / f"novadesk-{appimage.ICON_EDGE}.png").write_bytes(icons.png(appimage.ICON_EDGE))
    (tmp_path / "runtime").write_bytes(HEAD)
    made = appimage.make(tree, pictures, tmp_path / "runtime", tmp_path)
    assert isinstance(made, Path)
    return made


@pytest.mark.rig  # mksquashfs comes with the private desktop's packages, not with `make check`
def test_an_image_is_the_runtime_and_behind_it_a_folder_that_runs(image: Path, tmp_path: Path) -> None:
    assert image.read_bytes().startswith(HEAD)
    assert os.access(image, os.X_OK)
    folder = tmp_path / "unpacked"
    subprocess.run(
        ["unsquashfs", "-quiet", "-no-progress", "-offset", str(len(HEAD)), "-dest", str(folder), str(image)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    top = {path.name for path in folder.iterdir()}
    assert top == {"AppRun", DESKTOP_FILE.name, f"{ID}.png", ".DirIcon", "usr"}
    stamp = read_stamp(folder / "usr" / "lib" / "novadesk" / "_internal" / "novadesk" / FILE)
    assert stamp is not None
    assert (stamp.version, stamp.package) == ("1.2.3", "appimage")
    assert (folder / ".DirIcon").read_bytes() == icons.png(appimage.ICON_EDGE)
    ran = subprocess.run(
        [str(folder / "AppRun"), "talk", "a b"], capture_output=True, text=True, check=True, timeout=20
    )
    assert ran.stdout == "talk|a b|"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("appimage.")]


def test_a_runtime_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runtime").write_bytes(b"\x7fELF\x02\x01\x01\x00\0\0\0")
    with pytest.raises(SystemExit, match="no type-2 runtime"):
        appimage.make(tmp_path, tmp_path, tmp_path / "runtime", tmp_path)


def test_only_the_runtime_whose_checksum_is_known_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = tmp_path / "release"
    release.mkdir()
    (release / "runtime-x86_64").write_bytes(HEAD)
    with pytest.raises(SystemExit, match="checksum"):
        runtime.fetch(tmp_path / "build", "x86_64", release.as_uri())
    assert not list((tmp_path / "build").iterdir())
    monkeypatch.setitem(runtime.SHA256, "x86_64", hashlib.sha256(HEAD).hexdigest())
    assert runtime.fetch(tmp_path / "build", "x86_64", release.as_uri()).read_bytes() == HEAD
    (release / "runtime-x86_64").unlink()
    assert runtime.fetch(tmp_path / "build", "x86_64", release.as_uri()).read_bytes() == HEAD
    with pytest.raises(SystemExit, match="no runtime for riscv64"):
        runtime.fetch(tmp_path / "build", "riscv64", release.as_uri())


# --- icons ---


def test_the_icons_of_windows_and_macos_hold_the_pictures_that_they_name(tmp_path: Path) -> None:
    icons.write(tmp_path)
    ico = (tmp_path / "novadesk.ico").read_bytes()
    reserved, kind, count = struct.unpack_from("<HHH", ico)
    assert (reserved, kind, count) == (0, 1, len(icons.ICO_EDGES))
    for number, edge in enumerate(icons.ICO_EDGES):
        width, height, *_, size, offset = struct.unpack_from("<BBBBHHII", ico, 6 + 16 * number)
        picture = QImage.fromData(ico[offset : offset + size])
        assert (width or 256, height or 256, picture.width(), picture.height()) == (edge,) * 4
    icns = (tmp_path / "novadesk.icns").read_bytes()
    assert struct.unpack_from(">4sI", icns) == (b"icns", len(icns))
    at, found = 8, {}
    while at < len(icns):
        name, size = struct.unpack_from(">4sI", icns, at)
        found[name] = QImage.fromData(icns[at + 8 : at + size]).width()
        at += size
    assert found == icons.ICNS_TYPES


def test_an_icon_is_a_picture_with_a_clear_edge() -> None:
    picture = QImage.fromData(icons.png(64))
    assert picture.pixelColor(0, 0).alpha() == 0
    assert picture.pixelColor(32, 32).lightness() > 240  # the middle bar
    assert picture.pixelColor(32, 6).blue() > picture.pixelColor(32, 6).red() + 50
