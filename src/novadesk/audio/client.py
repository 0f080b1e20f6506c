"""The audio process's handle in the app: starts it, starts it again, and remembers what was not played yet."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from novadesk.audio.child import OPEN_S, START_S, Child, engine_died
from novadesk.audio.cues import sound_of
from novadesk.audio.deaddevices import DeadDevices
from novadesk.audio.devices import Direction
from novadesk.audio.formats import SAMPLE_BYTES
from novadesk.audio.hotplug import Hotplug
from novadesk.audio.listener import Listener
from novadesk.audio.lister import Lister
from novadesk.audio.route import Route
from novadesk.audio.soundfigures import SoundStatistics
from novadesk.audio.telling import Telling
from novadesk.audio.trial import works_alone
from novadesk.audio.unplayed import Unplayed
from novadesk.audio.wanted import Wanted
from novadesk.audio.wire import (
    Clip,
    Failed,
    Flush,
    Frame,
    Input,
    Interruption,
    Opened,
    Play,
    Played,
    PlayOn,
    Ready,
    Statistics,
    Trying,
    Volume,
    Watch,
)
from novadesk.config import AudioSettings
from novadesk.errors import BugError, KnownError, Reason
from novadesk.models import BargeIn, Cue
from novadesk.text import Text

_LOG = logging.getLogger(__name__)

_SILENT_S = 2.0  # a running engine sends a frame every 32 ms
_BACKOFF_S = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
_STEADY_S = 5.0
_LATENCIES = 2_000

_HANGS = {
    Direction.MICROPHONE: Text("The microphone does not open in time."),
    Direction.SPEAKER: Text("The speaker does not open in time."),
    None: Text("The sound device does not open in time."),
}


class EngineSound:
    """Microphone and speaker in a process of their own, replaced whenever it dies or stalls.

    Args:
        command: starts the audio process.
        settings: preferred devices.
        watch: starts the process that watches the sound server; empty for none.
        whole: nothing is opened where there is only a microphone or only a speaker.
    """

    def __init__(
        self, command: Sequence[str], settings: AudioSettings, watch: Sequence[str] = (), *, whole: bool = False
    ) -> None:
        self._command = tuple(command)
        self._watch = tuple(watch)
        self._wanted = Wanted(settings, whole=whole)
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self._spare: Child | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._hotplug: Hotplug | None = None
        self._telling: Telling | None = None
        self._unplayed = Unplayed()
        self._lister = Lister(command)
        self._dead = DeadDevices()
        self._engine = Statistics()
        self._opened: Opened | None = None
        self._started_at = 0.0
        self._frames = 0
        self._respawns = 0
        self._latencies_ms: deque[float] = deque(maxlen=_LATENCIES)

    @property
    def engine_pid(self) -> int | None:
        """Return the process id of the audio process that is open, or None."""
        return self._child.pid if self._child is not None else None

    def statistics(self) -> SoundStatistics:
        """Return the figures so far."""
        p50, p99 = np.percentile(self._latencies_ms, (50, 99)) if self._latencies_ms else (0.0, 0.0)
        return SoundStatistics(
            engine=self._engine,
            frames=self._frames,
            respawns=self._respawns,
            capture_ms_p50=float(p50),
            capture_ms_p99=float(p99),
            opened=self._opened,
        )

    async def open(self, listener: Listener) -> None:
        """Start capture and playout on the devices of the settings.

        Raises:
            KnownError: `NO_MICROPHONE`, `NO_SPEAKER`, `UNKNOWN_DEVICE`, `SOUND_SERVER_GONE`, `DEVICE_STALLED` or
                `ENGINE_DIED`; nothing is left running then.
        """
        if self._task is not None:
            raise BugError("the sound devices are open already")
        self._frames = self._respawns = 0
        self._latencies_ms.clear()
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._telling = Telling(listener)
        self._hotplug = Hotplug(self, self._watch, self._wanted.microphone, self._wanted.speaker, self._dead)
        self._hotplug.start()
        self._task = asyncio.create_task(self._supervise(listener, first), name="engine-sound")
        try:
            await asyncio.wait((self._task, first), return_when=asyncio.FIRST_COMPLETED)
            if not first.done():
                raise engine_died(Text("The audio process was ended while it started."))
            first.result()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Release both devices and end the process, within two seconds. Idempotent, never raises."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        hotplug, self._hotplug, self._telling = self._hotplug, None, None
        spare, self._spare = self._spare, None
        if hotplug is not None:
            await hotplug.close()
        if spare is not None:
            await spare.end()
        self._unplayed.pcm.clear()

    async def shutdown(self) -> None:
        """Release everything, pending device lists included. Bounded in time, idempotent, never raises."""
        await asyncio.gather(self._lister.close(), self.close(), return_exceptions=True)

    def prefer(self, settings: AudioSettings) -> None:
        """Use other devices and volumes from now on; what is open is opened anew where its devices or echo change."""
        self.set_volume(settings.volume)
        if not self._wanted.prefer(settings):
            return
        self._dead.forget()
        if self._hotplug is not None:
            self._hotplug.prefer(settings.microphone, settings.speaker)
        self.reopen()

    def reopen(self) -> None:
        """Open anew, in a new process, what is preferred and not dead; the old one goes on until that has started."""
        if self._task is not None and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._renew(), name="engine-renewal")

    def on_route(self, route: Route) -> None:
        """Take which devices really feed and play the streams."""
        if self._telling is not None:
            self._telling.name(route)

    def play(self, pcm: bytes, generation: int) -> None:
        """Queue s16le mono at 24 kHz; dropped when `generation` is not the newest one flushed to, or when closed."""
        if len(pcm) % SAMPLE_BYTES:
            raise BugError("half a sample cannot be played")
        if generation != self._unplayed.generation or self._task is None:
            return
        self._unplayed.pcm += pcm
        if self._child is not None:
            self._child.send(Play(generation=generation, pcm=pcm, asked_ns=time.monotonic_ns()))

    def flush(self, generation: int) -> None:
        """Silence everything older than `generation` within one block."""
        if not self._unplayed.flush(generation):
            return
        self._wanted.paused = False
        if self._child is not None:
            self._child.send(Flush(generation=generation, asked_ns=time.monotonic_ns()))

    def play_on(self, generation: int) -> None:
        """Play on where a confirmed barge-in has paused the answer; nothing when it is not paused, or another one."""
        if generation != self._unplayed.generation:
            return
        self._wanted.paused = False
        if self._child is not None:
            self._child.send(PlayOn(generation=generation))

    def cue(self, cue: Cue) -> None:
        """Play a short sound over whatever is played; nothing when closed."""
        volume = self._wanted.settings.cue_volume
        if self._child is not None and volume > 0:
            self._child.send(Clip(pcm=sound_of(cue), volume=volume))

    def set_volume(self, volume: float) -> None:
        """Set the loudness of answers, 0 to 1; cues have their own."""
        self._wanted.volume = volume
        if self._child is not None:
            self._child.send(Volume(volume=volume))

    def watch_barge_in(self, on: bool) -> None:
        """Look for somebody who speaks into an answer, or do not: nobody can through a closed gate. On at first."""
        if on != self._wanted.watching:
            self._wanted.watching = on
            if self._child is not None:
                self._child.send(Watch(on=on))

    async def works(self, direction: Direction, title: str) -> bool:
        """Return whether a device does anything, opened alone in a process of its own."""
        return await works_alone(self._command, direction, title)

    async def devices(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of microphones and speakers as they are now, the default first.

        Raises:
            KnownError: `SOUND_SERVER_GONE` or `ENGINE_DIED`.
        """
        return await self._lister.devices()

    async def _supervise(self, listener: Listener, first: asyncio.Future[None]) -> None:
        attempt = 0
        told: Reason | None = None
        loop = asyncio.get_running_loop()
        while True:
            self._opened, dead = None, self._dead.sides()
            self._started_at = loop.time()
            try:
                await self._run(listener, first)
            except KnownError as error:
                trouble = error
            except Exception:
                _LOG.exception("the audio client has failed")
                trouble = engine_died(Text("The audio process could not be followed."))
            if not first.done():
                first.set_exception(trouble)
                return
            if self._spare is not None:
                _LOG.info("the audio process gives way to one with other devices")
                self._respawns += 1
                continue
            _LOG.info("the audio process is replaced (%s)%s", trouble.reason.value, _seen(trouble))
            if self._opened is not None:
                told = None
                attempt = 0 if self._steady else attempt
            if trouble.reason is not told:
                told = trouble.reason
                listener.on_lost(trouble)
            if self._dead.sides() != dead:  # another one will be opened now
                attempt = 0
            await self._pause(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])
            attempt += 1
            self._respawns += 1

    async def _run(self, listener: Listener, first: asyncio.Future[None]) -> None:
        """Follow one audio process until it is of no more use.

        Raises:
            KnownError: why it is.
        """
        spare, self._spare = self._spare, None
        child = spare or await Child.start(self._command)
        try:
            if spare is None and not isinstance(await child.receive(START_S), Ready):
                raise engine_died(Text("The audio process does not start in time."))
            await self._open_on(child)
            if not first.done():
                first.set_result(None)
            while True:
                report = await child.receive(_SILENT_S)
                match report:
                    case Frame():
                        self._latencies_ms.append((time.monotonic_ns() - report.captured_ns) / 1e6)
                        self._frames += 1
                        if self._telling is not None and self._telling.deaf:
                            listener.on_frame(bytes(len(report.pcm)), 0.0)
                        else:
                            listener.on_frame(report.pcm, report.level)
                    case Played():
                        self._take_played(report, listener)
                    case Statistics():
                        self._engine = report
                    case Interruption() if report.generation == self._unplayed.generation:
                        self._wanted.paused = self._wanted.paused or report.stage is BargeIn.CONFIRMED
                        listener.on_barge_in(report.stage)
                    case Input():
                        if self._telling is not None:
                            self._telling.hear(report.trouble)
                    case Failed():
                        raise self._error(report)
                    case None:
                        raise engine_died(Text("The audio process does not answer."))
        except KnownError:
            child.kill()
            raise
        finally:
            self._child = None
            self._unplayed.begin_anew()
            if self._hotplug is not None:
                self._hotplug.lost()
            await child.end()

    async def _renew(self) -> None:
        """Start a process beside the one that is open, and end that one."""
        try:
            spare = await Child.start(self._command)
        except KnownError:
            return
        try:
            if isinstance(await spare.receive(START_S), Ready):
                self._spare = spare
        except KnownError:
            _LOG.info("a new audio process does not start; the old one goes on")
        finally:
            if self._spare is not spare:
                await spare.end()
        if self._spare is not None and self._child is not None:
            self._child.kill()

    async def _pause(self, seconds: float) -> None:
        if self._hotplug is None:
            await asyncio.sleep(seconds)
        else:
            await self._hotplug.pause(seconds)

    async def _open_on(self, child: Child) -> None:
        unplayed = self._unplayed
        child.send(self._wanted.order(unplayed.generation, self._dead))
        if unplayed.pcm:
            child.send(Play(generation=unplayed.generation, pcm=bytes(unplayed.pcm)))
        self._child = child
        report = await child.receive(OPEN_S)
        if isinstance(report, Failed):
            raise self._error(report)
        if not isinstance(report, Opened):
            raise self._error(hung(child.trying))
        self._opened = report
        self._wanted.opened(report)
        self._dead.opened(report.closed, asyncio.get_running_loop().time())
        if self._telling is not None and self._hotplug is not None:
            self._telling.open_anew(report.half_duplex_note)
            self._telling.name(self._hotplug.opened(report.microphone, report.speaker, report.note))

    @property
    def _steady(self) -> bool:
        return self._opened is not None and asyncio.get_running_loop().time() - self._started_at >= _STEADY_S

    def _error(self, report: Failed) -> KnownError:
        if self._steady:
            self._dead.works()
        else:
            self._dead.failed(report, asyncio.get_running_loop().time())
        return report.error()

    def _take_played(self, report: Played, listener: Listener) -> None:
        total = self._unplayed.played(report.generation, report.samples)
        listener.on_played(report.generation, total, report.level)


def hung(trying: Trying) -> Failed:
    """Return what becomes of an opening that does not come back."""
    return Failed(
        reason=Reason.DEVICE_STALLED,
        what=_HANGS[trying.direction],
        advice=Text("Choose another device in Settings, or connect this one again."),
        cause="it hangs while it is opened",
        dead=trying.direction,
        device=trying.device,
    )


def _seen(trouble: KnownError) -> str:
    """Return what is known of a trouble, for the log: no names of devices."""
    notes: Sequence[str] = getattr(trouble, "__notes__", ())
    if trouble.reason is Reason.ENGINE_DIED:
        notes = [trouble.what, *notes]
    return "".join(f": {note}" for note in notes)
