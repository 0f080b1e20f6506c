"""Keys of the window: each does one thing, wherever the focus is."""

from collections.abc import Callable, Collection

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

type Wish = tuple[str, str, Callable[[], object]]


def add_actions(widget: QWidget, wishes: Collection[Wish], *, repeating: Collection[str] = ()) -> None:
    """Give a window keys: (keys, words for them, what they do); those in `repeating` do it while they are held."""
    for keys, words, wish in wishes:
        action = QAction(words, widget)
        action.setShortcut(QKeySequence(keys))
        action.setAutoRepeat(keys in repeating)
        action.triggered.connect(lambda _checked=False, wish=wish: wish())
        widget.addAction(action)
