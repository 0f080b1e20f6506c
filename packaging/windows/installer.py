"""Make the installer for Windows of the frozen folder: sign what is in it, then run Inno Setup.

    python packaging/windows/installer.py dist/novadesk build/icons/novadesk.ico dist

ISCC names Inno Setup's compiler where it is in none of its usual places; NOVADESK_SIGN_COMMAND signs (see sign.py).
"""

import os
import subprocess
import sys
from pathlib import Path

import sign
import version_resource

from novadesk import __version__
from novadesk.installation import this_system

SCRIPT = Path(__file__).resolve().with_name("novadesk.iss")
_OPENSSL = ("libssl", "libcrypto")
PLACES = ("ProgramFiles(x86)", "ProgramFiles", "LOCALAPPDATA")


def compiler() -> str:
    """Return the path of Inno Setup's compiler.

    Raises:
        SystemExit: it is not installed.
    """
    named = [os.environ["ISCC"]] if os.environ.get("ISCC") else []
    roots = [os.environ[name] for name in PLACES if os.environ.get(name)]
    usual = [str(Path(root) / below / "Inno Setup 6" / "ISCC.exe") for root in roots for below in ("", "Programs")]
    for place in (*named, *usual):
        if Path(place).is_file():
            return place
    raise SystemExit("installer: Inno Setup 6 is not installed; install it, or name its ISCC.exe in ISCC")


def arguments(tree: Path, icon: Path, out: Path, *, arch: str, version: str, sign_command: str) -> list[str]:
    """Return what the compiler is told."""
    numeric = ".".join(map(str, version_resource.numbers(version)))
    given = {"Version": version, "NumericVersion": numeric, "Arch": arch, "Tree": tree, "Icon": icon, "Out": out}
    words = ["/Qp", *(f"/D{name}={value}" for name, value in given.items())]
    if sign_command:
        words += ["/DSign", f"/Snovadesk={sign_command} $f"]
    return [*words, str(SCRIPT)]


def check_pairs(tree: Path) -> None:
    """Refuse a folder in which one half of OpenSSL is missing, or there in two versions: it starts, and no TLS works.

    Raises:
        SystemExit: it is so.
    """
    ssl, crypto = ({file.name.removeprefix(half) for file in tree.rglob(f"{half}-*.dll")} for half in _OPENSSL)
    if ssl != crypto:
        raise SystemExit("installer: libssl and libcrypto do not belong together in the frozen folder")


def make(tree: Path, icon: Path, out: Path) -> Path:
    """Sign, compile and sign the installer; return it.

    Raises:
        CalledProcessError: signing or compiling failed.
        SystemExit: see `compiler` and `check_pairs`.
    """
    check_pairs(tree)
    command = os.environ.get(sign.COMMAND, "")
    if command:
        print(f"installer: {sign.sign(tree, command)} files signed")
    else:
        print(f"installer: {sign.COMMAND} is not set, nothing is signed")
    _, arch = this_system()
    words = arguments(tree, icon, out, arch=arch, version=__version__, sign_command=command)
    subprocess.run([compiler(), *words], check=True)
    return out / f"NovaDesk-{__version__}-windows-{arch}.exe"


def main() -> int:
    """Make the installer; return the exit status."""
    tree, icon, out = (Path(name).resolve() for name in sys.argv[1:4])
    print(f"installer: {make(tree, icon, out).name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
