"""The talk keys inside a window: seen before its widgets see them, told as what they do."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QMouseEvent, QWindow
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

from novadesk.chord import Action, Binding, Key, KeyDown, KeyUp, KeyWatch, Origin, parse_bindings
from novadesk.config import TalkSettings
from novadesk.conversation.api import Talking
from novadesk.errors import KnownError
from novadesk.ui.key_names import button_name, chord_words, identities, is_modifier

SPACE = Key(name="space", origin=Origin.WINDOW)
"""Talks where no widget has another use for it."""

BUTTON = Key(name="talk button", origin=Origin.WINDOW)

_TYPED = frozenset({"a character of a text"})
_COMMANDS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
_DOWN = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
_CLICKED = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick)


class KeyEvents(QObject):
    """Takes the keys and the mouse's side buttons of one window at a time before its widgets do.

    Args:
        press: takes the names of a key that is down, repeats included; returns whether it is used up.
        release: takes the names of a key that came up; likewise.
        left: called when the window sees no keys any more.
    """

    def __init__(
        self,
        press: Callable[[frozenset[str]], bool],
        release: Callable[[frozenset[str]], bool],
        left: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._press, self._release, self._left = press, release, left
        self._window: QWindow | None = None
        self._down: dict[int, frozenset[str]] = {}
        QGuiApplication.instance().focusWindowChanged.connect(self._on_focus_window)  # type: ignore[union-attr]

    def watch(self, window: QWindow | None) -> None:
        """Take the keys of this window from now on, or of none."""
        if window is not self._window:
            if self._window is not None:
                self._window.removeEventFilter(self)
            self._window = window
            self._down.clear()
            if window is not None:
                window.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: D102
        if isinstance(event, QKeyEvent):
            used = self._take_key(event)
        elif isinstance(event, QMouseEvent) and (name := button_name(event.button())):
            names = frozenset({name})
            if event.type() in _CLICKED:
                used = self._press(names)
            else:
                used = event.type() is QEvent.Type.MouseButtonRelease and self._release(names)
        else:
            return False
        if used:
            event.accept()
        return used

    def _take_key(self, event: QKeyEvent) -> bool:
        place = event.nativeScanCode() or event.key()  # the symbol changes with Shift, the place does not
        if event.type() in _DOWN:
            if is_plain_space(event) or (event.isAutoRepeat() and place not in self._down):
                return False  # a key that went down where nobody saw it does not begin anything here
            names = self._down[place] = self._down.get(place) or _names(event)
            return bool(names) and self._press(names)
        if event.type() is QEvent.Type.KeyRelease and not event.isAutoRepeat():
            names = self._down.pop(place, frozenset())
            return bool(names) and self._release(names)
        return False

    def _on_focus_window(self, window: QWindow | None) -> None:
        if self._window is not None and window is not self._window:
            self._down.clear()
            self._left()


class WindowKeys(QObject):
    """Tells the core what the talk keys do while the window has the focus.

    Args:
        talking: takes what they do.
        settings: which keys.
    """

    def __init__(self, talking: Talking, settings: TalkSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._talking = talking
        self.events = KeyEvents(self._press, self._release, self.leave, self)
        self._bindings = _bindings(settings)
        self._watch = self._fresh()
        self._spaced = False

    def use(self, settings: TalkSettings) -> None:
        """Take these keys from now on; none where their names are no keys, which whoever binds them says."""
        bindings = _bindings(settings)
        if bindings != self._bindings:
            self._bindings = bindings
            self.leave()

    @property
    def words(self) -> str:
        """Return the first key that talks, as people read it, or an empty text."""
        talk = (binding.chord for binding in self._bindings if binding.action is Action.TALK)
        return next((chord_words(chord) for chord in talk), "")

    def press_space(self) -> None:
        """Take that Space is down, and no widget has another use for it."""
        self._spaced = True
        self._talking.take_key(KeyDown(key=SPACE))

    def release_space(self) -> None:
        """Take that Space came up, or writes from now on."""
        if self._spaced:
            self._spaced = False
            self._talking.take_key(KeyUp(key=SPACE))

    def leave(self) -> None:
        """Take that keys are not seen any more."""
        self._spaced = False
        self._watch = self._fresh()
        self._talking.lose_focus()

    def _fresh(self) -> KeyWatch:
        return KeyWatch(
            (binding.window_key, [frozenset({name}) for name in binding.chord.keys]) for binding in self._bindings
        )

    def _press(self, names: frozenset[str]) -> bool:
        told = self._watch.press(names)
        for event in told:
            # Which of two modifiers it is, is not known everywhere: an unknown one is no sign of a shortcut.
            if isinstance(event, KeyDown) or not is_modifier(names):
                self._talking.take_key(event)
        return any(isinstance(event, KeyDown) for event in told) and not is_modifier(names)

    def _release(self, names: frozenset[str]) -> bool:
        told = self._watch.release(names)
        for event in told:
            self._talking.take_key(event)
        return bool(told) and not is_modifier(names)


def is_plain_space(event: QKeyEvent) -> bool:
    """Return whether this is Space alone, which the widget that has the focus may want."""
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return event.key() == Qt.Key.Key_Space and held == Qt.KeyboardModifier.NoModifier


def is_text(widget: QWidget | None) -> bool:
    """Return whether a widget takes what is typed."""
    return isinstance(widget, QLineEdit | QTextEdit | QPlainTextEdit)


def _bindings(settings: TalkSettings) -> tuple[Binding, ...]:
    try:
        return parse_bindings(settings.key, settings.mute_key)
    except KnownError:
        return ()


def _names(event: QKeyEvent) -> frozenset[str]:
    """Return the names of a key; what is being written is a key of its own, which no chord has."""
    typed = event.text().isprintable() and bool(event.text()) and not event.modifiers() & _COMMANDS
    return _TYPED if typed and is_text(QApplication.focusWidget()) else identities(event)
