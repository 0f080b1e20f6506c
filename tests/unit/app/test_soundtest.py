"""The figures of sound, and a test of devices against an audio process that is made up."""

import asyncio
import sys
from dataclasses import replace

import pytest

from novadesk.app import soundtest
from novadesk.app.soundtest import sound_figures, try_sound
from novadesk.audio.soundfigures import SoundStatistics
from novadesk.audio.wire import Opened, Statistics
from novadesk.config import AudioSettings
from novadesk.conversation.api import SoundTest
from novadesk.conversation.promptness import Promptness
from novadesk.errors import KnownError, Reason
from novadesk.models import InputTrouble

OPENED = Opened(
    microphone="Mic A",
    speaker="Speaker A",
    note="",
    capture_hz=48_000,
    playout_hz=48_000,
    capture_latency_s=0.01,
    playout_latency_s=0.01,
    one_clock=True,
)

ENGINE = """
import sys, time
from novadesk.audio.framing import encode
from novadesk.audio.wire import Failed, Frame, Input, Opened, Ready
from novadesk.errors import Reason
from novadesk.models import InputTrouble

def tell(report):
    sys.stdout.buffer.write(encode(report))
    sys.stdout.flush()

tell(Ready())
opened = dict(capture_hz=48000, playout_hz=48000, capture_latency_s=0.01, playout_latency_s=0.01, one_clock=True)
tell(Opened(microphone="Mic A", speaker="Speaker A", note="", **opened))
tell(Frame(level=0.25, captured_ns=time.monotonic_ns(), pcm=bytes(1024)))
tell(Input(trouble=InputTrouble.CLIPPED))
{then}
"""
GOES_ON = """
while True:
    tell(Frame(level=0.25, captured_ns=time.monotonic_ns(), pcm=bytes(1024)))
    time.sleep(0.03)
"""
FAILS = """
tell(Failed(reason=Reason.NO_MICROPHONE, what="It was unplugged.", advice="Plug it in."))
time.sleep(60)
"""


def engine(then: str) -> tuple[str, ...]:
    return sys.executable, "-c", ENGINE.replace("{then}", then)


async def test_a_test_tells_devices_level_and_trouble_and_ends_when_cancelled() -> None:
    heard: list[SoundTest] = []
    clipped = asyncio.Event()

    def hear(test: SoundTest) -> None:
        heard.append(test)
        if test.trouble is InputTrouble.CLIPPED:
            clipped.set()

    task = asyncio.create_task(try_sound(engine(GOES_ON), AudioSettings(), hear))
    async with asyncio.timeout(60):
        await clipped.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard[-1] == SoundTest(microphone="Mic A", speaker="Speaker A", level=0.25, trouble=InputTrouble.CLIPPED)
    assert (await _left()) == []


async def test_no_test_outlives_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundtest, "TEST_S", 0.2)
    async with asyncio.timeout(60):
        await try_sound(engine(GOES_ON), AudioSettings(), lambda _heard: None)
    assert (await _left()) == []


async def test_devices_that_are_lost_end_the_test_with_the_reason() -> None:
    async with asyncio.timeout(60):
        with pytest.raises(KnownError) as caught:
            await try_sound(engine(FAILS), AudioSettings(), lambda _heard: None)
    assert caught.value.reason is Reason.NO_MICROPHONE


async def _left() -> list[str]:
    """Return the names of the tasks that a test has left behind."""
    return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]


def test_closed_devices_have_no_figures() -> None:
    assert sound_figures(SoundStatistics(), Promptness()) == ()


def test_figures_say_what_is_known_and_nothing_else() -> None:
    statistics = SoundStatistics(
        engine=Statistics(underruns=2, worst_gap_us=21_500, start_ms_p99=48.25), capture_ms_p99=11.93, opened=OPENED
    )
    words = {figure.name: figure.words for figure in sound_figures(statistics, Promptness())}
    assert (words["capture_p99"], words["start_p99"], words["worst_gap"]) == ("11.9 ms", "48.2 ms", "21.5 ms")
    assert (words["underruns"], words["silence_p50"], words["erle"]) == ("2", "–", "–")
    assert "drift" not in words
    quiet = replace(statistics, engine=Statistics(erle_db=-14.0, echo_over_voice_db=-232.0))
    loud = replace(statistics, engine=Statistics(erle_db=31.0, echo_over_voice_db=-6.5))
    for given, told in ((quiet, ["–", "–"]), (loud, ["31.0 dB", "-6.5 dB"])):
        words = {figure.name: figure.words for figure in sound_figures(given, Promptness())}
        assert [words["erle"], words["echo_over_voice"]] == told
    two_clocks = replace(statistics, opened=replace(OPENED, one_clock=False), engine=Statistics(drift_ppm=-38.4))
    assert {figure.name: figure.words for figure in sound_figures(two_clocks, Promptness())}["drift"] == "-38 ppm"


def test_the_whole_way_of_a_sample_is_among_the_figures() -> None:
    engine = Statistics(start_ms_p50=41.0, start_ms_p99=48.0, silence_ms_p50=9.0, silence_ms_p99=17.0)
    statistics = SoundStatistics(engine=engine, capture_ms_p50=4.0, capture_ms_p99=11.0, opened=OPENED)
    promptness = Promptness()
    for at in range(100):
        promptness.wire.add(0.001 if at else 0.02)
        promptness.pressed(float(at))
        promptness.heard(at + (0.016 if at else 0.25))
    words = {figure.title: figure.words for figure in sound_figures(statistics, promptness)}
    assert (
        words.items()
        >= {
            "Talk key to first sample (median)": "16.0 ms",
            "Microphone to program (median)": "4.0 ms",
            "Microphone to program (99 %)": "11.0 ms",
            "Program to wire (median)": "1.0 ms",
            "Answer to speaker (median)": "41.0 ms",
            "Answer to speaker (99 %)": "48.0 ms",
            "Stop to silence (median)": "9.0 ms",
            "Stop to silence (99 %)": "17.0 ms",
        }.items()
    )
    assert {title for title, told in words.items() if told == "–"} <= {"Echo taken out", "Echo above your voice"}
