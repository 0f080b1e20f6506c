"""Loads what the history shows, a page after the other: conversations, and the turns that a search finds in them."""

from collections.abc import Callable, Sequence
from datetime import date

from PySide6.QtCore import QObject, QTimer, Signal

from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.models import EVERYTHING, Conversation, Filter, Found
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.history_model import HistoryModel
from novadesk.ui.words import error_words

PAGE = 200
FOUND_PAGE = 50
TYPING_MS = 150
"""Rest after a key before it is looked for."""

_AGAIN_MS = 3000
_LEAST_CHARS = 2


class HistoryLoader(QObject):
    """Keeps the model filled with what the person looks for.

    `told` comes when something was loaded, or when something else is looked for; `failed` brings the reason in words.
    """

    told = Signal()
    failed = Signal(str)

    def __init__(self, bridge: Bridge, requests: Requests, model: HistoryModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._requests, self._model = bridge, requests, model
        self._text, self._only = "", EVERYTHING
        self._page: Question | None = None
        self._page_from = 0
        self._hunt: Question | None = None
        self._stale = self._wants_more = False
        self._complete = self._all_found = False
        self._again = self._make_timer(_AGAIN_MS, self.refresh)
        self._typing = self._make_timer(TYPING_MS, self._look)

    @property
    def searching(self) -> bool:
        """Return whether less than everything is asked for."""
        return bool(self._text) or self._only != EVERYTHING

    @property
    def busy(self) -> bool:
        """Return whether what is looked for has not been answered yet."""
        return self._typing.isActive() or self._hunt is not None or (self.searching and self._page is not None)

    def look_for(self, text: str, only: Filter) -> None:
        """Show what has these words, of what the filter leaves; typing is waited for."""
        text = text.strip()
        if (text, only) == (self._text, self._only):
            return
        at_once = not text or only != self._only
        self._text, self._only = text, only
        self._drop()
        if at_once:
            self._look()
        else:
            self._typing.start()
        self.told.emit()

    def refresh(self) -> None:
        """Load what is shown again; asked while loading, once more afterwards."""
        if self._page is not None:
            self._stale = True
            return
        self._ask(0, max(PAGE, len(self._model.conversations)))

    def renew(self) -> None:
        """Load again, the found turns too: something was changed by the person."""
        self.refresh()
        if self._model.found:
            self._seek(0)

    def more(self) -> None:
        """Load what follows, as soon as nothing else is being loaded: who is at the end does not scroll there again.

        Asked while that is on its way, it is the same wish: a list that grows taller at its end is scrolled, too.
        """
        self._wants_more = self._page is not None and not self._page_from
        if self._page is not None or self._hunt is not None or not self._model.rowCount():
            return
        if not self._complete:
            self._ask(len(self._model.conversations), PAGE)
        elif self._text and not self._all_found:
            self._seek(len(self._model.found))

    def _look(self) -> None:
        self._typing.stop()
        self._ask(0, PAGE)
        if len(self._text) >= _LEAST_CHARS:
            self._seek(0)
        else:
            self._model.show_found(())

    def _drop(self) -> None:
        """Want no answer any more to what was looked for before."""
        for question in (self._page, self._hunt):
            if question is not None:
                question.drop()
        self._page = self._hunt = None
        self._stale = self._wants_more = False

    def _ask(self, offset: int, limit: int) -> None:
        text, only = self._text, self._only

        def on_answer(page: Sequence[Conversation]) -> None:
            self._page = None
            self._again.stop()
            self._complete = len(page) < limit
            loaded = list(self._model.conversations[:offset])
            known = {conversation.handle for conversation in loaded}
            loaded += [conversation for conversation in page if conversation.handle not in known]
            self._model.show(loaded, date.today(), text)
            self.told.emit()
            self._go_on()

        def on_error(error: KnownError) -> None:
            self._page = None
            self._again.start()
            self.failed.emit(error_words(error))

        self._page_from = offset
        self._page = self._bridge.ask(
            lambda: self._requests.conversations(offset=offset, limit=limit, name=text, only=only),
            on_answer,
            on_error,
            owner=self,
        )

    def _go_on(self) -> None:
        if self._stale:
            self._stale = False
            self.refresh()
        elif self._wants_more:
            self.more()

    def _seek(self, offset: int) -> None:
        """Look for the words in what was said."""
        if self._hunt is not None:
            self._hunt.drop()
        text, only = self._text, self._only
        limit = FOUND_PAGE if offset else max(FOUND_PAGE, len(self._model.found))

        def on_answer(page: Sequence[Found]) -> None:
            self._hunt = None
            self._all_found = len(page) < limit
            self._model.show_found([*self._model.found[:offset], *page])
            self.told.emit()

        def on_error(error: KnownError) -> None:
            self._hunt = None
            self._model.show_found(())
            self.failed.emit(error_words(error))

        self._hunt = self._bridge.ask(
            lambda: self._requests.search(text, limit=limit, offset=offset, only=only), on_answer, on_error, owner=self
        )

    def _make_timer(self, wait_ms: int, ring: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(wait_ms)
        timer.timeout.connect(ring)
        return timer
