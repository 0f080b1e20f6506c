"""Carries out what the lifecycle decides: the asyncio shell around the table, for one conversation after another.

It owns what a wire session touches (microphone gate, answers, open questions, tools) and the timers of the machine.
Everything runs on the core loop and returns at once.
"""

import logging
import random
import uuid
from collections.abc import Callable

from novadesk.config import Settings
from novadesk.conversation import lifecycle
from novadesk.conversation.api import Connection, Phase, TalkMode
from novadesk.conversation.catchup import catch_up
from novadesk.conversation.downlink import Downlink, DownlinkListener
from novadesk.conversation.ear import Ear
from novadesk.conversation.losses import Losses
from novadesk.conversation.ports import Clock, Linker, Sound
from novadesk.conversation.promptness import Promptness
from novadesk.conversation.quality import ConnectionQuality
from novadesk.conversation.questions import Questions
from novadesk.conversation.record import Record
from novadesk.conversation.soundswitch import SoundSwitch
from novadesk.conversation.stopping import Stopping
from novadesk.conversation.supervisor import Verdict, judge, make_policy
from novadesk.conversation.talkover import TalkOver
from novadesk.conversation.tally import Tally
from novadesk.conversation.timers import Timers
from novadesk.conversation.toolbox import Toolbox, ToolRuns
from novadesk.conversation.uplink import Uplink
from novadesk.conversation.view import View
from novadesk.conversation.voicing import Opening
from novadesk.conversation.wire import WireListener
from novadesk.conversation.wires import Wires
from novadesk.conversation.witnesses import Witnesses
from novadesk.errors import KnownError
from novadesk.models import Cue, Role
from novadesk.protocol.events import WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.session_events import SessionEvent, SpeechReceived, TextPlanned, ToolRequested, UserTextReceived
from novadesk.protocol.transcript import TurnText
from novadesk.text import Text

_log = logging.getLogger(__name__)


class Driver:
    """Drives the lifecycle of the open conversation.

    Args:
        settings: talk settings and limits.
        opening: makes the opening of a wire session.
        linker: makes links.
        sound: microphone and speaker.
        switch: opens and closes them.
        record: the open conversation.
        view: takes passing lines.
        tally: counts outages and renewals.
        clock: time.
        toolbox: what the model may ask for.
        on_changed: called after everything that there may be to draw.
        witnesses: see what goes on.

    Attributes:
        state: where the conversation stands.
        uplink: the microphone's gate.
        downlink: the answers.
        ear: the talk key and the microphone.
        talk_over: what is said while one is played.
        stopping: the wish to hear no answer.
        questions: what was asked and has no answer yet.
        promptness: how fast the microphone's way is.
        wires: the wire sessions.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        opening: Callable[[], Opening],
        linker: Linker,
        sound: Sound,
        switch: SoundSwitch,
        record: Record,
        view: View,
        tally: Tally,
        clock: Clock,
        toolbox: Toolbox,
        on_changed: Callable[[], None],
        witnesses: Witnesses,
    ) -> None:
        self._switch, self._record, self._view, self._tally = switch, record, view, tally
        self._clock, self._on_changed, self._sound = clock, on_changed, sound
        self._policy = make_policy(settings)
        self.state = lifecycle.Lifecycle()
        self.uplink = Uplink(
            mode=TalkMode(settings.talk.mode.value),
            release_tail_s=settings.talk.release_tail_ms / 1000,
            held_s=self._policy.held_s,
        )
        self.downlink = self._make_downlink(witnesses)
        self._losses = Losses(view=view, cue=sound.cue, tally=tally, uplink=self.uplink, record=record)
        self.talk_over = self._make_talk_over(settings)
        self.promptness, self._quality = Promptness(), ConnectionQuality()
        self.ear, self.questions = self._make_ear(), Questions()
        self.stopping = self._make_stopping()
        self._tools = ToolRuns(toolbox, self._on_tool_answered)
        self.wires = Wires(
            linker=linker,
            opening=opening,
            clock=clock,
            listener=WireListener(
                on_ready=self.dispatch,
                on_event=self._on_event,
                on_ended=self._on_link_ended,
                on_sent=self._on_sent,
                on_missed=lambda turn: catch_up(turn, record=record, downlink=self.downlink, wire=self.wires.wire_id),
            ),
            recorder=witnesses.recorder,
            observer=witnesses.observer,
            alone=self._policy.concurrent == 1,
        )
        self._timers = self._make_timers()

    def _make_timers(self) -> Timers:
        return Timers(
            clock=self._clock,
            policy=self._policy,
            uplink=self.uplink,
            downlink=self.downlink,
            questions=self.questions,
            dispatch=self.dispatch,
        )

    def _make_downlink(self, witnesses: Witnesses) -> Downlink:
        return Downlink(
            DownlinkListener(
                play=self._sound.play,
                flush=self._flush,
                keep=self.keep,
                tell=self._on_told,
                ask_tool=self._on_tool_asked,
                key_held=lambda: self.uplink.key_held,
                on_held=lambda: self.questions.answer_began(),
                talks_anew=lambda: self.stopping.talks_anew(),
                heard=witnesses.heard,
            )
        )

    def _make_stopping(self) -> Stopping:
        return Stopping(
            clock=self._clock,
            uplink=self.uplink,
            ear=self.ear,
            downlink=self.downlink,
            questions=self.questions,
            forgo_tools=lambda: self._tools.forgo(),
            declined=self._on_declined,
            notice=self._view.notice,
        )

    def _make_talk_over(self, settings: Settings) -> TalkOver:
        return TalkOver(
            clock=self._clock,
            uplink=self.uplink,
            downlink=self.downlink,
            play_on=self._sound.play_on,
            watch=self._sound.watch_barge_in,
            notice=self._view.notice,
            echo=settings.audio.echo,
        )

    def _make_ear(self) -> Ear:
        return Ear(
            clock=self._clock,
            uplink=self.uplink,
            downlink=self.downlink,
            send=lambda pcm, now: self.wires.send_audio(pcm, now),
            cue=self._sound.cue,
            on_spoke_on=lambda: self.dispatch(lifecycle.SpeechBegan()),
            promptness=self.promptness,
        )

    @property
    def live(self) -> bool:
        """Return whether a wire session carries the conversation now."""
        return self.state.phase in lifecycle.LIVE

    @property
    def connection(self) -> Connection:
        """Return how good the live connection is."""
        return self._quality.at(self._clock.now(), live=self.live, unsent_from=self.wires.unwritten_from)

    async def settle(self) -> bool:
        """Return once nothing of what was dropped runs, and whether the service agreed; tools are broken off."""
        await self._tools.stop()
        return await self.wires.settle()

    async def stop(self) -> None:
        """Settle, and set no timer any more."""
        await self.settle()
        self.talk_over.flushed()
        self._timers.stop()

    def want_link(self) -> None:
        """Take the person's wish to talk while no wire session is live."""
        opening = self.state.phase in lifecycle.OPENING
        self.dispatch(lifecycle.SpeechBegan() if opening else lifecycle.StartRequested())

    def ask(self, text: str, *, aloud: bool, turn_id: str = "") -> None:
        """Send typed text as a user turn, now or as soon as there is a wire session."""
        self.downlink.stop()
        self.downlink.next_turn()
        self.downlink.asked_in_writing(aloud=aloud)
        turn = TurnText(turn_id=turn_id or str(uuid.uuid4()), role=Role.USER, text=text)
        self.keep(turn, typed=True)
        self.questions.add(turn.turn_id, text)
        self.downlink.speech_ended(self._clock.now())
        if self.live:
            self._send_questions()
        else:
            self.want_link()

    def played(self, generation: int, samples: int) -> None:
        """Take the speaker's count; a question is answered once the person has heard something."""
        self.downlink.played(generation, samples, self._clock.now())
        if self.downlink.audible:
            self.talk_over.played()
        if self.state.phase is Phase.SPEAKING and self.downlink.heard:
            self.questions.answered()

    # --- wire sessions ---------------------------------------------------------------------------

    def _on_event(self, generation: int, event: SessionEvent) -> None:
        if generation == self.wires.live:
            match event:
                case UserTextReceived(text=text):
                    self._understood()
                    self.talk_over.understood(text)
                case TextPlanned(text=text):
                    self.talk_over.said(text)
            self.downlink.take(event, self._clock.now())
            if not isinstance(event, SpeechReceived):  # which is seen as it is played
                self._on_changed()

    def _on_link_ended(self, generation: int, error: KnownError | None, heard_at: float) -> None:
        _log.info("link %d ended: %s", generation, error.reason.value if error else "asked for")
        if generation == self.wires.live:
            self.uplink.link_lost(min(heard_at, self.wires.unwritten_from))
            if judge(error) is not Verdict.RENEW:
                self._quality.lost(self._clock.now())
        self.dispatch(lifecycle.LinkEnded(generation=generation, error=error, jitter=random.random()))

    def _on_sent(self, seconds: float) -> None:
        self.promptness.wire.add(seconds)
        self._quality.sent(seconds)

    def _flush(self, generation: int) -> None:
        self.talk_over.flushed()
        self._sound.flush(generation)

    def _send_questions(self) -> None:
        while self.wires.takes_text and (text := self.questions.take()) is not None:
            self.wires.send_text(text)
            self.dispatch(lifecycle.UserUnderstood())

    def _on_tool_asked(self, request: ToolRequested) -> None:
        self._tools.ask(request, self.wires.live, wanted=not self.downlink.discarding)

    def _on_tool_answered(self, request: ToolRequested, generation: int | None, result: str, wanted: bool) -> None:
        in_words = f"The result of {request.name} is {result}"  # for another link: tool ids do not outlive theirs
        if generation == self.wires.live and self.wires.takes_text:
            self.wires.send_tool_result(request.tool_use_id, result)
            if wanted and not self.downlink.discarding:
                self.questions.given(request.tool_use_id, in_words)
        elif wanted:
            self.questions.add(request.tool_use_id, in_words)
            self._send_questions()

    def _go_live(self, generation: int) -> None:
        """Give a ready wire session all that the conversation is: history, kept speech, open questions."""
        renewed = self.wires.live is not None
        if renewed:
            self.uplink.link_lost(self.wires.unwritten_from)
            self._leave_link(self.questions.handed_over)
        now = self._clock.now()
        frames = self.uplink.go_live(now)
        self.downlink.go_live(self.wires.go_live(generation, self._history(), frames, now))
        self._losses.tell()
        if not renewed and self._record.turns and self._record.complete:
            self._tally.resumed()
        if self.downlink.audible and not self.downlink.held:
            self.dispatch(lifecycle.AnswerBegan())
        elif self.state.phase is Phase.SPEAKING:  # its rest was left behind, and all that came was heard
            self.dispatch(lifecycle.AnswerFinished())
        elif self.uplink.talking:
            self.dispatch(lifecycle.SpeechBegan())
        elif frames and self.uplink.mode is TalkMode.HOLD and not renewed:
            self.dispatch(lifecycle.SpeechBegan())
            self.dispatch(lifecycle.SpeechEnded())
            self.downlink.speech_ended(self._clock.now())
        self._send_questions()

    def _history(self) -> list[HistoryMessage]:
        history = self._record.history(without=self.questions.waiting)
        if unfinished := self.downlink.unfinished():
            history.append(HistoryMessage(role=WireRole.ASSISTANT, text=unfinished))
        return history

    def _drop_link(self, action: lifecycle.DropLink) -> None:
        if action.generation == self.wires.live:
            self._leave_link(self._lose_questions)
        self.wires.drop(action.generation, goodbye=action.goodbye)

    def _leave_link(self, ask_again: Callable[[], None]) -> None:
        """Settle what the live wire session will not bring any more."""
        self.downlink.link_over()
        if self.downlink.audible:  # an answer is there and will be heard
            self.questions.answered()
        ask_again()

    def dispatch(self, event: lifecycle.Event) -> None:
        """Take one event of the lifecycle and do what follows from it."""
        before = self.state
        self.state, actions = lifecycle.step(before, event, self._clock.now(), self._policy)
        self._losses.sound(self.state)
        if self.state.phase in lifecycle.OPENING and before.phase not in lifecycle.OPENING and self._record.turns:
            self._tally.resuming()
        for action in actions:
            self._perform(action, before)
        if self.state.phase is Phase.READY and before.phase in lifecycle.LIVE - {Phase.READY}:
            self._settle_exchange(event)
        self._on_changed()

    def _settle_exchange(self, event: lifecycle.Event) -> None:
        """Let go of what nobody waits for any more; a question that is still owed an answer is waited for."""
        self._understood()
        match event:
            case lifecycle.DeadlinePassed():
                self.questions.given_up()
            case lifecycle.AnswerFinished():
                self.questions.answered()
        if self.questions.asked:
            self.dispatch(lifecycle.UserUnderstood())

    def _on_told(self, event: lifecycle.Event) -> None:
        match event:
            case lifecycle.AnswerBegan():
                self._understood()
                self.questions.answer_began()
            case lifecycle.ToolAsked():
                self.questions.tool_asked()
        self.dispatch(event)

    def _on_declined(self) -> None:
        self._understood()
        self.dispatch(lifecycle.AnswerDeclined())

    def _understood(self) -> None:
        """Forget what was said and understood; tell what a link that did not keep up has cost."""
        self.uplink.understood(self._clock.now(), self.wires.unwritten_from)
        self._losses.tell()

    def _lose_questions(self) -> None:
        if self.questions.link_lost():
            self._view.notice(Text("A question was not answered. Please ask it again."))

    def _perform(self, action: lifecycle.Action, before: lifecycle.Lifecycle) -> None:
        match action:
            case lifecycle.OpenLink(generation=generation):
                self.wires.open(generation)
            case lifecycle.GoLive(generation=generation):
                if before.successor is not None and before.successor.generation == generation:
                    self._tally.renewed(self._clock.now() - before.successor.asked_at)
                self._go_live(generation)
            case lifecycle.DropLink():
                self._drop_link(action)
            case lifecycle.OpenSound():
                self._view.sound_opening = True
                self._switch.set(wanted=True)
            case lifecycle.CloseSound():
                self._view.sound_opening, self._view.input_note = False, ""
                self.ear.close()
                self._switch.set(wanted=False, last=Cue.ERROR if self.state.phase is Phase.FAILED else None)
            case lifecycle.FlushSpeaker():
                self.downlink.flush()
            case lifecycle.HoldMicrophone():
                self.uplink.link_lost(self.wires.unwritten_from)
                self.uplink.hold()
            case lifecycle.WaitUntil():
                self._timers.wait(action)
            case lifecycle.TellBack(after_s=after_s, began_at=began_at):
                self._losses.tell_back(after_s, began_at)
            case lifecycle.TellRenewed():
                self._view.renewed(self._record.turns[-1].turn_id if self._record.turns else "")
            case lifecycle.Tell(message=message):
                self._view.notice(message)

    def keep(self, text: TurnText, *, typed: bool = False) -> None:
        """Write a finished turn; what the person said aloud is a question until there is an answer."""
        if text.role is Role.ASSISTANT:
            self.questions.answered()
        elif not (typed or self.downlink.discarding or self.state.phase is Phase.SPEAKING):  # what is answered already
            self.questions.understood(text.turn_id, text.text)
        self._record.keep(text, wire_session=self.wires.wire_id, typed=typed)

    def forget(self) -> None:
        """Forget the open questions and what was measured: the conversation is over."""
        self.questions.clear()
        self._quality.over()
        self.downlink.begin()
        self.talk_over.forget()
