"""The signals by which a server in front is told to stop."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def stop_signals(over: asyncio.Event) -> Iterator[None]:
    """Set `over` at SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGTERM, signal.SIGINT]
    if os.name == "posix":
        for number in numbers:
            loop.add_signal_handler(number, over.set)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)
        return
    kept = {number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(over.set)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
