"""The rows of a conversation, as a list model that holds values only and knows no widget."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from novadesk.conversation.api import LiveText
from novadesk.models import Role, Turn
from novadesk.ui.i18n import tr, trn
from novadesk.ui.words import TurnMark, turn_mark, turn_notes, when_words

WINDOW_ROWS = 500
"""Turns held in memory; older and newer ones are paged from the store. Live growth may reach twice as many."""

type AnyIndex = QModelIndex | QPersistentModelIndex
type _Made = tuple[Turn, tuple[bool, bool, bool, bool], "Row"]


class ItemRole(IntEnum):
    """Own data roles."""

    ROW = Qt.ItemDataRole.UserRole + 1


class RowKind(Enum):
    """What a row of a conversation shows."""

    TURN = "turn"
    LIVE = "live"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a conversation.

    Attributes:
        key: stays the same while the row's content changes.
        text: what was said and heard, or the notice.
        faded: text that follows `text` and has not been spoken.
        notes: small words under the text, such as "typed".
        opens: there is more of it, to be shown or hidden.
        headed: the speaker's name is shown, being another one than before.
        mark: where the turn is, when it is not on its disk or not synced.
    """

    key: str
    kind: RowKind
    text: str
    role: Role | None = None
    faded: str = ""
    notes: str = ""
    opens: bool = False
    headed: bool = True
    at_ms: int | None = None
    turn: Turn | None = None
    mark: TurnMark | None = None


def speaker(role: Role | None) -> str:
    """Return the name of a speaker."""
    return {Role.USER: tr("You"), Role.ASSISTANT: tr("Nova"), None: ""}[role]


class ConversationModel(QAbstractListModel):
    """Turns on disk, notices where they came up, and the text in the making, as rows that change little."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._turns: list[Turn] = []
        self._tail: tuple[Turn, ...] = ()
        self._live: tuple[LiveText, ...] = ()
        self._notices: tuple[str, ...] = ()
        self._anchors: list[tuple[int, str]] = []
        self._opened: set[str] = set()
        self._made: dict[str, _Made] = {}
        self._private = self._late = False
        self.handle: str | None = None
        self.attached = True

    @property
    def turns(self) -> Sequence[Turn]:
        """Return the turns in memory, in order."""
        return self._turns

    @property
    def rows(self) -> Sequence[Row]:
        """Return the rows in memory, in order."""
        return self._rows

    @property
    def tail_position(self) -> int:
        """Return the position of the first of the newest turns, which are always at hand."""
        return self._tail[0].position if self._tail else 0

    @property
    def count(self) -> int:
        """Return how many turns the conversation has, those on the disk too."""
        return self._tail[-1].position + 1 if self._tail else len(self._turns)

    @property
    def last_answer(self) -> Turn | None:
        """Return the newest turn of the assistant, wherever the person reads."""
        newest = (turn for turn in reversed(self._tail) if turn.role is Role.ASSISTANT)
        return next(newest, None)

    def row(self, index: AnyIndex) -> Row:
        """Return the row behind an index."""
        return self._rows[index.row()]

    def show(
        self,
        handle: str | None,
        turns: tuple[Turn, ...],
        live: tuple[LiveText, ...] = (),
        notices: tuple[str, ...] = (),
        *,
        private: bool = False,
        late: bool = False,
    ) -> None:
        """Take the newest turns, the live text and the notices of a snapshot.

        Args:
            handle: the open conversation.
            turns: its newest turns.
            live: text in the making.
            notices: passing lines.
            private: nothing of it is saved, on purpose.
            late: turns have waited for sync longer than a delivery takes.
        """
        other = handle != self.handle
        if other:
            self.handle = handle
            self._turns, self._tail, self._anchors, self._notices = [], (), [], ()
            self._opened.clear()
            self.attached = True
        same = turns == self._tail and live == self._live and notices == self._notices
        if same and not other and (private, late) == (self._private, self._late):
            return
        self._private, self._late = private, late
        if turns != self._tail and self.attached:
            self._join(turns)
        self._tail, self._live = turns, live
        self._anchor(notices)
        self._compose()

    def prepend(self, older: Sequence[Turn]) -> None:
        """Add a page of older turns; far newer ones leave the memory. One that was asked for elsewhere is no use."""
        if self._turns:
            first = self._turns[0].position
            older = [turn for turn in older if turn.position < first]
            if older and older[-1].position != first - 1:
                return
        self._turns[:0] = older
        self._compose()
        if len(self._turns) > WINDOW_ROWS:
            del self._turns[WINDOW_ROWS:]
            self.attached = False
            self._compose()

    def append(self, newer: Sequence[Turn]) -> None:
        """Add a page of newer turns while the end is not in memory; far older ones leave it."""
        last = self._turns[-1].position if self._turns else -1
        added = [turn for turn in newer if turn.position > last]
        if added and added[0].position != last + 1:
            return  # it was asked for elsewhere
        self._turns.extend(added)
        if not self._reach_tail() and not newer:
            self.reattach()
        self._compose()
        if len(self._turns) > WINDOW_ROWS:
            del self._turns[:-WINDOW_ROWS]
            self._compose()

    def reattach(self) -> None:
        """Go back to the newest turns and drop what was paged in."""
        self.attached = True
        self._turns = list(self._tail)
        self._compose()

    def show_page(self, page: Sequence[Turn]) -> None:
        """Hold a page from anywhere in the conversation instead of what is in memory."""
        self._turns = list(page)
        self.attached = False
        self._reach_tail()
        self._compose()

    def row_of(self, position: int) -> int | None:
        """Return the row number of the turn at a position, or None when it is not in memory."""
        if not self._turns or not self._turns[0].position <= position <= self._turns[-1].position:
            return None
        turns = ((row.turn, number) for number, row in enumerate(self._rows))
        return next((number for turn, number in turns if turn is not None and turn.position == position), None)

    def replace(self, turn: Turn) -> None:
        """Take a turn that was changed on disk."""
        self._turns = [turn if one.turn_id == turn.turn_id else one for one in self._turns]
        self._compose()

    def toggle(self, index: AnyIndex) -> None:
        """Show or hide what there is more of: what was not spoken, what was heard, other lines of the same place."""
        row = self.row(index)
        if row.opens:
            self._opened.symmetric_difference_update({row.key})
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
            return row.text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken_row(row)
        if role == Qt.ItemDataRole.AccessibleDescriptionRole and row.at_ms is not None:
            return when_words(row.at_ms)
        if role == Qt.ItemDataRole.ToolTipRole and row.at_ms is not None:
            when = when_words(row.at_ms)
            return f"{when}, {row.mark.words}" if row.mark is not None else when
        return None

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:  # noqa: D102
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren

    def _reach_tail(self) -> bool:
        """Return whether what is in memory goes on into the newest turns; then it follows them again."""
        if self._tail and self._turns and self._turns[-1].position >= self._tail[0].position - 1:
            self.attached = True
            self._join(self._tail)
        return self.attached

    def _join(self, tail: tuple[Turn, ...]) -> None:
        if not tail:
            self._turns = []
            return
        first = tail[0].position
        kept = [turn for turn in self._turns if turn.position < first]
        if kept and kept[-1].position != first - 1:
            kept = []
        self._turns = kept + list(tail)
        if len(self._turns) > 2 * WINDOW_ROWS and not self._private:  # nobody could page those of a private one
            del self._turns[:-WINDOW_ROWS]

    def _anchor(self, notices: tuple[str, ...]) -> None:
        """Keep each notice where it came up; those that the core has dropped go."""
        if notices == self._notices:
            return
        old = self._notices
        shared = next((n for n in range(min(len(old), len(notices)), 0, -1) if old[-n:] == notices[:n]), 0)
        position = self._tail[-1].position if self._tail else -1
        kept = (
            [(min(at, position), text) for at, text in self._anchors[len(self._anchors) - shared :]] if shared else []
        )
        self._anchors = kept + [(position, text) for text in notices[shared:]]
        self._notices = notices

    def _compose(self) -> None:
        rows: list[Row] = []
        notices = list(self._anchors)
        last: Role | None = None
        first = self._turns[0].position if self._turns else 0
        while notices and self._turns and notices[0][0] < first - 1:
            notices.pop(0)
        if notices and self._turns and notices[0][0] < first:
            rows += self._take_notices(notices, notices[0][0])
        made: dict[str, _Made] = {}
        for turn in self._turns:
            look = (turn.role is not last, turn.turn_id in self._opened, self._private, self._late)
            known = self._made.get(turn.turn_id)
            if known is None or known[0] is not turn or known[1] != look:
                known = (turn, look, _turn_row(turn, *look))
            made[turn.turn_id] = known
            rows.append(known[2])
            last = turn.role
            if notices and notices[0][0] == turn.position:
                rows += self._take_notices(notices, turn.position)
                last = None
        self._made = made
        if notices and self.attached:
            rows += self._take_notices([(notices[-1][0], text) for _, text in notices], notices[-1][0])
            last = None
        if self.attached:
            for live in self._live:
                if live.spoken or live.planned:
                    rows.append(_live_row(live, headed=live.role is not last))
                    last = live.role
        self._apply(rows)

    def _take_notices(self, notices: list[tuple[int, str]], position: int) -> list[Row]:
        """Take the notices of one place, collapsed into a row that shows the newest, or opened."""
        texts = []
        while notices and notices[0][0] == position:
            texts.append(tr(notices.pop(0)[1]))
        key, count = f"notice {position}", len(texts)
        if count == 1:
            return [Row(key=key, kind=RowKind.NOTICE, text=texts[0])]
        if key not in self._opened:
            words = trn("{newest} · 1 more line", "{newest} · {n} more lines", count - 1, newest=texts[-1])
            return [Row(key=key, kind=RowKind.NOTICE, text=words, opens=True)]
        return [
            Row(key=f"{key} {number}" if number else key, kind=RowKind.NOTICE, text=text, opens=not number)
            for number, text in enumerate(texts)
        ]

    def _apply(self, rows: list[Row]) -> None:
        old = self._rows
        head = 0
        while head < min(len(old), len(rows)) and old[head].key == rows[head].key:
            head += 1
        tail = 0
        while tail < min(len(old), len(rows)) - head and old[-1 - tail].key == rows[-1 - tail].key:
            tail += 1
        gone, come = len(old) - head - tail, len(rows) - head - tail
        if gone:
            self.beginRemoveRows(QModelIndex(), head, head + gone - 1)
            self._rows = old[:head] + old[head + gone :]
            self.endRemoveRows()
        if come:
            self.beginInsertRows(QModelIndex(), head, head + come - 1)
            self._rows = self._rows[:head] + rows[head : head + come] + self._rows[head:]
            self.endInsertRows()
        shown = self._rows
        changed = [n for n in range(len(rows)) if shown[n] is not rows[n] and shown[n] != rows[n]]
        self._rows = rows
        for number in changed:
            self.dataChanged.emit(self.index(number), self.index(number))


def spoken_row(row: Row) -> str:
    """Return a row as it is read aloud or copied."""
    text = f"{row.text}{row.faded}".strip()
    if row.kind is RowKind.NOTICE:
        return text
    notes = ", ".join(note for note in (row.notes, row.mark.words if row.mark is not None else "") if note)
    return f"{speaker(row.role)}: {text}" + (f" ({notes})" if notes else "")


def _turn_row(turn: Turn, headed: bool, opened: bool, private: bool, late: bool) -> Row:
    shown = turn.shown_text
    rest = turn.text[len(shown) :] if turn.edited is None else f"\n{turn.text}"
    return Row(
        key=turn.turn_id,
        kind=RowKind.TURN,
        role=turn.role,
        text=shown.rstrip() if rest and not opened else shown,
        faded=rest if opened else "",
        opens=bool(rest.strip()),
        notes=turn_notes(turn, opened=opened),
        headed=headed,
        at_ms=turn.at_ms,
        turn=turn,
        mark=turn_mark(turn, private=private, late=late),
    )


def _live_row(live: LiveText, *, headed: bool) -> Row:
    gap = (
        " " if live.spoken and live.planned and not live.spoken[-1].isspace() and not live.planned[0].isspace() else ""
    )
    return Row(
        key=f"live {live.role.value}",
        kind=RowKind.LIVE,
        role=live.role,
        text=live.spoken,
        faded=gap + live.planned,
        headed=headed,
    )
