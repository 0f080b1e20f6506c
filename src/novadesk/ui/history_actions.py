"""What can be done to stored conversations: name, star, delete and bring back, write out."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.models import Totals
from novadesk.ui.bridge import Bridge
from novadesk.ui.history_model import HistoryModel
from novadesk.ui.i18n import tr, trn
from novadesk.ui.theme import Theme
from novadesk.ui.undo_bar import UndoBar
from novadesk.ui.words import error_words

if TYPE_CHECKING:
    from novadesk.ui.clear_dialog import ClearDialog
    from novadesk.ui.export_dialog import ExportDialog

_MANY_S = 120.0
"""Thousands at once take the store a while."""


class HistoryActions(QObject):
    """Carries out wishes about conversations. `said` brings a line for the person; after `changed` the list is old.

    Args:
        bridge: asks requests.
        requests: does it.
        model: knows the names of what is shown.
        window: what dialogs belong to.
        undo: offers the way back after a deletion.
    """

    changed = Signal()
    said = Signal(str)
    closed = Signal()

    def __init__(
        self,
        bridge: Bridge,
        requests: Requests,
        model: HistoryModel,
        theme: Theme,
        window: QWidget,
        undo: UndoBar,
    ) -> None:
        super().__init__(window)
        self._bridge, self._requests, self._model = bridge, requests, model
        self._theme, self._window, self._undo = theme, window, undo
        self.dialog: ExportDialog | ClearDialog | None = None

    def rename(self, handle: str, title: str) -> None:
        """Give a conversation a title."""
        self._change(lambda: self._requests.rename(handle, title))

    def star(self, handles: Sequence[str], on: bool) -> None:
        """Star conversations, or take their stars away."""

        async def all_of_them() -> None:
            for handle in handles:
                await self._requests.star(handle, on)

        self._change(all_of_them)

    def delete(self, handles: Sequence[str], remotely: bool) -> None:
        """Delete conversations here, and in the cloud too when that is wanted; offer the way back."""
        what = trn("1 conversation", "{n} conversations", len(handles))
        if len(handles) == 1 and (name := self._model.name_of(handles[0])):
            what = tr("“{title}”", title=name)
        remote = any(self._model.is_remote(handle) for handle in handles)
        self._set_aside(handles, what, remote=remote, remotely=remotely and remote)

    def ask_to_clear(self) -> None:
        """Ask whether all conversations shall go, and which stay."""

        def on_answer(totals: Totals) -> None:
            if not totals.conversations:
                self.said.emit(tr("There is no conversation to delete."))
                return
            from novadesk.ui.clear_dialog import ClearDialog

            def clear(keep_starred: bool, remotely: bool) -> None:
                what, remote = tr("All conversations"), totals.remote > 0
                self._set_aside(None, what, remote=remote, remotely=remotely, keep_starred=keep_starred)

            self._open(ClearDialog(self._theme, self._window, totals, clear))

        self._ask(self._requests.totals, on_answer)

    def export(self, handles: Sequence[str] | None, name: str = "") -> None:
        """Ask how to write conversations out (None: all), and do it."""
        if handles is not None:
            name = name or (self._model.name_of(handles[0]) if len(handles) == 1 else "")
            self._open_export(handles, len(handles), name)
            return

        def on_answer(totals: Totals) -> None:
            if totals.conversations:
                self._open_export(None, totals.conversations, "")
            else:
                self.said.emit(tr("There is no conversation to export."))

        self._ask(self._requests.totals, on_answer)

    def _open_export(self, handles: Sequence[str] | None, count: int, name: str) -> None:
        from novadesk.ui.export_dialog import ExportDialog

        self._open(
            ExportDialog(
                self._bridge, self._requests, self._theme, self._window, handles=handles, count=count, name=name
            )
        )

    def _open(self, dialog: "ExportDialog | ClearDialog") -> None:
        if self.dialog is not None:
            return
        self.dialog = dialog
        dialog.finished.connect(self._on_finished)
        dialog.open()

    def _on_finished(self) -> None:
        self.dialog = None
        self.closed.emit()

    def _set_aside(
        self, handles: Sequence[str] | None, what: str, *, remote: bool, remotely: bool, keep_starred: bool = False
    ) -> None:
        def on_answer(gone: Sequence[str]) -> None:
            self.changed.emit()
            if not gone:
                self.said.emit(tr("There was nothing to delete."))
                return
            named = what if handles is not None else trn("1 conversation", "{n} conversations", len(gone))
            if remotely:
                words = tr("{what} deleted, here and in the cloud.", what=named)
            elif remote:
                words = tr("{what} deleted here. Copies in the cloud stay.", what=named)
            else:
                words = tr("{what} deleted.", what=named)
            self._undo.offer(words, lambda: self._bring_back(gone))

        self._ask(
            lambda: self._requests.set_aside(handles, keep_starred=keep_starred, here_only=remote and not remotely),
            on_answer,
        )

    def _bring_back(self, gone: Sequence[str]) -> None:
        def on_answer(count: int) -> None:
            self.changed.emit()
            if count:
                self.said.emit(trn("1 conversation brought back.", "{n} conversations brought back.", count))
            else:
                self.said.emit(tr("It is too late to bring that back."))

        self._ask(lambda: self._requests.bring_back(gone), on_answer)

    def _change(self, request: Callable[[], Awaitable[None]]) -> None:
        self._ask(request, lambda _nothing: self.changed.emit())

    def _ask[Answer](self, request: Callable[[], Awaitable[Answer]], on_answer: Callable[[Answer], None]) -> None:
        """Ask for something and show what came of it: the list as it is now, or the reason why it is not."""

        def on_error(error: KnownError) -> None:
            self.said.emit(error_words(error))
            self.changed.emit()

        self._bridge.ask(request, on_answer, on_error, owner=self, deadline_s=_MANY_S)
