"""Who may open a voice stream, and how everyone else is turned down."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.scripted_partner import listen, running
from tests.support.wire_client import Keys, audio, audio_start, opening

MISMATCH = "The request signature we calculated does not match the signature you provided."


async def refused(rig, keys=None, **how):
    """Return status, error name and text of a request that is turned down."""
    async with rig.client() as client:
        stream = client.open(keys or rig.keys, **how)
        status = await stream.response()
        assert await stream.message() is None
        headers = stream.inbox.headers
        assert headers["content-type"] == "application/json"
        assert headers["x-amzn-requestid"]
        return status, headers["x-amzn-errortype"], json.loads(stream.inbox.body)["message"]


@pytest.mark.parametrize("model", ["amazon.nova-sonic-v1:0", "amazon.nova-2-sonic-v1:0", "amazon.nova-2-5-sonic"])
async def test_the_voice_models_are_served(tmp_path, model):
    async with running(tmp_path) as rig, rig.stream(model=model) as stream:
        assert await stream.response() == 200


@pytest.mark.parametrize(
    "how",
    [
        {"sign_as": ":authority"},
        {"query": "?"},
        {"model": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-sonic-v1:0"},
        {"ahead": timedelta(seconds=250)},
    ],
)
async def test_what_clients_do_differently_is_accepted(tmp_path, how):
    if "ahead" in how:  # of now, not of the moment at which pytest collected this
        how = {"date": datetime.now(UTC) + how["ahead"]}
    async with running(tmp_path, listen) as rig, rig.stream(**how) as stream:
        assert await stream.response() == 200
        await stream.send(*opening(), audio_start(), audio())
        assert (await stream.event())[0] == "completionStart"


async def test_a_session_token_is_accepted(tmp_path):
    async with running(tmp_path) as rig, rig.client() as client:
        keys = rig.keys
        keys.token = "a session token"
        assert await client.open(keys).response() == 200


async def test_strangers_are_refused(tmp_path):
    async with running(tmp_path) as rig:
        known = rig.keys
        cases = [
            (Keys(access_key_id="AKIASTRANGER", secret_access_key="x"), "UnrecognizedClientException", "The security"),
            (Keys(access_key_id=known.access_key_id, secret_access_key="x"), "InvalidSignatureException", MISMATCH),
            (
                Keys(
                    access_key_id=known.access_key_id,
                    secret_access_key=known.secret_access_key,
                    region="eu-west-1",
                ),
                "InvalidSignatureException",
                "Credential should be scoped to a valid region.",
            ),
        ]
        for keys, code, words in cases:
            status, name, said = await refused(rig, keys)
            assert (status, name) == (403, code)
            assert said.startswith(words)


async def test_a_clock_that_is_off_is_told(tmp_path):
    async with running(tmp_path) as rig:
        status, name, words = await refused(rig, date=datetime.now(UTC) - timedelta(minutes=6))
    assert (status, name) == (403, "InvalidSignatureException")
    assert words.startswith("Signature expired: ")


async def test_no_signature_at_all(tmp_path):
    async with running(tmp_path) as rig:
        answer = await refused(rig, tamper={"authorization": ""})
    assert answer == (403, "MissingAuthenticationTokenException", "Missing Authentication Token")


@pytest.mark.parametrize("model", ["amazon.nova-9-sonic", "us.amazon.nova-2-sonic-v1:0", "../x"])
async def test_an_unknown_model_is_refused(tmp_path, model):
    async with running(tmp_path) as rig:
        answer = await refused(rig, model=model)
    assert answer == (400, "ValidationException", "The provided model identifier is invalid.")


@pytest.mark.parametrize(
    ("how", "status"),
    [({"path": "/"}, 404), ({"path": "/model/amazon.nova-2-5-sonic/converse"}, 404), ({"method": "GET"}, 405)],
)
async def test_other_operations_are_not_there(tmp_path, how, status):
    async with running(tmp_path) as rig:
        assert (await refused(rig, **how))[0] == status


async def test_the_quota_of_streams(tmp_path):
    async with running(tmp_path, sessions=2) as rig, rig.client() as client:
        for _ in range(2):
            assert await client.open(rig.keys).response() == 200
        status, name, words = await refused(rig)
        assert (status, name) == (429, "ThrottlingException")
        assert words == "Too many requests, please wait before trying again."


async def test_a_broken_chain_ends_the_stream(tmp_path):
    async with running(tmp_path, listen) as rig, rig.stream() as stream:
        await stream.send(*opening(), audio_start())
        await stream.sign(b"{}")  # signed and never sent
        await stream.send(audio())
        kind, words = await stream.failure()
    assert kind == "validationException"
    assert words.startswith(MISMATCH)


async def test_a_tampered_event_ends_the_stream(tmp_path):
    from novadesk.server.eventstream import Message, decode, encode

    async with running(tmp_path, listen) as rig, rig.stream() as stream:
        message = decode(await stream.sign(b'{"event":{"sessionEnd":{}}}'))
        await stream.send_raw(encode(Message(headers=message.headers, payload=message.payload[:-1] + b"!")))
        kind, words = await stream.failure()
    assert kind == "validationException"
    assert words.startswith(MISMATCH)


async def test_a_replayed_event_ends_the_stream(tmp_path):
    async with running(tmp_path, listen) as rig, rig.stream() as stream:
        once = await stream.sign(json.dumps({"event": opening()[0]}).encode())
        await stream.send_raw(once + once)
        kind, words = await stream.failure()
    assert kind == "validationException"
    assert words.startswith(MISMATCH)


async def test_neither_keys_nor_signatures_are_logged(tmp_path, caplog):
    caplog.set_level("DEBUG", logger="novadesk")
    async with running(tmp_path) as rig:
        await refused(rig, Keys(access_key_id=rig.keys.access_key_id, secret_access_key="hunter2"))
        async with rig.stream() as stream:
            await stream.send(*opening(system="a secret prompt"))
            await stream.end()
            await stream.rest()
        written = caplog.text
        for word in (rig.keys.access_key_id, rig.keys.secret_access_key, "hunter2", "Signature=", "secret prompt"):
            assert word not in written
