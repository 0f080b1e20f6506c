"""What a failure of the voice stream means: one table from exceptions to known errors.

Texts and types are those of the service and of the SDK; where a type has several meanings its text decides.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from novadesk import permission
from novadesk.errors import KnownError, Reason
from novadesk.transport.credentials import expired
from novadesk.transport.http2 import Fault

_BY_ITSELF = "NovaDesk tries again by itself."


class ServiceRefused(Exception):
    """The service answered with an HTTP error; the SDK knows only some of their names and drops the others' text.

    Args:
        status: HTTP status.
        kind: name of the error, such as "ValidationException", or empty.
        text: the service's own words, kept out of the exception's text since they may name ids.
    """

    def __init__(self, status: int, kind: str, text: str) -> None:
        super().__init__(f"{status} {kind}")
        self.status = status
        self.kind = kind
        self.text = text


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> ServiceRefused:
    """Return the HTTP error of a response; the name may come decorated, in the header or in the body."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    fields = content if isinstance(content, dict) else {}
    kind = headers.get("x-amzn-errortype") or str(fields.get("__type") or fields.get("code") or "")
    text = str(fields.get("message") or fields.get("Message") or "")
    return ServiceRefused(status, kind.split(":")[0].split("#")[-1], text)


@dataclass(frozen=True, slots=True)
class Rule:
    """A failure: type name and part of the text, either may be empty for any; and what it means."""

    kind: str
    text: str
    reason: Reason
    what: str
    advice: str = _BY_ITSELF


RULES: tuple[Rule, ...] = (
    # Texts that mean the same under whatever type they come.
    Rule("", "security token included in the request is expired", Reason.CREDENTIALS_EXPIRED, ""),
    Rule("", "signature expired", Reason.BAD_SIGNATURE, "AWS finds this computer's clock wrong.", "Set the clock."),
    Rule("", "signature not yet current", Reason.BAD_SIGNATURE, "AWS finds this computer's clock wrong.",
         "Set the clock."),
    Rule("", "request signature we calculated does not match", Reason.BAD_SIGNATURE, "AWS refuses the signature.",
         "Check the secret access key and the region."),
    Rule("", "security token included in the request is invalid", Reason.ACCESS_DENIED, "AWS does not know these keys.",
         "Check AWS_PROFILE and the keys of that profile."),
    # Credentials.
    Rule("ExpiredTokenException", "", Reason.CREDENTIALS_EXPIRED, ""),
    Rule("UnrecognizedClientException", "", Reason.ACCESS_DENIED, "AWS does not know these keys.",
         "Check AWS_PROFILE and the keys of that profile."),
    Rule("InvalidClientTokenId", "", Reason.ACCESS_DENIED, "AWS does not know these keys.",
         "Check AWS_PROFILE and the keys of that profile."),
    Rule("IncompleteSignatureException", "", Reason.BAD_SIGNATURE, "AWS refuses the signature.",
         "Check the access key and the region."),
    Rule("InvalidSignatureException", "", Reason.BAD_SIGNATURE, "AWS refuses the signature.",
         "Check the secret access key, the region and the clock."),
    Rule("AccessDeniedException", "", Reason.ACCESS_DENIED, "This account may not use the model.",
         "Allow bedrock:InvokeModelWithBidirectionalStream and ask for access to the model in the Bedrock console."),
    # ValidationException, by text.
    Rule("ValidationException", "timed out waiting for input events", Reason.INPUT_SILENCE,
         "The service heard no audio for too long."),
    Rule("ValidationException", "55 seconds", Reason.INPUT_SILENCE, "The service heard no audio for too long."),
    Rule("ValidationException", "internalerrorcode=531", Reason.STREAM_CLOSED, "The service closed the stream."),
    Rule("ValidationException", "system instability detected", Reason.UNSTABLE, "The service is unstable."),
    Rule("ValidationException", "model has timed out", Reason.SESSION_LIMIT, "The session reached its time limit."),
    Rule("ValidationException", "chat history should be sent", Reason.PROTOCOL_ORDER,
         "The service met events out of order."),
    Rule("ValidationException", "no open content found", Reason.PROTOCOL_ORDER, "The service met events out of order."),
    Rule("ValidationException", "no open prompt found", Reason.PROTOCOL_ORDER, "The service met events out of order."),
    Rule("ValidationException", "voiceid", Reason.BAD_REQUEST, "The model does not have this voice.",
         "Choose another voice in the settings."),
    Rule("ValidationException", "unable to parse input chunk", Reason.BAD_REQUEST,
         "The service does not understand the session's settings.", "Check prompt, voice and tools."),
    Rule("ValidationException", "tool response parsing error", Reason.BAD_REQUEST,
         "The service does not understand a tool's answer.", "Switch the tool off."),
    Rule("ValidationException", "model identifier is invalid", Reason.MODEL_NOT_FOUND, "The service has no such model.",
         "Check [backend] model and the region."),
    Rule("ValidationException", "on-demand throughput", Reason.MODEL_NOT_FOUND,
         "The model is not offered on demand in this region.", "Choose another model or region."),
    Rule("ValidationException", "", Reason.BAD_REQUEST, "The service refuses the request.",
         "Check model, voice and prompt in the settings."),
    # The service's other types.
    Rule("ResourceNotFoundException", "", Reason.MODEL_NOT_FOUND, "The service has no such model here.",
         "Check [backend] model and the region."),
    Rule("ThrottlingException", "", Reason.THROTTLED, "The service limits this account's requests."),
    Rule("ServiceQuotaExceededException", "", Reason.QUOTA, "The account's quota is used up.",
         "Ask for a higher quota in the Service Quotas console."),
    Rule("ModelTimeoutException", "", Reason.SESSION_LIMIT, "The session reached its time limit."),
    Rule("ModelNotReadyException", "", Reason.UNAVAILABLE, "The model is not ready."),
    Rule("ModelStreamErrorException", "", Reason.UNSTABLE, "The model failed."),
    Rule("ModelErrorException", "", Reason.UNSTABLE, "The model failed."),
    Rule("InternalServerException", "", Reason.UNAVAILABLE, "The service failed."),
    Rule("ServiceUnavailableException", "", Reason.UNAVAILABLE, "The service is unavailable."),
    # The SDK.
    Rule("UnmodeledEventError", "", Reason.UNAVAILABLE, "The service reported a fault of its own."),
    Rule("KeyError", "", Reason.UNAVAILABLE, "The service reported a fault that this version does not know."),
    Rule("EventError", "", Reason.BAD_EVENT_BYTES, "The service's answer arrived damaged."),
    Rule("SerializationError", "", Reason.BAD_EVENT_BYTES, "The service's answer arrived damaged."),
    Rule("ClientTimeoutError", "", Reason.TIMED_OUT, "The service did not answer in time."),
    # The network.
    Rule("TimeoutError", "", Reason.TIMED_OUT, "The service did not answer in time."),
    Rule("OSError", "", Reason.LINK_LOST, "The connection was lost."),
)  # fmt: skip


def translate(error: BaseException, *, profile: str = "", accepted: bool = True) -> KnownError | None:
    """Return what an exception of the voice stream means, or None when it is none of the world's.

    Args:
        error: as raised by the SDK or by our transport.
        profile: name of the AWS profile, for the advice.
        accepted: whether the service had begun its answer: before, its time-out is not the limit of a session.
    """
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, Fault):
            return each.known
        if isinstance(each, KnownError):
            return each
    for each in chain:
        for rule in RULES:
            if _fits(rule, each):
                return _make(rule, profile, accepted, _text(each))
    return _by_status(chain)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _fits(rule: Rule, error: BaseException) -> bool:
    kinds = {error.kind} if isinstance(error, ServiceRefused) else {kind.__name__ for kind in type(error).__mro__}
    return (not rule.kind or rule.kind in kinds) and rule.text in _text(error).lower()


def _text(error: BaseException) -> str:
    return error.text if isinstance(error, ServiceRefused) else str(error)


def _make(rule: Rule, profile: str, accepted: bool, text: str) -> KnownError:
    if rule.reason is Reason.CREDENTIALS_EXPIRED:
        return expired(profile)
    if rule.reason is Reason.SESSION_LIMIT and not accepted:
        return KnownError(Reason.TIMED_OUT, "The service did not begin the session in time.", _BY_ITSELF)
    advice = permission.advice(text, rule.advice) if rule.reason is Reason.ACCESS_DENIED else rule.advice
    return KnownError(rule.reason, rule.what, advice)


def _by_status(chain: list[BaseException]) -> KnownError | None:
    """Judge an HTTP error of an unknown name by its status."""
    refused = next((each for each in chain if isinstance(each, ServiceRefused)), None)
    if refused is None:
        return None
    if refused.status in (401, 403):
        return KnownError(
            Reason.ACCESS_DENIED, "AWS refuses these keys.", "Check AWS_PROFILE and the keys of that profile."
        )
    if refused.status == 429:
        return KnownError(Reason.THROTTLED, "The service limits this account's requests.", _BY_ITSELF)
    if 400 <= refused.status < 500:
        return KnownError(
            Reason.BAD_REQUEST,
            "The service refuses the request (status {status}).",
            "Check the endpoint, model and region in the settings.",
            status=str(refused.status),
        )
    return KnownError(
        Reason.UNAVAILABLE, "The service failed (status {status}).", _BY_ITSELF, status=str(refused.status)
    )
