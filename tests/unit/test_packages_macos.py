"""packaging/macos: the keys of the microphone in the bundle, and in which order it is signed."""

import plistlib
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.support.recipes import PACKAGING, load

ENTITLEMENTS = plistlib.loads((PACKAGING / "macos" / "entitlements.plist").read_bytes())
INFO = plistlib.loads((PACKAGING / "macos" / "Info.plist").read_bytes())
STAMPED = INFO | {"CFBundleShortVersionString": "1.2.3", "CFBundleVersion": "1.2.3"}
EXECUTE, DYLIB = 2, 6

check_bundle = load("macos/check_bundle.py")
package = load("macos/package.py")
signature = package.signature


def _blob(magic: int, content: bytes) -> bytes:
    return struct.pack(">II", magic, 8 + len(content)) + content


def _signature(rights: dict[str, Any] | None) -> bytes:
    """Return a SuperBlob as codesign writes it: a code directory, and the entitlements."""
    blobs = [(0, _blob(0xFADE0C02, b"\0" * 40))]
    if rights is not None:
        blobs.append((5, _blob(0xFADE7171, plistlib.dumps(rights))))
    at = 12 + 8 * len(blobs)
    index = content = b""
    for slot, blob in blobs:
        index += struct.pack(">II", slot, at + len(content))
        content += blob
    return struct.pack(">III", 0xFADE0CC0, at + len(content), len(blobs)) + index + content


def _macho(rights: dict[str, Any] | None = None, *, filetype: int = EXECUTE, signed: bool = True) -> bytes:
    """Return a Mach-O of 64 bits with a command of no matter, and its signature at its end."""
    other = struct.pack("<II8s", 0x1B, 16, b"\1" * 8)
    signed_at = 32 + len(other) + 16
    end = _signature(rights) if signed else b""
    where = struct.pack("<IIII", 0x1D, 16, signed_at, len(end)) if signed else b""
    commands = other + where
    head = struct.pack("<IIIIIIII", 0xFEEDFACF, 0x0100000C, 0, filetype, 2 if signed else 1, len(commands), 0, 0)
    return head + commands + end


def _fat(*images: bytes) -> bytes:
    at = 8 + 20 * len(images)
    head, content = struct.pack(">II", 0xCAFEBABE, len(images)), b""
    for image in images:
        head += struct.pack(">IIIII", 7, 3, at + len(content), len(image), 0)
        content += image
    return head + content


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return a bundle laid out as PyInstaller lays it out, signed by hand."""
    app = tmp_path / "NovaDesk.app"
    contents = {
        "Contents/Info.plist": plistlib.dumps(STAMPED),
        "Contents/MacOS/novadesk": _macho(ENTITLEMENTS),
        "Contents/Resources/novadesk.icns": b"icns",
        "Contents/Frameworks/libportaudio.dylib": _macho(filetype=DYLIB),
        "Contents/Frameworks/PySide6/QtCore.abi3.so": _fat(_macho(filetype=DYLIB), _macho(filetype=DYLIB)),
        "Contents/Frameworks/PySide6/Qt/lib/QtCore.framework/Versions/A/QtCore": _macho(filetype=DYLIB),
        "Contents/Frameworks/helper/tool": _macho(),
        "Contents/Resources/words.txt": b"no program",
    }
    for name, content in contents.items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_bytes(content)
    (app / "Contents" / "Resources" / "libportaudio.dylib").symlink_to("../Frameworks/libportaudio.dylib")
    return app


def test_a_bundle_with_both_keys_may_ask_for_the_microphone(app: Path) -> None:
    assert check_bundle.findings(app) == []


def test_the_oldest_macos_is_the_one_whose_builds_are_looked_for() -> None:
    assert INFO["LSMinimumSystemVersion"] == load("lint.py").OLDEST_MACOS


def test_the_keys_are_those_that_are_shipped() -> None:
    assert ENTITLEMENTS[check_bundle.ENTITLEMENT] is True
    assert "microphone" in INFO[check_bundle.USAGE]


@pytest.mark.parametrize(
    "rights",
    [None, {}, {check_bundle.ENTITLEMENT: False}, {"com.apple.security.device.camera": True}],
    ids=["no entitlements", "empty", "switched off", "another"],
)
def test_a_signature_without_the_entitlement_is_found(app: Path, rights: dict[str, Any] | None) -> None:
    (app / "Contents" / "MacOS" / "novadesk").write_bytes(_macho(rights))
    assert check_bundle.findings(app) == [f"the signature of novadesk lacks {check_bundle.ENTITLEMENT}"]


def test_every_architecture_needs_the_entitlement(app: Path) -> None:
    program = app / "Contents" / "MacOS" / "novadesk"
    program.write_bytes(_fat(_macho(ENTITLEMENTS), _macho(ENTITLEMENTS)))
    assert check_bundle.findings(app) == []
    program.write_bytes(_fat(_macho(ENTITLEMENTS), _macho(signed=False)))
    assert len(check_bundle.findings(app)) == 1


def test_a_program_that_is_not_signed_or_none_at_all_is_found(app: Path) -> None:
    program = app / "Contents" / "MacOS" / "novadesk"
    program.write_bytes(_macho(signed=False))
    assert "lacks" in check_bundle.findings(app)[0]
    program.write_bytes(b"#!/bin/sh\n")
    assert "no program of macOS" in check_bundle.findings(app)[0]
    program.unlink()
    assert "no program of macOS" in check_bundle.findings(app)[0]


@pytest.mark.parametrize("lacking", [check_bundle.USAGE, "CFBundleVersion", "CFBundleIdentifier"])
def test_a_list_without_one_of_the_keys_is_found(app: Path, lacking: str) -> None:
    left = {name: value for name, value in STAMPED.items() if name != lacking}
    (app / "Contents" / "Info.plist").write_bytes(plistlib.dumps(left))
    assert check_bundle.findings(app) == [f"Contents/Info.plist has no {lacking}"]


def test_a_list_that_cannot_be_read_is_found(app: Path) -> None:
    (app / "Contents" / "Info.plist").write_bytes(b"no list")
    assert "cannot be read" in check_bundle.findings(app)[0]
    shutil.rmtree(app)
    assert "cannot be read" in check_bundle.findings(app)[0]


def test_what_pyinstaller_did_not_know_of_is_laid_in_where_the_program_looks(app: Path, tmp_path: Path) -> None:
    tree = tmp_path / "novadesk"
    (tree / "_internal" / "practice" / "espeakng_loader").mkdir(parents=True)
    (tree / "_internal" / "practice" / "espeakng_loader" / "lib.dylib").write_bytes(_macho(filetype=DYLIB))
    (tree / "novadesk").write_bytes(b"the program of the tree")
    (tree / "NOTICE").write_text("notices")
    for _ in range(2):
        load("macos/bundle.py").complete(app, tree)
    contents = app / "Contents"
    assert (contents / "Frameworks" / "practice").is_symlink()
    library = contents / "Frameworks" / "practice" / "espeakng_loader" / "lib.dylib"
    assert library.resolve() == (contents / "Resources" / "practice" / "espeakng_loader" / "lib.dylib").resolve()
    assert (contents / "Resources" / "NOTICE").read_text() == "notices"
    assert not (contents / "Resources" / "novadesk").exists()
    assert contents / "Resources" / "practice" / "espeakng_loader" / "lib.dylib" in package.inside_out(app)
    assert check_bundle.findings(app) == []


def test_the_innermost_is_signed_first_and_the_app_last(app: Path) -> None:
    order = [str(path.relative_to(app)) for path in package.inside_out(app)]
    framework = "Contents/Frameworks/PySide6/Qt/lib/QtCore.framework"
    assert order[0] == f"{framework}/Versions/A/QtCore"
    assert order.index(framework) > order.index(f"{framework}/Versions/A/QtCore")
    assert order[-1] == "."
    assert sorted(order) == sorted({*order})
    assert "Contents/MacOS/novadesk" not in order  # signing the app signs it
    assert "Contents/Resources/libportaudio.dylib" not in order  # a link
    assert "Contents/Frameworks/libportaudio.dylib" in order


def test_only_programs_are_given_entitlements(app: Path) -> None:
    signed = {command[-1]: command for command in package.signing(app, "Developer ID Application: Somebody")[:-1]}
    given = {Path(path).name for path, command in signed.items() if "--entitlements" in command}
    assert given == {"tool", "NovaDesk.app"}
    for command in signed.values():
        assert {"--timestamp", "--force", "runtime"} <= set(command)


def test_it_is_signed_checked_notarised_and_judged_in_this_order(app: Path, tmp_path: Path) -> None:
    steps = package.steps(app, tmp_path / "dist" / "NovaDesk.dmg", "Developer ID Application: Somebody", "profile")
    assert [command[-1] for command in steps if command[0] == "codesign"][-2:] == [
        str(app), str(tmp_path / "dist" / "NovaDesk.dmg"),
    ]  # fmt: skip
    told = [
        " ".join(command[:3]) if command[0] == "xcrun" else command[0]
        for command in steps
        if command[0] in ("xcrun", "hdiutil", "spctl") or command[1].endswith("check_bundle.py")
    ]
    looked_at = ["xcrun notarytool submit", "xcrun stapler staple", "xcrun stapler validate"]
    assert told[1:] == [*looked_at, "hdiutil", *looked_at, "spctl", "spctl"]
    assert "check_bundle" in steps[steps.index(package.signing(app, "Developer ID Application: Somebody")[-1]) + 1][1]


def test_without_a_certificate_nothing_is_sent_anywhere(app: Path, tmp_path: Path) -> None:
    steps = package.steps(app, tmp_path / "dist" / "NovaDesk.dmg", package.AD_HOC, "profile")
    assert not [command for command in steps if command[0] in ("xcrun", "spctl") or "--timestamp" in command]
    # Under the hardened runtime a program of no team may load no library of no team: it would not start.
    assert not [command for command in steps if "runtime" in command]
    assert {command[-1] for command in steps if "--entitlements" in command} >= {str(app)}
    assert steps[-1][0] == "hdiutil"
