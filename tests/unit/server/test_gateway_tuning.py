"""What a call configuration makes of the gateway's voice settings."""

from dataclasses import replace

import pytest

from novadesk.config import DEFAULT_MODEL, SensitivitySetting, VoiceSettings
from novadesk.protocol.envelope_values import NOTHING_SET, Configuration, QualityTier
from novadesk.scenario import SpeakingPace
from novadesk.server.gateway.tuning import known_language, merged, tuned

BASE = VoiceSettings()


def test_nothing_set_changes_nothing() -> None:
    assert tuned(BASE) == BASE


def test_a_language_is_asked_for_and_its_voice_taken() -> None:
    settings = tuned(BASE, language="de", model=DEFAULT_MODEL)
    assert settings.prompt.endswith("Speak German.")
    assert settings.voice == "tina"
    assert tuned(BASE, language="en-GB", model=DEFAULT_MODEL).voice == BASE.voice
    assert tuned(BASE, Configuration(voice="amy"), language="de", model=DEFAULT_MODEL).voice == "amy"
    assert tuned(BASE, language="de-AT", model=DEFAULT_MODEL) == settings


@pytest.mark.parametrize(
    ("code", "known"),
    [("de", "de"), ("de-DE", "de"), ("pt_br", "pt"), ("EN-gb", "en-GB"), ("en-NZ", "en"), ("tlh", ""), ("", "")],
)
def test_a_language_is_known_by_its_code_with_any_region(code: str, known: str) -> None:
    assert known_language(code) == known


def test_a_job_becomes_an_interview_with_its_description() -> None:
    job = Configuration(job_title="Nurse", company="St. Mary", job_description="Nights.")
    settings = tuned(BASE, job)
    assert "position of Nurse at St. Mary" in settings.prompt
    assert "Nights." in settings.prompt
    assert settings.sensitivity is SensitivitySetting.LOW
    assert "described" not in tuned(BASE, replace(job, job_description=None)).prompt


def test_numbers_pace_tools_and_tier_are_taken() -> None:
    asked = Configuration(pace=SpeakingPace.SLOW, temperature=0.0, top_p=0.5, tools=True)
    settings = tuned(BASE, asked, tier=QualityTier.PREMIUM)
    assert "slowly" in settings.prompt
    assert (settings.temperature, settings.top_p, settings.tools) == (0.0, 0.5, True)
    assert settings.max_tokens == 2 * BASE.max_tokens
    assert tuned(BASE, Configuration(max_tokens=7), tier=QualityTier.PREMIUM).max_tokens == 7


def test_a_later_configuration_keeps_what_it_does_not_name() -> None:
    first = merged(NOTHING_SET, Configuration(voice="amy", tools=True))
    assert merged(first, Configuration(tools=False)) == Configuration(voice="amy", tools=False)
