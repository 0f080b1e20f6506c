"""Three panes side by side; in a narrow window the outer two lie over the middle one."""

from PySide6.QtCore import QEvent, QObject, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from novadesk.ui import tokens
from novadesk.ui.theme import Theme

_LEFT_FREE = 56
_LEAST_WIDTH = 400
_LEAST_HEIGHT = 560


class Panes(QWidget):
    """Sidebar, middle and drawer.

    `folded_changed` tells that the window has become too narrow for the sidebar, or wide enough again. A pane that is
    hidden gives the focus back to where it was before, or to `home` where that is no more.
    """

    folded_changed = Signal(bool)

    def __init__(
        self,
        theme: Theme,
        sidebar: QWidget,
        middle: QWidget,
        drawer: QWidget,
        home: QWidget,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self.sidebar, self.middle, self.drawer = sidebar, middle, drawer
        self.folded = False
        self._home, self._came_from = home, home
        self._veil = _Veil(theme, self)
        for pane in (middle, self._veil, sidebar, drawer):
            pane.setParent(self)
        self._veil.pressed.connect(self.close_overlay)
        self._veil.hide()
        drawer.hide()
        middle.installEventFilter(self)

    @property
    def overlay(self) -> QWidget | None:
        """Return the pane that lies over the middle, or None."""
        if self._drawer_overlays and not self.drawer.isHidden():
            return self.drawer
        return self.sidebar if self.folded and not self.sidebar.isHidden() else None

    def show_sidebar(self, shown: bool) -> None:
        """Show or hide the sidebar; only a folded one can be hidden."""
        self._show(self.sidebar, self.drawer, shown or not self.folded)

    def show_drawer(self, shown: bool) -> None:
        """Show or hide the drawer."""
        self._show(self.drawer, self.sidebar, shown)

    def close_overlay(self) -> bool:
        """Hide what lies over the middle; return whether there was anything."""
        pane = self.overlay
        if pane is None:
            return False
        self._hide(pane)
        self._place()
        return True

    def _show(self, pane: QWidget, other: QWidget, shown: bool) -> None:
        """Show one of the outer panes in the place of the other, or hide it."""
        if not shown:
            self._hide(pane)
        elif pane.isHidden():
            self._came_from = self.window().focusWidget() or self._home
            pane.show()
        if shown and self.folded:
            other.hide()
        self._place()

    def _hide(self, pane: QWidget) -> None:
        """Hide a pane; a focus that was in it goes back to where it came from."""
        focus, back = self.window().focusWidget(), self._came_from
        pane.hide()
        if focus is not None and pane.isAncestorOf(focus):
            there = isValid(back) and back.isVisible()
            (back if there else self._home).setFocus(Qt.FocusReason.OtherFocusReason)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        folded = self.width() < self._theme.px(tokens.FOLD_WIDTH)
        if folded != self.folded:
            self.folded = folded
            self.sidebar.setVisible(not folded)
            self.folded_changed.emit(folded)
        self._place()

    def minimumSizeHint(self) -> QSize:  # noqa: D102
        layout = self.middle.layout()
        needed = layout.totalMinimumHeightForWidth(self.middle.width()) if layout is not None else 0
        return QSize(self._theme.px(_LEAST_WIDTH), max(_LEAST_HEIGHT, needed))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102
        if watched is self.middle and event.type() is QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return False

    @property
    def _drawer_overlays(self) -> bool:
        theme = self._theme
        return self.width() < theme.px(tokens.FOLD_WIDTH + tokens.DRAWER_WIDTH - 96)

    def _place(self) -> None:
        theme = self._theme
        width, height = self.width(), self.height()
        left = 0 if self.folded else theme.px(tokens.SIDEBAR_WIDTH)
        drawer = min(theme.px(tokens.DRAWER_WIDTH), width - _LEFT_FREE)
        right = 0 if self.drawer.isHidden() or self._drawer_overlays else drawer
        side = min(theme.px(tokens.SIDEBAR_WIDTH), width - _LEFT_FREE) if self.folded else left
        self.sidebar.setGeometry(0, 0, side, height)
        self.middle.setGeometry(left, 0, width - left - right, height)
        self.drawer.setGeometry(width - drawer, 0, drawer, height)
        overlay = self.overlay
        self._veil.setVisible(overlay is not None)
        self._veil.setGeometry(QRect(0, 0, width, height))
        if overlay is not None:
            self._veil.raise_()
            overlay.raise_()


class _Veil(QWidget):
    pressed = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self.pressed.emit()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        colour = QColor("#000000")
        colour.setAlpha(130 if self._theme.palette.dark else 60)
        painter.fillRect(self.rect(), colour)
        painter.end()
