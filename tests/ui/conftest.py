"""The window under test: a recording of its wishes, canned answers, a core loop on its own thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from pytestqt.qtbot import QtBot

from novadesk.config import AudioSettings, Settings
from novadesk.conversation.api import Devices, Metric, SoundTest, TalkMode
from novadesk.models import BackendKind, Conversation, Found, Turn
from novadesk.ui.bridge import Bridge
from novadesk.ui.main_window import MainWindow
from novadesk.ui.theme import Scheme


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.qt_log_ignore(r"propagateSizeHints|support raise\(\)|grabbing the keyboard"))


class RecordedIntents:
    """Fits `Intents`; every call is noted as (name, arguments…)."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def take(self) -> list[tuple[Any, ...]]:
        calls, self.calls = self.calls, []
        return calls

    def press_talk(self) -> None:
        self.calls.append(("press_talk",))

    def release_talk(self) -> None:
        self.calls.append(("release_talk",))

    def set_talk_mode(self, mode: TalkMode) -> None:
        self.calls.append(("set_talk_mode", mode))

    def set_muted(self, muted: bool) -> None:
        self.calls.append(("set_muted", muted))

    def set_volume(self, volume: float) -> None:
        self.calls.append(("set_volume", volume))

    def stop_speaking(self) -> None:
        self.calls.append(("stop_speaking",))

    def say(self, text: str) -> None:
        self.calls.append(("say", text))

    def new_conversation(self, *, private: bool = False) -> None:
        self.calls.append(("new_conversation", "private") if private else ("new_conversation",))

    def open_conversation(self, handle: str) -> None:
        self.calls.append(("open_conversation", handle))

    def end_conversation(self) -> None:
        self.calls.append(("end_conversation",))

    def try_now(self) -> None:
        self.calls.append(("try_now",))

    def quit(self) -> None:
        self.calls.append(("quit",))


@dataclass
class CannedRequests:
    """Fits `Requests`: answers at once from what the test put in."""

    stored: list[Conversation] = field(default_factory=list)
    spoken: list[Turn] = field(default_factory=list)
    measured: tuple[Metric, ...] = ()
    passed: list[str] = field(default_factory=list)
    error: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    pulled: int = 0
    findable: list[Found] = field(default_factory=list)
    pull_waits: asyncio.Event | None = None
    figures: tuple[Metric, ...] = ()
    hears: tuple[SoundTest, ...] = ()
    test_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def conversations(self, *, offset: int = 0, limit: int = 200) -> Sequence[Conversation]:
        self.asked.append(("conversations", offset, limit))
        if self.error is not None:
            raise self.error
        return self.stored[offset : offset + limit]

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        self.asked.append(("turns", handle, before, limit))
        end = len(self.spoken) if before is None else min(before, len(self.spoken))
        return self.spoken[max(0, end - limit) : end]

    async def delete(self, handle: str) -> None:
        self.asked.append(("delete", handle))
        if self.error is not None:
            raise self.error
        self.stored = [one for one in self.stored if one.handle != handle]

    async def rename(self, handle: str, title: str) -> None:
        self.asked.append(("rename", handle, title))
        if self.error is not None:
            raise self.error
        self.stored = [replace(one, title=title) if one.handle == handle else one for one in self.stored]

    async def star(self, handle: str, on: bool) -> None:
        self.asked.append(("star", handle, on))
        self.stored = [replace(one, starred=on) if one.handle == handle else one for one in self.stored]

    async def search(self, text: str, *, limit: int = 50, offset: int = 0) -> Sequence[Found]:
        self.asked.append(("search", text))
        if self.error is not None:
            raise self.error
        return [found for found in self.findable if text in found.snippet][offset : offset + limit]

    async def pull(self, handle: str | None = None) -> int:
        self.asked.append(("pull", handle))
        try:
            if self.pull_waits is not None:
                await self.pull_waits.wait()
        except asyncio.CancelledError:
            self.asked.append(("pull cancelled",))
            raise
        if self.error is not None:
            raise self.error
        return self.pulled

    async def metrics(self) -> Sequence[Metric]:
        self.asked.append(("metrics",))
        if self.error is not None:
            raise self.error
        return self.measured

    async def events(self, *, newest: int = 200) -> Sequence[str]:
        self.asked.append(("events", newest))
        return self.passed[-newest:]

    async def report(self) -> str:
        self.asked.append(("report",))
        if self.error is not None:
            raise self.error
        return "NovaDesk report"

    async def devices(self) -> Devices:
        self.asked.append(("devices",))
        if self.error is not None:
            raise self.error
        return Devices(microphones=("Alsa: Mic A", "Alsa: Mic B"), speakers=("Alsa: Speaker A",))

    async def use_sound(self, settings: AudioSettings) -> None:
        self.asked.append(("use_sound", settings))
        if self.error is not None:
            raise self.error

    async def try_sound(self, devices: AudioSettings, hear: Callable[[SoundTest], None]) -> None:
        self.asked.append(("try_sound", devices))
        if self.error is not None:
            raise self.error
        for heard in self.hears:
            hear(heard)
        try:
            await self.test_over.wait()
        except asyncio.CancelledError:
            self.asked.append(("test cancelled",))
            raise

    async def sound_figures(self) -> Sequence[Metric]:
        self.asked.append(("sound_figures",))
        return self.figures


@pytest.fixture
def core_loop() -> Iterator[asyncio.AbstractEventLoop]:
    made: Future[asyncio.AbstractEventLoop] = Future()
    over = asyncio.Event()

    async def core() -> None:
        made.set_result(asyncio.get_running_loop())
        await over.wait()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*rest, return_exceptions=True)  # the bridge has cancelled them

    thread = threading.Thread(target=lambda: asyncio.run(core()), name="novadesk-test-core")
    thread.start()
    loop = made.result(5)
    yield loop
    loop.call_soon_threadsafe(over.set)
    thread.join()


@pytest.fixture
def bridge(qapp: object, core_loop: asyncio.AbstractEventLoop) -> Iterator[Bridge]:
    made = Bridge(core_loop, frame_ms=1)
    yield made
    made.close()
    made.deleteLater()
    drain()


@pytest.fixture
def intents() -> RecordedIntents:
    return RecordedIntents()


@pytest.fixture
def requests() -> CannedRequests:
    return CannedRequests()


@pytest.fixture
def saved() -> list[Settings]:
    return []


@pytest.fixture
def window(
    qtbot: QtBot, bridge: Bridge, intents: RecordedIntents, requests: CannedRequests, saved: list[Settings]
) -> Iterator[MainWindow]:
    made = MainWindow(bridge, intents, requests, Settings(), saved.append, scheme=Scheme.LIGHT)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    intents.take()
    yield made
    made.finish()
    made.deleteLater()
    drain()


@pytest.fixture
def conversation() -> Conversation:
    return make_conversation(0)


def make_conversation(number: int, **changes: Any) -> Conversation:
    values: dict[str, Any] = {
        "handle": f"session_{1_760_000_000_000 - number:013d}_abcdefghij",
        "label": f"caring-king-{number}",
        "title": "",
        "backend": BackendKind.PRACTICE,
        "created_ms": 1_760_000_000_000,
        "updated_ms": 1_760_000_000_000 - number * 60_000,
        "turns": 2,
    }
    return Conversation(**(values | changes))


def drain() -> None:
    """Run what is queued on the main thread, deletions included."""
    QCoreApplication.sendPostedEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
