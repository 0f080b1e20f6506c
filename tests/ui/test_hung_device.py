"""The real window and core, and the real audio process whose microphone never opens: everything else goes on."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QObject, Qt
from pytestqt.qtbot import QtBot

from novadesk.app import core as core_module
from novadesk.app.core import Core, Start
from novadesk.app.corethread import CoreThread
from novadesk.audio import client
from novadesk.audio.child import Child
from novadesk.audio.wire import Report
from novadesk.config import Settings, TalkModeSetting, TalkSettings
from novadesk.conversation.api import Requests, Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.paths import find_folders
from novadesk.ui.bridge import Bridge, ThreadsafeIntents
from novadesk.ui.main_window import MainWindow
from novadesk.ui.theme import Scheme
from tests.support.leaks import LogWatch
from tests.support.memory_service import MemoryLinker
from tests.ui.conftest import drain

HUNG_SOUND = Path(__file__).parents[1] / "support" / "hung_sound"
PATIENCE_MS = 60_000
"""Longest wait for what comes at once, on a busy computer."""

SHORT_S = 0.1
_WORDS = "Are you there?"


class NoPractice:
    """There is no server beside the one in memory."""

    async def address(self) -> dict[str, object]:
        raise KnownError(Reason.LINK_LOST, "There is none.", "Do without.")

    async def stop(self) -> None:
        pass


class Rig:
    """The window and its core, with a service in memory."""

    def __init__(self, home: Path, qtbot: QtBot) -> None:
        self.linker = MemoryLinker()
        self.told = home / "told"
        self.over = threading.Event()
        """Set once the time that the devices have to open may be over."""

        self._qtbot = qtbot
        self._thread = CoreThread()
        self._loop = self._thread.start()
        self._bridge = Bridge(self._loop, frame_ms=1)
        self.core = Core(
            settings=Settings(talk=TalkSettings(mode=TalkModeSetting.HANDS_FREE)),
            folders=find_folders(home=str(home)).make(),
            publish=self._bridge.publish,
            on_quit=lambda: None,
        )
        self.window: MainWindow

    def open(self) -> None:
        """Start the core, which opens the devices, and show the window."""
        self._thread.submit(lambda: self.core.start(Start(role="test"))).result(PATIENCE_MS / 1000)
        core = self.core
        intents = ThreadsafeIntents(self._loop, lambda: core.controller, lambda: core.talk)
        requests = cast(Requests, core)
        self.window = MainWindow(
            self._bridge, intents, requests, Settings(), lambda _settings: None, scheme=Scheme.LIGHT
        )
        self.window.show()
        self.until(lambda: "opening" in self.lines())

    def close(self) -> None:
        """End the window, then the core."""
        self.window.finish()
        self.window.deleteLater()
        self._thread.submit(self.core.stop).result(PATIENCE_MS / 1000)
        self._bridge.close()
        self._bridge.deleteLater()
        self._thread.stop()
        drain()

    def lines(self) -> str:
        """Return what the processes that load PortAudio have written down."""
        return self.told.read_text() if self.told.exists() else ""

    def answer(self, text: str) -> None:
        """Let the service answer, on the core's loop."""

        async def work() -> None:
            self.linker.newest.answer(text)

        self._thread.submit(work).result(PATIENCE_MS / 1000)

    @property
    def shown(self) -> Snapshot:
        """Return what the window has drawn."""
        return self.window.snapshot

    def until(self, condition: Callable[[], object]) -> None:
        """Let the window live until something is so."""
        self._qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE_MS)


@pytest.fixture
def rig(
    qapp: QObject, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_logs: LogWatch
) -> Iterator[Rig]:
    expected_logs.allow("put off")
    made = Rig(tmp_path, qtbot)
    receive = Child.receive

    async def hold(child: Child, deadline_s: float) -> Report | None:
        """Return as `receive` does, but have no opening be over too soon."""
        while (report := await receive(child, deadline_s)) is None and deadline_s == SHORT_S and not made.over.is_set():
            pass
        return report

    monkeypatch.setattr(Child, "receive", hold)
    monkeypatch.setattr(client, "OPEN_S", SHORT_S)
    monkeypatch.setattr(core_module, "make_practice", lambda _folders: NoPractice())
    monkeypatch.setattr(core_module, "make_linker", lambda *_, **__: made.linker)
    monkeypatch.setattr(core_module, "soundwatch_command", list)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(HUNG_SOUND)
    monkeypatch.setenv("PYTHONPATH", str(HUNG_SOUND))
    monkeypatch.setenv("HUNG_SOUND_TOLD", str(made.told))
    made.open()
    yield made
    made.over.set()
    made.close()


def test_every_wish_is_carried_out_and_drawn_while_a_device_hangs_in_its_opening(rig: Rig, qtbot: QtBot) -> None:
    window, mute, left = rig.window, rig.window.panel.controls.mute, Qt.MouseButton.LeftButton
    qtbot.keyClicks(window.panel.composer.field, _WORDS)
    qtbot.keyClick(window.panel.composer.field, Qt.Key.Key_Return)
    rig.until(lambda: [turn.text for turn in window.conversation.model.turns] == [_WORDS])
    rig.answer("I am.")
    rig.until(lambda: len(window.conversation.model.turns) == 2)
    qtbot.mouseClick(mute, left)
    rig.until(lambda: mute.text() == "Unmute")
    qtbot.mouseClick(mute, left)
    rig.until(lambda: mute.text() == "Mute")
    window.show_settings()
    assert window.door.window is not None
    rig.until(window.door.window.isVisible)
    window.door.window.close()
    talked = rig.shown.conversation
    qtbot.mouseClick(window.history.new, left)
    rig.until(lambda: not window.conversation.model.turns and rig.shown.conversation != talked)
    qtbot.mouseClick(mute, left)
    rig.until(lambda: mute.text() == "Unmute")
    assert rig.shown.sound_opening
    assert rig.shown.error is None, "the time for the opening is not over"

    rig.over.set()
    rig.until(lambda: rig.shown.error is not None)
    assert window.panel.errors.isVisible()
    assert window.panel.errors.what.text() == "The microphone does not open in time."
    assert mute.text() == "Unmute", "also of a microphone that did not come"
    processes = {int(line.split()[0]) for line in rig.lines().splitlines()}
    assert processes
    assert os.getpid() not in processes, "the app itself has loaded PortAudio"
