"""Small building blocks: icon buttons that follow the palette, and labels that know their tone."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QToolButton, QWidget

from novadesk.ui import resources, tokens
from novadesk.ui.i18n import shortcut, tr
from novadesk.ui.theme import Theme
from novadesk.ui.tokens import Tone

_GAP = 4
"""What the style leaves between icon and text, however large the font is, in pixels."""


def text_button(words: str, on_click: Callable[[], object], parent: QWidget) -> QPushButton:
    """Return a button with words, which Return presses only where it has the focus or is made the default."""
    button = QPushButton(words, parent)
    button.setAutoDefault(False)
    button.clicked.connect(lambda _checked: on_click())
    return button


class IconButton(QToolButton):
    """A button with an icon, and a name for those who do not see it.

    Args:
        icon: name of the icon.
        name: accessible name; also the tool tip, with the shortcut if there is one.
        shown: text beside the icon; empty shows the icon only.
        below: put the text under the icon.
    """

    def __init__(
        self,
        theme: Theme,
        icon: str,
        name: str,
        *,
        shown: str = "",
        below: bool = False,
        shortcut: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = icon
        self._colour: str | None = None
        self._shortcut = shortcut
        self.setText(shown)
        style = Qt.ToolButtonStyle.ToolButtonTextUnderIcon if below else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        self.setToolButtonStyle(style if shown else Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves Space with the talk button or the text field
        self.set_name(name)
        theme.changed.connect(self._renew)
        self._renew()

    def set_name(self, name: str) -> None:
        """Change what the button is called."""
        self.setAccessibleName(name)
        self.setToolTip(f"{name} ({shortcut(self._shortcut)})" if self._shortcut else name)

    def set_icon(self, icon: str) -> None:
        """Change the icon."""
        if icon != self._icon:
            self._icon = icon
            self._renew()

    def _renew(self) -> None:
        edge = self._theme.px(tokens.SPACE_4 + 2)
        beside = self.toolButtonStyle() is Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        gap = self._theme.px(_GAP) - _GAP if beside else 0
        self.setIconSize(QSize(edge + 2 * gap, edge))
        self.setIcon(self._theme.icon(self._icon, None, edge))


class TextField(QLineEdit):
    """A text field that leaves the window's own shortcuts alone, such as Ctrl+E, which would go to the line's end."""

    WINDOW_KEYS = frozenset({Qt.Key.Key_E, Qt.Key.Key_F, Qt.Key.Key_I, Qt.Key.Key_M, Qt.Key.Key_N, Qt.Key.Key_Q})

    def event(self, event: QEvent) -> bool:  # noqa: D102
        if (
            isinstance(event, QKeyEvent)
            and event.type() is QEvent.Type.ShortcutOverride
            and event.modifiers() == Qt.KeyboardModifier.ControlModifier
            and event.key() in self.WINDOW_KEYS
        ):
            event.ignore()
            return False
        return super().event(event)


class SearchField(TextField):
    """A field with a lens, and a button that empties it; both grow with the font."""

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("search")
        self.setAccessibleName(name)
        self._theme = theme
        self._lens = ShapeLabel(theme, 14, self)
        self._lens.set_shape("search", Tone.QUIET)
        self.empty = IconButton(theme, "close", tr("Clear the search"), parent=self)
        self.empty.setObjectName("inField")
        self.empty.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.empty.setCursor(Qt.CursorShape.ArrowCursor)
        self.empty.clicked.connect(self.clear)
        self.empty.hide()
        self.textChanged.connect(self._on_text)
        self._on_text("")

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        edge = self._theme.px(tokens.SPACE_2)
        self._lens.move(edge, (self.height() - self._lens.height()) // 2)
        size = self.empty.sizeHint()
        self.empty.resize(size)
        self.empty.move(self.width() - size.width() - edge // 2, (self.height() - size.height()) // 2)

    def _on_text(self, text: str) -> None:
        self.empty.setVisible(bool(text))
        left, right = self._theme.px(tokens.SPACE_5), self._theme.px(tokens.SPACE_5 if text else 0)
        self.setTextMargins(left, 0, right, 0)


class ShapeLabel(QLabel):
    """An icon in the colour of a tone. It has no name: the word beside it says the same."""

    def __init__(self, theme: Theme, size: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._size = size
        self.shape_name = ""
        self._tone = Tone.PLAIN
        self.setSizePolicy(self.sizePolicy().Policy.Fixed, self.sizePolicy().Policy.Fixed)
        theme.changed.connect(self._renew)

    def set_shape(self, shape: str, tone: Tone) -> None:
        """Show another icon or tone."""
        if (shape, tone) != (self.shape_name, self._tone):
            self.shape_name, self._tone = shape, tone
            self._renew()

    def _renew(self) -> None:
        if self.shape_name:
            edge = self._theme.px(self._size)
            colour = self._theme.palette.of(self._tone)
            self.setPixmap(resources.pixmap(self.shape_name, colour, edge, self.devicePixelRatioF()))
            self.setFixedSize(edge, edge)


class ElidedLabel(QLabel):
    """A line of text that gives way to its neighbours, cut with an ellipsis; the whole is in the tool tip."""

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        least_chars: int = 8,
        cut: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__(parent)
        self._mode = cut
        self._least_chars = least_chars
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)

    def set_whole(self, text: str) -> None:
        """Show a text."""
        if text != self._whole:
            self._whole = text
            self.updateGeometry()
            self._cut()

    @property
    def whole(self) -> str:
        """Return the uncut text."""
        return self._whole

    def sizeHint(self) -> QSize:  # noqa: D102
        margins = self.contentsMargins()
        width = self.fontMetrics().horizontalAdvance(self._whole) + margins.left() + margins.right() + 2
        return QSize(width, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: D102
        whole = self.sizeHint()
        least = self.fontMetrics().averageCharWidth() * self._least_chars
        return QSize(min(whole.width(), least), whole.height())

    def resizeEvent(self, event: object) -> None:  # noqa: ARG002, D102
        self._cut()

    def _cut(self) -> None:
        room = self.contentsRect().width()
        cut = self.fontMetrics().elidedText(self._whole, self._mode, max(0, room))
        self.setText(cut)
        self.setToolTip(self._whole if cut != self._whole else "")
