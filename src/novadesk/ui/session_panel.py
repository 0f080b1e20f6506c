"""What lies under the conversation: errors, talk button and text field."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from novadesk.chord import KeyDown, KeyUp
from novadesk.config import PressSetting
from novadesk.conversation.api import Intents, MicrophoneState, Phase, Snapshot, TalkMode
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.answer_time import AnswerTime
from novadesk.ui.composer import Composer
from novadesk.ui.controls import IconButton
from novadesk.ui.error_bar import ErrorBar
from novadesk.ui.i18n import tr
from novadesk.ui.key_note import KeyNote
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.sound_note import SoundNote
from novadesk.ui.states import HEARING, RESTING, hint, not_listening
from novadesk.ui.tab_order import chain
from novadesk.ui.talk_button import TalkButton, loudness
from novadesk.ui.theme import Theme
from novadesk.ui.volume import VolumeControl
from novadesk.ui.window_keys import BUTTON

if TYPE_CHECKING:
    from novadesk.ui.offer_note import OfferNote

_EDGE = tokens.SPACE_5
_UNHEARD_MS = 2000
_SPEECH = 0.6
"""How full the meter is while somebody speaks, 0 to 1."""


class Controls(QWidget):
    """Mute, talk and stop; how to talk; how loud and how fast answers come."""

    def __init__(self, intents: Intents, theme: Theme, volume: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._intents = intents
        self._theme = theme
        self._muted = self._unheard = self._deaf = self._heard = False
        self._key = ""
        self._since_unheard = QElapsedTimer()
        self.talk = TalkButton(theme, self)
        self.talk.hold_began.connect(lambda: intents.take_key(KeyDown(key=BUTTON)))
        self.talk.hold_ended.connect(lambda: intents.take_key(KeyUp(key=BUTTON)))
        self.talk.clicked.connect(intents.toggle_talk)
        self.mute = IconButton(
            theme, "microphone", tr("Mute"), shown=tr("Mute"), below=True, shortcut="Ctrl+M", parent=self
        )
        self.mute.clicked.connect(self.toggle_mute)
        self.stop = IconButton(
            theme, "stop", tr("Stop the answer"), shown=tr("Stop"), below=True, shortcut="Esc", parent=self
        )
        self.stop.clicked.connect(intents.stop_speaking)
        for button in (self.mute, self.stop):
            button.setObjectName("round")
        self.under = QLabel(self)
        self.under.setObjectName("talkHint")
        self.under.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.modes = self._make_modes()
        self.volume = VolumeControl(theme, volume, self)
        self.volume.changed.connect(intents.set_volume)
        self.answers = AnswerTime(theme, self)
        self._lay_out()

    def toggle_mute(self) -> None:
        """Mute, or unmute."""
        self._intents.set_muted(not self._muted)

    def show_levels(self, snapshot: Snapshot) -> None:
        """Draw what changes with the levels of the sound alone; all else is as `show_snapshot` has drawn it."""
        self.talk.set_state(
            active=self._heard,
            crossed=self._muted,
            microphone=snapshot.microphone_level if self._heard else 0.0,
            speaker=snapshot.speaker_level if snapshot.phase is Phase.SPEAKING else 0.0,
        )
        self._note_muted_talk(snapshot)
        self.under.setText(self._words_under(snapshot, self._key))

    def show_snapshot(self, snapshot: Snapshot, key: str) -> None:
        """Draw the controls; `key` is the talk key as people read it."""
        self._key = key
        self._muted = snapshot.muted
        self._deaf = not_listening(snapshot)
        self._heard = snapshot.microphone is MicrophoneState.OPEN and (
            snapshot.talking or (snapshot.talk_mode is TalkMode.HANDS_FREE and not self._deaf)
        )
        hands_free = snapshot.talk_mode is TalkMode.HANDS_FREE
        pressed = hands_free or snapshot.press is PressSetting.TOGGLE
        name = tr("Talk") if pressed else tr("Hold to talk")
        self.talk.setAccessibleName(name)
        self.talk.setToolTip(f"{name} ({key})")
        self.mute.set_icon("microphone-off" if self._muted else "microphone")
        self.mute.setText(tr("Unmute") if self._muted else tr("Mute"))
        self.mute.set_name(self.mute.text())
        self._modes_buttons[snapshot.talk_mode].setChecked(True)
        self.show_levels(snapshot)
        self.answers.show_snapshot(snapshot)

    def wide_width(self) -> int:
        """Return how much room the sides need beside the buttons, in pixels."""
        parts = (self._modes_box, self._middle, self.volume)
        return sum(part.sizeHint().width() for part in parts) + 2 * max(0, self._grid.horizontalSpacing())

    def set_narrow(self, narrow: bool) -> None:
        """Put the sides under the buttons where there is no room beside them."""
        middle = Qt.AlignmentFlag.AlignVCenter
        for side in (self._modes_box, self.volume):
            self._grid.removeWidget(side)
            self._below.removeWidget(side)
        if narrow:
            self._below.addWidget(self._modes_box, 0, middle)
            self._below.addStretch(1)
            self._below.addWidget(self.volume, 0, middle)
            return
        while self._below.takeAt(0) is not None:
            pass
        self._grid.addWidget(self._modes_box, 0, 0, middle | Qt.AlignmentFlag.AlignLeft)
        self._grid.addWidget(self.volume, 0, 2, middle | Qt.AlignmentFlag.AlignRight)

    def _note_muted_talk(self, snapshot: Snapshot) -> None:
        """Say it when somebody talks while muted: what is held or loud just now counts for `_UNHEARD_MS`."""
        loud = snapshot.talk_mode is TalkMode.HANDS_FREE and loudness(snapshot.microphone_level) >= _SPEECH
        if self._muted and (snapshot.talking or loud):
            self._since_unheard.start()
        passed = self._since_unheard.elapsed() if self._since_unheard.isValid() else _UNHEARD_MS
        unheard = self._muted and passed < _UNHEARD_MS
        if unheard != self._unheard:
            self._unheard = unheard
            self.under.setProperty("caution", unheard)
            self.under.style().unpolish(self.under)
            self.under.style().polish(self.under)
            if unheard:
                announce(self, tr("Muted: nobody hears you"))

    def _words_under(self, snapshot: Snapshot, key: str) -> str:
        if self._muted:
            return tr("Muted: nobody hears you") if self._unheard else tr("Muted")
        if snapshot.microphone is MicrophoneState.ABSENT and not snapshot.sound_opening and snapshot.phase in HEARING:
            return tr("No microphone")
        if self._deaf:
            return tr("Not listening while it speaks")
        if snapshot.talk_mode is TalkMode.HANDS_FREE:
            if snapshot.phase in RESTING:
                return tr("Press {key}", key=key)
            return tr("Listening") if self._heard and snapshot.phase in HEARING else tr("Hands-free")
        if self._heard:
            return tr("Press again to send") if snapshot.talk_locked else tr("Let go to send")
        return tr("Press {key}", key=key) if snapshot.press is PressSetting.TOGGLE else tr("Hold {key}", key=key)

    def _make_modes(self) -> QButtonGroup:
        box = self._modes_box = QFrame(self)
        box.setObjectName("segments")
        layout = QHBoxLayout(box)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        group = QButtonGroup(self)
        self._modes_buttons: dict[TalkMode, QPushButton] = {}
        words = {
            TalkMode.HOLD: (tr("Hold"), tr("Hold to talk")),
            TalkMode.HANDS_FREE: (tr("Hands-free"), tr("Talk hands-free")),
        }
        for mode, (shown, name) in words.items():
            button = QPushButton(shown, box)
            button.setCheckable(True)
            button.setObjectName("segment")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setAccessibleName(name)
            button.clicked.connect(lambda _checked=False, mode=mode: self._intents.set_talk_mode(mode))
            group.addButton(button)
            layout.addWidget(button)
            self._modes_buttons[mode] = button
        return group

    def mode_button(self, mode: TalkMode) -> QPushButton:
        """Return the button that chooses a mode."""
        return self._modes_buttons[mode]

    def _lay_out(self) -> None:
        words = (tr("Mute"), tr("Unmute"), tr("Stop"))
        width = max(self.fontMetrics().horizontalAdvance(word) for word in words) + self._theme.px(tokens.SPACE_5)
        for button in (self.mute, self.stop):  # one width, so that nothing moves when a word changes
            button.setFixedWidth(max(width, self._theme.px(72)))
        middle = self._middle = QHBoxLayout()
        middle.setSpacing(self._theme.px(tokens.SPACE_4))
        for widget in (self.mute, self.talk, self.stop):
            middle.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        grid = self._grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(self._theme.px(2))
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(2, 1)
        grid.addLayout(middle, 0, 1)
        below = QHBoxLayout()
        below.setSpacing(0)
        below.addStretch(1)
        below.addWidget(self.under)
        right = QHBoxLayout()
        right.addStretch(1)
        right.addWidget(self.answers)
        below.addLayout(right, 1)
        grid.addLayout(below, 1, 0, 1, 3)
        self._below = QHBoxLayout()
        grid.addLayout(self._below, 2, 0, 1, 3)
        self.set_narrow(False)


class SessionPanel(QWidget):
    """Controls and text field in one column under the conversation. `volume` is that of answers, 0 to 1."""

    def __init__(self, intents: Intents, theme: Theme, volume: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._theme = theme
        self._private: str | None = None
        self._live: LiveSettings | None = None
        self.offer: OfferNote | None = None
        self._narrow = False
        self.errors = ErrorBar(intents, theme, self)
        self.sound = SoundNote(theme, self)
        self.keys = KeyNote(theme, self)
        self.controls = Controls(intents, theme, volume, self)
        self.composer = Composer(intents, theme, self)
        self._column = QVBoxLayout()
        self._column.setSpacing(theme.px(tokens.SPACE_3))
        for widget in (self.errors, self.sound, self.keys, self.controls, self.composer):
            self._column.addWidget(widget)
        layout = QHBoxLayout(self)
        layout.setSpacing(0)
        edge = theme.px(_EDGE)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_2), edge, theme.px(tokens.SPACE_4))
        holder = QWidget(self)
        holder.setLayout(self._column)
        self._column.setContentsMargins(0, 0, 0, 0)
        holder.setMaximumWidth(theme.px(tokens.COLUMN_WIDTH + tokens.NAME_WIDTH))
        layout.addStretch(1)
        layout.addWidget(holder, 1000)
        layout.addStretch(1)

    def use(self, live: LiveSettings) -> None:
        """Follow these settings."""
        self._live = live
        self.keys.use(live)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        room = event.size().width() - 2 * self._theme.px(_EDGE)
        self.set_narrow(room < self.controls.wide_width())

    def set_narrow(self, narrow: bool) -> None:
        """Put side under side where there is no room for both."""
        if narrow is self._narrow:
            return
        self._narrow = narrow
        for part in (self.errors, self.sound, self.keys, self.controls):
            part.set_narrow(narrow)
        if self.offer is not None:
            self.offer.set_narrow(narrow)

    def show_snapshot(self, snapshot: Snapshot, key: str) -> None:
        """Draw errors, controls and hint; a draft for a private conversation goes with it."""
        private = snapshot.conversation.handle if snapshot.conversation and snapshot.conversation.private else None
        if self._private is not None and private != self._private:
            self.composer.forget()
        self._private = private
        self.errors.show_snapshot(snapshot)
        self.sound.show_snapshot(snapshot)
        self.keys.show_snapshot(snapshot)
        self._show_offer(snapshot)
        self.controls.show_snapshot(snapshot, key)
        self.composer.set_hint(hint(snapshot, key))

    def _show_offer(self, snapshot: Snapshot) -> None:
        """Draw the word on a newer version; it is made when there is one for the first time, which is rare."""
        if self.offer is None:
            if snapshot.update is None or self._live is None:
                return
            from novadesk.ui.offer_note import OfferNote

            self.offer = OfferNote(self._theme, self._live, self._column.parentWidget())
            self.offer.set_narrow(self._narrow)
            self._column.insertWidget(self._column.indexOf(self.controls), self.offer)
            chain((self.keys.close_button, self.offer.way_out, self.offer.close_button))
        self.offer.show_snapshot(snapshot)
