"""The canceller takes an echo away and leaves a voice; where there is none, it says so."""

import sys

import numpy as np
import pytest

from novadesk.audio.canceller import (
    GAIN_CEILING_DB,
    REST_STEPS,
    VOICE_DBFS,
    Canceller,
    NullCanceller,
    WebRtcCanceller,
    make_canceller,
)
from novadesk.audio.formats import Samples
from novadesk.config import EchoSetting
from tests.support.rooms import RATE_HZ, STEP, Plan, Room, murmur
from tests.support.voices import Speaker

pytestmark = pytest.mark.thorough

SILENCE = np.zeros(STEP, np.float32)


def talk(seconds: float, dbfs: float) -> Samples:
    """Return speech-like sound without end."""
    voice = np.concatenate(
        [murmur(Speaker.RMS, text) for text in ("something like a sentence", "and one more of them")]
    )
    sound = np.resize(voice, round(seconds * RATE_HZ) // STEP * STEP)
    return sound * np.float32(10 ** (dbfs / 20) / np.sqrt(np.mean(sound * sound)))


def quiet_room(seconds: int) -> Samples:
    return np.random.default_rng(6).standard_normal(seconds * RATE_HZ).astype(np.float32) * np.float32(5e-4)


def steps(sound: Samples) -> list[Samples]:
    return list(sound.reshape(-1, STEP))


def level_db(sound: list[Samples]) -> float:
    return float(10 * np.log10(np.mean(np.square(np.concatenate(sound))) + 1e-12))


def through(canceller: Canceller, voice: Samples) -> list[Samples]:
    return [canceller.process(step, SILENCE, echoes=False) for step in steps(voice)]


def test_an_echo_is_taken_away_and_by_how_much_is_known() -> None:
    answer = talk(8, -18)
    room, canceller = Room(Plan(seed=3), answer, 8), WebRtcCanceller()
    near, clean = [], []
    for played in steps(answer):
        near.append(room.hear(played, SILENCE))
        clean.append(canceller.process(near[-1], played))
    taken_db = level_db(near[500:]) - level_db(clean[500:])
    assert taken_db > 25
    assert canceller.erle_db == pytest.approx(taken_db, abs=8)


def test_a_voice_of_ordinary_level_passes_as_loud_as_it_is() -> None:
    voice = talk(4, -22)
    clean = through(WebRtcCanceller(), voice)
    assert level_db(clean[100:]) == pytest.approx(level_db(steps(voice)[100:]), abs=3)
    assert np.abs(np.concatenate(clean)).max() <= np.abs(voice).max() * 1.2


@pytest.mark.parametrize("silent_s", [0, 1])
@pytest.mark.parametrize("again", [False, True])
def test_a_voice_that_begins_in_digital_silence_is_not_taken_for_noise(silent_s: int, again: bool) -> None:
    canceller, voice = WebRtcCanceller(), talk(3, -22)
    if again:
        through(canceller, talk(1, -12))
        canceller.reset()
    through(canceller, np.zeros(silent_s * RATE_HZ, np.float32))
    clean = through(canceller, voice)
    late = 2  # steps
    for second in (0, 0.3, 0.6, 2):
        part = slice(round(second * 100), round(second * 100) + 30)
        before = level_db(steps(voice)[part])
        assert level_db(clean[late:][part]) == pytest.approx(before, abs=2), f"{second} s after its begin"


def test_what_is_played_beside_answers_takes_nothing_of_a_voice() -> None:
    cue, voice = steps(talk(2, -30)), steps(talk(2, -22))
    plain = through(WebRtcCanceller(), np.concatenate(voice))
    canceller = WebRtcCanceller()
    under_cue = [canceller.process(near, far, echoes=False) for near, far in zip(voice, cue, strict=True)]
    assert np.array_equal(np.concatenate(under_cue), np.concatenate(plain))


def test_a_voice_passes_in_time_wherever_answers_begin_and_end() -> None:
    hiss = np.random.default_rng(4).standard_normal(8 * RATE_HZ).astype(np.float32) * np.float32(0.05)
    for echoes in (lambda step: False, lambda step: step > 400, lambda step: step % 60 < 30):
        canceller = WebRtcCanceller()
        first = [canceller._without_echo(near, SILENCE, echoes(step)) for step, near in enumerate(steps(hiss))]
        late = np.concatenate(first)[128:]
        assert np.corrcoef(late[RATE_HZ:], hiss[RATE_HZ : len(late)])[0, 1] > 0.95


@pytest.mark.parametrize("idle_s", [0, 20])
@pytest.mark.parametrize("after_s", [0.5, 2, 4])
def test_a_voice_over_the_first_answer_passes_where_there_is_no_echo(idle_s: int, after_s: float) -> None:
    canceller, answer, voice = WebRtcCanceller(), talk(6, -18), np.zeros(6 * RATE_HZ, np.float32)
    said = np.concatenate([murmur(Speaker.KAL16, "somebody says this")] * 2)[:RATE_HZ]
    start = round(after_s * RATE_HZ)
    voice[start : start + len(said)] = said
    through(canceller, np.zeros(idle_s * RATE_HZ, np.float32))
    clean = [canceller.process(near, far) for near, far in zip(steps(voice), steps(answer), strict=True)]
    heard = slice(round(after_s * 100), round(after_s * 100) + 100)
    assert level_db(clean[heard]) == pytest.approx(level_db(steps(voice)[heard]), abs=4)


@pytest.mark.parametrize("idle_s", [0, 20])
def test_the_first_answer_is_taken_away_after_three_tenths_of_a_second(idle_s: int) -> None:
    answer = talk(1, -18)
    room, canceller = Room(Plan(seed=3), answer, 1), WebRtcCanceller()
    through(canceller, quiet_room(idle_s))
    near = [room.hear(played, SILENCE) for played in steps(answer)]
    clean = [canceller.process(heard, played) for heard, played in zip(near, steps(answer), strict=True)]
    tenths = [slice(start, start + 10) for start in range(30, 100, 10)]
    assert min(level_db(near[tenth]) - level_db(clean[tenth]) for tenth in tenths) > 25


def test_it_rests_while_nothing_is_played_and_takes_the_next_answer_away() -> None:
    answer, fed = talk(3, -18), 0
    room, canceller = Room(Plan(seed=3), np.concatenate((answer, answer)), 6), WebRtcCanceller()
    process = canceller._echo.process

    class Counting:
        def process(self, near: Samples, far: Samples) -> Samples:
            nonlocal fed
            fed += 1
            return process(near, far)

    canceller._echo = Counting()  # type: ignore[assignment]
    for played in steps(answer):
        canceller.process(room.hear(played, SILENCE), played)
    fed = 0
    through(canceller, quiet_room(20))
    assert fed == REST_STEPS
    near = [room.hear(played, SILENCE) for played in steps(answer)]
    clean = [canceller.process(heard, played) for heard, played in zip(near, steps(answer), strict=True)]
    assert fed == REST_STEPS + 1 + len(clean)
    tenths = [slice(start, start + 10) for start in range(20, 300, 10)]
    assert min(level_db(near[tenth]) - level_db(clean[tenth]) for tenth in tenths) > 40


def test_a_voice_passes_in_time_after_a_rest() -> None:
    hiss = np.random.default_rng(4).standard_normal(8 * RATE_HZ).astype(np.float32) * np.float32(0.05)
    canceller = WebRtcCanceller()
    first = [canceller._without_echo(near, SILENCE, step > 600) for step, near in enumerate(steps(hiss))]
    late = np.concatenate(first)[128:]
    around = slice(600 * STEP, 604 * STEP)
    assert np.corrcoef(late[around], hiss[around])[0, 1] > 0.95


def test_a_faint_voice_is_lifted_slowly_and_not_by_more_than_the_ceiling() -> None:
    canceller, voice = WebRtcCanceller(), talk(20, VOICE_DBFS - 14)
    clean = through(canceller, voice)
    assert 10 < canceller.gain_db < GAIN_CEILING_DB
    assert level_db(clean[-200:]) == pytest.approx(level_db(steps(voice)[-200:]) + canceller.gain_db, abs=3)
    through(canceller, talk(20, VOICE_DBFS - 28))
    assert canceller.gain_db <= GAIN_CEILING_DB
    canceller.reset()
    assert canceller.gain_db == 0


def test_a_lifted_voice_that_grows_loud_does_not_clip() -> None:
    canceller = WebRtcCanceller()
    through(canceller, talk(15, VOICE_DBFS - 18))
    assert canceller.gain_db > 6
    assert max(np.abs(step).max() for step in through(canceller, talk(1, -20))) < 1


def test_somebody_who_talks_over_the_echo_for_a_moment_hardly_changes_how_well_it_is_taken_away() -> None:
    answer, voice = talk(10, -18), np.zeros(10 * RATE_HZ, np.float32)
    said = murmur(Speaker.KAL16, "stop it now")[: RATE_HZ // 2]
    voice[8 * RATE_HZ : 8 * RATE_HZ + len(said)] = said
    room, canceller, found = Room(Plan(seed=3), answer, 10), WebRtcCanceller(), []
    for played, near in zip(steps(answer), steps(voice), strict=True):
        canceller.process(room.hear(played, near), played)
        found.append(canceller.erle_db)
    assert found[799] > 40
    assert min(found[800:]) > found[799] - 25


def test_no_figure_is_made_up_where_there_is_no_echo() -> None:
    canceller = WebRtcCanceller()
    for played in steps(talk(2, -18)):
        canceller.process(SILENCE, played)
    assert canceller.erle_db == 0


def test_reset_forgets_the_room() -> None:
    canceller = WebRtcCanceller()
    answer = talk(3, -18)
    for step in steps(answer):
        canceller.process(step * np.float32(0.3), step)
    assert canceller.erle_db > 0
    canceller.reset()
    assert (canceller.erle_db, canceller.speech, canceller.gain_db) == (0, 0, 0)


@pytest.mark.parametrize("echo", [EchoSetting.HEADSET, EchoSetting.HALF_DUPLEX])
def test_without_an_echo_to_take_away_the_sound_is_heard_as_it_is(echo: EchoSetting) -> None:
    canceller, note = make_canceller(echo)
    sound = talk(0.01, -20)
    assert isinstance(canceller, NullCanceller)
    assert canceller.process(sound, sound) is sound
    assert note == ""


def test_speakers_get_the_echo_taken_away_or_are_told_that_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    canceller, note = make_canceller(EchoSetting.SPEAKERS)
    assert isinstance(canceller, WebRtcCanceller)
    assert note == ""
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    canceller, note = make_canceller(EchoSetting.SPEAKERS)
    assert isinstance(canceller, NullCanceller)
    assert "does not listen while it speaks" in note
