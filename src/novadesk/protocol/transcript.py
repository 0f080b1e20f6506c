"""The client's record of a wire session: what is being said now, and what was said.

Planned texts, blocks of speech and FINAL texts carry unrelated identifiers; they are paired by order. A block of speech
belongs to the oldest planned text that has none yet. A FINAL text belongs to the planned text that it resembles, else
to the oldest piece without one. What was heard of a piece is its samples played ÷ samples received.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from novadesk.models import Role
from novadesk.protocol.answer import Answer
from novadesk.protocol.events import TOOL_NAME, StopReason
from novadesk.protocol.session_events import (
    Interrupted,
    SessionEvent,
    SpeechEnded,
    SpeechReceived,
    TextPlanned,
    TextSpoken,
    ToolRequested,
    TurnEnded,
    UserTextReceived,
)

_SAMPLE_BYTES = 2
_COUNT_SLACK_SAMPLES = 6_000
"""A quarter of a second at 24 kHz: what resampling and block sizes may add to a count of samples played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnText:
    """A finished turn. The same `turn_id` again replaces the earlier one; it is never another turn.

    Attributes:
        heard_chars: characters of `text` that the person heard; None means all.
        interrupted: the user spoke over it, or the person stopped it.
        unconfirmed: `text` has planned text cut at the heard position, or will have when more of it has been heard.
        voice: whose voice an answer has, where that is known.
        tools: what the model asked for since its last turn.
    """

    turn_id: str
    role: Role
    text: str
    interrupted: bool = False
    heard_chars: int | None = None
    unconfirmed: bool = False
    voice: str = ""
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LivePiece:
    """Text in the making: `spoken` has been played, `planned` has not yet."""

    role: Role
    spoken: str
    planned: str = ""


def _random_id() -> str:
    return str(uuid4())


def _with(tools: tuple[str, ...], tool: str) -> tuple[str, ...]:
    return tools if tool in tools else (*tools, tool)


class Transcript:
    """The record of one wire session. Knows neither clock nor disk.

    Args:
        new_id: makes the identity of a turn.
        tools: what the model asked for on earlier wire sessions, and has not answered with yet.

    Attributes:
        voice: whose voice the answers have; told when the wire session begins to carry the conversation.
    """

    def __init__(self, new_id: Callable[[], str] = _random_id, tools: tuple[str, ...] = ()) -> None:
        self.voice = ""
        self._new_id = new_id
        self._tools = tools
        self._present: Answer | None = None
        self._earlier: list[Answer] = []  # those that FINAL texts may still come for, and the newest
        self._told: dict[str, TurnText] = {}
        self._unstored: dict[str, TurnText] = {}
        self._received = 0
        self._position = 0
        self._counted = 0
        self._count_base = 0
        self._playing_known = False

    # --- what happens ------------------------------------------------------------------------

    def feed(self, event: SessionEvent) -> tuple[TurnText, ...]:
        """Take an event of the client side (others are ignored); return the turns that it finished or replaced."""
        match event:
            case UserTextReceived():
                return self._tell(TurnText(turn_id=self._new_id(), role=Role.USER, text=event.text.strip()))
            case TextPlanned():
                self._answer().plan(event.content_id, event.text)
            case SpeechReceived():
                self._hear(event)
            case SpeechEnded():
                if self._present is not None:
                    self._present.end_audio(event.content_id)
            case TextSpoken():
                return self._confirm(event.text.strip(), last=event.stop_reason is StopReason.END_TURN)
            case ToolRequested():
                self._use(event.name)
            case TurnEnded():
                return self._finish()
            case Interrupted():
                return self._interrupt()
            case _:
                pass
        return ()

    def played(self, samples: int) -> None:
        """Take the 24 kHz samples played since the last `Interrupted` or `stop()` (the engine's count of a generation).

        A count that begins anew with each answer works as well: a falling count means the newest answer's beginning.
        A count that has run since before this record began is corrected at the first report, exactly so when that one
        comes before the first speech.
        """
        if self._received and samples < self._counted:
            starts = [answer.first_sample() for answer in self._answers()]
            self._count_base = max((start for start in starts if start is not None), default=self._received)
        elif not self._received or self._count_base + samples > self._received + _COUNT_SLACK_SAMPLES:
            # More than was received: the count has run since before this record began.
            self._count_base = self._position - samples
        self._counted = samples
        self._playing_known = True
        self._position = min(self._count_base + samples, self._received)
        for answer in self._answers():
            answer.hear_until(self._position)

    def stop(self) -> tuple[TurnText, ...]:
        """Note that the person stopped playback: what is not played by now is never heard.

        The turn goes on, but what was heard of it is returned at once: whatever the person says next comes after it.
        Its FINAL texts are still collected and replace it. A turn that was finished and still played is returned anew.
        """
        self._cut_off()
        if self._present is not None:
            self._present.interrupted = self._present.muted = True
        return tuple(turn for answer in self._answers() for turn in self._retell(answer))

    def forgo(self) -> None:
        """Note that the person wants nothing of the next answer: whatever comes of it is never heard."""
        if self._present is None:
            answer = self._answer()
            answer.interrupted = answer.muted = answer.forgone = True

    def want(self) -> bool:
        """Take `forgo` back; return False where something of the answer has come already."""
        if self._present is None or not self._present.forgone or not self._present.empty:
            return False
        self._present = None
        return True

    def expire(self) -> tuple[TurnText, ...]:
        """Note that no more is heard for now, or that the link is over: what is left of every answer is told.

        Those are FINAL texts, and heard planned text as unconfirmed; a FINAL text that comes after all replaces that.
        """
        self._put_by()
        return tuple(turn for answer in self._earlier for turn in self._retell(answer, over=True))

    def give_up(self) -> str:
        """Forget the newest answer, of which nothing more is told; return the id of its turn, empty without one."""
        if self._present is not None:
            newest, self._present = self._present, None
        elif self._earlier:
            newest = self._earlier.pop()
        else:
            return ""
        self._unstored.pop(newest.turn_id, None)
        return newest.turn_id

    def stored(self, turn_id: str) -> None:
        """Note that a finished turn is on disk: `live()` no longer shows it."""
        self._unstored.pop(turn_id, None)

    # --- what there is to see ----------------------------------------------------------------

    def live(self) -> tuple[LivePiece, ...]:
        """Return the text in the making, oldest first, after finished turns that are not on disk yet."""
        pieces = [LivePiece(turn.role, turn.text) for turn in self._unstored.values()]
        if self._present is not None and not self._present.muted:  # of a muted one, all that was heard is told
            spoken, planned = self._present.split()
            if spoken or planned:
                pieces.append(LivePiece(Role.ASSISTANT, spoken, planned))
        return tuple(pieces)

    def unfinished(self) -> str:
        """Return the text of the answer that is neither finished nor cut off, heard or not; empty without one."""
        if self._present is None or self._present.muted:
            return ""
        return " ".join(filter(None, self._present.split()))

    @property
    def owes(self) -> bool:
        """Return whether the service has yet to confirm text of the newest answer. Of a cut one it need not."""
        if self._present is not None:
            return not (self._present.forgone and self._present.empty)
        return any(not newest.interrupted and newest.owes() for newest in self._earlier[-1:])

    @property
    def unused_tools(self) -> tuple[str, ...]:
        """Return the tools that were asked for, and that no answer has followed yet."""
        return self._tools

    # --- within ------------------------------------------------------------------------------

    def _answer(self) -> Answer:
        if self._present is None:
            self._present = Answer(self._new_id())
            self._present.hear_until(self._position)
            self._present.tools, self._tools = self._tools, ()
        return self._present

    def _use(self, tool: str) -> None:
        """Note a tool for the answer that has begun, else for the next one; what no tool can be called is none."""
        if TOOL_NAME.fullmatch(tool) is None:
            return
        if self._present is not None:
            self._present.tools = _with(self._present.tools, tool)
        else:
            self._tools = _with(self._tools, tool)

    def _answers(self) -> list[Answer]:
        return self._earlier if self._present is None else [*self._earlier, self._present]

    def _hear(self, event: SpeechReceived) -> None:
        answer = self._answer()
        samples = len(event.pcm) // _SAMPLE_BYTES
        answer.hear(event.content_id, samples, self._received)
        if not answer.muted:
            self._received += samples

    def _confirm(self, text: str, *, last: bool) -> tuple[TurnText, ...]:
        if not text:
            return ()
        owing = [answer for answer in self._earlier if answer.owes()]
        late = [answer for answer in owing if answer.resembles(text)]
        if self._present is None:
            late = late or owing[-1:]
        elif self._present.resembles(text):
            late = []
        answer = late[0] if late else self._answer()
        answer.confirm(text, last=last)
        return self._retell(answer) if late else ()

    def _finish(self) -> tuple[TurnText, ...]:
        self._put_by()
        return tuple(turn for answer in self._earlier for turn in self._retell(answer))

    def _put_by(self) -> None:
        if self._present is not None:
            open_still = [answer for answer in self._earlier if answer.owes() and not answer.whole]
            self._earlier, self._present = [*open_still, self._present], None

    def _interrupt(self) -> tuple[TurnText, ...]:
        for answer in self._cut_off():
            answer.whole = True  # FINAL texts of what it left unsaid never come
        if self._present is not None:
            self._present.interrupted = True
            self._present.whole |= not self._present.muted
        cut = tuple(turn for answer in self._earlier for turn in self._retell(answer))
        return (*cut, *self._finish())

    def _cut_off(self) -> list[Answer]:
        cut = [answer for answer in self._answers() if answer.cut_off()]
        self._received = self._position = self._counted = self._count_base = 0
        return cut

    def _retell(self, answer: Answer, *, over: bool = False) -> tuple[TurnText, ...]:
        """Tell an answer if it is another than was told last; when it is `over`, no more of it will be heard."""
        text, heard_chars, unconfirmed = answer.record()
        known = answer.interrupted and self._playing_known
        turn = TurnText(
            turn_id=answer.turn_id,
            role=Role.ASSISTANT,
            text=text,
            interrupted=answer.interrupted,
            heard_chars=0 if answer.forgone else heard_chars if known else None,
            unconfirmed=unconfirmed or (not over and answer.grows()),
            voice=self.voice,
            tools=answer.tools,
        )
        if not text or turn == self._told.get(answer.turn_id):
            return ()
        self._told[answer.turn_id] = turn
        return self._tell(turn)

    def _tell(self, turn: TurnText) -> tuple[TurnText, ...]:
        self._unstored[turn.turn_id] = turn
        return (turn,)
