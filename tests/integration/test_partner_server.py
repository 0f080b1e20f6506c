"""The practice partner behind the real wire: spoken audio in, Nova Sonic's events out, history replayed."""

import json
from pathlib import Path
from typing import Any

from novadesk.server.runner import LocalServer, ServerOptions
from tests.support.voices import Speaker, silence, speech
from tests.support.wire_client import Keys, WireClient, WireStream, audio, audio_start, closing, opening, text


async def exchange(stream: WireStream, sound: bytes) -> tuple[str, list[str], int]:
    """Speak; return what was understood, the spoken sentences and the bytes of speech of one answer."""
    frames = [sound[start : start + 1_024].ljust(1_024, b"\0") for start in range(0, len(sound), 1_024)]
    for frame in frames:
        await stream.send(audio(frame))
    heard, sentences, speech_chars = "", list[str](), 0
    blocks: dict[str, dict[str, Any]] = {}
    while True:
        event = await stream.event()
        assert event is not None
        name, body = event
        if name == "contentStart":
            blocks[body["contentId"]] = body
        elif name == "audioOutput":
            speech_chars += len(body["content"])
        elif name == "textOutput" and body["role"] == "USER":
            heard = body["content"]
        elif name == "textOutput":
            stage = json.loads(blocks[body["contentId"]]["additionalModelFields"])["generationStage"]
            sentences += [body["content"]] if stage == "FINAL" else []
        elif name == "contentEnd" and body["type"] == "TEXT" and body["stopReason"] == "END_TURN":
            return heard, sentences, speech_chars


async def test_what_was_said_is_remembered_across_wire_sessions(tmp_path: Path) -> None:
    server = LocalServer(ServerOptions(folder=tmp_path))
    address = await server.start()
    keys = Keys(access_key_id=address.access_key_id, secret_access_key=address.secret_access_key)
    try:
        async with await WireClient().connect(address.bedrock) as client:
            stream = client.open(keys)
            await stream.send(*opening(), audio_start())
            heard, sentences, speech_chars = await exchange(
                stream, silence(300) + speech(Speaker.SLT, "what is three plus four") + silence(800)
            )
            assert sentences == ["Three plus four is seven."]
            assert speech_chars > 24_000
            await stream.send(*closing())
            await stream.end()
            await stream.rest()

            stream = client.open(keys)
            await stream.send(*opening())
            await stream.send(*text("p", "h1", heard, role="USER", interactive=False))
            await stream.send(*text("p", "h2", sentences[0], role="ASSISTANT", interactive=False), audio_start())
            _, sentences, _ = await exchange(
                stream, silence(300) + speech(Speaker.SLT, "what did we talk about") + silence(800)
            )
            assert sentences[0] == "We talked about sums."
            assert f"“{heard}”" in sentences[1]
            await stream.send(*closing())
            await stream.end()
            await stream.rest()
    finally:
        await server.stop()
