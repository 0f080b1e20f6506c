"""Licences of what a package carries: read from metadata, told in SPDX, and held to what each part may carry."""

import re
from collections.abc import Mapping
from email.message import Message
from enum import StrEnum
from pathlib import Path

TEXTS = Path(__file__).resolve().parent / "licences"


class Part(StrEnum):
    """The components that are shipped separately: see docs/adr/0034."""

    CLIENT = "client"
    PRACTICE = "practice"


PERMISSIVE = frozenset({
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "bzip2-1.0.6", "CC0-1.0", "HPND", "ICU", "ISC", "MIT",
    "MIT-0", "MPL-2.0", "PSF-2.0", "Python-2.0.1", "blessing", "X11", "Zlib",
})  # fmt: skip
WEAK_COPYLEFT = frozenset({
    "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "GPL-2.0-or-later WITH Bootloader-exception",
    "GPL-3.0-or-later WITH GCC-exception-3.1",
})  # fmt: skip
ALLOWED: Mapping[Part, frozenset[str]] = {
    Part.CLIENT: PERMISSIVE | WEAK_COPYLEFT,
    Part.PRACTICE: PERMISSIVE | WEAK_COPYLEFT | {"GPL-3.0-or-later"},
}
"""What each part may carry. All of it may be handed on together under the terms of GPL 3, as decision 34 needs."""

_SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "LGPLv2+": "LGPL-2.1-or-later",
    "LGPLv3": "LGPL-3.0-only",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The MIT License (MIT)": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}
_STATED_ELSEWHERE = {
    "espeakng-loader": "MIT",  # of the loader, by its repository; the library that it carries is GPL-3.0-or-later
    "pocketsphinx": "BSD-2-Clause",  # of its licence file
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
}
"""Of distributions whose metadata say nothing, or too little."""

OF_DEBIAN: Mapping[str, str] = {
    "libbz2-1.0": "bzip2-1.0.6",
    "libexpat1": "MIT",
    "libffi8": "MIT",
    "liblzma5": "0BSD",
    "libportaudio2": "MIT",
    "libsqlite3-0": "blessing",
    "libssl3": "Apache-2.0",
    "libssl3t64": "Apache-2.0",
    "libuuid1": "BSD-3-Clause",
    "libxkbcommon0": "MIT",
    "libxkbcommon-x11-0": "MIT",
    "zlib1g": "Zlib",
}
"""Of the system's libraries that come along; those of XCB are all X11."""


def of_distribution(name: str, metadata: Message) -> str:
    """Return the SPDX expression of a Python distribution; empty when it states none that we know."""
    stated = _STATED_ELSEWHERE.get(name) or metadata.get("License-Expression")
    if stated:
        return str(stated)
    said = [str(metadata.get("License") or "")]
    said += [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier", []) if line.startswith("License ::")]
    for words in said:
        words = _SPDX.get(words, words)
        if words and _ids(words) <= PERMISSIVE | WEAK_COPYLEFT | {"GPL-2.0-only", "GPL-3.0-only"}:
            return words
    return ""


def of_debian(package: str) -> str:
    """Return the SPDX expression of a system library; empty when we do not know it."""
    return "X11" if package.startswith("libxcb-") else OF_DEBIAN.get(package, "")


def may_carry(part: Part, expression: str) -> bool:
    """Say whether a part may carry something under an SPDX expression (OR binds less than AND, no brackets)."""
    return any(
        all(one.strip() in ALLOWED[part] for one in choice.split(" AND ")) for choice in expression.split(" OR ")
    )


def _ids(expression: str) -> set[str]:
    return set(re.split(r" (?:AND|OR) ", expression))
