"""What belongs among the settings and is none: buttons that lead on, what the desktop itself knows and remembers."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from novadesk.conversation.api import Requests, Snapshot, Talking
from novadesk.conversation.firststeps import AccountRequests, FirstSteps
from novadesk.errors import KnownError
from novadesk.models import BackendKind
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.gateway_account import AccountBox
from novadesk.ui.i18n import tr
from novadesk.ui.key_standing import KeyStanding
from novadesk.ui.key_test import KeyTest
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.note import Note
from novadesk.ui.theme import Theme


class ButtonRow(QFrame):
    """A sentence, and a button under it."""

    def __init__(self, theme: Theme, words: str, name: str, wish: Callable[[], object]) -> None:
        super().__init__()
        self.setObjectName("setting")
        why = QLabel(words, self)
        why.setObjectName("settingHelp")
        why.setWordWrap(True)
        self.button = QPushButton(name, self)
        self.button.setAutoDefault(False)
        self.button.setAccessibleDescription(words)
        self.button.clicked.connect(lambda: wish())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.px(tokens.SPACE_3), theme.px(tokens.SPACE_1), 0, theme.px(tokens.SPACE_2))
        layout.setSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(why)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)


class AutostartRow(QFrame):
    """Whether NovaDesk starts with the session: the desktop keeps that, and is asked for it."""

    def __init__(self, theme: Theme, bridge: Bridge, steps: FirstSteps) -> None:
        super().__init__()
        self._bridge, self._steps = bridge, steps
        self.setObjectName("setting")
        self._asked = False
        words = self._usual = tr(
            "Hidden, ready for the talk key, with the microphone closed. The desktop remembers this, not NovaDesk."
        )
        self.box = QCheckBox(self)
        self.box.setAccessibleName(tr("Start with the desktop"))
        self.box.setAccessibleDescription(words)
        self.box.setEnabled(False)
        self.box.clicked.connect(lambda _on: self._on_clicked())
        name = QLabel(tr("Start with the desktop"), self)
        name.setObjectName("settingLabel")
        name.setBuddy(self.box)
        name.setWordWrap(True)
        self.note = Note(theme, self, name="settingNote")
        self.note.say(words, aloud=False)
        text = QVBoxLayout()
        text.setSpacing(theme.px(2))
        text.addWidget(name)
        text.addWidget(self.note)
        layout = QHBoxLayout(self)
        edge = theme.px(tokens.SPACE_1)
        layout.setContentsMargins(theme.px(tokens.SPACE_3), edge, edge, theme.px(tokens.SPACE_2))
        layout.setSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(self.box, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(text, 1)
        bridge.ask(steps.autostart, self._on_known, self._on_error, owner=self)

    def _on_known(self, on: bool) -> None:
        self.box.setChecked(on)
        self.box.setEnabled(True)

    def _on_clicked(self) -> None:
        """Ask for what is ticked; what is ticked meanwhile is asked for after that: two at once may change places."""
        if self._asked:
            return
        on, steps, self._asked = self.box.isChecked(), self._steps, True

        def done(_nothing: object) -> None:
            self._asked = False
            self.note.say(self._usual, aloud=False)
            if self.box.isChecked() is not on:
                self._on_clicked()

        def refused(error: KnownError) -> None:
            self._asked = False
            self.box.setChecked(not on)
            self._on_error(error)

        self._bridge.ask(lambda: steps.set_autostart(on), done, refused, owner=self)

    def _on_error(self, error: KnownError) -> None:
        self.note.tell(error)


class AccountRow(QFrame):
    """The person's account at the gateway that is set, while one is talked with.

    Args:
        live: the settings as they are used.
        bridge: asks.
        steps: answers.
    """

    def __init__(self, theme: Theme, live: LiveSettings, bridge: Bridge, steps: AccountRequests) -> None:
        super().__init__()
        self._live = live
        self._place: tuple[str, str] | None = None
        self.setObjectName("setting")
        name = QLabel(tr("Sign-in at the gateway"), self)
        name.setObjectName("settingLabel")
        name.setWordWrap(True)
        self.note = Note(theme, self, name="settingNote")
        self.account = AccountBox(theme, bridge, steps, lambda: live.now.backend, self)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_1)
        layout.setContentsMargins(theme.px(tokens.SPACE_3), edge, edge, theme.px(tokens.SPACE_2))
        layout.setSpacing(edge)
        for part in (name, self.note, self.account):
            layout.addWidget(part)
        self._show()
        live.changed.connect(self._show)

    def _show(self) -> None:
        """Show the account, and ask anew how the person stands where another gateway is set."""
        backend = self._live.now.backend
        there = backend.kind is BackendKind.GATEWAY
        self.note.say("" if there else tr("Only with a gateway."), aloud=False)
        self.account.setVisible(there)
        place = (backend.gateway, backend.ca_bundle) if there else None
        if place != self._place:
            self._place = place
            self.account.stop()
            if there:
                self.account.look()


class TalkKeyRow(QFrame):
    """How the talk keys stand with the desktop, and a test of those that are set.

    Args:
        live: the settings as they are used.
        bridge: brings how the keys stand, and asks for the test.
        requests: answers it.
        talking: takes the keys that this window sees during the test.
    """

    def __init__(self, theme: Theme, live: LiveSettings, bridge: Bridge, requests: Requests, talking: Talking) -> None:
        super().__init__()
        self.setObjectName("setting")
        self.standing = KeyStanding(theme, self)
        self.test = KeyTest(lambda: live.now.talk, bridge, requests, talking, theme, self)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_1)
        layout.setContentsMargins(theme.px(tokens.SPACE_3), edge, edge, theme.px(tokens.SPACE_2))
        layout.setSpacing(theme.px(tokens.SPACE_1))
        for words, part in ((tr("On this desktop"), self.standing), (tr("Try the talk keys"), self.test)):
            if layout.count():
                layout.addSpacing(theme.px(tokens.SPACE_3))
            name = QLabel(words, self)
            name.setObjectName("settingLabel")
            name.setWordWrap(True)
            layout.addWidget(name)
            layout.addWidget(part)
        live.talk_changed.connect(self._on_talk_changed)
        bridge.snapshot_changed.connect(self.standing.show_snapshot)
        self.standing.show_snapshot(bridge.latest or Snapshot())
        bridge.ask(requests.talk_commands, self.standing.show_commands, lambda _error: None, owner=self)

    def _on_talk_changed(self) -> None:
        self.test.stop()
