"""The local Agent Runtime as boto3 sees it: every operation, its answer and its paging."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.remote_rig import RunningServer, SteppingClock, boto_client, running_server

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("runtime") / "sessions.db", clock=SteppingClock()) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[Any]:
    with boto_client(server.endpoint) as client:
        client.list_sessions()  # Its connection belongs to the module, not to the first test.
        yield client


def new_session(client: Any, **given: Any) -> str:
    return client.create_session(**given)["sessionId"]


def new_invocation(client: Any, session: str) -> str:
    return client.create_invocation(sessionIdentifier=session)["invocationId"]


def put(client: Any, session: str, invocation: str, *blocks: dict[str, Any], **given: Any) -> str:
    given.setdefault("invocationStepTime", NOON)
    return client.put_invocation_step(
        sessionIdentifier=session,
        invocationIdentifier=invocation,
        payload={"contentBlocks": list(blocks) or [{"text": "hello"}]},
        **given,
    )["invocationStepId"]


def status(answer: dict[str, Any]) -> int:
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_session_lives_from_creation_to_deletion(client: Any) -> None:
    created = client.create_session(sessionMetadata={"app": "novadesk"}, tags={"team": "voice"})
    session = created["sessionId"]
    assert status(created) == 201
    assert created["sessionStatus"] == "ACTIVE"
    assert created["sessionArn"] == f"arn:aws:bedrock:us-east-1:000000000000:session/{session}"
    assert created["createdAt"].microsecond
    assert uuid.UUID(session).version == 4

    got = client.get_session(sessionIdentifier=session)
    assert (status(got), got["sessionMetadata"]) == (200, {"app": "novadesk"})
    assert got["createdAt"] == got["lastUpdatedAt"] == created["createdAt"]
    assert "encryptionKeyArn" not in got

    updated = client.update_session(sessionIdentifier=session, sessionMetadata={"title": "Ärger, 日本 🙂"})
    assert status(updated) == 200
    assert updated["lastUpdatedAt"] > updated["createdAt"]
    assert "sessionMetadata" not in updated
    assert client.get_session(sessionIdentifier=session)["sessionMetadata"] == {"title": "Ärger, 日本 🙂"}

    ended = client.end_session(sessionIdentifier=session)
    assert (status(ended), ended["sessionStatus"]) == (200, "ENDED")
    assert status(client.delete_session(sessionIdentifier=session)) == 200
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_session(sessionIdentifier=session)


def test_a_session_without_metadata_reports_none(client: Any) -> None:
    got = client.get_session(sessionIdentifier=new_session(client))
    assert "sessionMetadata" not in got


def test_an_update_without_metadata_keeps_it(client: Any) -> None:
    session = new_session(client, sessionMetadata={"a": "b"})
    client.update_session(sessionIdentifier=session)
    assert client.get_session(sessionIdentifier=session)["sessionMetadata"] == {"a": "b"}


def test_the_arn_serves_as_identifier_everywhere(client: Any) -> None:
    created = client.create_session()
    arn, session = created["sessionArn"], created["sessionId"]
    assert client.get_session(sessionIdentifier=arn)["sessionId"] == session
    invocation = new_invocation(client, arn)
    step = put(client, arn, invocation)
    got = client.get_invocation_step(sessionIdentifier=arn, invocationIdentifier=invocation, invocationStepId=step)
    assert got["invocationStep"]["sessionId"] == session
    assert client.end_session(sessionIdentifier=arn)["sessionId"] == session


def test_the_encryption_key_is_kept(client: Any) -> None:
    key = f"arn:aws:kms:us-east-1:123456789012:key/{uuid.uuid4()}"
    assert client.get_session(sessionIdentifier=new_session(client, encryptionKeyArn=key))["encryptionKeyArn"] == key


def test_invocations_and_steps_come_back_whole(client: Any) -> None:
    session, invocation, step = new_session(client), str(uuid.uuid4()), str(uuid.uuid4())
    made = client.create_invocation(sessionIdentifier=session, invocationId=invocation, description="a wire session")
    assert (status(made), made["invocationId"], made["sessionId"]) == (201, invocation, session)

    blocks: list[dict[str, Any]] = [
        {"text": '{"role":"user","text":"Grüße 🙂"}'},
        {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
        {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket-1/key"}}}},
    ]
    assert put(client, session, invocation, *blocks, invocationStepId=step) == step
    got = client.get_invocation_step(sessionIdentifier=session, invocationIdentifier=invocation, invocationStepId=step)
    assert got["invocationStep"] == {
        "sessionId": session,
        "invocationId": invocation,
        "invocationStepId": step,
        "invocationStepTime": NOON,
        "payload": {"contentBlocks": blocks},
    }
    (listed,) = client.list_invocations(sessionIdentifier=session)["invocationSummaries"]
    assert listed == {"sessionId": session, "invocationId": invocation, "createdAt": made["createdAt"]}
    (summary,) = client.list_invocation_steps(sessionIdentifier=session)["invocationStepSummaries"]
    assert summary == {
        "sessionId": session,
        "invocationId": invocation,
        "invocationStepId": step,
        "invocationStepTime": NOON,
    }


def test_ids_are_made_when_none_are_given(client: Any) -> None:
    session = new_session(client)
    invocation = new_invocation(client, session)
    assert uuid.UUID(put(client, session, invocation)).version == 4


def test_steps_can_be_listed_by_invocation(client: Any) -> None:
    session = new_session(client)
    one, two = new_invocation(client, session), new_invocation(client, session)
    first, second = put(client, session, one), put(client, session, two)

    def listed(**given: str) -> set[str]:
        answer = client.list_invocation_steps(sessionIdentifier=session, **given)
        return {item["invocationStepId"] for item in answer["invocationStepSummaries"]}

    assert listed() == {first, second}
    assert listed(invocationIdentifier=two) == {second}


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_the_three_paginators_show_everything_once(client: Any, size: int) -> None:
    session = new_session(client)
    invocations = {new_invocation(client, session) for _ in range(7)}
    home = min(invocations)
    steps = {put(client, session, home) for _ in range(7)}
    page = {"PageSize": size}

    def items(operation: str, key: str, **given: str) -> list[dict[str, Any]]:
        pages = list(client.get_paginator(operation).paginate(PaginationConfig=page, **given))
        assert all(len(one[key]) <= size for one in pages)
        return [item for one in pages for item in one[key]]

    found = items("list_invocations", "invocationSummaries", sessionIdentifier=session)
    assert sorted(item["invocationId"] for item in found) == sorted(invocations)
    found = items("list_invocation_steps", "invocationStepSummaries", sessionIdentifier=session)
    assert sorted(item["invocationStepId"] for item in found) == sorted(steps)
    found = items(
        "list_invocation_steps", "invocationStepSummaries", sessionIdentifier=session, invocationIdentifier=home
    )
    assert len(found) == 7
    found = items("list_sessions", "sessionSummaries")
    ids = [item["sessionId"] for item in found]
    assert session in ids
    assert len(ids) == len(set(ids))


def test_an_exact_page_has_no_next_token(client: Any) -> None:
    session = new_session(client)
    for _ in range(3):
        new_invocation(client, session)
    assert "nextToken" not in client.list_invocations(sessionIdentifier=session, maxResults=3)
    assert "nextToken" in client.list_invocations(sessionIdentifier=session, maxResults=2)


def test_paging_is_not_shifted_by_new_entries(client: Any) -> None:
    session = new_session(client)
    old = {new_invocation(client, session) for _ in range(4)}
    first = client.list_invocations(sessionIdentifier=session, maxResults=2)
    new_invocation(client, session)
    rest = client.list_invocations(sessionIdentifier=session, maxResults=9, nextToken=first["nextToken"])
    seen = [item["invocationId"] for page in (first, rest) for item in page["invocationSummaries"]]
    assert sorted(seen) == sorted(old)


def test_tags_are_added_listed_and_removed(client: Any) -> None:
    arn = client.create_session(tags={"a": "1"})["sessionArn"]
    assert client.tag_resource(resourceArn=arn, tags={"b": "2", "a": "3", "key with blank": ""})
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "3", "b": "2", "key with blank": ""}
    assert client.untag_resource(resourceArn=arn, tagKeys=["a", "key with blank", "never there"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "sessions.db"
    with running_server(file) as server, boto_client(server.endpoint) as client:
        session = new_session(client, sessionMetadata={"a": "b"}, tags={"t": "u"})
        invocation = new_invocation(client, session)
        step = put(client, session, invocation)
        ended = new_session(client)
        client.end_session(sessionIdentifier=ended)
    with running_server(file) as server, boto_client(server.endpoint) as client:
        assert client.get_session(sessionIdentifier=session)["sessionMetadata"] == {"a": "b"}
        got = client.get_invocation_step(
            sessionIdentifier=session, invocationIdentifier=invocation, invocationStepId=step
        )
        assert got["invocationStep"]["payload"] == {"contentBlocks": [{"text": "hello"}]}
        assert client.get_session(sessionIdentifier=ended)["sessionStatus"] == "ENDED"
    assert file.stat().st_mode & 0o777 == 0o600
