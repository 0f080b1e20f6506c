"""Stop: an answer that is played falls silent, and one that is due is declined, asked for already or not yet."""

from collections.abc import Callable

from novadesk.conversation.api import Phase, TalkMode
from novadesk.conversation.downlink import Downlink
from novadesk.conversation.ear import Ear
from novadesk.conversation.ports import Clock
from novadesk.conversation.questions import Questions
from novadesk.conversation.uplink import Uplink
from novadesk.text import Text

LATE_S = 5.0
"""How long after a stop the words may still come that were said before it."""

_DUE = frozenset({Phase.THINKING, Phase.TOOL, Phase.INTERRUPTED})
_AWAY = frozenset({Phase.RECONNECTING, Phase.RENEWING})


class Stopping:
    """Knows which answer the person does not want.

    Args:
        clock: time.
        uplink: knows how the person talks.
        ear: knows when the person talked last.
        downlink: the answers.
        questions: what waits for one.
        forgo_tools: called when nobody waits for what follows from the tools that run.
        declined: called when an answer is declined of which nothing has come yet.
        notice: shows a passing line.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        uplink: Uplink,
        ear: Ear,
        downlink: Downlink,
        questions: Questions,
        forgo_tools: Callable[[], None],
        declined: Callable[[], None],
        notice: Callable[[str], None],
    ) -> None:
        self._clock, self._uplink, self._ear = clock, uplink, ear
        self._downlink, self._questions = downlink, questions
        self._forgo_tools, self._declined, self._notice = forgo_tools, declined, notice
        self._at = float("-inf")

    def stop(self, phase: Phase) -> None:
        """Silence the answer, and want nothing more of it; `phase` is where the conversation stands."""
        self._downlink.stop()
        self._forgo_tools()
        if phase in _DUE and self._downlink.decline():
            self._at = self._clock.now()
            self._questions.given_up()
            self._declined()
        elif phase in _AWAY and not self._uplink.talking:
            questions, spoken = self._questions.forgo(), self._uplink.forget()
            if questions or spoken:
                self._notice(Text("What you asked is not asked again."))

    def talks_anew(self) -> bool:
        """Return whether words that are understood now were said after the stop: their answer is wanted."""
        if self._ear.talked_at > self._at:
            return True
        return self._uplink.mode is TalkMode.HANDS_FREE and self._clock.now() - self._at > LATE_S
