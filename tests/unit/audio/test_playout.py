import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.audio.formats import Samples
from novadesk.audio.playout import PREFILL_CEILING_S, Feeder, Playout

RATE_HZ = 48_000
BLOCK = 480
PREFILL_BLOCKS = 4


class Speaker:
    """Calls back as a device does, and keeps what was heard."""

    def __init__(self, playout: Playout, block: int = BLOCK) -> None:
        self.playout = playout
        self.block = block

    def hear(self, blocks: int = 1) -> Samples:
        heard = [np.zeros(0, np.float32)]
        for _ in range(blocks):
            out = np.full((self.block, 1), np.nan, np.float32)
            self.playout.fill(out)
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
