"""The key test: how often the talk keys are heard to go down and to come up, and never which."""

from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QElapsedTimer, QTimer
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from novadesk.config import TalkSettings
from novadesk.conversation.api import Requests, Talking
from novadesk.conversation.talkapi import KEY_TEST_S, KeyCount
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.i18n import tr, trn
from novadesk.ui.note import Note
from novadesk.ui.theme import Theme
from novadesk.ui.window_keys import WindowKeys

_DRAW_MS = 50
_PATIENCE_S = 180.0
"""The desktop may ask for the key first, and the person takes their time."""


def verdict(count: KeyCount) -> str:
    """Return what a count means."""
    if count.lost:
        return tr("The desktop stopped telling NovaDesk of keys during the test.")
    if count.presses and count.presses == count.releases:
        return tr("The key works in every window: NovaDesk hears when it goes down and when it comes up.")
    if count.presses > count.releases:
        return tr("NovaDesk hears when the key goes down, but not each time when it comes up.")
    if count.here:
        return tr("The key works in NovaDesk's window only: the desktop does not tell of it elsewhere.")
    if count.others:
        return tr("NovaDesk hears the keyboard, but not this key: another program may have taken it.")
    return tr("NovaDesk heard no key at all.")


def count_words(count: KeyCount) -> str:
    """Return how often it was heard."""
    presses = trn("1 press", "{n} presses", count.presses or count.here)
    if count.here and not count.presses:
        return tr("{presses}, in this window only", presses=presses)
    return tr("{presses}, {releases}", presses=presses, releases=trn("1 release", "{n} releases", count.releases))


class KeyTest(QWidget):
    """A button that counts for a while, how far that is, and what was heard.

    Args:
        settings: returns the keys to try.
        bridge: carries the question to the core and drops it when this goes.
        requests: counts.
        talking: takes the keys that this window sees.
    """

    def __init__(
        self,
        settings: Callable[[], TalkSettings],
        bridge: Bridge,
        requests: Requests,
        talking: Talking,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings, self._bridge, self._requests = settings, bridge, requests
        self._question: Question | None = None
        self._counts: deque[KeyCount] = deque()  # filled on the core's thread, emptied on ours
        self._began = QElapsedTimer()
        self._keys = WindowKeys(talking, TalkSettings(key=""), self)
        self.button = QPushButton(self)
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self.toggle)
        self.progress = QProgressBar(self)
        self.progress.setRange(0, round(KEY_TEST_S * 1000))
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(tr("Time of the test"))
        self.progress.hide()
        self.words = Note(theme, self)
        self._timer = QTimer(self)
        self._timer.setInterval(_DRAW_MS)
        self._timer.timeout.connect(self._draw)
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_3))
        line.addWidget(self.button)
        line.addWidget(self.progress, 1)
        line.addStretch(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addLayout(line)
        layout.addWidget(self.words)
        self.button.setText(_begin_words())
        self.words.say(
            tr("Press and let go of a talk key a few times. It is counted, and does nothing else."), aloud=False
        )

    @property
    def running(self) -> bool:
        """Return whether a test is under way."""
        return self._question is not None

    def toggle(self) -> None:
        """Begin a test, or call it off."""
        if self.running:
            self.stop()
            return
        settings = self._settings()
        counts = self._counts = deque()
        self._began.invalidate()
        self._keys.use(settings)
        self._keys.events.watch(self.window().windowHandle())
        self._question = self._bridge.ask(
            lambda: self._requests.try_keys(settings, counts.append),
            self._on_counted,
            self._on_error,
            owner=self,
            deadline_s=_PATIENCE_S,
        )
        self.button.setText(tr("Stop"))
        self.progress.show()
        self.words.say(tr("Waiting for the desktop…"))
        self._timer.start()

    def stop(self) -> None:
        """Call a test off."""
        question = self._question
        if question is not None:
            question.drop()
            self._rest()
            self.words.say(tr("The test was stopped."))

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: D102
        super().hideEvent(event)
        self.stop()

    def _draw(self) -> None:
        newest = None
        while self._counts:
            newest = self._counts.popleft()
        if newest is not None:
            if not self._began.isValid():
                self._began.start()
                self.words.say(tr("Press and let go of a talk key now."))
            if newest != KeyCount():
                self.words.say(count_words(newest), aloud=False)
        if self._began.isValid():
            self.progress.setValue(min(self._began.elapsed(), self.progress.maximum()))

    def _on_counted(self, count: KeyCount) -> None:
        self._rest()
        self.words.say(tr("{count}. {verdict}", count=count_words(count), verdict=verdict(count)))

    def _on_error(self, error: KnownError) -> None:
        self._rest()
        self.words.tell(error)

    def _rest(self) -> None:
        self._question = None
        self._timer.stop()
        self._keys.events.watch(None)
        self._keys.leave()
        self.progress.setValue(0)
        self.progress.hide()
        self.button.setText(_begin_words())


def _begin_words() -> str:
    return tr("Test for {n} seconds", n=round(KEY_TEST_S))
