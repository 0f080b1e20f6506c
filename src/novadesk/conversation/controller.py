"""The asyncio shell of a conversation: carries out what the lifecycle decides and publishes snapshots.

Everything here runs on the core loop. Wishes (`Intents`) and device reports (`SoundListener`) return at once; what
takes time is a chore, done one after another, or a task of a wire session.
"""

import logging
from collections.abc import Callable
from typing import Any

from novadesk.config import EchoSetting, Settings
from novadesk.conversation import lifecycle
from novadesk.conversation.alarm import Alarm
from novadesk.conversation.api import MicrophoneState, Phase, Snapshot, SnapshotSink, TalkMode
from novadesk.conversation.background import Background
from novadesk.conversation.driver import Driver
from novadesk.conversation.microphone import Microphone
from novadesk.conversation.ports import Archive, Clock, Linker, Sound
from novadesk.conversation.promptness import Promptness
from novadesk.conversation.record import Record, carried_line, recovered_line
from novadesk.conversation.soundswitch import SoundSwitch
from novadesk.conversation.tally import Tally
from novadesk.conversation.toolbox import Toolbox
from novadesk.conversation.uplink import SILENT_LEVEL
from novadesk.conversation.view import View
from novadesk.diagnostics.metrics import Meter
from novadesk.diagnostics.recorder import Recorder
from novadesk.errors import KnownError, Layer
from novadesk.models import BargeIn, InputTrouble
from novadesk.protocol.session import Setup

_log = logging.getLogger(__name__)

PUBLISH_S = 1 / 30
# Least time between two snapshots that tell of sound alone (every other frame), and while nothing of it can be seen.
LEVELS_S, QUIET_S = 0.05, 0.5
WATCH_S = 1.0


class Controller:
    """Runs the open conversation; fits `Intents` and `SoundListener`.

    Args:
        settings: backend, voice and talk settings.
        setup: makes the opening of a wire session.
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
        recorder: takes note of protocol events.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        setup: Callable[[], Setup],
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
        recorder: Recorder | None = None,
    ) -> None:
        self._backend, self._clock, self._sound = linker.kind, clock, sound
        self._publish, self._on_saved, self._on_quit = publish, on_saved, on_quit
        self._echo_over_voice_db = echo_over_voice_db
        self._tally, self._microphone = Tally(meter), Microphone()
        self._record = Record(
            archive=archive,
            clock=clock,
            on_changed=self._changed,
            on_stored=self._on_stored,
            on_trouble=lambda error: self._on_trouble(Layer.STORE, error),
            on_shown=lambda turn_id: self._driver.downlink.stored(turn_id),
        )
        self._switch = SoundSwitch(sound=sound, listener=self, on_error=self._on_no_sound)
        self._view = View(settings=settings, backend=linker.kind)
        self._driver = Driver(
            settings=settings,
            setup=setup,
            linker=linker,
            sound=sound,
            switch=self._switch,
            record=self._record,
            view=self._view,
            tally=self._tally,
            clock=clock,
            toolbox=toolbox,
            on_changed=self._changed,
            recorder=recorder,
        )
        self._background = Background(on_error=lambda error: self._view.notice(str(error)), on_done=self._changed)
        self._publishing, self._levels = Alarm(self._publish_now), Alarm(self._publish_now)
        self._published_at = float("-inf")
        self._moving, self._gate = False, MicrophoneState.ABSENT  # since then: sound has come that can be seen
        self._watch = Alarm(self._on_watch)

    # --- life ------------------------------------------------------------------------------------

    async def start(self, *, handle: str | None = None, fresh: bool = False, private: bool = False) -> None:
        """Load the conversation: `handle`, or an empty one when `fresh` or `private`, or the one that was open last.

        Raises:
            KnownError: no such conversation, or the store cannot be read.
        """
        if handle is not None:
            await self._record.load(handle)
        elif fresh or private or not await self._record.load_current():
            self._record.begin(self._backend, private=private)
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

    async def stop(self) -> None:
        """End the wire session, write what waits, release everything. The conversation stays the current one."""
        self._driver.dispatch(lifecycle.EndRequested())
        await self._background.stop()
        await self._driver.stop()
        await self._switch.stop()
        await self._record.stop()
        for alarm in (self._publishing, self._levels, self._watch):
            alarm.cancel()

    def snapshot(self) -> Snapshot:
        """Return what there is to draw now."""
        return self._view.draw(
            state=self._driver.state,
            record=self._record,
            uplink=self._driver.uplink,
            downlink=self._driver.downlink,
            tally=self._tally,
            talk_over=self._driver.talk_over,
            now=self._clock.now(),
        )

    @property
    def promptness(self) -> Promptness:
        """Return how fast the program's part of the microphone's way is."""
        return self._driver.promptness

    def set_extra(self, **values: Any) -> None:
        """Set snapshot fields that others own: pending_sync, keyring_note, hotkey, hotkey_note."""
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

    def press_talk(self) -> None:
        """Begin to talk: the gate opens, an answer being played stops."""
        if self._driver.uplink.talking:
            return
        self._driver.ear.press()
        if self._driver.live:
            self._driver.dispatch(lifecycle.SpeechBegan())
        else:  # a conversation that is being changed comes first
            self._background.in_turn(self._driver.want_link)

    def release_talk(self) -> None:
        """Stop talking: the gate closes after the release tail."""
        if not self._driver.uplink.talking:
            return
        if self._driver.ear.release():
            return
        if self._driver.state.phase is Phase.LISTENING and self._driver.uplink.silent:
            if self._driver.uplink.mode is TalkMode.HOLD and not self._driver.uplink.muted:
                self._view.notice("Nothing heard. Hold the talk button while you speak.")
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

    def say(self, text: str) -> None:
        """Send typed text as a user turn; an answer being played stops at once."""
        if text := text.strip():
            self._driver.downlink.stop()
            self._background.in_turn(lambda: self._driver.ask(text))

    def new_conversation(self, *, private: bool = False) -> None:
        """End the open conversation and start an empty one, which is never written anywhere when it is private."""
        self._background.queue(lambda: self._begin_anew(private=private))

    def open_conversation(self, handle: str) -> None:
        """End the open conversation and resume another one with its history."""
        self._background.queue(lambda: self._resume(handle))

    def end_conversation(self) -> None:
        """End the wire session and release the devices; the conversation stays in the list."""
        self._background.queue(self._end)

    def try_now(self) -> None:
        """Connect, or open the devices, at once instead of waiting for the next attempt."""
        self._switch.try_now()
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

    async def begin_anew(self, *, private: bool = False) -> None:
        """Do as `new_conversation`, and return once the old one is torn down."""
        await self._background.do(lambda: self._begin_anew(private=private))

    async def resume(self, handle: str) -> None:
        """Do as `open_conversation`, and return once it is loaded.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`; the open one goes on.
        """
        await self._background.do(lambda: self._resume(handle))

    async def end(self) -> None:
        """Do as `end_conversation`, and return once everything is released."""
        await self._background.do(self._end)

    # --- SoundListener ---------------------------------------------------------------------------

    def on_frame(self, pcm: bytes, level: float) -> None:
        """Take 32 ms of microphone, unless it is open for a last cue only."""
        if not self._switch.wanted:
            return
        now, gate = self._clock.now(), self._gate
        seen = max(level, self._view.microphone_level) >= SILENT_LEVEL
        self._view.microphone_level = level
        self._driver.ear.hear(pcm, level)
        self._driver.talk_over.heed_gate(now)
        self._gate = self._driver.uplink.state(now)
        self._moved(seen=seen or self._gate is not gate)

    def on_played(self, generation: int, samples: int, level: float) -> None:
        """Take the speaker's count of samples played."""
        self._view.speaker_level = level
        self._driver.played(generation, samples)
        self._moved(seen=True)

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        """Take the devices now in use."""
        self._view.devices(microphone, speaker, note)
        self._microphone.opened(found=bool(microphone) and self._switch.wanted)
        self._show_microphone()
        self._driver.downlink.set_speaker(present=bool(speaker))
        self._on_trouble(Layer.AUDIO, None)

    def on_lost(self, error: KnownError) -> None:
        """Take the loss of the devices, which come back by themselves; what is not played yet waits for them."""
        self._microphone.lost()
        self._show_microphone()
        self._view.sound_opening = False
        self._on_trouble(error.layer, error)

    def on_barge_in(self, stage: BargeIn) -> None:
        """Take that somebody begins to speak while an answer is played."""
        if stage is BargeIn.CONFIRMED:
            self._view.speaker_level = 0.0
        self._driver.talk_over.began(stage)
        self._changed()

    def on_input(self, trouble: InputTrouble) -> None:
        """Take what is wrong with the microphone's sound from now on; what brings none of it is no microphone."""
        self._microphone.trouble = trouble
        self._show_microphone()
        self._changed()

    def _show_microphone(self) -> None:
        self._driver.uplink.present, self._view.input_note = self._microphone.present, self._microphone.note

    def _on_no_sound(self, error: KnownError) -> None:
        self._driver.downlink.set_speaker(present=False)
        self.on_lost(error)

    def _on_trouble(self, layer: Layer, error: KnownError | None) -> None:
        self._view.trouble(layer, error)
        self._changed()

    async def _begin_anew(self, *, private: bool) -> None:
        await self._end()
        self._record.begin(self._backend, private=private)
        self.connect()

    async def _resume(self, handle: str) -> None:
        await self._record.check(handle)
        await self._end()
        await self._record.load(handle)
        self._tally.loaded(self._record.load_ms)
        self._view.notice(carried_line(self._record.recovered))
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

    def _changed(self) -> None:
        if not self._publishing.is_set:
            self._publishing.set_in(PUBLISH_S)

    def _moved(self, *, seen: bool) -> None:
        """Publish with the sound that is told of: to wake up for it later costs as much as all else of a frame."""
        self._moving = self._moving or seen
        if self._publishing.is_set:
            return
        wait_s = self._published_at + (LEVELS_S if self._moving else QUIET_S) - self._clock.now()
        if wait_s <= 0:
            self._levels.set_in(0.0)
        elif not self._levels.is_set:
            self._levels.set_in(wait_s + PUBLISH_S)

    def _publish_now(self) -> None:
        self._publishing.cancel()
        self._levels.cancel()
        self._published_at, self._moving = self._clock.now(), False
        self._publish(self.snapshot())
