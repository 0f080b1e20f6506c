"""The link to a gateway holds what links hold, and goes on where a connection does not."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from novadesk.conversation.supervisor import Verdict, judge
from novadesk.errors import KnownError, Reason
from novadesk.models import Role
from novadesk.protocol import envelope_client as client
from novadesk.protocol import envelope_server as server
from novadesk.protocol.envelope_values import CallStatus, ContentKind, ErrorCode, Line, Party, Played, TextStage
from novadesk.protocol.events import StopReason, WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.link import Accepted, Closed
from novadesk.protocol.session_events import Interrupted, SpeechReceived, TextPlanned, TextSpoken, UserTextReceived
from novadesk.server.certificate import ensure_certificate
from novadesk.transport.gateway_talk import SessionKey
from tests.support.gateway_client import HANDLE, QUICK, SETUP, Here, conversation, frame, now, until
from tests.support.gateway_script import ScriptedGateway, scripted_gateway


@dataclass(slots=True)
class World(Here):
    """A person at a gateway that does as it is told."""

    gateway: ScriptedGateway = field(default_factory=ScriptedGateway)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with scripted_gateway() as gateway:
        made = World(gateway.url, gateway=gateway)
        yield made
        await made.close()


def planned(content_id: str, said: str) -> list[Any]:
    kind, role, stage = ContentKind.TEXT, Party.ASSISTANT, TextStage.SPECULATIVE
    return [
        server.ContentStart(content_id=content_id, kind=kind, role=role, stage=stage),
        server.Transcript(content_id=content_id, role=Role.ASSISTANT, text=said, stage=stage),
        server.ContentEnd(content_id=content_id, kind=kind, stop_reason=StopReason.PARTIAL_TURN),
    ]


SPEECH = server.ContentStart(content_id="a", kind=ContentKind.AUDIO, role=Party.ASSISTANT)
SPEECH_END = server.ContentEnd(content_id="a", kind=ContentKind.AUDIO, stop_reason=StopReason.END_TURN)
SPOKEN = [
    server.ContentStart(content_id="f", kind=ContentKind.TEXT, role=Party.ASSISTANT, stage=TextStage.FINAL),
    server.Transcript(content_id="f", role=Role.ASSISTANT, text="One. Two."),
    server.ContentEnd(content_id="f", kind=ContentKind.TEXT, stop_reason=StopReason.END_TURN),
]
USER = [
    server.ContentStart(content_id="u", kind=ContentKind.TEXT, role=Party.USER, stage=TextStage.FINAL),
    server.Transcript(content_id="u", role=Role.USER, text="Hello."),
    server.ContentEnd(content_id="u", kind=ContentKind.TEXT, stop_reason=StopReason.END_TURN),
]


# --- one connection ----------------------------------------------------------------------------


async def test_a_conversation_from_its_opening_to_its_end(world: World) -> None:
    wire = await world.wire()
    await wire.start([HistoryMessage(WireRole.USER, "Hi"), HistoryMessage(WireRole.ASSISTANT, "Hello")])
    await wire.say(1, 2)
    await world.gateway.tell(*USER, *planned("s", "One. Two."), SPEECH, frame(7), SPEECH_END, *SPOKEN)
    await wire.hear(lambda: bool(wire.of(TextSpoken)))
    assert [event.pcm for event in wire.of(SpeechReceived)] == [frame(7)]
    assert wire.of(UserTextReceived)[0].text == "Hello."

    (created,) = world.gateway.of(client.CreateSession)
    assert created.configuration.prompt == "Be brief."
    assert (created.conversation, created.private) == (HANDLE, False)
    (history,) = world.gateway.of(client.History)
    assert history.lines == (Line(role=Role.USER, text="Hi"), Line(role=Role.ASSISTANT, text="Hello"))
    assert world.gateway.current is not None
    assert [one.pcm for one in world.gateway.current.heard] == [frame(1), frame(2)]
    assert world.gateway.tokens == ["Bearer t1"]
    await until(lambda: world.gateway.current is not None and not world.gateway.current.output)  # acknowledged
    assert HANDLE in world.ring.kept

    wire.session.end(now())
    await wire.send()
    await wire.link.finish()
    assert await wire.end() == Closed(None)
    assert world.gateway.sessions == {}
    await until(lambda: world.ring.kept == {})


async def test_nothing_is_accepted_before_the_gateway_has_a_session(world: World) -> None:
    world.gateway.mute = True
    wire = await world.wire()
    await wire.link.open()
    wire.session.start(SETUP, now())
    await wire.send()
    await until(lambda: bool(world.gateway.of(client.CreateSession)))
    waiting = asyncio.create_task(wire.link.receive())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    assert wire.link.unheard_s >= 0.05
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_sound_that_the_gateway_does_not_take_is_not_said_to_be_sent(world: World) -> None:
    world.timing = QUICK
    wire = await (await world.wire()).start()
    world.gateway.deaf = True
    with pytest.raises(KnownError) as caught:
        await wire.say(*range(1, 20))
    assert caught.value.reason is Reason.TIMED_OUT
    closed = await wire.end()
    assert closed.failure is caught.value
    assert wire.link.unheard_s >= 1.0


async def test_written_words_are_sent_with_a_name_that_makes_them_one(world: World) -> None:
    wire = await (await world.wire()).start()
    await asyncio.sleep(0.06)
    wire.session.send_text("What time is it?", now())
    await wire.send()
    await until(lambda: bool(world.gateway.of(client.TextInput)))
    (asked,) = world.gateway.of(client.TextInput)
    assert asked.text == "What time is it?"
    assert asked.request_id


# --- a connection that breaks ------------------------------------------------------------------


async def test_the_rest_of_an_answer_arrives_on_the_next_connection(world: World) -> None:
    wire = await (await world.wire()).start()
    await world.gateway.tell(*USER, *planned("s", "One. Two."), SPEECH, frame(1))
    await wire.hear(lambda: bool(wire.of(SpeechReceived)))
    world.gateway.cut()
    await world.gateway.tell(frame(2), frame(3), SPEECH_END, *SPOKEN, lost=True)
    await wire.hear(lambda: bool(wire.of(TextSpoken)))
    assert wire.closed is None
    assert [event.pcm for event in wire.of(SpeechReceived)] == [frame(1), frame(2), frame(3)]
    assert len(wire.of(TextPlanned)) == len(wire.of(TextSpoken)) == len(wire.of(UserTextReceived)) == 1
    assert len(world.gateway.of(client.CreateSession)) == 1


async def test_what_is_said_while_there_is_no_connection_arrives_once_and_in_order(world: World) -> None:
    wire = await (await world.wire()).start()
    await wire.say(1, 2, 3)
    session = world.gateway.current
    assert session is not None
    await until(lambda: len(session.heard) == 3)
    world.gateway.deaf = True
    await wire.say(4, 5)
    world.gateway.cut()
    world.gateway.deaf = False
    hearing = asyncio.create_task(wire.hear(lambda: len(session.heard) == 8))
    await wire.say(6, 7, 8)
    await until(lambda: len(session.heard) == 8)
    assert [one.pcm for one in session.heard] == [frame(number) for number in range(1, 9)]
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)


async def test_a_question_is_asked_again_until_it_was_accepted(world: World) -> None:
    wire = await (await world.wire()).start()
    await asyncio.sleep(0.06)
    world.gateway.answer = lambda message: True if isinstance(message, client.TextInput) else None
    wire.session.send_text("Why?", now())
    await wire.send()
    await until(lambda: bool(world.gateway.of(client.TextInput)))
    world.gateway.answer = lambda message: None
    world.gateway.cut()
    await until(lambda: len(world.gateway.of(client.TextInput)) == 2)
    first, second = world.gateway.of(client.TextInput)
    assert first == second


async def test_a_gateway_that_is_restarted_is_come_back_to_at_once(world: World) -> None:
    wire = await (await world.wire()).start()
    await world.gateway.plain(server.ConnectionRefreshRequired(reason="draining"))
    await until(lambda: len(world.gateway.of(client.ResumeSession)) == 1)
    await world.gateway.tell(*USER)
    await wire.hear(lambda: bool(wire.of(UserTextReceived)))
    assert wire.closed is None


async def test_a_silent_gateway_is_noticed_by_its_heart(world: World) -> None:
    world.timing = QUICK
    world.gateway.heartbeat_s = 0
    wire = await (await world.wire()).start()
    await until(lambda: len(world.gateway.of(client.Heartbeat)) > 2)
    world.gateway.mute = True
    closed = await wire.end()
    assert closed.failure is not None
    assert judge(closed.failure) is Verdict.RETRY
    assert len(world.gateway.sockets) > 1  # it was tried


async def test_after_too_long_the_link_is_over_and_the_next_one_resumes_the_session(world: World) -> None:
    world.timing = QUICK
    first = await (await world.wire()).start()
    await world.gateway.tell(*USER)
    await first.say(1, 2)
    await first.hear(lambda: bool(first.of(UserTextReceived)))
    world.gateway.refuse = [503] * 1_000
    world.gateway.cut()
    closed = await first.end()
    assert judge(closed.failure) is Verdict.RETRY
    await first.link.close()

    world.gateway.refuse = []
    await world.gateway.tell(*planned("s", "One. Two."), SPEECH, frame(9), lost=True)
    second = await (await world.wire()).start([HistoryMessage(WireRole.USER, "Hi")])
    await second.hear(lambda: bool(second.of(SpeechReceived)))
    await second.say(2, 3)  # the core says what nobody answered once more
    session = world.gateway.current
    assert session is not None
    await until(lambda: len(session.heard) >= 3)
    assert len(world.gateway.of(client.CreateSession)) == 1
    assert world.gateway.of(client.History) == []
    assert len(world.gateway.of(client.Configure)) == 1


async def test_what_was_written_while_no_link_was_there_is_told_by_the_next_one(world: World) -> None:
    world.timing = QUICK
    first = await (await world.wire()).start()
    await world.gateway.tell(*USER, *planned("s", "One. Two."), SPEECH, frame(1))
    await first.hear(lambda: bool(first.of(SpeechReceived)))
    world.gateway.refuse = [503] * 1_000
    world.gateway.cut()
    await first.end()
    await first.link.close()
    world.gateway.refuse = []
    written = server.Turn(turn_id="t2", role=Role.ASSISTANT, text="One. Two.", at=1)
    await world.gateway.tell(frame(2), SPEECH_END, *SPOKEN, written, lost=True)
    second = await (await world.wire()).start()
    await second.hear(lambda: bool(second.missed))
    assert [turn.text for turn in second.missed] == ["One. Two."]
    assert second.events == []  # its sound would come in the middle of nothing


async def test_what_the_gateway_has_taken_is_not_said_twice_after_a_loss(world: World) -> None:
    world.timing = QUICK
    first = await (await world.wire()).start()
    await first.say(1, 2)
    session = world.gateway.current
    assert session is not None
    await until(lambda: len(session.heard) == 2)
    await until(lambda: first.link.unheard_s == 0)  # acknowledged
    world.gateway.refuse = [503] * 1_000
    world.gateway.cut()
    await first.end()
    await first.link.close()
    world.gateway.refuse = []
    second = await (await world.wire()).start()
    await second.say(1, 2, 3)  # the core says again what nobody has answered
    await until(lambda: len(session.heard) >= 3)
    assert [one.pcm for one in session.heard] == [frame(1), frame(2), frame(3)]


async def test_another_process_ends_what_the_one_before_had_begun(world: World) -> None:
    wire = await (await world.wire()).start()
    await wire.say(1)
    await world.gateway.tell(*USER, *planned("s", "One. Two."), SPEECH, frame(1))
    await wire.hear(lambda: bool(wire.of(SpeechReceived)))
    await until(lambda: wire.link.unheard_s == 0)  # acknowledged
    assert world.gateway.current is not None
    world.gateway.current.taken = 0  # the next process has heard nothing
    world.gateway.current.output.clear()
    world.gateway.cut()
    await world.gateway.tell(server.Turn(turn_id="t2", role=Role.ASSISTANT, text="One. Two.", at=1), lost=True)
    await wire.hear(lambda: bool(wire.missed))
    assert wire.closed is None
    assert len(wire.of(Interrupted)) == 1
    assert [turn.text for turn in wire.missed] == ["One. Two."]


async def test_the_gateway_is_told_what_was_heard_and_at_once_that_it_was_all(world: World) -> None:
    wire = await (await world.wire()).start()
    await world.gateway.tell(*USER, *planned("s", "One. Two."), SPEECH, frame(1))
    await wire.hear(lambda: bool(wire.of(SpeechReceived)))
    world.heard("a", 100)
    world.heard("a", 300)
    world.heard("of another link", 700)

    def played() -> list[Played]:
        return [one.played for one in world.gateway.of(client.Ack) if one.played is not None]

    await until(lambda: played() == [Played(content_id="a", samples=300)])
    world.heard("a", 400, last=True)
    await until(lambda: played()[1:] == [Played(content_id="a", samples=400, last=True)])


# --- a gateway without its voice service ---------------------------------------------------------


async def call(world: World, status: CallStatus) -> None:
    await world.gateway.tell(server.CallStatusChanged(status=status))


async def test_sound_waits_while_the_gateway_has_no_voice_service_and_goes_on_with_it(world: World) -> None:
    wire = await (await world.wire()).start()
    await call(world, CallStatus.CONNECTED)
    await call(world, CallStatus.RECONNECTING)
    session = world.gateway.current
    assert session is not None
    await until(lambda: not session.output)  # all of that has arrived
    saying = asyncio.create_task(wire.say(1))
    await asyncio.sleep(0.1)
    assert session.heard == []
    assert not saying.done()
    await call(world, CallStatus.CONNECTED)
    await saying
    await until(lambda: [one.pcm for one in session.heard] == [frame(1)])


@pytest.mark.parametrize("status", [CallStatus.RECONNECTING, CallStatus.FAILED])
async def test_a_gateway_that_stays_without_its_voice_service_is_no_live_link(world: World, status: CallStatus) -> None:
    world.timing = QUICK
    first = await (await world.wire()).start()
    await call(world, status)
    session = world.gateway.current
    assert session is not None
    await until(lambda: not session.output)
    with pytest.raises(KnownError) as caught:
        await first.say(1)
    assert (caught.value.reason, judge(caught.value)) == (Reason.UNAVAILABLE, Verdict.RETRY)
    await first.link.close()
    second = await world.wire()
    await second.link.open()
    second.session.start(SETUP, now())
    await second.send()
    accepted = asyncio.create_task(second.link.receive())
    await until(lambda: len(world.gateway.of(client.ResumeSession)) == 1)
    await until(lambda: len(world.gateway.of(client.Resume)) == 1)  # it is asked to try again
    await asyncio.sleep(0.1)
    assert not accepted.done()
    assert second.link.unheard_s >= 0.1
    await call(world, CallStatus.CONNECTED)
    assert isinstance(await accepted, Accepted)


# --- sessions ----------------------------------------------------------------------------------


async def test_another_start_of_the_program_resumes_the_session_from_the_keyring(world: World) -> None:
    first = await (await world.wire()).start()
    await first.say(1)
    await until(lambda: HANDLE in world.ring.kept)
    await first.link.close()
    assert len(world.gateway.sessions) == 1
    world.restart()
    await (await world.wire()).start()
    (resumed,) = world.gateway.of(client.ResumeSession)
    assert resumed.resume_secret == "s3"


async def test_a_session_that_is_gone_is_made_anew_with_its_history(world: World) -> None:
    world.ring.kept[HANDLE] = SessionKey("session-of-old", "s3")
    wire = await world.wire()
    await wire.start([HistoryMessage(WireRole.USER, "Hi")])
    await until(lambda: bool(world.gateway.of(client.History)))
    assert len(world.gateway.of(client.ResumeSession)) == len(world.gateway.of(client.CreateSession)) == 1
    await until(lambda: world.ring.kept[HANDLE].session_id != "session-of-old")


async def test_an_answer_that_was_lost_does_not_make_two_sessions(world: World) -> None:
    world.gateway.answer = lambda message: True if isinstance(message, client.CreateSession) else None
    first = await world.wire()
    await first.link.open()
    first.session.start(SETUP, now())
    await first.send()
    await until(lambda: bool(world.gateway.of(client.CreateSession)))
    world.gateway.cut()
    assert judge((await first.end()).failure) is Verdict.RETRY
    await first.link.close()
    world.gateway.answer = lambda message: None
    await (await world.wire()).start()
    once, again = world.gateway.of(client.CreateSession)
    assert once.request_id == again.request_id
    assert len(world.gateway.sessions) == 1


async def test_a_successor_beside_a_live_link_has_a_session_of_its_own(world: World) -> None:
    before = await (await world.wire()).start()
    after = await (await world.wire()).start()
    assert len(world.gateway.sessions) == 2
    before.session.end(now())
    await before.send()
    await before.end()
    assert len(world.gateway.sessions) == 1
    await after.say(1)


async def test_a_session_that_nobody_comes_back_to_is_ended(world: World) -> None:
    world.open = None
    wire = await (await world.wire()).start()
    await wire.link.close()
    await until(lambda: world.gateway.sessions == {})


async def test_of_a_private_conversation_nothing_is_kept(world: World) -> None:
    world.open = conversation(private=True)
    first = await (await world.wire()).start()
    await first.say(1)
    await first.link.close()
    assert world.ring.kept == {}
    (created,) = world.gateway.of(client.CreateSession)
    assert created.private  # nor there
    assert created.conversation is None
    await (await world.wire()).start()  # and yet it goes on while the program runs
    assert len(world.gateway.of(client.ResumeSession)) == 1


# --- tokens ------------------------------------------------------------------------------------


async def test_a_token_that_is_refused_is_renewed_once(world: World) -> None:
    world.gateway.refuse = [401]
    await (await world.wire()).start()
    assert world.gateway.tokens == ["Bearer t1", "Bearer t2"]


async def test_a_token_that_stays_refused_needs_the_person(world: World) -> None:
    world.gateway.refuse = [401, 401]
    wire = await world.wire()
    with pytest.raises(KnownError) as caught:
        await wire.link.open()
    assert caught.value.reason is Reason.CREDENTIALS_EXPIRED
    assert judge(caught.value) is Verdict.FAIL


async def test_a_newer_token_is_shown_in_the_middle_of_a_session(world: World) -> None:
    wire = await (await world.wire()).start()
    world.person.newer.put_nowait("t9")
    await until(lambda: [one.token for one in world.gateway.of(client.RefreshToken)] == ["t9"])
    assert wire.closed is None


async def test_a_token_that_expires_in_the_middle_of_a_session_is_replaced(world: World) -> None:
    wire = await (await world.wire()).start()
    await world.gateway.plain(server.ConnectionWarning(reason="tokenExpiring", remaining_s=60))
    await world.gateway.plain(server.Error(code=ErrorCode.TOKEN_EXPIRED, layer="gateway", message="Expired."))
    await until(lambda: [one.token for one in world.gateway.of(client.RefreshToken)] == ["t2"])
    await wire.say(1)
    assert wire.closed is None


async def test_a_connection_that_is_closed_for_its_token_comes_back_with_another_one(world: World) -> None:
    wire = await (await world.wire()).start()
    await world.gateway.sockets[-1].close(code=4401)
    await until(lambda: len(world.gateway.of(client.ResumeSession)) == 1)
    assert world.gateway.tokens == ["Bearer t1", "Bearer t2"]
    assert wire.closed is None


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "verdict"),
    [
        (ErrorCode.SESSION_LIMIT, Reason.THROTTLED, Verdict.RETRY),
        (ErrorCode.RATE_LIMIT_EXCEEDED, Reason.THROTTLED, Verdict.RETRY),
        (ErrorCode.UPSTREAM_FAILED, Reason.UNAVAILABLE, Verdict.RETRY),
        (ErrorCode.INTERNAL_ERROR, Reason.UNAVAILABLE, Verdict.RETRY),
        (ErrorCode.DRAINING, Reason.STREAM_CLOSED, Verdict.RENEW),
        (ErrorCode.UNAUTHORIZED, Reason.ACCESS_DENIED, Verdict.FAIL),
        (ErrorCode.TOKEN_EXPIRED, Reason.CREDENTIALS_EXPIRED, Verdict.FAIL),
        (ErrorCode.FORBIDDEN, Reason.ACCESS_DENIED, Verdict.FAIL),
        (ErrorCode.SESSION_TAKEN, Reason.SESSION_TAKEN, Verdict.FAIL),
        (ErrorCode.INVALID_CONFIGURATION, Reason.BAD_REQUEST, Verdict.FAIL),
        (ErrorCode.UNSUPPORTED_LANGUAGE, Reason.BAD_REQUEST, Verdict.FAIL),
        (ErrorCode.INVALID_PARAMETERS, Reason.PROTOCOL_ORDER, Verdict.RETRY),
    ],
)
async def test_a_session_that_is_refused(world: World, code: ErrorCode, reason: Reason, verdict: Verdict) -> None:
    refusal = server.Error(code=code, layer="gateway", message="No.", retry_after_s=9)
    world.gateway.answer = lambda message: refusal if isinstance(message, client.CreateSession) else None
    wire = await world.wire()
    await wire.link.open()
    wire.session.start(SETUP, now())
    await wire.send()
    closed = await wire.end()
    assert closed.failure is not None
    assert (closed.failure.reason, judge(closed.failure)) == (reason, verdict)
    assert closed.failure.retry_after_s == 9


@pytest.mark.parametrize(("code", "reason"), [(4409, Reason.SESSION_TAKEN), (1009, Reason.PROTOCOL_ORDER)])
async def test_a_connection_that_is_closed_for_good(world: World, code: int, reason: Reason) -> None:
    wire = await (await world.wire()).start()
    await world.gateway.sockets[-1].close(code=code)
    closed = await wire.end()
    assert closed.failure is not None
    assert closed.failure.reason is reason


async def test_an_error_about_one_message_ends_nothing_and_a_fatal_one_says_why(world: World) -> None:
    wire = await (await world.wire()).start()
    error = server.Error(code=ErrorCode.FORBIDDEN, layer="gateway", message="No.")
    await world.gateway.plain(error)
    await world.gateway.tell(*USER)
    await wire.hear(lambda: bool(wire.of(UserTextReceived)))
    assert wire.closed is None
    await world.gateway.plain(server.Error(code=ErrorCode.FORBIDDEN, layer="gateway", message="No.", fatal=True))
    await world.gateway.sockets[-1].close()
    closed = await wire.end()
    assert closed.failure is not None
    assert closed.failure.reason is Reason.ACCESS_DENIED


@pytest.mark.parametrize(
    ("told", "reason", "verdict"),
    [
        ("upstream", Reason.UNAVAILABLE, Verdict.RETRY),
        ("service.bad_request", Reason.BAD_REQUEST, Verdict.FAIL),  # such as a voice that the service does not have
    ],
)
async def test_a_call_that_failed_is_no_call(world: World, told: str, reason: Reason, verdict: Verdict) -> None:
    wire = await (await world.wire()).start()
    await world.gateway.tell(server.CallStatusChanged(status=CallStatus.FAILED, reason=told))
    closed = await wire.end()
    assert closed.failure is not None
    assert (closed.failure.reason, judge(closed.failure)) == (reason, verdict)


async def test_a_session_that_the_gateway_ends_is_followed_by_another_one(world: World) -> None:
    wire = await (await world.wire()).start()
    assert world.gateway.current is not None
    await world.gateway.plain(server.SessionEnded(session_id="another", reason="idle"))
    await world.gateway.plain(server.SessionEnded(session_id=world.gateway.current.session_id, reason="idle"))
    closed = await wire.end()
    assert judge(closed.failure) is Verdict.RENEW
    await wire.link.close()
    await (await world.wire()).start()
    assert len(world.gateway.of(client.CreateSession)) == 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, Reason.ACCESS_DENIED),
        (404, Reason.BAD_SETTINGS),
        (429, Reason.THROTTLED),
        (500, Reason.UNAVAILABLE),
        (503, Reason.UNAVAILABLE),
    ],
)
async def test_a_connection_that_is_refused(world: World, status: int, reason: Reason) -> None:
    world.gateway.refuse = [status]
    wire = await world.wire()
    with pytest.raises(KnownError) as caught:
        await wire.link.open()
    assert caught.value.reason is reason
    assert caught.value.retry_after_s == (0 if status == 404 else 7)


async def test_nobody_there(world: World) -> None:
    world.url = "ws://127.0.0.1:9"
    wire = await world.wire()
    with pytest.raises(KnownError) as caught:
        await wire.link.open()
    assert caught.value.reason is Reason.UNREACHABLE


async def test_nobody_signed_in(world: World) -> None:
    world.person.tokens = []
    wire = await world.wire()
    with pytest.raises(KnownError) as caught:
        await wire.link.open()
    assert judge(caught.value) is Verdict.FAIL


async def test_an_encrypted_gateway_is_trusted_with_its_certificate_and_not_without(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, ("127.0.0.1",), datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.chain, files.key)
    async with scripted_gateway(ssl=context) as gateway:
        here = Here(gateway.url)
        try:
            wire = await here.wire()
            with pytest.raises(KnownError) as caught:
                await wire.link.open()
            assert caught.value.reason is Reason.TLS_REFUSED
            assert gateway.tokens == []
            here.ca_bundle = str(files.ca)
            here.restart()
            await (await here.wire()).start()
            assert gateway.tokens == ["Bearer t1"]
        finally:
            await here.close()
