"""Tries one device in a process of its own, beside those in use."""

from collections.abc import Sequence

from novadesk.audio.child import OPEN_S, START_S, Child
from novadesk.audio.devices import Direction, is_title_of
from novadesk.audio.wire import Open, Opened, Ready
from novadesk.errors import KnownError


async def works_alone(command: Sequence[str], direction: Direction, title: str) -> bool:
    """Return whether a device opens and sound flows.

    Args:
        command: starts the audio process.
        direction: how the device is used.
        title: of the device.
    """
    try:
        child = await Child.start(command)
    except KnownError:
        return False
    try:
        if not isinstance(await child.receive(START_S), Ready):
            return False
        child.send(Open(microphone=title, speaker=title, generation=0, only=direction))
        report = await child.receive(OPEN_S)
    except KnownError:
        return False
    finally:
        await child.end()
    if not isinstance(report, Opened):
        return False
    return is_title_of(report.microphone if direction is Direction.MICROPHONE else report.speaker, title)
