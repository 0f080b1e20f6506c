from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.audio.formats import Samples
from novadesk.audio.resampler import Resampler, convert

RATES = [(48_000, 16_000), (44_100, 16_000), (32_000, 16_000), (22_050, 16_000), (11_025, 16_000), (8_000, 16_000),
         (96_000, 16_000), (16_000, 16_000), (24_000, 48_000), (24_000, 44_100), (24_000, 16_000)]  # fmt: skip
DOWN = [(48_000, 16_000), (44_100, 16_000)]


def tone(hz: float, rate_hz: int, frames: int) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(frames) / rate_hz)).astype(np.float32)


def sinad_and_gain_db(signal: Samples, hz: float, rate_hz: int) -> tuple[float, float]:
    """Fit a sine and return its ratio to everything else, and its gain against amplitude 0.5."""
    signal = signal[len(signal) // 4 : len(signal) // 4 * 3].astype(np.float64)
    angle = 2 * np.pi * hz * np.arange(len(signal)) / rate_hz
    basis = np.stack([np.sin(angle), np.cos(angle), np.ones_like(angle)], axis=1)
    weights, *_ = np.linalg.lstsq(basis, signal, rcond=None)
    fitted = basis @ weights
    sinad = 10 * np.log10((fitted**2).mean() / ((signal - fitted) ** 2).mean())
    return float(sinad), float(20 * np.log10(np.hypot(*weights[:2]) / 0.5))


@given(rates=st.sampled_from(RATES), splits=st.lists(st.integers(0, 700), max_size=8), seed=st.integers(0, 99))
def test_the_pieces_give_what_the_whole_gives(rates: tuple[int, int], splits: list[int], seed: int) -> None:
    signal = np.random.default_rng(seed).uniform(-1, 1, sum(splits)).astype(np.float32)
    whole = Resampler(*rates).feed(signal)
    pieces, resampler, start = [np.zeros(0, np.float32)], Resampler(*rates), 0
    for count in splits:
        pieces.append(resampler.feed(signal[start : start + count]))
        start += count
        assert sum(map(len, pieces)) == ceil(start * rates[1] / rates[0])
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6)


def test_a_signal_longer_than_a_chunk_has_no_seam() -> None:
    signal = tone(1_000, 48_000, 50_000)
    small = Resampler(48_000, 16_000)
    expected = np.concatenate([small.feed(signal[start : start + 480]) for start in range(0, len(signal), 480)])
    np.testing.assert_allclose(Resampler(48_000, 16_000).feed(signal), expected, atol=1e-6)


@pytest.mark.parametrize("rates", [(48_000, 16_000), (24_000, 48_000), (44_100, 16_000), (24_000, 44_100)])
def test_ten_milliseconds_in_are_ten_milliseconds_out(rates: tuple[int, int]) -> None:
    resampler = Resampler(*rates)
    assert {len(resampler.feed(np.zeros(rates[0] // 100, np.float32))) for _ in range(50)} == {rates[1] // 100}


@pytest.mark.parametrize(
    ("rates", "hz"),
    [(pair, hz) for pair in RATES for hz in (300, 1_000, 3_000, 6_000) if pair[0] != pair[1] and hz < 0.4 * min(pair)],
)
def test_a_tone_comes_out_clean(rates: tuple[int, int], hz: int) -> None:
    sinad, gain = sinad_and_gain_db(Resampler(*rates).feed(tone(hz, rates[0], rates[0])), hz, rates[1])
    assert sinad > 90
    assert abs(gain) < 0.1


@pytest.mark.parametrize("rates", DOWN)
@pytest.mark.parametrize(("hz", "at_most_db"), [(9_000, -80), (10_000, -95), (15_000, -95)])
def test_what_the_lower_rate_cannot_carry_does_not_come_back_as_something_else(
    rates: tuple[int, int], hz: int, at_most_db: float
) -> None:
    out = Resampler(*rates).feed(tone(hz, rates[0], rates[0]))[2_000:]
    assert 20 * np.log10(np.sqrt((out**2).mean()) / (0.5 / np.sqrt(2))) < at_most_db


@pytest.mark.parametrize("rates", RATES)
def test_a_converted_whole_lies_where_it_lay(rates: tuple[int, int]) -> None:
    click = np.zeros(4_000, np.float32)
    click[2_000] = 1
    out = convert(click, *rates)
    assert len(out) == ceil(4_000 * rates[1] / rates[0])
    assert abs(int(np.argmax(np.abs(out))) - 2_000 * rates[1] / rates[0]) <= 1


def test_reset_forgets() -> None:
    resampler = Resampler(24_000, 48_000)
    resampler.feed(np.ones(333, np.float32))
    resampler.reset()
    assert not resampler.feed(np.zeros(100, np.float32)).any()
