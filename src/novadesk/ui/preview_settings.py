"""The settings in the states that are worth a look."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from PySide6.QtWidgets import QWidget

from novadesk.config import AudioSettings, EchoSetting, SensitivitySetting, Settings, VoiceSettings
from novadesk.models import BackendKind
from novadesk.settings_export import export_text
from novadesk.ui.main_window import MainWindow
from novadesk.ui.setting_rows import Page
from novadesk.ui.setting_table import row_of

type Act = Callable[[MainWindow], Awaitable[QWidget]]


def settings_scenes() -> dict[str, Act]:
    """Return what to do with the window for each picture."""
    return {
        **{f"settings_{page.name.lower()}": _settings(page) for page in Page},
        "settings_testing": _testing,
        "settings_changed": _settings_changed,
        "settings_search": _settings_search,
        "settings_import": _settings_import,
    }


async def _testing(window: MainWindow) -> QWidget:
    window.show_sound_settings()
    if window.door.window is not None:
        window.door.window.test.toggle()
    return window.door.window or window


def _settings(page: Page) -> Act:
    async def act(window: MainWindow) -> QWidget:
        window.show_settings()
        if window.door.window is not None:
            window.door.window.sidebar.choose(page)
        return window.door.window or window

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
