import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from novadesk.audio.feeder import Feeder
from novadesk.audio.formats import Samples
from novadesk.audio.playout import DUCK_DB, PREFILL_CEILING_S, PREFILL_S, Playout

RATE_HZ = 48_000
BLOCK = 480
PREFILL_BLOCKS = 4


class Speaker:
    """Calls back as a device does, and keeps what was heard."""

    def __init__(self, playout: Playout, block: int = BLOCK) -> None:
        self.playout = playout
        self.block = block
        self.now_ns = 0

    def hear(self, blocks: int = 1) -> Samples:
        heard = [np.zeros(0, np.float32)]
        for _ in range(blocks):
            out = np.full((self.block, 1), np.nan, np.float32)
            self.now_ns += 10_000_000
            self.playout.fill(out, self.now_ns)
            heard.append(out[:, 0])
        return np.concatenate(heard)


def made(rate_hz: int = RATE_HZ) -> tuple[Playout, Feeder, Speaker]:
    playout = Playout(rate_hz)
    return playout, Feeder(playout), Speaker(playout, rate_hz // 100)


def constant(seconds: float, value: int = 8192) -> bytes:
    return np.full(round(24_000 * seconds), value, "<i2").tobytes()


def hum(seconds: float) -> bytes:
    """A 100 Hz sine of amplitude 0.25: its own steps at 48 kHz are at most 0.0033."""
    angle = 2 * np.pi * 100 * np.arange(round(24_000 * seconds)) / 24_000
    return (8192 * np.sin(angle)).astype("<i2").tobytes()


def largest_step(heard: Samples) -> float:
    return float(np.abs(np.diff(heard)).max())


def counts(feeder: Feeder) -> dict[int, int]:
    return {generation: samples for generation, samples, _ in feeder.take_played()}


def test_nothing_to_play_is_silence() -> None:
    _, feeder, speaker = made()
    assert not speaker.hear(20).any()
    assert counts(feeder) == {}


def test_silence_is_counted_and_told_to_the_echo_canceller_and_a_flush_is_heeded_in_it() -> None:
    playout, feeder, speaker = made()
    speaker.hear(5)
    feeder.flush(3)
    speaker.hear(1)
    assert (playout.filled_frames, playout.heard.written, playout.generation) == (6 * BLOCK, 6 * BLOCK, 3)


def test_playing_waits_for_the_prefill() -> None:
    _, feeder, speaker = made()
    speaker.hear(3)
    feeder.play(constant(0.03), 0)
    assert not speaker.hear(2).any()
    feeder.play(constant(0.02), 0)
    assert speaker.hear().any()


def test_a_short_answer_is_played_although_it_never_fills_the_prefill() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(0.03), 0)
    assert not speaker.hear(PREFILL_BLOCKS).any()
    assert speaker.hear().any()
    speaker.hear(5)
    assert counts(feeder) == {0: 720}


def test_an_answer_begins_and_ends_without_a_click() -> None:
    _, feeder, speaker = made()
    feeder.play(hum(0.1025), 0)  # ends at the crest of a wave
    heard = speaker.hear(25)
    assert largest_step(heard) < 0.01
    assert heard.max() == pytest.approx(0.25, abs=0.01)
    assert not heard[-BLOCK:].any()


def test_a_gap_within_an_answer_has_no_click_and_is_counted_and_lengthens_the_prefill() -> None:
    playout, feeder, speaker = made()
    before = playout.prefill_s
    answer = hum(0.5)
    cut = 2 * round(24_000 * 0.1025)
    feeder.play(answer[:cut], 0)
    heard = [speaker.hear(13)]
    feeder.play(answer[cut:], 0)
    heard.append(speaker.hear(60))
    assert largest_step(np.concatenate(heard)) < 0.03
    assert playout.underruns == 1
    assert playout.prefill_s == pytest.approx(1.5 * before)


def test_the_pause_between_answers_is_no_underrun() -> None:
    playout, feeder, speaker = made()
    for _ in range(3):
        feeder.play(constant(0.1), 0)
        speaker.hear(80)
    assert playout.underruns == 0


def test_the_prefill_has_a_ceiling() -> None:
    playout, feeder, speaker = made()
    for _ in range(12):
        feeder.play(constant(0.02), 0)
        speaker.hear(45)
    assert playout.underruns == 11
    assert playout.prefill_s == PREFILL_CEILING_S


def test_a_flush_is_silence_within_one_block_after_a_short_fade() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(1.0), 0)
    before = speaker.hear(20)
    feeder.flush(1)
    during = speaker.hear()
    assert largest_step(np.concatenate((before[-1:], during))) < 0.01
    assert not during[241:].any()
    assert not speaker.hear(200).any()


def test_the_count_of_a_flushed_generation_is_told_once_more_and_the_new_one_begins_at_zero() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(1.0), 0)
    speaker.hear(20)
    feeder.flush(1)
    feeder.play(constant(0.1), 1)
    speaker.hear()
    assert counts(feeder) == {0: (20 * BLOCK + 240) // 2}
    speaker.hear(30)
    assert counts(feeder) == {1: 2_400}


def test_sound_of_another_generation_than_the_newest_is_dropped() -> None:
    _, feeder, speaker = made()
    feeder.flush(3)
    feeder.play(constant(0.5), 2)
    feeder.play(constant(0.5), 4)
    assert not speaker.hear(40).any()


def test_an_older_or_equal_flush_changes_nothing() -> None:
    _, feeder, speaker = made()
    feeder.flush(3)
    feeder.play(constant(0.3), 3)
    feeder.flush(3)
    feeder.flush(2)
    assert speaker.hear(20).any()


def test_an_answer_longer_than_the_ring_is_played_whole() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(7.0), 0)
    for _ in range(720):
        speaker.hear()
        feeder.feed()
    assert counts(feeder) == {0: 7 * 24_000}


def test_the_level_is_told_while_it_sounds_and_once_when_it_is_over() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(0.1), 0)
    speaker.hear(8)
    assert feeder.take_played()[0][2] == pytest.approx(0.25, abs=0.02)
    speaker.hear(9)
    feeder.take_played()
    speaker.hear(10)
    assert [level for _, _, level in feeder.take_played()] == [0.0]
    speaker.hear(10)
    assert feeder.take_played() == []


def test_a_pause_is_silence_after_a_short_fade_and_the_answer_goes_on_where_it_was() -> None:
    _, feeder, speaker = made()
    ramp = np.linspace(0, 24_000, 24_000)
    feeder.play(ramp.astype("<i2").tobytes(), 0)
    speaker.hear(20)
    feeder.pause()
    held = speaker.hear(30)
    assert not held[241:].any()
    (count,) = counts(feeder).values()
    assert count == (20 * BLOCK + 240) // 2
    speaker.hear(30)
    assert counts(feeder) == {0: count}
    feeder.play_on(0)
    heard = speaker.hear()
    assert heard[-1] * 32_768 == pytest.approx(count + 240 - 24, abs=3)  # less the delay of the resampler
    assert largest_step(np.concatenate((held, heard))) < 0.01
    speaker.hear(100)
    assert counts(feeder) == {0: 24_000}
    assert speaker.playout.underruns == 0


def test_an_answer_that_begins_during_a_pause_waits_for_its_end() -> None:
    _, feeder, speaker = made()
    feeder.pause()
    feeder.play(constant(0.1), 0)
    assert not speaker.hear(30).any()
    feeder.play_on(0)
    assert speaker.hear().any()


def test_a_flush_ends_a_pause_and_a_duck() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(1.0), 0)
    speaker.hear(10)
    feeder.duck(True)
    feeder.pause()
    speaker.hear(2)
    feeder.flush(1)
    feeder.play(constant(1.0), 1)
    assert speaker.hear(3)[-1] == pytest.approx(0.25, abs=0.01)


def test_playing_on_another_generation_changes_nothing() -> None:
    _, feeder, speaker = made()
    feeder.flush(2)
    feeder.play(constant(1.0), 2)
    speaker.hear(10)
    feeder.pause()
    feeder.play_on(1)
    assert not speaker.hear(5)[241:].any()


def test_a_duck_is_15_db_and_comes_and_goes_within_5_milliseconds() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(1.0), 0)
    speaker.hear(10)
    feeder.duck(True)
    down = speaker.hear()
    assert 20 * np.log10(down[240:] / 0.25) == pytest.approx(DUCK_DB, abs=0.1)
    feeder.duck(False)
    up = speaker.hear()
    assert up[240:] == pytest.approx(0.25, abs=0.01)
    assert largest_step(np.concatenate((down, up))) < 0.002


def test_the_volume_is_of_answers_and_not_of_clips() -> None:
    _, feeder, speaker = made()
    feeder.set_volume(0.0)
    feeder.play(constant(0.5), 0)
    assert not speaker.hear(10)[BLOCK:].any()
    feeder.clip(constant(0.2), 0.5)
    assert speaker.hear(5)[-1] == pytest.approx(0.125, abs=0.01)


def test_a_clip_is_heard_over_an_answer_through_pause_and_flush_and_is_not_counted() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(0.5), 0)
    speaker.hear(10)
    feeder.clip(constant(0.2), 1.0)
    assert speaker.hear(3)[-1] == pytest.approx(0.5, abs=0.01)
    feeder.pause()
    assert speaker.hear(3)[-1] == pytest.approx(0.25, abs=0.01)
    feeder.flush(1)
    assert speaker.hear(3)[-1] == pytest.approx(0.25, abs=0.01)
    assert not speaker.hear(20)[11 * BLOCK :].any()
    assert counts(feeder) == {0: (13 * BLOCK + 240) // 2}


def test_more_clips_than_a_second_of_them_are_dropped_whole() -> None:
    _, feeder, speaker = made()
    for _ in range(4):
        feeder.clip(constant(0.4), 1.0)
    assert speaker.hear(200).astype(bool).sum() == pytest.approx(2 * 0.4 * RATE_HZ, rel=0.01)


def test_what_is_heard_is_kept_for_the_canceller_whatever_it_is() -> None:
    playout, feeder, speaker = made()
    feeder.play(hum(0.3), 0)
    heard = [speaker.hear(10)]
    feeder.clip(constant(0.1), 0.5)
    feeder.duck(True)
    heard.append(speaker.hear(10))
    feeder.pause()
    heard.append(speaker.hear(10))
    kept = np.zeros((RATE_HZ, 1), np.float32)
    frames = playout.heard.read_into(kept)
    assert np.array_equal(kept[:frames, 0], np.concatenate(heard))


def test_delays_are_taken_from_the_wish_to_the_callback() -> None:
    _, feeder, speaker = made()
    speaker.hear(10)
    feeder.play(constant(0.02), 0, asked_ns=101_000_000)
    feeder.play(constant(0.5), 0, asked_ns=105_000_000)
    speaker.hear(10)
    feeder.measure()
    assert feeder.start_latencies.percentiles_ms() == pytest.approx((9, 9))
    feeder.flush(1, asked_ns=203_000_000)
    speaker.hear()
    feeder.measure()
    assert feeder.silence_latencies.percentiles_ms() == pytest.approx((12, 12))


def test_a_flush_of_silence_is_no_delay() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(0.1), 0, asked_ns=1)
    speaker.hear(30)
    feeder.flush(1, asked_ns=1)
    speaker.hear(5)
    feeder.measure()
    assert feeder.silence_latencies.percentiles_ms() == (0, 0)


@given(
    rate_hz=st.sampled_from([16_000, 44_100, 48_000]),
    pieces=st.lists(st.integers(1, 3_000), min_size=1, max_size=12),
    blocks=st.integers(0, 4),
)
def test_the_count_ends_at_exactly_what_was_given(rate_hz: int, pieces: list[int], blocks: int) -> None:
    _, feeder, speaker = made(rate_hz)
    for count in pieces:
        feeder.play(bytes(2 * count), 0)
        speaker.hear(blocks)
    for _ in range(200):
        feeder.feed()
        speaker.hear()
    assert counts(feeder) == {0: sum(pieces)}


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("play"), st.integers(0, 9_000), st.integers(-1, 1)),
            st.tuples(st.just("flush"), st.integers(-1, 2), st.just(0)),
            st.tuples(st.just("hear"), st.integers(1, 30), st.just(0)),
        ),
        max_size=30,
    )
)
def test_no_order_of_play_and_flush_lets_old_sound_be_heard(steps: list[tuple[str, int, int]]) -> None:
    """Each generation has its own loudness; one block after a flush nothing louder or softer than it sounds."""
    _, feeder, speaker = made()
    newest, last_reports, settled = 0, {0: 0}, True
    for action, number, shift in steps:
        if action == "play":
            feeder.play(np.full(number, 500 * (newest + shift + 1), "<i2").tobytes(), newest + shift)
        elif action == "flush":
            feeder.flush(newest + number)
            settled = settled and number <= 0
            newest = max(newest, newest + number)
        else:
            if not settled:
                speaker.hear()
                settled = True
            heard = speaker.hear(number)
            loudest = 500 * (newest + 1) / 32_768
            assert heard.max() <= loudest * 1.2
            steady = heard[np.abs(np.diff(heard, prepend=0.0)) < 1e-7]
            assert all(value == 0 or value == pytest.approx(loudest, rel=0.2) for value in np.unique(steady.round(4)))
            for generation, samples in counts(feeder).items():
                assert generation <= newest
                assert samples >= last_reports.get(generation, 0)
                last_reports[generation] = samples


ACTIONS = st.one_of(
    st.tuples(st.just("play"), st.one_of(st.integers(1, 400), st.integers(1, 6_000))),
    st.tuples(st.just("hear"), st.integers(1, 12)),
    st.tuples(st.sampled_from(["flush", "pause", "play on", "duck", "unduck", "clip"]), st.just(1)),
    st.tuples(st.just("volume"), st.integers(0, 4)),
)


@settings(max_examples=100)
@given(rate_hz=st.sampled_from([16_000, 44_100, 48_000]), steps=st.lists(ACTIONS, max_size=40))
@example(rate_hz=48_000, steps=[("play", 300), ("hear", 5), ("play", 300), ("hear", 1), ("play", 4_800)])
@example(rate_hz=48_000, steps=[("play", 2_450), ("hear", 10), ("pause", 1), ("hear", 2)])
@example(rate_hz=48_000, steps=[("play", 2_400), ("hear", 14)])
@example(rate_hz=48_000, steps=[("play", 2_395), ("hear", 10), ("play", 4_800), ("hear", 1)])
def test_no_order_of_wishes_clicks_or_miscounts(rate_hz: int, steps: list[tuple[str, int]]) -> None:
    """The answer and the clips are loud from their first sample to the last: each cut that is not faded is a click."""
    _, feeder, speaker = made(rate_hz)
    given_of, told = {0: 0}, {0: 0}
    heard = [np.zeros(1, np.float32)]
    paused = False
    for action, number in [*steps, ("play on", 1), ("hear", 150)]:
        newest = max(given_of)
        match action:
            case "play":
                feeder.play(constant(number / 24_000, 16_384), newest)
                given_of[newest] += number
            case "flush":
                feeder.flush(newest + 1)
                given_of[newest + 1] = told[newest + 1] = 0
                paused = False
            case "pause":
                feeder.pause()
                paused = True
            case "play on":
                feeder.play_on(newest)
                paused = False
            case "duck" | "unduck":
                feeder.duck(action == "duck")
            case "clip":
                feeder.clip(constant(0.05, 8_192), 0.5)
            case "volume":
                feeder.set_volume(number / 4)
        if action != "hear":
            continue
        for block in range(number):
            feeder.feed()
            heard.append(speaker.hear())
            for generation, samples in counts(feeder).items():
                assert told[generation] <= samples <= given_of[generation]
                assert not (paused and block > 0 and samples != told[generation])
                told[generation] = samples
    # The fades of answer, tail and clip and the ramp of the gain may fall together.
    assert largest_step(np.concatenate(heard)) < (0.5 + 0.5 + 0.25 + 0.5) / (0.005 * rate_hz)
    assert told[max(told)] == given_of[max(told)]


def test_a_pause_taken_back_before_it_was_heard_is_no_delay() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(0.5), 0)
    speaker.hear(10)
    feeder.pause(asked_ns=1)
    feeder.play_on(0)
    speaker.hear(2)
    feeder.pause(asked_ns=speaker.now_ns)
    speaker.hear(1)
    feeder.measure()
    assert feeder.silence_latencies.percentiles_ms() == pytest.approx((15, 15))


def test_an_answer_whose_end_was_paused_plays_on_at_once() -> None:
    _, feeder, speaker = made()
    feeder.play(constant(0.1), 0)
    speaker.hear(8)
    feeder.pause()
    speaker.hear(3)
    feeder.play_on(0)
    assert speaker.hear().any()


def test_a_gap_that_lies_in_a_pause_is_no_underrun() -> None:
    playout, feeder, speaker = made()
    feeder.play(constant(0.1), 0)
    speaker.hear(16)
    feeder.pause()
    feeder.play(constant(0.1), 0)
    speaker.hear(5)
    feeder.play_on(0)
    speaker.hear(30)
    assert counts(feeder) == {0: 4_800}
    assert playout.underruns == 0


def test_the_prefill_begins_at_40_milliseconds() -> None:
    assert Playout(RATE_HZ).prefill_s == PREFILL_S == 0.04
