"""Read Mach-O files: what they are, and the entitlements in their signature, on whatever system.

Source: <mach-o/loader.h>, <mach-o/fat.h>, and cs_blobs.h of XNU.
"""

import plistlib
import struct
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

_MAGIC_64 = 0xFEEDFACF
_FAT_MAGICS = {0xCAFEBABE: ">IIIII", 0xCAFEBABF: ">IIQQII"}
_HEADER = 32
_LC_CODE_SIGNATURE = 0x1D
_EMBEDDED_SIGNATURE = 0xFADE0CC0
_ENTITLEMENTS = 0xFADE7171


class Kind(Enum):
    """What a Mach-O file is, as its header's `filetype` says."""

    EXECUTE = 2
    DYLIB = 6
    BUNDLE = 8
    OTHER = 0


class NoMachO(ValueError):
    """The file is none of Apple's programs or libraries of 64 bits."""


def is_macho(file: Path) -> bool:
    """Return whether a file is a program or library of macOS."""
    try:
        return bool(list(_images(_read(file))))
    except NoMachO:
        return False


def kind(file: Path) -> Kind:
    """Return what a file is.

    Raises:
        NoMachO: it is no Mach-O file.
    """
    image = next(_images(_read(file)))
    (value,) = struct.unpack_from("<I", image, 12)
    return Kind(value) if value in {one.value for one in Kind} else Kind.OTHER


def entitlements(file: Path) -> list[dict[str, Any]]:
    """Return the entitlements in the signature of each architecture; an empty dictionary where there are none.

    Raises:
        NoMachO: it is no Mach-O file.
    """
    return [_entitlements(image) for image in _images(_read(file))]


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        magic = stream.read(4)
        if magic not in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"):
            raise NoMachO(file.name)
        return magic + stream.read()


def _images(data: bytes) -> Iterator[bytes]:
    (magic,) = struct.unpack_from(">I", data)
    if magic not in _FAT_MAGICS:
        yield _checked(data)
        return
    (count,) = struct.unpack_from(">I", data, 4)
    form = _FAT_MAGICS[magic]
    for number in range(count):
        try:
            _, _, offset, size, *_ = struct.unpack_from(form, data, 8 + number * struct.calcsize(form))
        except struct.error as error:  # a Java class has the same magic
            raise NoMachO("no architectures") from error
        yield _checked(data[offset : offset + size])


def _checked(image: bytes) -> bytes:
    if len(image) < _HEADER or struct.unpack_from("<I", image)[0] != _MAGIC_64:
        raise NoMachO("no header of 64 bits")
    return image


def _entitlements(image: bytes) -> dict[str, Any]:
    (commands,) = struct.unpack_from("<I", image, 16)
    at = _HEADER
    for _ in range(commands):
        command, size = struct.unpack_from("<II", image, at)
        if command == _LC_CODE_SIGNATURE:
            offset, length = struct.unpack_from("<II", image, at + 8)
            return _of_signature(image[offset : offset + length])
        at += size
    return {}


def _of_signature(signature: bytes) -> dict[str, Any]:
    magic, _, count = struct.unpack_from(">III", signature)
    if magic != _EMBEDDED_SIGNATURE:
        return {}
    for number in range(count):
        _, offset = struct.unpack_from(">II", signature, 12 + 8 * number)
        blob, length = struct.unpack_from(">II", signature, offset)
        if blob == _ENTITLEMENTS:
            return dict(plistlib.loads(signature[offset + 8 : offset + length]))
    return {}
