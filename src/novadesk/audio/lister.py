"""Asks for the sound devices as they are now."""

import asyncio
from collections.abc import Sequence

from novadesk.audio.child import START_S, Child, engine_died
from novadesk.audio.wire import Failed, List, Listed
from novadesk.text import Text

type Names = tuple[tuple[str, ...], tuple[str, ...]]
"""Of microphones and of speakers, the default first."""


class Lister:
    """Asks a fresh process each time: PortAudio's list never changes within one.

    Args:
        command: starts the audio process.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._requests: set[asyncio.Task[Names]] = set()

    async def devices(self) -> Names:
        """Return the names.

        Raises:
            KnownError: `SOUND_SERVER_GONE` or `ENGINE_DIED`.
        """
        request = asyncio.create_task(self._ask(), name="engine-devices")
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)
        try:
            return await request
        finally:
            request.cancel()

    async def close(self) -> None:
        """Answer nobody any more, and end the processes that were asked. Idempotent, never raises."""
        for request in self._requests:
            request.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)

    async def _ask(self) -> Names:
        child = await Child.start(self._command)
        try:
            child.send(List())
            while True:
                report = await child.receive(START_S)
                match report:
                    case None:
                        raise engine_died(Text("The audio process does not answer."))
                    case Listed():
                        return report.microphones, report.speakers
                    case Failed():
                        raise report.error()
        finally:
            await child.end()
