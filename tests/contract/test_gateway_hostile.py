"""Hostile bytes on the gateway's live socket: an error to who sent them, a neighbour undisturbed, nothing logged.

Hypothesis decides what is sent; server, WebSocket and neighbour are the real ones, the voice service is scripted.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope import CLIENT_TYPES, Malformed
from novadesk.protocol.envelope_values import ErrorCode
from novadesk.server.gateway.limits import Rate
from novadesk.server.gateway.options import GatewayLimits
from tests.support.gateway_host import FRAME, Host
from tests.unit.protocol.envelope_values import CLIENT_DOCUMENTS

pytestmark = pytest.mark.thorough

_MARK = "zq7Xcontent"
"""In all that is sent; in nothing that is logged."""

_NEVER = Rate(most=10_000_000, span_s=1.0)
_LIMITS = GatewayLimits(
    sessions=10_000, sessions_per_owner=10_000, connections=_NEVER, creations=_NEVER, messages=_NEVER
)
_ENDED, _TOO_LARGE = 1000, 1009
_CLOSES_BYTES = 262_144
_NO_WEBSOCKET = (1002, 1007)
_PATIENCE_S = 60.0
_examples = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

_CHARS = st.characters()
_PLAIN = st.text(max_size=40).map(lambda text: _MARK + text)
_WORDS = st.text(_CHARS, max_size=40).map(lambda text: _MARK + text)
_INJECTED = st.sampled_from([f"{_MARK}\r\nSet-Cookie: {_MARK}=1", f"{_MARK}\0", f"../{_MARK}", f"' OR 1=1 --{_MARK}"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _WORDS | _INJECTED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)
_DEEP = st.builds(
    lambda opening, depth: f'{{"type": "text", "text": "{_MARK}", "x": {opening * depth}',
    st.sampled_from(["[", '{"a":', '[{"a":']),
    st.integers(1, 20_000),
)
_TRUNCATED = st.builds(
    lambda document, share: (text := json.dumps(document))[: int(len(text) * share)],
    CLIENT_DOCUMENTS,
    st.floats(0.0, 0.99),
)
_UNKNOWN = st.builds(lambda name, value: json.dumps({"type": name, "requestId": value}), _WORDS, _JSON)
_NO_MESSAGE = st.one_of(_TRUNCATED, _UNKNOWN, _DEEP, _PLAIN, _JSON.map(json.dumps), st.binary(max_size=3))


@st.composite
def _misshapen(draw: st.DrawFn) -> str:
    """Return a message of a known type some fields of which hold anything at all."""
    document = draw(CLIENT_DOCUMENTS)
    names = draw(st.lists(st.sampled_from([*document, "sessionId", "requestId", "configuration"]), max_size=3))
    return json.dumps(document | {name: draw(_JSON) for name in names if name != "type"})


class _Siege:
    """A gateway, a neighbour in a call, and somebody who means harm."""

    def __init__(self, folder: Path) -> None:
        self.host = Host(folder)
        self._talked = 0
        self._sent = 10**9

    async def begin(self) -> None:
        await self.host.add(limits=_LIMITS)
        self.neighbour = await self.host.connect("ann")
        self.call = await self.neighbour.create()
        await self.neighbour.speak(1)
        await self.neighbour.until(lambda: bool(self.host.linker.links) and FRAME in self.host.linker.newest.heard())
        self.service = self.host.linker.newest
        self.stranger = await self.host.connect("eve")

    async def send(self, content: str | bytes) -> list[Any]:
        """Send something; return what it is answered with, up to the answer to a heartbeat behind it, or its code."""
        if self.stranger.socket.closed:
            self.stranger = await self.host.connect("eve")
        stranger, self._sent = self.stranger, self._sent + 1
        socket, beat = stranger.socket, told.HeartbeatAck(timestamp=self._sent)
        stranger.told.clear()
        with contextlib.suppress(aiohttp.ClientError):
            await (socket.send_str(content) if isinstance(content, str) else socket.send_bytes(content))
            await stranger.say(said.Heartbeat(timestamp=self._sent))
        await stranger.until(lambda: beat in stranger.told or socket.closed)
        answers = [message for message in stranger.told if not isinstance(message, told.HeartbeatAck)]
        assert not [message for message in answers if isinstance(message, Malformed)]
        return answers

    async def neighbour_talks(self) -> None:
        """See that the neighbour hears and is heard, each time once, and is told of no error."""
        self._talked += 1
        self.service.user_said(f"still here {self._talked}")
        await self.neighbour.speak(1)
        frames = self.neighbour.sequence
        await self.neighbour.until(
            lambda: (
                len(self.neighbour.all(told.Turn)) == self._talked
                and self.neighbour.all(told.AudioAck)[-1].sequence == frames
            )
        )
        assert not self.neighbour.all(told.Error)
        assert not self.neighbour.socket.closed

    async def raw(self, request: bytes, then: bytes = b"") -> tuple[bytes, int]:
        """Send bytes on a connection of their own.

        Returns:
            The head of the answer; and with `then`, the code with which what follows is closed.
        """
        address = urlsplit(self.host.urls[0])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                if not then:
                    return head, 0
                writer.write(then)
                return head, await _close_code(reader)
        finally:
            writer.close()


async def _close_code(reader: asyncio.StreamReader) -> int:
    """Read frames of the server until the one that closes."""
    while True:
        opcode, size = await reader.readexactly(2)
        size = int.from_bytes(await reader.readexactly(2), "big") if size == 126 else size
        payload = await reader.readexactly(size)
        if opcode == 0x88:
            return int.from_bytes(payload[:2], "big")


@pytest.fixture
def siege(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[_Siege, asyncio.Runner]]:
    with asyncio.Runner() as runner, caplog.at_level(logging.DEBUG):
        siege = _Siege(tmp_path)
        runner.run(siege.begin())
        try:
            yield siege, runner
        finally:
            runner.run(siege.host.stop())
    assert _MARK not in caplog.text
    assert siege.call.session_id not in caplog.text
    assert "Traceback" not in caplog.text


def test_what_is_no_message_is_one_error_to_its_sender(siege: tuple[_Siege, asyncio.Runner]) -> None:
    it, runner = siege

    async def attack(content: str | bytes) -> None:
        answers = await it.send(content)
        assert [type(answer) for answer in answers] == [told.Error]
        assert not answers[0].fatal
        assert _MARK not in answers[0].message + answers[0].advice
        await it.neighbour_talks()

    @_examples
    @example("")
    @example('{"type": "\\ud800", "requestId": "\\udfff"}')
    @example('{"type": 1e999}')
    @example("\N{BYTE ORDER MARK}{}")
    @given(_NO_MESSAGE)
    def fuzz(content: str | bytes) -> None:
        runner.run(attack(content))

    fuzz()


def test_fields_of_any_kind_and_sound_of_any_shape_close_nothing(siege: tuple[_Siege, asyncio.Runner]) -> None:
    it, runner = siege

    async def attack(content: str | bytes) -> None:
        await it.send(content)
        if it.stranger.socket.closed:  # a well-formed one may have ended a session of its own
            assert it.stranger.socket.close_code == _ENDED
        await it.neighbour_talks()

    @_examples
    @example(json.dumps({"type": "createSession", "title": "\ud800", "requestId": "\ud800"}))
    @example(json.dumps({"type": "createSession", "configuration": {"prompt": "\0\ud800"}}))
    @given(st.one_of(_misshapen(), st.binary(max_size=3_000)))
    def fuzz(content: str | bytes) -> None:
        runner.run(attack(content))

    fuzz()


def test_huge_messages_are_refused_and_larger_ones_close_their_own_connection(
    siege: tuple[_Siege, asyncio.Runner],
) -> None:
    it, runner = siege

    async def attack(size: int, *, binary: bool) -> None:
        text = _MARK + "x" * (size - len(_MARK))
        answers = await it.send(text.encode() if binary else text)
        if size > _CLOSES_BYTES:
            assert await it.stranger.closed() == _TOO_LARGE
        else:
            assert [answer.code for answer in answers] == [ErrorCode.MESSAGE_TOO_LARGE]
        await it.neighbour_talks()

    @settings(_examples, max_examples=8)
    @given(st.integers(131_073, 262_144) | st.integers(262_145, 400_000), st.booleans())
    def fuzz(size: int, binary: bool) -> None:
        runner.run(attack(size, binary=binary))

    fuzz()


def test_a_neighbours_session_cannot_be_guessed_nor_used(siege: tuple[_Siege, asyncio.Runner]) -> None:
    it, runner = siege
    call = it.call
    names = st.sampled_from([name for name, kind in CLIENT_TYPES.items() if "session_id" in kind.__slots__])

    async def attack(name: str, place: int, other: str, secret: str) -> None:
        near = call.session_id if place < 0 else call.session_id[:place] + other + call.session_id[place + 1 :]
        document = {"type": name, "sessionId": near, "resumeSecret": secret, "audioData": "AAAAAA=="}
        answers = await it.send(json.dumps(document))
        assert [answer.code for answer in answers] == [ErrorCode.SESSION_NOT_FOUND]
        await it.neighbour_talks()

    async def status() -> told.SessionStatus:
        return await it.neighbour.ask(said.GetSessionStatus(session_id=call.session_id), told.SessionStatus)

    @_examples
    @given(
        names,
        st.integers(-20, len(call.session_id) - 1),
        st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789"),
        st.one_of(st.just(call.resume_secret), st.just(call.resume_secret[::-1]), st.just("x" * 43)),
    )
    def fuzz(name: str, place: int, other: str, secret: str) -> None:
        runner.run(attack(name, place, other, secret))

    fuzz()
    assert runner.run(status()).session_id == call.session_id


def test_headers_of_any_content_are_not_given_back(siege: tuple[_Siege, asyncio.Runner]) -> None:
    it, runner = siege
    names = ["Authorization", "Sec-WebSocket-Protocol", "Origin", "X-Forwarded-For", "Sec-WebSocket-Extensions", "Host"]
    values = st.binary(max_size=60).map(lambda value: value.replace(b"\n", b" ")) | st.sampled_from(
        [b"Bearer a\r\nX-Evil: 1", b"novadesk.v1, a\r\nSet-Cookie: b=c", b"null", b"x" * 20_000]
    )

    async def attack(name: str, value: bytes) -> None:
        mark = _MARK.encode()
        head, _ = await it.raw(_upgrade(f"{name}: ".encode() + mark + value + b"\r\n"))
        assert head.split()[1] in (b"101", b"400", b"403", b"426", b"431")
        assert mark not in head
        assert b"evil" not in head.lower()
        assert b"set-cookie" not in head.lower()
        await it.neighbour_talks()

    @_examples
    @example("Authorization", b"Bearer a\0")  # cited in the log by aiohttp, if one lets it
    @example("Sec-WebSocket-Protocol", b"a.b.c")
    @given(st.sampled_from(names), values)
    def fuzz(name: str, value: bytes) -> None:
        runner.run(attack(name, value))

    fuzz()


def test_bytes_that_are_no_websocket_end_their_own_connection(siege: tuple[_Siege, asyncio.Runner]) -> None:
    it, runner = siege
    token = it.host.token("eve").encode()
    upgrade = _upgrade(b"Authorization: Bearer " + token + b"\r\n")

    async def attack(frames: bytes) -> None:
        _, code = await it.raw(upgrade, frames + _INVALID_TEXT)
        assert code in _NO_WEBSOCKET
        await it.neighbour_talks()

    for frames in (
        b"",
        b"\x81\x05hello",  # nobody may send without a mask
        b"\xf1\x80\0\0\0\0",  # reserved bits
        b"\x80\x80\0\0\0\0",  # goes on with what was never begun
        b"\x83\x80\0\0\0\0",  # a kind that there is not
        b"\x89\xfe\x01\x00\0\0\0\0",  # a ping that is too long
        b"\x01\x80\0\0\0\0",  # a message that is not ended before the next one
    ):
        runner.run(attack(frames))


_INVALID_TEXT = b"\x81\x82\0\0\0\0\xff\xfe"
"""No UTF-8: whatever came before it, here it ends."""


def _upgrade(headers: bytes) -> bytes:
    lines = [b"GET /ws HTTP/1.1", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"]
    host = b"" if headers.startswith(b"Host:") else b"Host: localhost\r\n"
    key = b"Sec-WebSocket-Key: " + b"A" * 22 + b"=="
    return b"\r\n".join([*lines, key, b""]) + host + headers + b"\r\n"
