"""Several calls side by side, none of which outlives the others."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together[T](*work: Coroutine[Any, Any, T]) -> list[T]:
    """Return the results in order. When one fails, the others are cancelled and over before its error is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
