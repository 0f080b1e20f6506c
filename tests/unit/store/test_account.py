"""The list of the account's sessions: what is asked again, and whose sessions are passed over."""

from collections.abc import Mapping

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import make_handle
from novadesk.store.account import Account
from novadesk.store.agentruntime import RemoteSession, RemoteSessions, RemoteStatus
from novadesk.store.metadata import APP, KEY_APP, KEY_HANDLE
from tests.support.store_rig import START_MS

DENIED = KnownError(Reason.SYNC_DENIED, "No access.", "Get access.")
GONE = KnownError(Reason.SYNC_SESSION_CLOSED, "Gone.", "Nothing.")
DOWN = KnownError(Reason.SYNC_UNREACHABLE, "Down.", "Wait.")


class Service(RemoteSessions):
    """Sessions in memory; an error in place of a session is raised when that one is asked for."""

    def __init__(self) -> None:
        self.held: dict[str, RemoteSession | KnownError] = {}
        self.updated: dict[str, int] = {}
        self.asked: list[str] = []

    def put(self, name: str, metadata: Mapping[str, str] | KnownError, updated_ms: int = 0) -> None:
        self.updated[name] = updated_ms
        self.held[name] = (
            metadata
            if isinstance(metadata, KnownError)
            else RemoteSession(
                session_id=name,
                status=RemoteStatus.ACTIVE,
                created_ms=0,
                updated_ms=updated_ms,
                metadata=metadata,
            )
        )

    async def sessions(self) -> tuple[RemoteSession, ...]:
        return tuple(
            RemoteSession(session_id=name, status=RemoteStatus.ACTIVE, created_ms=0, updated_ms=updated_ms)
            for name, updated_ms in self.updated.items()
        )

    async def session(self, session_id: str) -> RemoteSession:
        self.asked.append(session_id)
        found = self.held[session_id]
        if isinstance(found, KnownError):
            raise found
        return found


def ours(handle: str) -> dict[str, str]:
    return {KEY_APP: APP, KEY_HANDLE: handle}


async def test_only_what_changed_is_asked_for_again() -> None:
    service, handle = Service(), make_handle(START_MS)
    account = Account(service)
    service.put("a", ours(handle))
    service.put("b", ours(handle))
    service.put("foreign", {"app": "other"})
    assert {one.session_id for one in (await account.sessions())[handle]} == {"a", "b"}
    assert sorted(service.asked) == ["a", "b", "foreign"]
    service.asked.clear()
    await account.sessions()
    assert service.asked == []
    service.put("b", ours(handle) | {"more": "x"}, updated_ms=5)
    found = (await account.sessions())[handle]
    assert service.asked == ["b"]
    assert {one.metadata.get("more") for one in found} == {None, "x"}
    service.asked.clear()
    await account.sessions(fresh=True)
    assert sorted(service.asked) == ["a", "b", "foreign"]
    del service.held["a"], service.updated["a"]
    assert {one.session_id for one in (await account.sessions())[handle]} == {"b"}


async def test_sessions_that_are_gone_or_anothers_are_passed_over() -> None:
    service, handle = Service(), make_handle(START_MS)
    account = Account(service)
    service.put("a", ours(handle))
    service.put("gone", GONE)
    service.put("anothers", DENIED)
    service.put("senseless", {KEY_APP: APP, KEY_HANDLE: "x"})
    assert list(await account.sessions()) == [handle]


async def test_no_right_to_any_session_is_no_right() -> None:
    service = Service()
    service.put("a", DENIED)
    service.put("b", DENIED)
    with pytest.raises(KnownError) as error:
        await Account(service).sessions()
    assert error.value is DENIED


async def test_a_service_that_fails_is_no_empty_account() -> None:
    service = Service()
    service.put("a", ours(make_handle(START_MS)))
    service.put("b", DOWN)
    with pytest.raises(KnownError) as error:
        await Account(service).sessions()
    assert error.value is DOWN
