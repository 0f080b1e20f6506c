"""Find icons and style, and colour them by the palette."""

import re
from functools import lru_cache
from string import Template

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QImage, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from novadesk.installation import find_resources

ICON_EDGE = 16
"""Edge of an icon in a menu, a text field or a push button, as the Fusion style has it."""


@lru_cache(maxsize=64)
def _svg(name: str) -> str:
    return (find_resources() / "icons" / f"{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def pixmap(name: str, colour: str, size: int, scale: float = 1.0) -> QPixmap:
    """Return an icon drawn in one colour.

    Args:
        name: file name without ".svg".
        colour: "#RRGGBB".
        size: edge in device-independent pixels.
        scale: device pixels for each of them.
    """
    renderer = QSvgRenderer(QByteArray(_svg(name).replace("currentColor", colour).encode()))
    edge = round(size * scale)
    image = QImage(edge, edge, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, edge, edge))
    painter.end()
    image.setDevicePixelRatio(scale)
    return QPixmap.fromImage(image)


def icon(name: str, colour: str, disabled: str, *sizes: int) -> QIcon:
    """Return an icon in one colour, and in `disabled` for controls that are off, drawn for the screens there are.

    Args:
        name: file name without ".svg".
        colour: "#RRGGBB".
        disabled: "#RRGGBB".
        sizes: edges at which it will be shown, in device-independent pixels; `ICON_EDGE` without any.
    """
    scales = {screen.devicePixelRatio() for screen in QGuiApplication.screens()}
    return _icon(name, colour, disabled, sizes or (ICON_EDGE,), tuple(sorted(scales)))


@lru_cache(maxsize=256)
def _icon(name: str, colour: str, disabled: str, sizes: tuple[int, ...], scales: tuple[float, ...]) -> QIcon:
    result = QIcon()
    for size in sizes:
        for scale in scales:
            result.addPixmap(pixmap(name, colour, size, scale))
            result.addPixmap(pixmap(name, disabled, size, scale), QIcon.Mode.Disabled)
    return result


def stylesheet(values: dict[str, str], scale: float) -> str:
    """Return the style sheet with its `$names` replaced and its lengths grown; hairlines of up to 2 px stay.

    Raises:
        KeyError: when the sheet uses a name that is not in `values`.
    """
    sheet = (find_resources() / "style" / "novadesk.qss").read_text(encoding="utf-8")
    grown = re.sub(r"\b([3-9]|\d\d+)px", lambda length: f"{round(int(length[1]) * scale)}px", sheet)
    return Template(grown).substitute(values)
