import sys
from types import SimpleNamespace
from typing import Any

import pytest

from novadesk.desktop.hotkeys.base import News
from novadesk.desktop.hotkeys.pynput_listener import PynputHotkey


class Listener:
    """Stands for pynput's: its display is closed by its own thread while it is stopped."""

    stopped = 0

    def __init__(self, **_callbacks: Any) -> None:
        pass

    def start(self) -> None:
        pass

    def stop(self) -> None:
        Listener.stopped += 1
        raise ConnectionError("Display connection closed by client")


async def test_keys_that_are_let_go_at_once_fail_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynput", SimpleNamespace(keyboard=SimpleNamespace(Listener=Listener)))
    told: list[News] = []
    backend = PynputHotkey(())
    backend.start(told.append)
    await backend.stop()
    assert (Listener.stopped, len(told)) == (1, 1)
