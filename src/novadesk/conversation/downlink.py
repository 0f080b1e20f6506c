"""What the service sends, turned into turns to keep, sound to play, and events of the lifecycle."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from novadesk.config import VoiceSettings
from novadesk.conversation import lifecycle
from novadesk.conversation.api import AnswerDelay, LiveText, TokenTotals
from novadesk.conversation.delay import AnswerClock
from novadesk.conversation.holdback import HoldBack
from novadesk.conversation.playback import Answer, Playback
from novadesk.protocol.session_events import (
    Interrupted,
    SessionEvent,
    SpeechReceived,
    TextPlanned,
    TextSpoken,
    ToolRequested,
    TurnEnded,
    UsageReported,
    UserSpeechEnded,
    UserTextReceived,
)
from novadesk.protocol.transcript import Transcript, TurnText

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownlinkListener:
    """Where a downlink's results go; every call returns at once.

    Attributes:
        key_held: returns whether the person is not done talking.
        on_held: an answer has begun that waits for that.
        talks_anew: returns whether what is understood now was said after an answer was declined.
        heard: told how many samples of a piece of speech were played, and whether that was the last of what has come.
    """

    play: Callable[[bytes, int], None]
    flush: Callable[[int], None]
    keep: Callable[[TurnText], None]
    tell: Callable[[lifecycle.Event], None]
    ask_tool: Callable[[ToolRequested], None]
    key_held: Callable[[], bool]
    on_held: Callable[[], None]
    talks_anew: Callable[[], bool]
    heard: Callable[[str, int, bool], None] = lambda _content_id, _samples, _last: None


class Downlink:
    """Follows the service's events of one conversation, across wire sessions."""

    def __init__(self, listener: DownlinkListener) -> None:
        self.tokens = TokenTotals()
        self._listener = listener
        self._playback = Playback()
        self._transcript = Transcript()
        self._orphans: list[tuple[Transcript, int]] = []  # of links that are over, until that count has been played
        self._left: Transcript | None = None  # of a link that was lost in the middle of an answer
        self._answer_clock = AnswerClock()
        self._held = HoldBack()
        self._declined = False

    @property
    def generation(self) -> int:
        """Return the generation of what is played now."""
        return self._playback.generation

    @property
    def answer_s(self) -> float | None:
        """Return how long the person waited for the newest answer, None when that is not known."""
        return self._answer_clock.total_s

    @property
    def answer_delay(self) -> AnswerDelay | None:
        """Return what that wait was made of."""
        return self._answer_clock.delay

    @property
    def held(self) -> bool:
        """Return whether an answer waits for the release of the talk key."""
        return self._held.active

    @property
    def discarding(self) -> bool:
        """Return whether what comes is thrown away."""
        return self._playback.answer is Answer.DISCARDED

    def live(self) -> tuple[LiveText, ...]:
        """Return the text in the making, split at what has been heard."""
        return tuple(
            LiveText(role=piece.role, spoken=piece.spoken, planned=piece.planned)
            for transcript in self._transcripts()
            for piece in transcript.live()
            if piece.spoken or piece.planned
        )

    @property
    def heard(self) -> bool:
        """Return whether the person has heard something of the newest answer."""
        return self._playback.heard > 0

    @property
    def audible(self) -> bool:
        """Return whether sound that has arrived is still to be played."""
        return self._playback.audible

    def unfinished(self) -> str:
        """Return the text of an answer whose link is over while it is still being played; empty without one."""
        return " ".join(filter(None, (orphan.unfinished() for orphan, _ in self._orphans)))

    @property
    def owed(self) -> bool:
        """Return whether the service has yet to confirm text of its newest answer."""
        return self._transcript.owes

    def set_speaker(self, *, present: bool) -> None:
        """Note whether there is a speaker; without one an answer is over when all of it was sent."""
        self._playback.present = present
        if not present:
            waited = self._held.active
            self.flush()
            if waited:  # its text is all that there will be
                self._listener.tell(lifecycle.AnswerBegan())

    def asked_in_writing(self, *, aloud: bool) -> None:
        """Note whether what the person has just typed is to be answered aloud; what they say always is."""
        self._playback.aloud = aloud

    def speech_ended(self, now: float) -> None:
        """Note the end of the person's speech, from which the answer's delay is measured."""
        self._answer_clock.ended(now)

    def note_level(self, level: float) -> bool:
        """Take the level of a frame captured while the talk key is held.

        Returns:
            Whether the answer that waits is dropped now: the person has spoken on.
        """
        self._held.note_level(level)
        return self._held.spoke_on and self.stop()

    def released(self, now: float) -> bool:
        """Play the answer that waited for the release of the talk key; return whether there is one."""
        if not self._held.active:
            self._held.drop()
            return False
        self._answer_clock.ended(now, answered=True)
        self._playback.let_go(now)
        for pcm in self._held.release():
            self._listener.play(pcm, self._playback.generation)
        self._listener.tell(lifecycle.AnswerBegan())
        return True

    def go_live(self, settings: VoiceSettings) -> None:
        """Note what the wire session was opened with that carries the conversation from now on."""
        self._transcript.voice = settings.voice

    def begin(self) -> None:
        """Forget what was measured of the conversation before, and what its model asked for."""
        self._transcript, self._left = Transcript(), None
        self._answer_clock = AnswerClock()
        self.tokens = TokenTotals()

    def take(self, event: SessionEvent, now: float) -> None:
        """Follow one event of the wire session."""
        playback, tell = self._playback, self._listener.tell
        match event:
            case UserTextReceived() if self._declined and not self._listener.talks_anew():
                pass  # the words that were not to be answered
            case UserTextReceived():
                self.next_turn()
                self._declined = False
                self._playback.aloud = True
                if self._orphans or self._held.active:
                    self.stop()  # its link is not there any more to notice the interruption, or it is overtaken
                self._next_exchange(now)
            case UserSpeechEnded():
                self._answer_clock.noticed(now, told=True)
            case TextPlanned() | TextSpoken():
                self._begin_answer(event, now)
            case SpeechReceived(content_id=content_id, pcm=pcm):
                self._begin_answer(event, now)
                self._answer_clock.arrived(now)
                if playback.speech(content_id, pcm, now):
                    self._play(pcm)
            case Interrupted():
                self._declined = False
                playback.forget()
                tell(lifecycle.AnswerInterrupted())
            case ToolRequested():
                if not self.discarding:
                    tell(lifecycle.ToolAsked())
                self._listener.ask_tool(event)
            case UsageReported(delta=delta):
                total = self.tokens
                self.tokens = TokenTotals(
                    speech_in=total.speech_in + delta.speech_in,
                    text_in=total.text_in + delta.text_in,
                    speech_out=total.speech_out + delta.speech_out,
                    text_out=total.text_out + delta.text_out,
                )
            case _:
                pass
        self._keep_all(self._transcript.feed(event))
        if isinstance(event, UserTextReceived) and not self._declined:
            tell(lifecycle.UserUnderstood())
        elif isinstance(event, TurnEnded):
            self._turn_ended(now)

    def played(self, generation: int, samples: int, now: float) -> None:
        """Take the speaker's count of samples played."""
        playback = self._playback
        if not playback.played(generation, samples, now):
            return
        if playback.heard > 0:
            self._answer_clock.heard(now)
        self._tell_heard()
        while self._orphans and self._orphans[0][1] <= samples:
            orphan, ends_at = self._orphans.pop(0)
            orphan.played(ends_at)
            self._keep_all(orphan.expire())
        self._transcripts()[0].played(samples)
        self.settle(now)

    def settle(self, now: float) -> None:
        """End the answer when it is over: all of it played, or neither wire nor speaker moving any more."""
        if self._playback.finished(now):
            if self._playback.audible:
                _log.warning("the speaker did not play all of an answer")
                self.flush()
            self._close_orphans()
            self._keep_all(self._transcript.expire())
            self._playback.forget()
            self._listener.tell(lifecycle.AnswerFinished())

    def stop(self) -> bool:
        """Silence the answer and discard its rest; return False when there is none."""
        if self._playback.answer not in (Answer.ARRIVING, Answer.DRAINING):
            return False
        for transcript in self._transcripts():
            self._keep_all(transcript.stop())
        self._orphans.clear()
        self._playback.discard()
        self._listener.tell(lifecycle.AnswerInterrupted())
        return True

    def decline(self) -> bool:
        """Discard the answer that is due; return False where one has begun already.

        That ends with the answer, or with the person's next turn.
        """
        if not self._playback.decline():
            return False
        self._declined = True
        self._answer_clock.dropped()
        self._transcript.played(self._playback.count)  # nothing of it is heard
        self._transcript.forgo()
        return True

    def next_turn(self) -> None:
        """Note that the person has asked something else: an answer that was declined and never came is over with."""
        if self._declined and self._transcript.want():
            self._declined = False
            self._playback.forget()

    def stored(self, turn_id: str) -> None:
        """Note that a turn is on disk: it is live no more."""
        for transcript in self._transcripts():
            transcript.stored(turn_id)

    def take_over(self) -> str:
        """Give up the answer whose rest did not come, because all of it is known from elsewhere.

        Returns:
            The id of its turn, empty where there is none.
        """
        left, self._left = self._left, None
        for transcript in filter(None, (left, self._transcript)):
            if transcript.owes and (turn_id := transcript.give_up()):
                return turn_id
        return ""

    def flush(self) -> None:
        """Silence the speaker."""
        self._close_orphans()
        self._drop_held()
        if self._playback.unplayed:
            self._tell_heard(last=True)
        self._listener.flush(self._playback.flush())

    def link_over(self) -> None:
        """Expect nothing more of the link. What arrived is still played; then what was heard of it is kept."""
        self._declined = False
        self._playback.all_sent()
        over = self._transcript
        self._left = over if over.owes else self._left
        self._transcript = Transcript(tools=over.unused_tools)
        self._orphans.append((over, self._playback.queued))
        if self._playback.audible:
            self._transcript.played(self._playback.queued)  # its own speech begins there
        else:
            if self._playback.count:
                self._transcript.played(self._playback.count)
            self._close_orphans()
            self._drop_held()
            self._playback.forget()

    def _tell_heard(self, *, last: bool = False) -> None:
        if (at := self._playback.at) is not None:
            self._listener.heard(*at, last)

    def _play(self, pcm: bytes) -> None:
        if self._held.active:
            self._held.take(pcm)
        else:
            self._listener.play(pcm, self._playback.generation)

    def _drop_held(self) -> None:
        self._held.drop()
        self._playback.held = False

    def _transcripts(self) -> tuple[Transcript, ...]:
        return (*(orphan for orphan, _ in self._orphans), self._transcript)

    def _close_orphans(self) -> None:
        while self._orphans:
            self._keep_all(self._orphans.pop(0)[0].expire())

    def _keep_all(self, turns: tuple[TurnText, ...]) -> None:
        for turn in turns:
            self._listener.keep(turn)

    def _next_exchange(self, now: float) -> None:
        if self.discarding:
            self._playback.forget()
        if not self._answer_clock.running:
            self._answer_clock.unknown()
        self._answer_clock.noticed(now, told=False)

    def _begin_answer(self, event: SessionEvent, now: float) -> None:
        if isinstance(event, TextSpoken) or not self._playback.begin(now):
            return
        for orphan, _ in self._orphans:  # they are heard before it, and come before it; more of them may be heard
            self._keep_all(orphan.feed(TurnEnded()))
        if self._playback.sounds and self._listener.key_held():
            self._transcript.played(self._playback.count)  # nothing of it is heard before the release
            self._held.begin()
            self._playback.held = True
            self._listener.on_held()
        else:
            self._listener.tell(lifecycle.AnswerBegan())

    def _turn_ended(self, now: float) -> None:
        if self.discarding:
            self._declined = False
            self._playback.forget()
            self._listener.tell(lifecycle.AnswerFinished())
        self._playback.all_sent()
        self.settle(now)
