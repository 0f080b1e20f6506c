"""The garbage collector of a program that runs for days: short and often, not long and seldom.

A search for AWS keys leaves about a thousand objects in cycles. As Python sets the collector they pile up to some
megabytes before a full collection comes, and that one then walks all that was ever imported.
"""

import gc
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from contextlib import contextmanager

_LOADED_S = 20.0
"""By then the slow imports and the first connection are over."""

_FULL_AFTER = 3
"""Collections of the middle generation before a full one; Python's own figure is 10."""


@contextmanager
def settled_heap(loop: AbstractEventLoop) -> Iterator[None]:
    """Collect often; take what a program has loaded after its start out of the collector's sight."""
    youngest, middle, _ = before = gc.get_threshold()
    gc.set_threshold(youngest, middle, _FULL_AFTER)
    loaded = loop.call_later(_LOADED_S, gc.freeze)
    try:
        yield
    finally:
        loaded.cancel()
        gc.set_threshold(*before)
