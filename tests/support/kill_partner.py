"""A partner that answers at once, and remembers what it was told of the conversation so far."""

import asyncio
import os
import time
from dataclasses import dataclass, field

from novadesk.server.call import Call, Heard, HungUp, Typed

THINKS_S = 0.12
SPEAKS_S = 0.3
_QUIET_BYTES = 5 * 1_024


@dataclass(slots=True, kw_only=True)
class Talk:
    """One wire session: what was replayed, and what was asked in it."""

    began: float
    history: list[str]
    asked: list[str] = field(default_factory=list)
    open: bool = True


class PromptPartner:
    """Makes the partner of each call; numbers what is spoken, over all of them."""

    def __init__(self) -> None:
        self.talks: list[Talk] = []
        self.spoken = 0

    def __call__(self) -> "PromptPartner":
        return self

    async def converse(self, call: Call) -> None:
        """Answer each typed text, and each sound that is followed by quiet."""
        history = [line for message in call.history for line in message.text.split("\n")]
        talk = Talk(began=time.monotonic(), history=history)
        self.talks.append(talk)
        answering: asyncio.Task[None] | None = None
        quiet_bytes, heard = 0, False
        try:
            while True:
                match await call.receive():
                    case HungUp():
                        return
                    case Typed(text):
                        talk.asked.append(text)
                        answering = asyncio.create_task(_answer(call, _answer_to(text)))
                    case Heard(pcm) if any(pcm):
                        quiet_bytes, heard = 0, True
                    case Heard(pcm) if heard:
                        quiet_bytes += len(pcm)
                        if quiet_bytes >= _QUIET_BYTES:
                            heard = False
                            self.spoken += 1
                            await call.user_speech_ended()
                            said = f"spoken {os.getpid()}-{self.spoken}"
                            await call.user_said(said)
                            answering = asyncio.create_task(_answer(call, _answer_to(said)))
                    case _:
                        pass
        finally:
            talk.open = False
            if answering is not None:
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)


def _answer_to(said: str) -> str:
    """Return the answer to a question, typed or spoken; a spoken one that goes unanswered is asked again in writing."""
    return said.replace("question", "answer").replace("spoken", "reply")


async def _answer(call: Call, text: str) -> None:
    await asyncio.sleep(THINKS_S)
    await call.plan(text)
    await call.speak(b"\x00\x10" * round(call.output_rate_hz * SPEAKS_S))
    await call.speech_ended(last=True)
    await asyncio.sleep(SPEAKS_S)
    await call.spoken(text, last=True)
