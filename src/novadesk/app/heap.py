"""The memory of a program that runs for days: collected short and often, and given back.

A search for AWS keys leaves about a thousand objects in cycles. As Python sets the collector they pile up to some
megabytes before a full collection comes, and that one then walks all that was ever imported. What imports and
histories took for a moment stays with the C library, 30 MB after a start, unless it is told to let go.
"""

import ctypes
import gc
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOADED_S = 20.0
"""By then the slow imports and the first connection are over."""

_TRIM_S = 30.0
_FULL_AFTER = 3
"""Collections of the middle generation before a full one; Python's own figure is 10."""


@contextmanager
def settled_heap(loop: AbstractEventLoop) -> Iterator[None]:
    """Collect often; take what a program has loaded after its start out of the collector's sight; give memory back."""
    youngest, middle, _ = before = gc.get_threshold()
    trim = _find_trim()
    timer: TimerHandle

    def settle() -> None:
        gc.freeze()
        give_back()

    def give_back() -> None:
        nonlocal timer
        trim(0)
        timer = loop.call_later(_TRIM_S, give_back)

    gc.set_threshold(youngest, middle, _FULL_AFTER)
    timer = loop.call_later(_LOADED_S, settle)
    try:
        yield
    finally:
        timer.cancel()
        gc.set_threshold(*before)


def _find_trim() -> Callable[[int], object]:
    """Return glibc's `malloc_trim`, or nothing done where the C library is another one."""
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return lambda _pad: None
    return trim
