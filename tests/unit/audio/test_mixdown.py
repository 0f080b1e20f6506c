import numpy as np
import pytest

from novadesk.audio.mixdown import Mixdown
from tests.support.ears import tone

RATE_HZ = 48_000
VOICE = tone(1.0, 300.0, RATE_HZ)


def channels_with(
    count: int, sounding: tuple[int, ...], others: float = 0.0
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return a voice on some channels, and on the others noise of this amplitude."""
    made = (np.random.default_rng(1).standard_normal((len(VOICE), count)) * others).astype(np.float32)
    for channel in sounding:
        made[:, channel] = VOICE
    return made


def mixed(
    mixdown: Mixdown, sound: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.concatenate([mixdown.mix(sound[start : start + 480]) for start in range(0, len(sound), 480)])


@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize("others", [0.0, 0.001])
def test_a_voice_on_one_input_is_as_loud_as_on_a_single_one(count: int, others: float) -> None:
    for channel in range(count):
        heard = mixed(Mixdown(count, RATE_HZ), channels_with(count, (channel,), others))
        assert np.allclose(heard[960:], VOICE[960:], atol=1e-6)


@pytest.mark.parametrize("sounding", [(0, 1), (0, 1, 2, 3, 4, 5, 6, 7), (2, 5)])
def test_what_several_inputs_hear_is_their_mean(sounding: tuple[int, ...]) -> None:
    heard = mixed(Mixdown(8, RATE_HZ), channels_with(8, sounding))
    assert np.allclose(heard[960:], VOICE[960:], atol=1e-6)


def test_silence_stays_silence() -> None:
    assert not mixed(Mixdown(2, RATE_HZ), np.zeros((4_800, 2), np.float32)).any()


def test_a_voice_that_goes_to_another_input_is_followed_without_a_click() -> None:
    sound = np.concatenate([channels_with(2, (0,))[:48_000], *[channels_with(2, (1,))] * 40])
    heard = mixed(Mixdown(2, RATE_HZ), sound)
    assert np.allclose(heard[-4_800:], VOICE[-4_800:], atol=1e-6)
    assert np.abs(np.diff(heard)).max() < 1.5 * np.abs(np.diff(VOICE)).max()


def test_a_pause_changes_nothing() -> None:
    mixdown = Mixdown(2, RATE_HZ)
    mixed(mixdown, channels_with(2, (0,), 0.001))
    quiet = channels_with(2, (), 0.001)
    assert np.allclose(mixed(mixdown, quiet[:4_800]), quiet[:4_800, 0])
