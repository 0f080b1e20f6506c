"""A whole conversation over real sockets and SQLite: each fault of the service, then it goes on and remembers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from novadesk.audio.nullio import FileSound
from novadesk.config import BackendSettings, Settings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.toolbox import Toolbox
from novadesk.protocol.events import PromptStart, SessionStart
from novadesk.protocol.limits import Limits
from novadesk.protocol.session import Setup
from novadesk.server.faults import Fault
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.transport.bedrock import LinkTiming, PracticeLinker
from novadesk.transport.http2 import Timing
from tests.support.scripted_partner import Rig, running
from tests.support.virtual_loop import LoopClock

from novadesk.server.call import Call, HungUp, Typed  # isort: skip

FAST = LinkTiming(open_s=5.0, send_s=1.0, exchange=Timing(response_s=1.0, ping_every_s=0.2, ping_answer_s=0.3))

PASSING_AT_OPENING = [
    Fault.HTTP_TIMED_OUT,
    Fault.HTTP_MODEL_ERROR,
    Fault.HTTP_THROTTLED,
    Fault.HTTP_NOT_READY,
    Fault.HTTP_INTERNAL,
    Fault.HTTP_UNAVAILABLE,
    Fault.RESET_TCP_EARLY,
    Fault.RESET_STREAM_EARLY,
    Fault.MUTE,
]
LASTING_AT_OPENING = [Fault.HTTP_VALIDATION, Fault.HTTP_QUOTA, Fault.HTTP_DENIED, Fault.HTTP_EXPIRED_TOKEN,
                      Fault.HTTP_NOT_FOUND]  # fmt: skip
PASSING_IN_STREAM = [
    Fault.STREAM_UNSTABLE,
    Fault.STREAM_CLOSED_531,
    Fault.STREAM_MODEL_ERROR,
    Fault.STREAM_THROTTLED,
    Fault.STREAM_INTERNAL,
    Fault.STREAM_UNAVAILABLE,
    Fault.STREAM_TIMED_OUT,
    Fault.RESET_TCP,
    Fault.FIN,
    Fault.RESET_STREAM,
    Fault.GOAWAY_ABRUPT,
    Fault.EARLY_END,
    Fault.TRUNCATED_EVENT,
    Fault.BAD_CHECKSUM,
    Fault.HALF_OPEN,
]
HARMLESS = [Fault.GOAWAY_GRACEFUL, Fault.UNKNOWN_EVENT, Fault.UNKNOWN_EVENT_TYPE]


async def recall(call: Call) -> None:
    """Answer a typed text with the number of messages that were replayed."""
    while not isinstance(event := await call.receive(), HungUp):
        if isinstance(event, Typed):
            text = f"I know of {len(call.history)} messages."
            await call.plan(text)
            await call.speak(bytes(480))
            await call.speech_ended(last=True)
            await call.spoken(text, last=True)


class Talk:
    """One conversation against the server."""

    def __init__(self, rig: Rig, controller: Controller) -> None:
        self.rig = rig
        self.controller = controller

    async def until(self, condition: Callable[[Snapshot], bool], most_s: float = 20.0) -> Snapshot:
        async with asyncio.timeout(most_s):
            while not condition(snapshot := self.controller.snapshot()):
                await asyncio.sleep(0.01)
        return snapshot

    async def ask(self, text: str) -> str:
        """Type a text and return the answer once both are on disk."""
        known = len(self.controller.snapshot().turns)
        self.controller.say(text)
        snapshot = await self.until(lambda now: len(now.turns) == known + 2 and now.phase is Phase.READY)
        assert snapshot.turns[-2].text == text
        return snapshot.turns[-1].text

    async def ready(self) -> Snapshot:
        return await self.until(lambda now: now.phase is Phase.READY)


@asynccontextmanager
async def talking(folder: Path, **options: object) -> AsyncIterator[Talk]:
    async with running(folder, recall, **options) as rig, Database(folder / "novadesk.db") as database:

        async def address() -> dict[str, object]:
            return dict(json.loads(rig.address.to_json()))

        settings = Settings(backend=BackendSettings())
        controller = Controller(
            settings=settings,
            setup=lambda: Setup(
                session=SessionStart(),
                prompt=PromptStart(prompt_name="11111111-2222-4333-8444-555555555555", voice_id="matthew"),
                system_prompt="Be kind.",
            ),
            linker=PracticeLinker(address, settings, timing=FAST),
            sound=FileSound(None, pace=4.0),
            archive=Conversations(database),
            clock=LoopClock(),
            toolbox=Toolbox(),
            publish=lambda _: None,
            on_saved=lambda: None,
            on_quit=lambda: None,
        )
        await controller.start()
        controller.connect()
        try:
            yield Talk(rig, controller)
        finally:
            await controller.stop()


@pytest.mark.parametrize("fault", PASSING_IN_STREAM, ids=lambda fault: fault.name)
async def test_a_fault_in_mid_stream_is_survived_and_the_model_still_knows(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await talk.ready()
        assert await talk.ask("one") == "I know of 0 messages."
        generation = talk.controller._driver.state.generation
        talk.rig.server.faults.strike(fault)
        await talk.until(lambda _: talk.controller._driver.state.generation > generation)
        await talk.ready()
        assert await talk.ask("two") == "I know of 2 messages."
        assert [turn.text for turn in talk.controller.snapshot().turns][::2] == ["one", "two"]


@pytest.mark.parametrize("fault", PASSING_AT_OPENING, ids=lambda fault: fault.name)
async def test_a_passing_fault_at_the_opening_is_tried_again(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await talk.ready()
        await talk.ask("one")
        talk.rig.server.faults.add(fault, times=2, after_inputs=0)
        talk.rig.server.faults.strike(Fault.RESET_TCP)
        await talk.until(lambda now: now.attempt >= 2)
        await talk.ready()
        assert await talk.ask("two") == "I know of 2 messages."


@pytest.mark.parametrize("fault", LASTING_AT_OPENING, ids=lambda fault: fault.name)
async def test_what_only_the_person_can_mend_is_said_and_tried_again_on_request(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await talk.ready()
        await talk.ask("one")
        talk.rig.server.faults.add(fault, after_inputs=0)
        talk.rig.server.faults.strike(Fault.RESET_TCP)
        failed = await talk.until(lambda now: now.phase is Phase.FAILED)
        assert failed.error is not None
        assert failed.error.what
        assert failed.error.advice
        talk.controller.try_now()
        await talk.ready()
        assert await talk.ask("two") == "I know of 2 messages."


@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: fault.name)
async def test_an_oddity_of_the_service_disturbs_nobody(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await talk.ready()
        await talk.ask("one")
        generation = talk.controller._driver.state.generation
        talk.rig.server.faults.strike(fault)
        await talk.ask("two")
        assert talk.controller._driver.state.generation == generation


async def test_sessions_that_reach_their_limit_follow_one_another(tmp_path: Path) -> None:
    async with talking(tmp_path, limits=Limits(connection_s=1.5)) as talk:
        await talk.ready()
        for number in range(6):
            await talk.ask(f"question {number}")
            generation = talk.controller._driver.state.generation
            await talk.until(lambda _, before=generation: talk.controller._driver.state.generation > before)
            await talk.ready()
        turns = talk.controller.snapshot().turns
        assert [turn.text for turn in turns][::2] == [f"question {number}" for number in range(6)]
        assert turns[-1].text == "I know of 10 messages."
