"""How fast answers come, and where the time goes."""

from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from novadesk.conversation.api import AnswerDelay, Snapshot
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.i18n import decimal, tr
from novadesk.ui.theme import Theme

_INKS = ("muted", "accent", "good")
"""The palette's colours of the three parts, in order."""

_AT_ONCE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayPart:
    """A part of the wait for an answer, in words."""

    name: str
    seconds: float
    why: str


def answer_words(answer_s: float) -> str:
    """Return how fast the last answer came, such as "in 0.9 s"."""
    return tr("in under 0.1 s") if answer_s < _AT_ONCE_S else tr("in {s} s", s=decimal(answer_s, 1))


def delay_parts(delay: AnswerDelay) -> tuple[DelayPart, ...]:
    """Return what the wait for an answer was made of, in the order in which it passed."""
    return (
        DelayPart(
            name=tr("The end of your turn"),
            seconds=delay.endpointing_s,
            why=tr("The service waits whether you go on. A shorter pause can be set in Settings."),
        ),
        DelayPart(name=tr("The model"), seconds=delay.model_s, why=tr("Until the answer's first sound arrived.")),
        DelayPart(name=tr("This computer"), seconds=delay.client_s, why=tr("Until the speaker played it.")),
    )


def delay_words(delay: AnswerDelay) -> str:
    """Return the same in one line."""
    return " · ".join(f"{part.name} {_seconds(part.seconds)}" for part in delay_parts(delay))


class AnswerTime(QPushButton):
    """The time to the last answer; pressed, it shows what that time was made of."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("answers")
        self._theme = theme
        self._delay: AnswerDelay | None = None
        self._answer_s: float | None = None
        self.popover: AnswerPopover | None = None
        self.setAutoDefault(False)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self.show_parts)
        self._draw()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Write the time of the last answer, or nothing before the first one."""
        if (snapshot.answer_s, snapshot.answer_delay) != (self._answer_s, self._delay):
            self._answer_s, self._delay = snapshot.answer_s, snapshot.answer_delay
            self._draw()

    def show_parts(self) -> None:
        """Open the popover, when there is something to show."""
        if self._delay is None or self._answer_s is None or self.popover is not None:
            return
        self.popover = AnswerPopover(self._theme, self._answer_s, delay_parts(self._delay), self)
        self.popover.destroyed.connect(self._on_closed)
        self.popover.open_above(self)

    def _draw(self) -> None:
        known = self._answer_s is not None
        words = tr("Answers {fast}", fast=answer_words(self._answer_s)) if self._answer_s is not None else ""
        self.setText(words)
        self.setAccessibleName(words or tr("Time of the last answer"))
        self.setVisible(known)
        explained = known and self._delay is not None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if explained else Qt.FocusPolicy.NoFocus)
        self.setProperty("explained", explained)
        self.style().unpolish(self)
        self.style().polish(self)
        self.setToolTip(tr("Show where the time goes") if explained else "")
        self.setAccessibleDescription(self.toolTip())

    def _on_closed(self) -> None:
        self.popover = None


class AnswerPopover(QFrame):
    """The parts of the wait as one bar and in words. Escape or a click elsewhere closes it."""

    def __init__(self, theme: Theme, whole_s: float, parts: tuple[DelayPart, ...], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("popover")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        heading = QLabel(tr("The last answer came in {s} s", s=decimal(whole_s, 2)), self)
        heading.setObjectName("dialogHeading")
        heading.setIndent(0)
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px(tokens.SPACE_2))
        grid.setVerticalSpacing(theme.px(2))
        grid.setColumnStretch(1, 1)
        for number, part in enumerate(parts):
            name, value, why = QLabel(part.name, self), QLabel(_seconds(part.seconds), self), QLabel(part.why, self)
            why.setObjectName("dialogNote")
            why.setWordWrap(True)
            why.setContentsMargins(0, 0, 0, theme.px(6))
            name.setBuddy(value)
            grid.addWidget(_Patch(theme, _INKS[number], self), 2 * number, 0)
            grid.addWidget(name, 2 * number, 1)
            grid.addWidget(value, 2 * number, 2, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(why, 2 * number + 1, 1, 1, 2)
        self.said = ". ".join((heading.text(), *(f"{part.name}: {_seconds(part.seconds)}" for part in parts)))
        self.setAccessibleName(self.said)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_4)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_3), edge, edge)
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addWidget(heading)
        layout.addWidget(_Bar(theme, tuple(part.seconds for part in parts), self))
        layout.addLayout(grid)
        self.setFixedWidth(theme.px(320))

    def open_above(self, button: QWidget) -> None:
        """Show it above a button, its right edge over the button's, within the screen."""
        self.adjustSize()
        corner = button.mapToGlobal(QPoint(button.width() - self.width(), -self.height() - 4))
        room = button.screen().availableGeometry()
        corner.setX(max(room.left(), min(corner.x(), room.right() - self.width())))
        self.move(corner.x(), max(room.top(), corner.y()))
        self.show()
        self.setFocus(Qt.FocusReason.PopupFocusReason)
        announce(self, self.said)


class _Bar(QWidget):
    """The parts side by side, each as wide as its share."""

    def __init__(self, theme: Theme, parts: tuple[float, ...], parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._parts = theme, parts
        self.setFixedHeight(theme.px(10))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        gap = 2
        room = self.width() - gap * (len(self._parts) - 1)
        whole = sum(max(0.0, part) for part in self._parts) or 1.0
        left = 0.0
        for part, ink in zip(self._parts, _INKS, strict=True):
            width = max(2.0, room * max(0.0, part) / whole)
            painter.setBrush(QColor(getattr(self._theme.palette, ink)))
            painter.drawRoundedRect(QRectF(left, 0, width, self.height()), 2, 2)
            left += width + gap
        painter.end()


class _Patch(QWidget):
    """The colour of a part beside its name."""

    def __init__(self, theme: Theme, ink: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._ink = theme, ink
        self.setFixedSize(QSize(theme.px(10), theme.px(10)))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(getattr(self._theme.palette, self._ink)))
        painter.drawRoundedRect(QRectF(self.rect()), 2, 2)
        painter.end()


def _seconds(seconds: float) -> str:
    return tr("{s} s", s=decimal(seconds, 2))
