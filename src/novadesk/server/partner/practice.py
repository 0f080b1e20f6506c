"""The practice partner: hears, thinks and speaks on one call, as the real service would."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from novadesk.models import Role
from novadesk.protocol.events import TokenCount, WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.server.call import Call, Heard, HungUp, ToolAnswered, Typed
from novadesk.server.partner.listen import (
    Hearing,
    HearingEvent,
    SpeechConfirmed,
    UtteranceDismissed,
    UtteranceHeard,
    VoiceActivity,
    rules_for,
)
from novadesk.server.partner.mind import Mind, Question, Thought
from novadesk.server.partner.mouth import Delivery, Mouth, Pace, speech_tokens, text_tokens
from novadesk.server.partner.phrases import understand
from novadesk.server.partner.recall import Said
from novadesk.server.partner.recognise import RecogniserPool
from novadesk.server.partner.speak import Voice
from novadesk.server.partner.think import Memory, asks_clock, note, remember
from novadesk.server.partner.worker import Worker

_JOB_BYTES = 16_384
_HELD_FRAMES = 2_000
_SURE = 0.8
_CLOCK_TOOL = "current_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeParts:
    """What a practice partner is made of. All of it may be shared by conversations; calls block a worker only.

    Attributes:
        activity: makes a speech detector.
        pool: lends recognisers.
        voice: speaks.
        mind: makes the mind of one call, given its worker.
        now: local time.
        pause_scale: lengthens or shortens the pause that ends an utterance.
        pace: how speech is sent.
        tool_s: how long a tool is waited for.
        worker: makes a thread of that name.
    """

    activity: Callable[[], VoiceActivity]
    pool: RecogniserPool
    voice: Voice
    mind: Callable[[Worker], Mind]
    now: Callable[[], datetime] = datetime.now
    pause_scale: float = 1.0
    pace: Pace = field(default_factory=Pace)
    tool_s: float = 3.0
    worker: Callable[[str], Worker] = Worker


class PracticePartner:
    """Holds calls with the parts given. Greets nobody unasked."""

    def __init__(self, parts: PracticeParts) -> None:
        self._parts = parts

    async def converse(self, call: Call) -> None:
        """Hold one call until the caller hangs up. Once cancelled, it ends within about a second.

        Raises:
            KnownError: `PRACTICE_PARTS_MISSING` or `PRACTICE_FAILED`.
        """
        talk = _Talk(call, self._parts)
        try:
            await talk.hold()
        finally:
            closing = asyncio.create_task(talk.close())
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                await closing
                raise


@dataclass(frozen=True, slots=True)
class _Broken:
    """A task of the talk failed."""

    error: Exception


@dataclass(slots=True)
class _Answer:
    """An answer on its way to a text; `memory` is what was known before it."""

    text: str
    memory: Memory
    delivery: Delivery = field(default_factory=Delivery)
    task: asyncio.Task[None] | None = None


class _Talk:
    """One call: a reader, an ear, and at most one answer, all of them tasks of this object."""

    def __init__(self, call: Call, parts: PracticeParts) -> None:
        self._call = call
        self._parts = parts
        self._ear = parts.worker("novadesk-partner-ear")
        self._brain = parts.worker("novadesk-partner-brain")
        self._mind = parts.mind(self._brain)
        self._hearing: Hearing | None = None
        self._memory = remember(said_before(call.history), call.system_prompt)
        self._sound: asyncio.Queue[bytes] = asyncio.Queue(_HELD_FRAMES)
        self._news: asyncio.Queue[HearingEvent | Typed | HungUp | _Broken] = asyncio.Queue()
        self._tool_answers: dict[str, asyncio.Future[str]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._answer: _Answer | None = None
        self._unsaid: _Answer | None = None
        self._mouth = Mouth(call, parts.voice, self._brain, parts.pace)

    # --- the life of a call -----------------------------------------------------------------

    async def hold(self) -> None:
        """Take one piece of news after another until the caller hangs up.

        Raises:
            KnownError: a part is missing or broken.
        """
        self._tasks = [asyncio.create_task(self._guard(self._read)), asyncio.create_task(self._guard(self._listen))]
        while True:
            match await self._news.get():
                case HungUp():
                    return
                case _Broken(error=error):
                    raise error
                case SpeechConfirmed():
                    await self._cut()
                case UtteranceHeard() as heard:
                    await self._take_utterance(heard)
                case UtteranceDismissed():
                    self._take_up()
                case Typed(text=text):
                    await self._cut()
                    self._begin(text)
                case _:
                    pass

    async def close(self) -> None:
        """End every task and thread of the call. Bounded in time."""
        tasks = list(self._tasks)
        if self._answer is not None and self._answer.task is not None:
            tasks.append(self._answer.task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in self._tool_answers.values():
            future.cancel()
        hearing = self._hearing
        await asyncio.gather(self._ear.close(hearing.close if hearing is not None else None), self._brain.close())

    async def _guard(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception as error:
            self._news.put_nowait(_Broken(error))

    # --- hearing ----------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            match await self._call.receive():
                case Heard(pcm=pcm):
                    await self._sound.put(pcm)
                case ToolAnswered(tool_use_id=tool_use_id, content=content):
                    future = self._tool_answer(tool_use_id)
                    if not future.done():
                        future.set_result(content)
                case Typed() as typed:
                    self._news.put_nowait(typed)
                case HungUp() as hung_up:
                    self._news.put_nowait(hung_up)
                    return

    async def _listen(self) -> None:
        self._hearing = await self._ear.run(self._make_hearing)
        while True:
            pcm = await self._sound.get()
            while len(pcm) < _JOB_BYTES and not self._sound.empty():
                pcm += self._sound.get_nowait()
            for event in await self._ear.run(partial(self._hearing.hear, pcm)):
                self._news.put_nowait(event)

    def _make_hearing(self) -> Hearing:
        parts = self._parts
        rules = rules_for(self._call.sensitivity, pause_scale=parts.pause_scale)
        return Hearing(parts.activity(), parts.pool.lease, parts.pool.give_back, rules)

    async def _take_utterance(self, heard: UtteranceHeard) -> None:
        """Answer an utterance. While the partner speaks, a short sound counts only when it is a known phrase."""
        if self._answer is not None and self._answer.delivery.speaking:
            match = understand(heard.text)
            if match is None or match.similarity < _SURE:
                return
        await self._cut()
        await self._call.user_said(heard.text)
        await self._call.report_usage(TokenCount(speech_in=speech_tokens(heard.speech_ms / 1_000)))
        self._begin(heard.text)

    # --- answering --------------------------------------------------------------------------

    def _begin(self, text: str) -> None:
        """Start an answer; what was known before `text` goes with it."""
        self._unsaid = None
        self._start(_Answer(text=text, memory=self._memory))
        self._memory = note(self._memory, Said(role=Role.USER, text=text))

    def _take_up(self) -> None:
        """Start again the answer that was stopped before its first word by sound that was no utterance."""
        answer, self._unsaid = self._unsaid, None
        if answer is not None and self._answer is None:
            self._start(_Answer(text=answer.text, memory=answer.memory))

    def _start(self, answer: _Answer) -> None:
        self._answer = answer
        answer.task = asyncio.create_task(self._guard(partial(self._say, answer)))

    async def _cut(self) -> None:
        """Stop the answer: a spoken one is interrupted on the wire, one not yet begun is dropped in silence."""
        answer, self._answer = self._answer, None
        if answer is None or answer.task is None:
            return
        answer.task.cancel()
        await asyncio.gather(answer.task, return_exceptions=True)
        if answer.delivery.speaking:
            self._mouth.hush()
            await self._call.interrupted()
        elif not answer.delivery.planned:
            self._unsaid = answer

    async def _say(self, answer: _Answer) -> None:
        now = await self._clock() if asks_clock(answer.text) else self._parts.now()
        question = Question(text=answer.text, memory=answer.memory, now=now, system_prompt=self._call.system_prompt)
        async with aclosing(self._mind.think(question)) as thoughts:
            tokens = await self._mouth.deliver(thoughts, answer.delivery, learn=self._learn, said=self._note_own)
        await self._call.report_usage(replace(tokens, text_in=text_tokens(answer.text)))

    def _note_own(self, sentence: str) -> None:
        self._memory = note(self._memory, Said(role=Role.ASSISTANT, text=sentence))

    def _learn(self, thought: Thought) -> int:
        """Take over what a thought changed (what was said is noted elsewhere); return how fast to speak."""
        learned = thought.memory
        self._memory = replace(learned, past=self._memory.past, name=learned.name or self._memory.name)
        return learned.words_per_minute

    async def _clock(self) -> datetime:
        """Return the caller's time where a tool tells it, else our own."""
        own = self._parts.now()
        if not any(tool.name == _CLOCK_TOOL for tool in self._call.tools):
            return own
        tool_use_id = await self._call.use_tool(_CLOCK_TOOL, "{}")
        try:
            async with asyncio.timeout(self._parts.tool_s):
                return read_time(await self._tool_answer(tool_use_id)) or own
        except TimeoutError:
            return own
        finally:
            self._tool_answers.pop(tool_use_id, None)

    def _tool_answer(self, tool_use_id: str) -> asyncio.Future[str]:
        """Return where the answer of a tool will be, or is already."""
        if tool_use_id not in self._tool_answers:
            self._tool_answers[tool_use_id] = asyncio.get_running_loop().create_future()
        return self._tool_answers[tool_use_id]


def said_before(history: tuple[HistoryMessage, ...]) -> list[Said]:
    """Return a replayed history line by line: turns of one side are merged into one message by line feeds."""
    roles = {WireRole.USER: Role.USER, WireRole.ASSISTANT: Role.ASSISTANT}
    return [
        Said(role=roles[message.role], text=line)
        for message in history
        if message.role in roles
        for line in message.text.splitlines()
        if line.strip()
    ]


def read_time(answer: str) -> datetime | None:
    """Return the first ISO 8601 time among the values of a tool's answer, or None."""
    try:
        content = json.loads(answer)
    except ValueError:
        return None
    for value in content.values() if isinstance(content, dict) else (content,):
        try:
            return datetime.fromisoformat(str(value))
        except ValueError:
            continue
    return None
