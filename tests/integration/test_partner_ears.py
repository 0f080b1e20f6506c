"""The practice partner's real ears and voice by themselves: they compute, and nobody waits for them."""

import numpy as np
import pytest

from novadesk.protocol.events import Sensitivity
from novadesk.server.partner import speak
from novadesk.server.partner.listen import (
    END_SILENCE_MS,
    Hearing,
    HearingEvent,
    ListeningRules,
    UtteranceHeard,
    rules_for,
)
from novadesk.server.partner.phrasebook import Intent
from novadesk.server.partner.phrases import understand
from novadesk.server.partner.recognise import RecogniserPool, SphinxRecogniser, silero
from novadesk.server.partner.speak import TIMBRES, EspeakVoice
from tests.support.voices import Speaker, room_noise, silence, speech

VOICES = (Speaker.SLT, Speaker.RMS, Speaker.KAL16, Speaker.FESTIVAL)
PHRASES = {
    "hello how are you": Intent.HOW_ARE_YOU,
    "what is three plus four": Intent.SUM,
    "my name is anna": Intent.MY_NAME,
    "what did we talk about": Intent.TALKED_ABOUT,
    "what time is it": Intent.TIME,
    "can you repeat that please": Intent.REPEAT,
    "please speak more slowly": Intent.SLOWER,
    "thank you very much for your help": Intent.THANKS,
    "i would like to order a cup of coffee and a sandwich": Intent.RESTAURANT,
    "let us practice a conversation about travel": Intent.TRAVEL,
    "goodbye and see you next week": Intent.GOODBYE,
}
PAUSE = silence(800)


@pytest.fixture(scope="module")
def pool() -> RecogniserPool:
    return RecogniserPool(SphinxRecogniser, most=1)


def hear(pool: RecogniserPool, sound: bytes, sensitivity: Sensitivity | None = None) -> list[HearingEvent]:
    hearing = Hearing(silero(), pool.lease, pool.give_back, rules_for(sensitivity))
    try:
        return hearing.hear(sound)
    finally:
        hearing.close()


def heard_texts(events: list[HearingEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, UtteranceHeard)]


@pytest.mark.parametrize("speaker", VOICES, ids=lambda speaker: speaker.value)
@pytest.mark.parametrize("phrase", PHRASES)
def test_spoken_phrases_are_understood(pool: RecogniserPool, speaker: Speaker, phrase: str) -> None:
    texts = heard_texts(hear(pool, silence(300) + speech(speaker, phrase) + PAUSE))
    assert len(texts) == 1
    match = understand(texts[0])
    assert match is not None, texts
    assert match.intent is PHRASES[phrase], texts


@pytest.mark.parametrize("sensitivity", list(Sensitivity))
def test_the_end_of_speech_is_found_in_time(pool: RecogniserPool, sensitivity: Sensitivity) -> None:
    spoken = speech(Speaker.SLT, "what time is it")
    pause_ms = END_SILENCE_MS[sensitivity]
    assert heard_texts(hear(pool, spoken + silence(pause_ms - 100), sensitivity)) == []
    assert len(heard_texts(hear(pool, spoken + silence(pause_ms + 250), sensitivity))) == 1


def test_speech_right_at_the_beginning_keeps_its_first_word(pool: RecogniserPool) -> None:
    assert heard_texts(hear(pool, speech(Speaker.RMS, "hello how are you") + PAUSE)) == ["hello how are you"]


def test_noise_and_silence_are_no_speech(pool: RecogniserPool) -> None:
    assert hear(pool, room_noise(10_000) + silence(10_000) + room_noise(5_000, dbfs=-40)) == []


def test_quiet_speech_in_a_quiet_room_is_heard(pool: RecogniserPool) -> None:
    samples = np.frombuffer(speech(Speaker.SLT, "what is three plus four"), "<i2").astype(np.float32) * 0.2
    noise = np.frombuffer(room_noise(len(samples) // 16 + 1_000, dbfs=-70), "<i2").astype(np.float32)
    noise[4_000 : 4_000 + len(samples)] += samples
    texts = heard_texts(hear(pool, np.rint(noise).astype("<i2").tobytes() + PAUSE))
    match = understand(texts[0])
    assert match is not None
    assert match.intent is Intent.SUM


def test_two_utterances_in_a_row_are_two(pool: RecogniserPool) -> None:
    sound = speech(Speaker.RMS, "hello how are you") + PAUSE + speech(Speaker.RMS, "what time is it") + PAUSE
    assert heard_texts(hear(pool, sound)) == ["hello how are you", "what time is it"]


def test_a_long_speech_is_cut(pool: RecogniserPool) -> None:
    hearing = Hearing(silero(), pool.lease, pool.give_back, ListeningRules(longest_ms=2_500))
    texts = heard_texts(hearing.hear((speech(Speaker.SLT, "what time is it") + silence(200)) * 4 + PAUSE))
    assert len(texts) == 2
    assert all("time" in text for text in texts)


@pytest.mark.parametrize("voice", [*TIMBRES, "somebody"])
def test_every_voice_speaks(voice: str) -> None:
    mouth = EspeakVoice()
    for english in (True, False):
        pcm = mouth.say("Good day.", voice=voice, english=english, words_per_minute=160, rate_hz=16_000)
        assert 0.4 < len(pcm) / 32_000 < 2.5


def test_every_timbre_is_one_that_the_synthesiser_knows() -> None:
    names = {timbre.name(english=english) for timbre in TIMBRES.values() for english in (True, False)}
    assert [name for name in names if not speak._espeak().choose(name)] == []


def test_voices_of_men_and_women_differ_and_slow_is_slow() -> None:
    mouth = EspeakVoice()

    def say(voice: str, words_per_minute: int) -> bytes:
        return mouth.say(
            "Good day to you.", voice=voice, english=True, words_per_minute=words_per_minute, rate_hz=24_000
        )

    assert say("matthew", 160) != say("tiffany", 160)
    assert len(say("matthew", 100)) > 1.2 * len(say("matthew", 160))


@pytest.mark.parametrize("text", ["", "!", "\0", "<b>[[x]]</b>", "日本", "a" * 2_000, "\N{GRINNING FACE}"])
def test_the_voice_takes_any_text(text: str) -> None:
    pcm = EspeakVoice().say(text, voice="matthew", english=True, words_per_minute=160, rate_hz=8_000)
    assert len(pcm) % 2 == 0
