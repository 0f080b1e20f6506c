"""Loudness as people set it: a slider in percent, and the one beside the talk button."""

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolTip, QWidget

from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import IconButton
from novadesk.ui.i18n import shortcut, tr
from novadesk.ui.theme import Theme
from novadesk.ui.words import percent

STEP = 0.05
"""What an arrow key changes; a page key changes four times as much."""

_WHOLE = 100


class Slider(QSlider):
    """A slider from 0 to 100 that lets the page be scrolled: the wheel moves it only while it has the focus."""

    def __init__(self, name: str, volume: float, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setRange(0, _WHOLE)
        self.setSingleStep(round(STEP * _WHOLE))
        self.setPageStep(4 * round(STEP * _WHOLE))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(name)
        self.set_volume(volume)

    @property
    def volume(self) -> float:
        """Return the place of the handle, 0 to 1."""
        return self.value() / _WHOLE

    def set_volume(self, volume: float) -> None:
        """Move the handle without telling anybody."""
        blocked = self.blockSignals(True)
        self.setValue(round(volume * _WHOLE))
        self.blockSignals(blocked)
        self.setAccessibleDescription(percent(self.volume))

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: D102
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class PercentSlider(QWidget):
    """A slider with its value in words beside it."""

    changed = Signal(float)

    def __init__(self, theme: Theme, name: str, volume: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = Slider(name, volume, self)
        self.words = QLabel(percent(volume), self)
        self.words.setObjectName("dialogNote")
        self.words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.words.setFixedWidth(theme.px(48))
        self.stops = (self.slider,)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.words)
        self.slider.valueChanged.connect(self._on_moved)

    @property
    def volume(self) -> float:
        """Return what is chosen, 0 to 1."""
        return self.slider.volume

    def set_volume(self, volume: float) -> None:
        """Show what was chosen elsewhere."""
        self.slider.set_volume(volume)
        self.words.setText(percent(volume))

    def _on_moved(self) -> None:
        words = percent(self.volume)
        self.words.setText(words)
        self.slider.setAccessibleDescription(words)
        self.changed.emit(self.volume)


class VolumeControl(QWidget):
    """The loudness of answers: a slider, and a button that silences them and brings them back.

    `changed` tells what the person chose.
    """

    changed = Signal(float)

    def __init__(self, theme: Theme, volume: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._before = volume or 1.0
        self.silence = IconButton(theme, "speaker", "", parent=self)
        self.silence.clicked.connect(self.toggle)
        self.slider = Slider(tr("Volume of answers"), volume, self)
        self.slider.setFixedWidth(theme.px(88))
        self.slider.valueChanged.connect(lambda _value: self._choose(self.slider.volume))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(self.silence)
        layout.addWidget(self.slider)
        self._draw()

    @property
    def volume(self) -> float:
        """Return the loudness that is shown, 0 to 1."""
        return self.slider.volume

    def set_volume(self, volume: float) -> None:
        """Show a loudness that was chosen elsewhere."""
        self._before = volume or self._before
        self.slider.set_volume(volume)
        self._draw()

    def step(self, by: float) -> None:
        """Make answers louder or, below zero, softer; for keys that work wherever the focus is."""
        self.slider.set_volume(min(1.0, max(0.0, self.volume + by)))
        self._choose(self.volume)
        announce(self, self._words())

    def toggle(self) -> None:
        """Silence answers, or bring them back as loud as they were."""
        before = self._before
        self.slider.set_volume(0.0 if self.volume else before)
        self._choose(self.volume)
        announce(self, self._words())

    def _choose(self, volume: float) -> None:
        self._before = volume or self._before
        self._draw()
        if self.slider.isVisible():
            place = self.slider.mapToGlobal(QPoint(self.slider.width() // 2, -self.slider.height()))
            QToolTip.showText(place, self._words(), self.slider)
        self.changed.emit(volume)

    def _draw(self) -> None:
        self.silence.set_icon("speaker" if self.volume else "speaker-off")
        self.silence.set_name(tr("Silence answers") if self.volume else tr("Make answers heard"))
        self.slider.setAccessibleDescription(percent(self.volume))
        self.slider.setToolTip(self._words())

    def _words(self) -> str:
        if not self.volume:
            return tr("Answers are silent")
        return tr(
            "Volume {percent} ({louder}, {softer})",
            percent=percent(self.volume),
            louder=shortcut("Ctrl+Up"),
            softer=shortcut("Ctrl+Down"),
        )
