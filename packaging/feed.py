"""Make, sign and check the update feed of a release, see docs/updates.md.

python packaging/feed.py key PRIVATE            make a key; prints the line for `novadesk.feed.KEYS`
python packaging/feed.py make FEED PACKAGE...   write a feed about packages that were built
python packaging/feed.py sign FEED --key NAME   put its signature beside it, or one more
python packaging/feed.py check FEED             read it as NovaDesk does

The private key is read from the file that --private names, or from NOVADESK_FEED_KEY; it belongs into no repository.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from novadesk import __version__
from novadesk.errors import KnownError
from novadesk.feed import FORMAT, KEYS, MAX_LIFE_DAYS, SIGNATURE_SUFFIX, Place, parse_feed, read_feed
from novadesk.installation import Channel

VARIABLE = "NOVADESK_FEED_KEY"
MINIMUM = {"windows": "10.0.17763", "macos": "14.0"}
"""As packaging/windows/novadesk.iss and packaging/macos/Info.plist say; Linux's is the glibc that it was built with."""

_NAME = re.compile(r"NovaDesk-(?P<version>[^-]+)-(?P<system>linux|windows|macos)-(?P<machine>\w+)\.(?P<ending>\w+)")
_KINDS = {"AppImage": "appimage", "exe": "setup", "dmg": "dmg"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "x64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class FeedError(Exception):
    """What stands in the way, in one sentence."""


def new_key(file: Path) -> str:
    """Write a new private key that only the user can read; return the public one in base64.

    Raises:
        FileExistsError: there is one already; it is not replaced.
    """
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(base64.b64encode(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())) + b"\n")
    return public_of(key)


def public_of(key: Ed25519PrivateKey) -> str:
    """Return the public half of a key, as the table has it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def read_key(file: Path | None, environment: Mapping[str, str] = os.environ) -> Ed25519PrivateKey:
    """Return the private key.

    Raises:
        FeedError: there is none, or it is none.
    """
    text = file.read_text("ascii") if file is not None else environment.get(VARIABLE, "")
    if not text.strip():
        raise FeedError(f"there is no private key: name its file with --private, or set {VARIABLE}")
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.strip(), validate=True))
    except ValueError as error:
        raise FeedError("the private key is not one: 32 bytes in base64") from error


def describe(package: Path, version: str, base: str, minimum: Mapping[str, str]) -> dict[str, Any]:
    """Return what a feed says of a package.

    Raises:
        FeedError: its name is not one of a package of that version, or its least system is not known.
    """
    parts = _NAME.fullmatch(package.name)
    if parts is None or parts["ending"] not in _KINDS or parts["machine"] not in _MACHINES:
        raise FeedError(f"{package.name} is not named like a package: NovaDesk-VERSION-SYSTEM-MACHINE.ENDING")
    if parts["version"] != version:
        raise FeedError(
            f"{package.name} is of version {parts['version']}, and the feed of {version}: name packages of one version"
        )
    if parts["system"] not in minimum:
        raise FeedError(f"name the least system for {package.name}: --minimum {parts['system']}=VERSION")
    with package.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "system": parts["system"],
        "machine": _MACHINES[parts["machine"]],
        "kind": _KINDS[parts["ending"]],
        "minimum": minimum[parts["system"]],
        "url": f"{base.rstrip('/')}/{package.name}",
        "sha256": digest,
        "size": package.stat().st_size,
    }


def make_feed(
    *,
    channel: str,
    serial: int,
    version: str,
    page: str,
    notes: Mapping[str, str],
    files: Sequence[Mapping[str, Any]],
    now: datetime,
    days: int,
) -> bytes:
    """Return a feed, which NovaDesk can read.

    Raises:
        KnownError: it could not; says what is wrong.
    """
    entries = {
        "format": FORMAT,
        "channel": channel,
        "serial": serial,
        "version": version,
        "published": _written(now),
        "expires": _written(now + timedelta(days=days)),
        "page": page,
        "notes": dict(notes),
        "files": list(files),
    }
    content = (json.dumps(entries, indent=2, ensure_ascii=False) + "\n").encode()
    parse_feed(content)
    return content


def sign(feed: Path, name: str, key: Ed25519PrivateKey) -> Path:
    """Put a signature beside a feed, in the place of an older one of that key; return its file."""
    content = feed.read_bytes()
    parse_feed(content)
    file = feed.with_name(feed.name + SIGNATURE_SUFFIX)
    lines = file.read_text("ascii").splitlines() if file.exists() else []
    lines = [line for line in lines if line.partition(" ")[0] != name]
    lines.append(f"{name} {base64.b64encode(key.sign(content)).decode()}")
    file.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    return file


def check(feed: Path, keys: Mapping[str, str], now: datetime) -> str:
    """Read a feed as a NovaDesk does that has just been installed; return what it says.

    Raises:
        KnownError: it would not be believed.
    """
    content = feed.read_bytes()
    channel = parse_feed(content).channel
    place = Place(version="0.0.0", channel=channel, kind="source", system="", machine="")
    signatures = feed.with_name(feed.name + SIGNATURE_SUFFIX).read_bytes()
    now_ms = round(now.timestamp() * 1000)
    release = read_feed(content, signatures, place=place, seen=0, now_ms=now_ms, keys=keys)
    left = (release.expires_ms - now_ms) / 86_400_000
    return (
        f"{release.version} of {channel}, number {release.serial}, {len(release.files)} packages, {left:.0f} days left"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Do as told; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        print(options.run(options))
    except (FeedError, KnownError) as error:
        sys.stderr.write(f"feed: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"feed: {error.filename}: {error.strerror}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    key = commands.add_parser("key", help="make a key")
    key.add_argument("private", type=Path)
    key.add_argument("--name", default=f"{datetime.now(UTC):%Y}a", help="of the key, such as 2027a")
    key.set_defaults(run=lambda given: f'"{given.name}": "{new_key(given.private)}",')
    make = commands.add_parser("make", help="write a feed")
    make.add_argument("feed", type=Path)
    make.add_argument("packages", type=Path, nargs="+")
    make.add_argument("--channel", choices=[channel.value for channel in Channel], default="stable")
    make.add_argument("--serial", type=int, required=True, help="greater than that of the last feed of the channel")
    make.add_argument("--version", default=__version__)
    make.add_argument("--page", required=True, help="https address of the page to download from")
    make.add_argument("--base", required=True, help="https address of the folder that the packages lie in")
    make.add_argument("--notes", action="append", required=True, metavar="LANGUAGE=FILE", help="what is new")
    make.add_argument("--minimum", action="append", default=[], metavar="SYSTEM=VERSION", help="the least system")
    make.add_argument("--days", type=int, default=60, help=f"how long it is valid, at most {MAX_LIFE_DAYS}")
    make.set_defaults(run=_make)
    sign_it = commands.add_parser("sign", help="put its signature beside a feed")
    sign_it.add_argument("feed", type=Path)
    sign_it.add_argument("--key", required=True, metavar="NAME")
    sign_it.add_argument("--private", type=Path, metavar="FILE")
    sign_it.set_defaults(run=lambda given: sign(given.feed, given.key, read_key(given.private)))
    look = commands.add_parser("check", help="read it as NovaDesk does")
    look.add_argument("feed", type=Path)
    look.add_argument("--public", action="append", default=[], metavar="NAME=KEY", help="in the place of the table")
    look.set_defaults(run=lambda given: check(given.feed, _pairs(given.public) or KEYS, datetime.now(UTC)))
    return parser


def _make(given: argparse.Namespace) -> str:
    minimum = MINIMUM | _pairs(given.minimum)
    notes = {language: Path(file).read_text("utf-8").strip() for language, file in _pairs(given.notes).items()}
    content = make_feed(
        channel=given.channel,
        serial=given.serial,
        version=given.version,
        page=given.page,
        notes=notes,
        files=[describe(package, given.version, given.base, minimum) for package in given.packages],
        now=datetime.now(UTC),
        days=given.days,
    )
    given.feed.write_bytes(content)
    return str(given.feed)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in given]
    if not all(name and mark and value for name, mark, value in pairs):
        raise FeedError("write NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    sys.exit(main())
