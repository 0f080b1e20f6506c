"""The keys of the window, each with what it does: those that work, as they are set now."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QIcon, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from novadesk.ui import tokens
from novadesk.ui.i18n import tr
from novadesk.ui.placement import fit
from novadesk.ui.theme import Theme

_ROW_HEIGHT = 28


def keys_of(window: QWidget) -> list[tuple[str, str]]:
    """Return the keys of a window and its parts, as people read them, and what they do."""
    native = QKeySequence.SequenceFormat.NativeText
    holders = (window, *window.findChildren(QWidget))
    actions = [action for holder in holders if holder.window() is window for action in _keyed(holder)]
    return [(action.shortcut().toString(native), action.text().replace("&", "")) for action in actions]


def _keyed(holder: QWidget) -> list[QAction]:
    context = Qt.ShortcutContext.WindowShortcut  # what a list does with a key stands in its own menu
    return [one for one in holder.actions() if not one.shortcut().isEmpty() and one.shortcutContext() is context]


class KeysDialog(QDialog):
    """A table of keys; `about` closes it and is told by `done` with that value.

    Args:
        talk: what to hold to talk.
        keys: the others, and what they do.
    """

    ABOUT = 2

    def __init__(self, theme: Theme, talk: str, keys: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keys")
        self.setWindowTitle(tr("Keys"))
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rows = [(talk, tr("Talk")), *keys]
        self.table = QTableWidget(len(rows), 2, self)
        self.table.setAccessibleName(tr("Keys"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.horizontalHeader().hide()
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setMinimumSectionSize(theme.px(_ROW_HEIGHT))
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        for row, (key, words) in enumerate(rows):
            self.table.setItem(row, 0, QTableWidgetItem(key))
            self.table.setItem(row, 1, QTableWidgetItem(words))
        self.table.setCurrentCell(0, 1)
        note = QLabel(tr("Talk keys are chosen in Settings. The keys of a list are shown in its menu."), self)
        note.setObjectName("dialogNote")
        note.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
        buttons.rejected.connect(self.reject)
        self.about = buttons.addButton(tr("&About NovaDesk"), QDialogButtonBox.ButtonRole.ActionRole)
        self.about.clicked.connect(lambda: self.done(self.ABOUT))
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, edge, edge, theme.px(tokens.SPACE_4))
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addWidget(self.table, 1)
        layout.addWidget(note)
        layout.addWidget(buttons)
        theme.dress(self)
        fit(self, theme.px(520), theme.px(640))
