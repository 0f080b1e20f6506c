"""Feeds to be read: a good one, a key that signs, a place to read them at."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from novadesk.feed import Place

NOW_MS = 1_795_000_000_000
DAY_MS = 24 * 3_600_000
HERE = Place(version="0.1.0", channel="stable", kind="appimage", system="linux", machine="x64", system_version="2.36")
MAC = replace(HERE, kind="dmg", system="macos", machine="arm64", system_version="14.2")


def when(days: float) -> str:
    """Return the time so many days from now, as a feed writes it."""
    return f"{datetime.fromtimestamp(NOW_MS / 1000 + days * 86_400, UTC):%Y-%m-%dT%H:%M:%SZ}"


def package(**other: Any) -> dict[str, Any]:
    """Return a package of a feed."""
    return {
        "system": "linux", "machine": "x64", "kind": "appimage", "minimum": "2.31",
        "url": "https://example.com/NovaDesk-0.2.0-x64.AppImage", "sha256": "0f" * 32, "size": 98_000_000,
    } | other  # fmt: skip


def entries(**other: Any) -> dict[str, Any]:
    """Return what a good feed says, with other values; None takes one out."""
    good = {
        "format": 1, "channel": "stable", "serial": 7, "version": "0.2.0", "published": when(-1), "expires": when(30),
        "page": "https://example.com/novadesk/0.2.0", "notes": {"de": "Neues.", "en": "What is new."},
        "files": [package()],
    }  # fmt: skip
    return {name: value for name, value in (good | other).items() if value is not None}


def feed(**other: Any) -> bytes:
    """Return a feed."""
    return json.dumps(entries(**other)).encode()


class Signer:
    """A key with a name."""

    def __init__(self, name: str = "2027a") -> None:
        self.name, self._key = name, Ed25519PrivateKey.generate()
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.keys = {name: base64.b64encode(public).decode()}

    def sign(self, content: bytes) -> bytes:
        """Return one line of a file of signatures."""
        return f"{self.name} {base64.b64encode(self._key.sign(content)).decode()}\n".encode()
