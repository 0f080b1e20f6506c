"""How loud the microphone is, and whether that is a good loudness to speak with."""

from enum import Enum

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from novadesk.text import Text
from novadesk.ui import tokens
from novadesk.ui.i18n import tr
from novadesk.ui.talk_button import loudness
from novadesk.ui.theme import Theme
from novadesk.ui.tokens import Tone

_FALL = 0.08


class Band(Enum):
    """What a loudness is good for; the value is from which RMS level on, in decibels of full scale.

    Speech in a microphone that is set well has a level of about -30 to -20 dB. Below -44 dB it drowns in the room, from
    -15 dB on its peaks, some 12 dB higher, are cut off.
    """

    FAINT = -120.0
    GOOD = -44.0
    LOUD = -15.0


_TONES = {Band.FAINT: Tone.QUIET, Band.GOOD: Tone.GOOD, Band.LOUD: Tone.CAUTION}
_WORDS = {Band.FAINT: Text("Quiet"), Band.GOOD: Text("Good"), Band.LOUD: Text("Too loud")}
_FROM = {band: loudness(10 ** (band.value / 20)) for band in Band}


def band_of(full: float) -> Band:
    """Return the band in which a meter that is so full stands, 0 to 1."""
    return max((band for band in Band if full >= _FROM[band]), key=lambda band: band.value)


class LevelMeter(QWidget):
    """A bar on a decibel scale that falls slowly, with marks where the bands begin, and the band in words.

    Args:
        worded: show the band in words, too; a screen reader is told it anyway.

    Attributes:
        full: how full it is, 0 to 1.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, worded: bool = True) -> None:
        super().__init__(parent)
        self.full = 0.0
        self._bar = _Bar(theme, self)
        self.word = QLabel(self)
        self.word.setObjectName("meterWord")
        self.word.setMinimumWidth(max(self.word.fontMetrics().horizontalAdvance(tr(text)) for text in _WORDS.values()))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(self._bar, 1)
        layout.addWidget(self.word)
        self.word.setVisible(worded)
        self.setAccessibleName(tr("Microphone level"))

    def show_level(self, level: float) -> None:
        """Rise at once to an RMS level of 0 to 1, or fall a little towards it."""
        self._show(max(loudness(level), self.full - _FALL))

    def clear(self) -> None:
        """Show nothing."""
        self._show(0.0)

    def _show(self, full: float) -> None:
        if full == self.full:
            return
        self.full = full
        words = tr(_WORDS[band_of(full)]) if full > 0 else ""
        if words != self.word.text():
            self.word.setText(words)
            self.setAccessibleDescription(words)
        self._bar.show_full(full)


class _Bar(QWidget):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._full = theme, 0.0
        self.setMinimumWidth(theme.px(40))
        self.setFixedHeight(theme.px(8))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(160), self._theme.px(8))

    def show_full(self, full: float) -> None:
        """Draw it so full, 0 to 1."""
        self._full = full
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        palette = self._theme.palette
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QColor(palette.outline))
        painter.setBrush(QColor(palette.surface))
        painter.drawRoundedRect(box, 3, 3)
        inner = box.adjusted(1.5, 1.5, -1.5, -1.5)
        if self._full > 0:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(palette.of(_TONES[band_of(self._full)])))
            painter.drawRoundedRect(QRectF(inner.left(), inner.top(), inner.width() * self._full, inner.height()), 2, 2)
        painter.setPen(QColor(palette.outline))
        for band in (Band.GOOD, Band.LOUD):
            x = inner.left() + inner.width() * _FROM[band]
            painter.drawLine(round(x), round(box.top()), round(x), round(box.bottom()))
        painter.end()
