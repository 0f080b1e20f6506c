"""A scenario on the real wire: sent as the link opens, changed by a renewal, practised again; and a break."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from novadesk.audio.nullio import FileSound
from novadesk.config import SensitivitySetting, Settings
from novadesk.conversation.api import Pause, Phase, Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.opening import make_setup
from novadesk.conversation.toolbox import Toolbox
from novadesk.protocol.events import Sensitivity
from novadesk.scenario import Chosen
from novadesk.server.call import Call, HungUp, Typed
from novadesk.transport.bedrock import PracticeLinker
from tests.support.memory_service import MemoryArchive
from tests.support.scripted_partner import Rig, running
from tests.support.store_rig import RealClock

TEA = Chosen(
    name="tea", title="Tea", prompt="Chat about tea.", voice="tina", language="de", sensitivity=SensitivitySetting.LOW
)


@dataclass
class Talk:
    """A conversation with the local server.

    Attributes:
        begun: for each call, how many wire sessions were open as it began.
        left: the same as the service heard the goodbye of each, and what was shown of a break then.
    """

    rig: Rig
    controller: Controller
    begun: list[int]
    left: list[tuple[int, Pause]]

    async def until(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        async with asyncio.timeout(60.0):
            while not condition(snapshot := self.controller.snapshot()):
                await asyncio.sleep(0.01)
        return snapshot

    async def ask(self, text: str) -> None:
        known = len(self.controller.snapshot().turns)
        self.controller.say(text)
        await self.until(lambda now: len(now.turns) == known + 2 and now.phase is Phase.READY)

    @property
    def told(self) -> list[tuple[str, str, Sensitivity | None]]:
        """Return with which voice, instructions and patience the service was called."""
        return [(call.voice, call.system_prompt, call.sensitivity) for call in self.rig.partner.calls]


@asynccontextmanager
async def talking(folder: Path, scenario: Chosen) -> AsyncIterator[Talk]:
    begun: list[int] = []
    left: list[tuple[int, Pause]] = []

    async def converse(call: Call) -> None:
        begun.append(rig.server.open_sessions)
        while not isinstance(event := await call.receive(), HungUp):
            if isinstance(event, Typed):
                await call.plan(f"You said {event.text}")
                await call.speak(bytes(480))
                await call.speech_ended(last=True)
                await call.spoken(f"You said {event.text}", last=True)
        left.append((rig.server.open_sessions, controller.snapshot().pause))

    async with running(folder, converse) as rig:
        address = json.loads(rig.address.to_json())

        async def find() -> Mapping[str, Any]:
            return address

        settings, toolbox = Settings(), Toolbox()
        controller = Controller(
            settings=settings,
            setup=lambda voice: make_setup(voice, toolbox),
            linker=PracticeLinker(find, settings),
            sound=FileSound(None, pace=4.0),
            archive=MemoryArchive(),
            clock=RealClock(),
            toolbox=toolbox,
            publish=lambda _: None,
            on_saved=lambda: None,
            on_quit=lambda: None,
        )
        await controller.start(scenario=scenario)
        controller.connect()
        try:
            yield Talk(rig, controller, begun, left)
        finally:
            await controller.stop()


async def test_it_opens_the_link_changes_by_a_renewal_and_is_practised_again(tmp_path: Path) -> None:
    first = ("tina", "Chat about tea.\nSpeak German.", Sensitivity.LOW)
    second = ("leo", "Chat about coffee.", Sensitivity.HIGH)
    coffee = replace(TEA, prompt="Chat about coffee.", voice="leo", language="", sensitivity=SensitivitySetting.HIGH)
    async with talking(tmp_path, TEA) as talk:
        now = await talk.until(lambda now: now.phase is Phase.READY)
        assert (now.in_force and now.in_force.voice, now.changing) == ("tina", False)
        await talk.ask("hello")
        assert talk.told == [first], "the service has it before the first word"

        talk.controller.change_scenario(coffee)
        now = talk.controller.snapshot()
        assert (now.changing, now.in_force and now.in_force.voice) == (True, "tina"), "not before the service has it"
        assert now.notices[-1].startswith("The change needs a new wire session.")
        now = await talk.until(lambda now: not now.changing)
        assert (now.in_force and now.in_force.voice, now.notices[-1]) == ("leo", "The change is in force.")
        await talk.ask("and now")
        assert talk.told == [first, second]
        assert talk.left == [(2, Pause.OFF)], "the old wire session goes on until the new one has taken over"
        assert [one.text for one in talk.rig.partner.calls[1].history] == ["hello", "You said hello"]

        before = now.conversation
        await talk.controller.begin_anew(scenario=now.scenario)
        now = await talk.until(lambda now: now.phase is Phase.READY)
        await talk.ask("once more")
        assert talk.told == [first, second, second]
        assert talk.begun[2] == 1, "nothing of the conversation before is open any more"
        assert talk.rig.partner.calls[2].history == ()
        assert now.conversation is not None
        assert before is not None
        assert now.conversation.handle != before.handle
        assert talk.rig.server.open_sessions == 1


async def test_a_break_is_one_once_the_service_has_said_goodbye_and_goes_on_where_it_was(tmp_path: Path) -> None:
    async with talking(tmp_path, TEA) as talk:
        await talk.until(lambda now: now.phase is Phase.READY)
        await talk.ask("hello")
        await talk.controller.pause()
        assert (talk.left, talk.controller.snapshot().pause) == ([(1, Pause.PAUSING)], Pause.PAUSED)
        assert (talk.rig.server.open_sessions, talk.rig.partner.ended) == (0, 1)
        talk.controller.resume_conversation()
        assert talk.controller.snapshot().pause is Pause.RESUMING
        now = await talk.until(lambda now: now.pause is Pause.OFF)
        assert (now.phase, now.scenario, now.notices) == (Phase.READY, TEA, ())
        await talk.ask("and now")
        assert [one.text for one in talk.rig.partner.calls[1].history] == ["hello", "You said hello"]
