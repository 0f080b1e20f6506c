"""A partner without any speech parts: answers every utterance and text with a tone."""

import asyncio

from novadesk.server.call import Call, Heard, HungUp, Typed
from novadesk.server.partner.loudness import UtteranceMeter
from novadesk.server.partner.script import tone

HEARD = "(something was said)"
_TONE_MS = 300


class EchoPartner:
    """Tells apart only sound from silence. A text comes back in words."""

    async def converse(self, call: Call) -> None:
        """Answer until the caller hangs up."""
        meter = UtteranceMeter()
        while not isinstance(event := await call.receive(), HungUp):
            if isinstance(event, Heard):
                for _ in range(meter.take(event.pcm)):
                    await call.user_said(HEARD)
                    await self._answer(call, "I heard you.")
            elif isinstance(event, Typed):
                await self._answer(call, f"You wrote: {event.text}")

    async def _answer(self, call: Call, text: str) -> None:
        await call.plan(text)
        await call.speak(tone(_TONE_MS, call.output_rate_hz))
        await call.speech_ended(last=True)
        await asyncio.sleep(_TONE_MS / 1_000)
        await call.spoken(text, last=True)
