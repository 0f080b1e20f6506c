"""What the transport and the remote session store make of each fault.

The contract tests hold every row to the real transport and the real client against the local server's sockets; the
matrix on virtual time raises exactly these, so that the two cannot drift apart.
"""

from dataclasses import dataclass, replace
from enum import Enum

from novadesk.errors import KnownError, Reason
from novadesk.server.faults import Fault
from novadesk.transport.bedrock import LinkTiming
from novadesk.transport.http2 import Timing

_BY_ITSELF = "NovaDesk tries again by itself."
_AGAIN = "NovaDesk connects again by itself."


class Place(Enum):
    """Where a fault of the voice stream meets the owner of the link."""

    AT_OPENING = "raised by `open`"
    BEFORE = "the link is closed before the service has accepted it"
    IN_STREAM = "the link is closed after the service has accepted it"
    NOWHERE = "the link goes on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a fault looks like from inside.

    Attributes:
        place: where it meets us.
        reason: of the `KnownError`, with its words; None where nothing is raised.
        after_s: how long it takes to be noticed, with the timing of real life.
    """

    place: Place
    reason: Reason | None = None
    what: str = ""
    advice: str = ""
    after_s: float = 0.0

    def error(self) -> KnownError:
        """Return the error, new each time."""
        assert self.reason is not None
        return KnownError(self.reason, self.what, self.advice)


def _before(reason: Reason, what: str, advice: str = _BY_ITSELF, *, after_s: float = 0.0) -> Outcome:
    return Outcome(place=Place.BEFORE, reason=reason, what=what, advice=advice, after_s=after_s)


def _within(reason: Reason, what: str, advice: str = _BY_ITSELF, *, after_s: float = 0.0) -> Outcome:
    return Outcome(place=Place.IN_STREAM, reason=reason, what=what, advice=advice, after_s=after_s)


_GOES_ON = Outcome(place=Place.NOWHERE)
_EXPIRED = (Reason.CREDENTIALS_EXPIRED, "The AWS keys have expired.", "Run `aws sso login`, or renew the keys.")
_SETTINGS = "Check model, voice and prompt in the settings."
_TIMING, _LINK = Timing(), LinkTiming()

VOICE: dict[Fault, Outcome] = {
    Fault.HTTP_VALIDATION: _before(Reason.BAD_REQUEST, "The service refuses the request.", _SETTINGS),
    Fault.HTTP_QUOTA: _before(
        Reason.QUOTA, "The account's quota is used up.", "Ask for a higher quota in the Service Quotas console."
    ),
    Fault.HTTP_DENIED: _before(
        Reason.ACCESS_DENIED,
        "This account may not use the model.",
        "Allow bedrock:InvokeModelWithBidirectionalStream and ask for access to the model in the Bedrock console.",
    ),
    Fault.HTTP_EXPIRED_TOKEN: _before(*_EXPIRED),
    Fault.HTTP_NOT_FOUND: _before(
        Reason.MODEL_NOT_FOUND, "The service has no such model here.", "Check [backend] model and the region."
    ),
    Fault.HTTP_TIMED_OUT: _before(Reason.TIMED_OUT, "The service did not begin the session in time."),
    Fault.HTTP_MODEL_ERROR: _before(Reason.UNSTABLE, "The model failed."),
    Fault.HTTP_THROTTLED: _before(Reason.THROTTLED, "The service limits this account's requests."),
    Fault.HTTP_NOT_READY: _before(Reason.UNAVAILABLE, "The model is not ready."),
    Fault.HTTP_INTERNAL: _before(Reason.UNAVAILABLE, "The service failed."),
    Fault.HTTP_UNAVAILABLE: _before(Reason.UNAVAILABLE, "The service is unavailable."),
    Fault.HTTP_UNKNOWN: _before(
        Reason.BAD_REQUEST,
        "The service refuses the request (status 418).",
        "Check the endpoint, model and region in the settings.",
    ),
    Fault.RESET_TCP_EARLY: _before(Reason.LINK_LOST, "The connection was lost: the network broke it.", _AGAIN),
    Fault.RESET_STREAM_EARLY: _before(
        Reason.LINK_LOST, "The connection was lost: the server reset it, INTERNAL_ERROR.", _AGAIN
    ),
    Fault.MUTE: _before(
        Reason.TIMED_OUT,
        f"The service did not answer within {_TIMING.response_s:g} seconds.",
        after_s=_TIMING.response_s,
    ),
    Fault.STREAM_VALIDATION: _within(Reason.BAD_REQUEST, "The service refuses the request.", _SETTINGS),
    Fault.STREAM_UNSTABLE: _within(Reason.UNSTABLE, "The service is unstable."),
    Fault.STREAM_CLOSED_531: _within(Reason.STREAM_CLOSED, "The service closed the stream."),
    Fault.STREAM_MODEL_ERROR: _within(Reason.UNSTABLE, "The model failed."),
    Fault.STREAM_THROTTLED: _within(Reason.THROTTLED, "The service limits this account's requests."),
    Fault.STREAM_INTERNAL: _within(Reason.UNAVAILABLE, "The service failed."),
    Fault.STREAM_UNAVAILABLE: _within(Reason.UNAVAILABLE, "The service is unavailable."),
    Fault.STREAM_TIMED_OUT: _within(Reason.SESSION_LIMIT, "The session reached its time limit."),
    Fault.STREAM_EXPIRED_TOKEN: _within(*_EXPIRED),
    Fault.STREAM_UNKNOWN_EXCEPTION: _within(
        Reason.UNAVAILABLE, "The service reported a fault that this version does not know."
    ),
    Fault.STREAM_ERROR_MESSAGE: _within(Reason.UNAVAILABLE, "The service reported a fault of its own."),
    Fault.RESET_TCP: _within(Reason.LINK_LOST, "The connection was lost: the network broke it.", _AGAIN),
    Fault.FIN: _within(Reason.LINK_LOST, "The connection was lost: the server closed it.", _AGAIN),
    Fault.RESET_STREAM: _within(
        Reason.LINK_LOST, "The connection was lost: the server reset it, INTERNAL_ERROR.", _AGAIN
    ),
    Fault.GOAWAY_ABRUPT: _within(
        Reason.LINK_LOST, "The connection was lost: the server went away, INTERNAL_ERROR.", _AGAIN
    ),
    Fault.EARLY_END: _within(Reason.STREAM_CLOSED, "The service ended the session.", "NovaDesk opens the next one."),
    Fault.TRUNCATED_EVENT: _within(Reason.BAD_EVENT_BYTES, "The service's answer arrived damaged."),
    Fault.BAD_CHECKSUM: _within(Reason.BAD_EVENT_BYTES, "The service's answer arrived damaged."),
    Fault.HALF_OPEN: _within(
        Reason.LINK_LOST,
        "The connection was lost: the server gives no sign of life.",
        _AGAIN,
        after_s=_TIMING.ping_every_s + _TIMING.ping_answer_s,
    ),
    Fault.SLOW_READER: _within(
        Reason.TIMED_OUT, "The service does not take the audio in time.", _AGAIN, after_s=_LINK.send_s
    ),
    Fault.SLOW_LINK: _GOES_ON,
    Fault.GOAWAY_GRACEFUL: _GOES_ON,
    Fault.UNKNOWN_EVENT: _GOES_ON,
    Fault.UNKNOWN_EVENT_TYPE: _GOES_ON,
}

_LONG_S = 60.0
_UNHURRIED = Timing(response_s=_LONG_S, ping_every_s=_LONG_S, ping_answer_s=_LONG_S)
PATIENT = LinkTiming(open_s=_LONG_S, send_s=_LONG_S, exchange=_UNHURRIED)
"""For a link over sockets: nothing is taken for a fault because the computer is busy."""

SHORT = {
    Fault.MUTE: replace(PATIENT, exchange=replace(_UNHURRIED, response_s=1.0)),
    Fault.HALF_OPEN: replace(PATIENT, exchange=replace(_UNHURRIED, ping_every_s=0.2, ping_answer_s=1.0)),
    Fault.SLOW_READER: replace(PATIENT, send_s=1.0),
}
"""For each fault that only time shows, the one bound that is to show it."""

_NOTHING_TO_DO = "Nothing to do: NovaDesk tries again by itself, and conversations are safe on this computer."


def _asked(reason: Reason, what: str, advice: str = _NOTHING_TO_DO, *, after_s: float = 0.0) -> Outcome:
    return Outcome(place=Place.AT_OPENING, reason=reason, what=what, advice=advice, after_s=after_s)


STORE: dict[Fault, Outcome] = {
    Fault.API_DOWN: _asked(Reason.SYNC_UNREACHABLE, "The remote session store cannot be reached."),
    Fault.API_DENIED: _asked(
        Reason.SYNC_DENIED,
        "You have no access to the remote session store.",
        "Give your AWS identity the bedrock session permissions; conversations stay on this computer until then.",
    ),
    Fault.API_THROTTLED: _asked(Reason.THROTTLED, "The remote session store asks to slow down."),
    Fault.API_INTERNAL: _asked(Reason.UNAVAILABLE, "The remote session store has a fault of its own."),
    Fault.API_QUOTA: _asked(Reason.QUOTA, "A quota of the remote session store is used up."),
    Fault.API_EXPIRED_TOKEN: _asked(
        Reason.CREDENTIALS_EXPIRED,
        "Your AWS credentials have expired.",
        "Sign in again, for example with `aws sso login`.",
    ),
    Fault.API_SLOW: _asked(Reason.SYNC_UNREACHABLE, "The remote session store takes too long to answer.", after_s=10.0),
    Fault.API_TORN: _asked(Reason.SYNC_UNREACHABLE, "The remote session store gave an unusable answer."),
    Fault.API_LOST_ANSWER: _asked(Reason.SYNC_UNREACHABLE, "The remote session store cannot be reached."),
    Fault.API_SESSION_EXPIRED: _asked(Reason.SYNC_CONFLICT, "The remote session store has this id already."),
    Fault.API_SESSION_ENDED: _asked(Reason.SYNC_CONFLICT, "The remote session store has this id already."),
    Fault.API_SESSION_DELETED: _asked(
        Reason.SYNC_SESSION_CLOSED, "The remote session is gone.", "NovaDesk starts a new one."
    ),
}
"""What writing a turn raises; for TORN, creating a session: half an answer is enough where only its status counts.

SLOW, TORN and LOST_ANSWER are carried out although they raise; the last three last.
"""
