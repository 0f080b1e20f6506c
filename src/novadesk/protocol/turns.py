"""When an assistant turn is over: the rule, apart from the rest of the wire session.

A turn is *active* from its first planned text, speech or FINAL text. The signs of its end are `contentEnd` END_TURN of
an audio block, and `contentEnd` END_TURN of a FINAL text. Neither suffices alone: FINAL texts arrive after the audio,
seconds later, and an audio END_TURN also comes with a barge-in. No turn ends while an audio block is open. Then it is
over at the first of:

1. audio END_TURN came, and every planned text has its FINAL text;
2. audio END_TURN came after as many FINAL texts as there are audio blocks, and nothing was planned;
3. FINAL END_TURN came, and either every planned text has its FINAL text, or audio END_TURN came, or no audio came;
4. an END_TURN came, and the conversation moves on: the user's next text, the next planned text, a tool, the prompt's
   or the link's end. This bounds 1 to 3 against a service that leaves a FINAL text out.

A barge-in ends the turn with `Interrupted` in place of `TurnEnded`. FINAL texts that belong to an earlier turn's plan
do not count towards the present turn.
"""

from dataclasses import dataclass, field

from novadesk.protocol.events import StopReason
from novadesk.protocol.pairing import match


@dataclass(slots=True)
class _Turn:
    open_plans: dict[str, str] = field(default_factory=dict)
    planned: bool = False
    audio_blocks: int = 0
    final_texts: int = 0
    audio_end_turn: bool = False
    final_end_turn: bool = False


class TurnTracker:
    """Watches the assistant's blocks. The methods that return a bool return True when the turn is over by now."""

    def __init__(self) -> None:
        self._turn: _Turn | None = None
        self._owed: dict[str, str] = {}
        self._open_audio: set[str] = set()
        self._interrupted = False

    def begin(self) -> bool:
        """Note that a planned text or a tool begins; True when the earlier turn is over by that."""
        self._interrupted = False
        return self.move_on()

    def move_on(self) -> bool:
        """Note that the conversation moves on (rule 4)."""
        turn = self._turn
        if turn is None or self._open_audio or not (turn.audio_end_turn or turn.final_end_turn):
            return False
        return self._finish(turn)

    def hear_user(self) -> None:
        """Note a finished text of the user: the signs of the barge-in before it have all come."""
        self._interrupted = False

    def plan(self, content_id: str, text: str) -> None:
        """Note a planned text; the same `content_id` again continues it."""
        turn = self._active()
        turn.planned = True
        turn.open_plans[content_id] = turn.open_plans.get(content_id, "") + text

    def open_audio(self, content_id: str) -> None:
        """Note that an audio block began."""
        self._interrupted = False
        self._open_audio.add(content_id)
        self._active().audio_blocks += 1

    def close_audio(self, content_id: str, stop_reason: StopReason) -> bool:
        """Note that an audio block ended."""
        turn = self._turn
        if turn is None or content_id not in self._open_audio:
            return False
        self._open_audio.discard(content_id)
        turn.audio_end_turn |= stop_reason is StopReason.END_TURN
        told_before = turn.audio_end_turn and not turn.planned and turn.final_texts >= turn.audio_blocks
        return self._finish_if(turn, told_before)

    def speak(self, text: str, stop_reason: StopReason) -> bool:
        """Note a finished FINAL text; an empty one counts for its stop reason only."""
        if (not text and self._turn is None) or (text and self._pay_owed(text)):
            return False
        turn = self._active()
        if text:
            turn.final_texts += 1
            _strike(turn.open_plans, text)
        turn.final_end_turn |= stop_reason is StopReason.END_TURN
        return self._finish_if(turn, False)

    def interrupt(self) -> bool:
        """Note a sign of a barge-in; True for the first sign of each."""
        if self._interrupted:
            return False
        self._interrupted = True
        self._open_audio.clear()
        if self._turn is not None:
            self._finish(self._turn)
        return True

    def _active(self) -> _Turn:
        if self._turn is None:
            self._turn = _Turn()
        return self._turn

    def _finish_if(self, turn: _Turn, told_before: bool) -> bool:
        if self._open_audio:
            return False
        told = not turn.open_plans
        by_audio = turn.audio_end_turn and turn.planned and told
        by_text = turn.final_end_turn and (told or turn.audio_end_turn or not turn.audio_blocks)
        return (told_before or by_audio or by_text) and self._finish(turn)

    def _finish(self, turn: _Turn) -> bool:
        self._owed = turn.open_plans
        self._turn = None
        return True

    def _pay_owed(self, text: str) -> bool:
        """Tell whether a FINAL text belongs to an earlier turn, and strike it from what that one still owes."""
        if not self._owed:
            return False
        if self._turn is not None:
            if match(list(self._turn.open_plans.values()), text) is not None:
                return False
            if match(list(self._owed.values()), text) is None:
                return False
        _strike(self._owed, text)
        return True


def _strike(plans: dict[str, str], text: str) -> None:
    ids = list(plans)
    found = match(list(plans.values()), text)
    # A text that resembles nothing planned was worded anew: it stands for the oldest plan.
    for index in range(min(1, len(ids))) if found is None else found:
        del plans[ids[index]]
