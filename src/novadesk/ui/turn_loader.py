"""Loads the turns around what the person reads, a page after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.models import Turn
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.item_models import ConversationModel
from novadesk.ui.words import error_words

PAGE = 60
"""Turns loaded at once: so many are measured and laid out within a frame or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A turn that the person wants to see: selected in the middle when it was `chosen`, else at the top."""

    position: int
    chosen: bool


class TurnLoader(QObject):
    """Keeps the model filled.

    `reached` brings a place that was sought once its turn is in memory; `loaded` comes when a page is, and nothing else
    is asked for before; `failed` brings the reason in words. Of the places sought meanwhile the last one counts.
    """

    reached = Signal(object)
    loaded = Signal()
    failed = Signal(str)

    def __init__(self, bridge: Bridge, requests: Requests, model: ConversationModel, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge, self._requests, self._model = bridge, requests, model
        self._question: Question | None = None
        self._sought: Place | None = None
        self._complete = False

    def forget(self) -> None:
        """Want nothing any more of what is under way: another conversation or place is shown."""
        self._complete, self._sought = False, None
        if self._question is not None:
            self._question.drop()
            self._question = None

    def older(self) -> None:
        """Load the page in front of what is in memory."""
        turns = self._model.turns
        if turns and turns[0].position and not self._complete:
            self._ask(turns[0].position, self._on_older)

    def newer(self) -> None:
        """Load the page behind what is in memory."""
        if turns := self._model.turns:
            self._ask(turns[-1].position + 1 + PAGE, self._model.append)

    def seek(self, place: Place) -> None:
        """Bring a place into memory, with the page around it when it is not there."""
        if place.position >= self._model.tail_position and not self._model.attached:
            self._model.reattach()
        self._sought = place
        if self._model.row_of(place.position) is None:
            self._hunt()
        else:
            self._arrive()

    def _hunt(self) -> None:
        """Ask for the page around what is sought; the first page is a whole one."""
        if (place := self._sought) is not None:
            self._ask(max(place.position + PAGE // 2, PAGE), lambda page: self._on_page(place, page))

    def _on_page(self, place: Place, page: Sequence[Turn]) -> None:
        if place == self._sought:
            self._complete = not page or page[0].position == 0
            if page:
                self._model.show_page(page)
            self._arrive()

    def _on_older(self, page: Sequence[Turn]) -> None:
        self._complete = len(page) < PAGE
        self._model.prepend(page)

    def _arrive(self) -> None:
        place, self._sought = self._sought, None
        self.reached.emit(place)

    def _ask(self, before: int, take: Callable[[Sequence[Turn]], None]) -> None:
        handle = self._model.handle
        if self._question is not None or handle is None:
            return

        def on_answer(page: Sequence[Turn]) -> None:
            take(page)
            self._question = None  # only now: while rows come and go, the list is scrolled past its edges
            self._hunt()
            self.loaded.emit()

        def on_error(error: KnownError) -> None:
            self._question = self._sought = None
            self.failed.emit(error_words(error))

        self._question = self._bridge.ask(
            lambda: self._requests.turns(handle, before=before, limit=PAGE), on_answer, on_error, owner=self
        )
