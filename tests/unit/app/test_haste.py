"""The window is painted before anything is loaded that its first picture does not show."""

import builtins
import dataclasses
import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from novadesk.app import window, windowlife
from novadesk.app.code_keeper import CodeKeeper, read_codes
from novadesk.app.haste import hurry, settle
from novadesk.errors import KnownError, Reason
from novadesk.paths import find_folders

NO_DISPLAY = KnownError(Reason.NO_DISPLAY, "There is no display.", "Use another command.")

LATER = (
    "asyncio",
    "boto3",
    "botocore",
    "dbus_fast",
    "h2",
    "keyring",
    "novadesk.app.core",
    "novadesk.app.history_commands",
    "novadesk.audio",
    "novadesk.catalogue",
    "novadesk.store",
    "novadesk.transport",
    "novadesk.ui.crash_dialog",
    "novadesk.ui.diagnostics_view",
    "novadesk.ui.export_dialog",
    "novadesk.ui.filter_bar",
    "novadesk.ui.inspector",
    "novadesk.ui.question",
    "novadesk.ui.scenario_dialog",
    "novadesk.ui.settings_window",
    "novadesk.ui.tray",
    "novadesk.ui.wizard",
    "numpy",
    "sounddevice",
    "sqlite3",
    "ssl",
    "tomlkit",
)
"""What takes long to load, and what few open."""

PROGRAM = """
import builtins, gc, json, os, sys

def tell(window):
    keeper.stop()
    print(json.dumps([sorted(sys.modules), gc.isenabled(), repr(builtins.__import__), window.isVisible()]), flush=True)
    os._exit(0)

from novadesk.app import haste
hurry = haste.hurry

def hurry_and_watch(folder):
    global keeper
    keeper = hurry(folder)
    from novadesk.app import window
    window.first_paint = tell
    return keeper

haste.hurry = hurry_and_watch
from novadesk.cli import main
sys.exit(main([]))
"""


def test_the_window_comes_before_what_it_does_not_show(tmp_path: Path) -> None:
    folders = find_folders(home=str(tmp_path)).make()
    folders.settings_file.write_text("")  # otherwise the first steps come, too
    env = {**os.environ, "NOVADESK_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    told = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    loaded, collects, imports, visible = json.loads(told.stdout)
    assert visible
    assert not collects
    assert "feature" not in imports, "Qt for Python reads the source of every module"
    early = [name for name in LATER if name in loaded]
    assert not early, f"loaded before the window is painted: {early}"
    (file,) = folders.cache.iterdir()
    kept = [name for name, _ in read_codes(file)]
    assert "<string>" in kept, "dataclasses make their methods in another way"
    assert sum(name.startswith("shibokensupport/") for name in kept) > 8, (
        "Qt for Python loads its modules in another way"
    )


@pytest.fixture
def hurrying(tmp_path: Path) -> Iterator[CodeKeeper]:
    keeper, before = CodeKeeper(tmp_path), builtins.compile
    gc.disable()
    keeper.start()
    try:
        yield keeper
    finally:
        settle(keeper)
        gc.unfreeze()
    assert builtins.compile is before


def is_settled() -> bool:
    return gc.isenabled() and builtins.compile.__name__ == "compile" and "exec" not in vars(dataclasses)


def test_a_start_that_finds_no_display_is_no_haste_any_more(
    hurrying: CodeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_none() -> None:
        assert not is_settled()
        raise NO_DISPLAY

    monkeypatch.setattr(window, "need_display", find_none)
    with pytest.raises(KnownError):
        window.run_window(hurrying, profile="")
    assert is_settled()


def test_who_reads_why_a_start_failed_is_not_in_haste(hurrying: CodeKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []

    def fail(_start: object) -> bool:
        raise NO_DISPLAY

    def give_way(*_given: object, hidden: bool) -> bool:
        told.append(is_settled())
        return not hidden

    monkeypatch.setattr(window, "need_display", lambda: None)
    monkeypatch.setattr(window, "make_application", MagicMock())
    monkeypatch.setattr(window, "use_language", lambda _: None)
    monkeypatch.setattr(window._Start, "run", fail)
    monkeypatch.setattr(windowlife, "give_way", give_way)
    assert window.run_window(hurrying, profile="") == 0
    assert told == [True]


def test_without_qt_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PySide6.QtCore", None)
    try:
        with pytest.raises(ImportError):
            hurry(tmp_path)
        assert is_settled()
    finally:
        gc.unfreeze()
