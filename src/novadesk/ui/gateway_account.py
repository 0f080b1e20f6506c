"""Signing in to a gateway: in the browser, with a code, with a token that was given; how one stands, and out again."""

from collections.abc import Awaitable, Callable

from PySide6.QtCore import QDateTime, QLocale, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QKeyEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from novadesk.config import BackendSettings
from novadesk.conversation.firststeps import AccountRequests
from novadesk.errors import KnownError
from novadesk.models import DeviceCode, SignInStanding
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.controls import text_button
from novadesk.ui.flow_layout import FlowLayout
from novadesk.ui.i18n import tr
from novadesk.ui.note import Note
from novadesk.ui.theme import Theme
from novadesk.ui.wizard_page import Post

SIGN_IN_S = 1810.0
"""A little longer than the longest wait for the person."""


class AccountBox(QWidget):
    """The person's account at the gateway that the settings name.

    Args:
        theme: dresses.
        bridge: asks.
        steps: answers.
        backend: returns the settings as they are in the fields.
    """

    def __init__(
        self,
        theme: Theme,
        bridge: Bridge,
        steps: AccountRequests,
        backend: Callable[[], BackendSettings],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._bridge, self._steps, self._backend = theme, bridge, steps, backend
        self._code: DeviceCode | None = None
        self._question: Question | None = None
        self._asked: Question | None = None
        self._pages, self._codes = Post(self._on_page, self), Post(self.show_code, self)
        self.standing, self.note = Note(theme, self), Note(theme, self)
        self.browser = self._button(tr("Sign in with the browser"), self.sign_in)
        self.device = self._button(tr("Sign in with a code"), self.sign_in_with_code)
        self.out = self._button(tr("Sign out"), self._on_out)
        self.out.hide()
        self.pasted = _TokenLine(self)
        self.pasted.setEchoMode(QLineEdit.EchoMode.Password)
        self.pasted.setMaxLength(8192)
        self.pasted.setPlaceholderText(tr("Or paste a token"))
        self.pasted.setAccessibleName(tr("Token of the gateway"))
        self.pasted.returnPressed.connect(self._on_paste)
        self.take = self._button(tr("Use the token"), self._on_paste)
        self._make_code()
        self._lay_out()

    def look(self) -> None:
        """Show how the person stands with the gateway of the fields; nothing while they name none."""
        backend, steps = self._backend(), self._steps
        self._drop_look()
        if self._question is not None:
            return
        if not backend.gateway:
            self._show(SignInStanding(signed_in=False))
            return
        self._asked = self._bridge.ask(
            lambda: steps.account_standing(backend), self._on_standing, self._on_unknown, owner=self
        )

    def sign_in(self) -> None:
        """Open the page in the browser and wait, or stop."""
        backend, steps, post = self._backend(), self._steps, self._pages
        self._begin(
            lambda: steps.account_sign_in(backend, post.put), tr("Waiting for your sign-in in the browser…"), post
        )

    def sign_in_with_code(self) -> None:
        """Show a code and wait until it is entered, or stop."""
        backend, steps, post = self._backend(), self._steps, self._codes
        self._begin(lambda: steps.account_sign_in_with_code(backend, post.put), tr("Asking for a code…"), post)

    def show_code(self, code: DeviceCode) -> None:
        """Show what to enter elsewhere."""
        self._code = code
        self.code.setText(code.code)
        self.code.setAccessibleName(tr("Code to enter: {code}", code=code.code))
        self.address.setText(code.address)
        self.code_row.show()
        self.note.say(tr("Go to {address} and enter the code {code}.", address=code.address, code=code.code))

    def stop(self) -> None:
        """Give up on what is under way; nothing when nothing is."""
        self._drop_look()
        question, self._question = self._question, None
        if question is not None:
            question.drop()
            self._rest()
            self.note.say("")

    def _begin(self, work: Callable[[], Awaitable[object]], words: str, post: Post | None = None) -> None:
        if self._question is not None:
            self.stop()
            self.note.say(tr("Stopped."))
            return
        self._drop_look()
        self.note.say(words)
        if post is not None:
            post.start()
            self.browser.setText(tr("Stop"))
        for button in (self.device, self.take, self.out, self.pasted):
            button.setEnabled(False)
        self._question = self._bridge.ask(work, self._on_done, self._on_error, owner=self, deadline_s=SIGN_IN_S)

    def _rest(self) -> None:
        self._question = None
        self._pages.drop()
        self._codes.drop()
        self.code_row.hide()
        self.browser.setText(tr("Sign in with the browser"))
        for button in (self.device, self.take, self.out, self.pasted):
            button.setEnabled(True)

    def _drop_look(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.drop()

    def _on_page(self, address: str) -> None:
        if not QDesktopServices.openUrl(QUrl(address)):
            QApplication.clipboard().setText(address)
            self.note.say(tr("No browser opens. The address of the page is in the clipboard."), bad=True)

    def _on_paste(self) -> None:
        token, backend, steps = self.pasted.text(), self._backend(), self._steps
        self.pasted.clear()
        self._begin(lambda: steps.account_use_token(backend, token), tr("One moment…"))

    def _on_out(self) -> None:
        backend, steps = self._backend(), self._steps
        self._begin(lambda: steps.account_sign_out(backend), tr("One moment…"))

    def _on_done(self, _nothing: object) -> None:
        self._rest()
        self.note.say("")
        self.look()

    def _on_error(self, error: KnownError) -> None:
        self._rest()
        self.note.tell(error)

    def _on_standing(self, standing: SignInStanding) -> None:
        self._asked = None
        self._show(standing)

    def _on_unknown(self, error: KnownError) -> None:
        self._asked = None
        self.standing.tell(error)

    def _show(self, standing: SignInStanding) -> None:
        self.out.setVisible(standing.signed_in)
        self.standing.say(" ".join(filter(None, (standing_words(standing), tr(standing.note)))), aloud=False)

    def _make_code(self) -> None:
        self.code_row = QWidget(self)
        self.code, self.address = QLabel(self.code_row), QLabel(self.code_row)
        self.code.setFont(self._theme.font(tokens.FONT_TITLE))
        for label in (self.code, self.address):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
        self.copy = self._button(tr("Copy the code"), self._on_copy)
        self.open = self._button(tr("Open the page"), self._on_open)
        line = FlowLayout(self._theme.px(tokens.SPACE_2))
        for part in (self.code, self.copy, self.open, self.address):
            line.addWidget(part)
        self.code_row.setLayout(line)
        self.code_row.hide()

    def _on_copy(self) -> None:
        if self._code is not None:
            QApplication.clipboard().setText(self._code.code)

    def _on_open(self) -> None:
        if self._code is not None:
            self._on_page(self._code.whole_address)

    def _lay_out(self) -> None:
        gap = self._theme.px(tokens.SPACE_2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(gap)
        layout.addWidget(self.standing)
        ways, given = FlowLayout(gap), QHBoxLayout()
        for button in (self.browser, self.device, self.out):
            ways.addWidget(button)
        given.setSpacing(gap)
        given.addWidget(self.pasted, 1)
        given.addWidget(self.take)
        layout.addLayout(ways)
        layout.addLayout(given)
        layout.addWidget(self.code_row)
        layout.addWidget(self.note)

    def _button(self, words: str, do: Callable[[], None]) -> QPushButton:
        button = text_button(words, do, self)
        button.setObjectName("small")
        return button


class _TokenLine(QLineEdit):
    """Takes a token with Return, which then is not meant for the dialog around it."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        given = bool(self.text()) and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        super().keyPressEvent(event)
        if given:
            event.accept()


def standing_words(standing: SignInStanding) -> str:
    """Return how a person stands, as people read it."""
    if not standing.signed_in:
        return tr("You are not signed in.")
    if standing.until_ms is not None:
        until = QLocale().toString(QDateTime.fromMSecsSinceEpoch(standing.until_ms), QLocale.FormatType.ShortFormat)
        if standing.name:
            return tr("You are signed in as {name} until {time}.", name=standing.name, time=until)
        return tr("You are signed in until {time}.", time=until)
    return tr("You are signed in as {name}.", name=standing.name) if standing.name else tr("You are signed in.")
