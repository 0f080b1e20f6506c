"""What every page of the first steps is made of."""

from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QLabel,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from novadesk.config import Settings
from novadesk.conversation.api import Intents, Requests, Snapshot
from novadesk.conversation.firststeps import FirstSteps
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.theme import Theme

USE_S = 60.0
"""Ending a conversation and opening the store takes seconds; a slow disk some more."""

_TAKE_MS = 50


class Beginning(QObject):
    """Goes on with other settings; outlives the pages that want it.

    Args:
        bridge: carries the question.
        steps: answers it.
        live: knows which settings are in force.
        connected: anything is.

    Attributes:
        busy: a change is under way.
        error: why the last one failed.
    """

    changed = Signal()

    def __init__(
        self, bridge: Bridge, steps: FirstSteps, live: LiveSettings, parent: QObject, *, connected: bool
    ) -> None:
        super().__init__(parent)
        self._bridge, self._steps, self._live, self._connected = bridge, steps, live, connected
        self.busy = False
        self.error: KnownError | None = None

    def use(self, settings: Settings) -> None:
        """Use settings whose backend is another one than that in force."""
        steps = self._steps
        if self.busy or (self._connected and self._live.in_force.backend == settings.backend):
            return

        def used(_nothing: object) -> None:
            self._connected = True
            self._live.put_in_force(settings)
            self._rest(None)

        self.busy, self.error = True, None
        self._bridge.ask(lambda: steps.use(settings), used, self._rest, owner=self, deadline_s=USE_S)
        self.changed.emit()

    def _rest(self, error: KnownError | None) -> None:
        self.busy, self.error = False, error
        self.changed.emit()


class Surroundings:
    """What pages work with.

    Args:
        bridge: asks questions.
        requests: answers those of the window.
        steps: answers those of the first steps.
        intents: takes wishes.
        theme: dresses.
        beginning: goes on with what was chosen.
    """

    def __init__(
        self,
        bridge: Bridge,
        requests: Requests,
        steps: FirstSteps,
        intents: Intents,
        theme: Theme,
        beginning: "Beginning",
    ) -> None:
        self.bridge, self.requests, self.steps, self.intents, self.theme = bridge, requests, steps, intents, theme
        self.beginning = beginning
        self.voice_db: float | None = None  # of the person, once a recording has shown it


class WizardPage(QWidget):
    """One step. It edits a copy of the settings, and lets go of everything when it is left.

    Attributes:
        title: what the step is about.
        intro: what it is for, in one or two sentences.
    """

    changed = Signal()
    """Something was chosen."""

    news = Signal(QWidget)
    """This is to be seen."""

    title = ""
    intro = ""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.around = around
        theme = around.theme
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(theme.px(tokens.SPACE_3))

    def begin(self, settings: Settings) -> None:
        """Show the settings; the page is about to be seen."""

    def edited(self, settings: Settings) -> Settings:
        """Return the settings with what was chosen here.

        Raises:
            KnownError: what was chosen makes no sense.
        """
        return settings

    def leave(self) -> None:
        """End everything that the page began, devices first."""

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw a snapshot, where the page shows one."""

    def first_field(self) -> QWidget | None:
        """Return what is to have the focus, None for the button that goes on."""
        return None

    def tab_stops(self) -> list[QWidget]:
        """Return what of the page takes the focus, in the order of Tab."""
        stops: list[QWidget] = []
        stop = self.nextInFocusChain()
        while stop is not None and stop is not self:
            if self.isAncestorOf(stop) and stop.focusPolicy() & Qt.FocusPolicy.TabFocus:
                stops.append(stop)
            stop = stop.nextInFocusChain()
        return stops

    def choice(self, group: QButtonGroup, name: str, sentence: str) -> QRadioButton:
        """Add a choice with a sentence that says what it means."""
        theme = self.around.theme
        button, why = QRadioButton(name, self), QLabel(sentence, self)
        button.setAccessibleDescription(sentence)
        group.addButton(button)
        why.setObjectName("radioNote")
        why.setWordWrap(True)
        both = QVBoxLayout()
        both.setSpacing(theme.px(2))
        both.addWidget(button)
        both.addWidget(why)
        self.body.addLayout(both)
        return button

    def form(self, *rows: tuple[str, QWidget]) -> QFormLayout:
        """Add rows of label and field."""
        theme = self.around.theme
        form = QFormLayout()
        form.setHorizontalSpacing(theme.px(tokens.SPACE_4))
        form.setVerticalSpacing(theme.px(tokens.SPACE_2))
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for words, field in rows:
            label = QLabel(words, self)
            label.setBuddy(field)
            label.setMinimumWidth(theme.px(110))
            if isinstance(field, QComboBox):
                field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            named = field.lineEdit() if isinstance(field, QComboBox) else field
            if named is not None:
                named.setAccessibleName(words.replace("&", ""))
            form.addRow(label, field)
        self.body.addLayout(form)
        return form


class Post(QObject):
    """Carries values from the core's thread to the window's: put there, taken here.

    Args:
        take: takes each value, in order.
    """

    def __init__(self, take: Callable[[Any], None], parent: QObject) -> None:
        super().__init__(parent)
        self._take = take
        self._waiting: deque[Any] = deque(maxlen=200)
        self._timer = QTimer(self)
        self._timer.setInterval(_TAKE_MS)
        self._timer.timeout.connect(self._deliver)
        self.put = self._waiting.append

    def start(self) -> None:
        """Begin to deliver; what waited from before is dropped."""
        self._waiting.clear()
        self._timer.start()

    def stop(self) -> None:
        """Deliver what waits, and no more."""
        self._timer.stop()
        self._deliver()

    def drop(self) -> None:
        """Deliver nothing any more."""
        self._timer.stop()
        self._waiting.clear()

    def _deliver(self) -> None:
        while self._waiting:
            self._take(self._waiting.popleft())
