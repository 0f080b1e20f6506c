"""Policy as values: what each failure means, how long to wait, when to give up waiting."""

from dataclasses import dataclass
from enum import Enum

from novadesk.config import Settings
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind


class Verdict(Enum):
    """What a failed or closed link means for the conversation."""

    RENEW = "renew"  # the wire session is used up: open the next one at once
    RETRY = "retry"  # the world may mend itself: try again with backoff
    FAIL = "fail"  # only the person can mend it: say so and stop


# What the service calls our fault (PROTOCOL_ORDER, BAD_EVENT_BYTES) needs a new wire session too, but after a moment:
# if it is our fault, every next session meets it at once. So does UNSTABLE: it is short of capacity.
VERDICTS: dict[Reason, Verdict] = {
    Reason.SESSION_LIMIT: Verdict.RENEW,
    Reason.INPUT_SILENCE: Verdict.RENEW,
    Reason.STREAM_CLOSED: Verdict.RENEW,
    Reason.UNREACHABLE: Verdict.RETRY,
    Reason.LINK_LOST: Verdict.RETRY,
    Reason.TIMED_OUT: Verdict.RETRY,
    Reason.UNSTABLE: Verdict.RETRY,
    Reason.THROTTLED: Verdict.RETRY,
    Reason.UNAVAILABLE: Verdict.RETRY,
    Reason.PROTOCOL_ORDER: Verdict.RETRY,
    Reason.BAD_EVENT_BYTES: Verdict.RETRY,
    Reason.PRACTICE_FAILED: Verdict.RETRY,
    Reason.SESSION_TAKEN: Verdict.FAIL,
    Reason.QUOTA: Verdict.FAIL,
    Reason.TLS_REFUSED: Verdict.FAIL,
    Reason.PROXY_REFUSED: Verdict.FAIL,
    Reason.NO_CREDENTIALS: Verdict.FAIL,
    Reason.CREDENTIALS_EXPIRED: Verdict.FAIL,
    Reason.SIGN_IN_FAILED: Verdict.FAIL,
    Reason.KEYRING_ABSENT: Verdict.FAIL,
    Reason.ACCESS_DENIED: Verdict.FAIL,
    Reason.BAD_SIGNATURE: Verdict.FAIL,
    Reason.MODEL_NOT_FOUND: Verdict.FAIL,
    Reason.BAD_REQUEST: Verdict.FAIL,
    Reason.BAD_REGION: Verdict.FAIL,
    Reason.BAD_SETTINGS: Verdict.FAIL,
    Reason.BAD_MODEL: Verdict.FAIL,
    Reason.PRACTICE_PARTS_MISSING: Verdict.FAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The numbers of reconnecting, renewal and rest, in seconds.

    Attributes:
        backoff_first_s: longest wait before the second attempt; doubles from attempt to attempt.
        backoff_most_s: ceiling of the wait.
        connect_s: longest time from opening a link until audio may flow.
        held_s: longest stretch of unanswered speech kept for the next wire session.
        answer_s: longest time without an answer before the conversation is simply ready again.
        renewals: links in a row that may end soon, without an exchange, before backoff applies to renewal too.
        proof_s: life of a link that has ended an outage; one that is over sooner has not.
        steady_s: time after which the end of a live link says nothing about the next one.
        life_s: life of a wire session; Amazon Nova user guide, "Speech to speech: quotas" (8 minutes).
        renew_s: age at which the successor of a wire session is opened; AWS's session continuation sample (6:00).
        force_s: age at which the successor no longer waits for quiet, only for what is being said.
        last_s: age at which it takes over whatever happens.
        expiry_s: renewal begins this long before the keys of a link expire.
        look_s: pause between two looks for a quiet moment.
        quiet_s: quiet after which a hands-free person counts as not speaking: longer than the pause that ends a turn
            (2.0 s) and the recognition after it.
        idle_s: time without a turn after which the wire session ends; 0 means never.
        concurrent: wire sessions that may be open at once; with one, renewal ends the old one first.
    """

    backoff_first_s: float = 0.5
    backoff_most_s: float = 30.0
    connect_s: float = 25.0
    held_s: float = 3.0
    answer_s: float = 30.0
    renewals: int = 2
    proof_s: float = 2.0
    steady_s: float = 30.0
    life_s: float = 480.0
    renew_s: float = 360.0
    force_s: float = 440.0
    last_s: float = 465.0
    expiry_s: float = 180.0
    look_s: float = 0.25
    quiet_s: float = 4.0
    idle_s: float = 300.0
    concurrent: int = 2

    def wait_s(self, attempt: int, jitter: float) -> float:
        """Return the wait before `attempt` (1-based), for a random `jitter` in [0, 1]."""
        ceiling = min(self.backoff_most_s, self.backoff_first_s * 2.0 ** min(attempt - 1, 16))
        return max(ceiling * (0.5 + 0.5 * jitter), min(0.5, self.backoff_first_s))


_FOREVER_S = 1e8
"""Life of a link that is renewed at its other end: a gateway does so."""


def make_policy(settings: Settings) -> Policy:
    """Return the policy for a service whose connections live as long as the settings' limits say; a gateway's last."""
    usual, life_s = Policy(), settings.limits.connection_s * settings.limits.scale
    if settings.backend.kind is BackendKind.GATEWAY:
        life_s = _FOREVER_S
    share = life_s / usual.life_s
    return Policy(
        life_s=life_s,
        renew_s=usual.renew_s * share,
        force_s=usual.force_s * share,
        last_s=usual.last_s * share,
        look_s=min(usual.look_s, life_s / 100),
        quiet_s=min(usual.quiet_s, life_s / 10),
        idle_s=settings.session.idle_s,
        concurrent=settings.session.concurrent,
    )


def judge(error: KnownError | None) -> Verdict:
    """Return what the end of a link means; None is an end without an error, which nobody asked for."""
    if error is None:
        return Verdict.RENEW
    return VERDICTS.get(error.reason, Verdict.FAIL)
