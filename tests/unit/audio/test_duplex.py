"""Which streams are opened for which devices, and what their callbacks do. PortAudio itself is pretended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import sounddevice
from numpy.typing import NDArray

from novadesk.audio import duplex as opening
from novadesk.audio.devices import Device, Direction
from novadesk.audio.duplex import DEVICE_HZ, Duplex, OpenFailure, open_duplex


@dataclass
class Status:
    input_overflow: bool = False
    output_underflow: bool = False

    def __bool__(self) -> bool:
        return self.input_overflow or self.output_underflow


class Stream:
    """A stream that accepts what `FakePortAudio.takes` accepts."""

    latency: Any = 0.02

    def __init__(self, world: "FakePortAudio", kind: str, options: dict[str, Any]) -> None:
        world.asked.append((kind, options["samplerate"], options["channels"]))
        if not world.takes(kind, options):
            raise sounddevice.PortAudioError(f"{kind} refused")
        self.options = options
        self.world = world
        self.closed = False
        world.streams.append(self)

    def start(self) -> None:
        if not self.world.starts:
            raise sounddevice.PortAudioError("does not start")

    def close(self, ignore_errors: bool) -> None:
        self.closed = True


@dataclass
class FakePortAudio:
    takes: Callable[[str, dict[str, Any]], bool] = lambda kind, options: True
    starts: bool = True
    asked: list[tuple[str, int, Any]] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    made = FakePortAudio()
    for kind in ("Stream", "InputStream", "OutputStream"):
        monkeypatch.setattr(opening.sounddevice, f"Raw{kind}", lambda kind=kind, **options: Stream(made, kind, options))  # type: ignore[attr-defined]
    return made


def device(host_api: str = "Core Audio", *, inputs: int = 2, outputs: int = 2, rate_hz: int = 44_100) -> Device:
    return Device(index=3, host_api=host_api, name="Headset", inputs=inputs, outputs=outputs, rate_hz=rate_hz)


def raw(block: NDArray[np.float32]) -> memoryview:
    """Return the bytes of a block, as PortAudio hands them over."""
    return memoryview(block).cast("B")


def fill_ring(made: Duplex, value: float) -> None:
    made.playout.ring.write(np.full((made.playout.rate_hz // 10, 1), value, np.float32))


def test_one_stream_serves_both_directions(world: FakePortAudio) -> None:
    made = open_duplex(device(), device(), 0)
    assert made.one_clock
    assert world.asked == [("Stream", DEVICE_HZ, (1, 1))]
    callback, frames = world.streams[0].options["callback"], 480
    fill_ring(made, 0.5)
    out = np.full((frames, 1), np.nan, np.float32)
    callback(raw(np.full((frames, 1), 0.25, np.float32)), raw(out), frames, None, Status(input_overflow=True))
    callback(raw(np.full((frames, 1), 0.25, np.float32)), raw(out), frames, None, Status(output_underflow=True))
    assert out[-1, 0] == 0.5
    heard = np.zeros((frames * 3, 1), np.float32)
    assert made.capture.ring.read_into(heard) == 2 * frames
    assert heard[0, 0] == 0.25
    assert (made.capture.overflows, made.output_underflows(), made.pulses[0].callbacks) == (1, 1, 2)
    world.streams[0].options["finished_callback"]()
    assert made.pulses[0].ended
    made.close()
    assert world.streams[0].closed


@pytest.mark.parametrize("apis", [("ALSA", "ALSA"), ("MME", "Windows WASAPI")])
def test_alsa_and_devices_of_two_host_apis_get_a_stream_each(world: FakePortAudio, apis: tuple[str, str]) -> None:
    made = open_duplex(device(apis[0]), device(apis[1]), 0)
    assert [kind for kind, _, _ in world.asked] == ["InputStream", "OutputStream"]
    assert not made.one_clock
    listening, speaking = (stream.options["callback"] for stream in world.streams)
    listening(raw(np.full((480, 1), 0.25, np.float32)), 480, None, Status(input_overflow=True))
    fill_ring(made, 0.5)
    out = np.full((480, 1), np.nan, np.float32)
    speaking(raw(out), 480, None, Status(output_underflow=True))
    assert out[-1, 0] == 0.5
    assert made.capture.ring.available_frames == 480
    assert [pulse.callbacks for pulse in made.pulses] == [1, 1]
    assert (made.capture.overflows, made.output_underflows()) == (1, 1)


def test_a_stereo_speaker_plays_the_same_on_both_sides(world: FakePortAudio) -> None:
    world.takes = lambda kind, options: options["channels"] == (1, 2)
    made = open_duplex(device(), device(), 0)
    fill_ring(made, 0.5)
    out = np.full((480, 2), np.nan, np.float32)
    world.streams[0].options["callback"](raw(np.zeros((480, 1), np.float32)), raw(out), 480, None, Status())
    assert out[-1].tolist() == [0.5, 0.5]


def test_a_pair_that_refuses_one_stream_gets_two(world: FakePortAudio) -> None:
    world.takes = lambda kind, options: kind != "Stream"
    assert not open_duplex(device(), device(), 0).one_clock


def test_a_device_is_opened_at_its_own_rate_and_channels_when_it_takes_no_other(world: FakePortAudio) -> None:
    world.takes = lambda kind, options: (options["samplerate"], options["channels"]) in ((16_000, 8), (44_100, 2))
    made = open_duplex(device("ALSA", inputs=8, rate_hz=16_000), device("ALSA", rate_hz=44_100), 7)
    assert (made.capture.rate_hz, made.capture.ring.channels) == (16_000, 8)
    assert (made.playout.rate_hz, made.playout.generation) == (44_100, 7)
    assert [stream.options["blocksize"] for stream in world.streams] == [256, 441]


@pytest.mark.parametrize(
    ("refused", "blamed"),
    [
        ({"InputStream"}, (True, False)),
        ({"OutputStream"}, (False, True)),
        ({"InputStream", "OutputStream"}, (True, True)),
    ],
)
def test_a_failure_names_its_side_and_leaves_nothing_open(
    world: FakePortAudio, refused: set[str], blamed: tuple[bool, bool]
) -> None:
    world.takes = lambda kind, options: kind not in refused
    with pytest.raises(OpenFailure) as caught:
        open_duplex(device("ALSA"), device("ALSA"), 0)
    assert (caught.value.microphone, caught.value.speaker) == blamed
    assert all(stream.closed for stream in world.streams)


def test_a_stream_that_does_not_start_is_closed(world: FakePortAudio) -> None:
    world.starts = False
    with pytest.raises(OpenFailure):
        open_duplex(device(), device(), 0)
    assert world.streams
    assert all(stream.closed for stream in world.streams)


def test_devices_that_are_wanted_apart_get_a_stream_each(world: FakePortAudio) -> None:
    assert [pulse.callbacks for pulse in open_duplex(device(), device(), 0, apart=True).pulses] == [0, 0]


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (
            (device("ALSA"), device("ALSA")),
            [("InputStream", Direction.MICROPHONE), ("OutputStream", Direction.SPEAKER)],
        ),
        ((device(), device()), [("Stream", None)]),
        ((device(), None), [("InputStream", Direction.MICROPHONE)]),
        ((None, device()), [("OutputStream", Direction.SPEAKER)]),
    ],
)
def test_a_driver_that_hangs_is_told_of_before_it_does(
    world: FakePortAudio, pair: tuple[Device | None, Device | None], expected: list[tuple[str, Direction | None]]
) -> None:
    told: list[Direction | None] = [None]
    asked: list[tuple[str, Direction | None]] = []
    world.takes = lambda kind, _options: not asked.append((kind, told[-1]))
    open_duplex(*pair, 0, trying=told.append)
    assert asked == expected


@pytest.mark.parametrize("kind", ["InputStream", "OutputStream"])
def test_one_direction_alone_calls_back_for_both(world: FakePortAudio, kind: str) -> None:
    world.takes = lambda _kind, options: options["samplerate"] == 44_100
    alone = (device(), None) if kind == "InputStream" else (None, device())
    made = open_duplex(*alone, 7)
    assert [asked for asked, rate_hz, _ in world.asked if rate_hz == 44_100] == [kind]
    assert made.one_clock
    assert made.playout.rate_hz == made.capture.rate_hz == 44_100
    fill_ring(made, 0.5)
    block, callback = np.full((441, 1), 0.25, np.float32), world.streams[0].options["callback"]
    for _ in range(2):
        callback(raw(block), 441, None, Status())
    heard = np.full((882, 1), np.nan, np.float32)
    assert made.capture.ring.read_into(heard) == made.playout.heard.available_frames == 882
    captured, played = (0.25, 0.25) if kind == "InputStream" else (0.0, 0.5)
    assert (heard[-1, 0], block[-1, 0]) == (captured, played)
    assert made.capture.time_of(441) > 0
    assert (made.pulses[0].callbacks, made.gaps()) == (2, 0)


@pytest.mark.parametrize(("alone", "blamed"), [((device(), None), (True, False)), ((None, device()), (False, True))])
def test_a_device_that_does_not_open_alone_is_named(
    world: FakePortAudio, alone: tuple[Device | None, Device | None], blamed: tuple[bool, bool]
) -> None:
    world.takes = lambda _kind, _options: False
    with pytest.raises(OpenFailure) as caught:
        open_duplex(*alone, 0)
    assert (caught.value.microphone, caught.value.speaker) == blamed
