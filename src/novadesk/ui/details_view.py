"""The details drawer: what is in use, and why."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from novadesk.conversation.api import MicrophoneState, Snapshot
from novadesk.ui import tokens
from novadesk.ui.answer_time import answer_words, delay_words
from novadesk.ui.controls import IconButton
from novadesk.ui.i18n import shortcut, tr, trn, written
from novadesk.ui.key_names import trigger_words
from novadesk.ui.scenario_badge import in_force_words
from novadesk.ui.sound_note import sound_note
from novadesk.ui.theme import Theme
from novadesk.ui.words import connection_words, device_words, sync_words

_NONE = "–"


class DetailsView(QFrame):
    """Names and numbers of the session, in groups; every value can be selected and copied."""

    closed = Signal()
    diagnostics_wanted = Signal()
    inspector_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("drawer")
        self._theme = theme
        self._values: dict[str, QLabel] = {}
        title = QLabel(tr("Details"), self)
        title.setObjectName("drawerTitle")
        self.close_button = IconButton(theme, "close", tr("Close details"), shortcut="Ctrl+I", parent=self)
        self.close_button.clicked.connect(self.closed)
        top = QHBoxLayout()
        edge = theme.px(tokens.SPACE_4)
        top.setContentsMargins(edge, theme.px(10), theme.px(10), 0)
        top.addWidget(title, 1)
        top.addWidget(self.close_button)
        page = QWidget()
        page.setObjectName("drawerPage")
        self._page = QVBoxLayout(page)
        self._page.setContentsMargins(edge, 0, edge, edge)
        self._page.setSpacing(theme.px(tokens.SPACE_2))
        self._groups = QVBoxLayout()  # filled when it is opened first: most people never do
        self._groups.setSpacing(theme.px(tokens.SPACE_2))
        self._page.addLayout(self._groups)
        self._page.addSpacing(theme.px(tokens.SPACE_3))
        self.diagnostics = QPushButton(tr("Diagnostics…"))
        self.diagnostics.setToolTip(tr("Numbers of the last 24 hours and the report for a fault ({key})", key="F12"))
        self.diagnostics.clicked.connect(self.diagnostics_wanted)
        self.inspector = QPushButton(tr("Inspector…"))
        key = shortcut("Ctrl+Shift+I")
        words = tr("Ids of the session, where its sound is on its way, what happened when ({key})", key=key)
        self.inspector.setToolTip(words)
        self.inspector.clicked.connect(self.inspector_wanted)
        further = QHBoxLayout()
        further.setSpacing(theme.px(tokens.SPACE_2))
        for button in (self.diagnostics, self.inspector):
            further.addWidget(button)
        further.addStretch(1)
        self._page.addLayout(further)
        self._page.addStretch(1)
        area = QScrollArea(self)
        area.setObjectName("drawerArea")
        area.setAccessibleName(tr("Details"))
        area.setWidget(page)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addLayout(top)
        layout.addWidget(area, 1)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Write the values; hidden drawers are written when they are opened."""
        if not self._values:
            self._fill()
        conversation = snapshot.conversation
        tokens_used = snapshot.tokens
        fast = snapshot.answer_s
        values = {
            "backend": tr(snapshot.backend_name) or snapshot.backend.value,
            "model": snapshot.model,
            "voice": snapshot.voice,
            "scenario": "" if snapshot.scenario is None else snapshot.scenario.title,
            "in_force": in_force_words(snapshot) if snapshot.in_force is not None else "",
            "connection": connection_words(snapshot.connection),
            "answers": answer_words(fast) if fast is not None else "",
            "delay": delay_words(snapshot.answer_delay) if snapshot.answer_delay is not None else "",
            "label": conversation.label if conversation is not None else "",
            "resumed": trn("1 turn", "{n} turns", snapshot.recovered_turns) if snapshot.recovered_turns else "",
            "sync": sync_words(conversation) if conversation is not None else "",
            "pending": trn("1 turn", "{n} turns", snapshot.pending_sync) if snapshot.pending_sync else "",
            "unsaved": trn("1 turn", "{n} turns", snapshot.unsaved) if snapshot.unsaved else "",
            "keyring": tr(snapshot.keyring_note),
            "store": tr(snapshot.store_note),
            "settings": tr(snapshot.settings_note),
            "microphone": device_words(snapshot.microphone_name) or self._no_microphone(snapshot),
            "device": tr(snapshot.device_note),
            "input": sound_note(snapshot),
            "speaker": device_words(snapshot.speaker_name),
            "key": " · ".join(trigger_words(key) for key in snapshot.hotkeys),
            "key_note": tr(snapshot.hotkey_note),
            "speech_in": _number(tokens_used.speech_in),
            "speech_out": _number(tokens_used.speech_out),
            "text_in": _number(tokens_used.text_in),
            "text_out": _number(tokens_used.text_out),
        }
        for name, value in values.items():
            self._set(name, value)

    def value(self, name: str) -> str:
        """Return the shown text of a value, or nothing when its row is hidden."""
        label = self._values[name]
        return "" if label.isHidden() else label.text()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: D102
        super().showEvent(event)
        self._page.invalidate()  # Qt lets a page grow while it is first dressed, and does not tell its layout

    def _no_microphone(self, snapshot: Snapshot) -> str:
        return tr("closed") if snapshot.microphone is MicrophoneState.ABSENT else ""

    def _set(self, name: str, value: str) -> None:
        label = self._values[name]
        if name in (
            "delay",
            "device",
            "in_force",
            "input",
            "keyring",
            "key_note",
            "pending",
            "resumed",
            "scenario",
            "settings",
            "store",
            "unsaved",
        ):
            label.setVisible(bool(value))
            title = self._titles.get(name)
            if title is not None:
                title.setVisible(bool(value))
        text = value or _NONE
        if text != label.text():
            label.setText(text)

    def _fill(self) -> None:
        self._titles: dict[str, QLabel] = {}
        self._group(
            tr("Partner"),
            ("backend", tr("Backend")),
            ("model", tr("Model")),
            ("voice", tr("Voice")),
            ("in_force", ""),
            ("scenario", tr("Scenario")),
            ("connection", tr("Connection")),
            ("answers", tr("Answers")),
            ("delay", ""),
        )
        self._group(
            tr("Sound"),
            ("microphone", tr("Microphone")),
            ("device", ""),
            ("input", ""),
            ("speaker", tr("Speaker")),
            ("key", tr("Talk key")),
            ("key_note", ""),
        )
        self._group(
            tr("Conversation"),
            ("label", tr("Label")),
            ("resumed", tr("Carried over")),
            ("sync", tr("Sync")),
            ("pending", tr("All waiting")),
            ("unsaved", tr("Not saved yet")),
            ("keyring", ""),
            ("store", ""),
            ("settings", ""),
        )
        self._group(
            tr("Tokens since start"),
            ("speech_in", tr("Speech in")),
            ("speech_out", tr("Speech out")),
            ("text_in", tr("Text in")),
            ("text_out", tr("Text out")),
        )

    def _group(self, title: str, *rows: tuple[str, str]) -> None:
        heading = QLabel(title)
        heading.setObjectName("drawerHeading")
        self._groups.addSpacing(self._theme.px(tokens.SPACE_2))
        self._groups.addWidget(heading)
        for name, words in rows:
            value = QLabel(_NONE)
            value.setObjectName("drawerValue" if words else "drawerNote")
            value.setWordWrap(True)
            value.setTextFormat(Qt.TextFormat.PlainText)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._values[name] = value
            if not words:
                self._groups.addWidget(value)
                continue
            key = QLabel(words)
            key.setObjectName("drawerKey")
            key.setBuddy(value)
            key.setFixedWidth(self._theme.px(96))
            key.setWordWrap(True)
            self._titles[name] = key
            line = QHBoxLayout()
            line.setSpacing(self._theme.px(tokens.SPACE_2))
            line.addWidget(key, 0, Qt.AlignmentFlag.AlignTop)
            line.addWidget(value, 1)
            self._groups.addLayout(line)


def _number(count: int) -> str:
    return written(count) if count else ""
