"""The asyncio shell of a conversation: carries out what the lifecycle decides and publishes snapshots.

Everything here runs on the core loop. Wishes (`Intents`) and device reports (`SoundListener`) return at once; what
takes time is a chore, done one after another, or a task of the present link.
"""

import logging
import random
import uuid
from collections.abc import Callable
from typing import Any

from novadesk.config import Settings
from novadesk.conversation import lifecycle
from novadesk.conversation.alarm import Alarm
from novadesk.conversation.api import Phase, Snapshot, SnapshotSink, TalkMode
from novadesk.conversation.background import Background
from novadesk.conversation.downlink import Downlink, DownlinkListener
from novadesk.conversation.outgoing import TypedText
from novadesk.conversation.ports import Archive, Clock, Linker, Sound
from novadesk.conversation.record import Record
from novadesk.conversation.soundswitch import SoundSwitch
from novadesk.conversation.supervisor import Policy
from novadesk.conversation.toolbox import Toolbox
from novadesk.conversation.uplink import Uplink
from novadesk.conversation.view import View
from novadesk.conversation.wire import WireListener, WireSession
from novadesk.errors import KnownError, Layer
from novadesk.models import Role
from novadesk.protocol.session import Setup
from novadesk.protocol.session_events import SessionEvent, ToolRequested
from novadesk.protocol.transcript import TurnText

_log = logging.getLogger(__name__)

PUBLISH_S = 1 / 30
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
    ) -> None:
        self._setup, self._linker, self._clock = setup, linker, clock
        self._publish, self._on_saved, self._on_quit = publish, on_saved, on_quit
        self._toolbox, self._policy, self._state = toolbox, Policy(), lifecycle.Lifecycle()
        self._record = Record(
            archive=archive,
            clock=clock,
            on_changed=self._changed,
            on_stored=self._on_stored,
            on_trouble=lambda error: self._on_trouble(Layer.STORE, error),
        )
        self._uplink = Uplink(
            mode=TalkMode(settings.talk.mode.value),
            release_tail_s=settings.talk.release_tail_ms / 1000,
            held_s=self._policy.held_s,
        )
        self._downlink = Downlink(
            DownlinkListener(
                play=sound.play, flush=sound.flush, keep=self._keep, tell=self._dispatch, ask_tool=self._ask_tool
            )
        )
        self._switch = SoundSwitch(sound=sound, listener=self, on_error=self._on_no_sound)
        self._view = View(settings=settings, backend=linker.kind)
        self._wire: WireSession | None = None
        self._wire_listener = WireListener(
            on_ready=self._on_wire_ready, on_event=self._on_wire_event, on_ended=self._on_wire_ended
        )
        self._typed = TypedText()
        self._background = Background(on_error=lambda error: self._view.notice(str(error)), on_done=self._changed)
        self._wake = Alarm(lambda: self._dispatch(lifecycle.DeadlinePassed(jitter=random.random())))
        self._publishing = Alarm(lambda: self._publish(self.snapshot()))
        self._watch = Alarm(self._on_watch)

    # --- life ------------------------------------------------------------------------------------

    async def start(self, *, handle: str | None = None, fresh: bool = False) -> None:
        """Load the conversation: `handle`, or an empty one when `fresh`, or the one that was open last.

        Raises:
            KnownError: no such conversation, or the store cannot be read.
        """
        if handle is not None:
            await self._record.load(handle)
        elif fresh or not await self._record.load_current():
            self._record.begin(self._linker.kind)
        for part in (self._record, self._switch, self._background):
            part.start()
        self._watch.set_in(WATCH_S)
        if self._record.recovered:
            self._view.notice(f"{self._record.recovered} turns carried over.")
        self._changed()

    def connect(self) -> None:
        """Open the conversation's link."""
        self._dispatch(lifecycle.StartRequested())

    async def stop(self) -> None:
        """End the wire session, write what waits, release everything. The conversation stays the current one."""
        self._dispatch(lifecycle.EndRequested())
        await self._background.stop()
        await self._switch.stop()
        await self._record.stop()
        for alarm in (self._wake, self._publishing, self._watch):
            alarm.cancel()

    def snapshot(self) -> Snapshot:
        """Return what there is to draw now."""
        return self._view.draw(
            state=self._state,
            record=self._record,
            uplink=self._uplink,
            downlink=self._downlink,
            now=self._clock.now(),
        )

    def set_extra(self, **values: Any) -> None:
        """Set snapshot fields that others own: pending_sync, keyring_note, hotkey, hotkey_note."""
        self._view.extra(**values)
        self._changed()

    async def note_delivery(self, *, pending: int, note: str) -> None:
        """Show how many turns are still on their way to the remote store, and what the person should know of it."""
        delivered = pending < self._view.pending
        self._view.extra(pending_sync=pending, keyring_note=note)
        if delivered:
            await self._record.refresh()
        self._changed()

    def press_talk(self) -> None:
        """Begin to talk: the gate opens, an answer being played stops."""
        if self._uplink.talking:
            return
        self._uplink.press()
        if self._state.phase in lifecycle.LIVE:
            self._downlink.stop()
            self._dispatch(lifecycle.SpeechBegan())
        else:  # a conversation that is being changed comes first
            self._background.in_turn(self.connect)

    def release_talk(self) -> None:
        """Stop talking: the gate closes after the release tail."""
        if not self._uplink.talking:
            return
        now = self._clock.now()
        self._uplink.release(now)
        if self._state.phase is Phase.LISTENING and self._uplink.silent:
            if self._uplink.mode is TalkMode.HOLD and not self._uplink.muted:
                self._view.notice("Nothing heard. Hold the talk button while you speak.")
            self._dispatch(lifecycle.NothingSaid())
            return
        if self._state.phase is Phase.LISTENING or self._state.phase not in lifecycle.LIVE:
            self._downlink.speech_ended(now)
        self._dispatch(lifecycle.SpeechEnded())

    def toggle_talk(self) -> None:
        """Begin to talk, or stop when talking."""
        (self.release_talk if self._uplink.talking else self.press_talk)()

    def set_talk_mode(self, mode: TalkMode) -> None:
        """Choose between hold-to-talk and hands-free."""
        self._uplink.mode = mode
        self._changed()

    def set_muted(self, muted: bool) -> None:
        """Mute or unmute; muted sends silence."""
        self._uplink.muted = muted
        self._changed()

    def stop_speaking(self) -> None:
        """Silence the answer being played and discard its rest."""
        self._downlink.stop()

    def say(self, text: str) -> None:
        """Send typed text as a user turn."""
        if text := text.strip():
            self._background.in_turn(lambda: self._ask(text))

    def _ask(self, text: str) -> None:
        self._downlink.stop()
        turn = TurnText(turn_id=str(uuid.uuid4()), role=Role.USER, text=text)
        self._keep(turn, typed=True)
        self._typed.add(turn.turn_id, text)
        self._downlink.speech_ended(self._clock.now())
        if self._state.phase in lifecycle.LIVE:
            self._send_typed()
        else:
            self.connect()

    def new_conversation(self) -> None:
        """End the open conversation and start an empty one."""
        self._background.queue(self._begin_anew)

    def open_conversation(self, handle: str) -> None:
        """End the open conversation and resume another one with its history."""
        self._background.queue(lambda: self._resume(handle))

    def end_conversation(self) -> None:
        """End the wire session and release the devices; the conversation stays in the list."""
        self._background.queue(self._end)

    def try_now(self) -> None:
        """Connect, or open the devices, at once instead of waiting for the next attempt."""
        self._switch.try_now()
        self._dispatch(lifecycle.TryNowRequested())

    def quit(self) -> None:
        """Finish what is being written, close everything, leave."""
        self._on_quit()

    async def begin_anew(self) -> None:
        """Do as `new_conversation`, and return once the old one is torn down."""
        await self._background.do(self._begin_anew)

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
        """Take 32 ms of microphone."""
        self._view.microphone_level = level
        self._uplink.note_level(level)
        if (frame := self._uplink.take(pcm, self._clock.now())) is not None:
            self._send_audio(frame)
        self._changed()

    def on_played(self, generation: int, samples: int, level: float) -> None:
        """Take the speaker's count of samples played."""
        self._view.speaker_level = level
        self._downlink.played(generation, samples, self._clock.now())
        self._changed()

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        """Take the devices now in use."""
        self._view.devices(microphone, speaker, note)
        self._uplink.present = bool(microphone)
        self._downlink.set_speaker(present=bool(speaker))
        self._on_trouble(Layer.AUDIO, None)

    def on_lost(self, error: KnownError) -> None:
        """Take the loss of the devices, which come back by themselves; what is not played yet waits for them."""
        self._uplink.present = False
        self._view.sound_opening = False
        self._on_trouble(error.layer, error)

    def _on_no_sound(self, error: KnownError) -> None:
        self._downlink.set_speaker(present=False)
        self.on_lost(error)

    def _on_trouble(self, layer: Layer, error: KnownError | None) -> None:
        self._view.trouble(layer, error)
        self._changed()

    # --- the wire session ------------------------------------------------------------------------

    def _on_wire_ready(self, generation: int) -> None:
        self._dispatch(lifecycle.LinkReady(generation=generation))
        if self._state.phase is Phase.READY and self._uplink.talking:
            self._dispatch(lifecycle.SpeechBegan())
        self._send_typed()

    def _on_wire_event(self, generation: int, event: SessionEvent) -> None:
        if generation == self._state.generation:
            self._downlink.take(event, self._clock.now())
            self._changed()

    def _on_wire_ended(self, generation: int, error: KnownError | None) -> None:
        _log.info("link %d ended: %s", generation, error.reason.value if error else "asked for")
        self._dispatch(lifecycle.LinkEnded(generation=generation, error=error, jitter=random.random()))

    def _send_audio(self, *frames: bytes) -> None:
        for frame in frames:
            if self._wire is not None:
                self._wire.send_audio(frame)

    def _send_typed(self) -> None:
        while self._wire is not None and self._wire.takes_text and (text := self._typed.take()) is not None:
            self._wire.send_text(text)
            self._dispatch(lifecycle.UserUnderstood())

    def _ask_tool(self, request: ToolRequested) -> None:
        asked = self._wire

        async def answer() -> None:
            result = await self._toolbox.call(request.name, request.arguments)
            if (wire := self._wire) is asked and wire is not None and wire.takes_text:
                wire.send_tool_result(request.tool_use_id, result)
            else:  # tool ids do not outlive their wire session
                self._typed.add(request.tool_use_id, f"The result of {request.name} is {result}")
                self._send_typed()

        self._background.spawn(answer(), "tool")

    # --- the lifecycle ---------------------------------------------------------------------------

    def _dispatch(self, event: lifecycle.Event) -> None:
        self._state, actions = lifecycle.step(self._state, event, self._clock.now(), self._policy)
        for action in actions:
            self._perform(action)
        if self._state.phase in (Phase.READY, Phase.SPEAKING):
            self._typed.answered()
        self._changed()

    def _perform(self, action: lifecycle.Action) -> None:
        match action:
            case lifecycle.OpenLink(generation=generation):
                self._open_link(generation)
            case lifecycle.DropLink():
                self._drop_link(action)
            case lifecycle.OpenSound():
                self._view.sound_opening = True
                self._switch.set(wanted=True)
            case lifecycle.CloseSound():
                self._view.sound_opening = False
                self._uplink.stop()
                self._uplink.present = False
                self._switch.set(wanted=False)
            case lifecycle.FlushSpeaker():
                self._downlink.flush()
            case lifecycle.HoldMicrophone():
                self._uplink.hold()
            case lifecycle.ReplayMicrophone():
                self._send_audio(*self._uplink.go_live())
            case lifecycle.WaitUntil(at=at):
                self._wake.cancel()
                if at is not None:
                    self._wake.set_in(at - self._clock.now())
            case lifecycle.Tell(message=message):
                self._view.notice(message)

    def _open_link(self, generation: int) -> None:
        self._wire = WireSession(
            generation=generation,
            linker=self._linker,
            setup=self._setup(),
            history=lambda: self._record.history(without=self._typed.waiting),
            clock=self._clock,
            listener=self._wire_listener,
        )
        self._wire.start()

    def _drop_link(self, action: lifecycle.DropLink) -> None:
        wire, self._wire = self._wire, None
        self._downlink.link_over()
        self._typed.link_lost()
        if wire is not None:
            self._background.spawn(wire.finish() if action.goodbye else wire.drop(), "wire-closing")

    async def _begin_anew(self) -> None:
        await self._end()
        self._record.begin(self._linker.kind)
        self.connect()

    async def _resume(self, handle: str) -> None:
        await self._record.check(handle)
        await self._end()
        await self._record.load(handle)
        self._view.notice(f"{self._record.recovered} turns carried over.")
        self.connect()

    async def _end(self) -> None:
        self._dispatch(lifecycle.EndRequested())
        await self._background.settle()
        await self._record.settle()
        await self._record.leave()
        self._typed.clear()
        self._downlink.begin()
        self._view.clear_notices()

    def _keep(self, text: TurnText, *, typed: bool = False) -> None:
        self._record.keep(text, wire_session=self._wire.wire_id if self._wire else str(uuid.uuid4()), typed=typed)

    def _on_stored(self, turn_id: str) -> None:
        self._downlink.stored(turn_id)
        self._on_saved()

    def _on_watch(self) -> None:
        self._downlink.settle(self._clock.now())
        self._watch.set_in(WATCH_S)

    def _changed(self) -> None:
        if not self._publishing.is_set:
            self._publishing.set_in(PUBLISH_S)
