"""The watch over running streams, and what happens when a device does not open."""

import numpy as np
import pytest

from novadesk.audio import pump as pumping
from novadesk.audio.devices import Device, DeviceList
from novadesk.audio.duplex import CaptureSide, Duplex, OpenFailure, Pulse
from novadesk.audio.outbox import Outbox
from novadesk.audio.playout import Playout
from novadesk.audio.pump import FIRST_CALLBACK_S, STALLED_S, Pump
from novadesk.audio.wire import Failed, Frame, Open, Opened, Play, Played, Report
from novadesk.errors import KnownError, Reason

GOOD = Device(index=0, host_api="ALSA", name="Good", inputs=1, outputs=2, rate_hz=48_000)
BROKEN = Device(index=1, host_api="ALSA", name="Broken", inputs=1, outputs=2, rate_hz=48_000)
FOUND = DeviceList(devices=(GOOD, BROKEN), default_microphone=0, default_speaker=0, host_apis=("ALSA",))


class FakeStream:
    latency = (0.02, 0.03)
    closed = False

    def close(self, ignore_errors: bool = True) -> None:
        self.closed = True


class Rig:
    """A pump over streams that call back when the test says so, at a time that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_000_000_000
        self.reports: list[Report] = []
        self.outbox = Outbox(-1)
        self.broken: set[tuple[str, str]] = set()
        self.pulse = Pulse()
        self.stream = FakeStream()
        monkeypatch.setattr("novadesk.audio.pump.time.monotonic_ns", lambda: self.now_ns)
        monkeypatch.setattr("novadesk.audio.pump.time.monotonic", lambda: self.now_ns / 1e9)
        monkeypatch.setattr(self.outbox, "put", self.reports.append)
        monkeypatch.setattr(pumping, "list_devices", lambda: FOUND)
        monkeypatch.setattr(pumping, "open_duplex", self.open_duplex)

    def open_duplex(self, microphone: Device, speaker: Device, generation: int) -> Duplex:
        bad_in, bad_out = ("in", microphone.name) in self.broken, ("out", speaker.name) in self.broken
        if bad_in or bad_out:
            raise OpenFailure(microphone=bad_in, speaker=bad_out, cause="Device unavailable")
        self.capture, self.playout = CaptureSide(48_000, 1), Playout(48_000, generation)
        return Duplex(
            capture=self.capture,
            playout=self.playout,
            streams=(self.stream,),
            pulses=(self.pulse,),
            output_underflows=lambda: 0,
        )

    def pump(self, microphone: str = "", speaker: str = "") -> Pump:
        return Pump(self.outbox, Open(microphone=microphone, speaker=speaker, generation=0))

    def call_back(self) -> None:
        self.capture.take(np.zeros((480, 1), np.float32), self.now_ns)
        self.playout.fill(np.zeros((480, 1), np.float32))
        self.pulse.beat(self.now_ns)

    def run(self, pump: Pump, seconds: float, *, alive: bool, step_s: float = 0.01) -> None:
        for _ in range(round(seconds / step_s)):
            self.now_ns += round(step_s * 1e9)
            if alive:
                self.call_back()
            pump.turn()

    def told[T](self, kind: type[T]) -> list[T]:
        return [report for report in self.reports if isinstance(report, kind)]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_open_is_told_with_the_first_callback_and_frames_follow(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 0.5, alive=False)
    assert rig.reports == []
    rig.run(pump, 1.0, alive=True)
    assert isinstance(rig.reports[0], Opened)
    assert rig.reports[0].microphone == "ALSA: Good"
    assert len(rig.told(Frame)) == 31
    assert rig.told(Failed) == []


def test_a_stream_that_never_calls_back_is_told_as_stalled_once(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, FIRST_CALLBACK_S + 1, alive=False)
    assert [failed.reason for failed in rig.reports if isinstance(failed, Failed)] == [Reason.DEVICE_STALLED]
    assert len(rig.reports) == 1


def test_a_stream_that_falls_silent_is_told_as_stalled_once(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 1.0, alive=True)
    rig.run(pump, STALLED_S * 0.9, alive=False)
    assert rig.told(Failed) == []
    rig.run(pump, 1.0, alive=False)
    assert [failed.reason for failed in rig.told(Failed)] == [Reason.DEVICE_STALLED]


def test_a_process_that_was_stopped_itself_has_seen_no_stall(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 1.0, alive=True)
    rig.run(pump, 60.0, alive=False, step_s=60.0)
    rig.run(pump, 1.0, alive=True)
    assert rig.told(Failed) == []


def test_a_stream_that_ended_by_itself_is_told_at_once(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 1.0, alive=True)
    rig.pulse.end()
    rig.run(pump, 0.1, alive=False)
    assert [failed.reason for failed in rig.told(Failed)] == [Reason.DEVICE_STALLED]


def test_what_was_played_is_told(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 0.1, alive=True)
    pump.take(Play(generation=0, pcm=bytes(2 * 2_400)))
    rig.run(pump, 1.0, alive=True)
    assert rig.told(Played)[-1].samples == 2_400
    pump.close()
    assert rig.stream.closed


@pytest.mark.parametrize(
    ("side", "expected"), [("in", ("ALSA: Good", "ALSA: Broken")), ("out", ("ALSA: Broken", "ALSA: Good"))]
)
def test_a_preferred_device_that_does_not_open_is_replaced_and_that_is_said(
    rig: Rig, side: str, expected: tuple[str, str]
) -> None:
    rig.broken = {(side, "Broken")}
    rig.run(rig.pump("ALSA: Broken", "ALSA: Broken"), 0.1, alive=True)
    opened = rig.told(Opened)[0]
    assert (opened.microphone, opened.speaker) == expected
    assert "“ALSA: Broken” does not open; using “ALSA: Good”" in opened.note


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({("in", "Good")}, Reason.NO_MICROPHONE),
        ({("out", "Good")}, Reason.NO_SPEAKER),
        ({("in", "Good"), ("out", "Good")}, Reason.SOUND_SERVER_GONE),
        ({("in", "Good"), ("in", "Broken")}, Reason.NO_MICROPHONE),
    ],
)
def test_when_nothing_opens_the_error_names_the_device(rig: Rig, broken: set[tuple[str, str]], reason: Reason) -> None:
    rig.broken = broken
    with pytest.raises(KnownError) as caught:
        rig.pump()
    assert caught.value.reason is reason
