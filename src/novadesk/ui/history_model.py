"""The rows of the history, as a list model that holds values only and knows no widget."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QObject, Qt, Signal

from novadesk.models import Conversation, Found, SyncState
from novadesk.ui.i18n import tr
from novadesk.ui.item_models import AnyIndex, ItemRole
from novadesk.ui.words import counted, day_name, local_time, sync_words

SYNC_ICONS = {
    SyncState.LOCAL: "sync-local",
    SyncState.PENDING: "sync-pending",
    SyncState.SYNCED: "sync-synced",
    SyncState.FAILED: "sync-failed",
}

TITLE_CHARS = 200


class HistoryKind(Enum):
    """What a row of the history shows; `DAY` is any heading, `FOUND` a turn that a search found."""

    DAY = "day"
    CONVERSATION = "conversation"
    FOUND = "found"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One row of the history: a heading, a conversation, or a turn found in one.

    Attributes:
        key: tells the row from every other.
        marks: parts of `below` that the search asked for, as (first character, one past the last).
    """

    kind: HistoryKind
    title: str
    key: str
    below: str = ""
    conversation: Conversation | None = None
    current: bool = False
    marks: tuple[tuple[int, int], ...] = ()


class HistoryModel(QAbstractListModel):
    """Conversations, newest first, grouped by local day, narrowed by a search.

    `renamed` tells the handle and the new title when the person has written one.
    """

    renamed = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._conversations: list[Conversation] = []
        self._rows: list[HistoryRow] = []
        self._search = ""
        self._found: list[Found] = []
        self._current: Conversation | None = None
        self._today = date.min
        self._held = self._stale = False

    @property
    def conversations(self) -> Sequence[Conversation]:
        """Return the loaded conversations, newest first, whatever the search says."""
        return self._conversations

    @property
    def found(self) -> Sequence[Found]:
        """Return the turns that the search found."""
        return self._found

    def row(self, index: AnyIndex) -> HistoryRow:
        """Return the row behind an index."""
        return self._rows[index.row()]

    def find(self, handle: str) -> int | None:
        """Return the row number of a conversation, or None when it is not shown."""
        shown = (row.conversation for row in self._rows)
        return next((n for n, one in enumerate(shown) if one is not None and one.handle == handle), None)

    def first(self) -> int | None:
        """Return the row number of the open conversation, else of the first one shown, else None."""
        shown = [number for number, row in enumerate(self._rows) if row.conversation is not None]
        return next((number for number in shown if self._rows[number].current), shown[0] if shown else None)

    def show(self, conversations: Sequence[Conversation], today: date) -> None:
        """Replace the loaded conversations."""
        if list(conversations) == self._conversations and today == self._today:
            return
        self._conversations = list(conversations)
        self._today = today
        self._compose()

    def set_search(self, text: str) -> None:
        """Show only conversations whose title or label has every word of `text`."""
        self._search = text
        self._compose()

    def set_current(self, conversation: Conversation | None) -> None:
        """Mark the open conversation and take its newest counts."""
        if conversation != self._current:
            self._current = conversation
            self._compose()

    def hold(self) -> None:
        """Keep the rows where they are until `release`: one of them is being edited."""
        self._held = True

    def release(self) -> None:
        """Show what has changed since `hold`."""
        self._held = False
        if self._stale:
            self._compose()

    def show_found(self, found: Sequence[Found]) -> None:
        """Show turns that have the words of the search, under the conversations whose names have them."""
        if list(found) != self._found:
            self._found = list(found)
            self._compose()

    def rowCount(self, parent: AnyIndex | None = None) -> int:  # noqa: D102
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: D102
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == ItemRole.ROW:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.EditRole:
            return row.conversation.title if row.conversation is not None else None
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            if row.conversation is None:
                return row.title if role == Qt.ItemDataRole.AccessibleTextRole else None
            starred = ", starred" if row.conversation.starred else ""
            open_now = ", open" if row.current else ""
            if row.kind is HistoryKind.FOUND:
                return f"{row.title}: {row.below}"
            return f"{row.title}, {row.below}, {sync_words(row.conversation)}{starred}{open_now}"
        return None

    def setData(self, index: AnyIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: D102
        conversation = self.row(index).conversation if index.isValid() else None
        if role != Qt.ItemDataRole.EditRole or conversation is None:
            return False
        title = " ".join(str(value).split())[:TITLE_CHARS]
        if title == conversation.title:
            return False
        self._conversations = [
            replace(one, title=title) if one.handle == conversation.handle else one for one in self._conversations
        ]
        if self._current is not None and self._current.handle == conversation.handle:
            self._current = replace(self._current, title=title)
        self._compose()
        self.renamed.emit(conversation.handle, title)
        return True

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:  # noqa: D102
        if not index.isValid() or self._rows[index.row()].kind is HistoryKind.DAY:
            return Qt.ItemFlag.NoItemFlags
        plain = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        return plain | Qt.ItemFlag.ItemIsEditable

    def _compose(self) -> None:
        self._stale = self._held
        if self._held:
            return
        words = self._search.casefold().split()
        rows: list[HistoryRow] = []
        day: date | None = None
        current = self._current
        for stored in self._conversations:
            is_current = current is not None and stored.handle == current.handle
            shown = current if is_current and current is not None else stored
            where = f"{shown.title} {shown.label}".casefold()
            if not all(word in where for word in words):
                continue
            of = local_time(shown.updated_ms).date()
            if of != day:
                day = of
                rows.append(_heading(day_name(of, self._today)))
            rows.append(_history_row(shown, current=is_current))
        if self._found:
            rows.append(_heading(tr("Said in")))
        for found in self._found:
            open_now = current is not None and found.conversation.handle == current.handle
            rows.append(_found_row(found, current=open_now))
        if rows and [row.key for row in rows] == [row.key for row in self._rows]:
            self._rows = rows
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()


def _heading(words: str) -> HistoryRow:
    return HistoryRow(kind=HistoryKind.DAY, title=words, key=words)


def _found_row(found: Found, *, current: bool) -> HistoryRow:
    conversation = found.conversation
    return HistoryRow(
        kind=HistoryKind.FOUND,
        title=conversation.title or conversation.label,
        key=found.turn.turn_id,
        below="".join(" " if character.isspace() else character for character in found.snippet),
        marks=found.marks,
        conversation=conversation,
        current=current,
    )


def _history_row(conversation: Conversation, *, current: bool) -> HistoryRow:
    turns = counted(conversation.turns, "1 turn", "{n} turns") if conversation.turns else "empty"
    parts = [conversation.label] if conversation.title else []
    parts += [turns, *([tr("from the cloud")] if conversation.elsewhere else [])]
    return HistoryRow(
        kind=HistoryKind.CONVERSATION,
        title=conversation.title or conversation.label,
        key=conversation.handle,
        below=" · ".join(parts),
        conversation=conversation,
        current=current,
    )
