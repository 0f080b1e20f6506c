"""Voice services that say at once what they hear, and the least that a WebSocket server can do: a measure for both."""

import base64

from aiohttp import WSMsgType, web

from novadesk.models import BackendKind
from novadesk.protocol.codec import encode
from novadesk.protocol.events import AudioOutput, ContentType, WireRole
from novadesk.protocol.link import Arrived
from novadesk.server.call import Call, Heard, HungUp, Typed
from tests.support.memory_service import MemoryLink

MARK = b"ECHO"
"""What a microphone frame begins with that is to be said back."""

_LONGER = bytes(512)  # 32 ms at 16 kHz are said as 32 ms at 24 kHz
_ANSWER = b"\x10\x01" * 12_000
_AUDIO_IN = b'{"event":{"audioInput"'
_CONTENT = b'"content":"'


def answer_to(text: str) -> str:
    """Return what a text is answered with."""
    return f"You said {text}"


class EchoPartner:
    """Says marked frames back, and answers each typed text with half a second of speech; fits `server.call.Partner`."""

    async def converse(self, call: Call) -> None:
        """Hold one call until it is over."""
        while True:
            match await call.receive():
                case HungUp():
                    return
                case Heard(pcm) if pcm.startswith(MARK):
                    await call.speak(pcm + _LONGER)
                case Typed(text):
                    await call.plan(answer_to(text))
                    await call.speak(_ANSWER)
                    await call.speech_ended(last=True)
                    await call.spoken(answer_to(text), last=True)
                case _:
                    pass


class EchoLink(MemoryLink):
    """The same service in the gateway's own process, with next to no work of its own for a frame."""

    def __init__(self) -> None:
        super().__init__(None, mute=False, stuck=False)
        self._echo: tuple[bytes, bytes] | None = None  # what of its JSON stands before the sound and behind it

    async def send(self, payload: bytes) -> None:
        """Take an event of the client and answer it."""
        if not payload.startswith(_AUDIO_IN):
            answered = len(self.typed())
            await super().send(payload)
            for text in self.typed()[answered:]:
                self.answer(answer_to(text), len(_ANSWER) // 2)
            return
        pcm = base64.b64decode(payload[payload.index(_CONTENT) + len(_CONTENT) : payload.rindex(b'"')])
        if pcm.startswith(MARK):
            before, behind = self._echo or self._begin_echo()
            self._messages.put_nowait(Arrived(before + base64.b64encode(pcm + _LONGER) + behind))

    def _begin_echo(self) -> tuple[bytes, bytes]:
        self._start("echo", ContentType.AUDIO, WireRole.ASSISTANT, None)
        empty = encode(AudioOutput(**self._ids, content_id="echo", pcm=b""))
        before, content, behind = empty.rpartition(_CONTENT)
        self._echo = before + content, behind
        return self._echo


class EchoLinker:
    """Makes such links; fits `conversation.ports.Linker`."""

    kind = BackendKind.PRACTICE

    async def link(self) -> EchoLink:
        """See `Linker`."""
        return EchoLink()


def bare_echo() -> web.Application:
    """Return a WebSocket server that sends back what it gets, and does nothing else."""

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket

    application = web.Application()
    application.router.add_get("/ws", handle)
    return application
