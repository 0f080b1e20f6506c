"""A fault of NovaDesk itself, shown to the person: the report to read, to copy, to save; nothing is ever sent."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import text_button
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme


class CrashDialog(QDialog):
    """The preview of a crash report; show it with `show`.

    Args:
        report: the whole text.
        live: it befell this run, not the one before.
        on_restart: ends the program and starts it again.
    """

    def __init__(
        self, theme: Theme, report: str, *, live: bool, on_restart: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._report = report
        self.setObjectName("crash")
        self.setWindowTitle(tr("NovaDesk met a fault"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.heading = QLabel(
            tr("NovaDesk met a fault.") if live else tr("NovaDesk met a fault the last time it ran."), self
        )
        self.heading.setObjectName("dialogHeading")
        self.heading.setIndent(0)
        words = QLabel(
            tr(
                "Your conversations are saved. This report stays on this computer until you send it to somebody: it "
                "says where in the program it happened, and holds no word of a conversation, no key and no id."
            ),
            self,
        )
        words.setWordWrap(True)
        self.preview = QPlainTextEdit(report, self)
        self.preview.setObjectName("events")
        self.preview.setReadOnly(True)
        self.preview.setTabChangesFocus(True)
        self.preview.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.preview.setAccessibleName(tr("Report"))
        self.note = QLabel(self)
        self.note.setObjectName("dialogNote")
        self.note.setWordWrap(True)
        self.copy = text_button(tr("&Copy"), self._copy, self)
        self.save = text_button(tr("&Save…"), self._ask_where, self)
        self.restart = text_button(tr("&Restart NovaDesk"), on_restart, self)
        self.close_button = text_button(tr("Close"), self.reject, self)
        self.restart.setVisible(live)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_4), edge, theme.px(tokens.SPACE_4))
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addWidget(self.heading)
        layout.addWidget(words)
        layout.addWidget(self.preview, 1)
        layout.addLayout(self._line_of_buttons(theme))
        theme.dress(self)
        self.resize(theme.px(640), theme.px(520))
        self.close_button.setFocus()

    def _line_of_buttons(self, theme: Theme) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_2))
        line.addWidget(self.note, 1)
        for button in (self.copy, self.save, self.restart, self.close_button):
            line.addWidget(button)
        return line

    def save_to(self, file: str) -> None:
        """Write the report to a file of the person's choice."""
        try:
            Path(file).write_text(self._report, encoding="utf-8")
        except OSError as error:
            why = error.strerror or ""
            self._say(tr("The report cannot be written there ({why}). Choose another place.", why=why), bad=True)
        else:
            self._say(tr("Saved."))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._report)
        self._say(tr("The report is in the clipboard."))

    def _ask_where(self) -> None:
        chooser = QFileDialog(self, tr("Save the report"), str(Path.home() / "novadesk-crash.txt"))
        chooser.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        chooser.setDefaultSuffix("txt")
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.fileSelected.connect(self.save_to)
        chooser.open()

    def _say(self, words: str, *, bad: bool = False) -> None:
        self.note.setProperty("bad", bad)
        self.note.style().polish(self.note)
        self.note.setText(words)
        announce(self, words, urgent=bad)
