"""The asyncio shell of a conversation: carries out what the lifecycle decides and publishes snapshots.

Everything here runs on the core loop. Wishes and device reports (`SoundListener`) return at once; what
takes time is a chore, done one after another, or a task of a wire session.
"""

import logging
from collections.abc import Callable
from typing import Any

from novadesk.config import EchoSetting, Settings, VoiceSettings
from novadesk.conversation import lifecycle
from novadesk.conversation.alarm import Alarm
from novadesk.conversation.api import Phase, Snapshot, SnapshotSink, TalkMode, WireFacts
from novadesk.conversation.background import Background
from novadesk.conversation.driver import Driver
from novadesk.conversation.ports import Archive, Clock, Linker, Sound
from novadesk.conversation.promptness import Promptness
from novadesk.conversation.publishing import Publishing
from novadesk.conversation.record import Record, carried_line, recovered_line
from novadesk.conversation.soundreports import SoundReports
from novadesk.conversation.soundswitch import SoundSwitch
from novadesk.conversation.tally import Tally
from novadesk.conversation.toolbox import Toolbox
from novadesk.conversation.view import View
from novadesk.conversation.voicing import Voicing
from novadesk.conversation.witnesses import Witnesses
from novadesk.diagnostics.metrics import Meter
from novadesk.errors import KnownError, Layer
from novadesk.models import Role
from novadesk.protocol.session import Setup
from novadesk.scenario import Chosen
from novadesk.text import Text

_log = logging.getLogger(__name__)

WATCH_S = 1.0


class Controller:
    """Runs the open conversation; fits `Wishes`.

    Args:
        settings: backend, voice and talk settings.
        setup: makes the opening of a wire session with a voice.
        linker: makes links.
        sound: microphone and speaker.
        archive: the local truth.
        clock: time.
        toolbox: what the model may ask for.
        publish: takes every new snapshot, on the core loop.
        on_saved: called after a turn reached the disk.
        on_quit: called when the person wants to leave.
        echo_over_voice_db: returns how much louder the echo reaches the microphone than the voice; 0 while unknown.
        meter: takes measurements.
        witnesses: see what goes on.
        levels: publish with the sound, for whoever looks at its levels.

    Attributes:
        private: every conversation that is begun is a private one.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        setup: Callable[[VoiceSettings], Setup],
        linker: Linker,
        sound: Sound,
        archive: Archive,
        clock: Clock,
        toolbox: Toolbox,
        publish: SnapshotSink,
        on_saved: Callable[[], None],
        on_quit: Callable[[], None],
        echo_over_voice_db: Callable[[], float] = lambda: 0.0,
        meter: Meter | None = None,
        witnesses: Witnesses | None = None,
        levels: bool = True,
    ) -> None:
        self._backend, self._clock, self._sound = linker.kind, clock, sound
        self.private = settings.history.private
        self._on_saved, self._on_quit, self._echo_over_voice_db = on_saved, on_quit, echo_over_voice_db
        self._publishing = Publishing(clock, lambda: publish(self.snapshot()), sound=levels)
        self._changed = self._publishing.changed
        self._tally, self._record = Tally(meter), self._make_record(archive)
        self._view = View(settings=settings, backend=linker.kind)
        self._switch = self._make_switch()
        self._voicing = Voicing(
            settings=settings.voice,
            record=self._record,
            make=setup,
            on_changed=lambda: self._driver.dispatch(lifecycle.OpeningChanged()),
        )
        self._driver = Driver(
            settings=settings,
            opening=self._voicing.opening,
            linker=linker,
            sound=sound,
            switch=self._switch,
            record=self._record,
            view=self._view,
            tally=self._tally,
            clock=clock,
            toolbox=toolbox,
            on_changed=self._changed,
            witnesses=witnesses or Witnesses(),
        )
        self._background = Background(on_error=lambda error: self._view.notice(error.whole), on_done=self._changed)
        self._watch = Alarm(self._on_watch)

    def _make_switch(self) -> SoundSwitch:
        return SoundReports(
            sound=self._sound,
            driver=lambda: self._driver,
            view=self._view,
            publishing=self._publishing,
            clock=self._clock,
            on_trouble=self._on_trouble,
        ).switch

    def _make_record(self, archive: Archive) -> Record:
        return Record(
            archive=archive,
            clock=self._clock,
            on_changed=self._changed,
            on_stored=self._on_stored,
            on_trouble=lambda error: self._on_trouble(Layer.STORE, error),
            on_shown=lambda turn_id: self._driver.downlink.stored(turn_id),
        )

    # --- life ------------------------------------------------------------------------------------

    async def start(
        self,
        *,
        handle: str | None = None,
        fresh: bool = False,
        private: bool = False,
        go_on: bool = False,
        scenario: Chosen | None = None,
    ) -> None:
        """Load the conversation: `handle`, or an empty one, or the one that was open last.

        Args:
            handle: of the conversation to go on with.
            fresh: begin an empty one.
            private: begin an empty one of which nothing is ever written.
            go_on: with the one that was open last, also where those that are begun are private.
            scenario: begin an empty one with it.

        Raises:
            KnownError: no such conversation, or the store cannot be read.
        """
        if handle is not None:
            await self._record.load(handle)
        elif (
            fresh
            or private
            or (self.private and not go_on)
            or scenario is not None
            or not await self._record.load_current()
        ):
            self._begin(private=private, scenario=scenario)
        for part in (self._record, self._switch, self._background):
            part.start()
        self._watch.set_in(WATCH_S)
        if self._record.recovered:
            self._tally.loaded(self._record.load_ms)
            self._view.notice((recovered_line if handle is None else carried_line)(self._record.recovered))
        self._changed()

    def connect(self) -> None:
        """Open the conversation's link."""
        self._driver.dispatch(lifecycle.StartRequested())

    def ask_again(self) -> None:
        """Have the newest turn answered by the next wire session, if it is the person's: whoever was asked is gone."""
        if (turns := self._record.turns) and turns[-1].role is Role.USER:
            self._driver.questions.add(turns[-1].turn_id, turns[-1].text)

    async def stop(self) -> None:
        """End the wire session, write what waits, release everything. The conversation stays the current one."""
        self._driver.dispatch(lifecycle.EndRequested())
        await self._background.stop()
        await self._driver.stop()
        await self._switch.stop()
        await self._record.stop()
        self._publishing.stop()
        self._watch.cancel()

    def snapshot(self) -> Snapshot:
        """Return what there is to draw now."""
        self._view.extra(connection=self._driver.connection)
        return self._view.draw(
            state=self._driver.state,
            record=self._record,
            uplink=self._driver.uplink,
            downlink=self._driver.downlink,
            tally=self._tally,
            talk_over=self._driver.talk_over,
            voicing=self._voicing,
            in_force=self._driver.wires.voice,
            closing=self._driver.wires.closing,
            now=self._clock.now(),
        )

    def wire_facts(self) -> tuple[tuple[WireFacts, ...], int]:
        """Return the ids of the wire sessions, and how many are being torn down."""
        return self._driver.wires.facts()

    @property
    def promptness(self) -> Promptness:
        """Return how fast the program's part of the microphone's way is."""
        return self._driver.promptness

    def set_extra(self, **values: Any) -> None:
        """Set snapshot fields that others own: pending_sync, keyring_note, hotkeys and the like."""
        self._view.extra(**values)
        self._changed()

    async def note_delivery(self, *, pending: int, note: str, changed: bool = False) -> None:
        """Show how many turns are still on their way to the remote store, and what the person should know of it.

        Args:
            pending: turns on their way.
            note: one line for people, or empty.
            changed: others changed something on disk; the open conversation is read again.
        """
        delivered = pending < self._view.pending
        self._view.extra(pending_sync=pending, keyring_note=note)
        if delivered or changed:
            await self._record.refresh()
        self._changed()

    def notice(self, line: str) -> None:
        """Show a passing line of somebody else's."""
        self._view.notice(line)
        self._changed()

    def press_talk(self, held_s: float = 0.0) -> None:
        """Begin to talk: the gate opens, an answer being played stops. The key was held so long before it counted."""
        if self._driver.uplink.talking:
            return
        self._driver.ear.press(held_s)
        if self._driver.live:
            self._driver.dispatch(lifecycle.SpeechBegan())
        else:  # a conversation that is being changed comes first
            self._background.in_turn(self._driver.want_link)

    def release_talk(self, *, meant: bool = True) -> None:
        """Stop talking: the gate closes after the release tail. One that was not `meant` is none: nothing is said."""
        if not self._driver.uplink.talking:
            return
        if self._driver.ear.release():
            return
        if self._driver.state.phase is Phase.LISTENING and self._driver.uplink.silent:
            heard = self._driver.uplink.present and not self._driver.uplink.muted
            if meant and heard and self._driver.uplink.mode is TalkMode.HOLD:
                self._view.notice(Text("Nothing heard. Hold the talk button while you speak."))
            self._driver.dispatch(lifecycle.NothingSaid())
            return
        if self._driver.state.phase is Phase.LISTENING or not self._driver.live:
            self._driver.downlink.speech_ended(self._clock.now())
        self._driver.dispatch(lifecycle.SpeechEnded())

    def set_talk_mode(self, mode: TalkMode) -> None:
        """Choose between hold-to-talk and hands-free; a change ends a press of the talk key."""
        if mode is not self._driver.uplink.mode:
            self.release_talk()
            self._driver.uplink.mode = mode
        self._changed()

    def set_muted(self, muted: bool) -> None:
        """Mute or unmute; muted sends silence."""
        self._driver.uplink.muted = muted
        self._changed()

    def use_release_tail(self, seconds: float) -> None:
        """Keep the gate open for so long after release from now on."""
        self._driver.uplink.tail_s = seconds

    def set_volume(self, volume: float) -> None:
        """Set the loudness of answers, 0 to 1."""
        self._sound.set_volume(volume)

    def use_echo(self, echo: EchoSetting) -> None:
        """Take what is done about the speaker's sound in the microphone from now on."""
        self._driver.talk_over.use_echo(echo)
        self._changed()

    def stop_speaking(self) -> None:
        """Silence the answer being played and discard its rest; discard one that is due and has not begun."""
        self._driver.stopping.stop(self._driver.state.phase)

    def say(self, text: str, *, aloud: bool = True, turn_id: str = "") -> None:
        """Send typed text as a user turn, under an id of its own if it has none; an answer being played stops."""
        if text := text.strip():
            self._driver.downlink.stop()
            self._background.in_turn(lambda: self._driver.ask(text, aloud=aloud, turn_id=turn_id))

    def new_conversation(self, *, private: bool = False, scenario: Chosen | None = None) -> None:
        """End the open conversation and start an empty one, which is never written anywhere when it is private."""
        self._background.queue(self._begin_anew, private, scenario)

    def change_scenario(self, scenario: Chosen | None) -> None:
        """Go on in the open conversation with another scenario, or with none."""
        self._background.in_turn(lambda: self._voicing.change(scenario))

    def use_voice(self, settings: VoiceSettings) -> None:
        """Take another voice, other instructions, another patience, where no scenario says otherwise."""
        self._voicing.use(settings)

    def open_conversation(self, handle: str) -> None:
        """End the open conversation and resume another one with its history."""
        self._background.queue(self._resume, handle)

    def pause_conversation(self) -> None:
        """End the wire session and release the devices for a while; the conversation stays open."""
        self._background.queue(self._pause)

    def resume_conversation(self) -> None:
        """Go on after a pause."""
        self._background.in_turn(self._go_on)

    def end_conversation(self) -> None:
        """End the wire session and release the devices; the conversation stays in the list."""
        self._background.queue(self._end)

    def try_now(self) -> None:
        """Connect, open the devices, write what the disk refused, at once instead of waiting for the next attempt."""
        self._switch.try_now()
        self._record.try_now()
        self._driver.dispatch(lifecycle.TryNowRequested())

    def on_network_up(self) -> None:
        """Take note of another way to the network: an attempt or a wait for the next one is over."""
        self._switch.try_now()
        self._driver.dispatch(lifecycle.NetworkChanged())

    def on_resumed(self) -> None:
        """Take note that the computer slept."""
        self._switch.try_now()
        self._driver.dispatch(lifecycle.Resumed())

    def quit(self) -> None:
        """Finish what is being written, close everything, leave."""
        self._on_quit()

    async def begin_anew(self, *, private: bool = False, scenario: Chosen | None = None) -> None:
        """Do as `new_conversation`, and return once the old one is torn down."""
        await self._background.do(self._begin_anew, private, scenario)

    async def resume(self, handle: str) -> None:
        """Do as `open_conversation`, and return once it is loaded.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`; the open one goes on.
        """
        await self._background.do(self._resume, handle)

    async def pause(self) -> None:
        """Do as `pause_conversation`, and return once everything is released."""
        await self._background.do(self._pause)

    async def end(self) -> None:
        """Do as `end_conversation`, and return once everything is released."""
        await self._background.do(self._end)

    def _on_trouble(self, layer: Layer, error: KnownError | None) -> None:
        self._view.trouble(layer, error)
        self._changed()

    async def _begin_anew(self, private: bool, scenario: Chosen | None) -> None:
        await self._end()
        self._begin(private=private, scenario=scenario)
        self.connect()

    def _begin(self, *, private: bool, scenario: Chosen | None) -> None:
        private = private or self.private
        self._record.begin(self._backend, private=private, scenario="" if scenario is None else scenario.encode())

    async def _resume(self, handle: str) -> None:
        await self._record.check(handle)
        await self._end()
        await self._record.load(handle)
        self._tally.loaded(self._record.load_ms)
        self._view.notice(carried_line(self._record.recovered))
        self.connect()

    async def _pause(self) -> None:
        self._driver.dispatch(lifecycle.PauseRequested())
        if not await self._driver.settle() and self._driver.state.paused:
            self._view.notice(Text("The service did not confirm the pause. Nothing is sent to it any more."))
        await self._record.settle()

    def _go_on(self) -> None:
        if self._driver.state.paused:
            self.connect()

    async def _end(self) -> None:
        self._driver.dispatch(lifecycle.EndRequested())
        await self._driver.settle()
        await self._record.settle()
        await self._record.leave()
        self._driver.forget()
        self._view.clear_notices()

    def _on_stored(self, turn_id: str) -> None:
        self._tally.kept(turn_id)
        self._on_saved()

    def _on_watch(self) -> None:
        self._driver.downlink.settle(self._clock.now())
        self._driver.talk_over.look(self._echo_over_voice_db())
        self._watch.set_in(WATCH_S)
