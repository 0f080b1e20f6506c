"""What the lifecycle is woken for, each with what holds at that moment."""

import random
from collections.abc import Callable

from novadesk.conversation import lifecycle
from novadesk.conversation.alarm import Alarm
from novadesk.conversation.downlink import Downlink
from novadesk.conversation.lifecycle import Timer
from novadesk.conversation.ports import Clock
from novadesk.conversation.questions import Questions
from novadesk.conversation.supervisor import Policy
from novadesk.conversation.uplink import Uplink


class Timers:
    """Wakes the machine.

    Args:
        clock: time.
        policy: how long a quiet moment is.
        uplink: knows whether somebody speaks.
        downlink: knows whether an answer is owed.
        questions: knows what waits for one.
        dispatch: takes the event.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        policy: Policy,
        uplink: Uplink,
        downlink: Downlink,
        questions: Questions,
        dispatch: Callable[[lifecycle.Event], None],
    ) -> None:
        self._clock, self._policy, self._uplink, self._downlink = clock, policy, uplink, downlink
        self._questions, self._dispatch = questions, dispatch
        self._alarms = {timer: Alarm(self._ringer(timer)) for timer in Timer}

    def wait(self, until: lifecycle.WaitUntil) -> None:
        """Wake the machine at another time than was said before, or not at all."""
        alarm = self._alarms[until.timer]
        alarm.cancel()
        if until.at is not None:
            alarm.set_in(until.at - self._clock.now())

    def stop(self) -> None:
        """Wake nobody any more."""
        for alarm in self._alarms.values():
            alarm.cancel()

    def _ringer(self, timer: Timer) -> Callable[[], None]:
        return lambda: self._dispatch(self._due(timer))

    def _due(self, timer: Timer) -> lifecycle.Event:
        match timer:
            case Timer.STEP:
                return lifecycle.DeadlinePassed(jitter=random.random())
            case Timer.RENEWAL:
                quiet = self._uplink.quiet(self._clock.now(), self._policy.quiet_s)
                settled = not self._questions.open and not self._downlink.owed
                understood = self._questions.asked and not self._uplink.talking
                return lifecycle.RenewalDue(quiet=quiet and settled, understood=understood, jitter=random.random())
            case Timer.IDLE:
                return lifecycle.IdleDue(quiet=self._uplink.voiceless(self._clock.now(), self._policy.quiet_s))
