"""A session that moves: to another connection, to another process, with its owner and secret and nobody else's."""

import asyncio
from pathlib import Path

from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope_server import SessionCreated
from novadesk.protocol.envelope_values import CallStatus, ErrorCode, Pipeline
from novadesk.server.gateway.options import Timing
from tests.support.gateway_host import FRAME, Client, Host, hosted

SHORT = Timing(touch_s=0.05, grace_s=0.2)


async def _talk(host: Host, client: Client, links: int = 1) -> None:
    """Speak, and wait until the voice service hears it."""
    await client.speak(2)
    await client.until(lambda: len(host.linker.links) == links and FRAME in host.linker.newest.heard())


async def _refused(client: Client, message: said.ResumeSession) -> ErrorCode:
    return (await client.ask(message, told.Error)).code


def _resume(created: SessionCreated, **fields: object) -> said.ResumeSession:
    return said.ResumeSession(
        **{"session_id": created.session_id, "resume_secret": created.resume_secret} | fields  # type: ignore[arg-type]
    )


async def test_a_socket_killed_in_the_middle_of_an_answer_and_the_rest_comes_on_the_new_one(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        first = await host.connect()
        created = await first.create()
        await _talk(host, first)
        service = host.linker.newest
        service.user_said("hello")
        service.plan("A long answer.")
        service.speak(24_000, last=False)
        await first.until(lambda: len(first.sound) == 48_000)
        first.cut()
        await first.closed()
        service.speak(24_000, last=True)  # while nobody is there
        second = await host.connect()
        resumed = await second.resume(created, last_sequence=first.sequences[-1])
        service.spoken("A long answer.", last=True)
        await second.until(lambda: len(second.all(told.Turn)) == 1)
        assert resumed.generation == 2
        assert resumed.last_audio == 2
        assert len(first.sound) + len(second.sound) == 96_000
        assert first.sequences + second.sequences == list(range(1, second.sequences[-1] + 1))
        assert len(host.linker.links) == 1  # the voice service has noticed nothing


async def test_what_was_not_acknowledged_is_told_again_and_what_was_is_not(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        first = await host.connect()
        created = await first.create()
        await _talk(host, first)
        host.linker.newest.user_said("hello")
        await first.until(lambda: len(first.all(told.Turn)) == 1)
        await first.until(lambda: first.all(told.PipelineState)[-1].state is Pipeline.PROCESSING)  # the last that comes
        await first.say(said.Ack(sequence=2))
        second = await host.connect()
        await second.resume(created)
        await second.until(lambda: len(second.all(told.Turn)) == 1)
        assert second.sequences == first.sequences[2:]


async def test_an_id_is_worth_nothing_without_its_owner_and_its_secret(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        client = await host.connect("ann")
        created = await client.create()
        stranger, forgetful = await host.connect("ben"), await host.connect("ann")
        assert await _refused(stranger, _resume(created)) is ErrorCode.SESSION_NOT_FOUND
        assert await _refused(forgetful, _resume(created, resume_secret="guessed")) is ErrorCode.SESSION_NOT_FOUND
        unknown = _resume(created, session_id=created.session_id[:-1] + "0")
        assert await _refused(forgetful, unknown) is ErrorCode.SESSION_NOT_FOUND
        for message in (said.EndSession(session_id=created.session_id), said.AudioEnd(session_id=created.session_id)):
            assert (await stranger.ask(message, told.Error)).code is ErrorCode.SESSION_NOT_FOUND
            stranger.told.clear()
        status = await client.ask(said.GetSessionStatus(), told.SessionStatus)
        assert status.session_id == created.session_id


async def test_the_old_connection_is_told_and_closed_and_its_late_end_changes_nothing(tmp_path: Path) -> None:
    async with hosted(tmp_path, timing=SHORT) as host:
        first = await host.connect()
        created = await first.create()
        await _talk(host, first)
        second = await host.connect()
        await second.resume(created)
        assert (await first.next(told.Error)).code is ErrorCode.SESSION_TAKEN
        assert await first.closed() == 4409
        await asyncio.sleep(0.5)  # longer than the grace period
        host.linker.newest.user_said("still there")
        await second.until(lambda: "still there" in [turn.text for turn in second.all(told.Turn)])
        assert host.gateways[0].sessions.here


async def test_of_two_that_race_for_a_session_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host:
        first = await host.connect()
        created = await first.create()
        racers = [await host.connect(gateway=number) for number in (0, 1)]
        gate = asyncio.Barrier(2)
        find = host.store.find

        async def find_together(*given: object, **named: object) -> object:
            found = await find(*given, **named)
            await gate.wait()
            return found

        host.store.find = find_together
        for racer in racers:
            await racer.say(_resume(created))
        for racer in racers:
            await racer.until(lambda racer=racer: bool(racer.all(told.SessionResumed) or racer.all(told.Error)))  # type: ignore[misc]
        host.store.find = find
        won = [racer for racer in racers if racer.all(told.SessionResumed)]
        lost = [racer for racer in racers if racer.all(told.Error)]
        assert (len(won), len(lost)) == (1, 1)
        assert lost[0].all(told.Error)[0].code is ErrorCode.SESSION_TAKEN
        assert won[0].all(told.SessionResumed)[0].generation == 2


async def test_a_killed_gateway_and_the_conversation_goes_on_at_another_one(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2, timing=SHORT) as host:
        first = await host.connect()
        created = await first.create(request_id="call")
        await _talk(host, first)
        dead = host.linker.newest
        dead.user_said("I met Dr. Smith.")
        dead.answer("Good.", 480)
        await first.until(lambda: len(first.all(told.Turn)) == 2)
        dead.user_said("What did we discuss?")
        await first.until(lambda: len(first.all(told.Turn)) == 3)
        dead.plan("You met")
        await host.kill(0)
        await first.closed()
        second = await host.connect(gateway=1)
        resumed = await second.resume(created, last_sequence=first.sequences[-1])
        assert (resumed.history_length, resumed.last_audio) == (3, 0)
        await second.until(lambda: host.linker.newest.typed() == ["What did we discuss?"])
        assert [message.text for message in host.linker.newest.history()] == ["I met Dr. Smith.", "Good."]
        host.linker.newest.answer("You met Dr. Smith.", 4_800)
        await second.until(lambda: "You met Dr. Smith." in [turn.text for turn in second.all(told.Turn)])
        assert len(second.sound) == 9_600
        assert min(second.sequences) == first.sequences[-1] + 1
        kept = await host.store.turns(created.session_id)
        assert [turn.text for turn in kept if not turn.unconfirmed] == [
            "I met Dr. Smith.", "Good.", "What did we discuss?", "You met Dr. Smith.",
        ]  # fmt: skip


async def test_a_process_that_has_lost_a_session_lets_go_of_it_by_itself(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2, timing=SHORT) as host:
        first = await host.connect(gateway=0)
        created = await first.create()
        await _talk(host, first)
        second = await host.connect(gateway=1)
        await second.resume(created)
        assert (await first.next(told.Error)).code is ErrorCode.SESSION_TAKEN
        assert await first.closed() == 4409
        assert host.gateways[0].sessions.here == ()
        third = await host.connect(gateway=0)  # and back again
        await third.resume(created)
        await third.speak(1)
        await third.until(lambda: bool(third.all(told.AudioAck)))


async def test_a_session_left_alone_is_put_away_after_the_grace_period_and_can_be_resumed(tmp_path: Path) -> None:
    async with hosted(tmp_path, timing=SHORT) as host:
        first = await host.connect()
        created = await first.create()
        await _talk(host, first)
        host.linker.newest.user_said("hello")
        host.linker.newest.answer("Hello there.", 480)
        await first.until(lambda: len(first.all(told.Turn)) == 2)
        await first.close()
        async with asyncio.timeout(60):
            while host.gateways[0].sessions.here or not host.linker.newest.closed:
                await asyncio.sleep(0.01)
        second = await host.connect()
        resumed = await second.resume(created, last_sequence=first.sequences[-1])
        assert resumed.history_length == 2
        await second.until(lambda: len(host.linker.links) == 2 and host.linker.newest.listening)
        assert [message.text for message in host.linker.newest.history()] == ["hello", "Hello there."]


async def test_a_lost_answer_to_a_creation_and_its_retry_make_one_session(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host:
        first = await host.connect()
        one = await first.create(request_id="mine")
        again = await first.create(request_id="mine")
        assert again.session_id == one.session_id
        second = await host.connect(gateway=1)
        elsewhere = await second.create(request_id="mine")
        assert elsewhere.session_id == one.session_id
        assert len(await host.store.list_of("ann", now_s=host.clock.unix_ms() / 1000)) == 1
        third = await host.connect()
        assert await _refused(third, _resume(one)) is ErrorCode.SESSION_NOT_FOUND  # the newest secret alone holds
        await third.resume(elsewhere)
        other = await (await host.connect("ben")).create(request_id="mine")
        assert other.session_id != one.session_id


async def test_a_gateway_that_stops_sends_its_clients_to_another_one_and_no_turn_is_lost(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host:
        first = await host.connect()
        created = await first.create()
        await _talk(host, first)
        host.linker.newest.user_said("hello")
        host.linker.newest.answer("Hello there.", 480)
        await first.until(lambda: len(first.all(told.Turn)) == 2)
        drain = asyncio.create_task(host.gateways[0].drain())
        assert (await first.next(told.ConnectionRefreshRequired)).reason == "draining"
        late = await host.connect()
        assert (await late.next(told.Error)).code is ErrorCode.DRAINING
        assert await late.closed() == 1001
        async with host.http.get(f"{host.urls[0]}/health") as health:
            assert (health.status, (await health.json())["status"]) == (503, "draining")
        second = await host.connect(gateway=1)
        resumed = await second.resume(created, last_sequence=first.sequences[-1])
        await first.close()
        await drain
        assert resumed.history_length == 2
        await second.speak(1)
        await second.until(lambda: CallStatus.CONNECTED in [c.status for c in second.all(told.CallStatusChanged)])


async def test_who_stays_until_the_end_is_closed_and_finds_the_session_elsewhere(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2, timing=Timing(drain_s=0.1)) as host:
        first = await host.connect()
        created = await first.create()
        await host.gateways[0].drain()
        await host.gateways[0].sessions.stop()
        assert await first.closed() == 1001
        second = await host.connect(gateway=1)
        assert (await second.resume(created)).generation == 2
