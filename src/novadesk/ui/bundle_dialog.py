"""The diagnostics bundle before it is saved: every file of it can be read, and left out."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from novadesk.conversation.api import BundlePart, Requests
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr
from novadesk.ui.note import Note
from novadesk.ui.theme import Theme

GATHER_S = 30.0


class BundleDialog(QDialog):
    """Show it with `open`.

    Args:
        bridge: asks for the parts.
        requests: gathers and writes them.
    """

    _progressed = Signal(float)  # from the core's thread

    def __init__(self, bridge: Bridge, requests: Requests, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._requests, self._theme = bridge, requests, theme
        self._parts: tuple[BundlePart, ...] = ()
        self.setWindowTitle(tr("Diagnostics bundle"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._make_parts()
        self._lay_out()
        theme.dress(self)
        self.resize(theme.px(760), theme.px(520))
        self._progressed.connect(lambda share: self.progress.setValue(round(share * 100)))
        bridge.ask(
            lambda: requests.bundle(self._progressed.emit),
            self._on_parts,
            self._on_error,
            owner=self,
            deadline_s=GATHER_S,
        )

    def save_to(self, file: str) -> None:
        """Write the chosen parts."""
        chosen = self.chosen()
        self.save.setEnabled(False)
        self._bridge.ask(
            lambda: self._requests.save_bundle(file, chosen),
            lambda _answer: self._on_saved(file),
            self._on_error,
            owner=self,
            deadline_s=GATHER_S,
        )

    def chosen(self) -> tuple[BundlePart, ...]:
        """Return the parts that are ticked."""
        ticked = Qt.CheckState.Checked
        return tuple(part for row, part in enumerate(self._parts) if self.list.item(row).checkState() == ticked)

    def _make_parts(self) -> None:
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(tr("Gathering"))
        self.list = QListWidget(self)
        self.list.setObjectName("parts")
        self.list.setAccessibleName(tr("Files of the bundle"))
        self.list.setFixedWidth(self._theme.px(208))
        self.list.setTabKeyNavigation(False)
        self.list.currentRowChanged.connect(self._show_part)
        self.list.itemChanged.connect(lambda _item: self._check_save())
        self.about = QLabel(self)
        self.about.setObjectName("dialogNote")
        self.about.setWordWrap(True)
        self.preview = QPlainTextEdit(self)
        self.preview.setObjectName("events")
        self.preview.setReadOnly(True)
        self.preview.setTabChangesFocus(True)
        self.preview.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.preview.setAccessibleName(tr("Content of the file"))
        self.note = Note(self._theme, self)
        self.save = QPushButton(tr("&Save…"), self)
        self.save.setObjectName("primary")
        self.save.setEnabled(False)
        self.save.clicked.connect(self._ask_where)
        self.close_button = QPushButton(tr("Close"), self)
        self.close_button.clicked.connect(self.reject)
        for button in (self.save, self.close_button):
            button.setIcon(QIcon())
            button.setAutoDefault(False)

    def _lay_out(self) -> None:
        words = QLabel(
            tr(
                "Read what is in it, and untick what you do not want to give away. Nothing is sent: the bundle is a "
                "file for you to hand on. It holds no word of a conversation, no key, no id and not your name."
            ),
            self,
        )
        words.setWordWrap(True)
        right = QVBoxLayout()
        right.addWidget(self.about)
        right.addWidget(self.preview, 1)
        middle = QHBoxLayout()
        middle.setSpacing(self._theme.px(tokens.SPACE_3))
        middle.addWidget(self.list)
        middle.addLayout(right, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(self._theme.px(tokens.SPACE_2))
        buttons.addWidget(self.note, 1)
        buttons.addStretch(0)
        buttons.addWidget(self.save)
        buttons.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        edge = self._theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, self._theme.px(tokens.SPACE_4), edge, self._theme.px(tokens.SPACE_4))
        layout.setSpacing(self._theme.px(tokens.SPACE_3))
        layout.addWidget(words)
        layout.addWidget(self.progress)
        layout.addLayout(middle, 1)
        layout.addLayout(buttons)

    def _on_parts(self, parts: Sequence[BundlePart]) -> None:
        self.progress.hide()
        for part in parts:
            item = QListWidgetItem(part.name, self.list)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked)
            item.setToolTip(tr(part.about))
        self._parts = tuple(parts)
        self.list.setCurrentRow(0)
        self.list.setFocus()
        self._check_save()

    def _show_part(self, row: int) -> None:
        if 0 <= row < len(self._parts):
            self.about.setText(tr(self._parts[row].about))
            self.preview.setPlainText(self._parts[row].text)

    def _check_save(self) -> None:
        self.save.setEnabled(bool(self._parts) and bool(self.chosen()))

    def _ask_where(self) -> None:
        chooser = QFileDialog(self, tr("Save the bundle"), str(Path.home() / "novadesk-diagnostics.zip"))
        chooser.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        chooser.setDefaultSuffix("zip")
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.fileSelected.connect(self.save_to)
        chooser.open()

    def _on_saved(self, file: str) -> None:
        self._check_save()
        self.note.say(tr("Saved as {file}.", file=Path(file).name))

    def _on_error(self, error: KnownError) -> None:
        self.progress.hide()
        self._check_save()
        self.note.tell(error)
