"""The REST side over true HTTP on loopback, in the shapes of document 001; the voice service is scripted."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import Role, Turn, no_such_conversation
from novadesk.server.gateway import rest
from novadesk.server.gateway.limits import Rate
from novadesk.server.gateway.options import GatewayLimits, Timing
from novadesk.server.gateway.remote_history import RemoteHistory
from tests.support.gateway_host import FRAME, Host, hosted
from tests.support.leaks import LogWatch

USER = {"userId": "test-user"}
REMOTE = "6f6dfa8e-9bc6-44f3-9d3f-1a2b3c4d5e6f"


@pytest.fixture
async def dev(tmp_path: Path) -> AsyncIterator[Host]:
    async with hosted(tmp_path, dev=True) as host:
        yield host


async def _ask(host: Host, method: str, path: str, body: object = None, **more: Any) -> tuple[int, dict[str, Any]]:
    gateway = more.pop("gateway", 0)
    data = None if body is None else json.dumps(body)
    async with host.http.request(method, f"{host.urls[gateway]}{path}", data=data, **more) as response:
        return response.status, await response.json()


async def _events(response: aiohttp.ClientResponse, last: str) -> list[tuple[int, str, dict[str, Any]]]:
    """Return numbered events up to the first one that holds a text."""
    found: list[tuple[int, str, dict[str, Any]]] = []
    number, name = 0, ""
    async with asyncio.timeout(60):
        async for line in response.content:
            key, _, value = line.decode().rstrip("\n").partition(": ")
            match key:
                case "id":
                    number = int(value)
                case "event":
                    name = value
                case "data":
                    found.append((number, name, json.loads(value)))
                    if last in value:
                        return found
    return found


async def _talk(host: Host, session: dict[str, str]) -> None:
    """Speak until the voice service hears it."""
    sound = {"sessionId": session["sessionId"], "audioData": base64.b64encode(FRAME * 4).decode()}
    assert (await _ask(host, "POST", "/audio/start", {"sessionId": session["sessionId"]}))[0] == 200
    status, sent = await _ask(host, "POST", "/audio/chunk", {**sound, "format": "pcm", "sampleRate": 16000})
    assert (status, sent["status"], sent["bytesSent"]) == (200, "success", 4 * len(FRAME))
    async with asyncio.timeout(60):
        while not host.linker.links or FRAME not in host.linker.newest.heard():
            await asyncio.sleep(0.01)


async def test_the_documents_own_lines_work_as_they_stand(dev: Host) -> None:
    status, session = await _ask(dev, "POST", "/session/start", USER, headers={"Content-Type": "application/json"})
    assert status == 200
    assert session["status"] == "ACTIVE"
    assert session["createdAt"].endswith("Z")
    assert (session["historyLength"], session["conversationHistory"]) == (0, [])
    await _talk(dev, session)
    dev.linker.newest.user_said("I met with Dr. Smith")
    dev.linker.newest.answer("Which product did you discuss?", 4_800)
    path = f"/conversation/{session['sessionId']}/history"
    async with asyncio.timeout(60):
        while (history := (await _ask(dev, "GET", path))[1])["historyLength"] < 2:
            await asyncio.sleep(0.01)
    assert [(turn["role"], turn["text"]) for turn in history["history"]] == [
        ("user", "I met with Dr. Smith"),
        ("assistant", "Which product did you discuss?"),
    ]
    assert set(history) == {"sessionId", "bedrockSessionId", "historyLength", "history"}
    status, ended = await _ask(dev, "POST", "/audio/end", {"sessionId": session["sessionId"]})
    assert (status, ended["message"], ended["historyLength"]) == (200, "Audio input ended", 2)
    status, info = await _ask(dev, "GET", f"/session/{session['sessionId']}/info")
    assert (info["audioBytesReceived"], info["audioBytesSent"], info["historyLength"]) == (4 * len(FRAME), 9_600, 2)
    status, gone = await _ask(dev, "DELETE", f"/session/{session['sessionId']}")
    assert (status, gone) == (200, {"status": "success", "message": "Session ended"})
    assert (await _ask(dev, "GET", path))[0] == 404


async def test_events_are_replayed_behind_the_last_one_that_was_seen(dev: Host) -> None:
    _, session = await _ask(dev, "POST", "/session/start", USER)
    await _talk(dev, session)
    dev.linker.newest.user_said("before anybody listens")
    stream = f"{dev.urls[0]}/events/stream/{session['sessionId']}"
    async with dev.http.get(stream) as response:
        assert response.content_type == "text/event-stream"
        first = await _events(response, '"turnId"')
    assert {"type": "final", "speaker": "user", "text": "before anybody listens"}.items() <= next(
        content for _, name, content in first if name == "transcript"
    ).items()
    dev.linker.newest.answer("Hello there.", 4_800)
    async with dev.http.get(stream, headers={"Last-Event-ID": str(first[-1][0])}) as response:
        second = await _events(response, "Hello there")
        second += await _events(response, '"turnId"')
    numbers = [number for number, _, _ in first + second]
    assert numbers == list(range(1, numbers[-1] + 1))
    audio = next(content for _, name, content in second if name == "audio")
    assert (audio["type"], audio["format"], audio["sampleRate"], audio["channels"]) == (
        "audio_response",
        "pcm",
        24000,
        1,
    )


async def test_a_newer_stream_takes_the_place_of_an_older_one_and_ends_with_the_session(dev: Host) -> None:
    _, session = await _ask(dev, "POST", "/session/start", USER)
    stream = f"{dev.urls[0]}/events/stream/{session['sessionId']}"
    async with dev.http.get(stream) as older, dev.http.get(stream) as newer:
        assert [content for _, _, content in await _events(older, "taken")][-1] == {"message": "taken"}
        await _ask(dev, "DELETE", f"/session/{session['sessionId']}")
        assert [content for _, _, content in await _events(newer, "ended")][-1]["message"] == "ended"
        assert (await newer.content.read()).strip() == b""


async def test_a_stream_ends_with_the_token_that_it_was_opened_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "SKEW_S", 0.0)
    async with hosted(tmp_path) as host:
        bearer = {"Authorization": f"Bearer {host.token(valid_s=0.2)}"}
        _, session = await _ask(host, "POST", "/session/start", {}, headers=bearer)
        stream = f"{host.urls[0]}/events/stream/{session['sessionId']}"
        async with host.http.get(stream, headers=bearer) as response:
            assert (await response.content.read()).endswith(b'event: status\ndata: {"message":"tokenExpired"}\n\n')
        bearer = {"Authorization": f"Bearer {host.token()}"}
        assert (await _ask(host, "GET", f"/session/{session['sessionId']}/info", headers=bearer))[0] == 200
        async with host.http.head(stream, headers=bearer) as response:
            assert response.status == 405  # it would take the stream's place and read nothing


async def test_behind_a_proxy_those_who_ask_are_counted_one_by_one(tmp_path: Path) -> None:
    limits = GatewayLimits(requests=Rate(most=1, span_s=1e6))
    for behind_proxy, expected in ((True, [200, 200, 429]), (False, [200, 429, 429])):
        async with hosted(tmp_path, limits=limits, dev=True, behind_proxy=behind_proxy) as host:
            said = ("203.0.113.7", "198.51.100.1, 203.0.113.8", "203.0.113.7")
            shown = [{"X-Forwarded-For": addresses} for addresses in said]
            assert [(await _ask(host, "POST", "/session/start", USER, headers=one))[0] for one in shown] == expected


@dataclass
class Memory:
    """Agent Runtime of one conversation, in memory; what is wrong with it, or with what it has, is raised."""

    host: Host
    owner: str = "test-user"
    begun: list[str] = field(default_factory=list)
    wrong: KnownError | None = None
    wrong_after: KnownError | None = None

    async def begin(self, session_id: str) -> str:
        self.begun.append(session_id)
        return REMOTE

    async def recall(self, owner: str, bedrock_session_id: str) -> RemoteHistory:
        if self.wrong is not None:
            raise self.wrong
        if (owner, bedrock_session_id) != (self.owner, REMOTE):
            raise no_such_conversation()
        turns = tuple(
            Turn(
                turn_id=f"11111111-2222-4333-8444-55555555555{place}",
                conversation="",
                position=place,
                role=Role.USER if not place else Role.ASSISTANT,
                text=text,
                at_ms=1_795_000_000_000 + place,
                wire_session="11111111-2222-4333-8444-555555555559",
            )
            for place, text in enumerate(("I met with Dr. Smith", "Which product did you discuss?"))
        )
        return RemoteHistory(turns=turns, newest=REMOTE, number=0, begun_ms=0, steps=2, last_step_ms=turns[-1].at_ms)

    async def adopt(self, session_id: str, history: RemoteHistory) -> None:
        if self.wrong_after is not None:
            raise self.wrong_after
        for turn in history.turns:
            await self.host.store.append_turn(replace(turn, conversation=session_id), delivered=True)

    async def settle(self, session_id: str) -> None:
        pass


async def test_a_conversation_is_found_again_by_its_remote_session_and_an_unknown_one_is_not(tmp_path: Path) -> None:
    host = Host(tmp_path)
    memory = Memory(host)
    await host.add(dev=True, memory=memory)
    try:
        _, first = await _ask(host, "POST", "/session/start", USER)
        remote = first["bedrockSessionId"]
        status, same = await _ask(host, "POST", "/session/start", {**USER, "existingBedrockSessionId": remote})
        assert (status, same["sessionId"]) == (200, first["sessionId"])  # it lives, and there is no second one
        await _ask(host, "DELETE", f"/session/{first['sessionId']}")
        status, again = await _ask(host, "POST", "/session/start", {**USER, "existingBedrockSessionId": remote})
        assert (status, again["historyLength"], again["bedrockSessionId"]) == (200, 2, remote)
        assert again["sessionId"] != first["sessionId"]
        await _talk(host, again)
        assert host.linker.newest.history()[0].text == "I met with Dr. Smith"
        for body in (
            {**USER, "existingBedrockSessionId": "unknown"},
            {"userId": "eve", "existingBedrockSessionId": remote},
        ):
            status, refused = await _ask(host, "POST", "/session/start", body)
            assert (status, refused["error"]) == (404, "Session not found.")
        assert len(memory.begun) == 1  # no orphan for each recovery
    finally:
        await host.stop()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("wrong", (503, "UPSTREAM_FAILED")), ("wrong_after", (500, "INTERNAL_ERROR"))],
)
async def test_a_history_that_cannot_be_had_leaves_no_session_behind(
    tmp_path: Path, expected_logs: LogWatch, fault: str, expected: tuple[int, str]
) -> None:
    host = Host(tmp_path)
    memory = Memory(host)
    await host.add(dev=True, memory=memory)
    setattr(memory, fault, KnownError(Reason.SYNC_UNREACHABLE, "It cannot be reached.", "Wait."))
    expected_logs.allow(f"cannot be had: {Reason.SYNC_UNREACHABLE.value}|carried out: {Reason.SYNC_UNREACHABLE.value}")
    body = {**USER, "existingBedrockSessionId": REMOTE}
    try:
        async with host.http.post(f"{host.urls[0]}/session/start", json=body) as response:
            refused = await response.json()
            assert (response.status, refused["code"]) == expected
            assert refused["advice"]
            assert ("Retry-After" in response.headers) is (response.status == 503)
        assert host.gateways[0].sessions.here == ()
        assert await host.store.count(now_s=host.clock.unix_ms() / 1000) == 0
        memory.wrong = memory.wrong_after = None
        status, started = await _ask(host, "POST", "/session/start", body)
        assert (status, started["historyLength"]) == (200, 2)
    finally:
        await host.stop()


async def test_a_session_is_its_owners_and_nobody_elses(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        ann, ben = ({"Authorization": f"Bearer {host.token(name)}"} for name in ("ann", "ben"))
        status, session = await _ask(host, "POST", "/session/start", {}, headers=ann)
        assert status == 200
        paths = [
            ("GET", f"/session/{session['sessionId']}/info", None),
            ("GET", f"/conversation/{session['sessionId']}/history", None),
            ("GET", f"/events/stream/{session['sessionId']}", None),
            ("POST", "/audio/start", {"sessionId": session["sessionId"]}),
            ("POST", "/audio/chunk", {"sessionId": session["sessionId"], "audioData": "AAAA"}),
            ("POST", "/audio/end", {"sessionId": session["sessionId"]}),
            ("DELETE", f"/session/{session['sessionId']}", None),
        ]
        for method, path, body in paths:
            assert (await _ask(host, method, path, body, headers=ben))[0] == 404, path
            assert (await _ask(host, method, path, body))[0] == 401, path
            unknown = path.replace(session["sessionId"], "session_1795000000000_aaaaaaaaaaaaaaaaaaaaaaaaaa")
            body = body and {**body, "sessionId": "nothing"}
            assert (await _ask(host, method, unknown, body, headers=ann))[0] == 404, path
        assert (await _ask(host, "GET", paths[0][1], headers=ann))[0] == 200


async def test_a_limit_is_an_answer_with_the_time_to_come_again(tmp_path: Path) -> None:
    limits = GatewayLimits(sessions=2, sessions_per_owner=1, requests=Rate(most=30, span_s=1e6))
    async with hosted(tmp_path, limits=limits, dev=True) as host:
        for name, expected in (("ann", 200), ("ann", 429), ("ben", 200), ("cleo", 429)):
            async with host.http.post(f"{host.urls[0]}/session/start", json={"userId": name}) as response:
                assert response.status == expected
                if expected == 429:
                    assert int(response.headers["Retry-After"]) > 0
                    assert "Maximum concurrent sessions" in (await response.json())["error"]
        statuses = [(await _ask(host, "POST", "/audio/end", {"sessionId": "x"}))[0] for _ in range(30)]
        assert statuses[-1] == 429


async def test_what_is_no_request_is_refused_with_a_sentence(dev: Host) -> None:
    _, session = await _ask(dev, "POST", "/session/start", USER)
    known = session["sessionId"]
    bad: list[tuple[str, bytes, int]] = [
        ("/session/start", b"[1]", 400),
        ("/session/start", b'{"userId": 7}', 400),
        ("/session/start", b'{"userId": "' + b"x" * 200 + b'"}', 400),
        ("/session/start", b"\xff\xfe", 400),
        ("/session/start", b"{" * 100_000, 400),
        ("/session/start", b'"' + b"x" * 200_000 + b'"', 413),
        ("/audio/chunk", json.dumps({"sessionId": known, "audioData": ""}).encode(), 400),
        ("/audio/chunk", json.dumps({"sessionId": known, "audioData": "AAA"}).encode(), 400),
        ("/audio/chunk", json.dumps({"sessionId": known, "audioData": "UklGRgAA"}).encode(), 400),
        ("/audio/chunk", json.dumps({"sessionId": known, "audioData": "AAAA", "sampleRate": 8000}).encode(), 400),
        ("/audio/start", b"{}", 404),
    ]
    for path, data, expected in bad:
        async with dev.http.post(f"{dev.urls[0]}{path}", data=data) as response:
            answer = await response.json()
            assert (response.status, bool(answer["error"])) == (expected, True), (path, data[:40])
            assert answer["advice"]


async def test_an_address_that_is_none_is_refused_in_the_form_of_every_refusal(dev: Host) -> None:
    cases = [
        ("GET", "/nothing", 404, "INVALID_ACTION"),
        ("POST", "/", 404, "INVALID_ACTION"),
        ("GET", "/session/start", 405, "INVALID_ACTION"),
        ("POST", "/health", 405, "INVALID_ACTION"),
        ("GET", "/ws", 426, "INVALID_ACTION"),
    ]
    for method, path, status, code in cases:
        async with dev.http.request(method, f"{dev.urls[0]}{path}") as response:
            answer = await response.json()
            assert (response.status, answer["code"]) == (status, code), path
            assert answer["error"]
            assert answer["advice"]
            assert ("Allow" in response.headers) == (status == 405)


async def test_who_brings_no_token_is_asked_for_one(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host, host.http.post(f"{host.urls[0]}/session/start", json=USER) as response:
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_what_no_library_of_json_sends_does_no_harm(dev: Host) -> None:
    _, session = await _ask(dev, "POST", "/session/start", USER)

    idna, words = {"Content-Type": "application/json; charset=idna"}, '{"userId": "' + "x" * 99 + '."}'
    async with dev.http.post(f"{dev.urls[0]}/session/start", data=words, headers=idna) as taken:
        assert taken.status == 200  # JSON is UTF-8, whatever is said of it
    for place in ("1e300", "9" * 4_000, str(10**30)):
        status, history = await _ask(dev, "GET", f"/conversation/{session['sessionId']}/history?after={place}")
        assert (status, history["history"]) == (200, [])


async def test_a_page_of_another_origin_is_kept_out_unless_it_is_listed(tmp_path: Path) -> None:
    async with hosted(tmp_path, dev=True, origins=("https://voice.example",)) as host:
        url = f"{host.urls[0]}/session/start"
        async with host.http.post(url, json=USER, headers={"Origin": "https://evil.example"}) as response:
            assert (response.status, (await response.json())["code"]) == (403, "FORBIDDEN")
            assert "Access-Control-Allow-Origin" not in response.headers
        async with host.http.options(url, headers={"Origin": "https://voice.example"}) as response:
            assert response.status == 204
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        async with host.http.post(url, json=USER, headers={"Origin": "https://voice.example"}) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "https://voice.example"
        async with host.http.post(url, json=USER, headers={"Host": "rebound.example"}) as response:
            assert response.status == 401  # only what asks for this computer by name is taken at its word


async def test_a_session_that_nobody_visits_is_put_away_and_comes_back_with_its_history(tmp_path: Path) -> None:
    async with hosted(tmp_path, dev=True, timing=Timing(touch_s=0.05, grace_s=2.0)) as host:
        _, session = await _ask(host, "POST", "/session/start", USER)
        await _talk(host, session)
        host.linker.newest.user_said("hello")
        host.linker.newest.answer("Hello there.", 480)
        async with asyncio.timeout(60):
            while host.gateways[0].sessions.here or host.gateways[0].sessions._closing:
                await asyncio.sleep(0.01)
        assert host.linker.newest.closed
        host.clock.ahead_s = 3_000.0  # within the hour of SESSION_TIMEOUT
        status, started = await _ask(host, "POST", "/audio/start", {"sessionId": session["sessionId"]})
        assert (status, started["historyLength"]) == (200, 2)
        async with asyncio.timeout(60):
            while len(host.linker.links) < 2 or not host.linker.newest.listening:
                await asyncio.sleep(0.01)
        assert [message.text for message in host.linker.newest.history()] == ["hello", "Hello there."]


async def test_health_and_metrics_say_how_the_gateway_is_and_nothing_of_anybody(dev: Host) -> None:
    _, session = await _ask(dev, "POST", "/session/start", USER)
    status, health = await _ask(dev, "GET", "/health")
    assert (status, health["status"], health["sessions"]) == (200, "ok", 1)
    async with dev.http.get(f"{dev.urls[0]}/metrics") as response:
        text = await response.text()
    assert "novadesk_gateway_sessions 1.0" in text
    assert "novadesk_gateway_sessions_created_total 1.0" in text
    assert session["sessionId"] not in text
    assert "test-user" not in text
