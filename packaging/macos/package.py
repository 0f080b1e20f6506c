"""Make the disk image for macOS of NovaDesk.app: sign inside-out, notarise, staple, and ask the system's own judgement.

    python packaging/macos/package.py dist/NovaDesk.app dist [--dry-run]

NOVADESK_IDENTITY is the name of a "Developer ID Application" certificate in the keychain; without it the signature is
ad hoc, which runs on the machine that made it only. NOVADESK_NOTARY is the name of a keychain profile made by
`xcrun notarytool store-credentials`; without it nothing is notarised. Both are said.
"""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import check_bundle
import signature

from novadesk import __version__
from novadesk.installation import this_system

ENTITLEMENTS = Path(__file__).resolve().with_name("entitlements.plist")
AD_HOC = "-"
_NESTED = (".app", ".framework", ".bundle", ".xpc")

type Command = tuple[str, ...]


def inside_out(app: Path) -> list[Path]:
    """Return what is to be signed, the innermost first: files, then the bundles that hold them, the app last."""
    real = [path for path in app.rglob("*") if not path.is_symlink()]
    files = [path for path in real if path.is_file() and signature.is_macho(path)]
    bundles = [path for path in real if path.is_dir() and path.suffix in _NESTED]
    main = app / "Contents" / "MacOS" / "novadesk"  # signed with the app
    return [*_deepest_first(file for file in files if file != main), *_deepest_first(bundles), app]


def _deepest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: (-len(path.parts), str(path)))


def signing(app: Path, identity: str) -> list[Command]:
    """Return the commands that sign a bundle. Entitlements belong to programs; in a library they mean nothing."""
    commands = []
    for path in inside_out(app):
        program = path == app or (path.is_file() and signature.kind(path) is signature.Kind.EXECUTE)
        rights = ("--entitlements", str(ENTITLEMENTS)) if program else ()
        commands.append(("codesign", "--force", *_strength(identity), *rights, str(path)))
    return [*commands, ("codesign", "--verify", "--deep", "--strict", str(app))]


def _strength(identity: str) -> Command:
    # Without a certificate Apple's clock stamps nothing, and the hardened runtime would refuse libraries of no team.
    if identity == AD_HOC:
        return ("--sign", AD_HOC)
    return ("--timestamp", "--options", "runtime", "--sign", identity)


def notarising(what: Path, profile: str) -> list[Command]:
    """Return the commands that have Apple look at a bundle or an image, and fasten its answer to it."""
    archive = what.with_suffix(".zip")
    sent = archive if what.suffix == ".app" else what
    pack = [("ditto", "-c", "-k", "--keepParent", str(what), str(archive))] if sent == archive else []
    return [
        *pack,
        ("xcrun", "notarytool", "submit", "--wait", "--keychain-profile", profile, str(sent)),
        ("xcrun", "stapler", "staple", str(what)),
        ("xcrun", "stapler", "validate", str(what)),
    ]


def imaging(app: Path, stage: Path, image: Path, identity: str) -> list[Command]:
    """Return the commands that make a disk image with the app beside a link to the programs' folder."""
    made: list[Command] = [
        ("rm", "-rf", str(stage), str(image)),
        ("mkdir", "-p", str(stage)),
        ("ditto", str(app), str(stage / app.name)),
        ("ln", "-s", "/Applications", str(stage / "Applications")),
        ("hdiutil", "create", "-volname", "NovaDesk", "-srcfolder", str(stage), "-format", "ULFO", str(image)),
    ]
    return made if identity == AD_HOC else [*made, ("codesign", "--timestamp", "--sign", identity, str(image))]


def judging(app: Path, image: Path) -> list[Command]:
    """Return the commands by which Gatekeeper says what it will say on another machine."""
    return [
        ("spctl", "--assess", "--type", "execute", "--verbose", str(app)),
        ("spctl", "--assess", "--type", "open", "--context", "context:primary-signature", "--verbose", str(image)),
    ]


def steps(app: Path, image: Path, identity: str, profile: str) -> list[Command]:
    """Return everything in its order: sign once, after the last change; notarise and staple the app, then the image."""
    notarised = bool(profile) and identity != AD_HOC
    return [
        *signing(app, identity),
        (sys.executable, str(Path(check_bundle.__file__)), str(app)),
        *(notarising(app, profile) if notarised else []),
        *imaging(app, image.parent.parent / "build" / "dmg", image, identity),
        *(notarising(image, profile) if notarised else []),
        *(judging(app, image) if notarised else []),
    ]


def main() -> int:
    """Make the image; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("app", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dry-run", action="store_true", help="print the commands only")
    given = parser.parse_args()
    identity, profile = os.environ.get("NOVADESK_IDENTITY") or AD_HOC, os.environ.get("NOVADESK_NOTARY", "")
    _, arch = this_system()
    image = given.out.resolve() / f"NovaDesk-{__version__}-macos-{arch}.dmg"
    if identity == AD_HOC or not profile:
        lacking = "NOVADESK_IDENTITY" if identity == AD_HOC else "NOVADESK_NOTARY"
        print(f"package: {lacking} is not set: the image is for trying only, Gatekeeper refuses it elsewhere")
    for command in steps(given.app.resolve(), image, identity, profile):
        print(shlex.join(command), flush=True)
        if not given.dry_run:
            subprocess.run(command, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
