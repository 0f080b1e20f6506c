"""Scenarios in the language of the person; their own words stay as they are."""

from dataclasses import replace

from novadesk.conversation.api import ScenarioList
from novadesk.scenario import Scenario
from novadesk.text import Text
from novadesk.ui.i18n import tr


def in_language(found: ScenarioList) -> ScenarioList:
    """Return scenarios with titles and labels of the built-in ones translated, by title."""
    translated = (_translated(one) for one in found.scenarios)
    return replace(found, scenarios=tuple(sorted(translated, key=lambda one: (one.title.casefold(), one.name))))


def _translated(scenario: Scenario) -> Scenario:
    fields = tuple(replace(one, label=_words(one.label)) for one in scenario.fields)
    return replace(scenario, title=_words(scenario.title), fields=fields)


def _words(text: str) -> str:
    return tr(text) if isinstance(text, Text) else text
