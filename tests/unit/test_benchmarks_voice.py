"""The voice benchmark recognises its own sound, knows when it was there, and judges every row."""

import random
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sheet import Sheet
from benchmarks.voice import OWN, tell_inside, tell_processor, tell_side_by_side
from benchmarks.voice_course import Found, heard_ms
from benchmarks.voice_processor import Taken
from benchmarks.voice_server import Stage
from benchmarks.voice_sound import RATE_HZ, Tap, find_pulses, microphone_track, pulse, speech_like
from novadesk.audio.formats import to_pcm, to_samples
from novadesk.audio.resampler import Resampler

PULSES = 4


def good() -> Found:
    return Found(
        heard_ms=[50.0] * 20,
        spoken_ms=[60.0] * 12,
        stopped_ms=[40.0] * 20,
        wire_ms=[10.0] * 100,
        first_ms=[50.0] * 12,
        quiet_ms=[20.0] * 20,
    )


@pytest.fixture
def said(tmp_path: Path) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    microphone_track(tmp_path / "track.wav", PULSES, rest_s=0.5, seed=3)
    with wave.open(str(tmp_path / "track.wav")) as stream:
        return np.frombuffer(stream.readframes(stream.getnframes()), "<i2")


def tapped(samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> Tap:
    """Return a recorder that has read the samples in real time from 0 ns on, up to some milliseconds late."""
    tap, late = Tap({}, ""), random.Random(1)
    for end in range(480, len(samples), 480):
        tap._pieces.append(samples[end - 480 : end].tobytes())
        tap._counts.append(end)
        tap._stamps_ns.append(round(end * 1e9 / RATE_HZ + late.expovariate(1 / 3e6)))
    return tap


def test_a_recorder_knows_when_a_sample_was_there(said: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
    tap = tapped(said)
    assert tap.time_ns(RATE_HZ) == pytest.approx(1e9, abs=0.2e6)
    assert tap.place_at(1_000_000_000) == pytest.approx(RATE_HZ, abs=10)


@pytest.mark.parametrize("late_ms", [5, 130])
def test_a_frame_is_as_late_as_the_server_got_it(
    said: np.ndarray[tuple[int], np.dtype[np.int16]], late_ms: int
) -> None:
    stage, heard = Stage(), Resampler(RATE_HZ, 16_000).feed(to_samples(said.tobytes()))
    for end in range(160, len(heard), 160):
        stage.frames.append(to_pcm(heard[end - 160 : end]))
        stage.stamps_ns.append(end * 62_500 + late_ms * 1_000_000)
    found, arrivals_ns = heard_ms(tapped(said), stage)
    assert set(arrivals_ns) <= set(stage.stamps_ns)
    assert len(found) == PULSES
    assert all(late_ms - 1 < value < late_ms + 13 for value in found)  # a frame is 10 ms, the resampler takes 1.5


def test_an_answer_is_no_pulse_and_a_pulse_is_found_to_the_sample() -> None:
    assert find_pulses(np.frombuffer(speech_like(16_000, 2.0), "<i2"), 16_000) == []
    sound = np.zeros(16_000, np.int16)
    sound[5_000 : 5_000 + len(pulse(16_000))] = pulse(16_000) * 3_000
    assert find_pulses(sound, 16_000) == [5_000]


def test_the_begin_and_the_end_of_an_answer_are_seen() -> None:
    sound = np.zeros(3 * RATE_HZ, np.int16)
    sound[RATE_HZ : 2 * RATE_HZ] = 5_000
    tap = tapped(sound)
    assert tap.first_loud_ns(500_000_000, 1.0) == pytest.approx(1e9, abs=0.2e6)
    assert tap.last_loud_ns(1_500_000_000, 1.2) == pytest.approx(2e9, abs=0.2e6)
    assert tap.last_loud_ns(1_500_000_000, 0.4) is None, "it did not stop"
    assert tap.first_loud_ns(2_100_000_000, 0.5) is None


def test_all_gates_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    sheet = Sheet()
    tell_inside(good(), sheet)
    tell_side_by_side({"peer": good(), OWN: good()}, sheet)
    tell_processor({"peer": Taken(awake=[8.0], dozing=9.0), OWN: Taken(awake=[13.0, 8.0], dozing=13.0)}, sheet)
    assert sheet.finish(None) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(" ok" in line for line in lines) == 6
    assert sum("goal" in line and "not reached" in line for line in lines) == 7, "as good as the peer is not ahead"


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("wire_ms", "capture callback → server, p50"),
        ("first_ms", "server → first sample in the callback, p50"),
        ("quiet_ms", "interruption → silence in the callback, p99"),
        ("stopped_ms", f"interruption → silence at the monitor, p99: {OWN}"),
    ],
)
@pytest.mark.parametrize("values", [[500.0] * 20, []], ids=["slow", "not had"])
def test_a_gate_that_is_not_kept_or_not_measured_is_missed(kind: str, row: str, values: list[float]) -> None:
    found, sheet = good(), Sheet()
    setattr(found, kind, values)
    tell_inside(found, sheet)
    tell_side_by_side({OWN: found}, sheet)
    assert row in [figure.name for figure in sheet.figures if figure.missed]
    assert sheet.finish(None) == 1


@pytest.mark.parametrize(("awake", "missed", "reached"), [(7.9, False, True), (8.1, False, False), (12.1, True, False)])
def test_processor_time_is_judged_against_the_gate_and_the_best_peer(awake: float, missed: bool, reached: bool) -> None:
    sheet = Sheet()
    everybody = {"a": 10.0, "b": 30.0, OWN: awake}
    tell_processor(
        {name: Taken(awake=[2 * percent, percent], dozing=2 * percent) for name, percent in everybody.items()}, sheet
    )
    (row,) = [figure for figure in sheet.figures if figure.gate_ms is not None]
    assert (row.name, row.goal_ms) == (f"processor, all processes: {OWN}", 8.0)
    assert (row.missed, row.goal_verdict == "reached") == (missed, reached)


def test_the_benchmark_says_how_it_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/voice.py", "--help"], cwd=Path(__file__).resolve().parents[2], check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
