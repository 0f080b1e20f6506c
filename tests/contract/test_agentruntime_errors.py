"""The local Agent Runtime's refusals, through boto3 and raw where boto3 would not send it."""

import http.client
import json
import socket
import struct
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from novadesk.server.agentruntime_shapes import ErrorType
from tests.support.remote_rig import RunningServer, SteppingClock, boto_client, refuse, running_server

NOON = datetime(2026, 11, 21, 12, 0, 0, 0, UTC)
NOBODY = "00000000-0000-4000-8000-000000000000"
TEXT = {"contentBlocks": [{"text": "hello"}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("runtime") / "sessions.db", max_steps=3) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[Any]:
    with boto_client(server.endpoint) as client:
        client.list_sessions()  # Its connection belongs to the module, not to the first test.
        yield client


@pytest.fixture
def session(client: Any) -> str:
    return client.create_session()["sessionId"]


@pytest.fixture
def invocation(client: Any, session: str) -> str:
    return client.create_invocation(sessionIdentifier=session)["invocationId"]


def put(client: Any, session: str, invocation: str, **given: Any) -> str:
    given = {"invocationStepTime": NOON, "payload": TEXT} | given
    return client.put_invocation_step(sessionIdentifier=session, invocationIdentifier=invocation, **given)[
        "invocationStepId"
    ]


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def raw(server: RunningServer, method: str, path: str, body: Any = None) -> tuple[int, str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        return answer.status, answer.headers.get("x-amzn-ErrorType", ""), content
    finally:
        connection.close()


def test_an_ended_session_can_be_read_but_not_added_to(client: Any, session: str, invocation: str) -> None:
    step = put(client, session, invocation)
    client.end_session(sessionIdentifier=session)
    conflict = client.exceptions.ConflictException
    with pytest.raises(conflict):
        put(client, session, invocation)
    with pytest.raises(conflict):
        client.create_invocation(sessionIdentifier=session)
    with pytest.raises(conflict):
        client.update_session(sessionIdentifier=session, sessionMetadata={})
    with pytest.raises(conflict) as error:
        client.end_session(sessionIdentifier=session)
    assert code(error) == ("ConflictException", 409)
    assert client.get_session(sessionIdentifier=session)["sessionStatus"] == "ENDED"
    got = client.get_invocation_step(sessionIdentifier=session, invocationIdentifier=invocation, invocationStepId=step)
    assert got["invocationStep"]["payload"] == TEXT


def test_an_active_session_cannot_be_deleted(client: Any, session: str) -> None:
    with pytest.raises(client.exceptions.ConflictException):
        client.delete_session(sessionIdentifier=session)
    assert client.get_session(sessionIdentifier=session)["sessionStatus"] == "ACTIVE"


def test_repeated_ids_are_conflicts(client: Any, session: str, invocation: str) -> None:
    step = put(client, session, invocation)
    other = client.create_invocation(sessionIdentifier=session)["invocationId"]
    with pytest.raises(client.exceptions.ConflictException):
        client.create_invocation(sessionIdentifier=session, invocationId=invocation)
    for home in (invocation, other):
        with pytest.raises(client.exceptions.ConflictException):
            put(client, session, home, invocationStepId=step)
    second = client.create_session()["sessionId"]
    client.create_invocation(sessionIdentifier=second, invocationId=invocation)
    assert put(client, second, invocation, invocationStepId=step) == step


def test_the_step_quota_holds(client: Any, session: str, invocation: str) -> None:
    for _ in range(3):
        put(client, session, invocation)
    with pytest.raises(client.exceptions.ServiceQuotaExceededException) as error:
        put(client, session, invocation)
    assert code(error) == ("ServiceQuotaExceededException", 400)


def test_what_is_not_there_is_not_found(client: Any, session: str, invocation: str) -> None:
    missing = client.exceptions.ResourceNotFoundException
    step = put(client, session, invocation)
    other = client.create_invocation(sessionIdentifier=session)["invocationId"]
    arn = f"arn:aws:bedrock:us-east-1:000000000000:session/{NOBODY}"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_session", {"sessionIdentifier": NOBODY}),
        ("update_session", {"sessionIdentifier": NOBODY}),
        ("end_session", {"sessionIdentifier": NOBODY}),
        ("delete_session", {"sessionIdentifier": NOBODY}),
        ("create_invocation", {"sessionIdentifier": NOBODY}),
        ("list_invocations", {"sessionIdentifier": NOBODY}),
        ("list_invocation_steps", {"sessionIdentifier": NOBODY}),
        ("list_invocation_steps", {"sessionIdentifier": session, "invocationIdentifier": NOBODY}),
        ("put_invocation_step", {"sessionIdentifier": session, "invocationIdentifier": NOBODY, "payload": TEXT}),
        ("put_invocation_step", {"sessionIdentifier": NOBODY, "invocationIdentifier": invocation, "payload": TEXT}),
        ("get_invocation_step", {"sessionIdentifier": session, "invocationIdentifier": other}),
        ("tag_resource", {"resourceArn": arn, "tags": {"a": "b"}}),
        ("untag_resource", {"resourceArn": arn, "tagKeys": ["a"]}),
        ("list_tags_for_resource", {"resourceArn": arn}),
    ]
    for name, given in calls:
        if name == "put_invocation_step":
            given["invocationStepTime"] = NOON
        if name == "get_invocation_step":
            given["invocationStepId"] = step
        with pytest.raises(missing) as error:
            getattr(client, name)(**given)
        assert code(error) == ("ResourceNotFoundException", 404)


BAD_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("get_session", {"sessionIdentifier": "nonsense"}),
    ("get_session", {"sessionIdentifier": NOBODY.upper().replace("0", "A")}),
    ("get_session", {"sessionIdentifier": f"arn:aws:bedrock:us-east-1:12:session/{NOBODY}"}),
    ("create_session", {"encryptionKeyArn": "arn:aws:kms:us-east-1:123456789012:alias/mine"}),
    ("create_session", {"sessionMetadata": {f"key {number}": "" for number in range(51)}}),
    ("create_session", {"sessionMetadata": {"k" * 101: ""}}),
    ("create_session", {"sessionMetadata": {"k": "v" * 5001}}),
    ("create_session", {"tags": {"a<b": ""}}),
    ("create_session", {"tags": {"a": "ü"}}),
    ("create_session", {"tags": {"a": "v" * 257}}),
    ("list_sessions", {"maxResults": 1001}),
    ("list_sessions", {"nextToken": "two words"}),
    ("list_sessions", {"nextToken": "made-up"}),
    ("create_invocation", {"sessionIdentifier": NOBODY, "invocationId": "ABC"}),
    ("create_invocation", {"sessionIdentifier": NOBODY, "description": "d" * 201}),
    ("list_invocation_steps", {"sessionIdentifier": NOBODY, "invocationIdentifier": "x"}),
    ("tag_resource", {"resourceArn": "arn:aws:bedrock:us-east-1:000000000000:agent/XYZ", "tags": {"a": "b"}}),
]


@pytest.mark.parametrize(("name", "given"), BAD_CALLS)
def test_what_breaks_a_pattern_or_limit_is_refused(client: Any, name: str, given: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        getattr(client, name)(**given)
    assert code(error) == ("ValidationException", 400)


BAD_STEPS: list[dict[str, Any]] = [
    {"payload": {"contentBlocks": [{"text": "ok"}, {"image": {"format": "bmp", "source": {"bytes": b"x"}}}]}},
    {"payload": {"contentBlocks": [{"image": {"format": "png", "source": {"bytes": b"x" * 3_932_161}}}]}},
    {"payload": {"contentBlocks": [{"image": {"format": "png", "source": {"bytes": b"x"}}}] * 21}},
    {"payload": {"contentBlocks": [{"image": {"format": "png", "source": {"s3Location": {"uri": "http://x"}}}}]}},
    {"invocationStepId": "not-a-uuid"},
    {"invocationIdentifier": "not-a-uuid"},
]


@pytest.mark.parametrize("given", BAD_STEPS)
def test_bad_steps_are_refused(client: Any, session: str, invocation: str, given: dict[str, Any]) -> None:
    call = {"invocationIdentifier": invocation, "invocationStepTime": NOON, "payload": TEXT} | given
    with pytest.raises(client.exceptions.ValidationException):
        client.put_invocation_step(sessionIdentifier=session, **call)


RAW_STEPS: list[Any] = [
    b"{not json",
    b"\xff\xfe",
    [],
    {},
    {"payload": {"contentBlocks": []}},
    {"payload": {"contentBlocks": [{"text": ""}]}},
    {"payload": {"contentBlocks": [{"text": 7}]}},
    {"payload": {"contentBlocks": [{}]}},
    {"payload": {"contentBlocks": [{"text": "a", "image": {}}]}},
    {"payload": {"contentBlocks": [{"image": {"format": "png", "source": {"bytes": "***"}}}]}},
    {"payload": {"contentBlocks": [{"image": {"format": "png", "source": {}}}]}},
    {"payload": {"other": 1}},
    {"payload": "text"},
    {"payload": TEXT, "invocationStepTime": "yesterday"},
    {"payload": TEXT, "invocationStepTime": "2026-13-45T00:00:00Z"},
    {"payload": TEXT, "invocationStepTime": 1_700_000_000},
    {"payload": TEXT, "invocationStepTime": None},
]


@pytest.mark.parametrize("body", RAW_STEPS)
def test_bodies_that_boto3_would_not_send_are_refused(
    server: RunningServer, session: str, invocation: str, body: Any
) -> None:
    if isinstance(body, dict) and "payload" in body:
        body = {"invocationIdentifier": invocation, "invocationStepTime": "2026-11-21T12:00:00Z"} | body
    status, kind, answer = raw(server, "PUT", f"/sessions/{session}/invocationSteps/", body)
    assert (status, kind) == (400, "ValidationException")
    assert answer["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sessions/?maxResults=0"),
        ("POST", "/sessions/?maxResults=many"),
        ("POST", "/sessions/?nextToken="),
        ("DELETE", f"/tags/arn%3Aaws%3Abedrock%3Aus-east-1%3A000000000000%3Asession%2F{NOBODY}"),
        ("POST", f"/sessions/{NOBODY}/invocationSteps/{NOBODY}"),
    ],
)
def test_bad_queries_are_refused(server: RunningServer, method: str, path: str) -> None:
    assert raw(server, method, path)[:2] == (400, "ValidationException")


def test_every_path_is_taken_with_and_without_its_final_slash(server: RunningServer, session: str) -> None:
    for path in ("/sessions", "/sessions/"):
        assert raw(server, "PUT", path)[0] == 201
        assert raw(server, "POST", path)[0] == 200
    for path in (f"/sessions/{session}", f"/sessions/{session}/"):
        assert raw(server, "GET", path)[0] == 200
        assert raw(server, "PUT", path, {})[0] == 200
    for path in ("invocations", "invocations/", "invocationSteps", "invocationSteps/"):
        assert raw(server, "POST", f"/sessions/{session}/{path}")[0] == 200
    assert raw(server, "PATCH", f"/sessions/{session}/")[0] == 200
    assert raw(server, "DELETE", f"/sessions/{session}")[0] == 200


def test_an_unknown_operation_is_named_so(server: RunningServer) -> None:
    assert raw(server, "GET", "/agents/")[:2] == (404, "UnknownOperationException")
    assert raw(server, "DELETE", "/sessions/")[:2] == (404, "UnknownOperationException")


def test_a_token_serves_its_own_list_only(client: Any, session: str) -> None:
    for _ in range(2):
        client.create_invocation(sessionIdentifier=session)
    token = client.list_invocations(sessionIdentifier=session, maxResults=1)["nextToken"]
    with pytest.raises(client.exceptions.ValidationException):
        client.list_invocation_steps(sessionIdentifier=session, nextToken=token)
    with pytest.raises(client.exceptions.ValidationException):
        client.list_invocations(sessionIdentifier=client.create_session()["sessionId"], nextToken=token)


def test_a_session_keeps_at_most_200_tags(client: Any) -> None:
    arn = client.create_session(tags={f"tag {number}": "" for number in range(200)})["sessionArn"]
    with pytest.raises(client.exceptions.ServiceQuotaExceededException):
        client.tag_resource(resourceArn=arn, tags={"one more": ""})
    client.tag_resource(resourceArn=arn, tags={"tag 7": "changed"})


def test_an_idle_session_expires_and_can_be_deleted(tmp_path: Path) -> None:
    clock = SteppingClock()
    options = {"clock": clock, "idle_timeout_s": 3600.0}
    with running_server(tmp_path / "a.db", **options) as server, boto_client(server.endpoint) as client:
        session = client.create_session()["sessionId"]
        clock.now += 3000
        invocation = client.create_invocation(sessionIdentifier=session)["invocationId"]
        clock.now += 3000
        assert client.get_session(sessionIdentifier=session)["sessionStatus"] == "ACTIVE"
        clock.now += 601
        (summary,) = client.list_sessions()["sessionSummaries"]
        assert summary["sessionStatus"] == "EXPIRED"
        with pytest.raises(client.exceptions.ConflictException):
            put(client, session, invocation)
        client.delete_session(sessionIdentifier=session)
        assert client.list_sessions()["sessionSummaries"] == []


@pytest.mark.parametrize("kind", [kind for kind in ErrorType if kind is not ErrorType.UNKNOWN_OPERATION])
def test_boto3_raises_every_error_type(server: RunningServer, client: Any, kind: ErrorType) -> None:
    server.faults.set(refuse(kind))
    with pytest.raises(getattr(client.exceptions, kind.wire_name)) as error:
        client.create_invocation(sessionIdentifier=NOBODY, invocationId=str(uuid.uuid4()))
    assert code(error) == (kind.wire_name, kind.status)


@pytest.mark.parametrize("aborted", [True, False])
def test_who_leaves_in_the_middle_of_a_request_is_no_error_of_ours(
    server: RunningServer, client: Any, session: str, caplog: pytest.LogCaptureFixture, aborted: bool
) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as caller:
        head = f"PUT /sessions/{session}/invocations/ HTTP/1.1\r\nHost: localhost\r\n"
        caller.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n{{".encode())
        assert caller.recv(1_000).startswith(b"HTTP/1.1 100")  # it has a handler now
        if aborted:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert client.get_session(sessionIdentifier=session)["sessionStatus"] == "ACTIVE"
    assert caplog.records == []
