from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.errors import KnownError, Reason
from novadesk.protocol.events import Sensitivity
from novadesk.server.partner.listen import (
    END_SILENCE_MS,
    WINDOW_BYTES,
    WINDOW_MS,
    Dismissal,
    Hearing,
    HearingEvent,
    ListeningRules,
    SpeechBegan,
    SpeechConfirmed,
    UtteranceDismissed,
    UtteranceHeard,
    rules_for,
)
from novadesk.server.partner.recognise import Recogniser, RecogniserPool

SPEECH, NOISE, ZEROS = b"\x01\x40" * 512, b"\x01\x00" * 512, bytes(WINDOW_BYTES)


class LevelActivity:
    """Takes loud windows for speech."""

    def __init__(self) -> None:
        self.asked = 0
        self.resets = 0

    def __call__(self, window: bytes, /) -> float:
        self.asked += 1
        return 0.9 if window[1] else 0.1

    def reset(self) -> None:
        self.resets += 1


class FakeRecogniser:
    """Understands the words given, one utterance after another."""

    def __init__(self, *texts: str) -> None:
        self.texts = deque(texts)
        self.open = False
        self.fed: list[bytes] = []
        self.tunings: list[str] = []

    def start(self, tuning: str) -> None:
        assert not self.open
        self.open = True
        self.tunings.append(tuning)
        self.fed.clear()

    def feed(self, pcm: bytes) -> None:
        assert self.open
        assert pcm
        self.fed.append(pcm)

    def finish(self) -> str:
        assert self.open
        self.open = False
        return self.texts.popleft() if self.texts else "hello there"

    def tuning(self) -> str:
        return f"after {len(self.tunings)}"


class Ear:
    def __init__(self, *texts: str, rules: ListeningRules | None = None) -> None:
        self.activity = LevelActivity()
        self.recogniser = FakeRecogniser(*texts)
        self.lent = 0
        self.hearing = Hearing(self.activity, self.lease, self.give_back, rules or ListeningRules())

    def lease(self) -> Recogniser:
        self.lent += 1
        return self.recogniser

    def give_back(self, recogniser: Recogniser) -> None:
        assert recogniser is self.recogniser
        self.lent -= 1

    def hear(self, *parts: tuple[bytes, int]) -> list[HearingEvent]:
        """Hear windows of one kind for so many ms each."""
        return [event for window, length_ms in parts for event in self.hearing.hear(window * (length_ms // WINDOW_MS))]


def test_an_utterance_is_begun_confirmed_and_heard() -> None:
    ear = Ear("how are you")
    events = ear.hear((NOISE, 960), (SPEECH, 960), (NOISE, 960))
    assert events == [SpeechBegan(), SpeechConfirmed(), UtteranceHeard(text="how are you", speech_ms=960)]
    assert ear.lent == 0


def test_the_sound_before_the_onset_is_kept() -> None:
    ear = Ear()
    ear.hear((NOISE, 3_200), (SPEECH, 64))
    assert ear.recogniser.fed == [NOISE] * 13 + [SPEECH] * 2


def test_silence_stands_for_the_sound_that_is_missing_before_the_onset() -> None:
    ear = Ear()
    ear.hear((SPEECH, 64))
    assert ear.recogniser.fed == [ZEROS] * 13 + [SPEECH] * 2


def test_a_single_loud_window_begins_nothing() -> None:
    assert Ear().hear((SPEECH, 32), (NOISE, 320), (SPEECH, 32), (NOISE, 960)) == []


def test_a_pause_shorter_than_the_end_silence_does_not_end_it() -> None:
    ear = Ear("one two")
    events = ear.hear((SPEECH, 320), (NOISE, 608), (SPEECH, 320), (NOISE, 640))
    assert events[2:] == [UtteranceHeard(text="one two", speech_ms=640)]


@pytest.mark.parametrize("sensitivity", list(Sensitivity))
def test_the_sensitivity_sets_the_end_silence(sensitivity: Sensitivity) -> None:
    ear = Ear("hello there", rules=rules_for(sensitivity))
    silence_ms = END_SILENCE_MS[sensitivity]
    assert len(ear.hear((SPEECH, 320), (NOISE, silence_ms - WINDOW_MS))) == 2
    assert ear.hear((NOISE, WINDOW_MS)) == [UtteranceHeard(text="hello there", speech_ms=320)]


def test_the_sensitivities_are_ordered_and_scaled() -> None:
    assert END_SILENCE_MS[Sensitivity.HIGH] < END_SILENCE_MS[Sensitivity.MEDIUM] < END_SILENCE_MS[Sensitivity.LOW]
    assert rules_for(None) == rules_for(Sensitivity.MEDIUM)
    assert rules_for(None, pause_scale=0.5).end_silence_ms == 320
    assert rules_for(None, pause_scale=0.0).end_silence_ms == WINDOW_MS


def test_a_short_sound_is_dismissed() -> None:
    events = Ear("click").hear((SPEECH, 96), (NOISE, 960))
    assert events == [SpeechBegan(), UtteranceDismissed(why=Dismissal.TOO_SHORT, speech_ms=96)]


@pytest.mark.parametrize("text", ["", "the", "uh", "and the"])
def test_sound_without_words_is_dismissed(text: str) -> None:
    events = Ear(text).hear((SPEECH, 640), (NOISE, 960))
    assert events[-1] == UtteranceDismissed(why=Dismissal.NO_WORDS, speech_ms=640)


def test_a_muted_microphone_costs_nothing_and_ends_an_utterance() -> None:
    ear = Ear("stop")
    assert ear.hear((ZEROS, 60_000)) == []
    assert ear.activity.asked == 0
    events = ear.hear((SPEECH, 320), (ZEROS, 640))
    assert events[-1] == UtteranceHeard(text="stop", speech_ms=320)
    assert ear.activity.asked == 10


def test_a_long_utterance_is_cut_and_the_next_one_begins() -> None:
    ear = Ear("first", "second")
    events = ear.hear((SPEECH, 40_000), (NOISE, 960))
    heard = [event for event in events if isinstance(event, UtteranceHeard)]
    assert [event.text for event in heard] == ["first", "second"]
    assert 29_000 < heard[0].speech_ms <= 30_000 + WINDOW_MS


def test_the_recogniser_is_tuned_by_what_was_understood_only() -> None:
    ear = Ear("one", "", "three", "four")
    ear.hear(*[(SPEECH, 320), (NOISE, 960)] * 4)
    assert ear.recogniser.tunings == ["", "after 1", "after 1", "after 3"]


def test_closing_gives_the_recogniser_back() -> None:
    ear = Ear()
    ear.hear((SPEECH, 320))
    assert ear.lent == 1
    ear.hearing.close()
    ear.hearing.close()
    assert ear.lent == 0
    assert not ear.recogniser.open


@given(
    parts=st.lists(st.tuples(st.sampled_from([SPEECH, NOISE, ZEROS]), st.integers(1, 40)), max_size=12),
    cuts=st.lists(st.integers(1, 3_000), max_size=20),
)
def test_how_the_sound_is_cut_does_not_matter(parts: list[tuple[bytes, int]], cuts: list[int]) -> None:
    sound = b"".join(window * count for window, count in parts)
    whole, pieces = Ear(), Ear()
    expected = whole.hearing.hear(sound)
    events: list[HearingEvent] = []
    start = 0
    for cut in cuts:
        events += pieces.hearing.hear(sound[start : start + cut])
        start += cut
    events += pieces.hearing.hear(sound[start:])
    assert events == expected
    assert whole.lent == pieces.lent
    began = sum(isinstance(event, SpeechBegan) for event in events)
    ended = sum(isinstance(event, UtteranceHeard | UtteranceDismissed) for event in events)
    assert began - ended == pieces.lent


def test_the_pool_loads_one_recogniser_and_a_second_only_when_needed() -> None:
    made: list[FakeRecogniser] = []

    def load() -> FakeRecogniser:
        made.append(FakeRecogniser())
        return made[-1]

    pool = RecogniserPool(load, most=2)
    pool.warm()
    pool.warm()
    assert len(made) == 1
    first, second = pool.lease(), pool.lease()
    assert {id(first), id(second)} == {id(one) for one in made}
    pool.give_back(first)
    assert pool.lease() is first


def test_the_pool_can_try_again_after_a_failure() -> None:
    failures = [KnownError(Reason.PRACTICE_FAILED, "No.", "Again.")]

    def load() -> FakeRecogniser:
        if failures:
            raise failures.pop()
        return FakeRecogniser()

    pool = RecogniserPool(load, most=1)
    with pytest.raises(KnownError):
        pool.lease()
    assert isinstance(pool.lease(), FakeRecogniser)
