"""First steps, pages 4 and 5: how to talk, and a first exchange."""

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QWidget,
)

from novadesk.chord import KeyDown, KeyUp, parse_bindings
from novadesk.config import Settings, TalkModeSetting
from novadesk.conversation.api import Phase, Snapshot, TalkMode
from novadesk.errors import KnownError
from novadesk.models import Role
from novadesk.ui import tokens
from novadesk.ui.controls import ShapeLabel
from novadesk.ui.i18n import tr
from novadesk.ui.key_list import KeyList
from novadesk.ui.note import Note
from novadesk.ui.states import line_of, state_words
from novadesk.ui.window_keys import BUTTON
from novadesk.ui.wizard_page import Surroundings, WizardPage


class KeyPage(WizardPage):
    """Hold a key to talk, or talk freely."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.title = tr("How do you want to talk?")
        self.intro = tr("With a key NovaDesk hears you only while you hold it. Space always works in the window.")
        self.modes: dict[TalkModeSetting, QRadioButton] = {}
        group = QButtonGroup(self)
        for mode, name, sentence in (
            (TalkModeSetting.HOLD, tr("Hold a key"), tr("You decide when NovaDesk hears you.")),
            (TalkModeSetting.HANDS_FREE, tr("Hands-free"), tr("NovaDesk hears you all the time in a conversation.")),
        ):
            self.modes[mode] = self.choice(group, name, sentence)
            self.modes[mode].toggled.connect(self.changed)
        self._mute_key = ""
        self.keys = KeyList(
            add=tr("Add a talk key…"),
            none=tr("None but Space, in NovaDesk's window."),
            bridge=around.bridge,
            requests=around.requests,
            theme=around.theme,
            parent=self,
        )
        self.keys.changed.connect(self._on_keys)
        label = QLabel(tr("Talk &keys"), self)
        label.setBuddy(self.keys.add)
        self.note = Note(self.around.theme, self)
        self.body.addWidget(label)
        self.body.addWidget(self.keys)
        self.body.addWidget(self.note)
        self.body.addStretch(1)

    def begin(self, settings: Settings) -> None:  # noqa: D102
        self.modes[settings.talk.mode].setChecked(True)
        self._mute_key = settings.talk.mute_key
        self.keys.show_keys(settings.talk.key)
        self._on_keys()

    def edited(self, settings: Settings) -> Settings:  # noqa: D102
        mode = next(mode for mode, button in self.modes.items() if button.isChecked())
        parse_bindings(self.keys.keys, settings.talk.mute_key)
        return replace(settings, talk=replace(settings.talk, mode=mode, key=self.keys.keys))

    def leave(self) -> None:  # noqa: D102
        self.keys.add.stop()

    def first_field(self) -> QWidget | None:  # noqa: D102
        return next(button for button in self.modes.values() if button.isChecked())

    def _on_keys(self) -> None:
        try:
            parse_bindings(self.keys.keys, self._mute_key)
        except KnownError as error:
            self.note.tell(error)
        else:
            elsewhere = tr("They work while other programs are in front, where the desktop allows it.")
            self.note.say(elsewhere if self.keys.keys else "")
        self.changed.emit()


class SendField(QLineEdit):
    """A text field in which Return sends, and does not press the dialog's own button."""

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.text().strip():
            self.returnPressed.emit()
            event.accept()
        else:
            super().keyPressEvent(event)


class TryPage(WizardPage):
    """A first exchange with whom was chosen, in a real conversation."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        theme = around.theme
        self.title = tr("Say hello")
        self.intro = tr("This is a real conversation, and it goes on in the window afterwards.")
        self._seen = False
        self._heard_from = 0
        self._snapshot = Snapshot()
        around.beginning.changed.connect(self._draw)
        self.shape = ShapeLabel(theme, 18, self)
        self.state = QLabel(self)
        self.talk = QPushButton(self)
        self.talk.setObjectName("primary")
        self.talk.setAutoDefault(False)
        self.talk.pressed.connect(lambda: around.intents.take_key(KeyDown(key=BUTTON)))
        self.talk.released.connect(lambda: around.intents.take_key(KeyUp(key=BUTTON)))
        self.field = SendField(self)
        self.field.setPlaceholderText(tr("… or type a message"))
        self.field.setAccessibleName(tr("Message"))
        self.field.returnPressed.connect(self._on_send)
        self.said = self._words(tr("You"))
        self.answer = self._words(tr("Nova"))
        self.note = Note(theme, self)
        self.autostart = QCheckBox(tr("&Start NovaDesk with this computer, in the tray"), self)
        self.autostart.clicked.connect(self._on_autostart)
        self._lay_out()

    def _words(self, name: str) -> QLabel:
        words = QLabel(self)
        words.setAccessibleDescription(name)
        words.setWordWrap(True)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return words

    def _lay_out(self) -> None:
        theme = self.around.theme
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_2))
        line.addWidget(self.shape)
        line.addWidget(self.state, 1)
        line.addWidget(self.talk)
        self.body.addLayout(line)
        self.body.addWidget(self.field)
        for name, words in ((tr("You"), self.said), (tr("Nova"), self.answer)):
            self.body.addLayout(self._spoken(name, words))
        self.body.addWidget(self.note)
        self.body.addStretch(1)
        self.body.addWidget(self.autostart)

    def _spoken(self, name: str, words: QLabel) -> QHBoxLayout:
        theme = self.around.theme
        who = QLabel(name, self)
        who.setObjectName("wizardName")
        who.setMinimumWidth(theme.px(48))
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_3))
        line.addWidget(who, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(words, 1, Qt.AlignmentFlag.AlignTop)
        return line

    def begin(self, settings: Settings) -> None:  # noqa: D102
        self._seen = True
        self._heard_from = len(self._snapshot.turns)
        for words in (self.said, self.answer):
            words.clear()
        hold = settings.talk.mode is TalkModeSetting.HOLD
        self.talk.setText(tr("Hold to &talk") if hold else tr("&Talk"))
        self.around.intents.set_talk_mode(TalkMode(settings.talk.mode.value))
        bridge, steps = self.around.bridge, self.around.steps
        bridge.ask(
            steps.autostart, self.autostart.setChecked, lambda _error: self.autostart.setEnabled(False), owner=self
        )
        self.around.beginning.use(settings)
        self._draw()

    def leave(self) -> None:  # noqa: D102
        self._seen = False
        self.around.intents.lose_focus()

    def first_field(self) -> QWidget | None:  # noqa: D102
        return self.talk

    def show_snapshot(self, snapshot: Snapshot) -> None:  # noqa: D102
        self._snapshot = snapshot
        if self._seen:
            self._draw()

    def _draw(self) -> None:
        snapshot, beginning = self._snapshot, self.around.beginning
        line = line_of(snapshot)
        words = state_words(snapshot, snapshot.retry_in_s)
        self.shape.set_shape(line.shape, line.tone)
        self.state.setText(tr("{state} · {backend}", state=words, backend=tr(snapshot.backend_name)))
        if beginning.busy:
            self._heard_from = 0
            self.note.say(tr("Connecting…"))
            return
        fresh = snapshot.turns[self._heard_from :]
        for label, role in ((self.said, Role.USER), (self.answer, Role.ASSISTANT)):
            live = next((text.spoken for text in snapshot.live if text.role is role), "")
            label.setText(live or next((turn.text for turn in reversed(fresh) if turn.role is role), ""))
        error = beginning.error or (snapshot.error if snapshot.phase is Phase.FAILED else None)
        if error is not None:
            self.note.tell(error)
        elif any(turn.role is Role.ASSISTANT for turn in fresh):
            self.note.say(tr("It works. You are ready."))
        else:
            self.note.say("")

    def _on_send(self) -> None:
        text = self.field.text().strip()
        if text:
            self.around.intents.say(text)
            self.field.clear()

    def _on_error(self, error: KnownError) -> None:
        self.note.tell(error)

    def _on_autostart(self, on: bool) -> None:
        def refused(error: KnownError) -> None:
            self.autostart.setChecked(not on)
            self._on_error(error)

        steps = self.around.steps
        self.around.bridge.ask(lambda: steps.set_autostart(on), lambda _nothing: None, refused, owner=self)
