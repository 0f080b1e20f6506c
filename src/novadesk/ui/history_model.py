"""The rows of the history, as a list model that holds values only and knows no widget."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, Signal

from novadesk.models import Conversation, Found, SyncState, Turn
from novadesk.ui.i18n import tr, trn
from novadesk.ui.item_models import AnyIndex, ItemRole, speaker
from novadesk.ui.marking import marks_in
from novadesk.ui.words import day_name, length_words, local_time, sync_words, when_words

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
        title_marks: the same of `title`.
        search: what was looked for when it was made.
    """

    kind: HistoryKind
    title: str
    key: str
    below: str = ""
    conversation: Conversation | None = None
    current: bool = False
    marks: tuple[tuple[int, int], ...] = ()
    title_marks: tuple[tuple[int, int], ...] = ()
    search: str = ""
    turn: Turn | None = None


def in_the_cloud(conversation: Conversation) -> bool:
    """Return whether there may be a copy of a conversation on somebody else's computer."""
    return conversation.sync is not SyncState.LOCAL and not conversation.backend.keeps_here


class HistoryModel(QAbstractListModel):
    """Conversations, newest first, grouped by local day, and the turns that a search found.

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
        self._made: dict[str, HistoryRow] = {}
        self._held = self._stale = False

    @property
    def conversations(self) -> Sequence[Conversation]:
        """Return the loaded conversations, newest first."""
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

    def rows_of(self, keys: Sequence[str]) -> Sequence[int]:
        """Return the row numbers of these keys, in order."""
        wanted = frozenset(keys)
        return [number for number, row in enumerate(self._rows) if row.key in wanted] if wanted else []

    def near(self, place: int) -> int | None:
        """Return the row number of the conversation at a place, else of the one below it, else above it."""
        below, above = range(place, len(self._rows)), range(min(place, len(self._rows)) - 1, -1, -1)
        return next((n for n in (*below, *above) if self._rows[n].conversation is not None), None)

    def first(self) -> int | None:
        """Return the row number of the open conversation, else of the first one shown, else None."""
        shown = [number for number, row in enumerate(self._rows) if row.conversation is not None]
        return next((number for number in shown if self._rows[number].current), shown[0] if shown else None)

    def name_of(self, handle: str) -> str:
        """Return what people call a conversation that is shown, else nothing."""
        number = self.find(handle)
        return "" if number is None else self._rows[number].title

    def is_current(self, handle: str) -> bool:
        """Return whether a conversation is the open one."""
        return self._current is not None and self._current.handle == handle

    def is_remote(self, handle: str) -> bool:
        """Return whether there may be a copy of a conversation in the cloud; the practice partner's is not there."""
        number = self.find(handle)
        of = None if number is None else self._rows[number].conversation
        return of is None or in_the_cloud(of)

    def show(self, conversations: Sequence[Conversation], today: date, search: str = "") -> None:
        """Replace the loaded conversations; words of `search` are marked in their titles."""
        new = (list(conversations), today, search)
        if new != (self._conversations, self._today, self._search):
            self._conversations, self._today, self._search = new
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
            return _told(row, row.conversation)
        if role == Qt.ItemDataRole.AccessibleDescriptionRole and row.conversation is not None:
            return when_words(row.conversation.updated_ms if row.turn is None else row.turn.at_ms)
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
        rows: list[HistoryRow] = []
        made: dict[str, HistoryRow] = {}
        day: date | None = None
        current = self._current
        for stored in self._conversations:
            is_current = current is not None and stored.handle == current.handle
            shown = current if is_current and current is not None else stored
            of = local_time(shown.updated_ms).date()
            if of != day:
                day = of
                rows.append(_heading(day_name(of, self._today)))
            row = self._made.get(shown.handle)
            if row is None or row.conversation != shown or row.current != is_current or row.search != self._search:
                row = _history_row(shown, current=is_current, search=self._search)
            made[shown.handle] = row
            rows.append(row)
        self._made = made
        if self._found:
            rows.append(_heading(tr("Said in")))
        for found in self._found:
            open_now = current is not None and found.conversation.handle == current.handle
            rows.append(_found_row(found, current=open_now))
        self._apply(rows)

    def _apply(self, rows: list[HistoryRow]) -> None:
        """Tell the views what is new: other words in a row, rows at the end, or everything."""
        old, kept = self._rows, len(self._rows)
        if [row.key for row in rows[:kept]] != [row.key for row in old] or not old:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return
        if len(rows) > kept:
            self.beginInsertRows(QModelIndex(), kept, len(rows) - 1)
            self._rows = old + rows[kept:]
            self.endInsertRows()
        changed = [number for number in range(kept) if rows[number] is not old[number] and rows[number] != old[number]]
        self._rows = rows
        for number in changed:
            self.dataChanged.emit(self.index(number), self.index(number))


def _told(row: HistoryRow, of: Conversation) -> str:
    """Return a row as it is read aloud."""
    if row.turn is not None:
        return f"{row.title}, {speaker(row.turn.role)}: {row.below}"
    parts = [row.title, row.below, sync_words(of)]
    parts += [tr("starred")] if of.starred else []
    parts += [tr("open", "the conversation that is shown")] if row.current else []
    return ", ".join(parts)


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
        turn=found.turn,
    )


def _history_row(conversation: Conversation, *, current: bool, search: str) -> HistoryRow:
    turns = (
        trn("1 turn", "{n} turns", conversation.turns)
        if conversation.turns
        else tr("empty", "a conversation without turns")
    )
    parts = [conversation.label] if conversation.title else []
    parts += [turns, *([length_words(conversation.length_ms)] if conversation.length_ms else [])]
    parts += [tr("from the cloud")] if conversation.elsewhere else []
    title = conversation.title or conversation.label
    return HistoryRow(
        kind=HistoryKind.CONVERSATION,
        title=title,
        title_marks=marks_in(title, search),
        search=search,
        key=conversation.handle,
        below=" · ".join(parts),
        conversation=conversation,
        current=current,
    )
