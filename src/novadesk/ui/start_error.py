"""What keeps NovaDesk from starting: the only window that there is then."""

from datetime import UTC, datetime

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from novadesk.catalogue import entry_of
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import ShapeLabel
from novadesk.ui.error_details import details, note_of
from novadesk.ui.i18n import tr
from novadesk.ui.states import LAYERS
from novadesk.ui.theme import Theme

_WIDTH = 480


class StartError(QDialog):
    """What happened and what to do, layer and code, and details to copy; show it with `show`."""

    def __init__(self, theme: Theme, error: KnownError, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._note = note_of(error)
        self.setObjectName("startError")
        self.setWindowTitle("NovaDesk")
        self.setWindowIcon(theme.icon("app", theme.palette.accent, 16, 32, 48))
        self.what, self.advice, self.further = QLabel(tr(error.what)), QLabel(tr(error.advice)), QLabel()
        self.what.setObjectName("errorWhat")
        self.further.setObjectName("dialogNote")
        self.further.setText(
            tr(
                "Error {code} ({layer}). The command “novadesk doctor” says what else is wrong, and saves a report.",
                code=entry_of(error.reason).code,
                layer=tr(LAYERS[error.layer]),
            )
        )
        self.copy = QPushButton(tr("&Copy details"), self)
        self.copy.clicked.connect(self._copy)
        self.close_button = QPushButton(tr("Close"), self)
        self.close_button.clicked.connect(self.reject)
        self.said = QLabel(self)
        self.said.setObjectName("dialogNote")
        lines = self._lay_out(theme)
        self.setFixedWidth(theme.px(_WIDTH))
        theme.dress(self)
        self.resize(self.width(), lines.totalHeightForWidth(self.width()))
        self.close_button.setFocus()
        announce(self, f"{self.what.text()} {self.advice.text()}", urgent=True)

    def _lay_out(self, theme: Theme) -> QGridLayout:
        shape = ShapeLabel(theme, 24, self)
        shape.set_shape("warning", tokens.Tone.BAD)
        lines = QGridLayout(self)
        edge = theme.px(tokens.SPACE_5)
        lines.setContentsMargins(edge, edge, edge, theme.px(tokens.SPACE_4))
        lines.setHorizontalSpacing(theme.px(tokens.SPACE_3))
        lines.setVerticalSpacing(theme.px(tokens.SPACE_2))
        lines.setColumnStretch(1, 1)
        lines.addWidget(shape, 0, 0, Qt.AlignmentFlag.AlignTop)
        for row, label in enumerate((self.what, self.advice, self.further)):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            lines.addWidget(label, row, 1)
        below = QHBoxLayout()
        below.setSpacing(theme.px(tokens.SPACE_2))
        below.addWidget(self.said, 1)
        for button in (self.copy, self.close_button):
            button.setIcon(QIcon())
            button.setAutoDefault(False)
            below.addWidget(button)
        lines.setRowMinimumHeight(3, theme.px(tokens.SPACE_2))
        lines.addLayout(below, 4, 0, 1, 2)
        return lines

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(details(self._note, datetime.now(UTC)))
        self.said.setText(tr("The details are in the clipboard."))
        announce(self, self.said.text())
