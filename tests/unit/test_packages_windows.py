"""packaging/windows: what is signed, what Inno Setup is told, and what Windows reads of the program's version."""

import ast
import re
import struct
import sys
from pathlib import Path

import pytest

from novadesk import __version__
from novadesk.desktop.autostart import NAME
from tests.support.recipes import PACKAGING, load

SCRIPT = (PACKAGING / "windows" / "novadesk.iss").read_text(encoding="utf-8")

installer = load("windows/installer.py")
sign = installer.sign
version_resource = installer.version_resource

# Stands in for signtool: fills in the entry of the security directory, as a signature does.
SIGNER = """
import struct, sys
for name in sys.argv[1:]:
    data = bytearray(open(name, "rb").read())
    start = struct.unpack_from("<I", data, 0x3C)[0] + 24
    struct.pack_into("<II", data, start + {0x10B: 96, 0x20B: 112}[struct.unpack_from("<H", data, start)[0]] + 32, 1, 1)
    open(name, "wb").write(data)
"""


def _program(*, magic: int = 0x20B, signed: bool = False) -> bytes:
    directories = 112 if magic == 0x20B else 96
    optional = bytearray(directories + 16 * 8)
    struct.pack_into("<H", optional, 0, magic)
    struct.pack_into("<II", optional, directories + 4 * 8, *((0x1000, 64) if signed else (0, 0)))
    head = bytearray(0x80)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, len(head))
    return bytes(head) + b"PE\0\0" + bytes(20) + bytes(optional)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a frozen folder, in a path with a space as Windows has them."""
    tree = tmp_path / "a tree"
    for name, content in {
        "novadesk.exe": _program(),
        "_internal/python312.dll": _program(signed=True),
        "_internal/old.DLL": _program(magic=0x10B),
        "_internal/_socket.pyd": _program(),
        "_internal/words.txt": b"",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    return tree


def test_what_others_have_signed_keeps_their_signature(tree: Path) -> None:
    assert [file.name for file in sign.unsigned(sorted(tree.rglob("*")))] == ["_socket.pyd", "old.DLL", "novadesk.exe"]


def test_the_command_signs_all_that_is_unsigned(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "signer.py").write_text(SIGNER)
    command = f'"{sys.executable}" "{tmp_path / "signer.py"}"'
    assert sign.sign(tree, command) == 3
    assert sign.sign(tree, command) == 0


def test_a_command_that_signs_nothing_is_noticed(tree: Path) -> None:
    with pytest.raises(ValueError, match="did not sign"):
        sign.sign(tree, "true")


@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(80), b"MZ" + bytes(100)], ids=["empty", "ELF", "DOS"])
def test_what_is_no_program_of_windows_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.exe").write_bytes(content)
    with pytest.raises(ValueError, match="no program"):
        sign.is_signed(tmp_path / "a.exe")


def test_one_half_of_openssl_is_refused(tree: Path) -> None:
    installer.check_pairs(tree)
    (tree / "_internal" / "libssl-3.dll").write_bytes(_program())
    with pytest.raises(SystemExit, match="belong together"):
        installer.check_pairs(tree)
    (tree / "_internal" / "libcrypto-3.dll").write_bytes(_program())
    installer.check_pairs(tree)
    (tree / "_internal" / "libcrypto-3-x64.dll").write_bytes(_program())
    with pytest.raises(SystemExit, match="belong together"):
        installer.check_pairs(tree)


def test_the_compiler_is_told_everything_that_the_script_asks_for(tree: Path) -> None:
    told = installer.arguments(tree, tree / "a.ico", tree, arch="x64", version="1.2.3rc1", sign_command="signtool sign")
    given = dict(word.removeprefix("/D").partition("=")[::2] for word in told if word.startswith("/D"))
    asked = set(re.findall(r"\{#(\w+)\}", SCRIPT)) - set(re.findall(r"#define (\w+)", SCRIPT))
    assert set(given) == asked | {"Sign", "Arch"}
    assert given["NumericVersion"] == "1.2.3.0"
    assert "/Snovadesk=signtool sign $f" in told
    unsigned = installer.arguments(tree, tree / "a.ico", tree, arch="x64", version="1.2.3", sign_command="")
    assert not [word for word in unsigned if word.startswith(("/S", "/DSign"))]


def test_the_installer_is_for_one_person_and_leaves_what_is_the_persons() -> None:
    assert re.search(r"^PrivilegesRequired=lowest$", SCRIPT, re.MULTILINE)
    deleted = re.findall(r'^Type: \w+; Name: "([^"]+)"', SCRIPT, re.MULTILINE)
    assert deleted == [r"{app}\_internal"]
    assert "[UninstallDelete]" not in SCRIPT
    assert rf'ValueName: "{NAME}"; Flags: uninsdeletevalue' in SCRIPT
    assert SCRIPT.count(".StaysHere=") == 2


def test_every_message_is_there_in_both_languages() -> None:
    languages = re.findall(r'^Name: "(\w\w)"; MessagesFile', SCRIPT, re.MULTILINE)
    assert languages == ["en", "de"]
    words = re.findall(r"^(\w\w)\.(\w+)=", SCRIPT, re.MULTILINE)
    english, german = ({name for language, name in words if language == one} for one in languages)
    assert english
    assert english == german


def test_a_version_is_four_numbers_to_windows() -> None:
    assert version_resource.numbers("1.2.3rc1") == (1, 2, 3, 0)
    assert version_resource.numbers(__version__)[3] == 0
    with pytest.raises(ValueError, match="three numbers"):
        version_resource.numbers("1.2")


def test_the_version_resource_is_an_expression_with_our_version() -> None:
    tree = ast.parse(version_resource.resource(__version__), mode="eval")
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert called == {
        "VSVersionInfo", "FixedFileInfo", "StringFileInfo", "StringTable", "StringStruct", "VarFileInfo", "VarStruct",
    }  # fmt: skip
    strings = [
        tuple(ast.literal_eval(value) for value in node.args)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "StringStruct"
    ]
    assert dict(strings)["ProductVersion"] == __version__
