"""A test of the sound devices before a conversation depends on them, and how the open ones have done."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

from novadesk.audio.client import EngineSound
from novadesk.audio.soundfigures import SoundStatistics
from novadesk.config import AudioSettings
from novadesk.conversation.api import SoundTest
from novadesk.conversation.promptness import Promptness
from novadesk.diagnostics.metrics import Metric, Unit
from novadesk.errors import KnownError
from novadesk.models import BargeIn, Cue, InputTrouble

TEST_S = 20.0
"""A microphone is never open for longer than this without a conversation."""

_NO_ECHO_DB = -60.0


async def try_sound(
    command: Sequence[str], devices: AudioSettings, hear: Callable[[SoundTest], None], watch: Sequence[str] = ()
) -> None:
    """Open devices in an audio process of their own until `TEST_S` are over, they are lost, or it is cancelled.

    Args:
        command: starts the audio process.
        devices: what to try.
        hear: takes what is heard, on this loop.
        watch: starts the process that watches the sound server; empty for none.

    Raises:
        KnownError: the devices do not open, or are lost.
    """
    sound = EngineSound(command, devices, watch, whole=True)
    test = _Test(sound, hear)
    try:
        await sound.open(test)
        async with asyncio.timeout(TEST_S):
            await test.lost
    except TimeoutError:
        return
    finally:
        await sound.shutdown()


class _Test:
    """Fits `SoundListener`: hands on what is heard, and plays a cue once the microphone brings sound."""

    def __init__(self, sound: EngineSound, hear: Callable[[SoundTest], None]) -> None:
        self._sound, self._hear = sound, hear
        self._heard = SoundTest()
        self._cued = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self._now(microphone=microphone, speaker=speaker, note=note)

    def on_frame(self, pcm: bytes, level: float) -> None:  # noqa: ARG002 a test keeps nothing of what is said
        if level and not self._cued:
            self._cued = True
            self._sound.cue(Cue.LISTENING)
        self._now(level=level)

    def on_input(self, trouble: InputTrouble) -> None:
        self._now(trouble=trouble)

    def on_played(self, generation: int, samples: int, level: float) -> None:
        """A test plays no answer."""

    def on_barge_in(self, stage: BargeIn) -> None:
        """A test plays no answer to break into."""

    def on_lost(self, error: KnownError) -> None:
        if not self.lost.done():
            self.lost.set_exception(error)

    def _now(self, **changes: str | float | InputTrouble) -> None:
        self._heard = dataclasses.replace(self._heard, **changes)  # type: ignore[arg-type]
        self._hear(self._heard)


def sound_figures(statistics: SoundStatistics, promptness: Promptness) -> tuple[Metric, ...]:
    """Return figures of the open devices, or nothing while none are open."""
    opened, engine = statistics.opened, statistics.engine
    if opened is None:
        return ()
    milliseconds, count = Unit.MILLISECONDS, Unit.COUNT
    rows: list[tuple[str, str, float | None, Unit]] = [
        ("capture_p50", "Microphone to program (median)", statistics.capture_ms_p50, milliseconds),
        ("capture_p99", "Microphone to program (99 %)", statistics.capture_ms_p99, milliseconds),
        ("wire_p50", "Program to wire (median)", promptness.wire.percentile_ms(50), milliseconds),
        ("wire_p99", "Program to wire (99 %)", promptness.wire.percentile_ms(99), milliseconds),
        ("key_p50", "Talk key to first sample (median)", promptness.key.percentile_ms(50), milliseconds),
        ("key_p99", "Talk key to first sample (99 %)", promptness.key.percentile_ms(99), milliseconds),
        ("start_p50", "Answer to speaker (median)", engine.start_ms_p50 or None, milliseconds),
        ("start_p99", "Answer to speaker (99 %)", engine.start_ms_p99 or None, milliseconds),
        ("silence_p50", "Stop to silence (median)", engine.silence_ms_p50 or None, milliseconds),
        ("silence_p99", "Stop to silence (99 %)", engine.silence_ms_p99 or None, milliseconds),
        ("prefill", "Sound ahead of an answer", engine.prefill_ms, milliseconds),
        ("worst_gap", "Longest wait for the device", engine.worst_gap_us / 1000, milliseconds),
        ("underruns", "Gaps in answers", engine.underruns, count),
        ("late_callbacks", "Late calls of the device", engine.late_callbacks, count),
        ("output_underflows", "Blocks the speaker missed", engine.output_underflows, count),
        ("input_overflows", "Blocks the microphone lost", engine.input_overflows, count),
        ("dropped", "Samples not fetched in time", engine.dropped_frames, count),
        ("respawns", "Restarts of the engine", statistics.respawns, count),
        ("erle", "Echo taken out", engine.erle_db if engine.erle_db > 0 else None, Unit.DECIBELS),
        ("echo_over_voice", "Echo above your voice", _audible(engine.echo_over_voice_db), Unit.DECIBELS),
    ]
    if not opened.one_clock:
        rows += [
            ("drift", "Speaker's clock is faster by", engine.drift_ppm, Unit.PPM),
            ("slips", "Jumps of the echo's reference", engine.slips, count),
        ]
    return tuple(
        Metric(name=name, title=title, value=value, unit=unit, samples=statistics.frames)
        for name, title, value, unit in rows
    )


def _audible(echo_over_voice_db: float) -> float | None:
    """Return the figure, or None where there is no echo to speak of, or nothing known."""
    return echo_over_voice_db if echo_over_voice_db > _NO_ECHO_DB and echo_over_voice_db else None
