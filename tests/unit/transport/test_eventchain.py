"""The frames of events are those that the official SDK makes, byte for byte."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aws_sdk_bedrock_runtime.models import (
    BidirectionalInputPayloadPart,
    InvokeModelWithBidirectionalStreamInputChunk,
)
from aws_sdk_signers import signers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smithy_aws_event_stream.aio import AWSEventPublisher, SigningConfig
from smithy_aws_event_stream.events import EventHeaderEncoder
from smithy_json import JSONCodec

from novadesk.transport.eventchain import EventChain

SECRET, SIGNATURE = "a secret of nobody", "5f" * 32
SCOPE = {"region": "eu-north-1", "service": "bedrock"}

type Sent = Sequence[tuple[bytes, datetime]]


class Clock:
    """Stands for the `datetime` that the SDK asks for the time."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self, _zone: object) -> datetime:
        return self.at


class Body:
    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed = False

    async def write(self, data: bytes) -> None:
        self.frames.append(data)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(signers, "datetime", SimpleNamespace(datetime=made, UTC=UTC))
    return made


async def by_the_sdk(events: Sent, end: datetime, clock: Clock) -> list[bytes]:
    async def identity(properties: object) -> object:
        return SimpleNamespace(access_key_id="id", secret_access_key=SECRET, session_token=None)

    body = Body()
    signer: Any = signers.AsyncEventSigner(initial_signature=SIGNATURE.encode(), event_encoder_cls=EventHeaderEncoder)
    signing = SigningConfig(
        signer=signer,
        signing_properties=SCOPE,  # type: ignore[arg-type]
        identity_resolver=SimpleNamespace(get_identity=identity),  # type: ignore[arg-type]
        identity_properties={},
    )
    publisher: AWSEventPublisher[Any] = AWSEventPublisher(JSONCodec(), body, signing)
    for payload, clock.at in events:
        part = BidirectionalInputPayloadPart(bytes_=payload)
        await publisher.send(InvokeModelWithBidirectionalStreamInputChunk(part))
    clock.at = end
    await publisher.close()
    assert body.closed
    return body.frames


times = st.datetimes(datetime(2001, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=3_000), times), max_size=5), times)
async def test_events_and_the_end_are_framed_and_signed_as_the_sdk_does(
    clock: Clock, events: list[tuple[bytes, datetime]], end: datetime
) -> None:
    chain = EventChain(secret_access_key=SECRET, signature=SIGNATURE, **SCOPE)
    frames = [chain.event(payload, at) for payload, at in events]
    assert [*frames, chain.end(end)] == await by_the_sdk(events, end, clock)
