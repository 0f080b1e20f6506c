"""How NovaDesk stands with newer versions of itself, among the settings, and a way to ask now."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from novadesk.conversation.updateapi import Offer, Unasked, UpdateRequests, UpdateStanding
from novadesk.errors import KnownError
from novadesk.text import Text
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.note import Note
from novadesk.ui.offer_dialog import OfferDialog
from novadesk.ui.theme import Theme
from novadesk.ui.words import when_words

CHECK_S = 90.0


class UpdateRow(QFrame):
    """A sentence, “Check now” where anybody can be asked, and what is new where something is.

    Args:
        live: the settings as they are used.
        bridge: asks.
        requests: answers.
    """

    def __init__(self, theme: Theme, live: LiveSettings, bridge: Bridge, requests: UpdateRequests) -> None:
        super().__init__()
        self._theme, self._live, self._bridge, self._requests = theme, live, bridge, requests
        self._offer: Offer | None = None
        self._asked = live.now.updates
        self.setObjectName("setting")
        name = QLabel(tr("This version"), self)
        name.setObjectName("settingLabel")
        name.setWordWrap(True)
        self.note = Note(theme, self, name="settingNote")
        self.check = QPushButton(tr("Check now"), self)
        self.news = QPushButton(tr("What is new…"), self)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.px(tokens.SPACE_2))
        for button in (self.check, self.news):
            button.setAutoDefault(False)
            button.hide()
            buttons.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        buttons.addStretch(1)
        self.check.clicked.connect(lambda _on: self._check())
        self.news.clicked.connect(lambda _on: self._open())
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_1)
        layout.setContentsMargins(theme.px(tokens.SPACE_3), edge, edge, theme.px(tokens.SPACE_2))
        layout.setSpacing(edge)
        layout.addWidget(name)
        layout.addWidget(self.note)
        layout.addLayout(buttons)
        live.changed.connect(self._on_changed)
        self._look()

    def _look(self) -> None:
        self._bridge.ask(
            self._requests.updates, lambda standing: self._show(standing, aloud=False), self._on_error, owner=self
        )

    def _on_changed(self) -> None:
        if self._live.now.updates != self._asked:
            self._asked = self._live.now.updates
            self._look()

    def _check(self) -> None:
        self.check.setEnabled(False)
        self.note.say(tr("Checking…"))
        self._bridge.ask(self._requests.check_updates, self._show, self._on_error, owner=self, deadline_s=CHECK_S)

    def _show(self, standing: UpdateStanding, *, aloud: bool = True) -> None:
        self._offer = standing.offer
        self.check.setEnabled(True)
        self.check.setVisible(standing.unasked in (None, Unasked.OFF))
        self.news.setVisible(standing.offer is not None)
        self.note.say(standing_words(standing), aloud=aloud)

    def _on_error(self, error: KnownError) -> None:
        self.check.setEnabled(True)
        self.note.tell(error)

    def _open(self) -> None:
        if self._offer is not None:
            OfferDialog(self._theme, self._offer, self._live, self.window()).open()


def standing_words(standing: UpdateStanding) -> str:
    """Return how things stand, in a sentence or two."""
    this, offer = Text("This is version {version}.", version=standing.version), standing.offer
    if standing.unasked not in (None, Unasked.OFF):
        return tr(Text.joined(this, standing.unasked.value))
    if offer is not None:
        return tr(Text.joined(this, Text("NovaDesk {version} is there.", version=offer.version), offer.unfit))
    if standing.trouble:
        return tr(Text.joined(this, standing.trouble))
    if standing.checked_ms is None:
        return tr(Text.joined(this, Text("Nobody was asked yet whether there is a newer one.")))
    when = when_words(standing.checked_ms)
    return tr("This is version {version}, the newest when it was checked: {when}.", version=standing.version, when=when)
