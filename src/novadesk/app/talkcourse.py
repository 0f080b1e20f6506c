"""When a talk without a window is over. Pure: time is handed in."""

from enum import Enum, auto

from novadesk.conversation.api import Phase, Snapshot
from novadesk.errors import KnownError, Layer, Reason
from novadesk.models import Role

QUIET_S = 3.0
UNDERSTAND_S = 10.0
ANSWER_S = 30.0
DOWN_S = 60.0
ATTEMPTS = 4

_REPLY_OPEN = frozenset({Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED})
_DOWN = frozenset({Phase.IDLE, Phase.OFFLINE, Phase.CONNECTING, Phase.RENEWING, Phase.RECONNECTING})
_DOCTOR = "Run `novadesk doctor` to see what is wrong, then try again."
# The recording is the microphone: without it nothing will ever be said.
_DEAF = frozenset({Layer.INPUT.value, Layer.AUDIO.value})


class Outcome(Enum):
    """How a talk runs out."""

    DONE = auto()
    NOTHING_RECOGNISED = auto()
    NO_ANSWER = auto()


class Course:
    """Follows one talk to its end: no reply open for `QUIET_S`, no answer within `ANSWER_S`, or no way to go on.

    A sound near the recording's end that has not become a turn yet gets `UNDERSTAND_S`: until it is clear that
    somebody has finished speaking and what was said, seconds pass in which no reply is open either.

    Args:
        now: monotonic seconds.
        quiet_end_s: length of the quiet at the recording's end, None when there is nothing to hear in it.
    """

    def __init__(self, now: float, quiet_end_s: float | None) -> None:
        self._quiet_end_s = quiet_end_s
        self._roles: set[Role] = set()
        self._last_role: Role | None = None
        self._asked_at = float("-inf")
        self._fed_at: float | None = None
        self._quiet_since: float | None = None
        self._down_since: float | None = now
        self._was_live = False

    def take(self, role: Role, now: float) -> None:
        """Take a finished turn."""
        self._roles.add(role)
        self._last_role = role
        self._quiet_since = None
        if role is Role.USER:
            self._asked_at = now

    def judge(self, snapshot: Snapshot, *, now: float, fed: bool) -> Outcome | None:
        """Return how the talk has ended, or None while it goes on.

        Args:
            snapshot: where the conversation stands.
            now: monotonic seconds.
            fed: the whole recording has been heard.

        Raises:
            KnownError: the conversation cannot go on.
        """
        self._check(snapshot, now)
        if not fed and snapshot.phase is not Phase.ENDED:
            return None
        if self._fed_at is None:
            self._fed_at = now
        waiting = self._last_role is Role.USER and snapshot.phase is not Phase.ENDED
        if waiting and now - max(self._asked_at, self._fed_at) > ANSWER_S:
            return _unless_troubled(snapshot, Outcome.NO_ANSWER)
        if waiting or snapshot.phase in _REPLY_OPEN or snapshot.phase in _DOWN:
            self._quiet_since = None
            return None
        if self._quiet_since is None:
            self._quiet_since = now
        understood = snapshot.phase is Phase.ENDED or self._understood(self._fed_at)
        if now - self._quiet_since <= (QUIET_S if understood else UNDERSTAND_S):
            return None
        return Outcome.DONE if Role.USER in self._roles else _unless_troubled(snapshot, Outcome.NOTHING_RECOGNISED)

    def _understood(self, fed_at: float) -> bool:
        return self._quiet_end_s is None or self._asked_at > fed_at - self._quiet_end_s

    def _check(self, snapshot: Snapshot, now: float) -> None:
        error = snapshot.error
        if snapshot.phase is Phase.FAILED or (error is not None and error.layer in _DEAF):
            raise _known(snapshot)
        if snapshot.phase not in _DOWN:
            self._down_since, self._was_live = None, True
            return
        self._down_since = now if self._down_since is None else self._down_since
        tried = not self._was_live and snapshot.attempt >= ATTEMPTS
        if tried or now - self._down_since > DOWN_S:
            raise _known(snapshot)


def _unless_troubled(snapshot: Snapshot, outcome: Outcome) -> Outcome:
    if snapshot.error is not None:
        raise _known(snapshot)
    return outcome


def _known(snapshot: Snapshot) -> KnownError:
    if (error := snapshot.error) is None:
        return KnownError(Reason.TIMED_OUT, "The service did not answer in time.", _DOCTOR)
    # What a window would do by itself ends with this process.
    advice = _DOCTOR if "by itself" in error.advice else error.advice
    return KnownError(Reason(error.reason), error.what, advice)
