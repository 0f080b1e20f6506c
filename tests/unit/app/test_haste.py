"""The window is painted before anything is loaded that its first picture does not show."""

import json
import os
import subprocess
import sys
from pathlib import Path

from novadesk.app.code_keeper import read_codes
from novadesk.paths import find_folders

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
