"""The keys of one action: each in words with what to know of it, one to remove it, and one to show another."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from novadesk.chord import Chord, caution, parse_keys
from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.bridge import Bridge
from novadesk.ui.controls import IconButton
from novadesk.ui.i18n import tr
from novadesk.ui.key_capture import CaptureButton
from novadesk.ui.key_names import chord_words
from novadesk.ui.theme import Theme


class KeyList(QWidget):
    """Edits a setting of keys.

    Args:
        add: the words of the button that asks for another.
        none: what to say while there is none.
    """

    changed = Signal()

    def __init__(
        self,
        *,
        add: str,
        none: str,
        bridge: Bridge,
        requests: Requests,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._chords: list[Chord] = []
        self.rows: list[_Row] = []
        self.empty = QLabel(none, self)
        self.empty.setObjectName("dialogNote")
        self.empty.setWordWrap(True)
        self.add = CaptureButton(add, bridge, requests, self)
        self.add.captured.connect(self.put)
        self._rows = QVBoxLayout()
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(theme.px(tokens.SPACE_1))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(self.empty)
        layout.addLayout(self._rows)
        layout.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)

    @property
    def keys(self) -> str:
        """Return the setting."""
        return ", ".join(map(str, self._chords))

    def show_keys(self, keys: str) -> None:
        """Show a setting, such as "f9, right_ctrl", without telling anybody; a name that is no key stays out."""
        try:
            chords = list(parse_keys(keys))
        except KnownError:
            chords = []
        if chords != self._chords:
            while self.rows:
                self._drop_row(self.rows[-1])
            self._chords = chords
            for chord in chords:
                self._add_row(chord)

    def put(self, chord: Chord) -> None:
        """Add a key."""
        if chord not in self._chords:
            self._chords.append(chord)
            self._add_row(chord)
            self.changed.emit()
        announce(self, chord_words(chord))

    def take(self, chord: Chord) -> None:
        """Remove a key."""
        at = self._chords.index(chord)
        del self._chords[at]
        self.add.setFocus(Qt.FocusReason.OtherFocusReason)
        self._drop_row(self.rows[at])
        self.changed.emit()

    def _drop_row(self, row: "_Row") -> None:
        self.rows.remove(row)
        self._rows.removeWidget(row)
        row.hide()
        row.deleteLater()
        self.empty.setVisible(not self.rows)

    def _add_row(self, chord: Chord) -> None:
        row = _Row(chord, self, self._theme)
        QWidget.setTabOrder(self.add, row.remove)  # there, and the button behind it: in front of the button
        QWidget.setTabOrder(row.remove, self.add)
        self._rows.addWidget(row)
        self.rows.append(row)
        self.empty.hide()


class _Row(QFrame):
    def __init__(self, chord: Chord, keys: KeyList, theme: Theme) -> None:
        super().__init__(keys)
        self.setObjectName("keyRow")
        words = chord_words(chord)
        name = QLabel(words, self)
        name.setObjectName("keyName")
        self.caution = QLabel(tr(caution(chord)), self)
        self.caution.setObjectName("dialogNote")
        self.caution.setWordWrap(True)
        self.remove = IconButton(theme, "close", tr("Remove {key}", key=words), parent=self)
        self.remove.clicked.connect(lambda: keys.take(chord))
        self.caution.setVisible(bool(self.caution.text()))
        text = QVBoxLayout()
        text.setSpacing(theme.px(2))
        text.addWidget(name)
        text.addWidget(self.caution)
        layout = QHBoxLayout(self)
        edge = theme.px(tokens.SPACE_1)
        layout.setContentsMargins(theme.px(tokens.SPACE_2), edge, edge, edge)
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addLayout(text, 1)
        layout.addWidget(self.remove, 0, Qt.AlignmentFlag.AlignTop)
