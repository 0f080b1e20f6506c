import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from novadesk.server.eventstream import Message, Timestamp, decode
from novadesk.server.refusal import Refusal
from novadesk.server.signature import AccessKey, EventChain, SignedRequest, verify_request
from tests.support.wire_client import Keys, WireStream

KEY = AccessKey(access_key_id="AKIAEXAMPLE", secret_access_key="correct horse")
OTHER = AccessKey(
    access_key_id="ASIAEXAMPLE",
    secret_access_key="battery staple",
    session_token="token/+=",
    expires_at=datetime(2100, 1, 1, tzinfo=UTC),
)
KNOWN = {key.access_key_id: key for key in (KEY, OTHER)}
URL = "http://127.0.0.1:4000/sessions/arn%3Aaws%3Abedrock/invocationSteps/?nextToken=a%2Fb%3D&maxResults=7&z"


def sign(
    key_id=KEY.access_key_id,
    secret=KEY.secret_access_key,
    *,
    url=URL,
    body=b"{}",
    region="us-east-1",
    service="bedrock",
    token=None,
    headers=None,
):
    request = AWSRequest(
        method="PUT",
        url=url,
        data=body,
        headers={"content-type": "application/json", "x-two": "a   b ", **(headers or {})},
    )
    SigV4Auth(Credentials(key_id, secret, token), service, region).add_auth(request)
    pairs = [(name.lower(), value) for name, value in request.headers.items()]
    return SignedRequest(
        method="PUT",
        target="/" + url.split("/", 3)[3],
        headers=(*pairs, ("host", url.split("/")[2])),
        payload_sha256=hashlib.sha256(body).hexdigest(),
    )


def with_header(request, name, value):
    rest = tuple(pair for pair in request.headers if pair[0] != name)
    return replace(request, headers=rest if value is None else (*rest, (name, value)))


def authorization(request):
    return dict(request.headers)["authorization"]


def check(request, now=None, region="us-east-1"):
    return verify_request(request, keys=KNOWN, now=now or datetime.now(UTC), region=region)


def refusal(request, **more):
    with pytest.raises(Refusal) as caught:
        check(request, **more)
    return caught.value


def test_a_request_signed_by_botocore_fits():
    verified = check(sign())
    assert verified.key is KEY
    assert (verified.region, verified.service) == ("us-east-1", "bedrock")
    assert KEY.secret_access_key not in repr(verified)
    assert KEY.secret_access_key not in repr(KEY)


def test_a_session_token_fits_with_any_key_that_has_none_of_its_own():
    assert check(sign(token="whatever")).key is KEY


def test_a_temporary_key_needs_its_token():
    good = sign(OTHER.access_key_id, OTHER.secret_access_key, token=OTHER.session_token)
    assert check(good).key is OTHER
    for token in (None, "another"):
        refused = refusal(sign(OTHER.access_key_id, OTHER.secret_access_key, token=token))
        assert (refused.status, refused.code) == (403, "UnrecognizedClientException")


def test_an_expired_key_is_refused():
    request = sign(OTHER.access_key_id, OTHER.secret_access_key, token=OTHER.session_token)
    refused = refusal(request, now=datetime(2100, 1, 1, tzinfo=UTC))
    assert (refused.status, refused.code) == (403, "ExpiredTokenException")


def test_an_unknown_key_is_refused_in_the_services_words():
    refused = refusal(sign("AKIASTRANGER", "x"))
    assert (refused.status, refused.code) == (403, "UnrecognizedClientException")
    assert refused.message == "The security token included in the request is invalid."


def test_a_wrong_secret_is_refused_in_the_services_words():
    refused = refusal(sign(secret="wrong"))
    assert (refused.status, refused.code) == (403, "InvalidSignatureException")
    assert refused.message.startswith("The request signature we calculated does not match the signature you provided.")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (sign(region="eu-north-1"), "Credential should be scoped to a valid region."),
        (sign(service="s3"), "Credential should be scoped to correct service: 'bedrock'."),
    ],
)
def test_a_wrong_scope_is_refused(request_, text):
    refused = refusal(request_)
    assert (refused.status, refused.code, refused.message) == (403, "InvalidSignatureException", text)


@pytest.mark.parametrize(
    "change",
    [
        lambda request: replace(request, method="POST"),
        lambda request: replace(request, target=request.target + "x"),
        lambda request: replace(request, target=request.target.replace("%3A", ":")),
        lambda request: replace(request, payload_sha256=hashlib.sha256(b"other").hexdigest()),
        lambda request: with_header(request, "x-two", "c"),
        lambda request: with_header(request, "x-two", None),
        lambda request: with_header(request, "host", "elsewhere"),
    ],
)
def test_whatever_was_signed_cannot_be_changed(change):
    refused = refusal(change(sign()))
    assert (refused.status, refused.code) == (403, "InvalidSignatureException")


def test_an_empty_query_and_blanks_in_headers_change_nothing():
    request = sign(url="http://127.0.0.1:4000/a")
    check(replace(request, target="/a?"))
    check(with_header(request, "x-two", " a b"))


def test_the_clock_may_differ_by_five_minutes():
    request = sign()
    now = datetime.now(UTC)
    check(request, now=now + timedelta(seconds=290))
    check(request, now=now - timedelta(seconds=290))
    late, early = (refusal(request, now=now + timedelta(seconds=s)).message for s in (310, -310))
    assert late.startswith("Signature expired: ")
    assert late.endswith(" - 5 min.)")
    assert early.startswith("Signature not yet current: ")
    assert early.endswith(" + 5 min.)")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("authorization", None, "MissingAuthenticationTokenException"),
        ("authorization", "Basic abc", "IncompleteSignatureException"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=a/b, Signature=c", "IncompleteSignatureException"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c",
            "IncompleteSignatureException",
        ),
        ("x-amz-date", None, "IncompleteSignatureException"),
        ("x-amz-date", "yesterday", "IncompleteSignatureException"),
        ("x-amz-security-token", "unsigned", "InvalidSignatureException"),
    ],
)
def test_what_is_missing_or_malformed_is_refused(name, value, code):
    refused = refusal(with_header(sign(), name, value))
    assert (refused.status, refused.code) == (403, code)


def test_the_host_must_be_signed():
    request = sign()
    bare = authorization(request).replace(";host;", ";")
    assert "must be a 'SignedHeader'" in refusal(with_header(request, "authorization", bare)).message


def test_the_day_of_the_scope_must_be_that_of_the_date():
    request = sign()
    today = dict(request.headers)["x-amz-date"][:8]
    changed = authorization(request).replace(f"/{today}/", "/20200101/")
    assert refusal(with_header(request, "authorization", changed)).message.startswith("Date in Credential scope")


_SEGMENTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: text not in (".", "..")
)
_WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


@given(
    st.lists(_SEGMENTS, max_size=4),
    st.lists(st.tuples(_SEGMENTS, _SEGMENTS), max_size=4),
    _WORDS,
    st.binary(max_size=50),
)
def test_whatever_botocore_signs_fits(segments, query, header, body):
    path = "/".join(quote(segment, safe="") for segment in segments)
    pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    url = f"http://127.0.0.1:4000/{path}" + (f"?{pairs}" if pairs else "")
    check(sign(url=url, body=body, headers={"x-word": header}))


# --- the chain of events -----------------------------------------------------------------------


def chain_and_signer():
    verified = check(sign())
    keys = Keys(access_key_id=KEY.access_key_id, secret_access_key=KEY.secret_access_key)
    return EventChain(verified), WireStream(None, 1, keys, verified.signature)


async def test_a_chain_signed_by_the_sdk_fits_to_its_end():
    chain, signer = chain_and_signer()
    for number in range(3):
        inner = decode(chain.verify(decode(await signer.sign(b"{%d}" % number)), datetime.now(UTC)))
        assert inner.headers[":event-type"] == "chunk"
    assert chain.verify(decode(await signer.sign_end()), datetime.now(UTC)) == b""


async def test_a_left_out_event_breaks_the_chain():
    chain, signer = chain_and_signer()
    await signer.sign(b"{}")
    with pytest.raises(Refusal) as caught:
        chain.verify(decode(await signer.sign(b"{}")), datetime.now(UTC))
    assert caught.value.exception_type == "validationException"
    assert caught.value.message.startswith("The request signature we calculated does not match")


@pytest.mark.parametrize("part", ["payload", "date", "signature"])
async def test_a_tampered_event_is_refused(part):
    chain, signer = chain_and_signer()
    message = decode(await signer.sign(b"{}"))
    headers, payload = dict(message.headers), message.payload
    if part == "payload":
        payload = payload[:-1] + b"x"
    elif part == "date":
        headers[":date"] = Timestamp(headers[":date"].unix_ms + 1000)
    else:
        headers[":chunk-signature"] = bytes(32)
    with pytest.raises(Refusal):
        chain.verify(Message(headers=headers, payload=payload), datetime.now(UTC))


async def test_an_unsigned_event_is_refused():
    chain, _ = chain_and_signer()
    with pytest.raises(Refusal) as caught:
        chain.verify(Message(payload=b"x"), datetime.now(UTC))
    assert caught.value.exception_type == "validationException"


@pytest.mark.parametrize("unix_ms", [0, 2**62, -(2**62)])
async def test_an_event_far_off_in_time_is_refused(unix_ms):
    chain, _ = chain_and_signer()
    message = Message(headers={":date": Timestamp(unix_ms), ":chunk-signature": bytes(32)}, payload=b"")
    with pytest.raises(Refusal) as caught:
        chain.verify(message, datetime.now(UTC))
    assert caught.value.exception_type == "validationException"
