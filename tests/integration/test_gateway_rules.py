"""What a client may do on the WebSocket, and what becomes of all else: an error to its sender, nothing to others."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from novadesk.models import Role
from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope_values import AudioForm, CallStatus, Configuration, ErrorCode, Line
from novadesk.server.gateway import websocket
from novadesk.server.gateway.denial import Denied
from novadesk.server.gateway.limits import Rate
from novadesk.server.gateway.options import GatewayLimits, Timing
from novadesk.server.gateway.session import GatewaySession
from tests.support.gateway_host import FRAME, Client, Host, hosted
from tests.support.memory_service import MemoryLink


async def _call(host: Host, owner: str = "ann", **fields: Any) -> tuple[Client, told.SessionCreated, MemoryLink]:
    """Begin a call and speak until the voice service hears it."""
    known = len(host.linker.links)
    client = await host.connect(owner)
    created = await client.create(**fields)
    await client.speak(1)
    await client.until(lambda: len(host.linker.links) > known and FRAME in host.linker.links[known].heard())
    return client, created, host.linker.links[known]


async def _error(client: Client, text: str | bytes) -> told.Error:
    """Send something that is no message; return the error."""
    known = len(client.told)
    await (client.socket.send_str(text) if isinstance(text, str) else client.socket.send_bytes(text))
    return await client.next(told.Error, known)


# --- who somebody is ---------------------------------------------------------------------------------


async def test_a_token_that_is_missing_wrong_or_expired_is_told_and_the_connection_closed(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        good = host.token()
        forged = jwt.encode(jwt.decode(good, options={"verify_signature": False}), "x" * 32, algorithm="HS256")
        nothing = jwt.encode(jwt.decode(good, options={"verify_signature": False}), None, algorithm="none")
        for token, code in (
            (forged, ErrorCode.UNAUTHORIZED),
            (nothing, ErrorCode.UNAUTHORIZED),
            (good[:-4] + "AAAA", ErrorCode.UNAUTHORIZED),
            (host.token(valid_s=-120), ErrorCode.TOKEN_EXPIRED),
        ):
            client = await host.connect(token=token)
            error = await client.next(told.Error)
            assert (error.code, error.fatal, await client.closed()) == (code, True, 4401)
        bare = Client(await host.http.ws_connect(f"{host.urls[0]}/ws?token={good}"))  # never in the address
        assert (await bare.next(told.Error)).code is ErrorCode.UNAUTHORIZED
        await bare.closed()
        page = Client(await host.http.ws_connect(f"{host.urls[0]}/ws", protocols=("novadesk.v1", good)))
        assert page.socket.protocol == "novadesk.v1"
        assert (await page.create()).generation == 1


async def test_a_page_of_another_origin_and_a_rush_of_connections_are_kept_out(tmp_path: Path) -> None:
    limits = GatewayLimits(connections=Rate(most=2, span_s=1e6))
    async with hosted(tmp_path, limits=limits) as host:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await host.connect(headers={"Origin": "https://evil.example"})
        assert refused.value.status == 403
        clients = [await host.connect() for _ in range(2)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await host.connect()
        assert refused.value.status == 429
        assert refused.value.headers is not None
        assert int(refused.value.headers["Retry-After"]) > 0
        assert len(clients) == 2


async def test_a_token_is_renewed_in_the_middle_of_a_call_and_nothing_drops(tmp_path: Path) -> None:
    async with hosted(tmp_path, timing=Timing(warning_s=599.8)) as host:
        client, _, service = await _call(host)
        warning = await client.next(told.ConnectionWarning)
        assert warning.reason == "tokenExpiring"
        assert 0 < warning.remaining_s <= 600
        stranger = await client.ask(said.RefreshToken(token=host.token("ben")), told.Error)
        assert stranger.code is ErrorCode.FORBIDDEN
        renewed = await client.ask(said.RefreshToken(token=host.token("ann", 3_600)), told.TokenRefreshed)
        assert renewed.expires_at > host.clock.unix_ms() + 3_000_000
        service.user_said("still there")
        await client.until(lambda: bool(client.all(told.Turn)))


async def test_a_token_that_expires_ends_the_connection_and_not_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path) as host:
        client = await host.connect()
        created = await client.create()
        monkeypatch.setattr(websocket, "SKEW_S", -600.0)
        await client.say(said.RefreshToken(token=host.token()))  # of ten minutes, nothing is left of them
        error = await client.next(told.Error)
        assert (error.code, error.fatal, await client.closed()) == (ErrorCode.TOKEN_EXPIRED, True, 4401)
        monkeypatch.undo()
        again = await host.connect()
        assert (await again.resume(created)).generation == 2


async def test_heartbeats_keep_a_connection_and_their_absence_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, timing=Timing(heartbeat_s=0.2)) as host:
        now_s = host.clock.now()
        monkeypatch.setattr(host.clock, "now", lambda: now_s)
        beating, silent = await host.connect(), await host.connect()
        for beat in range(8):
            assert (await beating.ask(said.Heartbeat(timestamp=beat), told.HeartbeatAck)).timestamp == beat
            beating.told.clear()
            now_s += 0.1
        assert await silent.closed() == 4408
        assert (await beating.create()).heartbeat_s == 1


# --- what a call takes -------------------------------------------------------------------------------


async def test_a_configuration_is_taken_once_for_each_revision_also_before_there_is_a_session(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        client = await host.connect()
        job = Configuration(job_title="Nurse", company="St. Mary")
        early = {"type": "job.configuration", "revision": 3, "jobTitle": "Nurse", "company": "St. Mary"}
        for _ in range(2):
            await client.socket.send_str(json.dumps(early))
        await client.create()
        configured = await client.next(told.Configured)
        assert (configured.revision, configured.configuration, configured.in_force) == (3, job, True)
        assert (await client.ask(said.GetSessionStatus(), told.SessionStatus)).revision == 3
        assert len(client.all(told.Configured)) == 1
        older = await client.ask(said.Configure(revision=2, configuration=Configuration(voice="amy")), told.Configured)
        assert (older.revision, older.configuration.voice) == (3, None)
        await client.speak(1)
        await client.until(lambda: bool(host.linker.links) and host.linker.newest.listening)
        await client.until(lambda: CallStatus.CONNECTED in [c.status for c in client.all(told.CallStatusChanged)])
        later = await client.ask(said.Configure(configuration=Configuration(voice="amy")), told.Configured)
        assert (later.revision, later.in_force) == (4, False)
        assert (later.configuration.voice, later.configuration.company) == ("amy", "St. Mary")


async def test_what_is_configured_before_there_is_a_session_is_bounded_and_no_fault_of_one_loses_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path) as host:
        client = await host.connect()
        for revision in range(1, 9):
            await client.say(said.Configure(revision=revision, configuration=Configuration(title=f"call {revision}")))
        one_more = said.Configure(configuration=Configuration(voice="amy"))
        assert "Begin" in (await client.ask(one_more, told.Error)).advice
        configure = GatewaySession.configure

        async def refused(session: GatewaySession, message: said.Configure) -> told.Configured:
            if message.revision == 3:
                raise Denied(ErrorCode.INVALID_CONFIGURATION, "It makes no sense.")
            return await configure(session, message)

        monkeypatch.setattr(GatewaySession, "configure", refused)
        await client.create(request_id="r")
        await client.until(lambda: [one.revision for one in client.all(told.Configured)] == [1, 2, 4, 5, 6, 7, 8])
        assert client.all(told.Error)[-1].request_id is None, "it is no answer to the creation"


async def test_the_words_of_a_client_are_no_label_of_a_figure(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        client = await host.connect()
        await client.create()
        assert (await client.ask(said.EndSession(reason="Ann is ill"), told.SessionEnded)).reason == "Ann is ill"
        async with host.http.get(f"{host.urls[0]}/metrics") as response:
            text = await response.text()
        assert "Ann" not in text
        assert 'novadesk_gateway_sessions_ended_total{reason="asked"} 1.0' in text


async def test_history_comes_before_the_voice_and_not_after(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        client = await host.connect()
        await client.create(history=(Line(role=Role.USER, text="one"),))
        more = said.History(lines=(Line(role=Role.ASSISTANT, text="two"), Line(role=Role.USER, text="three")))
        assert (await client.ask(more, told.HistoryTaken)).history_length == 3
        await client.speak(1)
        await client.until(lambda: bool(host.linker.links) and host.linker.newest.listening)
        assert [message.text for message in host.linker.newest.history()] == ["one", "two", "three"]
        assert (await client.ask(more, told.Error)).code is ErrorCode.INVALID_PARAMETERS


async def test_pause_listening_and_stop_are_told_when_they_are_true(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        client, created, service = await _call(host)
        await client.ask(said.Pause(), told.Paused)
        assert service.closed
        status = await client.ask(said.GetSessionStatus(), told.SessionStatus)
        assert (status.status, status.session_id) == (CallStatus.PAUSED, created.session_id)
        await client.ask(said.Resume(), told.Resumed)
        await client.until(lambda: len(host.linker.links) == 2 and host.linker.newest.listening)
        await client.ask(said.StopListening(), told.ListeningStopped)
        await client.ask(said.StartListening(), told.ListeningStarted)
        await client.ask(said.Stop(), told.Stopped)
        assert (await client.ask(said.AudioEnd(), told.AudioAck)).sequence == 1


async def test_a_client_without_binary_messages_talks_in_json(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        client = await host.connect()
        created = await client.create(audio=AudioForm.JSON)
        heard = said.Audio(audio_data=FRAME, session_id=created.session_id)
        assert (await client.ask(heard, told.AudioAck)).sequence == 1
        await client.until(lambda: bool(host.linker.links) and FRAME in host.linker.newest.heard())
        host.linker.newest.answer("Hello.", 480)
        speech = await client.next(told.AudioResponse)
        assert (len(speech.audio_data), speech.sample_rate, client.sound) == (960, 24_000, b"")


async def test_two_people_at_once_get_only_their_own(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        (ann, _, anns), (ben, _, bens) = await _call(host, "ann"), await _call(host, "ben")
        anns.user_said("for ann")
        bens.user_said("for ben")
        await ann.until(lambda: bool(ann.all(told.Turn)))
        await ben.until(lambda: bool(ben.all(told.Turn)))
        assert {turn.text for turn in ann.all(told.Turn)} == {"for ann"}
        assert {turn.text for turn in ben.all(told.Turn)} == {"for ben"}
        reset = await ann.ask(said.ResetSessions(), told.SessionsReset)
        assert reset.count == 1
        bens.user_said("still there")
        await ben.until(lambda: len(ben.all(told.Turn)) == 2)


async def test_the_end_of_an_earlier_call_does_not_end_the_next_one(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        first, one, _ = await _call(host)
        await first.say(said.EndSession(session_id=one.session_id))
        assert await first.closed() == 1000
        second, two, _ = await _call(host)
        late = await second.ask(said.EndSession(session_id=one.session_id), told.Error)
        assert late.code is ErrorCode.SESSION_NOT_FOUND
        assert (await second.ask(said.GetSessionStatus(), told.SessionStatus)).session_id == two.session_id


async def test_one_session_too_many_is_refused_with_the_time_to_come_again(tmp_path: Path) -> None:
    async with hosted(tmp_path, limits=GatewayLimits(sessions=2, sessions_per_owner=1)) as host:
        first, second = await host.connect("ann"), await host.connect("ben")
        await first.create()
        await second.create()
        for owner in ("ann", "cleo"):
            full = await (await host.connect(owner)).ask(said.CreateSession(request_id="r"), told.Error)
            assert (full.code, full.request_id) == (ErrorCode.SESSION_LIMIT, "r")
            assert full.retry_after_s
        unknown = await second.ask(said.CreateSession(language="tlh"), told.Error)
        assert unknown.code is ErrorCode.INVALID_PARAMETERS  # this connection has a session
        await second.say(said.EndSession())
        await second.closed()
        third = await host.connect("cleo")
        assert (await third.ask(said.CreateSession(language="tlh"), told.Error)).code is ErrorCode.UNSUPPORTED_LANGUAGE
        await third.create()


async def test_a_call_in_which_nothing_is_said_for_too_long_ends_politely(tmp_path: Path) -> None:
    async with hosted(tmp_path, timing=Timing(idle_s=0.3, touch_s=0.05)) as host:
        client = await host.connect()
        created = await client.create()
        ended = await client.next(told.SessionEnded)
        assert (ended.session_id, ended.reason) == (created.session_id, "idle")
        assert await client.closed() == 1000
        assert await host.store.count(now_s=host.clock.unix_ms() / 1000) == 0


# --- what is none of that ----------------------------------------------------------------------------


async def test_what_cannot_be_read_is_an_error_to_its_sender_and_disturbs_nobody(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        client, _, service = await _call(host)
        other = await host.connect("ben")
        for text, code in (
            ("{", ErrorCode.INVALID_MESSAGE),
            ("[]", ErrorCode.INVALID_MESSAGE),
            ("{}", ErrorCode.INVALID_MESSAGE),
            ('{"type": "fly"}', ErrorCode.INVALID_ACTION),
            ('{"action": 7}', ErrorCode.INVALID_MESSAGE),
            ('{"type": "text", "text": 7}', ErrorCode.INVALID_PARAMETERS),
            ('{"type": "configure", "configuration": {"temperature": 9}}', ErrorCode.INVALID_CONFIGURATION),
            ('{"type": "audio", "audioData": "%"}', ErrorCode.INVALID_PARAMETERS),
            ("[" * 60_000, ErrorCode.INVALID_MESSAGE),
            (b"", ErrorCode.INVALID_PARAMETERS),
            (b"\0\0\0\2RIFF", ErrorCode.INVALID_PARAMETERS),
            (b"\0" * 40_000, ErrorCode.MESSAGE_TOO_LARGE),
            ("x" * 200_000, ErrorCode.MESSAGE_TOO_LARGE),
        ):
            for sender in (client, other):
                error = await _error(sender, text)
                assert (error.code, error.fatal) == (code, False), text[:40]
        assert (await _error(other, b"\0\0\0\1" + FRAME)).code is ErrorCode.SESSION_NOT_FOUND
        await other.socket.send_str("x" * 300_000)
        assert await other.closed() == 1009
        service.user_said("undisturbed")
        await client.until(lambda: bool(client.all(told.Turn)))


async def test_too_many_messages_are_refused_one_by_one(tmp_path: Path) -> None:
    async with hosted(tmp_path, limits=GatewayLimits(messages=Rate(most=20, span_s=1e6))) as host:
        client = await host.connect()
        for _ in range(25):
            await client.say(said.Heartbeat())
        await client.until(lambda: len(client.all(told.Error)) == 5)
        assert {error.code for error in client.all(told.Error)} == {ErrorCode.RATE_LIMIT_EXCEEDED}
        assert len(client.all(told.HeartbeatAck)) == 20


async def test_a_hundred_quick_calls_leave_nothing_behind(tmp_path: Path) -> None:
    limits = GatewayLimits(creations=Rate(most=1_000, span_s=1.0), connections=Rate(most=1_000, span_s=1.0))
    async with hosted(tmp_path, limits=limits) as host:
        before = len(asyncio.all_tasks())
        for number in range(100):
            client = await host.connect()
            await client.create(request_id=str(number))
            if number % 4:
                await client.speak(1)
            await client.say(said.EndSession())
            assert await client.closed() == 1000
        async with asyncio.timeout(60):
            while len(asyncio.all_tasks()) > before or host.gateways[0].sessions.here:
                await asyncio.sleep(0.01)
        assert await host.store.count(now_s=host.clock.unix_ms() / 1000) == 0
        assert all(link.closed for link in host.linker.links)
