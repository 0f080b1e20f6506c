"""Say an answer on a call: planned text, speech faster than real time, final text when it has been played."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from functools import partial

from novadesk.protocol.events import TokenCount
from novadesk.server.call import Call
from novadesk.server.partner.mind import Thought
from novadesk.server.partner.speak import Voice
from novadesk.server.partner.worker import Worker

SPEECH_TOKENS_PER_S = 25
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How speech is sent.

    Attributes:
        chunk_s: length of a piece of speech.
        burst_s: speech sent at once at the beginning of a sentence.
        speed: how much faster than real time the rest is sent.
        lead_s: the next sentence is sent when no more than this is still to be played.
        playout_delay_s: what a caller needs from the first piece to the first sound.
    """

    chunk_s: float = 0.1
    burst_s: float = 0.6
    speed: float = 6.0
    lead_s: float = 2.0
    playout_delay_s: float = 0.1


@dataclass(slots=True)
class Delivery:
    """How far an answer has come: `planned` from its first sentence on, `finished` once its last FINAL is due."""

    planned: bool = False
    finished: bool = False

    @property
    def speaking(self) -> bool:
        """Return whether the caller is hearing it, or is about to."""
        return self.planned and not self.finished


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A sentence whose speech was sent; `ends` is when it has been played, on the loop's clock."""

    sentence: str
    ends: float
    last: bool


class Mouth:
    """Speaks on one call. The caller's playout is reckoned from the length of the speech sent.

    Args:
        call: where to speak.
        voice: makes the speech.
        worker: thread for the voice.
        pace: how fast to send.
    """

    def __init__(self, call: Call, voice: Voice, worker: Worker, pace: Pace) -> None:
        self._call = call
        self._voice = voice
        self._worker = worker
        self._pace = pace
        self._plays_until = 0.0

    def hush(self) -> None:
        """Note that the caller dropped what was still to be played."""
        self._plays_until = 0.0

    async def deliver(
        self,
        thoughts: AsyncGenerator[Thought],
        delivery: Delivery,
        *,
        learn: Callable[[Thought], int],
        said: Callable[[str], None],
    ) -> TokenCount:
        """Say every thought; return the tokens it took. Cancelling stops at once; what was not played is not confirmed.

        Args:
            thoughts: at least one; closed by its owner.
            delivery: kept up to date.
            learn: called before a thought is said; returns how fast to say it, in words per minute.
            said: called with each sentence once it has been played.

        Raises:
            KnownError: the voice is missing or broken.
        """
        sent: asyncio.Queue[_Sent] = asyncio.Queue()
        confirming = asyncio.create_task(self._confirm(sent, delivery, said))
        count = TokenCount()
        try:
            thought: Thought | None = await anext(thoughts)
            while thought is not None:
                await self._wait_for_room()
                words_per_minute = learn(thought)
                delivery.planned = True
                await self._call.plan(thought.sentence)
                length_s = await self._speak(thought, words_per_minute)
                count = replace(
                    count,
                    text_out=count.text_out + text_tokens(thought.sentence),
                    speech_out=count.speech_out + speech_tokens(length_s),
                )
                following = await anext(thoughts, None)
                await self._call.speech_ended(last=following is None)
                sent.put_nowait(_Sent(sentence=thought.sentence, ends=self._plays_until, last=following is None))
                thought = following
            await confirming
        finally:
            confirming.cancel()
            await asyncio.gather(confirming, return_exceptions=True)
        return count

    async def _speak(self, thought: Thought, words_per_minute: int) -> float:
        """Send the speech of a thought; return its length in seconds."""
        rate_hz, pace, loop = self._call.output_rate_hz, self._pace, asyncio.get_running_loop()
        job = partial(
            self._voice.say,
            thought.sentence,
            voice=self._call.voice,
            english=thought.english,
            words_per_minute=words_per_minute,
            rate_hz=rate_hz,
        )
        pcm = await self._worker.run(job)
        length_s = len(pcm) / 2 / rate_hz
        self._plays_until = max(self._plays_until, loop.time() + pace.playout_delay_s) + length_s
        chunk_bytes = 2 * round(rate_hz * pace.chunk_s)
        due = loop.time()
        for start in range(0, len(pcm), chunk_bytes):
            await self._call.speak(pcm[start : start + chunk_bytes])
            if start / 2 / rate_hz >= pace.burst_s:
                due = max(due + pace.chunk_s / pace.speed, loop.time())
                await asyncio.sleep(due - loop.time())
        return length_s

    async def _wait_for_room(self) -> None:
        lead_s = self._plays_until - asyncio.get_running_loop().time()
        if lead_s > self._pace.lead_s:
            await asyncio.sleep(lead_s - self._pace.lead_s)

    async def _confirm(self, sent: asyncio.Queue[_Sent], delivery: Delivery, said: Callable[[str], None]) -> None:
        """Send each sentence as FINAL when it has been played."""
        loop = asyncio.get_running_loop()
        while not delivery.finished:
            sentence = await sent.get()
            await asyncio.sleep(max(0.0, sentence.ends - loop.time()))
            said(sentence.sentence)
            delivery.finished = sentence.last
            await self._call.spoken(sentence.sentence, last=sentence.last)


def text_tokens(text: str) -> int:
    """Return a rough count; nobody pays for the practice partner's tokens."""
    return max(1, len(text) // _CHARACTERS_PER_TOKEN)


def speech_tokens(length_s: float) -> int:
    """Return a rough count; nobody pays for the practice partner's tokens."""
    return round(length_s * SPEECH_TOKENS_PER_S)
