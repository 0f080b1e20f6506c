"""A quick start of the window: nothing is collected, and no source is read, until the first picture is there."""

import builtins
import gc


def hurry() -> None:
    """Load Qt for Python, and take out of the way what makes everything slow that is loaded after it.

    It replaces `__import__` by a function that reads the source of every module from then on, to see whether that could
    use `from __feature__ import …`, which NovaDesk does not. What is made during a start is there to stay, so that a
    collection, which comes time and again, finds nothing.
    """
    gc.disable()
    import PySide6.QtCore  # noqa: F401 - what it does to the interpreter is what is undone here

    builtins.__import__ = getattr(builtins, "__orig_import__", builtins.__import__)


def settle() -> None:
    """Collect again; what was made during the start is not looked at any more."""
    gc.freeze()
    gc.enable()
