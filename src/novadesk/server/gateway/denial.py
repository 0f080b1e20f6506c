"""What the gateway does not do for somebody, and why: one value for WebSocket and REST."""

from collections.abc import Mapping

from novadesk.protocol.envelope_server import Error
from novadesk.protocol.envelope_values import ErrorCode

_MEND = "Mend what is sent: its fields are in docs/gateway.md."
_USUAL: Mapping[ErrorCode, str] = {
    ErrorCode.INVALID_MESSAGE: _MEND,
    ErrorCode.INVALID_ACTION: "The types of messages are in docs/gateway.md.",
    ErrorCode.INVALID_PARAMETERS: _MEND,
    ErrorCode.INVALID_CONFIGURATION: _MEND,
    ErrorCode.MESSAGE_TOO_LARGE: "Send it in smaller pieces.",
}
"""What helps where no more is known."""


class Denied(Exception):
    """A request that is not carried out. Nothing of what was sent is in its text.

    Attributes:
        code: the cause.
        message: one sentence.
        advice: what helps; else what usually does for that code.
        retry_after_s: when to come again, if that helps.
    """

    def __init__(self, code: ErrorCode, message: str, advice: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{code.value}: {message}")
        self.code, self.message, self.retry_after_s = code, message, retry_after_s
        self.advice = advice or _USUAL.get(code, "")

    def told(self, *, request_id: str | None = None, fatal: bool = False) -> Error:
        """Return the message of it.

        Args:
            request_id: of the request that it answers.
            fatal: the connection closes after it.
        """
        return Error(
            code=self.code,
            layer="gateway",
            message=self.message,
            advice=self.advice,
            request_id=request_id,
            retry_after_s=self.retry_after_s,
            fatal=fatal,
        )


def no_session() -> Denied:
    """Return that there is no such session: there is none, it is over, or it is somebody else's."""
    return Denied(ErrorCode.SESSION_NOT_FOUND, "Session not found.", "Begin a new session.")


def taken() -> Denied:
    """Return that another connection has the session."""
    return Denied(ErrorCode.SESSION_TAKEN, "Another connection has this session.", "Go on there.")


def draining() -> Denied:
    """Return that this process takes nothing new."""
    return Denied(ErrorCode.DRAINING, "This gateway is about to stop.", "Connect again.", retry_after_s=1)
