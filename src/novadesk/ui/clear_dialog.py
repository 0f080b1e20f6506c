"""The question before all conversations are deleted, with what may stay."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from novadesk.models import Totals
from novadesk.ui import tokens
from novadesk.ui.i18n import tr, trn
from novadesk.ui.theme import Theme


class ClearDialog(QDialog):
    """Asks; keeping everything is the default. Show it with `open`.

    Args:
        totals: how much there is.
        on_clear: called when the person wants it, with whether those with a star stay and whether remote copies go.
    """

    def __init__(self, theme: Theme, parent: QWidget, totals: Totals, on_clear: Callable[[bool, bool], None]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Delete all conversations"))
        self._on_clear = on_clear
        heading = QLabel(
            trn("Delete the one conversation?", "Delete all {n} conversations?", totals.conversations), self
        )
        heading.setObjectName("dialogHeading")
        detail = QLabel(tr("They are removed from this computer. You can undo this for a short while."), self)
        detail.setObjectName("dialogNote")
        for label in (heading, detail):
            label.setWordWrap(True)
        self.keep_starred = QCheckBox(
            trn("Keep the one with a &star", "Keep the {n} with a &star", totals.starred), self
        )
        self.keep_starred.setChecked(True)
        self.keep_starred.setVisible(totals.starred > 0)
        self.remotely = QCheckBox(
            trn("Delete the one copy in the &cloud too", "Delete the {n} copies in the &cloud too", totals.remote),
            self,
        )
        self.remotely.setVisible(totals.remote > 0)
        self.do, keep = QPushButton(tr("Delete all"), self), QPushButton(tr("Keep"), self)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.px(tokens.SPACE_2))
        buttons.addStretch(1)
        for button in (self.do, keep):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        keep.setDefault(True)
        self.do.clicked.connect(self._on_do)
        keep.clicked.connect(self.reject)
        edge = theme.px(tokens.SPACE_5)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(edge, edge, edge, edge)
        layout.setSpacing(theme.px(tokens.SPACE_2))
        for widget in (heading, detail, self.keep_starred, self.remotely):
            layout.addWidget(widget)
        layout.addSpacing(theme.px(tokens.SPACE_2))
        layout.addLayout(buttons)
        self.setAccessibleDescription(detail.text())
        theme.dress(self)
        self.setMinimumWidth(theme.px(380))
        keep.setFocus()

    def _on_do(self) -> None:
        keep_starred = not self.keep_starred.isHidden() and self.keep_starred.isChecked()
        self._on_clear(keep_starred, not self.remotely.isHidden() and self.remotely.isChecked())
        self.accept()
