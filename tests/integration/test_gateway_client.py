"""NovaDesk's own link at a real gateway: what is said and heard is whole, whatever happens to sockets and processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from novadesk.protocol.events import WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.link import Closed
from novadesk.protocol.session_events import SpeechReceived, TextSpoken, UserTextReceived
from novadesk.transport.gateway_copies import GatewayCopies
from novadesk.transport.signin_http import SignInHttp
from tests.support.gateway_client import HANDLE, PATIENCE_S, PATIENT, Here, Wire, frame, now, until
from tests.support.gateway_host import Host, hosted
from tests.support.gateway_switch import switch

TALK = [HistoryMessage(WireRole.USER, "I am Ann."), HistoryMessage(WireRole.ASSISTANT, "Hello Ann.")]
WIDE = replace(PATIENT, line=replace(PATIENT.line, window=62))


@asynccontextmanager
async def at(host: Host) -> AsyncIterator[Here]:
    """Lead a person through a switch to the gateways of a host, the first one first."""
    async with switch(host.urls) as leading:
        here = Here(leading.url, timing=WIDE)
        here.person.tokens = [host.token()]
        here.switch = leading
        try:
            yield here
        finally:
            await here.close()


async def talk_until(wire: Wire, holds: Callable[[], bool]) -> None:
    """Go on talking, as a microphone does, until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await wire.say(7)
            await asyncio.sleep(0.01)


async def test_a_conversation_with_its_history(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host, at(host) as here:
        wire = await (await here.wire()).start(TALK)
        await wire.say(1, 2, 3)
        await until(lambda: bool(host.linker.links) and host.linker.newest.listening)
        service = host.linker.newest
        assert [line.text for line in service.history()] == ["I am Ann.", "Hello Ann."]
        await until(lambda: frame(3) in service.heard())
        service.user_said("Who am I?")
        service.answer("You are Ann.", samples=2_400)
        await wire.hear(lambda: bool(wire.of(TextSpoken)))
        assert wire.of(UserTextReceived)[0].text == "Who am I?"
        assert sum(len(event.pcm) for event in wire.of(SpeechReceived)) == 4_800
        assert HANDLE in here.ring.kept
        wire.session.end(now())
        await wire.send()
        assert await wire.end() == Closed(None)
        await until(lambda: here.ring.kept == {})


async def test_a_socket_killed_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host, at(host) as here:
        wire = await (await here.wire()).start()
        await wire.say(1)
        await until(lambda: bool(host.linker.links) and host.linker.newest.listening)
        service = host.linker.newest
        service.user_said("Tell me.")
        service.plan("A long answer.")
        service.speak(24_000, last=False)
        await wire.hear(lambda: bool(wire.of(SpeechReceived)))
        here.switch.cut()
        service.speak(24_000, last=True)
        service.spoken("A long answer.", last=True)
        saying = asyncio.create_task(wire.say(*range(2, 12)))
        await wire.hear(lambda: bool(wire.of(TextSpoken)))
        await saying
        assert wire.closed is None
        assert sum(len(event.pcm) for event in wire.of(SpeechReceived)) == 96_000
        assert len(wire.of(TextSpoken)) == len(wire.of(UserTextReceived)) == 1
        await until(lambda: frame(11) in service.heard())
        assert [service.heard().count(frame(number)) for number in range(1, 12)] == [1] * 11
        assert len(host.linker.links) == 1


async def test_a_gateway_killed_in_the_middle_of_an_answer_and_another_one_goes_on(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host, at(host) as here:
        wire = await (await here.wire()).start()
        await wire.say(1)
        await until(lambda: bool(host.linker.links) and host.linker.newest.listening)
        service = host.linker.newest
        service.user_said("Tell me.")
        service.plan("A long answer.")
        service.speak(24_000, last=False)
        await wire.hear(lambda: bool(wire.of(SpeechReceived)))
        here.switch.lead_to(1)
        await host.kill(0)
        await talk_until(wire, lambda: len(host.linker.links) == 2 and host.linker.newest.listening)
        wire.session.send_text("Go on.", now())
        await wire.send()
        await talk_until(wire, lambda: "Go on." in host.linker.newest.typed())  # written words wait for sound
        host.linker.newest.answer("Here it is.", samples=2_400)
        await wire.hear(lambda: any("Here it is." in event.text for event in wire.of(TextSpoken)))
        assert wire.closed is None


async def test_a_gateway_that_drains_hands_its_talkers_over(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host, at(host) as here:
        wire = await (await here.wire()).start(TALK)
        await wire.say(1)
        await until(lambda: bool(host.linker.links) and host.linker.newest.listening)
        here.switch.lead_to(1)
        draining = asyncio.create_task(host.gateways[0].drain())
        await talk_until(wire, lambda: len(host.linker.links) == 2 and host.linker.newest.listening)
        await draining
        assert [line.text for line in host.linker.newest.history()] == ["I am Ann.", "Hello Ann."]
        assert wire.closed is None


async def test_what_is_written_while_a_gateway_drains_is_asked_at_the_next_one_and_once(tmp_path: Path) -> None:
    async with hosted(tmp_path, gateways=2) as host, at(host) as here:
        wire = await (await here.wire()).start(TALK)
        wire.session.send_text("Who am I?", now())
        await talk_until(wire, lambda: bool(host.linker.links) and host.linker.newest.typed() == ["Who am I?"])
        old = host.linker.newest
        here.switch.lead_to(1)
        draining = asyncio.create_task(host.gateways[0].drain())
        wire.session.send_text("And now?", now())
        await wire.say(7, 7, 7)
        old.answer("You are Ann.", samples=2_400)
        await wire.hear(lambda: any(event.text == "You are Ann." for event in wire.of(TextSpoken)))
        await talk_until(wire, lambda: len(host.linker.links) == 2 and host.linker.newest.typed() == ["And now?"])
        await draining
        assert old.typed() == ["Who am I?"]
        (session,) = host.gateways[1].sessions.here
        texts = [turn.text for turn in await host.store.turns(session.session_id)]
        assert texts == ["I am Ann.", "Hello Ann.", "Who am I?", "You are Ann.", "And now?"]


async def test_another_start_of_the_program_goes_on_with_the_session(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host, at(host) as here:
        first = await (await here.wire()).start(TALK)
        await first.say(1)
        await until(lambda: HANDLE in here.ring.kept)
        await first.link.close()
        before = here.ring.kept[HANDLE]
        here.restart()
        second = await (await here.wire()).start(TALK)
        await second.say(2)
        await until(lambda: bool(host.linker.links) and frame(2) in host.linker.newest.heard())
        host.linker.newest.user_said("Still there?")
        await second.hear(lambda: bool(second.of(UserTextReceived)))
        assert here.ring.kept[HANDLE] == before


async def test_a_stranger_with_the_key_of_a_session_gets_another_one(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host, at(host) as here, at(host) as stranger:
        await (await here.wire()).start()
        await until(lambda: HANDLE in here.ring.kept)
        stranger.person.tokens = [host.token("ben")]
        stranger.ring.kept[HANDLE] = here.ring.kept[HANDLE]
        await (await stranger.wire()).start()
        await until(lambda: stranger.ring.kept[HANDLE].session_id != here.ring.kept[HANDLE].session_id)


async def test_an_outage_in_the_middle_of_an_answer_leaves_the_record_whole(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host, at(host) as here:
        here.timing = replace(WIDE, line=replace(WIDE.line, return_s=0.2))
        first = await (await here.wire()).start()
        await first.say(1)
        await until(lambda: bool(host.linker.links) and host.linker.newest.listening)
        service = host.linker.newest
        service.user_said("Tell me.")
        service.plan("A long answer.")
        service.speak(24_000, last=False)
        await first.hear(lambda: bool(first.of(SpeechReceived)))
        await here.switch.stop()
        service.speak(24_000, last=True)
        service.spoken("A long answer.", last=True)
        assert (await first.end()).failure is not None
        await first.link.close()
        await here.switch.start(again=True)
        second = await (await here.wire()).start()
        await second.hear(lambda: bool(second.missed))
        assert [(turn.text, turn.heard_chars) for turn in second.missed] == [("A long answer.", None)]
        assert len(host.linker.links) == 1


async def test_the_gateways_record_is_cut_where_the_person_stopped_the_answer(tmp_path: Path) -> None:
    said = "One two three four five six seven eight."
    async with hosted(tmp_path) as host, at(host) as here:
        wire = await (await here.wire()).start()
        await wire.say(1)
        await until(lambda: bool(host.linker.links) and host.linker.newest.listening)
        service = host.linker.newest
        service.user_said("Tell me.")
        service.plan(said)
        service.speak(48_000, last=False)
        await wire.hear(lambda: sum(len(event.pcm) for event in wire.of(SpeechReceived)) == 96_000)
        here.heard(wire.of(SpeechReceived)[0].content_id, 24_000, last=True)
        session_id = here.ring.kept[HANDLE].session_id
        async with asyncio.timeout(PATIENCE_S):
            while len(turns := await host.store.turns(session_id)) < 2:
                await asyncio.sleep(0.01)
        assert turns[1].interrupted
        assert 10 <= len(turns[1].heard_text) <= 28  # half of it


async def test_what_was_deleted_here_is_deleted_at_the_gateway(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host, at(host) as here, at(host) as stranger:
        stranger.person.tokens = [host.token("ben")]
        wire = await (await here.wire()).start(TALK)
        await wire.say(1)
        await until(lambda: bool(host.linker.links) and host.linker.newest.listening)
        host.linker.newest.user_said("My name is Ann.")
        await wire.hear(lambda: bool(wire.of(UserTextReceived)))
        (session_id,) = await host.store.kept_of("ann", HANDLE)
        await GatewayCopies(SignInHttp(environment={}), host.urls[0], stranger.person).delete(HANDLE)
        assert len(await host.store.turns(session_id)) == 3
        copies = GatewayCopies(SignInHttp(environment={}), host.urls[0], here.person)
        await copies.delete(HANDLE)
        await copies.delete(HANDLE)
        assert await host.store.kept_of("ann", HANDLE) == ()
        assert await host.store.turns(session_id) == ()
        assert (await wire.end()).failure is not None  # it was alive
