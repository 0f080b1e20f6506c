"""A session that leaves a process: what it writes, what it still takes, and what is left of it there."""

import asyncio
from pathlib import Path

from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope_values import ErrorCode
from novadesk.server.gateway.options import Timing
from tests.support.gateway_host import Client, Host, hosted


async def _asked(host: Host, text: str, client: Client | None = None) -> Client:
    """Ask something in writing, and wait until the voice service has it."""
    client = client or await host.connect()
    await client.ask(said.TextInput(text=text, request_id=text), told.TextAccepted)
    await client.until(lambda: bool(host.linker.links) and text in host.linker.newest.typed())
    return client


async def _texts(host: Host, session_id: str) -> list[str]:
    return [turn.text for turn in await host.store.turns(session_id)]


async def _gone(host: Host, gateway: int) -> None:
    async with asyncio.timeout(60):
        while host.gateways[gateway].sessions.here:
            await asyncio.sleep(0.01)


async def test_what_comes_late_to_a_process_that_has_lost_the_session_is_not_written(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2, timing=Timing(touch_s=60.0)) as host:
        first = await host.connect()
        created = await first.create()
        await _asked(host, "Who am I?", first)
        old = host.linker.newest
        second = await host.connect(gateway=1)
        resumed = await second.resume(created)
        assert resumed.history_length == 1
        await second.until(lambda: len(host.linker.links) == 2 and host.linker.newest.typed() == ["Who am I?"])
        old.answer("You are Ben.", 480)
        await _gone(host, 0)  # at once: it has heard of it from the store
        host.linker.newest.answer("You are Ann.", 480)
        await second.until(lambda: "You are Ann." in [turn.text for turn in second.all(told.Turn)])
        assert await _texts(host, created.session_id) == ["Who am I?", "You are Ann."]


async def test_a_text_that_two_processes_are_told_is_asked_once(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host:
        first = await host.connect()
        created = await first.create()
        await _asked(host, "Who am I?", first)
        host.linker.newest.answer("You are Ann.", 480)
        await first.until(lambda: len(first.all(told.Turn)) == 2)
        second = await host.connect(gateway=1)
        await second.resume(created)
        await second.ask(said.TextInput(text="Who am I?", request_id="Who am I?"), told.TextAccepted)
        await _asked(host, "And now?", second)
        assert host.linker.newest.typed() == ["And now?"]
        assert await _texts(host, created.session_id) == ["Who am I?", "You are Ann.", "And now?"]


async def test_a_gateway_that_drains_lets_an_answer_end_and_takes_no_other_question(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host:
        first = await host.connect()
        created = await first.create()
        await _asked(host, "Who am I?", first)
        old = host.linker.newest
        drain = asyncio.create_task(host.gateways[0].drain())
        refused = await first.ask(said.TextInput(text="And now?", request_id="2"), told.Error)
        assert (refused.code, refused.request_id, refused.fatal) == (ErrorCode.DRAINING, "2", False)
        await first.ask(said.TextInput(text="Who am I?", request_id="Who am I?"), told.TextAccepted)  # it has that one
        assert first.all(told.ConnectionRefreshRequired) == []
        old.answer("You are Ann.", 48_000)
        await first.next(told.ConnectionRefreshRequired)
        assert await _texts(host, created.session_id) == ["Who am I?", "You are Ann."]
        second = await host.connect(gateway=1)
        await second.resume(created, last_sequence=first.sequences[-1])
        await first.close()
        await asyncio.wait_for(drain, 60)
        assert host.gateways[0].sessions.here == ()
        await second.ask(said.TextInput(text="And now?", request_id="2"), told.TextAccepted)
        await second.until(lambda: host.linker.newest.typed() == ["And now?"])
        assert old.closed
        assert await _texts(host, created.session_id) == ["Who am I?", "You are Ann.", "And now?"]


async def test_an_answer_that_does_not_end_keeps_nobody(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2, timing=Timing(rest_s=0.1, touch_s=0.1)) as host:
        first = await host.connect()
        created = await first.create()
        await _asked(host, "Who am I?", first)
        drain = asyncio.create_task(host.gateways[0].drain())
        await first.next(told.ConnectionRefreshRequired)
        second = await host.connect(gateway=1)
        await second.resume(created)
        await second.until(lambda: len(host.linker.links) == 2 and host.linker.newest.typed() == ["Who am I?"])
        await first.close()
        await asyncio.wait_for(drain, 60)
        assert await _texts(host, created.session_id) == ["Who am I?"]


async def test_a_session_without_a_client_is_put_away_when_its_process_drains(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host:
        first = await host.connect()
        created = await first.create()
        await _asked(host, "Who am I?", first)
        await first.close()
        drain = asyncio.create_task(host.gateways[0].drain())
        host.linker.newest.answer("You are Ann.", 480)
        await asyncio.wait_for(drain, 60)
        second = await host.connect(gateway=1)
        assert (await second.resume(created)).history_length == 2


async def test_a_session_in_which_nothing_was_said_leaves_at_once_and_begins_elsewhere(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host:
        first = await host.connect()
        created = await first.create()
        drain = asyncio.create_task(host.gateways[0].drain())
        await first.next(told.ConnectionRefreshRequired)
        refused = await first.ask(said.TextInput(text="Who am I?", request_id="1"), told.Error)
        assert refused.code is ErrorCode.DRAINING
        await first.close()
        await asyncio.wait_for(drain, 60)
        assert host.linker.links == []
        second = await host.connect(gateway=1)
        await second.resume(created)
        await _asked(host, "Who am I?", second)
