"""Faults on demand: what the real service, or the network before it, may do at any moment.

A test plans the next faults; the server commits them. Each planned fault is used up by one stream or one request.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from novadesk.server.refusal import Refusal, validation


class Fault(Enum):
    """Everything that can go wrong on demand."""

    # Voice stream, instead of a response: an HTTP error.
    HTTP_VALIDATION = auto()
    HTTP_QUOTA = auto()
    HTTP_DENIED = auto()
    HTTP_EXPIRED_TOKEN = auto()
    HTTP_NOT_FOUND = auto()
    HTTP_TIMED_OUT = auto()
    HTTP_MODEL_ERROR = auto()
    HTTP_THROTTLED = auto()
    HTTP_NOT_READY = auto()
    HTTP_INTERNAL = auto()
    HTTP_UNAVAILABLE = auto()
    HTTP_UNKNOWN = auto()
    # Voice stream, before the response's headers.
    RESET_TCP_EARLY = auto()
    RESET_STREAM_EARLY = auto()
    MUTE = auto()
    # Voice stream, exceptions in mid-stream.
    STREAM_VALIDATION = auto()
    STREAM_UNSTABLE = auto()
    STREAM_CLOSED_531 = auto()
    STREAM_MODEL_ERROR = auto()
    STREAM_THROTTLED = auto()
    STREAM_INTERNAL = auto()
    STREAM_UNAVAILABLE = auto()
    STREAM_TIMED_OUT = auto()
    STREAM_EXPIRED_TOKEN = auto()
    STREAM_UNKNOWN_EXCEPTION = auto()
    STREAM_ERROR_MESSAGE = auto()
    # Voice stream, broken connection in mid-stream.
    RESET_TCP = auto()
    FIN = auto()
    RESET_STREAM = auto()
    GOAWAY_ABRUPT = auto()
    EARLY_END = auto()
    TRUNCATED_EVENT = auto()
    BAD_CHECKSUM = auto()
    HALF_OPEN = auto()
    SLOW_READER = auto()
    # Voice stream, oddities after which it goes on.
    SLOW_LINK = auto()
    GOAWAY_GRACEFUL = auto()
    UNKNOWN_EVENT = auto()
    UNKNOWN_EVENT_TYPE = auto()
    # Agent Runtime.
    API_DOWN = auto()
    API_DENIED = auto()
    API_THROTTLED = auto()
    API_INTERNAL = auto()
    API_QUOTA = auto()
    API_EXPIRED_TOKEN = auto()
    API_SLOW = auto()
    API_TORN = auto()
    API_LOST_ANSWER = auto()
    # Agent Runtime, to every session it holds, before the request is carried out.
    API_SESSION_EXPIRED = auto()
    API_SESSION_ENDED = auto()
    API_SESSION_DELETED = auto()


HTTP_FAULTS: dict[Fault, Refusal] = {
    Fault.HTTP_VALIDATION: validation("The request is invalid."),
    Fault.HTTP_QUOTA: Refusal(400, "ServiceQuotaExceededException", "Your request exceeds the service quota."),
    Fault.HTTP_DENIED: Refusal(403, "AccessDeniedException", "You don't have access to the model."),
    Fault.HTTP_EXPIRED_TOKEN: Refusal(
        403, "ExpiredTokenException", "The security token included in the request is expired"
    ),
    Fault.HTTP_NOT_FOUND: Refusal(404, "ResourceNotFoundException", "Could not resolve the foundation model."),
    Fault.HTTP_TIMED_OUT: Refusal(
        408, "ModelTimeoutException", "Model has timed out in processing the request. Try your request again."
    ),
    Fault.HTTP_MODEL_ERROR: Refusal(
        424, "ModelErrorException", "The system encountered an unexpected error during processing."
    ),
    Fault.HTTP_THROTTLED: Refusal(429, "ThrottlingException", "Too many requests, please wait before trying again."),
    Fault.HTTP_NOT_READY: Refusal(429, "ModelNotReadyException", "The model is not ready for inference."),
    Fault.HTTP_INTERNAL: Refusal(500, "InternalServerException", "The system encountered an unexpected error."),
    Fault.HTTP_UNAVAILABLE: Refusal(503, "ServiceUnavailableException", "The service is unavailable."),
    Fault.HTTP_UNKNOWN: Refusal(418, "TeapotException", "The service answered something new."),
}

STREAM_EXCEPTIONS: dict[Fault, tuple[str, str]] = {
    Fault.STREAM_VALIDATION: ("validationException", "Invalid input request, please fix your input and try again."),
    Fault.STREAM_UNSTABLE: ("validationException", "System instability detected. Please retry your request."),
    Fault.STREAM_CLOSED_531: (
        "validationException",
        "InternalErrorCode=531::RST_STREAM closed stream. HTTP/2 error code: NO_ERROR",
    ),
    Fault.STREAM_MODEL_ERROR: (
        "modelStreamErrorException",
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    Fault.STREAM_THROTTLED: ("throttlingException", "Too many requests, please wait before trying again."),
    Fault.STREAM_INTERNAL: ("internalServerException", "The system encountered an unexpected error."),
    Fault.STREAM_UNAVAILABLE: ("serviceUnavailableException", "The service is unavailable."),
    Fault.STREAM_TIMED_OUT: (
        "modelTimeoutException",
        "Model has timed out in processing the request. Try your request again.",
    ),
    Fault.STREAM_EXPIRED_TOKEN: ("validationException", "The security token included in the request is expired"),
    Fault.STREAM_UNKNOWN_EXCEPTION: ("somethingNewException", "The service answered something new."),
}

API_ERRORS: dict[Fault, Refusal] = {
    Fault.API_DENIED: Refusal(403, "AccessDeniedException", "You are not authorized to perform this operation."),
    Fault.API_THROTTLED: Refusal(429, "ThrottlingException", "Rate exceeded"),
    Fault.API_INTERNAL: Refusal(500, "InternalServerException", "The system encountered an unexpected error."),
    Fault.API_QUOTA: Refusal(400, "ServiceQuotaExceededException", "Your request exceeds a service quota."),
    Fault.API_EXPIRED_TOKEN: Refusal(
        403, "ExpiredTokenException", "The security token included in the request is expired"
    ),
}

SESSION_FAULTS: dict[Fault, str | None] = {
    Fault.API_SESSION_EXPIRED: "EXPIRED",
    Fault.API_SESSION_ENDED: "ENDED",
    Fault.API_SESSION_DELETED: None,
}
"""The state that every remote session is put into; None deletes them."""

SLOW_S = 0.25
"""How long each piece of an answer is held back by SLOW_LINK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """A fault and its moment.

    Attributes:
        after_inputs: events of the client that a stream takes first.
        after_outputs: events of the service that a stream sends first.
        delay_s: how long API_SLOW waits before it answers.
    """

    fault: Fault
    after_inputs: int = 0
    after_outputs: int = 0
    delay_s: float = 1.0


class FaultPlan:
    """The faults to come, in order; voice streams and Agent Runtime requests have a queue each."""

    def __init__(self) -> None:
        self._streams: deque[PlannedFault] = deque()
        self._requests: deque[PlannedFault] = deque()
        self._strikes: set[Callable[[PlannedFault], None]] = set()

    def add(
        self,
        fault: Fault,
        *,
        times: int = 1,
        after_inputs: int = 8,
        after_outputs: int = 0,
        delay_s: float = 1.0,
    ) -> None:
        """Plan a fault for the next streams or requests.

        Args:
            fault: what goes wrong.
            times: how many streams or requests it befalls, one after another.
            after_inputs: events of the client that a stream takes first; 6 are the opening, the rest is audio.
            after_outputs: events of the service that a stream sends first.
            delay_s: how long API_SLOW waits.
        """
        planned = PlannedFault(fault=fault, after_inputs=after_inputs, after_outputs=after_outputs, delay_s=delay_s)
        queue = self._requests if fault.name.startswith("API_") else self._streams
        queue.extend([planned] * times)

    def strike(self, fault: Fault) -> None:
        """Commit a fault on every open stream at once."""
        for call in list(self._strikes):
            call(PlannedFault(fault=fault))

    def clear(self) -> None:
        """Forget what is planned."""
        self._streams.clear()
        self._requests.clear()

    @property
    def pending(self) -> int:
        """Return how many planned faults are still to come."""
        return len(self._streams) + len(self._requests)

    def next_stream(self) -> PlannedFault | None:
        """Return the fault of the stream that opens now, and use it up."""
        return self._streams.popleft() if self._streams else None

    def next_request(self) -> PlannedFault | None:
        """Return the fault of the Agent Runtime request that comes in now, and use it up."""
        return self._requests.popleft() if self._requests else None

    def watch(self, call: Callable[[PlannedFault], None]) -> Callable[[], None]:
        """Register a stream for `strike`; return what unregisters it."""
        self._strikes.add(call)
        return lambda: self._strikes.discard(call)
