"""The talk button."""

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from novadesk.ui import resources, tokens
from novadesk.ui.theme import Theme

_RING = 9
_QUIET_DB = -54.0
_LOUD_DB = -12.0
_HEARD = 0.3
"""From this share of a full ring on there is more than the noise of a room."""


def loudness(level: float) -> float:
    """Return how full a meter is, 0 to 1, for an RMS level of 0 to 1 (-54 dB to -12 dB of full scale)."""
    if level <= 0:
        return 0.0
    decibel = 20 * math.log10(level)
    return min(1.0, max(0.0, (decibel - _QUIET_DB) / (_LOUD_DB - _QUIET_DB)))


class TalkButton(QAbstractButton):
    """A round button held to talk, with the level as a ring. `clicked` comes from Return and screen readers only."""

    hold_began = Signal()
    hold_ended = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._active = False
        self._crossed = False
        self._ringed = False
        self._microphone = 0.0
        self._speaker = 0.0
        self.setObjectName("talk")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._renew)

    def set_state(self, *, active: bool, crossed: bool, microphone: float, speaker: float) -> None:
        """Show whether we are heard, whether the microphone is off, and both levels (0 to 1 RMS)."""
        levels = (self._drawn(loudness(microphone)), self._drawn(loudness(speaker)))
        state = (active, crossed, *levels)
        if state != (self._active, self._crossed, self._microphone, self._speaker):
            self._active, self._crossed, self._microphone, self._speaker = state
            self.update()

    def _drawn(self, level: float) -> float:
        """Return how much of the ring is drawn; with less motion, all of it while something is to be heard."""
        return float(level >= _HEARD) if self._theme.still else round(level, 2)

    def sizeHint(self) -> QSize:  # noqa: D102
        edge = self._theme.px(tokens.TALK_BUTTON + 2 * _RING + 4)
        return QSize(edge, edge)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        if event.button() is Qt.MouseButton.LeftButton:
            self.hold_began.emit()
            event.accept()
        else:
            event.ignore()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        if event.button() is Qt.MouseButton.LeftButton:
            self.hold_ended.emit()
            event.accept()
        else:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if not event.isAutoRepeat():
                self.click()
        elif event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: D102
        super().focusInEvent(event)
        self._ringed = event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
            Qt.FocusReason.ShortcutFocusReason,
        )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: D102, ARG002
        palette = self._theme.palette
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(self.width() / 2, self.height() / 2)
        radius = self._theme.px(tokens.TALK_BUTTON) / 2
        ring = self._theme.px(_RING)
        self._paint_rings(painter, middle, radius, ring)
        ground = palette.accent
        ink = palette.on_accent
        if self._crossed and not self._active:
            ground, ink = palette.surface, palette.muted
        elif self.underMouse() and not self._active:
            ground = tokens.blend(palette.text, palette.accent, 0.10)
        painter.setBrush(QColor(ground))
        painter.setPen(QPen(QColor(palette.outline), 1) if ground == palette.surface else Qt.PenStyle.NoPen)
        painter.drawEllipse(middle, radius, radius)
        size = self._theme.px(24)
        name = "microphone-off" if self._crossed else "microphone"
        picture = resources.pixmap(name, ink, size, self.devicePixelRatioF())
        painter.drawPixmap(QPointF(middle.x() - size / 2, middle.y() - size / 2), picture)
        if self.hasFocus() and self._ringed:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(palette.accent), 2))
            painter.drawEllipse(middle, radius + 4, radius + 4)
        painter.end()

    def _paint_rings(self, painter: QPainter, middle: QPointF, radius: float, ring: float) -> None:
        palette = self._theme.palette
        painter.setBrush(Qt.BrushStyle.NoBrush)
        width = self._theme.px(4)
        at = radius + ring - width / 2 + 1
        box = QRectF(middle.x() - at, middle.y() - at, 2 * at, 2 * at)
        level, colour = (self._microphone, palette.accent) if self._active else (self._speaker, palette.muted)
        if self._active or level > 0:
            painter.setPen(QPen(QColor(palette.line), width))
            painter.drawEllipse(box)
        if level > 0:
            pen = QPen(QColor(colour), width)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            span = round(360 * 16 * level)
            painter.drawArc(box, 270 * 16 - span // 2, span)

    def _renew(self) -> None:
        self.updateGeometry()
        self.update()
