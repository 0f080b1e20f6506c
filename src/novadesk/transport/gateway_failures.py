"""What a refusal of the gateway means: for each error code and each close code one sentence, one step, and a verdict.

The verdict follows from the reason, see `conversation.supervisor`: some are tried again, some need the person.
"""

from dataclasses import dataclass

from novadesk.errors import KnownError, Reason
from novadesk.protocol.envelope_server import Error
from novadesk.protocol.envelope_values import ErrorCode
from novadesk.text import Text

_BY_ITSELF = Text("NovaDesk tries again by itself.")
_SIGN_IN = Text("Sign in to the gateway again.")

CLOSED_TOKEN, CLOSED_BEAT, CLOSED_TAKEN = 4401, 4408, 4409
"""Close codes of docs/gateway.md; 1001 is that of RFC 6455, section 7.4.1, "going away"."""

CLOSED_GOING, CLOSED_LARGE = 1001, 1009


@dataclass(frozen=True, slots=True)
class _Rule:
    reason: Reason
    what: Text
    advice: Text = _BY_ITSELF


_CODES: dict[ErrorCode, _Rule] = {
    ErrorCode.INVALID_MESSAGE: _Rule(Reason.PROTOCOL_ORDER, Text("The gateway does not understand this version.")),
    ErrorCode.INVALID_ACTION: _Rule(
        Reason.PROTOCOL_ORDER, Text("The gateway does not know what this version asks for.")
    ),
    ErrorCode.INVALID_PARAMETERS: _Rule(
        Reason.PROTOCOL_ORDER, Text("The gateway does not take what this version says.")
    ),
    ErrorCode.MESSAGE_TOO_LARGE: _Rule(Reason.PROTOCOL_ORDER, Text("A message is too large for the gateway.")),
    ErrorCode.INVALID_CONFIGURATION: _Rule(
        Reason.BAD_REQUEST, Text("The gateway refuses the session's settings."), Text("Check voice and instructions.")
    ),
    ErrorCode.UNSUPPORTED_LANGUAGE: _Rule(
        Reason.BAD_REQUEST,
        Text("The gateway does not speak this language."),
        Text("Choose another language for the scenario."),
    ),
    ErrorCode.UNAUTHORIZED: _Rule(Reason.ACCESS_DENIED, Text("The gateway does not accept this sign-in."), _SIGN_IN),
    ErrorCode.TOKEN_EXPIRED: _Rule(
        Reason.CREDENTIALS_EXPIRED, Text("The sign-in at the gateway has expired."), _SIGN_IN
    ),
    ErrorCode.FORBIDDEN: _Rule(
        Reason.ACCESS_DENIED, Text("You may not use this gateway."), Text("Ask the people who run it for access.")
    ),
    ErrorCode.SESSION_NOT_FOUND: _Rule(Reason.STREAM_CLOSED, Text("The gateway does not have this session any more.")),
    ErrorCode.SESSION_TAKEN: _Rule(
        Reason.SESSION_TAKEN,
        Text("Another program goes on with this conversation."),
        Text("End it there, then try now."),
    ),
    ErrorCode.SESSION_LIMIT: _Rule(Reason.THROTTLED, Text("The gateway has no room for another session.")),
    ErrorCode.RATE_LIMIT_EXCEEDED: _Rule(Reason.THROTTLED, Text("The gateway limits your requests.")),
    ErrorCode.UPSTREAM_FAILED: _Rule(Reason.UNAVAILABLE, Text("The gateway does not reach the voice service.")),
    ErrorCode.DRAINING: _Rule(Reason.STREAM_CLOSED, Text("The gateway is being restarted.")),
    ErrorCode.INTERNAL_ERROR: _Rule(Reason.UNAVAILABLE, Text("The gateway failed.")),
}

_CLOSES: dict[int, _Rule] = {
    CLOSED_TOKEN: _CODES[ErrorCode.TOKEN_EXPIRED],
    CLOSED_BEAT: _Rule(Reason.LINK_LOST, Text("The gateway heard nothing from here for too long.")),
    CLOSED_TAKEN: _CODES[ErrorCode.SESSION_TAKEN],
    CLOSED_LARGE: _CODES[ErrorCode.MESSAGE_TOO_LARGE],
    CLOSED_GOING: _CODES[ErrorCode.DRAINING],
}

_STATUSES: dict[int, _Rule] = {
    401: _CODES[ErrorCode.TOKEN_EXPIRED],
    403: _CODES[ErrorCode.FORBIDDEN],
    429: _CODES[ErrorCode.RATE_LIMIT_EXCEEDED],
}


def refusal(error: Error) -> KnownError:
    """Return what an error of the gateway means."""
    return _make(_CODES[error.code]).after(error.retry_after_s or 0)


def voiceless(reason: str | None = None) -> KnownError:
    """Return the error for a gateway behind which nobody hears. `reason`: as the gateway has it from the service."""
    refused = reason == Reason.BAD_REQUEST.value
    return _make(_CODES[ErrorCode.INVALID_CONFIGURATION if refused else ErrorCode.UPSTREAM_FAILED])


def closing(code: int | None) -> KnownError:
    """Return what the end of a connection means; None is an end without a word."""
    return _make(_CLOSES.get(code or 0, _Rule(Reason.LINK_LOST, Text("The connection to the gateway was lost."))))


def unwelcome(status: int, retry_after: str = "") -> KnownError:
    """Return what an HTTP answer means that opens no WebSocket. `retry_after`: seconds, as its header says."""
    if status not in _STATUSES and 400 <= status < 500:
        return KnownError(
            Reason.BAD_SETTINGS,
            "There is no gateway at this address (status {status}).",
            "Correct [backend] gateway.",
            status=str(status),
        )
    known = _make(_STATUSES.get(status, _CODES[ErrorCode.INTERNAL_ERROR]))
    return known.after(int(retry_after) if retry_after.isdecimal() and len(retry_after) < 6 else 0)


def _make(rule: _Rule) -> KnownError:
    return KnownError(rule.reason, rule.what, rule.advice)
