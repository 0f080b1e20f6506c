"""The update feed: what it says of a release, who may say it, and what of it is believed. See docs/updates.md.

A feed is one JSON document. Beside it, under its name with `.sig`, lie Ed25519 signatures over its exact bytes, one a
line with the name of its key: while keys change hands there are two.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from novadesk.errors import KnownError, Reason
from novadesk.text import Text

KEYS: Mapping[str, str] = MappingProxyType({})
"""Public keys that may sign, by name: 32 bytes in base64. A new one is here a release before it signs alone.

There is none while the project publishes no feed; docs/updates.md says how one is made.
"""

FORMAT = 1
MAX_FEED_BYTES = 64 * 1024
MAX_SIGNATURE_BYTES = 4 * 1024
MAX_NOTES_CHARS = 4_000
MAX_LIFE_DAYS = 92
"""Longest time that a feed may be valid: for so long an old one can be shown to people as the newest."""

CLOCK_SLACK_MS = 24 * 3_600_000
"""How far in the future a feed may have been made: clocks differ."""

SIGNATURE_SUFFIX = ".sig"

_DAY_MS = 24 * 3_600_000
_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})(?:(a|b|rc)([0-9]{1,6}))?")
_STAGES = {"a": 0, "b": 1, "rc": 2, None: 3}
_NUMBERS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,4}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SIGNATURE_LINE = re.compile(r"([a-z0-9][a-z0-9_-]{0,31}) ([A-Za-z0-9+/]{86}==)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


class Refusal(Enum):
    """Why a feed is not believed. The values are what people read of it."""

    UNSIGNED = Text("The update feed is not signed.")
    UNKNOWN_KEY = Text("The update feed is signed with a key that this version of NovaDesk does not know.")
    BAD_SIGNATURE = Text("The update feed does not fit its signature.")
    MALFORMED = Text("The update feed cannot be read: {why}.")
    TOO_BIG = Text("The update feed is larger than one can be.")
    MISSING = Text("The update feed is not where it should be (status {status}).")
    INSECURE = Text("The update feed leads to an address that is not encrypted.")
    WRONG_CHANNEL = Text("The update feed is for the channel “{channel}”, not for “{own}”.")
    EXPIRED = Text("The update feed has expired on {date}: somebody may be holding newer ones back.")
    FROM_THE_FUTURE = Text("The update feed is dated {date}, which has not come yet.")
    ROLLED_BACK = Text("The update feed is older than the one that was seen last.")
    DOWNGRADE = Text("The update feed offers version {version}, which is older than the {own} that runs here.")


_BROKEN = frozenset({Refusal.MALFORMED, Refusal.TOO_BIG, Refusal.MISSING})
_OF_TIME = frozenset({Refusal.EXPIRED, Refusal.FROM_THE_FUTURE})


class FeedRefused(KnownError):
    """A feed that is not believed; nothing of it is used."""

    def __init__(self, refusal: Refusal, **values: str) -> None:
        self.refusal = refusal
        super().__init__(
            Reason.FEED_BROKEN if refusal in _BROKEN else Reason.FEED_REFUSED,
            refusal.value.with_values(**values) if values else refusal.value,
            Text("Check the date of this computer; NovaDesk asks again tomorrow.")
            if refusal in _OF_TIME
            else Text("NovaDesk asks again tomorrow; nothing was changed."),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A package of a release.

    Attributes:
        system: "linux", "windows" or "macos".
        machine: "x64" or "arm64".
        kind: what it is, such as "appimage".
        minimum: oldest system that it runs on: of glibc, Windows or macOS; empty for any.
        size: in bytes.
    """

    system: str
    machine: str
    kind: str
    url: str
    sha256: str
    size: int
    minimum: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a feed says. Times are Unix milliseconds; `notes` are by language, English first."""

    channel: str
    serial: int
    version: str
    published_ms: int
    expires_ms: int
    page: str
    notes: tuple[tuple[str, str], ...]
    files: tuple[File, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a feed is judged by: the version, channel and kind of this copy, and the system that it runs on."""

    version: str
    channel: str
    kind: str
    system: str
    machine: str
    system_version: str = ""


def read_feed(
    content: bytes, signatures: bytes, *, place: Place, seen: int, now_ms: int, keys: Mapping[str, str] = KEYS
) -> Release:
    """Return what a feed says, once it is known who says it and that it is the newest.

    Args:
        content: the feed.
        signatures: the file beside it.
        place: where it is read.
        seen: serial of the newest feed that was believed, 0 for none.
        now_ms: Unix time.
        keys: who may sign.

    Raises:
        FeedRefused: it is not to be believed.
    """
    if len(content) > MAX_FEED_BYTES or len(signatures) > MAX_SIGNATURE_BYTES:
        raise FeedRefused(Refusal.TOO_BIG)
    verify(content, signatures, keys)
    release = parse_feed(content)
    if release.channel != place.channel:
        raise FeedRefused(Refusal.WRONG_CHANNEL, channel=release.channel, own=place.channel)
    if release.published_ms > now_ms + CLOCK_SLACK_MS:
        raise FeedRefused(Refusal.FROM_THE_FUTURE, date=_date(content, "published"))
    if release.expires_ms <= now_ms:
        raise FeedRefused(Refusal.EXPIRED, date=_date(content, "expires"))
    if release.serial < seen:
        raise FeedRefused(Refusal.ROLLED_BACK)
    if is_newer(place.version, release.version):
        raise FeedRefused(Refusal.DOWNGRADE, version=release.version, own=place.version)
    return release


def verify(content: bytes, signatures: bytes, keys: Mapping[str, str]) -> None:
    """Check that one of `keys` has signed exactly these bytes.

    Raises:
        FeedRefused: none has.
    """
    from cryptography.exceptions import InvalidSignature  # takes a while to load
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    signed = _signatures(signatures)
    if not signed:
        raise FeedRefused(Refusal.UNSIGNED)
    known = [(keys[name], signature) for name, signature in signed if name in keys]
    if not known:
        raise FeedRefused(Refusal.UNKNOWN_KEY)
    for key, signature in known:
        try:
            Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True)).verify(signature, content)
        except InvalidSignature:
            continue
        return
    raise FeedRefused(Refusal.BAD_SIGNATURE)


def parse_feed(content: bytes) -> Release:
    """Return what a feed says, whoever says it.

    Raises:
        FeedRefused: `MALFORMED`, naming what is wrong.
    """
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise malformed(Text("it is not JSON")) from error
    if not isinstance(found, dict):
        raise malformed(Text("it is not a JSON object"))
    if found.get("format") != FORMAT or isinstance(found["format"], bool):
        raise malformed(Text("it has a format that this version does not know"))
    published_ms, expires_ms = _time(found, "published"), _time(found, "expires")
    if not 0 < expires_ms - published_ms <= MAX_LIFE_DAYS * _DAY_MS:
        raise _wrong("expires")
    files = found.get("files")
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise _wrong("files")
    return Release(
        channel=_text(found, "channel", _NAME),
        serial=_count(found, "serial"),
        version=_text(found, "version", _VERSION),
        published_ms=published_ms,
        expires_ms=expires_ms,
        page=_address(found, "page"),
        notes=_notes(found),
        files=tuple(_file(file) for file in files),
    )


def file_for(release: Release, place: Place) -> File | None:
    """Return a package for this computer, of the kind that is installed where there is one, or None."""
    fit = [file for file in release.files if (file.system, file.machine) == (place.system, place.machine)]
    return next((file for file in fit if file.kind == place.kind), fit[0] if fit else None)


def runs_on(file: File, place: Place) -> bool:
    """Say whether the system is new enough; one that is not known counts as new enough."""
    if not file.minimum or not _NUMBERS.fullmatch(place.system_version):
        return True
    return _numbers(place.system_version) >= _numbers(file.minimum)


def is_version(text: str) -> bool:
    """Say whether a text is a version that can be compared."""
    return _VERSION.fullmatch(text) is not None


def is_newer(one: str, other: str) -> bool:
    """Say whether a version is newer than another one: 0.2.0b1 < 0.2.0rc1 < 0.2.0 < 0.10.0."""
    return _order(one) > _order(other)


def malformed(why: Text) -> FeedRefused:
    """Return the refusal of a feed that cannot be read."""
    return FeedRefused(Refusal.MALFORMED, why=why)


def _wrong(name: str) -> FeedRefused:
    return malformed(Text("“{name}” is missing or makes no sense", name=name))


def _signatures(content: bytes) -> list[tuple[str, bytes]]:
    """Return names of keys and signatures; there is one way only to write each."""
    try:
        lines = content.decode("ascii").split("\n")
    except ValueError as error:
        raise malformed(Text("its signature is not text")) from error
    if lines.pop():
        raise malformed(Text("its signature is cut off"))
    found = []
    for line in lines:
        parts = _SIGNATURE_LINE.fullmatch(line)
        if parts is None or base64.b64encode(signature := base64.b64decode(parts[2])).decode() != parts[2]:
            raise malformed(Text("its signature is not one"))
        found.append((parts[1], signature))
    return found


def _file(entry: Mapping[str, Any]) -> File:
    return File(
        system=_text(entry, "system", _NAME),
        machine=_text(entry, "machine", _NAME),
        kind=_text(entry, "kind", _NAME),
        url=_address(entry, "url"),
        sha256=_text(entry, "sha256", _SHA256),
        size=_count(entry, "size"),
        minimum=_text(entry, "minimum", _NUMBERS) if "minimum" in entry else "",
    )


def _notes(found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    notes = found.get("notes")
    if not isinstance(notes, dict) or "en" not in notes:
        raise _wrong("notes")
    for language, text in notes.items():
        if not _LANGUAGE.fullmatch(language) or not isinstance(text, str) or len(text) > MAX_NOTES_CHARS:
            raise _wrong("notes")
    return tuple(sorted(notes.items(), key=lambda one: (one[0] != "en", one[0])))


def _text(found: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _wrong(name)
    return value


def _count(found: Mapping[str, Any], name: str) -> int:
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 53:
        raise _wrong(name)
    return value


def _address(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    try:
        parts = urlsplit(value) if isinstance(value, str) and value.isascii() and value.isprintable() else None
        good = parts is not None and parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or " " in str(value):
        raise _wrong(name)
    return str(value)


def _time(found: Mapping[str, Any], name: str) -> int:
    value = found.get(name)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None or moment.tzinfo is None:
            raise _wrong(name)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise _wrong(name) from error


def _date(content: bytes, name: str) -> str:
    """Return the day of a time of a feed that was read, as it is written there."""
    return str(json.loads(content)[name])[:10]


def _order(version: str) -> tuple[int, ...]:
    parts = _VERSION.fullmatch(version)
    if parts is None:
        raise ValueError("this is no version")
    return int(parts[1]), int(parts[2]), int(parts[3]), _STAGES[parts[4]], int(parts[5] or 0)


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(number) for number in text.split("."))
    return numbers + (0,) * (5 - len(numbers))
