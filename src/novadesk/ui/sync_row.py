"""The row under the history that asks for the other machines' turns, shows how far that is, and can stop it."""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.controls import IconButton
from novadesk.ui.i18n import tr, trn
from novadesk.ui.theme import Theme
from novadesk.ui.words import error_words

_PULL_S = 3600.0
_SAID_MS = 8000


class SyncRow(QWidget):
    """The progress of a sync, and what came of it for a while; `now` is the button that asks for it.

    `done` tells that a pull asked for here has ended well.
    """

    done = Signal()

    def __init__(self, bridge: Bridge, requests: Requests, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._requests = requests
        self._question: Question | None = None
        self._pulling: tuple[int, int] | None = None
        self._said = ""
        self.words = QLabel(self)
        self.words.setObjectName("syncWords")
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.now = IconButton(theme, "sync-now", tr("Sync now"), parent=parent)
        self.now.clicked.connect(self.pull)
        self.cancel = QPushButton(tr("Cancel"), self)
        self.cancel.setObjectName("small")
        self.cancel.setAccessibleName(tr("Cancel reading from the cloud"))
        self.cancel.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.cancel.clicked.connect(self.stop)
        self._fading = QTimer(self)
        self._fading.setSingleShot(True)
        self._fading.setInterval(_SAID_MS)
        self._fading.timeout.connect(self._fade)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(self.words, 1)
        layout.addWidget(self.cancel)
        self._draw()

    def show_progress(self, pulling: tuple[int, int] | None) -> None:
        """Draw how many of how many steps are read, None while nothing is."""
        if pulling != self._pulling:
            self._pulling = pulling
            self._draw()

    def say(self, words: str) -> None:
        """Show a line for a while."""
        self._said = words
        if words:
            self._fading.start()
            announce(self, words)
        self._draw()

    def pull(self) -> None:
        """Read what other machines wrote, unless that is under way."""
        if self._question is not None:
            return
        self._said = ""
        self._question = self._bridge.ask(
            self._requests.pull, self._on_pulled, self._on_error, owner=self, deadline_s=_PULL_S
        )
        self._draw()

    def stop(self) -> None:
        """Stop reading; what is there already stays."""
        question, self._question = self._question, None
        if question is not None:
            question.drop()
            self.say(tr("Stopped. What is here stays."))
            self.now.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_pulled(self, came: int) -> None:
        self._question = None
        self.say(trn("1 new turn came in.", "{n} new turns came in.", came) if came else tr("Up to date."))
        self.done.emit()

    def _on_error(self, error: KnownError) -> None:
        self._question = None
        self.say(error_words(error))

    def _fade(self) -> None:
        self._said = ""
        self._draw()

    def _draw(self) -> None:
        words = self._said
        if self._question is not None or self._pulling is not None:
            words = tr("Reading…")
            if self._pulling is not None and self._pulling[1]:
                done, whole = self._pulling
                words = tr("Reading {done} of {whole}", done=done, whole=whole)
        self.words.setText(words)
        self.setVisible(bool(words))
        self.cancel.setVisible(self._question is not None)
        self.now.setEnabled(self._question is None)
