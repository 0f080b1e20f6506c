"""The scroll bar of a whole conversation, of which the list holds a part."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QListView, QScrollBar, QWidget

from novadesk.ui.i18n import tr
from novadesk.ui.item_models import ConversationModel


class WholeBar(QScrollBar):
    """Scrolls the list where its rows are in memory; `place_wanted` brings the position of a turn that is not.

    A turn that is not in memory counts as high as those that are, on average. With all of them there, this is the
    list's own bar to the pixel.
    """

    place_wanted = Signal(int)

    def __init__(self, turns: QListView, model: ConversationModel, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.setAccessibleName(tr("Place in the conversation"))
        self._model, self._bar = model, turns.verticalScrollBar()
        self._above, self._height = 0, 1.0
        self._bar.rangeChanged.connect(self._follow)
        self._bar.valueChanged.connect(self._follow)
        self.valueChanged.connect(self._lead)
        self.sliderReleased.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        """Show where the list is; while the person drags, the bar stays under the pointer."""
        turns, bar = self._model.turns, self._bar
        if self.isSliderDown():
            return
        above, below = 0, 0
        if turns:
            first, past = turns[0].position, turns[-1].position + 1
            self._height = max(1.0, (bar.maximum() + bar.pageStep()) / (past - first))
            above = round(first * self._height)
            below = round(max(0, self._model.count - past) * self._height)
        self._above = above
        with QSignalBlocker(self):
            self.setRange(0, above + bar.maximum() + below)
            self.setPageStep(bar.pageStep())
            self.setSingleStep(bar.singleStep())
            self.setValue(above + bar.value())
        self.setVisible(self.maximum() > 0)

    def _lead(self, value: int) -> None:
        """Bring the list to where the person has moved the bar."""
        turns, place = self._model.turns, value - self._above
        if not turns:
            return
        if place < 0:
            self.place_wanted.emit(int(value / self._height))
        elif place <= self._bar.maximum():
            self._bar.setValue(place)
        else:
            behind = turns[-1].position + 1 + int((place - self._bar.maximum()) / self._height)
            self.place_wanted.emit(min(behind, self._model.count - 1))
