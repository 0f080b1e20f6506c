"""Names what the open conversation was begun with, says whether the service has it, and leads to a change of it."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from novadesk.config import SensitivitySetting
from novadesk.conversation.api import Phase, Snapshot
from novadesk.scenario import LANGUAGES, SpeakingPace
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme

_WIDTH = 200
_OPENING = frozenset({Phase.CONNECTING, Phase.RENEWING, Phase.RECONNECTING})


class ScenarioBadge(QToolButton):
    """The scenario's title, or the voice where there is none, with a tick once the service works with it."""

    wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scenarioBadge")
        self._theme = theme
        self._shown: tuple[str, str] = ("", "")
        self._on_way = self._agreed = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        policy.setRetainSizeWhenHidden(True)  # its coming moves nothing
        self.setSizePolicy(policy)
        self.setMaximumWidth(theme.px(_WIDTH))
        self.clicked.connect(self.wanted)
        theme.changed.connect(self._dress)
        self._dress()
        self.hide()

    def sizeHint(self) -> QSize:  # noqa: D102
        hint = super().sizeHint()
        if self.toolButtonStyle() is not Qt.ToolButtonStyle.ToolButtonIconOnly:
            hint.setWidth(hint.width() - 2 * self.fontMetrics().horizontalAdvance(" "))  # Qt leaves them at the right
        return hint

    def set_narrow(self, narrow: bool) -> None:
        """Show a picture only, where there is no room for words."""
        style = Qt.ToolButtonStyle.ToolButtonIconOnly if narrow else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        self.setToolButtonStyle(style)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw what is in force."""
        self.setVisible(snapshot.conversation is not None and bool(snapshot.voice))
        words, more = badge_words(snapshot), in_force_words(snapshot)
        agreed = snapshot.in_force is not None and not snapshot.changing
        if agreed is not self._agreed:
            self._agreed = agreed
            self._dress()
        if (words, more) != self._shown:
            self._shown = (words, more)
            room = self._theme.px(_WIDTH - 44)
            self.setText(self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room))
            self.setAccessibleName(tr("Voice and instructions: {words}", words=words))
            self.setAccessibleDescription(more)
            self.setToolTip(f"{words}\n{more}")
        if self._on_way and agreed:
            announce(self, more)
        self._on_way = snapshot.changing or (_on_way(snapshot) and snapshot.scenario is not None)

    def _dress(self) -> None:
        edge = self._theme.px(tokens.SPACE_4)
        self.setIconSize(QSize(edge, edge))
        self.setIcon(self._theme.icon("check" if self._agreed else "scenario", None, edge))


def badge_words(snapshot: Snapshot) -> str:
    """Return the scenario's title, or the voice, and whether the service does not have it yet."""
    if snapshot.scenario is None:
        name = snapshot.voice.capitalize()
    else:
        name = snapshot.scenario.title
        if _on_way(snapshot):
            return tr("{name}, being sent…", name=name)
    return tr("{name}, changing…", name=name) if snapshot.changing else name


def _on_way(snapshot: Snapshot) -> bool:
    return snapshot.in_force is None and snapshot.phase in _OPENING


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
        return tr("{voice}, from the next connection on", voice=voice)
    parts = [voice, patience[snapshot.in_force.sensitivity]]
    if scenario is not None and not snapshot.changing:
        paces = {SpeakingPace.SLOW: tr("slow speech"), SpeakingPace.BRISK: tr("brisk speech"), None: ""}
        parts[1:1] = [part for part in (language, paces[scenario.pace]) if part]
    return tr("In force: {parts}", parts=", ".join(parts))
