"""What the button beside an error does: one deed for each `Remedy`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication

from novadesk.conversation.api import Intents, Requests
from novadesk.errors import KnownError
from novadesk.models import BackendKind
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.error_bar import ErrorBar
from novadesk.ui.i18n import tr
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.words import error_words

if TYPE_CHECKING:
    from novadesk.catalogue import Entry

SIGN_IN_S = 610.0
"""A little longer than the core waits for the person in the browser."""

_SYNC_S = 120.0


class Remedies(QObject):
    """Carries out what the error bar's button promises, and says in the bar what came of it.

    Args:
        bar: where the button is.
        bridge: asks requests.
        intents: takes wishes.
        requests: signs in, syncs.
        settings: profile, region and key as they are now.
        show_setting: opens the settings at a row, such as "backend.region".
    """

    _told = Signal(str)  # from the core's thread

    def __init__(
        self,
        bar: ErrorBar,
        bridge: Bridge,
        intents: Intents,
        requests: Requests,
        settings: LiveSettings,
        show_setting: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bar, self._bridge, self._intents, self._requests = bar, bridge, intents, requests
        self._settings, self._show_setting = settings, show_setting
        self._asked: Question | None = None
        self._told.connect(self._on_told)
        bar.remedy_wanted.connect(self.carry_out)
        bar.cancel_wanted.connect(self.cancel)

    def carry_out(self, entry: "Entry") -> None:
        """Do what a row of the catalogue promises."""
        from novadesk.catalogue import Remedy
        from novadesk.permission import policy

        match entry.remedy:
            case Remedy.TRY_NOW:
                self._intents.try_now()
            case Remedy.SIGN_IN:
                self._sign_in()
            case Remedy.SETTINGS:
                self._show_setting(entry.target)
            case Remedy.POLICY:
                backend = self._settings.now.backend
                words = tr("The permissions are in the clipboard, as an IAM policy.")
                self._copy(policy(backend.region, backend.kms_key), words)
            case Remedy.COMMAND:
                self._copy(entry.target, tr("In the clipboard: {command}", command=entry.target))
            case Remedy.SYNC_NOW:
                self._sync()
            case Remedy.NEW_CONVERSATION:
                self._intents.new_conversation()
            case Remedy.WORDS:
                return

    def cancel(self) -> None:
        """Give up what is under way."""
        if self._asked is not None:
            self._asked.drop()
            self._asked = None
            self._bar.tell("")

    def _sign_in(self) -> None:
        if self._asked is not None:
            return
        self._bar.tell(tr("Waiting for your sign-in in the browser…"), busy=True)
        self._asked = self._bridge.ask(
            lambda: self._requests.sign_in(self._told.emit),
            self._on_signed_in,
            self._on_failed,
            owner=self,
            deadline_s=SIGN_IN_S,
        )

    def _on_told(self, address: str) -> None:
        if self._asked is not None:
            if self._settings.now.backend.kind is BackendKind.GATEWAY:  # AWS's program opens its page by itself
                QDesktopServices.openUrl(QUrl(address))
            words = tr("Waiting for your sign-in. If no browser has opened: {address}", address=address)
            self._bar.tell(words, busy=True)

    def _on_signed_in(self, signed_in: bool) -> None:
        self._asked = None
        if signed_in:
            self._bar.tell(tr("Signed in. Connecting…"))
            return
        import shlex

        from novadesk.awscli import sign_in_command

        command = shlex.join(sign_in_command(self._settings.now.backend.profile))
        words = tr(
            "The AWS program is not installed here. Run this where it is, then try now: {command}", command=command
        )
        self._copy(command, words)

    def _sync(self) -> None:
        if self._asked is not None:
            return
        self._bar.tell(tr("Syncing…"), busy=True)
        self._asked = self._bridge.ask(
            self._requests.pull, self._on_synced, self._on_failed, owner=self, deadline_s=_SYNC_S
        )

    def _on_synced(self, _turns: int) -> None:
        self._asked = None
        self._bar.tell(tr("Synced."))

    def _on_failed(self, error: KnownError) -> None:
        self._asked = None
        self._bar.tell(error_words(error))

    def _copy(self, text: str, words: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._bar.tell(words)
