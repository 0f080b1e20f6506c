"""How the rows of the history are drawn, and a title edited in its place."""

from itertools import pairwise

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from novadesk.models import Conversation, SyncState
from novadesk.ui import resources, tokens
from novadesk.ui.controls import TextField
from novadesk.ui.history_model import SYNC_ICONS, TITLE_CHARS, HistoryKind, HistoryRow
from novadesk.ui.i18n import tr
from novadesk.ui.item_models import ItemRole
from novadesk.ui.marking import begin_near
from novadesk.ui.theme import Theme

_SEEN = 0.75
"""Up to which share of its line the first word that was found may lie."""

_PICTURE = 14
_MORE = 20

type _Index = QModelIndex | QPersistentModelIndex


class HistoryDelegate(QStyledItemDelegate):
    """Draw day names and conversations with star and sync state; edit a title in its place."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        theme.changed.connect(self._measure)
        self._measure()

    def _measure(self) -> None:
        """Take the three heights that rows have; a list of thousands asks for each of them."""
        theme = self._theme
        small, base = (
            round(QFontMetricsF(theme.font(size)).height()) for size in (tokens.FONT_SMALL, tokens.FONT_BASE)
        )
        day = small + theme.px(tokens.SPACE_1)
        self._first_day, self._day = (QSize(80, day + theme.px(above)) for above in (tokens.SPACE_2, tokens.SPACE_4))
        self._conversation = QSize(80, base + small + theme.px(2) + 2 * theme.px(7))

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:  # noqa: ARG002, D102
        row: HistoryRow = index.data(ItemRole.ROW)
        if row.kind is not HistoryKind.DAY:
            return self._conversation
        return self._day if index.row() else self._first_day

    def more_rect(self, rect: QRect) -> QRect:
        """Return where the button is that opens the menu of the row in `rect`."""
        edge, size = self._theme.px(tokens.SPACE_3), self._theme.px(_MORE)
        right = rect.right() - edge - self._theme.px(tokens.SPACE_2)
        return QRect(right - size, rect.top() + self._theme.px(4), size, size)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:  # noqa: ARG002, D102
        editor = TextField(parent)
        editor.setObjectName("rename")
        editor.setAccessibleName(tr("Title"))
        editor.setMaxLength(TITLE_CHARS)
        row: HistoryRow = index.data(ItemRole.ROW)
        if row.conversation is not None:
            editor.setPlaceholderText(row.conversation.label)
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: _Index) -> None:  # noqa: ARG002, D102
        edge = self._theme.px(tokens.SPACE_3)
        rect: QRect = option.rect
        height = min(rect.height() - 2, editor.sizeHint().height())
        editor.setGeometry(rect.left() + edge, rect.top() + 1, rect.width() - 2 * edge, height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:  # noqa: D102
        row: HistoryRow = index.data(ItemRole.ROW)
        rect: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.conversation is None:
            self._paint_day(painter, rect, row)
        else:
            self._paint_conversation(painter, option, rect, row, row.conversation)
        painter.restore()

    def _paint_day(self, painter: QPainter, rect: QRect, row: HistoryRow) -> None:
        theme = self._theme
        font = theme.font(tokens.FONT_SMALL, weight=QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(theme.palette.muted))
        bottom = rect.bottom() - theme.px(tokens.SPACE_1) - QFontMetricsF(font).descent()
        painter.drawText(QPointF(rect.left() + theme.px(tokens.SPACE_5), bottom), row.title)

    def _paint_conversation(
        self, painter: QPainter, option: QStyleOptionViewItem, rect: QRect, row: HistoryRow, of: Conversation
    ) -> None:
        from PySide6.QtWidgets import QStyle  # takes long to load, and the first picture has no rows

        theme, palette = self._theme, self._theme.palette
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        widget: QWidget | None = option.widget
        edge = theme.px(tokens.SPACE_3)
        box = QRectF(rect).adjusted(edge, 1, -edge, -1)
        radius = theme.px(tokens.RADIUS_CONTROL)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected) and widget is not None and widget.hasFocus()
        current = row.current and row.kind is HistoryKind.CONVERSATION
        if current or chosen or hovered:
            painter.setBrush(QColor(palette.selected if current else palette.hover))
            painter.setPen(QPen(QColor(palette.accent), 2) if chosen else Qt.PenStyle.NoPen)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1) if chosen else box, radius, radius)
        inner = box.adjusted(edge, theme.px(6), -edge + theme.px(4), 0)
        title_font = theme.font(tokens.FONT_BASE, weight=QFont.Weight.DemiBold if current else QFont.Weight.Normal)
        small_font = theme.font(tokens.FONT_SMALL)
        title, small = QFontMetricsF(title_font), QFontMetricsF(small_font)
        picture, gap = theme.px(_PICTURE), theme.px(tokens.SPACE_1)
        room = inner.width()
        if hovered or chosen:
            more = self.more_rect(rect)
            size = theme.px(16)
            at = QRectF(more).center() - QPointF(size / 2, size / 2)
            painter.drawPixmap(at, self._picture("more", palette.text, size, painter))
            room = more.left() - inner.left()
        if of.starred:
            room -= picture + gap
            at = QPointF(inner.left() + room + gap, inner.top() + (title.height() - picture) / 2)
            painter.drawPixmap(at, self._picture("star-on", palette.muted, picture, painter))
        painter.setFont(title_font)
        words = title.elidedText(row.title, Qt.TextElideMode.ElideRight, room)
        at = QPointF(inner.left(), inner.top() + title.ascent())
        self._paint_marked(painter, at, words, row.title_marks, palette.text)
        top = inner.top() + title.height() + theme.px(2)
        painter.setFont(small_font)
        found = row.kind is HistoryKind.FOUND
        room = inner.width() - (0 if found else picture + gap)
        text, marks = begin_near(row.below, row.marks, lambda part: small.horizontalAdvance(part) < room * _SEEN)
        at = QPointF(inner.left(), top + small.ascent())
        below = small.elidedText(text, Qt.TextElideMode.ElideRight, room)
        self._paint_marked(painter, at, below, marks, palette.muted)
        if found:
            return
        colour = palette.caution if of.sync is SyncState.FAILED else palette.muted
        at = QPointF(inner.right() - picture, top + (small.height() - picture) / 2)
        painter.drawPixmap(at, self._picture(SYNC_ICONS[of.sync], colour, picture, painter))

    def _paint_marked(
        self, painter: QPainter, at: QPointF, words: str, marks: tuple[tuple[int, int], ...], colour: str
    ) -> None:
        """Draw a text in which the words of the search are underlined and in the text colour."""
        palette, metrics = self._theme.palette, QFontMetricsF(painter.font())
        edges = sorted({0, len(words), *(min(edge, len(words)) for mark in marks for edge in mark)})
        for start, end in pairwise(edges):
            marked = any(first <= start < past for first, past in marks)
            left, right = (at.x() + metrics.horizontalAdvance(words[:edge]) for edge in (start, end))
            painter.setPen(QColor(palette.text if marked else colour))
            painter.drawText(QPointF(left, at.y()), words[start:end])
            if marked:
                line = at.y() + metrics.underlinePos()
                painter.setPen(QPen(QColor(palette.accent), max(1.0, metrics.lineWidth())))
                painter.drawLine(QPointF(left, line), QPointF(right, line))

    @staticmethod
    def _picture(name: str, colour: str, size: int, painter: QPainter) -> QPixmap:
        return resources.pixmap(name, colour, size, painter.device().devicePixelRatio())
