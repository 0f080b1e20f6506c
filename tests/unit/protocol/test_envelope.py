"""Every message of the gateway survives the wire; nothing that arrives raises."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from novadesk.config import SensitivitySetting
from novadesk.errors import BugError
from novadesk.models import Role
from novadesk.protocol import envelope_client as client
from novadesk.protocol import envelope_server as server
from novadesk.protocol.envelope import (
    ALIASES,
    CLIENT_TYPES,
    SERVER_TYPES,
    AudioFrame,
    ClientMessage,
    Malformed,
    ServerMessage,
    decode_client,
    decode_server,
    encode,
    pack_audio,
    unpack_audio,
)
from novadesk.protocol.envelope_kinds import U32, Shape
from novadesk.protocol.envelope_values import (
    MAX_FRAME_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PCM_BYTES,
    AudioForm,
    CallStatus,
    Configuration,
    ContentKind,
    ErrorCode,
    Line,
    Party,
    Played,
    QualityTier,
    Services,
    TextStage,
    Tokens,
)
from novadesk.protocol.events import StopReason
from novadesk.scenario import SpeakingPace
from tests.unit.protocol.envelope_values import CLIENT_DOCUMENTS, SERVER_DOCUMENTS
from tests.unit.protocol.wire_values import JSON_VALUES

ROOT = Path(__file__).parents[3]
RULES_OF_NO_SCHEMA = r"jobTitle and company|nothing, unless|container|16-bit"
CONTAINERS = (b"RIFF", b"\x1a\x45\xdf\xa3", b"OggS")


def said(**body: Any) -> ClientMessage | Malformed:
    return decode_client(json.dumps(body))


def heard(**body: Any) -> ServerMessage | Malformed:
    return decode_server(json.dumps(body))


def refused(message: object) -> ErrorCode:
    assert isinstance(message, Malformed), message
    return message.code


# --- round trips -------------------------------------------------------------------------------


@given(CLIENT_DOCUMENTS)
def test_what_the_description_allows_of_a_client_is_read_and_survives(document: dict[str, Any]) -> None:
    message = decode_client(json.dumps(document))
    if isinstance(message, Malformed):
        assert re.search(RULES_OF_NO_SCHEMA, message.message), message
        return
    assert decode_client(encode(message)) == message


@given(SERVER_DOCUMENTS)
def test_what_the_description_allows_of_the_gateway_is_read_and_survives(document: dict[str, Any]) -> None:
    message = decode_server(json.dumps(document))
    if isinstance(message, Malformed):
        assert re.search(RULES_OF_NO_SCHEMA, message.message), message
        return
    assert decode_server(encode(message)) == message


@given(st.integers(0, U32), st.binary(min_size=1, max_size=200).map(lambda data: data * 2))
def test_sound_survives(sequence: int, pcm: bytes) -> None:
    assume(not pcm.startswith(CONTAINERS))
    assert unpack_audio(pack_audio(sequence, pcm)) == AudioFrame(sequence, pcm)


JOB = {"jobTitle": "Nurse", "company": "St Mary's", "jobDescription": "Nights."}
CLIENT_TABLE: list[tuple[dict[str, Any], ClientMessage]] = [
    ({"type": "createSession"}, client.CreateSession()),
    (
        {"type": "createSession", "requestId": "r", "language": "de", "qualityTier": "premium", "audio": "json",
         "history": [{"role": "user", "text": "Hi"}], "title": "T", "configuration": {"voice": "tiffany"}},
        client.CreateSession(request_id="r", language="de", quality_tier=QualityTier.PREMIUM, audio=AudioForm.JSON,
                             history=(Line(role=Role.USER, text="Hi"),), title="T",
                             configuration=Configuration(voice="tiffany")),
    ),
    ({"action": "createSession", "sourceLanguage": "en", "qualityTier": "standard", "partialResults": True},
     client.CreateSession(language="en")),
    ({"type": "createSession", "scenario": {"prompt": "P", "title": "T", "language": "fr"}},
     client.CreateSession(configuration=Configuration(prompt="P", title="T", language="fr"))),
    ({"type": "resumeSession", "sessionId": "s", "resumeSecret": "x", "lastSequence": 7},
     client.ResumeSession(session_id="s", resume_secret="x", last_sequence=7)),
    ({"type": "history", "lines": [{"role": "assistant", "text": "Hm."}]},
     client.History(lines=(Line(role=Role.ASSISTANT, text="Hm."),))),
    ({"type": "configure", "revision": 2, "configuration": {"prompt": "P", "pace": "slow", "sensitivity": "low"}},
     client.Configure(revision=2, configuration=Configuration(
         prompt="P", pace=SpeakingPace.SLOW, sensitivity=SensitivitySetting.LOW))),
    ({"type": "configure", "revision": 3, "voice": "amy", "title": "T", "language": "fr"},
     client.Configure(revision=3, configuration=Configuration(voice="amy", title="T", language="fr"))),
    ({"type": "job.configuration", "voice": "ash", **JOB},
     client.Configure(configuration=Configuration(
         voice="ash", job_title="Nurse", company="St Mary's", job_description="Nights."))),
    ({"type": "audio", "sequence": 1, "audioData": "AAA="}, client.Audio(sequence=1, audio_data=b"\0\0")),
    ({"action": "sendAudio", "audioData": "AAA=", "timestamp": 1, "chunkId": "chunk-1", "duration": 1},
     client.Audio(audio_data=b"\0\0")),
    ({"type": "audio", "audioData": "", "isEndOfUtterance": True}, client.Audio(audio_data=b"", end=True)),
    ({"type": "audioEnd"}, client.AudioEnd()),
    ({"type": "text", "requestId": "r", "text": "Hi"}, client.TextInput(text="Hi", request_id="r")),
    (
        {"type": "ack", "sequence": 9, "played": {"contentId": "a", "samples": 240.0}},
        client.Ack(sequence=9, played=Played(content_id="a", samples=240)),
    ),
    ({"type": "stop"}, client.Stop()),
    ({"type": "pause"}, client.Pause()),
    ({"type": "resume"}, client.Resume()),
    ({"action": "pauseBroadcast"}, client.Pause()),
    ({"action": "resumeBroadcast"}, client.Resume()),
    ({"type": "startListening"}, client.StartListening()),
    ({"type": "stopListening"}, client.StopListening()),
    ({"type": "refreshToken", "token": "t"}, client.RefreshToken(token="t")),
    ({"action": "refreshConnection", "token": "t"}, client.RefreshToken(token="t")),
    ({"type": "getSessionStatus"}, client.GetSessionStatus()),
    ({"action": "heartbeat", "timestamp": 1_753_615_601_372}, client.Heartbeat(timestamp=1_753_615_601_372)),
    ({"type": "endSession", "sessionId": "s", "reason": "done"}, client.EndSession(session_id="s", reason="done")),
    ({"type": "resetSessions"}, client.ResetSessions()),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), CLIENT_TABLE)
def test_a_client_says(document: dict[str, Any], message: ClientMessage) -> None:
    assert decode_client(json.dumps(document)) == message
    assert decode_client(encode(message)) == message


SERVER_TABLE: list[tuple[dict[str, Any], ServerMessage]] = [
    (
        {"type": "sessionCreated", "requestId": "r", "sessionId": "s", "resumeSecret": "x", "generation": 1,
         "language": "en", "qualityTier": "standard", "revision": 0, "createdAt": 5, "expiresAt": 9, "heartbeatS": 15},
        server.SessionCreated(request_id="r", session_id="s", resume_secret="x", language="en", created_at=5,
                              expires_at=9, heartbeat_s=15),
    ),
    ({"type": "sessionResumed", "sessionId": "s", "generation": 2, "historyLength": 3, "revision": 0, "lastAudio": 4,
      "expiresAt": 9, "heartbeatS": 15},
     server.SessionResumed(session_id="s", generation=2, history_length=3, last_audio=4, expires_at=9, heartbeat_s=15)),
    ({"type": "configured", "revision": 1, "configuration": {"voice": "amy"}, "inForce": False},
     server.Configured(revision=1, configuration=Configuration(voice="amy"), in_force=False)),
    ({"type": "content_start", "sequence": 1, "contentId": "c", "kind": "text", "role": "assistant",
      "stage": "speculative"},
     server.ContentStart(sequence=1, content_id="c", kind=ContentKind.TEXT, role=Party.ASSISTANT,
                         stage=TextStage.SPECULATIVE)),
    ({"type": "transcript", "sequence": 2, "contentId": "c", "role": "user", "text": "Grüß dich", "stage": "final"},
     server.Transcript(sequence=2, content_id="c", role=Role.USER, text="Grüß dich")),
    ({"type": "audio_response", "sequence": 3, "contentId": "c", "audioData": "AAA=", "format": "pcm",
      "sampleRate": 24000, "channels": 1},
     server.AudioResponse(sequence=3, content_id="c", audio_data=b"\0\0")),
    ({"type": "content_end", "sequence": 4, "contentId": "c", "kind": "audio", "stopReason": "INTERRUPTED"},
     server.ContentEnd(sequence=4, content_id="c", kind=ContentKind.AUDIO, stop_reason=StopReason.INTERRUPTED)),
    ({"type": "usage", "sequence": 5, "delta": {"speechIn": 1, "textIn": 0, "speechOut": 0, "textOut": 0},
      "total": {"speechIn": 1, "textIn": 2, "speechOut": 3, "textOut": 4}},
     server.Usage(sequence=5, delta=Tokens(speech_in=1),
                  total=Tokens(speech_in=1, text_in=2, speech_out=3, text_out=4))),
    ({"type": "call.status_changed", "sequence": 6, "status": "ended", "reason": "user_ended"},
     server.CallStatusChanged(sequence=6, status=CallStatus.ENDED, reason="user_ended")),
    ({"type": "error", "code": "SESSION_LIMIT", "layer": "gateway", "message": "Full.", "advice": "Wait.",
      "retryAfterS": 4, "fatal": False},
     server.Error(code=ErrorCode.SESSION_LIMIT, layer="gateway", message="Full.", advice="Wait.", retry_after_s=4)),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), SERVER_TABLE)
def test_the_gateway_says(document: dict[str, Any], message: ServerMessage) -> None:
    assert decode_server(json.dumps(document)) == message
    assert json.loads(encode(message)) == document


# --- what cannot be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", ErrorCode.INVALID_MESSAGE),
        ("null", ErrorCode.INVALID_MESSAGE),
        ("[]", ErrorCode.INVALID_MESSAGE),
        ('"stop"', ErrorCode.INVALID_MESSAGE),
        ('{"type":"stop"', ErrorCode.INVALID_MESSAGE),
        ('{"type":"stop","n":NaN}', ErrorCode.INVALID_MESSAGE),
        ('{"type":"stop","n":' + "9" * 5_000 + "}", ErrorCode.INVALID_MESSAGE),
        ('{"type":"stop","n":' + "[" * 60_000, ErrorCode.INVALID_MESSAGE),
        ('{"type":"stop","n":' + '{"a":' * 20_000, ErrorCode.INVALID_MESSAGE),
        ("{}", ErrorCode.INVALID_MESSAGE),
        ('{"type":7}', ErrorCode.INVALID_MESSAGE),
        ('{"type":["stop"]}', ErrorCode.INVALID_MESSAGE),
        ('{"type":"Stop"}', ErrorCode.INVALID_ACTION),
        ('{"type":"sessionCreated"}', ErrorCode.INVALID_ACTION),
        ('{"type":"nothing","action":"stop"}', ErrorCode.INVALID_ACTION),
        ('{"type":"text","text":"' + "x" * MAX_MESSAGE_BYTES + '"}', ErrorCode.MESSAGE_TOO_LARGE),
        ('{"type":"text","text":"' + "ü" * (MAX_MESSAGE_BYTES // 2) + '"}', ErrorCode.MESSAGE_TOO_LARGE),
    ],
)
def test_no_message(text: str, code: ErrorCode) -> None:
    assert refused(decode_client(text)) is code


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"type": "ack"}, "sequence must be there."),
        ({"type": "ack", "sequence": None}, "sequence must be there."),
        ({"type": "ack", "sequence": -1}, "sequence must be a whole number from 0 to 4294967295."),
        ({"type": "ack", "sequence": U32 + 1}, "sequence must be a whole number from 0 to 4294967295."),
        ({"type": "ack", "sequence": 10**300}, "sequence must be a whole number from 0 to 4294967295."),
        ({"type": "ack", "sequence": 1.5}, "sequence must be a whole number from 0 to 4294967295."),
        ({"type": "ack", "sequence": True}, "sequence must be a whole number from 0 to 4294967295."),
        ({"type": "ack", "sequence": "1"}, "sequence must be a whole number from 0 to 4294967295."),
        ({"type": "resumeSession", "sessionId": "s"}, "resumeSecret must be there."),
        ({"type": "resumeSession", "sessionId": {}, "resumeSecret": "x"},
         "sessionId must be text of 1 to 128 characters."),
        ({"type": "createSession", "qualityTier": "gold"}, "qualityTier must be one of standard, premium."),
        ({"type": "createSession", "history": {}}, "history must be a list of at most 2000."),
        ({"type": "createSession", "history": [{"role": "system", "text": "x"}]},
         "history.role must be one of user, assistant."),
        ({"type": "audio", "audioData": ""},
         "The message must be one with sound in audioData, unless it is the end of what is said."),
        ({"type": "audio", "audioData": "AA=="},
         "The message must be one whose audioData is a whole number of 16-bit samples."),
        ({"type": "text", "text": ""}, "text must be text of 1 to 40960 characters."),
        ({"type": "audio", "audioData": "A"}, "audioData must be base64 of at most 32764 bytes."),
        ({"type": "audio", "audioData": "ÄÄÄÄ"}, "audioData must be base64 of at most 32764 bytes."),
        ({"type": "audio", "audioData": "A" * 44_000}, "audioData must be base64 of at most 32764 bytes."),
        ({"type": "audio", "audioData": "AAA=", "format": "webm"}, "format must be pcm."),
        ({"type": "audio", "audioData": "AAA=", "sampleRate": 48_000},
         "sampleRate must be 16000."),
        ({"type": "audio", "audioData": "UklGRiQAAABXQVZF"},
         "The message must be one whose audioData is bare samples, without a container."),
        ({"type": "audio", "audioData": "GkXfo6Ogo6A="},
         "The message must be one whose audioData is bare samples, without a container."),
        ({"type": "refreshToken", "token": 7}, "token must be text of 1 to 16384 characters."),
        ({"type": "heartbeat", "timestamp": -1}, "timestamp must be a whole number from 0 to 253402300799999."),
    ],
)  # fmt: skip
def test_no_such_parameters(body: dict[str, Any], wanted: str) -> None:
    message = said(**body)
    assert refused(message) is ErrorCode.INVALID_PARAMETERS
    assert isinstance(message, Malformed)
    assert message.message == wanted


@pytest.mark.parametrize(
    ("configuration", "wanted"),
    [
        ([], "configuration must be an object."),
        ({"jobTitle": "N", "company": "Ward"}, "configuration.jobTitle must be text of 2 to 100 characters."),
        ({"jobTitle": "N" * 101, "company": "W"}, "configuration.jobTitle must be text of 2 to 100 characters."),
        ({"jobTitle": "Nurse", "company": "W"}, "configuration.company must be text of 2 to 100 characters."),
        ({**JOB, "jobDescription": "x" * 5_001}, "configuration.jobDescription must be text of 0 to 5000 characters."),
        ({"jobTitle": "Nurse"}, "configuration must be complete: a job has both jobTitle and company."),
        ({"jobDescription": "Nights."}, "configuration must be complete: a job has both jobTitle and company."),
        ({"voice": 7}, "configuration.voice must be text of 0 to 200 characters."),
        ({"pace": "medium"}, "configuration.pace must be one of slow, brisk."),
        ({"sensitivity": "none"}, "configuration.sensitivity must be one of high, medium, low."),
        ({"temperature": 1.01}, "configuration.temperature must be a number from 0 to 1."),
        ({"maxTokens": 0}, "configuration.maxTokens must be a whole number from 1 to 65536."),
        ({"tools": "yes"}, "configuration.tools must be true or false."),
        ({"prompt": "x" * 40_001}, "configuration.prompt must be text of 0 to 40000 characters."),
    ],
)
def test_no_such_configuration(configuration: Any, wanted: str) -> None:
    for body in (
        {"type": "configure", "revision": 1, "configuration": configuration},
        {"type": "job.configuration", "configuration": configuration},
        {"type": "createSession", "configuration": configuration},
    ):
        message = said(**body)
        assert refused(message) is ErrorCode.INVALID_CONFIGURATION
        assert isinstance(message, Malformed)
        assert message.message == wanted


@pytest.mark.parametrize("length", [0, 1, 5_000])
def test_a_job_takes_descriptions_of_this_length(length: int) -> None:
    body = {"jobTitle": "ab", "company": "c" * 100, "jobDescription": "x" * length}
    message = said(type="job.configuration", **body)
    assert isinstance(message, client.Configure)
    assert len(message.configuration.job_description or "") == length


def test_a_number_that_is_infinite_by_its_size_is_refused() -> None:
    text = '{"type":"createSession","configuration":{"temperature":1e999}}'
    assert refused(decode_client(text)) is ErrorCode.INVALID_CONFIGURATION
    assert refused(decode_client('{"type":"ack","sequence":1e999}')) is ErrorCode.INVALID_PARAMETERS


def test_what_cannot_be_read_tells_which_request_it_was() -> None:
    assert said(type="text", requestId="r-1", text=7) == Malformed(
        code=ErrorCode.INVALID_PARAMETERS, message="text must be text of 1 to 40960 characters.", request_id="r-1"
    )
    for odd in (7, "", "x" * 129, "ü\ud800"):
        message = said(type="none", requestId=odd)
        assert isinstance(message, Malformed)
        assert message.request_id is None


def test_halves_of_surrogate_pairs_are_replaced_both_ways() -> None:
    assert said(type="text", text="a\ud800b") == client.TextInput(text="a�b")
    assert "�" in encode(client.TextInput(text="\udfff"))


@given(st.text())
@example("\ud800" * 40)
@example('{"type": "stop"}\0')
def test_no_text_raises(text: str) -> None:
    decode_client(text)
    decode_server(text)


@given(st.sampled_from(sorted({*CLIENT_TYPES, *SERVER_TYPES, *ALIASES})), st.data())
def test_no_field_of_any_kind_raises(name: str, data: st.DataObject) -> None:
    kinds = {**SERVER_TYPES, **CLIENT_TYPES}
    known = _names_of(kinds[ALIASES.get(name, name)])
    body = data.draw(st.dictionaries(st.sampled_from([*known, "configuration", "x"]), JSON_VALUES, max_size=6))
    for read in (decode_client, decode_server):
        message = read(json.dumps({**body, "type": name}))
        if not isinstance(message, Malformed):
            assert read(encode(message)) == message


@given(st.binary(max_size=40))
def test_no_frame_raises(frame: bytes) -> None:
    found = unpack_audio(frame)
    if isinstance(found, AudioFrame):
        assert pack_audio(found.sequence, found.pcm) == frame
    else:
        assert len(frame) <= 4 or len(frame) % 2 or frame[4:].startswith(CONTAINERS)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", ErrorCode.INVALID_PARAMETERS),
        (b"\0\0\0", ErrorCode.INVALID_PARAMETERS),
        (b"\0\0\0\1", ErrorCode.INVALID_PARAMETERS),
        (b"\0\0\0\1\0", ErrorCode.INVALID_PARAMETERS),
        (b"\0\0\0\1RIFF", ErrorCode.INVALID_PARAMETERS),
        (b"\0" * (MAX_FRAME_BYTES + 2), ErrorCode.MESSAGE_TOO_LARGE),
    ],
)
def test_no_sound(frame: bytes, code: ErrorCode) -> None:
    assert refused(unpack_audio(frame)) is code


@pytest.mark.parametrize(
    ("sequence", "pcm"), [(-1, b"\0\0"), (U32 + 1, b"\0\0"), (1, b""), (1, b"\0"), (1, b"\0" * (MAX_PCM_BYTES + 2))]
)
def test_sound_that_does_not_fit_is_our_fault(sequence: int, pcm: bytes) -> None:
    with pytest.raises(BugError):
        pack_audio(sequence, pcm)


def test_a_message_that_is_too_large_is_our_fault() -> None:
    with pytest.raises(BugError):
        encode(client.CreateSession(history=tuple(Line(role=Role.USER, text="ü" * 30_000) for _ in range(3))))


# --- the table ---------------------------------------------------------------------------------


def test_every_message_has_a_type_and_every_type_a_message() -> None:
    assert set(CLIENT_TYPES.values()) == set(get_args(ClientMessage.__value__))
    sequenced = set(get_args(server.Sequenced.__value__))
    alone = {kind for kind in get_args(ServerMessage.__value__) if isinstance(kind, type)}
    assert set(SERVER_TYPES.values()) == alone | sequenced
    assert set(ALIASES.values()) <= set(CLIENT_TYPES)
    assert not set(ALIASES) & set(CLIENT_TYPES)


def test_what_is_counted_has_a_number_to_be_set() -> None:
    for kind in get_args(server.Sequenced.__value__):
        assert "sequence" in _names_of(kind)


@pytest.mark.parametrize(
    "message",
    [
        client.ResumeSession(session_id="s", resume_secret="hidden"),
        client.RefreshToken(token="hidden"),
        client.TextInput(text="hidden"),
        server.SessionCreated(session_id="s", resume_secret="hidden", created_at=1, expires_at=2, heartbeat_s=3),
        server.Transcript(content_id="c", role=Role.USER, text="hidden"),
        server.Turn(turn_id="t", role=Role.USER, text="hidden", at=1),
    ],
)
def test_secrets_and_what_was_said_are_not_shown(message: object) -> None:
    assert "hidden" not in repr(message)


def test_the_page_names_every_message_with_its_fields() -> None:
    rows = {
        name: line
        for line in (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }
    for table in (CLIENT_TYPES, SERVER_TYPES):
        for name, kind in table.items():
            assert name in rows, name
            missing = [part for part in _names_of(kind) if part != "sequence" and f"`{part}" not in rows[name]]
            assert not missing, f"{name}: {missing}"
    assert set(ALIASES) <= set(re.findall(r"`([^`]+)`", "\n".join(rows.values())))


def test_the_page_names_every_error() -> None:
    page = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
    assert all(f"`{code.value}`" in page for code in ErrorCode)


def test_services_rest_unless_told_otherwise() -> None:
    assert heard(type="pipelineState", state="idle") == server.PipelineState(
        state=server.Pipeline.IDLE, services=Services()
    )


def _names_of(kind: type[Any]) -> list[str]:
    return list(Shape(kind).schema()["properties"])
