"""Names what the open conversation was begun with, and opens the way to change it."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from novadesk.config import SensitivitySetting
from novadesk.conversation.api import Snapshot
from novadesk.scenario import LANGUAGES
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme

_WIDTH = 200


class ScenarioBadge(QToolButton):
    """The scenario's title, or the voice where there is none; says when a change is under way."""

    wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scenarioBadge")
        self._theme = theme
        self._shown: tuple[str, str] = ("", "")
        self._changing = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setMaximumWidth(theme.px(_WIDTH))
        self.clicked.connect(self.wanted)
        theme.changed.connect(self._dress)
        self._dress()
        self.hide()

    def set_narrow(self, narrow: bool) -> None:
        """Show a picture only, where there is no room for words."""
        style = Qt.ToolButtonStyle.ToolButtonIconOnly if narrow else Qt.ToolButtonStyle.ToolButtonTextOnly
        self.setToolButtonStyle(style)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw what is in force."""
        self.setVisible(snapshot.conversation is not None and bool(snapshot.voice))
        words, more = badge_words(snapshot), in_force_words(snapshot)
        if (words, more) != self._shown:
            self._shown = (words, more)
            room = self._theme.px(_WIDTH - 24)
            self.setText(self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room))
            self.setAccessibleName(tr("Voice and instructions: {words}", words=words))
            self.setAccessibleDescription(more)
            self.setToolTip(f"{words}\n{more}")
        if self._changing and not snapshot.changing and snapshot.in_force is not None:
            announce(self, tr("The change is in force."))
        self._changing = snapshot.changing

    def _dress(self) -> None:
        edge = self._theme.px(tokens.SPACE_4)
        self.setIconSize(QSize(edge, edge))
        self.setIcon(self._theme.icon("scenario", None, edge))


def badge_words(snapshot: Snapshot) -> str:
    """Return the scenario's title, or the voice, and whether another one is on its way."""
    name = snapshot.voice.capitalize() if snapshot.scenario is None else snapshot.scenario.title
    return tr("{name}, changing…", name=name) if snapshot.changing else name


def in_force_words(snapshot: Snapshot) -> str:
    """Return in a line with which voice, language and patience the service works now, or will."""
    patience = {
        SensitivitySetting.HIGH: tr("short pauses"),
        SensitivitySetting.MEDIUM: tr("medium pauses"),
        SensitivitySetting.LOW: tr("long pauses"),
    }
    scenario, voice = snapshot.scenario, snapshot.voice.capitalize()
    language = "" if scenario is None else tr(LANGUAGES.get(scenario.language, scenario.language))
    if snapshot.in_force is None:
        return tr("{voice}, from the next wire session on", voice=voice)
    pauses = patience[snapshot.in_force.sensitivity]
    if language and not snapshot.changing:
        return tr("In force: {voice}, {language}, {pauses}", voice=voice, language=language, pauses=pauses)
    return tr("In force: {voice}, {pauses}", voice=voice, pauses=pauses)
