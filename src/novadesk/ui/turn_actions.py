"""What can be done to the turns of a conversation: copy them, open them, correct what was heard."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QListView, QMenu

from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.models import Format, Role, SyncState, Turn
from novadesk.ui.announce import announce
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr, with_keys
from novadesk.ui.item_models import ConversationModel, Row, RowKind, speaker
from novadesk.ui.theme import Theme
from novadesk.ui.words import error_words

if TYPE_CHECKING:
    from novadesk.ui.correct_dialog import CorrectDialog

_WHOLE_S = 60.0
"""A hundred thousand turns are read and written out in a few seconds."""


class TurnActions(QObject):
    """Carries out wishes about turns. `said` brings a line for the person.

    Args:
        bridge: asks requests.
        requests: reads whole conversations, keeps corrections.
        turns: the list with the selection.
        model: its rows.

    Attributes:
        private: of the open conversation nothing is stored, so that nothing can be corrected on disk.
    """

    said = Signal(str)

    def __init__(
        self, bridge: Bridge, requests: Requests, theme: Theme, turns: QListView, model: ConversationModel
    ) -> None:
        super().__init__(turns)
        self._bridge, self._requests, self._theme = bridge, requests, theme
        self._turns, self._model = turns, model
        self.private = False
        self.menu: QMenu | None = None
        self.dialog: CorrectDialog | None = None
        copying = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), turns)
        copying.setContext(Qt.ShortcutContext.WidgetShortcut)
        copying.activated.connect(self.copy)

    def chosen(self) -> list[Row]:
        """Return the selected rows in order."""
        indexes = sorted(self._turns.selectionModel().selectedIndexes(), key=lambda index: index.row())
        return [self._model.row(index) for index in indexes]

    def copy(self) -> None:
        """Copy the selected rows with their speakers, or the whole conversation."""
        rows = [row for row in self.chosen() if row.kind is not RowKind.NOTICE]
        if not rows:
            self.copy_all()
            return
        self._take(_lines(rows))

    def copy_all(self) -> None:
        """Copy the whole conversation, what is not in memory too."""
        if self.private:
            self._take(_lines([row for row in self._model.rows if row.kind is not RowKind.NOTICE]))
        else:
            self._copy_document(Format.TEXT)

    def copy_last_answer(self) -> None:
        """Copy what the assistant said last, as far as it was heard."""
        answer = self._model.last_answer
        if answer is None:
            self.said.emit(tr("There is no answer to copy yet."))
        else:
            self._take(answer.shown_text.strip())

    def correct(self) -> None:
        """Let the person write what was really said, where the turn is theirs and on the disk."""
        rows = self.chosen()
        turn = rows[0].turn if len(rows) == 1 else None
        if turn is None or not self._is_correctable(turn) or self.dialog is not None:
            return
        from novadesk.ui.correct_dialog import CorrectDialog

        dialog = self.dialog = CorrectDialog(self._bridge, self._requests, self._theme, self._turns.window(), turn)
        dialog.corrected.connect(self._model.replace)
        dialog.finished.connect(self._on_dialog_over)
        dialog.open()

    def restore(self, turn: Turn) -> None:
        """Show what was heard again."""
        self._bridge.ask(
            lambda: self._requests.edit(turn.turn_id, None), self._model.replace, self._on_error, owner=self
        )

    def show_menu(self, where: QPoint) -> None:
        """Show what can be done to the selected rows; `where` lies in the viewport."""
        rows = self.chosen()
        row = rows[0] if len(rows) == 1 else None
        menu = self.menu = QMenu(self._turns)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(tr("What to do"))
        menu.aboutToHide.connect(self._on_menu_hidden)
        if any(one.kind is not RowKind.NOTICE for one in rows):
            menu.addAction(with_keys(tr("Copy"), "Ctrl+C"), self.copy)
        menu.addAction(with_keys(tr("Copy the last answer"), "Ctrl+Shift+C"), self.copy_last_answer)
        menu.addAction(tr("Copy the whole conversation"), self.copy_all)
        if not self.private:
            menu.addAction(tr("Copy the whole as Markdown"), lambda: self._copy_document(Format.MARKDOWN))
        if row is not None and row.opens:
            index = QPersistentModelIndex(self._turns.selectionModel().selectedIndexes()[0])
            menu.addAction(with_keys(tr("Show or hide the rest"), "Return"), lambda: self._model.toggle(index))
        turn = row.turn if row is not None else None
        if turn is not None and self._is_correctable(turn):
            menu.addSeparator()
            menu.addAction(with_keys(tr("Correct…"), "F2"), self.correct)
            if turn.edited is not None:
                menu.addAction(tr("Take the correction back"), lambda: self.restore(turn))
        menu.popup(self._turns.viewport().mapToGlobal(where))

    def _copy_document(self, form: Format) -> None:
        if (handle := self._model.handle) is not None:
            self._bridge.ask(
                lambda: self._requests.document(handle, form),
                self._take,
                self._on_error,
                owner=self,
                deadline_s=_WHOLE_S,
            )

    def _is_correctable(self, turn: Turn) -> bool:
        return turn.role is Role.USER and turn.sync is not SyncState.LOCAL and not self.private

    def _take(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        announce(self._turns, tr("Copied."))

    def _on_error(self, error: KnownError) -> None:
        self.said.emit(error_words(error))

    def _on_menu_hidden(self) -> None:
        self.menu = None

    def _on_dialog_over(self) -> None:
        self.dialog = None
        self._turns.setFocus(Qt.FocusReason.OtherFocusReason)


def _lines(rows: Sequence[Row]) -> str:
    named = len(rows) > 1
    lines = ((f"{speaker(row.role)}: " if named else "", f"{row.text}{row.faded}".strip()) for row in rows)
    return "\n".join(f"{name}{words}" for name, words in lines)
