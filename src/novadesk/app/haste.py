"""A quick start of the window: nothing is collected, no source is read, nothing compiled twice until it is painted."""

import builtins
import gc
from pathlib import Path

from novadesk.app.code_keeper import CodeKeeper


def hurry(folder: Path) -> CodeKeeper:
    """Load Qt for Python, and take out of the way what makes everything slow that is loaded after it.

    It replaces `__import__` by a function that reads the source of every module from then on, to see whether that could
    use `from __feature__ import …`, which NovaDesk does not. What is made during a start is there to stay, so that a
    collection, which comes time and again, finds nothing.

    Args:
        folder: for what may be lost.

    Returns:
        What is to be stopped once the window is painted.
    """
    gc.disable()
    keeper = CodeKeeper(folder)
    keeper.start()
    try:
        import PySide6.QtCore  # noqa: F401 - what it does to the interpreter is what is undone here
    except ImportError:
        settle(keeper)
        raise
    builtins.__import__ = getattr(builtins, "__orig_import__", builtins.__import__)
    return keeper


def settle(keeper: CodeKeeper) -> None:
    """Collect again; what was made during the start is not looked at any more. Idempotent."""
    keeper.stop()
    gc.freeze()
    gc.enable()
