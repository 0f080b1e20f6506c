"""The numbered sound: what was done to it is read from a recording of it, to the sample."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novadesk.audio.resampler import Resampler
from tests.support import numbered_verdicts as verdicts
from tests.support.numbered import (
    BLOCK,
    PERIOD,
    RATE_HZ,
    Break,
    Numbering,
    Samples,
    Stretch,
    breaks,
    by_received,
    by_source,
    unexplained,
)
from tests.support.numbered_host import Seen
from tests.support.numbered_run import FRAME, Outage, Ran, Trouble, Variant, by_clock

pytestmark = pytest.mark.thorough

SOUND = Numbering(1)
OTHER = Numbering(2)
places = st.integers(3 * BLOCK, 40 * BLOCK)
numbers = st.integers(0, PERIOD - 1)
few = settings(max_examples=5)


def captured(samples: Samples, volume: float = 1.0) -> Samples:
    """Return what a microphone stream at 48 kHz becomes on the wire at 16 kHz."""
    made = Resampler(RATE_HZ, 16_000).feed(samples.astype(np.float32) * np.float32(volume))
    return np.round(made).astype(np.int16)


@few
@given(start=numbers, rate_hz=st.sampled_from((48_000, 24_000, 16_000)))
def test_a_whole_recording_is_one_stretch_with_its_number(start: int, rate_hz: int) -> None:
    heard = SOUND.cut(start, 100 * BLOCK, rate_hz)
    assert len(heard) == rate_hz
    assert SOUND.read(heard, rate_hz) == [Stretch(received=0, source=start, length=100 * BLOCK)]


@few
@given(start=numbers, volume=st.floats(0.05, 1.0))
def test_the_way_from_48_to_16_khz_and_the_loudness_change_no_number(start: int, volume: float) -> None:
    (stretch,) = SOUND.read(captured(SOUND.cut(start, 100 * BLOCK), volume), 16_000)[-1:]
    assert stretch.received_end == 100 * BLOCK
    assert stretch.length >= 98 * BLOCK
    delay = 3 * Resampler(RATE_HZ, 16_000).delay_frames
    assert (stretch.source - stretch.received - start + delay) % PERIOD == 0


@few
@given(place=places, lost=st.integers(1, 5_000), on_the_wire=st.booleans())
def test_lost_samples_are_counted_to_the_sample(place: int, lost: int, on_the_wire: bool) -> None:
    whole = SOUND.cut(77, 80 * BLOCK)
    heard = np.concatenate((whole[:place], whole[place + lost :]))
    stretches = SOUND.read(captured(heard), 16_000) if on_the_wire else SOUND.read(heard)
    (found,) = breaks(stretches)[-1:]
    assert found.skipped == lost
    assert abs(found.source - 77 - place) <= 2 * BLOCK


@few
@given(place=places, more=st.integers(1, 2_000), silent=st.booleans())
def test_samples_too_many_are_counted_to_the_sample(place: int, more: int, silent: bool) -> None:
    whole = SOUND.cut(77, 80 * BLOCK)
    between = np.zeros(more, np.int16) if silent else whole[max(0, place - more) : place][-more:]
    heard = np.concatenate((whole[:place], between, whole[place:]))
    assert sum(one.skipped for one in breaks(SOUND.read(heard))) == -len(between)


def test_a_spoilt_block_is_a_break_that_skips_nothing() -> None:
    heard = SOUND.cut(0, 50 * BLOCK)
    heard[20 * BLOCK : 21 * BLOCK] = OTHER.cut(0, BLOCK)
    assert breaks(SOUND.read(heard)) == [Break(received=20 * BLOCK, source=20 * BLOCK, unread=BLOCK, skipped=0)]


def test_numbers_count_on_over_many_periods() -> None:
    heard = SOUND.cut(0, 3 * PERIOD)
    (found,) = SOUND.read(heard)
    assert found.length == 3 * PERIOD // BLOCK * BLOCK
    later = np.concatenate((heard[: 2 * PERIOD], heard[2 * PERIOD + 9 * RATE_HZ :]))
    assert [one.skipped for one in breaks(SOUND.read(later))] == [9 * RATE_HZ]


def test_silence_and_another_sound_have_no_numbers() -> None:
    assert SOUND.read(np.zeros(RATE_HZ, np.int16)) == []
    assert SOUND.read(OTHER.cut(0, 5 * BLOCK)) == []


def test_two_sounds_on_two_channels_are_told_apart_by_their_difference() -> None:
    """The speaker's right channel has the answer, its left one the answer and the control."""
    answer, control = SOUND.cut(500, 60 * BLOCK), OTHER.cut(9_000, 60 * BLOCK)
    left, right = answer + control, answer
    assert [stretch.source for stretch in SOUND.read(right)] == [500]
    assert [stretch.source for stretch in OTHER.read(left - right)] == [9_000]


def broken(received: int, skipped: int, source: int = 0) -> Break:
    return Break(received=received, source=source or received, unread=BLOCK, skipped=skipped)


@pytest.mark.parametrize(
    ("mine", "control", "left"),
    [
        ([], [broken(90_000, 5)], []),
        ([broken(90_000, 5)], [], [broken(90_000, 5)]),
        ([broken(90_000, 5)], [broken(91_000, 5)], []),
        ([broken(90_000, 5)], [broken(91_000, 6)], [broken(90_000, 5)]),
        ([broken(90_000, 5)], [broken(99_000, 5)], [broken(90_000, 5)]),
        ([broken(90_000, 5), broken(91_000, 2)], [broken(90_500, 7)], []),
        ([broken(90_000, 0)], [], [broken(90_000, 0)]),
    ],
)
def test_what_the_control_shows_too_is_explained(mine: list[Break], control: list[Break], left: list[Break]) -> None:
    assert unexplained(mine, control, by_received) == left
    for shift in itertools.islice(itertools.count(0, 1_000), 3):
        moved = [broken(one.received + shift, one.skipped, one.source) for one in control]
        assert unexplained(mine, moved, by_source) == left


# The verdicts, on runs made of stretches.

S = RATE_HZ


def line(*parts: tuple[float, float, float]) -> list[Stretch]:
    """Return stretches of (received, source, length) in seconds."""
    return [Stretch(received=round(r * S), source=round(s * S), length=round(n * S)) for r, s, n in parts]


def ran(**other: Any) -> Ran:
    """Return a run of 20 s with two whole answers, and what is different in it."""
    frames = round(21 * S / FRAME)
    seen = Seen(
        frame_ns=[round((1 + index) * 32e6) for index in range(frames)],
        opened=[(0, "", "")],
        engine=dict.fromkeys(("dropped_frames", "dropped_messages", "underruns"), 0),
        played=[(round(at * 1e9), round(at * 24_000)) for at in range(7)],
    )
    made: dict[str, Any] = {
        "variant": Variant.QUIET,
        "numbers": 20 * S,
        "answers": 2,
        "seen": seen,
        "heard": line((0.5, 0, 20)),
        "controls": [line((0, 0, 20))],
        "answered": [line((1, 0, 7), (11, 7, 7))],
        "beside": [line((0, 0, 20))],
    }
    return Ran(**{**made, **other})


def all_wrong(one: Ran) -> list[str]:
    return verdicts.microphone(one) + verdicts.speaker(one) + verdicts.engine(one)


def test_a_whole_run_has_nothing_wrong() -> None:
    assert all_wrong(ran()) == []


@pytest.mark.parametrize(
    "different",
    [
        {"heard": []},
        {"heard": line((0.5, 0, 5), (5.51, 5.02, 14.98))},
        {"heard": line((0.5, 0.2, 19.8))},
        {"heard": line((0.5, 0, 19.8))},
        {"controls": [line((0.5, 0, 19.8))]},
        {"answered": [line((1, 0, 7), (11, 7, 3), (14.5, 10, 4))]},
        {"answered": [line((1, 0, 6.9), (11, 7, 7))]},
        {"answered": [line((1, 0, 7), (11, 7.1, 6.9))]},
        {"answered": [line((1, 0, 7))]},
        {"answered": [line((1, 0, 7), (8, 7.05, 6.95))]},
    ],
)
def test_what_only_the_app_has_lost_is_wrong(different: dict[str, Any]) -> None:
    assert len(all_wrong(ran(**different))) == 1


def test_what_the_recorder_lost_too_is_not_the_apps() -> None:
    hole = {"heard": line((0.5, 0, 5), (5.51, 5.02, 14.98)), "controls": [line((0, 0, 5.01), (5.02, 5.03, 14.97))]}
    assert all_wrong(ran(**hole)) == []
    silence = {"answered": [line((1, 0, 7), (11, 7, 3), (14.5, 10, 4))], "beside": [line((0, 0, 14), (14.5, 14, 6))]}
    assert all_wrong(ran(**silence)) == []


def test_a_gap_that_the_sound_server_told_of_is_excused_and_a_loss_is_not() -> None:
    gap = ran(answered=[line((1, 0, 7), (11, 7, 3), (14.5, 10, 4))])
    loss = ran(answered=[line((1, 0, 7), (11, 7, 3), (14.5, 10.1, 3.9))])
    twice = ran(answered=[line((1, 0, 7), (11, 7, 3), (14.5, 9.9, 4.1))])
    unseen = ran(answered=[line((1, 0, 7), (11, 7, 3), (14.09, 9.9999, 4.0001))])
    instead = ran(answered=[line((1, 0, 7), (11, 7, 3), (14.01, 10.01, 3.99))])
    dropped = ran(answered=[line((1, 0, 7), (11, 7, 3), (14.01, 10.02, 3.98))])
    two = ran(answered=[line((1, 0, 3), (4.01, 3.01, 3.99), (11, 7, 3), (14.01, 10.01, 3.99))])
    both = ran(answered=[line((1, 0, 3), (4.01, 3.01, 3.99), (11, 7, 3), (14.5, 10, 4))])
    assert [len(all_wrong(one)) for one in (gap, unseen, instead, dropped)] == [1, 1, 1, 1]
    for one in (gap, unseen, instead, dropped, loss, twice, two, both):
        one.seen.underflows = 1
    assert [len(all_wrong(one)) for one in (gap, unseen, instead, dropped)] == [0, 0, 0, 0]
    assert [len(all_wrong(one)) for one in (loss, twice, two, both)] == [1, 1, 1, 1]


@few
@given(start=numbers, place=places, silent=st.integers(BLOCK, 10 * BLOCK))
def test_of_a_silence_only_so_much_is_taken_for_sound(start: int, place: int, silent: int) -> None:
    sound = SOUND.cut(start, 60 * BLOCK)
    (one,) = breaks(SOUND.read(np.concatenate((sound[:place], np.zeros(silent, np.int16), sound[place:]))))
    assert one.skipped == -silent
    assert one.missing >= -verdicts.UNSEEN


def test_waiting_for_a_processor_excuses_silence_but_nothing_that_is_missing() -> None:
    gap = ran(answered=[line((1, 0, 7), (11, 7, 3), (14.5, 10, 4))])
    instead = ran(answered=[line((1, 0, 7), (11, 7, 3), (14.01, 10.01, 3.99))])
    for one in (gap, instead):
        one.seen.starved = 5
    assert [len(all_wrong(one)) for one in (gap, instead)] == [0, 1]


def test_a_long_outage_is_counted_by_the_clock() -> None:
    """Thirty seconds without a frame are most of a period: the recording alone would tell it as ten seconds back."""
    frame_ns = [round(index * 32e6) + (30_000_000_000 if index >= 125 else 0) for index in range(300)]
    read = [*line((0, 0, 4)), Stretch(received=4 * S, source=34 * S - PERIOD, length=4 * S)]
    assert by_clock(read, frame_ns) == line((0, 0, 4), (4, 34, 4))


def outage(down_s: float, up_s: float) -> Outage:
    return Outage(trouble=Trouble.SUSPEND, down_ns=round(down_s * 1e9), up_ns=round(up_s * 1e9))


def test_a_loss_is_measured_against_its_outage() -> None:
    """The frames stop at 4 s of the recording and go on at 7 s of the clock."""
    one = ran(variant=Variant.OUTAGES, outages=[outage(4, 7)], heard=line((0, 0, 4), (4, 7.064, 12.936)))
    late = [at_ns + (3_000_000_000 if index >= 125 else 0) for index, at_ns in enumerate(one.seen.frame_ns)]
    one.seen.frame_ns[:] = late
    one.seen.opened.append((7_080_000_000, "", ""))
    (loss,) = verdicts.losses(one)
    assert (round(loss.outage_ms), round(loss.lost_ms)) == (3_080, 3_064)
    assert round(loss.early_ms) == 0
    assert round(loss.late_ms) == -80
    assert verdicts.outside(one) == []
    assert verdicts.outside(replace(one, outages=[outage(9, 10)])) != []


def test_an_answer_may_break_where_it_was_when_the_device_went() -> None:
    broken = ran(outages=[outage(3, 4)], answered=[line((1, 0, 3), (5, 3.2, 3.8), (11, 7, 7))])
    assert verdicts.outside(broken) == []
    assert len(verdicts.outside(replace(broken, outages=[]))) == 1
