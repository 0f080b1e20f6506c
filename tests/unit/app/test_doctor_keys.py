"""The doctor's row about the talk key: what works, what does not, and the next step; nothing is bound for it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from novadesk.app import doctor_keys
from novadesk.chord import LADDER
from novadesk.config import TalkSettings
from novadesk.desktop.hotkeys.base import HotkeyBackend, NoHotkey, Standing, Tell, with_ladder
from novadesk.desktop.hotkeys.portal import PortalHotkey
from novadesk.desktop.menuentry import APP_ID, find_menu_entry
from novadesk.errors import KnownError
from novadesk.installation import find_resources
from novadesk.text import Text

PLAIN = TalkSettings()
WAYLAND = {"WAYLAND_DISPLAY": "wayland-0", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/bus"}


class Works:
    """A backend that works."""

    def start(self, tell: Tell) -> None:
        tell(Standing())

    async def stop(self) -> None: ...


async def examine(
    backend: HotkeyBackend, settings: TalkSettings = PLAIN, environment: Mapping[str, str] | None = None
) -> str:
    return await doctor_keys.examine_talk_key(
        settings, platform="linux", environment=environment or {}, choose=lambda _: backend
    )


async def test_keys_that_work_are_named() -> None:
    assert await examine(Works(), TalkSettings(key="f9, mouse_back")) == "f9, mouse_back can be heard in every window"
    assert "none is set" in await examine(Works(), TalkSettings(key=""))


@pytest.mark.parametrize(("settings", "words"), [(TalkSettings(), "No display."), (TalkSettings(key="f99"), "f99")])
async def test_what_stands_in_the_way_is_said(settings: TalkSettings, words: str) -> None:
    with pytest.raises(KnownError, match=words) as caught:
        await examine(NoHotkey(with_ladder(Text("No display."))), settings)
    assert LADDER not in caught.value.what
    assert caught.value.advice


@pytest.mark.parametrize("installed", [True, False])
async def test_under_wayland_the_portal_is_asked_and_the_menu_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: bool
) -> None:
    asked: list[str] = []

    async def version(address: str) -> int:
        asked.append(address)
        return 1

    monkeypatch.setattr("novadesk.desktop.hotkeys.portal.portal_version", version)
    monkeypatch.setattr(PortalHotkey, "start", lambda *_: pytest.fail("a key was bound"))
    environment = WAYLAND | {"XDG_DATA_HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path / "shared")}
    if installed:
        entry = tmp_path / "shared" / "applications" / f"{APP_ID}.desktop"
        entry.parent.mkdir(parents=True)
        entry.touch()
        assert find_menu_entry(environment) == entry
        assert "version 1" in await examine(Works(), environment=environment)
    else:
        with pytest.raises(KnownError, match=re.escape(f"Copy {APP_ID}.desktop")):
            await examine(Works(), environment=environment)
    assert asked == ["unix:path=/bus"]


def test_the_entry_that_is_shipped_is_the_one_that_the_portal_is_told_of() -> None:
    lines = (find_resources() / "linux" / f"{APP_ID}.desktop").read_text().splitlines()
    assert lines[0] == "[Desktop Entry]"
    said = {"Type=Application", "Name=NovaDesk", "Exec=novadesk", f"Icon={APP_ID}", "StartupWMClass=novadesk"}
    assert said <= set(lines)
