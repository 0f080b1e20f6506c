"""A client and a gateway over a true WebSocket on loopback; the voice service is scripted."""

from pathlib import Path

from novadesk.models import Role
from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope_values import CallStatus
from tests.support.gateway_host import FRAME, hosted


async def test_a_call_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        client = await host.connect()
        created = await client.create(request_id="one", language="en")
        assert (created.request_id, created.generation, created.revision) == ("one", 1, 0)
        await client.speak(3)
        await client.until(lambda: bool(host.linker.links) and FRAME * 3 in host.linker.newest.heard())
        host.linker.newest.user_said("hello")
        host.linker.newest.answer("Hello there.", 4_800)
        await client.until(lambda: len(client.all(told.Turn)) == 2)
        assert [(turn.role, turn.text) for turn in client.all(told.Turn)] == [
            (Role.USER, "hello"),
            (Role.ASSISTANT, "Hello there."),
        ]
        assert len(client.sound) == 9_600
        assert client.sequences == list(range(1, len(client.sequences) + 1))
        assert CallStatus.CONNECTED in [change.status for change in client.all(told.CallStatusChanged)]
        assert client.all(told.AudioAck)[-1].sequence == 3
        await client.say(said.EndSession(reason="done"))
        assert await client.closed() == 1000
        assert [ended.reason for ended in client.all(told.SessionEnded)] == ["done"]
    assert all(link.closed for link in host.linker.links)
