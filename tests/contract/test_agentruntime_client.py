"""`RemoteSessions` against the local Agent Runtime: what boto3 raises becomes one plain cause, in bounded time."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from novadesk.daemon import DaemonThreads
from novadesk.errors import KnownError, Reason
from novadesk.server.agentruntime_shapes import ErrorType
from novadesk.store.agentruntime import RemoteSessions, RemoteStatus, _parse_time
from novadesk.store.remoteclient import RemoteAccess
from tests.support.remote_rig import RunningServer, cut, refuse, running_server

NOBODY = "00000000-0000-4000-8000-000000000000"
WIRE = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "remote.db") as server:
        yield server


class Access:
    """Gives access and counts how often it was asked for."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.asked = 0

    async def __call__(self) -> RemoteAccess:
        self.asked += 1
        return RemoteAccess(access_key_id="AKIDEXAMPLE", secret_access_key="practice", endpoint=self.endpoint)


@pytest.fixture
async def access(server: RunningServer) -> Access:
    return Access(server.endpoint)


@pytest.fixture
async def remote(access: Access) -> AsyncIterator[RemoteSessions]:
    remote = RemoteSessions(access, deadline_s=60.0)
    yield remote
    await remote.close()


@pytest.mark.parametrize(
    ("value", "expected_ms"),
    [
        ("2026-11-21T06:00:00Z", 1_795_240_800_000),
        ("2026-11-21T06:00:00.123456+00:00", 1_795_240_800_123),
        ("2026-11-21T07:00:00.5+01:00", 1_795_240_800_500),
        ("2026-11-21T06:00:00", 1_795_240_800_000),
        ("Sat, 21 Nov 2026 06:00:00 GMT", 1_795_240_800_000),
        (1_795_240_800.25, 1_795_240_800_250),
    ],
)
def test_times_are_read_in_every_form_the_client_library_reads(value: object, expected_ms: int) -> None:
    moment = _parse_time(value)
    assert round(moment.timestamp() * 1000) == pytest.approx(expected_ms, abs=1)


async def reason(remote: RemoteSessions) -> Reason:
    with pytest.raises(KnownError) as error:
        await remote.create({"app": "test"})
    assert error.value.what
    assert error.value.advice
    return error.value.reason


async def test_sessions_steps_and_metadata_come_back(remote: RemoteSessions) -> None:
    made = await remote.create({"a": "b"})
    assert made.status is RemoteStatus.ACTIVE
    await remote.update(made.session_id, {"c": "d"})
    assert (await remote.session(made.session_id)).metadata == {"c": "d"}
    await remote.open_invocation(made.session_id, WIRE)
    await remote.open_invocation(made.session_id, WIRE)
    await remote.put_step(made.session_id, WIRE, NOBODY, 1_790_000_000_123, "text 🙂")
    step = await remote.step(made.session_id, WIRE, NOBODY)
    assert step is not None
    assert (step.text, step.step_ms) == ("text 🙂", 1_790_000_000_123)
    assert [one.step_id for one in await remote.steps(made.session_id)] == [NOBODY]
    assert [one.session_id for one in await remote.sessions()] == [made.session_id]
    await remote.delete(made.session_id)
    await remote.delete(made.session_id)
    assert await remote.sessions() == ()
    assert await remote.step(made.session_id, WIRE, NOBODY) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ErrorType.DENIED, Reason.SYNC_DENIED),
        (ErrorType.THROTTLED, Reason.THROTTLED),
        (ErrorType.QUOTA, Reason.QUOTA),
        (ErrorType.VALIDATION, Reason.BAD_REQUEST),
        (ErrorType.INTERNAL, Reason.UNAVAILABLE),
        (ErrorType.CONFLICT, Reason.SYNC_CONFLICT),
        (ErrorType.NOT_FOUND, Reason.SYNC_SESSION_CLOSED),
    ],
)
async def test_every_refusal_has_its_reason(
    server: RunningServer, remote: RemoteSessions, kind: ErrorType, expected: Reason
) -> None:
    server.faults.set(refuse(kind))
    assert await reason(remote) is expected
    await remote.create({})


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"sessionId": "x"', b"<html>", b'{"sessionStatus": "NEW"}'])
async def test_a_torn_answer_is_no_answer(server: RunningServer, remote: RemoteSessions, body: bytes) -> None:
    async def torn(_request: object, _carry_out: object) -> web.Response:
        return web.Response(body=body, status=201, content_type="application/json")

    server.faults.set(torn)
    assert await reason(remote) is Reason.SYNC_UNREACHABLE


async def test_lost_connections_and_closed_ports_are_unreachable(
    server: RunningServer, remote: RemoteSessions, access: Access
) -> None:
    server.faults.set(cut())
    assert await reason(remote) is Reason.SYNC_UNREACHABLE
    await remote.create({})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        access.endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
        server.faults.set(cut())
        assert await reason(remote) is Reason.SYNC_UNREACHABLE
        assert await reason(remote) is Reason.SYNC_UNREACHABLE
    access.endpoint = server.endpoint
    await remote.create({})


async def test_access_is_asked_for_again_only_after_a_failure_that_it_may_explain(
    server: RunningServer, remote: RemoteSessions, access: Access
) -> None:
    await remote.create({})
    server.faults.set(refuse(ErrorType.THROTTLED))
    assert await reason(remote) is Reason.THROTTLED
    await remote.create({})
    assert access.asked == 1
    server.faults.set(refuse(ErrorType.DENIED))
    assert await reason(remote) is Reason.SYNC_DENIED
    await remote.create({})
    assert access.asked == 2


async def test_a_slow_answer_is_given_up_in_time_and_blocks_nobody(server: RunningServer, access: Access) -> None:
    remote = RemoteSessions(access, deadline_s=1.5)
    given_up = threading.Event()

    async def late(_request: object, carry_out: Callable[[], Awaitable[web.Response]]) -> web.Response:
        await asyncio.to_thread(given_up.wait)
        return await carry_out()

    try:
        await remote.create({})
        server.faults.set(late)
        slow = asyncio.create_task(reason(remote))
        await asyncio.sleep(0.05)
        await remote.sessions()
        assert await slow is Reason.SYNC_UNREACHABLE
        assert all(t.daemon for t in threading.enumerate() if t.name.startswith("novadesk-sync"))
    finally:
        given_up.set()
        await remote.close()


class SlowToBegin(DaemonThreads):
    """Threads that begin their work late, as those of a busy computer do."""

    def run(self, work: Callable[[], None]) -> None:
        super().run(lambda: (time.sleep(0.2), work())[1])


async def test_a_call_that_begins_while_all_is_closed_leaves_no_connection(
    server: RunningServer, remote: RemoteSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remote.create({})
    closed: list[int] = []
    client = remote._client
    close = client._opened.close
    monkeypatch.setattr(client._opened, "close", lambda: (closed.append(len(server.faults.requests)), close()))
    client._threads.close()
    client._threads = SlowToBegin(name="novadesk-sync")
    late = asyncio.create_task(remote.sessions())
    await asyncio.sleep(0)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    await remote.close()
    assert closed == [2], "after the late one"


async def test_no_secret_shows_in_the_words_of_access(access: Access) -> None:
    text = repr(await access())
    assert "AKIDEXAMPLE" not in text
    assert "practice" not in text


async def test_a_session_that_was_ended_can_be_read_and_takes_nothing(remote: RemoteSessions) -> None:
    made = await remote.create({"a": "b"})
    await remote.open_invocation(made.session_id, WIRE)
    await remote.put_step(made.session_id, WIRE, NOBODY, 1_790_000_000_000, "text")
    await remote.end(made.session_id)
    await remote.end(made.session_id)
    assert (await remote.session(made.session_id)).status is RemoteStatus.ENDED
    assert len(await remote.steps(made.session_id)) == 1
    with pytest.raises(KnownError) as error:
        await remote.put_step(made.session_id, WIRE, WIRE, 1_790_000_000_001, "more")
    assert error.value.reason is Reason.SYNC_CONFLICT
    await remote.delete(made.session_id)
    await remote.end(made.session_id)


async def test_a_deletion_that_was_broken_off_after_the_end_goes_on(
    server: RunningServer, remote: RemoteSessions
) -> None:
    made = await remote.create({})
    server.faults.set(cut(), matches="DELETE")
    with pytest.raises(KnownError):
        await remote.delete(made.session_id)
    assert (await remote.session(made.session_id)).status is RemoteStatus.ENDED
    await remote.delete(made.session_id)
    assert await remote.sessions() == ()


KEY = "arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012"


@pytest.mark.parametrize(("key", "expected"), [(KEY, None), ("alias/mine", Reason.BAD_SETTINGS)])
async def test_the_encryption_key_goes_with_every_new_session(
    access: Access, key: str, expected: Reason | None
) -> None:
    remote = RemoteSessions(access, deadline_s=60.0, kms_key=key)
    try:
        if expected is None:
            await remote.create({})
        else:
            assert await reason(remote) is expected
    finally:
        await remote.close()
