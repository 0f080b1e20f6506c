"""What a call configuration, a language and a quality tier make of the gateway's own voice settings."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.config import VoiceSettings
from novadesk.protocol.envelope_kinds import Shape, Unfit
from novadesk.protocol.envelope_values import NOTHING_SET, Configuration, QualityTier
from novadesk.protocol.fields import parse
from novadesk.scenario import LANGUAGES, Chosen, choose
from novadesk.voices import voices_of

_SHAPE = Shape(Configuration)
_INTERVIEW = next(scenario for scenario in BUILT_IN if scenario.name == "job-interview")

_TIER_TOKENS: Mapping[QualityTier, int] = {QualityTier.STANDARD: 1, QualityTier.PREMIUM: 2}
"""How many times as long an answer may be."""


_CODES = {code.lower(): code for code in LANGUAGES}


def known_language(code: str) -> str:
    """Return the code by which a language is known here, "de" for "de-DE"; nothing if the model does not speak it."""
    told = code.lower().replace("_", "-")
    return _CODES.get(told) or _CODES.get(told.partition("-")[0], "")


def configuration_of(text: str) -> Configuration:
    """Return a call configuration as it was stored; nothing set where it makes no sense."""
    try:
        found = _SHAPE.read(parse(text))
    except Unfit:
        return NOTHING_SET
    return found if isinstance(found, Configuration) else NOTHING_SET


def text_of(configuration: Configuration) -> str:
    """Return a call configuration to be stored."""
    return json.dumps(_SHAPE.write(configuration), separators=(",", ":"))


def merged(before: Configuration, after: Configuration) -> Configuration:
    """Return `before` with what `after` sets."""
    told = {part.name: value for part in fields(after) if (value := getattr(after, part.name)) is not None}
    return replace(before, **told)


def tuned(
    base: VoiceSettings,
    configuration: Configuration = NOTHING_SET,
    *,
    language: str = "",
    tier: QualityTier = QualityTier.STANDARD,
    model: str = "",
) -> VoiceSettings:
    """Return how a wire session of such a call opens.

    Args:
        base: what the gateway is set to.
        configuration: what the client wants otherwise.
        language: code of what is spoken; the configuration's own goes before it.
        tier: how long answers may be, where the configuration does not say.
        model: whose voices there are.
    """
    wanted = configuration.language or language
    spoken = known_language(wanted) or wanted
    voice = configuration.voice or _voice_for(spoken, base.voice, model)
    job = _job(configuration)
    chosen = Chosen(
        name="call",
        title=configuration.title or "",
        prompt=configuration.prompt or (base.prompt if job is None else job.prompt),
        voice=voice,
        language=spoken,
        pace=configuration.pace,
        sensitivity=configuration.sensitivity or (None if job is None else job.sensitivity),
    )
    settings = chosen.voice_settings(base)
    return replace(
        settings,
        max_tokens=configuration.max_tokens or base.max_tokens * _TIER_TOKENS[tier],
        temperature=base.temperature if configuration.temperature is None else configuration.temperature,
        top_p=base.top_p if configuration.top_p is None else configuration.top_p,
        tools=base.tools if configuration.tools is None else configuration.tools,
    )


def _job(configuration: Configuration) -> Chosen | None:
    """Return the interview to practise, or None."""
    if configuration.job_title is None or configuration.company is None:
        return None
    values = {"title": configuration.job_title, "company": configuration.company}
    return choose(_INTERVIEW, {**values, "description": configuration.job_description or ""})


def _voice_for(language: str, usual: str, model: str) -> str:
    """Return the usual voice, or the first one that is at home in the language where the usual one is not."""
    homes = voices_of(model)
    tongue = language.partition("-")[0]
    if not tongue or tongue == "en" or usual not in homes or homes[usual].partition("-")[0] == tongue:
        return usual
    return next((name for name, home in homes.items() if home.partition("-")[0] == tongue), usual)
