"""Draw the program's icon for each system: PNG, Windows' .ico, macOS's .icns.

python packaging/icons.py FOLDER
"""

import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

SOURCE = Path(__file__).with_name("icon.svg")

PNG_EDGES = (16, 24, 32, 48, 64, 128, 256, 512)
ICO_EDGES = (16, 20, 24, 32, 40, 48, 64, 256)

ICNS_TYPES = {
    b"icp4": 16, b"ic11": 32, b"icp5": 32, b"ic12": 64, b"ic07": 128,
    b"ic13": 256, b"ic08": 256, b"ic14": 512, b"ic09": 512, b"ic10": 1024,
}  # fmt: skip
"""Apple's names of pictures and their edges in pixels; ic11 to ic14 and ic10 are those of double density."""


def png(edge: int) -> bytes:
    """Return the icon as a PNG of `edge` pixels."""
    image = QImage(edge, edge, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(QByteArray(SOURCE.read_bytes())).render(painter, QRectF(0, 0, edge, edge))
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data().data())


def ico(pictures: Mapping[int, bytes]) -> bytes:
    """Return PNGs, by their edges of up to 256 pixels, as a file for Windows: an ICONDIR and their ICONDIRENTRYs."""
    head = struct.pack("<HHH", 0, 1, len(pictures))
    offset = len(head) + 16 * len(pictures)
    entries = b""
    for edge, picture in pictures.items():
        entries += struct.pack("<BBBBHHII", edge % 256, edge % 256, 0, 0, 1, 32, len(picture), offset)
        offset += len(picture)
    return head + entries + b"".join(pictures.values())


def icns(pictures: Mapping[bytes, bytes]) -> bytes:
    """Return PNGs, by Apple's names of their sizes, as a file for macOS."""
    body = b"".join(struct.pack(">4sI", name, 8 + len(picture)) + picture for name, picture in pictures.items())
    return struct.pack(">4sI", b"icns", 8 + len(body)) + body


def write(folder: Path) -> None:
    """Write novadesk.ico, novadesk.icns, novadesk.svg and novadesk-EDGE.png."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {edge: png(edge) for edge in {*PNG_EDGES, *ICO_EDGES, *ICNS_TYPES.values()}}
    for edge in PNG_EDGES:
        (folder / f"novadesk-{edge}.png").write_bytes(drawn[edge])
    (folder / "novadesk.svg").write_bytes(SOURCE.read_bytes())
    (folder / "novadesk.ico").write_bytes(ico({edge: drawn[edge] for edge in ICO_EDGES}))
    (folder / "novadesk.icns").write_bytes(icns({name: drawn[edge] for name, edge in ICNS_TYPES.items()}))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
