"""The mind of a partner as its body sees it: thoughts come one by one, each a sentence to say."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from novadesk.server.partner.think import Memory, answer
from novadesk.server.partner.worker import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be answered.

    Attributes:
        text: what the person said or typed.
        memory: what was known before it.
        now: local time.
        system_prompt: the caller's prompt.
    """

    text: str
    memory: Memory
    now: datetime
    system_prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """A sentence to say. `memory` is what to know from then on; `english` tells in which language to pronounce it."""

    sentence: str
    memory: Memory
    english: bool = True


class Mind(Protocol):
    """Whatever finds answers."""

    def think(self, question: Question) -> AsyncGenerator[Thought]:
        """Yield at least one thought. Cancelling or closing it releases everything."""
        ...


class RuleMind:
    """Answers by the rules of `think`, on a worker: the search for the nearest phrases of a long past takes time."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def think(self, question: Question) -> AsyncGenerator[Thought]:
        """Yield the sentences of the rules' answer."""
        reply = await self._worker.run(partial(answer, question.text, question.memory, question.now))
        for sentence in reply.sentences:
            yield Thought(sentence=sentence, memory=reply.memory)
