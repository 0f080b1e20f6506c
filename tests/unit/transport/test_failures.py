import asyncio
import json

import pytest

from novadesk.conversation.supervisor import Verdict, judge
from novadesk.errors import KnownError, Reason
from novadesk.transport.failures import RULES, ServiceRefused, read_refusal, translate
from novadesk.transport.http2 import Fault
from novadesk.transport.sdk import SmithyError

SERVICE = [
    ("ValidationException", "Model has timed out in processing the request", Reason.SESSION_LIMIT),
    ("ModelTimeoutException", "Model has timed out in processing the request. Try again.", Reason.SESSION_LIMIT),
    ("ValidationException", "Timed out waiting for input events", Reason.INPUT_SILENCE),
    ("ValidationException", "No audio or interactive content for 55 seconds", Reason.INPUT_SILENCE),
    ("ValidationException", "InternalErrorCode=531::RST_STREAM closed stream. NO_ERROR", Reason.STREAM_CLOSED),
    ("ValidationException", "System instability detected. Please retry your request.", Reason.UNSTABLE),
    ("ValidationException", "Chat history should be sent completely before streaming", Reason.PROTOCOL_ORDER),
    ("ValidationException", "No open content found for content name: 1", Reason.PROTOCOL_ORDER),
    ("ValidationException", "No open prompt found for prompt name: 1", Reason.PROTOCOL_ORDER),
    ("ValidationException", "Unable to parse input chunk", Reason.BAD_REQUEST),
    ("ValidationException", "Tool Response parsing error", Reason.BAD_REQUEST),
    ("ValidationException", "Invalid input request, please fix your input and try again", Reason.BAD_REQUEST),
    ("ValidationException", "Received invalid voiceId", Reason.BAD_REQUEST),
    ("ValidationException", "The provided model identifier is invalid.", Reason.MODEL_NOT_FOUND),
    ("ValidationException", "Invocation with on-demand throughput isn't supported", Reason.MODEL_NOT_FOUND),
    ("ResourceNotFoundException", "", Reason.MODEL_NOT_FOUND),
    ("ThrottlingException", "", Reason.THROTTLED),
    ("ServiceQuotaExceededException", "", Reason.QUOTA),
    ("ModelNotReadyException", "", Reason.UNAVAILABLE),
    ("ModelErrorException", "", Reason.UNSTABLE),
    ("ModelStreamErrorException", "unexpected error during processing", Reason.UNSTABLE),
    ("InternalServerException", "", Reason.UNAVAILABLE),
    ("ServiceUnavailableException", "", Reason.UNAVAILABLE),
    ("AccessDeniedException", "User is not authorized", Reason.ACCESS_DENIED),
    ("AccessDeniedException", "The security token included in the request is expired", Reason.CREDENTIALS_EXPIRED),
    ("ExpiredTokenException", "", Reason.CREDENTIALS_EXPIRED),
    ("UnrecognizedClientException", "", Reason.ACCESS_DENIED),
    ("UnknownException", "The security token included in the request is invalid.", Reason.ACCESS_DENIED),
    ("InvalidClientTokenId", "", Reason.ACCESS_DENIED),
    ("InvalidSignatureException", "Signature expired: 2026 is now earlier than", Reason.BAD_SIGNATURE),
    ("InvalidSignatureException", "Signature not yet current: 2026", Reason.BAD_SIGNATURE),
    ("InvalidSignatureException", "", Reason.BAD_SIGNATURE),
    ("IncompleteSignatureException", "", Reason.BAD_SIGNATURE),
    ("AccessDeniedException", "The request signature we calculated does not match", Reason.BAD_SIGNATURE),
]


def sdk_error(kind: str, text: str, base: type[Exception] = Exception) -> Exception:
    return type(kind, (base,), {})(text)


@pytest.mark.parametrize(("kind", "text", "reason"), SERVICE)
def test_the_services_errors(kind: str, text: str, reason: Reason) -> None:
    for error in (sdk_error(kind, text), ServiceRefused(400, kind, text)):
        known = translate(error)
        assert known is not None
        assert known.reason is reason
        assert known.what
        assert known.advice


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (sdk_error("InvalidEventBytes", "", type("EventError", (SmithyError,), {})), Reason.BAD_EVENT_BYTES),
        (sdk_error("ChecksumMismatch", "", type("EventError", (SmithyError,), {})), Reason.BAD_EVENT_BYTES),
        (sdk_error("SerializationError", ""), Reason.BAD_EVENT_BYTES),
        (sdk_error("UnmodeledEventError", "", type("EventError", (SmithyError,), {})), Reason.UNAVAILABLE),
        (KeyError("somethingNewException"), Reason.UNAVAILABLE),
        (sdk_error("ClientTimeoutError", ""), Reason.TIMED_OUT),
        (TimeoutError(), Reason.TIMED_OUT),
        (ConnectionResetError(), Reason.LINK_LOST),
        (ServiceRefused(401, "", ""), Reason.ACCESS_DENIED),
        (ServiceRefused(403, "New", ""), Reason.ACCESS_DENIED),
        (ServiceRefused(404, "New", ""), Reason.BAD_REQUEST),
        (ServiceRefused(429, "New", ""), Reason.THROTTLED),
        (ServiceRefused(502, "", ""), Reason.UNAVAILABLE),
    ],
)
def test_errors_of_library_and_network(error: Exception, reason: Reason) -> None:
    known = translate(error)
    assert known is not None
    assert known.reason is reason


AT_ONCE, AFTER_A_WAIT, NEVER = Verdict.RENEW, Verdict.RETRY, Verdict.FAIL
LEADS_TO = [  # a new wire session at once, after a wait, or never by itself
    ("ModelTimeoutException", "Model has timed out in processing the request", AT_ONCE),
    ("ValidationException", "Timed out waiting for input events", AT_ONCE),
    ("ValidationException", "No audio or interactive content for 55 seconds", AT_ONCE),
    ("ValidationException", "InternalErrorCode=531::RST_STREAM closed stream. NO_ERROR", AT_ONCE),
    ("ValidationException", "System instability detected. Please retry your request.", AFTER_A_WAIT),
    ("ValidationException", "Chat history should be sent completely before streaming audio", AFTER_A_WAIT),
    ("ValidationException", "No open content found for content name: 1", AFTER_A_WAIT),
    ("ValidationException", "No open prompt found for prompt name: 1", AFTER_A_WAIT),
    ("ModelStreamErrorException", "The system encountered an unexpected error during processing", AFTER_A_WAIT),
    ("ThrottlingException", "", AFTER_A_WAIT),
    ("ModelNotReadyException", "", AFTER_A_WAIT),
    ("ModelErrorException", "", AFTER_A_WAIT),
    ("ServiceUnavailableException", "", AFTER_A_WAIT),
    ("InternalServerException", "", AFTER_A_WAIT),
    ("ValidationException", "Unable to parse input chunk", NEVER),
    ("ValidationException", "Tool Response parsing error", NEVER),
    ("ValidationException", "Invalid input request, please fix your input and try again", NEVER),
    ("ValidationException", "Received invalid voiceId", NEVER),
    ("AccessDeniedException", "", NEVER),
]


@pytest.mark.parametrize(("kind", "text", "verdict"), LEADS_TO)
def test_what_the_services_words_lead_to(kind: str, text: str, verdict: Verdict) -> None:
    assert judge(translate(sdk_error(kind, text))) is verdict


def test_damaged_bytes_lead_to_a_new_wire_session_after_a_wait() -> None:
    damaged = sdk_error("InvalidEventBytes", "", type("EventError", (SmithyError,), {}))
    assert judge(translate(damaged)) is AFTER_A_WAIT


def test_every_rule_is_reached_by_a_row() -> None:
    rows = [sdk_error(kind, text) for kind, text, _ in SERVICE]
    rows += [sdk_error(rule.kind, rule.text) for rule in RULES if rule.kind.endswith(("Error",))]
    reached = {(known.reason, known.what) for row in rows if (known := translate(row)) is not None}
    expected = {(rule.reason, rule.what) for rule in RULES if rule.what}
    assert expected <= reached


def test_the_cause_inside_wins_over_the_wrapping() -> None:
    lost = KnownError(Reason.LINK_LOST, "Lost.", "Again.")
    wrapping = OSError("Failed to read from stream.")
    wrapping.__cause__ = Fault(lost)
    assert translate(wrapping) is lost


def test_a_time_out_before_the_session_began_is_not_its_limit() -> None:
    known = translate(sdk_error("ModelTimeoutException", ""), accepted=False)
    assert known is not None
    assert known.reason is Reason.TIMED_OUT


def test_the_advice_names_the_profile() -> None:
    known = translate(sdk_error("ExpiredTokenException", ""), profile="work")
    assert known is not None
    assert "aws sso login --profile work" in known.advice


def test_a_bug_is_not_a_fault_of_the_world() -> None:
    assert translate(ZeroDivisionError()) is None
    assert translate(asyncio.InvalidStateError()) is None


def test_the_services_words_do_not_leak() -> None:
    secret = "AKIAABCDEFGHIJKLMNOP and what was said"
    error = read_refusal(400, {"x-amzn-errortype": "ValidationException"}, json.dumps({"message": secret}).encode())
    known = translate(error)
    assert secret not in f"{known} {error} {error!r}"


@pytest.mark.parametrize(
    ("headers", "body", "kind", "text"),
    [
        ({"x-amzn-errortype": "ValidationException:http://internal"}, b'{"message":"m"}', "ValidationException", "m"),
        ({}, b'{"__type":"com.amazon.coral#ThrottlingException","Message":"m"}', "ThrottlingException", "m"),
        ({}, b"<html>", "", ""),
        ({}, b"[1]", "", ""),
        ({}, b"", "", ""),
        ({}, b'{"message":null}', "", ""),
    ],
)
def test_the_name_of_an_http_error(headers: dict[str, str], body: bytes, kind: str, text: str) -> None:
    error = read_refusal(400, headers, body)
    assert (error.kind, error.text, error.status) == (kind, text, 400)
