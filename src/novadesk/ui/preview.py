"""Draw every state of the window to PNG files: `python -m novadesk.ui.preview OUT_DIR [NAME…]`."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QDeadlineTimer, QEventLoop, QObject
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from novadesk.config import Settings
from novadesk.conversation.api import Snapshot
from novadesk.ui.bridge import Bridge
from novadesk.ui.main_window import MainWindow
from novadesk.ui.preview_scenes import PreviewRequests, SilentIntents, make_conversations, scenes
from novadesk.ui.theme import Scheme

_SETTLE_MS = 300


@contextmanager
def _core_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="core")
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _settle() -> None:
    deadline = QDeadlineTimer(_SETTLE_MS)
    loop = QEventLoop()
    while not deadline.hasExpired():
        loop.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)


def _window(bridge: Bridge, snapshot: Snapshot, scheme: Scheme, now_ms: int) -> MainWindow:
    requests = PreviewRequests(make_conversations(now_ms), snapshot.turns)
    window = MainWindow(bridge, SilentIntents(), requests, Settings(), lambda _settings: None, scheme=scheme)
    window.show()
    window.show_snapshot(snapshot)
    return window


def _grab(out: Path, name: str, widget: QWidget) -> None:
    _settle()
    picture: QPixmap = widget.grab()
    picture.save(str(out / f"{name}.png"))


def _draw(out: Path, loop: asyncio.AbstractEventLoop, wanted: set[str], now_ms: int) -> None:
    for scheme in (Scheme.LIGHT, Scheme.DARK):
        for name, draw in _pictures(now_ms).items():
            if wanted and name not in wanted:
                continue
            bridge = Bridge(loop)
            window, subject = draw(bridge, scheme)
            _grab(out, f"{name}-{scheme.value}", subject)
            window.finish()
            bridge.close()
            window.deleteLater()
            bridge.deleteLater()
            _settle()


type _Draw = Callable[[Bridge, Scheme], tuple[MainWindow, QWidget]]


def _pictures(now_ms: int) -> dict[str, _Draw]:
    by_name = scenes(now_ms)

    def plain(name: str, size: tuple[int, int] | None = None) -> _Draw:
        def draw(bridge: Bridge, scheme: Scheme) -> tuple[MainWindow, QWidget]:
            window = _window(bridge, by_name[name], scheme, now_ms)
            if size is not None:
                window.resize(*size)
            return window, window

        return draw

    def details(bridge: Bridge, scheme: Scheme) -> tuple[MainWindow, QWidget]:
        window = _window(bridge, by_name["ready"], scheme, now_ms)
        window.toggle_details()
        return window, window

    def sidebar(bridge: Bridge, scheme: Scheme) -> tuple[MainWindow, QWidget]:
        window, _ = plain("ready", (400, 560))(bridge, scheme)
        _settle()
        window.panes.show_sidebar(True)
        return window, window

    def dialog(show: Callable[[MainWindow], None]) -> _Draw:
        def draw(bridge: Bridge, scheme: Scheme) -> tuple[MainWindow, QWidget]:
            window = _window(bridge, by_name["ready"], scheme, now_ms)
            show(window)
            assert window.dialog is not None
            return window, window.dialog

        return draw

    def scrolled(bridge: Bridge, scheme: Scheme) -> tuple[MainWindow, QWidget]:
        window = _window(bridge, by_name["long"], scheme, now_ms)
        _settle()
        window.conversation.turns.verticalScrollBar().setValue(4000)
        window.conversation.turns.setCurrentIndex(window.conversation.model.index(66))
        window.conversation.turns.setFocus()
        return window, window

    return {
        **{name: plain(name) for name in by_name},
        "narrow": plain("speaking", (400, 560)),
        "narrow_failed": plain("failed", (400, 640)),
        "narrow_sidebar": sidebar,
        "wide": plain("speaking", (1680, 960)),
        "scrolled": scrolled,
        "details": details,
        "settings": dialog(MainWindow.show_settings),
        "about": dialog(MainWindow.show_about),
    }


def main(arguments: list[str]) -> int:
    """Write the pictures and return an exit code."""
    if not arguments:
        sys.stderr.write("Usage: python -m novadesk.ui.preview OUT_DIR [NAME…]\n")
        return 2
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    app: QObject = QApplication.instance() or QApplication(["novadesk"])
    size = os.environ.get("NOVADESK_PREVIEW_FONT_PX")
    if size and isinstance(app, QApplication):
        font = app.font()
        font.setPixelSize(int(size))
        app.setFont(font)
    with _core_loop() as loop:
        _draw(out, loop, set(arguments[1:]), int(time.time() * 1000))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
