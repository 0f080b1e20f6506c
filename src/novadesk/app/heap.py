"""The memory of a program that runs for days: collected regularly, and given back.

A search for AWS keys leaves about a thousand objects in cycles, a list of remote sessions as many. Left to Python's own
rule they pile up to a megabyte before a full collection comes, and that one walks all that was ever imported. The C
library keeps what was freed, too, and in a pool for each of the many short threads at that.
"""

import ctypes
import gc
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Iterator
from contextlib import contextmanager

_LOADED_S = 20.0
"""By then the slow imports and the first connection are over."""

_EVERY_S = 10.0
_M_ARENA_MAX = -8  # malloc.h of glibc


@contextmanager
def settled_heap(loop: AbstractEventLoop) -> Iterator[None]:
    """Take what a program has loaded after its start out of the collector's sight; collect and give back from then on.

    A collection walks only what has come since: some milliseconds. Nothing is collected elsewhere meanwhile: Python
    would do so in whichever thread needs room, and a window's object must not end in another thread than its own.
    """
    automatic = gc.isenabled()
    gc.disable()
    library = _find_glibc()
    timer: TimerHandle

    def settle() -> None:
        gc.freeze()
        tidy()

    def tidy() -> None:
        nonlocal timer
        gc.collect()
        if library is not None:
            library.malloc_trim(0)
        timer = loop.call_later(_EVERY_S, tidy)

    if library is not None:
        library.mallopt(_M_ARENA_MAX, 1)
    timer = loop.call_later(_LOADED_S, settle)
    try:
        yield
    finally:
        timer.cancel()
        if automatic:
            gc.enable()


def _find_glibc() -> ctypes.CDLL | None:
    """Return the C library where it is glibc, None where it is another one."""
    try:
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim") and hasattr(library, "mallopt"):
            return library
    except (OSError, TypeError):  # TypeError: Windows has no library of the program itself
        pass
    return None
