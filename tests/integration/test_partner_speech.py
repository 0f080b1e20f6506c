"""The practice partner with its real ears and voice: spoken phrases in, spoken answers out."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import numpy as np
import pytest

from novadesk.errors import KnownError, Reason
from novadesk.server.partner import (
    PracticePartner,
    PracticeParts,
    ScriptedPartner,
    make_partner,
    practice_parts,
    speak,
)
from novadesk.server.partner.mouth import Pace
from novadesk.server.partner.recognise import RecogniserPool, SphinxRecogniser, silero
from novadesk.server.partner.speak import EspeakVoice
from tests.support.fake_call import Phone, ring
from tests.support.voices import Speaker, silence, speech

VOICES = (Speaker.SLT, Speaker.RMS, Speaker.KAL16)
PAUSE = silence(800)


@pytest.fixture(scope="module")
def pool() -> RecogniserPool:
    return RecogniserPool(SphinxRecogniser, most=1)


class BriefVoice(EspeakVoice):
    """The real voice, cut to a tenth of a second, so that nobody waits for it to be played."""

    def say(self, sentence: str, *, voice: str, english: bool, words_per_minute: int, rate_hz: int) -> bytes:
        pcm = super().say(sentence, voice=voice, english=english, words_per_minute=words_per_minute, rate_hz=rate_hz)
        return pcm[: rate_hz // 5]


@pytest.fixture
def brief(pool: RecogniserPool) -> PracticeParts:
    parts = practice_parts(warm=False)
    return PracticeParts(
        activity=parts.activity, pool=pool, voice=BriefVoice(), mind=parts.mind, pace=Pace(playout_delay_s=0.0)
    )


@pytest.fixture
async def phone(brief: PracticeParts) -> AsyncGenerator[Phone]:
    calling = ring(PracticePartner(brief))
    yield calling
    await calling.hang_up()


@pytest.mark.parametrize("speaker", VOICES, ids=lambda speaker: speaker.value)
async def test_a_spoken_conversation_is_remembered(phone: Phone, speaker: Speaker) -> None:
    await phone.speak(silence(500))
    for count, phrase in enumerate(
        ["hello how are you", "what is three plus four", "my name is anna", "what did we talk about"], 1
    ):
        await phone.speak(speech(speaker, phrase) + PAUSE)
        await phone.wire.until_turn_ends(count)
    finals = phone.wire.texts("final")
    assert len(phone.wire.texts("user")) == 4
    assert "Three plus four is seven." in finals
    assert any(final.startswith("Nice to meet you,") for final in finals)
    assert "We talked about how we are, sums and your name." in finals


async def test_the_loop_is_not_held_up_while_it_listens(brief: PracticeParts) -> None:
    """The recogniser holds the interpreter for one window at a time, never for a whole utterance."""
    brief.pool.warm()
    calling = ring(PracticePartner(brief))
    sound = speech(Speaker.SLT, "i would like to order a cup of coffee and a sandwich") * 3 + PAUSE
    jobs = 0

    async def count() -> None:
        nonlocal jobs
        while True:
            jobs += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await calling.speak(sound)
    await calling.wire.until_turn_ends()
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)
    await calling.hang_up()
    assert jobs > len(sound) // 1_024


async def test_the_answer_is_heard_as_speech(pool: RecogniserPool) -> None:
    calling = ring(PracticePartner(practice_parts(warm=False)), voice="tiffany")
    await calling.type("what is three plus four")
    await calling.wire.until_turn_ends()
    await calling.hang_up()
    samples = np.frombuffer(bytes(calling.wire.pcm), "<i2").astype(np.float64) / 32_768
    loud = samples[np.abs(samples) > 0.004]
    assert 1.0 < len(samples) / 24_000 < 4.0
    assert -19.5 < 20 * np.log10(np.sqrt(np.mean(loud**2))) < -16.5
    assert np.abs(samples).max() < 0.95
    detector = silero()
    wide = (samples[: len(samples) // 3 * 3].reshape(-1, 3)[:, :2].ravel() * 32_767).astype("<i2").tobytes()
    windows = [wide[start : start + 1_024] for start in range(0, len(wide) - 1_024, 1_024)]
    assert sum(detector(window) > 0.5 for window in windows) > len(windows) // 3


async def test_barge_in_by_voice_stops_the_answer(brief: PracticeParts, pool: RecogniserPool) -> None:
    parts = PracticeParts(activity=silero, pool=pool, voice=EspeakVoice(), mind=brief.mind)
    calling = ring(PracticePartner(parts))
    await calling.type("what can you do")
    await calling.wire.until(lambda wire: bool(wire.texts("speech")))
    await calling.speak(speech(Speaker.SLT, "what is three plus four") + PAUSE)
    await calling.wire.until_turn_ends()
    await calling.hang_up()
    assert [what for what, _ in calling.wire.told("interrupted", "user", "final")] == ["interrupted", "user", "final"]
    assert calling.wire.texts("final") == ["Three plus four is seven."]


async def test_a_call_that_ends_in_the_middle_of_a_word_gives_everything_back(brief: PracticeParts) -> None:
    for leave in (Phone.hang_up, Phone.drop):
        calling = ring(PracticePartner(brief))
        await calling.speak(speech(Speaker.SLT, "what is three plus four")[:30_000])
        await asyncio.sleep(0.05)
        async with asyncio.timeout(60):
            await leave(calling)
    again = ring(PracticePartner(brief))
    await again.speak(speech(Speaker.RMS, "what time is it") + PAUSE)
    await again.wire.until(lambda wire: bool(wire.texts("user")))
    await again.hang_up()


async def test_two_calls_share_the_recogniser(brief: PracticeParts) -> None:
    phones = [ring(PracticePartner(brief)) for _ in range(2)]
    await asyncio.gather(*[calling.speak(speech(Speaker.RMS, "hello how are you") + PAUSE) for calling in phones])
    for calling in phones:
        await calling.wire.until_turn_ends()
        assert calling.wire.texts("user") == ["hello how are you"]
        await calling.hang_up()


class Options:
    persona: Path | None = None
    llm = ""
    llm_model = ""


@pytest.fixture
def without_parts() -> Iterator[None]:
    names = ("pocketsphinx", "espeakng_loader")
    hidden = {name: sys.modules.pop(name, None) for name in names}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None makes the import fail
    yield
    for name, module in hidden.items():
        sys.modules.pop(name)
        if module is not None:
            sys.modules[name] = module


@pytest.mark.usefixtures("without_parts")
def test_missing_parts_are_named_with_the_way_to_get_them() -> None:
    for need in (lambda: make_partner(Options()), SphinxRecogniser, speak._Espeak):
        with pytest.raises(KnownError) as caught:
            need()
        assert caught.value.reason is Reason.PRACTICE_PARTS_MISSING
        assert "make setup" in caught.value.advice


def test_the_factory_makes_what_the_options_ask_for(tmp_path: Path) -> None:
    assert isinstance(make_partner(Options())(), PracticePartner)
    options = Options()
    options.persona = tmp_path / "script.jsonl"
    with pytest.raises(KnownError, match="can not be read"):
        make_partner(options)
    options.persona.write_text('{"do": "wait"}')
    assert isinstance(make_partner(options)(), ScriptedPartner)
    options.persona = None
    options.llm = "not a url"
    with pytest.raises(KnownError) as caught:
        make_partner(options)
    assert caught.value.reason is Reason.BAD_SETTINGS
