"""The service's side of the renewal tests: a partner that logs every frame it hears and answers every utterance."""

import asyncio
import time
from dataclasses import dataclass, field

from novadesk.server.call import Call, Heard, HungUp, Typed
from tests.support.renewal_frames import (
    BLOCK_S,
    AnswerBlock,
    FrameReader,
    HeardFrame,
    MicFrame,
    Silence,
    encode_block,
)
from tests.support.renewal_words import answered, asked, number_of

PAUSE_FRAMES = 47
"""Quiet after which what was said is over: 1.5 s, the shortest pause that ends a turn for the service (Amazon Nova user
guide, "Turn detection", sensitivity HIGH). The app itself puts silence where the microphone pauses."""

GATED_FRAMES = (3, 5)
"""Where the person holds a key: so much quiet of the microphone, and then so much silence of the closed gate. That is
hasty, and leaves time for more exchanges."""

ANSWER_BLOCKS = (12, 28)
_AHEAD = 4.0  # speech is sent so many times faster than it is spoken
_PIECE_BLOCKS = 8


@dataclass(slots=True, kw_only=True)
class Understood:
    """What a wire session took for a user turn.

    Attributes:
        context: the texts that the model had by then: the replayed history, then what this wire session carried.
    """

    utterance: int
    at: float
    context: list[str]


@dataclass(slots=True, kw_only=True)
class SessionLog:
    """What one wire session heard and did.

    Attributes:
        runs: runs of microphone frame numbers, both ends included, in the order heard.
        first_audio: time of the first microphone frame; None when there was none.
        voiced: frames of the utterance that is being heard; 0 while the person is quiet.
        sent: (answer, block, time) for the first block of every piece of speech.
    """

    number: int
    began: float
    history: list[str]
    ended: float | None = None
    runs: list[list[int]] = field(default_factory=list)
    first_audio: float | None = None
    torn: int = 0
    silent: int = 0
    understood: list[Understood] = field(default_factory=list)
    sent: list[tuple[int, int, float]] = field(default_factory=list)
    interrupted: int = 0
    voiced: int = 0


class NumberedPartner:
    """Makes the partner of each call; fits `PartnerFactory`.

    Args:
        hasty: the person holds a key, so that a closed gate says that what was said is over.
    """

    def __init__(self, *, hasty: bool) -> None:
        self.sessions: list[SessionLog] = []
        self._hasty = hasty

    def __call__(self) -> "NumberedPartner":
        return self

    async def converse(self, call: Call) -> None:
        """Hold one call."""
        history = [line for message in call.history for line in message.text.split("\n")]
        log = SessionLog(number=len(self.sessions), began=time.monotonic(), history=history)
        self.sessions.append(log)
        talk = _Talk(call, log, hasty=self._hasty)
        try:
            await talk.run()
        finally:
            log.ended = time.monotonic()
            await talk.stop()


class _Talk:
    def __init__(self, call: Call, log: SessionLog, *, hasty: bool) -> None:
        self._call, self._log, self._hasty = call, log, hasty
        self._reader = FrameReader()
        self._utterance = 0
        self._heard = 0
        self._quiet = self._silent = 0
        self._length = 0
        self._own: list[str] = []
        self._answering: asyncio.Task[None] | None = None

    async def run(self) -> None:
        while True:
            match await self._call.receive():
                case HungUp():
                    return
                case Heard(pcm):
                    for frame in self._reader.feed(pcm):
                        await self._hear(frame)
                case Typed(text):
                    await self._answer(number_of(text), text)
                case _:
                    pass

    async def stop(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)

    async def _hear(self, frame: HeardFrame) -> None:
        log = self._log
        match frame:
            case MicFrame():
                if log.first_audio is None:
                    log.first_audio = time.monotonic()
                if log.runs and log.runs[-1][1] + 1 == frame.number:
                    log.runs[-1][1] = frame.number
                else:
                    log.runs.append([frame.number, frame.number])
            case Silence():
                log.silent += 1
            case _:
                log.torn += 1
        log.voiced = log.voiced + 1 if isinstance(frame, MicFrame) and frame.utterance else 0
        if log.voiced and isinstance(frame, MicFrame):
            await self._hear_voice(frame)
        elif self._utterance:
            self._quiet += isinstance(frame, MicFrame)
            self._silent += isinstance(frame, Silence)
            if self._is_over():
                utterance, self._utterance = self._utterance, 0
                await self._call.user_speech_ended()
                said = asked(utterance) + ("" if self._heard == self._length else " in part")
                await self._call.user_said(said)
                await self._answer(utterance, said)

    def _is_over(self) -> bool:
        gated = self._hasty and self._quiet >= GATED_FRAMES[0] and self._silent >= GATED_FRAMES[1]
        return gated or self._quiet >= PAUSE_FRAMES or self._silent >= PAUSE_FRAMES

    async def _hear_voice(self, frame: MicFrame) -> None:
        if self._answering is not None and not self._answering.done():
            self._log.interrupted += 1
            await self.stop()
            await self._call.interrupted()
        if frame.utterance != self._utterance:
            self._utterance, self._heard, self._length = frame.utterance, 0, frame.length
        self._heard += frame.place == self._heard
        self._quiet = self._silent = 0

    async def _answer(self, utterance: int, said: str) -> None:
        await self.stop()
        context = [*self._log.history, *self._own]
        understood = Understood(utterance=utterance, at=time.monotonic(), context=context)
        self._log.understood.append(understood)
        self._own.append(said)
        self._answering = asyncio.create_task(self._speak(understood), name="numbered-answer")

    async def _speak(self, understood: Understood) -> None:
        number, call, log = understood.utterance, self._call, self._log
        text = answered(number)
        count = ANSWER_BLOCKS[0] + number * 7 % (ANSWER_BLOCKS[1] - ANSWER_BLOCKS[0])
        await asyncio.sleep(0.05 + number * 3 % 10 / 100)
        await call.plan(text)
        began = time.monotonic()
        for start in range(0, count, _PIECE_BLOCKS):
            blocks = range(start, min(start + _PIECE_BLOCKS, count))
            log.sent.append((number, start, time.monotonic()))
            await call.speak(b"".join(encode_block(AnswerBlock(number, log.number, i, count)) for i in blocks))
            await asyncio.sleep(max(0.0, began + blocks.stop * BLOCK_S / _AHEAD - time.monotonic()))
        await call.speech_ended(last=True)
        await asyncio.sleep(max(0.0, began + count * BLOCK_S - time.monotonic()))
        await call.spoken(text, last=True)
        self._own.append(text)
