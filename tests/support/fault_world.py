"""One computer on virtual time with everything real but the world: a person, a voice service, a session store, a disk.

Controller, store, outbox and sync are the program's own, wired as the composition root wires them.
"""

import asyncio
import contextlib
import gc
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from novadesk.config import LimitSettings, SessionSettings, Settings, TalkModeSetting, TalkSettings
from novadesk.conversation.api import RENEWED, Phase, Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.ports import SoundListener
from novadesk.conversation.toolbox import Toolbox
from novadesk.models import Role, Turn
from novadesk.protocol.events import PromptStart, SessionStart, ToolSpec
from novadesk.protocol.session import Setup
from tests.support.fault_service import FaultyService, answer_to, make_frame, question_of
from tests.support.model_machine import Disk, DiskClock, Store
from tests.support.model_runtime import ModelRuntime
from tests.support.plain_sound import PlainSound
from tests.support.virtual_loop import VirtualLoop

FRAME_S = 0.032
PLAY_S = 0.096
TOOL_S = 2.0
IDLE_S = 9.0
PATIENCE_S = 150.0
DOWN = frozenset({Phase.OFFLINE, Phase.FAILED, Phase.CONNECTING, Phase.RECONNECTING})
AT_REST = frozenset({Phase.IDLE, Phase.ENDED, Phase.OFFLINE})
RESTING = AT_REST | {Phase.FAILED}
LIVE = frozenset({Phase.READY, Phase.LISTENING, Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED})


class SlowTool:
    """A tool that takes its time."""

    spec = ToolSpec(name="slow", description="", input_schema="{}")

    async def call(self, arguments: str) -> str:
        await asyncio.sleep(TOOL_S)
        return '{"answer": 42}'


@dataclass(slots=True)
class Spell:
    """A time from the loss of a link, or from a wish to talk at rest, to the next loss or wish; at most one outage.

    Attributes:
        before: links that had carried the conversation by then.
        troubled: a failure was shown, or an attempt after one.
        lines: the passing lines that appeared.
    """

    before: int = 0
    troubled: bool = False
    lines: list[str] = field(default_factory=list)


class FaultSound(PlainSound):
    """A microphone that the person speaks into, and a speaker that plays at its own pace."""

    def __init__(self) -> None:
        self.listener: SoundListener | None = None
        self.opened = 0
        self._generation = self._queued = self._played = 0
        self._playing: asyncio.TimerHandle | None = None

    async def open(self, listener: SoundListener) -> None:
        await asyncio.sleep(0.01)
        self.listener = listener
        self.opened += 1
        listener.on_opened("Microphone", "Speaker", "")

    async def close(self) -> None:
        self.listener = None
        self._stop()

    def play(self, pcm: bytes, generation: int) -> None:
        if generation == self._generation:
            self._queued += len(pcm) // 2
            if self._playing is None:
                self._playing = asyncio.get_running_loop().call_later(PLAY_S, self._tick)

    def flush(self, generation: int) -> None:
        self._generation, self._queued, self._played = generation, 0, 0
        self._stop()

    def capture(self, frame: bytes) -> None:
        """Hear 32 ms."""
        if self.listener is not None:
            self.listener.on_frame(frame, 0.2)

    def _tick(self) -> None:
        self._playing = None
        self._played = min(self._queued, self._played + round(PLAY_S * 24_000))
        if self.listener is not None:
            self.listener.on_played(self._generation, self._played, 0.1)
        if self._played < self._queued:
            self._playing = asyncio.get_running_loop().call_later(PLAY_S, self._tick)

    def _stop(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None


class World:
    """A running program and everything around it.

    Args:
        connection_s: how long the service lets a wire session live.
        concurrent: wire sessions that the client may have at once.
        tool: the service asks for a slow tool before each answer.
        idle_s: time without a turn after which the wire session ends.
    """

    def __init__(
        self, *, connection_s: float = 480.0, concurrent: int = 2, tool: bool = False, idle_s: float = 300.0
    ) -> None:
        self.disk = Disk()
        self.service = FaultyService(most_open=concurrent, uses_tool=tool)
        self.clock = DiskClock(self.disk)
        self.runtime = ModelRuntime(self.clock.unix_ms, max_steps=1_000)
        self.sound = FaultSound()
        self.spells = [Spell()]
        self._lines: tuple[str, ...] = ()
        self._stored = asyncio.Event()
        self._phase = Phase.IDLE
        self._news = asyncio.Event()
        self._shown: asyncio.Task[None] | None = None
        self._background: list[asyncio.Task[None]] = []
        self.store = Store(self.disk, self.runtime, lambda: None, self._stored.set)
        settings = Settings(
            talk=TalkSettings(mode=TalkModeSetting.HOLD),
            session=SessionSettings(idle_s=idle_s, concurrent=concurrent),
            limits=LimitSettings(connection_s=connection_s),
        )
        self.controller = Controller(
            settings=settings,
            setup=lambda _: Setup(
                session=SessionStart(),
                prompt=PromptStart(prompt_name="11111111-2222-4333-8444-555555555555", voice_id="matthew"),
                system_prompt="Be kind.",
            ),
            linker=self.service,
            sound=self.sound,
            archive=self.store.conversations,
            clock=self.clock,
            toolbox=Toolbox([SlowTool()] if tool else []),
            publish=self._publish,
            on_saved=self._on_saved,
            on_quit=lambda: None,
        )

    # --- the program ---

    async def start(self) -> None:
        """Start everything; nothing is connected yet."""
        await self.controller.start()
        self.store.sync.start()
        self._shown = asyncio.create_task(self._show_sync(), name="sync-shown")

    async def stop(self) -> None:
        """Stop in the order of the composition root."""
        for task in (*self._background, self._shown):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self.store.sync.stop()
        await self.controller.stop()
        self.disk.close()

    @property
    def now(self) -> Snapshot:
        """Return what the person sees."""
        return self.controller.snapshot()

    @property
    def time(self) -> float:
        """Return virtual seconds."""
        return asyncio.get_running_loop().time()

    async def until(self, condition: Callable[[], bool], most_s: float = PATIENCE_S) -> bool:
        """Wait for a condition that shows in snapshots or in the service; return whether it came."""
        try:
            async with asyncio.timeout(most_s):
                while not condition():
                    self._news.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), 0.5)
        except TimeoutError:
            return condition()
        return True

    async def must(self, condition: Callable[[], bool], what: str, most_s: float = PATIENCE_S) -> None:
        """Wait for a condition that has to come."""
        if not await self.until(condition, most_s):
            raise AssertionError(f"never: {what}; phase {self.now.phase.value}, error {self.now.error}")

    def well(self) -> bool:
        """Return whether the conversation is live on a sound wire session."""
        return self.now.phase in LIVE and self.service.well

    @property
    def carried(self) -> int:
        """Return how many links have carried the conversation so far."""
        return sum(link.listening for link in self.service.links)

    def _publish(self, snapshot: Snapshot) -> None:
        if snapshot.phase is Phase.READY and self._phase in DOWN:
            self.store.sync.try_now()
        self._watch(snapshot)
        self._phase = snapshot.phase
        self._news.set()

    def _watch(self, snapshot: Snapshot) -> None:
        lost = self._phase in LIVE and snapshot.phase not in LIVE
        if lost or (self._phase in AT_REST and snapshot.phase not in AT_REST):
            self.spells.append(Spell(before=self.carried))
        spell = self.spells[-1]
        spell.troubled |= snapshot.phase is Phase.FAILED or snapshot.attempt > 0
        old, new = self._lines, tuple(line for line in snapshot.notices if line != RENEWED)  # which is no trouble
        replaced = Counter(old) - Counter(new)
        spell.lines = [*(Counter(spell.lines) - replaced).elements(), *(Counter(new) - Counter(old)).elements()]
        self._lines = new

    def _on_saved(self) -> None:
        self.store.sync.kick()
        self._stored.set()

    async def _show_sync(self) -> None:
        while True:
            await self._stored.wait()
            self._stored.clear()
            pending = await self.store.conversations.pending()
            await self.controller.note_delivery(pending=pending, note=self.store.sync.note)

    # --- the person ---

    def connect(self) -> None:
        """Open the conversation."""
        self.controller.connect()

    async def say(self, utterance: int, frames: int = 12) -> None:
        """Hold the talk key and speak."""
        self.controller.press_talk()
        await self.speak(utterance, 0, frames)
        self.controller.release_talk()

    async def speak(self, utterance: int, first: int, last: int) -> None:
        """Speak some frames of an utterance, in real time."""
        for place in range(first, last):
            self.sound.capture(make_frame(utterance, place))
            await asyncio.sleep(FRAME_S)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on while the test does something else."""
        self._background.append(asyncio.create_task(work, name="person"))

    def in_flight(self) -> str | None:
        """Return the question that was begun and has no answer yet, or None."""
        spoken = [utterance for link in self.service.links for utterance, _ in link.frames]
        if not spoken:
            return None
        question = question_of(spoken[-1])
        return None if (Role.ASSISTANT, answer_to(question)) in self.service.delivered else question

    async def exchange(self, utterance: int) -> None:
        """Ask one question and hear the answer to its end."""
        await self.say(utterance)
        question = question_of(utterance)
        await self.must(lambda: self._has(answer_to(question), Role.ASSISTANT), f"an answer to {question}")
        await self.must(lambda: self.now.phase is Phase.READY and not self.now.live, "ready after the answer")

    def was_answered(self, question: str) -> bool:
        """Return whether the service answered a question, or the tool's result that belongs to it."""
        answers = [text for role, text in self.service.delivered if role is Role.ASSISTANT]
        return answer_to(question) in answers or any("The result of slow" in text for text in answers)

    def _has(self, text: str, role: Role) -> bool:
        return any(turn.text == text and turn.role is role and not turn.unconfirmed for turn in self.now.turns)

    # --- what was kept ---

    def local(self) -> tuple[Turn, ...]:
        """Return all turns on disk, of all conversations in order."""
        return tuple(turn for handle in self.disk.handles() for turn in self.disk.turns(handle))

    def remote(self) -> list[str]:
        """Return the texts in the session store as a reader merges them: the newest version of each turn, by time."""
        newest: dict[str, tuple[int, int, str]] = {}
        for session in self.runtime.sessions.values():
            for step in session.steps.values():
                content = json.loads(step.text)
                version = (step.step_ms, content["at_ms"], content["text"])
                newest[content["turn_id"]] = max(version, newest.get(content["turn_id"], version))
        return [text for _, _, text in sorted(newest.values(), key=lambda version: version[1])]

    def missing(self) -> set[str]:
        """Return the ids of turns on disk that the session store does not have."""
        steps = [step for session in self.runtime.sessions.values() for step in session.steps.values()]
        return {turn.turn_id for turn in self.local()} - {json.loads(step.text)["turn_id"] for step in steps}

    async def delivered(self, most_s: float = 120.0) -> bool:
        """Wait until nothing is on its way to the session store; return whether that came."""
        return await self.until(lambda: self.now.pending_sync == 0 and self.store.sync.error is None, most_s)


def run_in_world(
    work: Callable[[World], Coroutine[Any, Any, None]], *, chance: float | None = 1.0, **options: Any
) -> World:
    """Run a story in a world of its own, with the longest waits that chance allows; nothing is left of it.

    Args:
        work: the story.
        chance: what every throw of the dice gives, from 0 to 1; None leaves it to chance.
        options: of the world.
    """
    world: World | None = None
    bugs: list[str] = []

    async def run() -> None:
        nonlocal world
        asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(str(context.get("exception"))))
        async with _running(World(**options)) as world:
            await work(world)

    with _loaded_dice(chance), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())
        gc.collect(0)  # a task whose error nobody took speaks up now
    assert bugs == [], f"errors that nobody took: {bugs}"
    assert world is not None
    return world


@contextlib.contextmanager
def _loaded_dice(chance: float | None) -> Iterator[None]:
    if chance is None:
        yield
        return
    with (
        mock.patch("random.random", return_value=chance),
        mock.patch("random.uniform", side_effect=lambda low, high: low + (high - low) * chance),
    ):
        yield


@contextlib.asynccontextmanager
async def _running(world: World) -> AsyncIterator[World]:
    await world.start()
    try:
        yield world
    finally:
        await world.stop()
    assert [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    assert all(link.closed for link in world.service.links), "a link was left open"
    timers = [timer for timer in getattr(asyncio.get_running_loop(), "_scheduled", ()) if not timer.cancelled()]
    assert timers == [], "a timer was left running"
