"""The settings in the states that are worth a look."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QWidget

from novadesk.chord import LADDER
from novadesk.config import AudioSettings, EchoSetting, SensitivitySetting, Settings, VoiceSettings
from novadesk.conversation.api import Snapshot
from novadesk.models import BackendKind
from novadesk.settings_export import export_text
from novadesk.text import Text
from novadesk.ui.main_window import MainWindow
from novadesk.ui.setting_extras import TalkKeyRow
from novadesk.ui.setting_fields import KeysField
from novadesk.ui.setting_rows import Page
from novadesk.ui.setting_table import row_of

type Act = Callable[[MainWindow], Awaitable[QWidget]]

_NO_PORTAL = Text.joined(Text("This desktop has no portal, which is how programs get keys under Wayland."), LADDER)


def settings_scenes() -> dict[str, Act]:
    """Return what to do with the window for each picture."""
    return {
        **{f"settings_{page.name.lower()}": _settings(page) for page in Page},
        "settings_testing": _testing,
        "settings_changed": _settings_changed,
        "settings_search": _settings_search,
        "settings_import": _settings_import,
    }


def keys_scenes(ready: Snapshot) -> dict[str, tuple[Snapshot, Act]]:
    """Return the talk keys where the desktop tells of none, while they are tried and one more is asked for."""
    without = replace(ready, hotkeys=(), hotkey_note=_NO_PORTAL)
    return {"settings_keys": (without, _trying_keys), "no_talk_key": (without, _plain)}


async def _testing(window: MainWindow) -> QWidget:
    window.show_settings("audio", "microphone")
    if window.door.window is not None:
        window.door.window.test.toggle()
    return window.door.window or window


async def _plain(window: MainWindow) -> QWidget:
    return window


async def _trying_keys(window: MainWindow) -> QWidget:
    window.show_settings("talk", "key")
    made = window.door.window
    talk, mute = row_of("talk", "key"), row_of("talk", "mute_key")
    if made is None or talk is None or mute is None:
        return window
    made.resize(made.width(), window.theme.px(1100))
    made.edit(talk, "f9, right_ctrl, ctrl+space")
    if isinstance(field := made.page.views[mute].field, KeysField):
        field.list.add.toggle()
    if isinstance(row := made.page.extras.get(talk), TalkKeyRow):
        row.standing.show_snapshot(window.snapshot)
        row.test.toggle()
    return made


def _settings(page: Page) -> Act:
    async def act(window: MainWindow) -> QWidget:
        window.show_settings()
        made = window.door.window
        if made is None:
            return window
        made.sidebar.choose(page)
        if isinstance(row := made.page.extras.get(row_of("talk", "key")), TalkKeyRow):
            row.standing.show_snapshot(replace(window.snapshot, hotkeys=("f9",)))
        return made

    return act


async def _settings_changed(window: MainWindow) -> QWidget:
    window.show_settings()
    made = window.door.window
    if made is None:
        return window
    for section, name, value in (
        ("voice", "voice", "amy"),
        ("audio", "volume", 0.4),
        ("audio", "echo", EchoSetting.HALF_DUPLEX),
        ("backend", "kind", BackendKind.BEDROCK),
        ("backend", "profile", "work"),
        ("backend", "region", "the moon"),
    ):
        if (row := row_of(section, name)) is not None:
            made.edit(row, value)
    if (row := row_of("voice", "sensitivity")) is not None:
        made.edit(row, SensitivitySetting.LOW)
        made.reset((row,))
    made.sidebar.choose(Page.SOUND)
    return made


async def _settings_search(window: MainWindow) -> QWidget:
    window.show_settings()
    if window.door.window is not None:
        window.door.window.sidebar.search.setText("key")
    return window.door.window or window


async def _settings_import(window: MainWindow) -> QWidget:
    window.show_settings()
    made = window.door.window
    if made is None:
        return window
    there = Settings(voice=VoiceSettings(voice="tiffany", prompt="Speak slowly."), audio=AudioSettings(volume=0.5))
    text = export_text(there) + "\n[limits]\nscale = 2.0\n"
    made.transfer.offer(text.encode(), Path("from-the-laptop.toml"))
    return made.transfer.dialog or made
