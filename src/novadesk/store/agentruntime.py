"""The remote session store: the session operations of Agent Runtime that NovaDesk uses."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from novadesk.errors import KnownError, Reason
from novadesk.store.agentfault import Conflict, Gone, translated, unreachable
from novadesk.store.remoteclient import AccessSource, RemoteAccess, RemoteClient, open_client

PAGE = 1_000
_EPOCH = datetime.fromtimestamp(0, UTC)


class RemoteStatus(Enum):
    """State of a remote session; only an ACTIVE one takes changes."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSession:
    """A remote session. Lists carry no metadata."""

    session_id: str = field(repr=False)
    status: RemoteStatus
    created_ms: int
    updated_ms: int
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSummary:
    """A step without its content."""

    step_id: str
    invocation: str
    step_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStep:
    """A step's content: its first text block, empty when it has none."""

    text: str = field(repr=False)
    step_ms: int


class RemoteSessions:
    """The session operations that NovaDesk uses. Every method raises only `KnownError`, and is safe to cancel.

    Reasons: `SYNC_UNREACHABLE` (also: too slow, unusable answer), `SYNC_DENIED`, `SYNC_CONFLICT`,
    `SYNC_SESSION_CLOSED` (not found), `CREDENTIALS_EXPIRED`, `NO_CREDENTIALS`, `THROTTLED`, `QUOTA`, `BAD_REQUEST`,
    `UNAVAILABLE`, `TLS_REFUSED`, `PROXY_REFUSED`, `BAD_SETTINGS` (the encryption key).

    Args:
        access: returns credentials and place; asked at the first call and again after a failure that they may explain.
        deadline_s: longest wait for one call.
        kms_key: ARN of the key that new sessions are encrypted with, or empty.
    """

    def __init__(self, access: AccessSource, *, deadline_s: float = 10.0, kms_key: str = "") -> None:
        self._kms_key = kms_key
        self._client = RemoteClient(
            access,
            open_client=_open_client,
            translated=translated,
            access_may_help=lambda error: error.reason in _ACCESS_MAY_HELP,
            no_answer=lambda: unreachable("The remote session store takes too long to answer."),
            name="novadesk-sync",
            deadline_s=deadline_s,
        )

    async def create(self, metadata: Mapping[str, str]) -> RemoteSession:
        """Create a session. A lost answer may leave one behind: look it up by its metadata."""
        given: dict[str, Any] = {"sessionMetadata": dict(metadata)}
        if self._kms_key:
            given["encryptionKeyArn"] = self._kms_key
        try:
            return await self._call("create_session", _session, **given)
        except KnownError as error:
            if error.reason is Reason.BAD_REQUEST and self._kms_key:
                raise KnownError(
                    Reason.BAD_SETTINGS,
                    "The remote session store refuses the encryption key.",
                    "Set [backend] kms_key to the full ARN of a key that you may use, or to nothing.",
                ) from error
            raise

    async def session(self, session_id: str) -> RemoteSession:
        """Return a session with its metadata."""
        return await self._call("get_session", _session, sessionIdentifier=session_id)

    async def sessions(self) -> tuple[RemoteSession, ...]:
        """Return all sessions of the account, without metadata."""
        pages = self._pages("list_sessions", "sessionSummaries", _session, PAGE)
        return tuple([found async for page in pages for found in page])

    async def update(self, session_id: str, metadata: Mapping[str, str]) -> None:
        """Replace the metadata of a session."""
        await self._call("update_session", _nothing, sessionIdentifier=session_id, sessionMetadata=dict(metadata))

    async def end(self, session_id: str) -> None:
        """End a session, so that it takes no changes; one that is ended or gone already is no error."""
        with contextlib.suppress(Gone, Conflict):
            await self._call("end_session", _nothing, sessionIdentifier=session_id)

    async def delete(self, session_id: str) -> None:
        """End and delete a session; one that is gone already is no error."""
        await self.end(session_id)
        with contextlib.suppress(Gone):
            await self._call("delete_session", _nothing, sessionIdentifier=session_id)

    async def open_invocation(self, session_id: str, invocation: str) -> None:
        """Create an invocation under our UUID; one that is there already is no error.

        A closed session is told by the next step, since both are a conflict here.
        """
        with contextlib.suppress(Conflict):
            await self._call("create_invocation", _nothing, sessionIdentifier=session_id, invocationId=invocation)

    async def put_step(self, session_id: str, invocation: str, step_id: str, step_ms: int, text: str) -> None:
        """Add a step of one text block (at least 1 character) at `step_ms` Unix milliseconds."""
        await self._call(
            "put_invocation_step",
            _nothing,
            sessionIdentifier=session_id,
            invocationIdentifier=invocation,
            invocationStepId=step_id,
            invocationStepTime=_EPOCH + timedelta(milliseconds=step_ms),
            payload={"contentBlocks": [{"text": text}]},
        )

    async def step(self, session_id: str, invocation: str, step_id: str) -> RemoteStep | None:
        """Return a step, or None when it is not there."""
        try:
            return await self._call(
                "get_invocation_step",
                _step,
                sessionIdentifier=session_id,
                invocationIdentifier=invocation,
                invocationStepId=step_id,
            )
        except Gone:
            return None

    async def steps(self, session_id: str) -> tuple[StepSummary, ...]:
        """Return all steps of a session in order of their time, whatever order the service lists them in."""
        steps = [step async for page in self.step_pages(session_id) for step in page]
        return tuple(sorted(steps, key=lambda step: (step.step_ms, step.step_id)))

    def step_pages(self, session_id: str, *, size: int = PAGE) -> AsyncIterator[Sequence[StepSummary]]:
        """Yield the steps of a session, at most `size` at a time, in the order in which the service lists them."""
        return self._pages(
            "list_invocation_steps", "invocationStepSummaries", _summary, size, sessionIdentifier=session_id
        )

    async def close(self, *, deadline_s: float = 2.0) -> None:
        """Close the connections; calls that are stuck are left to their threads. Idempotent."""
        await self._client.close(deadline_s=deadline_s)

    async def _pages[T](
        self, operation: str, key: str, read: Callable[[Mapping[str, Any]], T], size: int, **given: Any
    ) -> AsyncIterator[list[T]]:
        def read_page(answer: Mapping[str, Any]) -> tuple[list[T], str]:
            return [read(item) for item in answer[key]], answer.get("nextToken", "")

        items, token = await self._call(operation, read_page, maxResults=size, **given)
        yield items
        while token:
            items, token = await self._call(operation, read_page, maxResults=size, nextToken=token, **given)
            yield items

    async def _call[T](self, operation: str, read: Callable[[Mapping[str, Any]], T], **given: Any) -> T:
        return await self._client.call(lambda client: read(getattr(client, operation)(**given)))


_ACCESS_MAY_HELP = {
    Reason.SYNC_DENIED,
    Reason.SYNC_UNREACHABLE,
    Reason.CREDENTIALS_EXPIRED,
    Reason.NO_CREDENTIALS,
    Reason.TLS_REFUSED,
}


def _open_client(access: RemoteAccess, deadline_s: float) -> Any:
    import botocore.session  # Late: 200 ms.

    session = botocore.session.get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_parse_time)
    return open_client("bedrock-agent-runtime", access, deadline_s=deadline_s, attempts=1, session=session)


def _parse_time(value: Any) -> datetime:
    """Read a time of an answer; the client library's own parser takes ten times as long, a thousand times a page."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        from botocore.utils import parse_timestamp

        moment = parse_timestamp(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _nothing(_answer: Mapping[str, Any]) -> None:
    return None


def _session(item: Mapping[str, Any]) -> RemoteSession:
    return RemoteSession(
        session_id=item["sessionId"],
        status=RemoteStatus(item["sessionStatus"]),
        created_ms=_ms(item["createdAt"]),
        updated_ms=_ms(item.get("lastUpdatedAt", item["createdAt"])),
        metadata=item.get("sessionMetadata", {}),
    )


def _summary(item: Mapping[str, Any]) -> StepSummary:
    return StepSummary(
        step_id=item["invocationStepId"], invocation=item["invocationId"], step_ms=_ms(item["invocationStepTime"])
    )


def _step(answer: Mapping[str, Any]) -> RemoteStep:
    found = answer["invocationStep"]
    texts = [block["text"] for block in found["payload"].get("contentBlocks", ()) if "text" in block]
    return RemoteStep(text=texts[0] if texts else "", step_ms=_ms(found["invocationStepTime"]))


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
