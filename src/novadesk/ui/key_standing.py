"""How the talk keys stand with the desktop, and what there is to do without one."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from novadesk.chord import COMMANDS, LADDER
from novadesk.conversation.api import Snapshot
from novadesk.text import Text
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.i18n import tr
from novadesk.ui.key_names import trigger_words
from novadesk.ui.theme import Theme


class KeyStanding(QWidget):
    """What the desktop really bound, why not, and the ladder: the window's key, its button, a command."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[object, ...] = ()
        self.words = _note(self)
        self.words.setObjectName("standing")
        self.note = _note(self)
        self.ladder = QFrame(self)
        self.copies: list[QPushButton] = []
        self._commands: list[QLabel] = []
        rungs = QGridLayout(self.ladder)
        rungs.setContentsMargins(0, 0, 0, 0)
        rungs.setHorizontalSpacing(theme.px(tokens.SPACE_3))
        rungs.setVerticalSpacing(theme.px(tokens.SPACE_1))
        rungs.setColumnStretch(1, 1)
        ways = (
            tr("1. In NovaDesk's window: the talk key, or Space outside a text field."),
            tr("2. The talk button, held or pressed with the mouse."),
            tr("3. A key of the desktop's own settings that runs a command:"),
        )
        for way in ways:
            rungs.addWidget(_note(self, way), rungs.rowCount(), 0, 1, 3)
        for number in range(len(COMMANDS)):
            words = _note(self)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            button = QPushButton(tr("Copy command"), self)
            button.setObjectName("small")
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, number=number: self._copy(number))
            row = rungs.rowCount()
            rungs.addWidget(words, row, 1)
            rungs.addWidget(button, row, 2)
            self.copies.append(button)
            self._commands.append(words)
        self.show_commands(COMMANDS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        for widget in (self.words, self.note, self.ladder):
            layout.addWidget(widget)
        self.show_snapshot(Snapshot())

    def show_commands(self, commands: Sequence[str]) -> None:
        """Offer these commands, in the order of `COMMANDS`."""
        self._lines = tuple(commands)
        meanings = (tr("when it goes down"), tr("when it comes up"), tr("at each press, to begin and to end"))
        for command, meaning, words, copy in zip(self._lines, meanings, self._commands, self.copies, strict=True):
            words.setText(tr("{command}: {meaning}", command=command, meaning=meaning))
            copy.setAccessibleName(tr("Copy command {command}", command=command))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Say how the keys in use stand."""
        shown = (snapshot.hotkeys, snapshot.mute_hotkeys, snapshot.hotkey_note)
        if shown == self._shown:
            return
        self._shown = shown
        talk, mute = (_joined(keys) for keys in (snapshot.hotkeys, snapshot.mute_hotkeys))
        if talk and mute:
            words = tr("{talk} talks and {mute} mutes in every window.", talk=talk, mute=mute)
        elif talk:
            words = tr("{talk} talks in every window.", talk=talk)
        else:
            words = tr("No key talks in other programs' windows.")
        self.words.setText(words)
        self.note.setText(tr(_reason(snapshot.hotkey_note)))
        self.note.setVisible(bool(snapshot.hotkey_note))
        self.ladder.setVisible(not talk or bool(snapshot.hotkey_note))

    def _copy(self, number: int) -> None:
        QGuiApplication.clipboard().setText(self._lines[number])
        announce(self, tr("Copied."))


def _reason(note: str) -> str:
    """Return a note without the ladder in short, for here it stands in full."""
    parts = tuple(note.values.values()) if isinstance(note, Text) else ()
    return parts[0] if parts[1:] == (LADDER,) and isinstance(parts[0], str) else note


def _joined(keys: tuple[str, ...]) -> str:
    words = [trigger_words(key) for key in keys]
    return tr("{keys} or {last}", keys=", ".join(words[:-1]), last=words[-1]) if len(words) > 1 else "".join(words)


def _note(parent: QWidget, words: str = "") -> QLabel:
    label = QLabel(words, parent)
    label.setObjectName("dialogNote")
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
