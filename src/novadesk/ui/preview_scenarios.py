"""Pictures of scenarios and breaks, see `novadesk.ui.preview`."""

from dataclasses import replace

from PySide6.QtWidgets import QWidget

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.config import SensitivitySetting, VoiceSettings
from novadesk.conversation.api import MicrophoneState, Pause, Phase, ScenarioList, Snapshot
from novadesk.scenario import Scenario, choose
from novadesk.ui.main_window import MainWindow
from novadesk.ui.preview_pictures import Act, settle
from novadesk.ui.scenario_dialog import ScenarioDialog
from novadesk.ui.scenario_form import ScenarioForm
from novadesk.ui.scenario_words import in_language

_JOB = {
    "title": "Site reliability engineer",
    "company": "Example",
    "description": "Keeps the payment service up: on call every fourth week, Kubernetes, Postgres, a small team.",
}


def scenario_pictures(ready: Snapshot) -> dict[str, tuple[Snapshot, Act]]:
    """Return what is drawn, by name; `ready` is a conversation without a scenario."""
    chosen = choose(BUILT_IN[0], _JOB)
    voice = VoiceSettings(voice="tiffany", sensitivity=SensitivitySetting.LOW)
    begun = replace(ready, scenario=chosen, voice="tiffany", in_force=voice)
    away = replace(begun, phase=Phase.IDLE, microphone=MicrophoneState.ABSENT, in_force=None)
    return {
        "scenario_begun": (begun, _plain),
        "scenario_changing": (replace(begun, changing=True), _plain),
        "scenario_ended": (replace(away, phase=Phase.ENDED), _plain),
        "scenario_narrow": (replace(begun, changing=True), _narrow),
        "scenario_menu": (begun, _menu),
        "scenario_form": (ready, _form),
        "scenario_form_wrong": (ready, _wrong_form),
        "scenario_form_choice": (ready, _choice_form),
        "scenario_change": (begun, _change),
        "scenarios": (begun, _manage),
        "scenarios_fields": (begun, _fields),
        "scenarios_narrow": (begun, _manage_narrow),
        "paused": (replace(away, pause=Pause.PAUSED), _plain),
        "pausing": (replace(away, pause=Pause.PAUSING), _plain),
        "resuming": (replace(away, pause=Pause.RESUMING, phase=Phase.CONNECTING), _plain),
    }


async def _plain(window: MainWindow) -> QWidget:
    return window


async def _narrow(window: MainWindow) -> QWidget:
    window.resize(window.theme.px(400), window.theme.px(560))
    return window


async def _menu(window: MainWindow) -> QWidget:
    window.scenarios.menu_wanted.emit()
    await settle()
    return window.history.menu or window


def _built_in(number: int) -> Scenario:
    found = {one.name: one for one in in_language(ScenarioList(scenarios=BUILT_IN)).scenarios}
    return found[BUILT_IN[number].name]


async def _form(window: MainWindow) -> QWidget:
    window.scenarios.choose(_built_in(0))
    form = window.scenarios.dialog
    if isinstance(form, ScenarioForm):
        for field in form.fields:
            field.set_text(_JOB[field.field.name])
    return form or window


async def _choice_form(window: MainWindow) -> QWidget:
    window.scenarios.choose(_built_in(1))
    return window.scenarios.dialog or window


async def _wrong_form(window: MainWindow) -> QWidget:
    window.scenarios.choose(_built_in(0))
    form = window.scenarios.dialog
    if isinstance(form, ScenarioForm):
        form.fields[0].set_text("x")
        form.fields[2].set_text("Very long. " * 460)
        form.begin.click()
    return form or window


async def _change(window: MainWindow) -> QWidget:
    window.scenarios.change()
    return window.scenarios.dialog or window


async def _manage(window: MainWindow) -> QWidget:
    window.scenarios.manage()
    await settle()
    return window.scenarios.dialog or window


async def _fields(window: MainWindow) -> QWidget:
    subject = await _manage(window)
    if isinstance(subject, ScenarioDialog):
        subject.duplicate()
        subject.editor.rows.add.click()
        subject.save()
        await settle()
        bar = subject.editor.verticalScrollBar()
        bar.setValue(bar.maximum())
    return subject


async def _manage_narrow(window: MainWindow) -> QWidget:
    subject = await _manage(window)
    subject.resize(window.theme.px(400), window.theme.px(560))
    return subject
