"""Draw the rows of a conversation: name column, text with its unspoken rest, notes, hairline notices."""

from collections import OrderedDict
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPen,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from novadesk.ui import resources, tokens
from novadesk.ui.item_models import ItemRole, Row, RowKind, speaker
from novadesk.ui.marking import marks_in
from novadesk.ui.theme import Theme

_LAYOUTS = 256
_HEIGHTS = 4096
_MARK = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """Where a row's parts lie, in pixels from the left of the view."""

    left: int
    name: int
    text: int
    stacked: bool

    @property
    def text_left(self) -> int:
        return self.left if self.stacked else self.left + self.name


class TurnDelegate(QStyledItemDelegate):
    """Draw rows and measure them. Layouts and heights are cached; `layouts_made` counts the work."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._layouts: OrderedDict[tuple[str, str, int], QTextLayout] = OrderedDict()
        self._heights: OrderedDict[tuple[str, str, bool, bool, int, int], int] = OrderedDict()
        self._marked: tuple[str, int] | None = None
        self._search = ""
        self.layouts_made = 0
        theme.changed.connect(self.forget)
        self.forget()

    def forget(self) -> None:
        """Drop every measure: fonts or colours have changed."""
        self._layouts.clear()
        self._heights.clear()
        self._font = self._theme.font(tokens.FONT_CONVERSATION)
        self._name_font = self._theme.font(tokens.FONT_BASE, weight=QFont.Weight.Medium)
        self._note_font = self._theme.font(tokens.FONT_SMALL)
        self._line = max(
            round(self._theme.px(tokens.FONT_CONVERSATION) * tokens.LINE_HEIGHT),
            round(QFontMetricsF(self._font).height()),
        )

    def mark(self, conversation: str, position: int, search: str) -> None:
        """Underline the words of a search in one turn, and in no other."""
        self._marked, self._search = (conversation, position), search

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:  # noqa: D102
        view = option.widget
        width = view.width() if isinstance(view, QWidget) else tokens.COLUMN_WIDTH
        return QSize(80, self.height(index.data(ItemRole.ROW), width))

    def height(self, row: Row, width: int) -> int:
        """Return a row's height in a view of this width."""
        key = (row.text, row.faded, row.headed, bool(row.notes), width, row.kind is RowKind.NOTICE)
        known = self._heights.get(key)
        if known is None:
            known = self._measure(row, width)
            self._heights[key] = known
            if len(self._heights) > _HEIGHTS:
                self._heights.popitem(last=False)
        return known

    def paint(  # noqa: D102
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        from PySide6.QtWidgets import QStyle  # takes long to load, and the first picture has no rows

        row: Row = index.data(ItemRole.ROW)
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        view = option.widget
        column = self._column(view.width() if isinstance(view, QWidget) else rect.width())
        if row.kind is RowKind.NOTICE:
            self._paint_notice(painter, rect, row, column)
        else:
            focused = isinstance(view, QWidget) and view.hasFocus()
            if state & QStyle.StateFlag.State_Selected:
                self._paint_selection(painter, rect, column, row, focused=focused)
            self._paint_turn(painter, rect, row, column)
        painter.restore()

    def on_notes(self, row: Row, rect: QRect, y: int) -> bool:
        """Return whether a height in a row's rectangle is that of its notes."""
        return bool(row.notes) and y >= rect.bottom() - self._theme.px(tokens.SPACE_1) - self._note_height()

    def _column(self, width: int) -> _Column:
        theme = self._theme
        margin = theme.px(tokens.SPACE_5)
        name = theme.px(tokens.NAME_WIDTH)
        stacked = width < theme.px(tokens.COLUMN_WIDTH - 2 * tokens.NAME_WIDTH)
        whole = theme.px(tokens.COLUMN_WIDTH) + (0 if stacked else name)
        room = width - 2 * margin
        left = margin + max(0, (room - whole) // 2)
        text = max(80, min(room, whole) - (0 if stacked else name))
        return _Column(left=left, name=name, text=text, stacked=stacked)

    def _above(self, row: Row) -> int:
        return self._theme.px(tokens.SPACE_4 if row.headed else tokens.SPACE_1)

    def _measure(self, row: Row, width: int) -> int:
        theme = self._theme
        if row.kind is RowKind.NOTICE:
            return round(QFontMetricsF(self._note_font).height()) + 2 * theme.px(tokens.SPACE_3)
        column = self._column(width)
        height = self._above(row) + self._layout(row, column.text).lineCount() * self._line + theme.px(tokens.SPACE_1)
        if column.stacked and row.headed:
            height += round(QFontMetricsF(self._name_font).height()) + theme.px(2)
        if row.notes:
            height += self._note_height()
        return height

    def _note_height(self) -> int:
        return round(QFontMetricsF(self._note_font).height()) + self._theme.px(2)

    def _layout(self, row: Row, width: int) -> QTextLayout:
        key = (row.text, row.faded, width)
        layout = self._layouts.get(key)
        if layout is not None:
            self._layouts.move_to_end(key)
            return layout
        self.layouts_made += 1
        layout = QTextLayout((row.text + row.faded).replace("\n", "\u2028"), self._font)
        options = QTextOption()
        options.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        options.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        layout.setTextOption(options)
        layout.beginLayout()
        top = 0
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            line.setPosition(QPointF(0, top + (self._line - line.height()) / 2))
            top += self._line
        layout.endLayout()
        self._layouts[key] = layout
        if len(self._layouts) > _LAYOUTS:
            self._layouts.popitem(last=False)
        return layout

    def _paint_turn(self, painter: QPainter, rect: QRect, row: Row, column: _Column) -> None:
        palette = self._theme.palette
        top = rect.top() + self._above(row)
        left = rect.left() + column.left
        if row.headed:
            painter.setFont(self._name_font)
            painter.setPen(QColor(palette.muted))
            metrics = QFontMetricsF(self._name_font)
            if column.stacked:
                painter.drawText(QPointF(left, top + metrics.ascent()), speaker(row.role))
                top += round(metrics.height()) + self._theme.px(2)
            else:
                baseline = (self._line - QFontMetricsF(self._font).height()) / 2 + QFontMetricsF(self._font).ascent()
                painter.drawText(QPointF(left, top + baseline), speaker(row.role))
        layout = self._layout(row, column.text)
        text_left = rect.left() + column.text_left
        painter.setPen(QColor(palette.text))
        layout.draw(painter, QPointF(text_left, top), [*self._faded(row), *self._found(row)])
        if row.mark is not None:
            edge = self._theme.px(_MARK)
            at = QPointF(text_left + column.text + self._theme.px(tokens.SPACE_1), top + (self._line - edge) / 2)
            colour = palette.of(row.mark.tone)
            scale = painter.device().devicePixelRatio()
            painter.drawPixmap(at, resources.pixmap(row.mark.shape, colour, edge, scale))
        if row.notes:
            top += layout.lineCount() * self._line
            painter.setFont(self._note_font)
            painter.setPen(QColor(palette.muted))
            metrics = QFontMetricsF(self._note_font)
            notes = metrics.elidedText(row.notes, Qt.TextElideMode.ElideRight, column.text)
            painter.drawText(QPointF(text_left, top + metrics.ascent() + self._theme.px(1)), notes)

    def _found(self, row: Row) -> list[QTextLayout.FormatRange]:
        if row.turn is None or (row.turn.conversation, row.turn.position) != self._marked:
            return []
        from PySide6.QtGui import QTextCharFormat

        marked = QTextCharFormat()
        marked.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
        marked.setUnderlineColor(QColor(self._theme.palette.accent))
        ranges = []
        for first, past in marks_in(row.text, self._search):
            part = QTextLayout.FormatRange()
            part.start, part.length = _units(row.text[:first]), _units(row.text[first:past])
            part.format = marked
            ranges.append(part)
        return ranges

    def _faded(self, row: Row) -> list[QTextLayout.FormatRange]:
        if not row.faded:
            return []
        from PySide6.QtGui import QTextCharFormat

        muted = QTextCharFormat()
        muted.setForeground(QColor(self._theme.palette.muted))
        part = QTextLayout.FormatRange()
        part.start = _units(row.text)
        part.length = _units(row.faded)
        part.format = muted
        return [part]

    def _paint_selection(self, painter: QPainter, rect: QRect, column: _Column, row: Row, *, focused: bool) -> None:
        theme = self._theme
        pad = theme.px(tokens.SPACE_3)
        top = rect.top() + self._above(row) - theme.px(tokens.SPACE_1)
        width = column.text_left - column.left + column.text
        box = QRectF(rect.left() + column.left - pad, top, width + 2 * pad, rect.bottom() - top)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.palette.selected if focused else theme.palette.hover))
        painter.drawRoundedRect(box, theme.px(tokens.RADIUS_CONTROL), theme.px(tokens.RADIUS_CONTROL))

    def _paint_notice(self, painter: QPainter, rect: QRect, row: Row, column: _Column) -> None:
        theme = self._theme
        width = column.text_left - column.left + column.text
        left = rect.left() + column.left
        metrics = QFontMetricsF(self._note_font)
        gap = theme.px(tokens.SPACE_3)
        text = metrics.elidedText(row.text, Qt.TextElideMode.ElideRight, width - 6 * gap)
        size = metrics.horizontalAdvance(text)
        middle = rect.top() + rect.height() / 2
        start = left + (width - size) / 2
        painter.setPen(QPen(QColor(theme.palette.line), 1))
        painter.drawLine(QPointF(left, middle), QPointF(start - gap, middle))
        painter.drawLine(QPointF(start + size + gap, middle), QPointF(left + width, middle))
        painter.setFont(self._note_font)
        painter.setPen(QColor(theme.palette.muted))
        painter.drawText(QPointF(start, middle + (metrics.ascent() - metrics.descent()) / 2), text)


def _units(text: str) -> int:
    """Return the length of a text as Qt counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2
