"""The states of a conversation, and how to get there in a world of the fault matrix."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from novadesk.conversation.api import Phase
from novadesk.models import Role
from novadesk.server.faults import Fault
from tests.support.fault_outcomes import VOICE
from tests.support.fault_service import question_of
from tests.support.fault_world import IDLE_S, World

SHORT_LIFE_S = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state of a conversation and how to get there.

    Attributes:
        name: as the table shows it.
        bring: leads a fresh world there.
        options: of that world.
        waits_s: what the backoff has grown to already.
        keeps_question: a question is in flight that has to be answered in the end.
    """

    name: str
    bring: Callable[[World], Awaitable[None]]
    options: dict[str, Any] = field(default_factory=dict)
    waits_s: float = 0.0
    keeps_question: bool = False


async def _ready(world: World) -> None:
    world.connect()
    await world.must(world.well, "the first link")
    await world.exchange(1)


async def _connecting(world: World) -> None:
    world.connect()
    await asyncio.sleep(0.15)
    assert world.now.phase is Phase.CONNECTING


async def _listening(world: World) -> None:
    await _ready(world)
    world.controller.press_talk()
    await world.speak(2, 0, 8)
    assert world.now.phase is Phase.LISTENING

    async def go_on() -> None:
        await world.speak(2, 8, 20)
        world.controller.release_talk()

    world.in_background(go_on())


async def _thinking(world: World) -> None:
    await _ready(world)
    await world.say(2)
    await world.must(lambda: (Role.USER, question_of(2)) in world.service.delivered, "the question understood")
    await asyncio.sleep(0.3)
    assert world.now.phase is Phase.THINKING


async def _tool(world: World) -> None:
    await _ready(world)
    await world.say(2)
    await world.must(lambda: world.now.phase is Phase.TOOL, "the tool asked")
    await asyncio.sleep(0.3)


async def _speaking(world: World) -> None:
    await _ready(world)
    await world.say(2)
    await world.must(lambda: world.now.phase is Phase.SPEAKING, "the answer")
    await asyncio.sleep(0.6)


async def _interrupted(world: World) -> None:
    await _speaking(world)
    world.controller.stop_speaking()
    assert world.now.phase is Phase.INTERRUPTED


async def _renewing(world: World) -> None:
    """Let the service end the session at its limit, all of a sudden, and take the moment before the next one."""
    await _ready(world)
    world.service.live[0].befall(VOICE[Fault.STREAM_TIMED_OUT], Fault.STREAM_TIMED_OUT)
    await world.must(lambda: world.now.phase is Phase.RENEWING, "the renewal")
    await asyncio.sleep(0.05)


async def _preparing(world: World) -> None:
    """Take the moment in which the successor is being opened beside the live link."""
    await _ready(world)
    await world.must(lambda: len(world.service.links) == 2, "the successor")
    await asyncio.sleep(0.05)
    assert world.service.trying is not None
    assert world.now.phase is Phase.READY


async def _prepared(world: World) -> None:
    """Take a moment in which the successor is ready and waits for the end of an answer."""
    await _ready(world)
    await asyncio.sleep(SHORT_LIFE_S * 0.75 - world.time - 1.5)
    await world.say(2)
    await world.must(lambda: len(world.service.live) == 2, "the successor is ready")
    assert world.now.phase in (Phase.THINKING, Phase.SPEAKING)
    await world.must(lambda: world.now.phase is Phase.SPEAKING, "the answer")
    await asyncio.sleep(0.2)
    assert len(world.service.live) == 2


async def _alone(world: World) -> None:
    """Take the moment of a renewal in which the old session is over and the next one is being opened."""
    await _ready(world)
    await world.must(lambda: world.service.trying is not None, "the renewal")
    await asyncio.sleep(0.05)
    assert world.now.phase is Phase.RENEWING
    assert not world.service.live


async def _reconnecting(world: World) -> None:
    await _ready(world)
    world.service.coming.extend([(VOICE[Fault.HTTP_UNAVAILABLE], None)] * 2)
    world.service.live[0].befall(VOICE[Fault.RESET_TCP])
    await world.must(lambda: world.now.attempt == 3, "the third wait")
    assert world.now.retry_in_s is not None


async def _trying(world: World) -> None:
    await _ready(world)
    world.service.live[0].befall(VOICE[Fault.RESET_TCP])
    await world.must(lambda: world.service.trying is not None, "the second attempt")
    await asyncio.sleep(0.05)
    assert world.now.phase is Phase.RECONNECTING


async def _idle(world: World) -> None:
    await _ready(world)
    await world.must(lambda: world.now.phase is Phase.IDLE, "rest")


async def _failed(world: World) -> None:
    await _ready(world)
    world.service.live[0].befall(VOICE[Fault.STREAM_VALIDATION])
    await world.must(lambda: world.now.phase is Phase.FAILED, "a failure")


async def _ended(world: World) -> None:
    await _ready(world)
    await world.controller.end()
    assert world.now.phase is Phase.ENDED


_SHORT = {"connection_s": SHORT_LIFE_S}
STATES: tuple[State, ...] = (
    State(name="connecting", bring=_connecting),
    State(name="ready", bring=_ready),
    State(name="listening", bring=_listening, keeps_question=True),
    State(name="thinking", bring=_thinking, keeps_question=True),
    State(name="tool", bring=_tool, options={"tool": True}, keeps_question=True),
    State(name="speaking", bring=_speaking),
    State(name="interrupted", bring=_interrupted),
    State(name="successor opening", bring=_preparing, options=_SHORT),
    State(name="successor ready", bring=_prepared, options=_SHORT),
    State(name="renewing", bring=_renewing),
    State(name="renewing, one at a time", bring=_alone, options={"connection_s": SHORT_LIFE_S, "concurrent": 1}),
    State(name="waiting to reconnect", bring=_reconnecting, waits_s=6.0),
    State(name="reconnecting", bring=_trying),
    State(name="idle", bring=_idle, options={"idle_s": IDLE_S}),
    State(name="failed", bring=_failed),
    State(name="ended", bring=_ended),
)
