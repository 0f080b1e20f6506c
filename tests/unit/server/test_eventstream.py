import contextlib
import datetime
import uuid

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st
from smithy_aws_event_stream.events import EventMessage

from novadesk.errors import BugError, KnownError, Reason
from novadesk.server.eventstream import (
    Message,
    MessageBuffer,
    Timestamp,
    decode,
    encode,
    encode_error,
    encode_event,
    encode_exception,
)

_NAMES = st.text(min_size=1, max_size=40).filter(lambda name: len(name.encode()) <= 255)
_VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=200),
    st.text(max_size=60),
    st.builds(Timestamp, st.integers(-(2**40), 2**42)),
    st.uuids(),
)
_MESSAGES = st.builds(
    lambda headers, payload: Message(headers=headers, payload=payload),
    st.dictionaries(_NAMES, _VALUES, max_size=6),
    st.binary(max_size=400),
)


@given(_MESSAGES)
def test_what_is_encoded_decodes_to_itself(message):
    assert decode(encode(message)) == message


@given(st.lists(_MESSAGES, max_size=5), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_messages_come_whole_out_of_any_pieces(messages, sizes):
    wire = b"".join(encode(message) for message in messages)
    buffer, found, at = MessageBuffer(), [], 0
    while at < len(wire):
        size = sizes[at % len(sizes)]
        found += buffer.feed(wire[at : at + size])
        at += size
    assert found == messages
    assert buffer.is_empty


@given(_MESSAGES, st.data())
def test_a_changed_byte_is_noticed(message, data):
    wire = bytearray(encode(message))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(KnownError) as caught:
        decode(bytes(wire))
    assert caught.value.reason is Reason.BAD_EVENT_BYTES


@given(st.binary(min_size=12, max_size=200))
def test_noise_never_does_worse_than_a_known_error(noise):
    with contextlib.suppress(KnownError):
        assert MessageBuffer().feed(noise) == []


def test_botocore_reads_what_we_write():
    buffer = EventStreamBuffer()
    buffer.add_data(encode_event(b'{"bytes":"e30="}') + encode_exception("validationException", "no", {"a": 1}))
    event, exception = list(buffer)
    assert event.headers == {
        ":event-type": "chunk",
        ":content-type": "application/json",
        ":message-type": "event",
    }
    assert event.payload == b'{"bytes":"e30="}'
    assert exception.headers[":exception-type"] == "validationException"
    assert exception.payload == b'{"message": "no", "a": 1}'


def test_an_error_message_carries_its_code():
    headers = decode(encode_error("InternalError", "text")).headers
    assert headers == {":error-code": "InternalError", ":error-message": "text", ":message-type": "error"}


def test_we_read_what_the_sdk_writes():
    moment = datetime.datetime(2026, 11, 21, 3, 4, 5, 678000, tzinfo=datetime.UTC)
    identity = uuid.uuid4()
    wire = EventMessage(
        headers={":date": moment, ":chunk-signature": b"\x01\x02", "n": 7, "yes": True, "id": identity}, payload=b"x"
    ).encode()
    message = decode(wire)
    assert message.headers == {
        ":date": Timestamp(round(moment.timestamp() * 1000)),
        ":chunk-signature": b"\x01\x02",
        "n": 7,
        "yes": True,
        "id": identity,
    }
    assert encode(message) == wire


def test_a_message_that_is_too_long_is_refused_before_it_has_come():
    wire = encode(Message(payload=bytes(5000)))
    with pytest.raises(KnownError):
        MessageBuffer(max_message_bytes=4096).feed(wire[:12])


def test_two_messages_are_not_one():
    with pytest.raises(KnownError):
        decode(encode(Message()) * 2)


@pytest.mark.parametrize("headers", [{"": 1}, {"n" * 256: 1}, {"n": 2**63}, {"n": bytes(40_000)}, {"n": 1.5}])
def test_what_the_format_cannot_hold_is_a_bug(headers):
    with pytest.raises(BugError):
        encode(Message(headers=headers))
