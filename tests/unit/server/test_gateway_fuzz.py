"""Whatever a client says, in whatever order: it is answered, nobody else is disturbed, and nothing is left of it."""

import asyncio
import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from novadesk.models import Role
from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope import encode, pack_audio
from novadesk.protocol.envelope_server import ServerMessage
from novadesk.protocol.envelope_values import AudioForm
from novadesk.server.gateway.dialogue import Dialogue
from novadesk.server.gateway.identity import Identity
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.options import GatewayLimits, Timing
from novadesk.server.gateway.outputlog import Entry
from novadesk.server.gateway.session import Leave
from novadesk.server.gateway.sessions import Sessions
from novadesk.server.gateway.upstream import UpstreamParts
from tests.support.gateway_memory import MemorySessions
from tests.support.memory_service import MemoryLinker
from tests.support.virtual_loop import LoopClock, run_virtually
from tests.unit.protocol.envelope_values import CLIENT_DOCUMENTS

FRAME = b"\x11\x11" * 512
_TEXTS = st.one_of(CLIENT_DOCUMENTS.map(json.dumps), st.text(max_size=60), st.just('{"type": "createSession"}'))
_MESSAGES = st.lists(st.one_of(_TEXTS, st.binary(max_size=60), st.just(pack_audio(1, FRAME))), max_size=25)


class Told:
    """Where a client is told what it is told."""

    def __init__(self, name: str) -> None:
        self.connection_id, self.form = name, AudioForm.BINARY
        self.messages: list[ServerMessage] = []
        self.entries: list[Entry] = []

    def put(self, entry: Entry) -> None:
        self.entries.append(entry)

    def tell(self, message: ServerMessage) -> None:
        encode(message)
        self.messages.append(message)

    def leave(self, why: Leave, last: ServerMessage) -> None:
        self.tell(last)


class World:
    """Sessions of one process, and people who talk to it."""

    def __init__(self) -> None:
        self.linker, self.metrics = MemoryLinker(), GatewayMetrics()
        parts = UpstreamParts(
            linker=self.linker,
            clock=LoopClock(),
            store=MemorySessions(),
            local_time=lambda: datetime(2026, 11, 22, tzinfo=UTC),
        )
        self.sessions = Sessions(
            parts=parts, limits=GatewayLimits(), timing=Timing(), metrics=self.metrics, gateway="here"
        )

    def talk(self, owner: str) -> tuple[Dialogue, Told]:
        outlet = Told(owner)

        async def verify(token: str) -> Identity:
            return Identity(subject=owner, expires_at_s=2e9, token_id=token)

        dialogue = Dialogue(
            Identity(subject=owner, expires_at_s=2e9, token_id=""),
            outlet,  # type: ignore[arg-type]
            sessions=self.sessions,
            verify=verify,
            metrics=self.metrics,
            on_identity=lambda _: None,
        )
        return dialogue, outlet


async def _story(messages: list[str | bytes]) -> None:
    world = World()
    ann, to_ann = world.talk("ann")
    eve, to_eve = world.talk("eve")
    await ann.take(encode(said.CreateSession()))
    ann.take_sound(pack_audio(1, FRAME))
    async with asyncio.timeout(60):
        while not world.linker.links or not world.linker.links[0].listening:
            await asyncio.sleep(0.01)
    for message in messages:
        known = len(to_eve.messages)
        if isinstance(message, str):
            await eve.take(message)
        else:
            eve.take_sound(message)
            assert len(to_eve.messages) > known
    await asyncio.sleep(1.0)
    world.linker.links[0].user_said("undisturbed")
    await asyncio.sleep(1.0)
    turns = [entry.item for entry in to_ann.entries if isinstance(entry.item, told.Turn)]
    assert [(turn.role, turn.text) for turn in turns] == [(Role.USER, "undisturbed")]
    await eve.take(encode(said.Heartbeat(timestamp=7)))
    assert to_eve.messages[-1] == told.HeartbeatAck(timestamp=7)
    for dialogue in (ann, eve):
        dialogue.over()
    await world.sessions.stop()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    assert all(link.closed for link in world.linker.links)


@settings(max_examples=40, deadline=None)
@given(_MESSAGES)
def test_whatever_a_client_says_it_is_answered_and_nothing_is_left(messages: list[str | bytes]) -> None:
    run_virtually(_story(messages))
