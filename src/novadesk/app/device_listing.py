"""`novadesk devices`: what is plugged in; no running core is needed."""

import asyncio
import json

from novadesk.app.command import own_command
from novadesk.app.output import put
from novadesk.audio.client import EngineSound
from novadesk.config import AudioSettings


def list_devices(*, as_json: bool) -> int:
    """Print microphones and speakers as the settings name them.

    Raises:
        KnownError: there is no sound system.
    """

    async def read() -> tuple[list[str], list[str]]:
        engine = EngineSound(own_command("engine"), AudioSettings())
        try:
            microphones, speakers = await engine.devices()
        finally:
            await engine.shutdown()
        return list(microphones), list(speakers)

    microphones, speakers = asyncio.run(read())
    if as_json:
        put(json.dumps({"microphones": microphones, "speakers": speakers}, indent=2))
    else:
        for title, names in (("Microphones", microphones), ("Speakers", speakers)):
            put(f"{title}:")
            for name in names or ["(none)"]:
                put(f"  {name}")
    return 0
