"""The mini strip: state, level, mute, stop and the last words, in front of other windows and out of the way."""

from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QHideEvent, QMouseEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from novadesk.conversation.api import Intents, MicrophoneState, Phase, Snapshot
from novadesk.ui import placement, tokens
from novadesk.ui.controls import ElidedLabel, IconButton
from novadesk.ui.header import StateLabel
from novadesk.ui.i18n import tr
from novadesk.ui.level_meter import LevelMeter
from novadesk.ui.theme import Theme

_WIDTH, _HEIGHT, _METER = 384, 56, 48


class MiniStrip(QFrame):
    """Never takes the focus: what the person types goes on in the window where they type it.

    Args:
        intents: takes wishes.
        file: keeps where the strip lies; None keeps that nowhere.
    """

    window_wanted = Signal()
    """The whole window is to come back."""

    shown_changed = Signal(bool)

    def __init__(self, intents: Intents, theme: Theme, file: Path | None = None) -> None:
        super().__init__()
        kind = Qt.WindowType
        self.setWindowFlags(
            kind.Tool | kind.FramelessWindowHint | kind.WindowStaysOnTopHint | kind.WindowDoesNotAcceptFocus
        )
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_MacAlwaysShowToolWindow)
        self.setObjectName("strip")
        self.setWindowTitle(tr("NovaDesk, mini strip"))
        self.setAccessibleName(tr("Mini strip"))
        self._intents, self._theme, self._file = intents, theme, file
        self._muted, self._placed = False, False
        self._held: QPoint | None = None
        self.state = StateLabel(theme, self, gives_way=True)
        self.state.set_narrow(True)
        self.caption = ElidedLabel(self, least_chars=0, cut=Qt.TextElideMode.ElideLeft)
        self.caption.setObjectName("backend")
        self.meter = LevelMeter(theme, self, worded=False)
        self.mute = IconButton(theme, "microphone", tr("Mute"), parent=self)
        self.mute.clicked.connect(lambda: intents.set_muted(not self._muted))
        self.stop = IconButton(theme, "stop", tr("Stop the answer"), parent=self)
        self.stop.clicked.connect(intents.stop_speaking)
        self.back = IconButton(theme, "window", tr("Back to the window"), parent=self)
        self.back.clicked.connect(self._on_back)
        for button in (self.mute, self.stop, self.back):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._lay_out()
        theme.dress(self)

    def appear(self) -> None:
        """Show the strip where it was the last time, at first in the corner of the screen."""
        if not self._placed:
            self._placed = True
            room, edge = self.screen().availableGeometry(), self._theme.px(tokens.SPACE_5)
            self.move(room.right() - self.width() - edge, room.bottom() - self.height() - edge)
            if self._file is not None:
                placement.put_back(self, self._file)
        self.show()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        self.state.show_snapshot(snapshot)
        if snapshot.microphone is MicrophoneState.OPEN:
            self.meter.show_level(snapshot.microphone_level)
        else:
            self.meter.clear()
        muted = snapshot.muted
        if muted is not self._muted:
            self._muted = muted
            self.mute.set_icon("microphone-off" if muted else "microphone")
            self.mute.set_name(tr("Unmute") if muted else tr("Mute"))
        self.stop.setEnabled(snapshot.phase in (Phase.THINKING, Phase.TOOL, Phase.SPEAKING))
        self.caption.set_whole(last_words(snapshot))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        handle = self.windowHandle()
        if event.button() is Qt.MouseButton.LeftButton and not (handle and handle.startSystemMove()):
            self._held = event.globalPosition().toPoint() - self.pos()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        if self._held is not None:
            self.move(event.globalPosition().toPoint() - self._held)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: ARG002, D102
        self._held = None

    def showEvent(self, event: QShowEvent) -> None:  # noqa: D102
        super().showEvent(event)
        self.shown_changed.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: D102
        super().hideEvent(event)
        if self._file is not None:
            placement.keep(self, self._file)
        self.shown_changed.emit(False)

    def _on_back(self) -> None:
        self.hide()
        self.window_wanted.emit()

    def _lay_out(self) -> None:
        px = self._theme.px
        self.meter.setFixedWidth(px(_METER))
        words = QVBoxLayout()
        words.setSpacing(px(2))
        words.addStretch(1)
        words.addWidget(self.state)
        words.addWidget(self.caption)
        words.addStretch(1)
        line = QHBoxLayout(self)
        line.setContentsMargins(px(tokens.SPACE_3), px(tokens.SPACE_1), px(tokens.SPACE_2), px(tokens.SPACE_1))
        line.setSpacing(px(tokens.SPACE_1))
        line.addLayout(words, 1)
        line.addSpacing(px(tokens.SPACE_2))
        line.addWidget(self.meter)
        line.addSpacing(px(tokens.SPACE_1))
        for button in (self.mute, self.stop, self.back):
            line.addWidget(button)
        self.setFixedSize(px(_WIDTH), px(_HEIGHT))


def last_words(snapshot: Snapshot) -> str:
    """Return what is being said, else what was said last; what went wrong comes before both."""
    if snapshot.error is not None:
        return tr(snapshot.error.what)
    said = [live.spoken for live in snapshot.live if live.spoken] or [turn.heard_text for turn in snapshot.turns[-1:]]
    return " ".join(said[-1].split()) if said else ""
