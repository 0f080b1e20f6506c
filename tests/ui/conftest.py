"""The window under test: a recording of its wishes, canned answers, a core loop on its own thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.chord import COMMANDS, KeyDown, KeyUp, Origin, OtherDown
from novadesk.config import AudioSettings, Settings, TalkSettings, UpdateSettings, VoiceSettings, WindowSettings
from novadesk.conversation.api import (
    BundlePart,
    Devices,
    Happened,
    Inspection,
    Metric,
    ScenarioList,
    SoundTest,
    TalkMode,
)
from novadesk.conversation.talkapi import KeyCount
from novadesk.conversation.updateapi import UpdateStanding
from novadesk.errors import KnownError, Reason
from novadesk.models import (
    EVERYTHING,
    BackendKind,
    Choices,
    Conversation,
    Due,
    Exported,
    Filter,
    Format,
    Found,
    SyncState,
    Totals,
    Turn,
)
from novadesk.scenario import Chosen, Scenario
from novadesk.ui.bridge import Bridge
from novadesk.ui.main_window import MainWindow
from novadesk.ui.settings_window import SettingsWindow
from novadesk.ui.theme import Scheme


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.qt_log_ignore(r"propagateSizeHints|support raise\(\)|grabbing the keyboard"))


QUITS = Settings(window=WindowSettings(close_to_tray=False))
"""Closing the window is the wish to quit."""


NEWEST = UpdateStanding(version="0.1.0", channel="stable", kind="appimage")


class RecordedIntents:
    """Fits `Intents`; every call is noted as (name, arguments…), but for the loss of the focus, which is counted."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.focus_lost = 0

    def take(self) -> list[tuple[Any, ...]]:
        calls, self.calls = self.calls, []
        return calls

    def take_key(self, event: KeyDown | KeyUp | OtherDown) -> None:
        if isinstance(event, OtherDown):
            self.calls.append(("other",))
        else:
            assert event.key.origin is Origin.WINDOW
            self.calls.append(("down" if isinstance(event, KeyDown) else "up", event.key.name))

    def lose_focus(self) -> None:
        self.focus_lost += 1

    def toggle_talk(self) -> None:
        self.calls.append(("toggle_talk",))

    def set_talk_mode(self, mode: TalkMode) -> None:
        self.calls.append(("set_talk_mode", mode))

    def set_muted(self, muted: bool) -> None:
        self.calls.append(("set_muted", muted))

    def set_volume(self, volume: float) -> None:
        self.calls.append(("set_volume", volume))

    def stop_speaking(self) -> None:
        self.calls.append(("stop_speaking",))

    def say(self, text: str, *, aloud: bool = True) -> None:
        self.calls.append(("say", text) if aloud else ("say", text, "silent"))

    def new_conversation(self, *, private: bool = False, scenario: Chosen | None = None) -> None:
        given = ("private",) * private + ((scenario,) if scenario is not None else ())
        self.calls.append(("new_conversation", *given))

    def change_scenario(self, scenario: Chosen | None) -> None:
        self.calls.append(("change_scenario", scenario))

    def use_voice(self, settings: VoiceSettings) -> None:
        self.calls.append(("use_voice", settings))

    def open_conversation(self, handle: str) -> None:
        self.calls.append(("open_conversation", handle))

    def pause_conversation(self) -> None:
        self.calls.append(("pause_conversation",))

    def resume_conversation(self) -> None:
        self.calls.append(("resume_conversation",))

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
    offered: Choices = field(default_factory=Choices)
    measured: tuple[Metric, ...] = ()
    passed: list[str] = field(default_factory=list)
    error: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    commands: tuple[str, ...] = COMMANDS
    pulled: int = 0
    findable: list[Found] = field(default_factory=list)
    aside: list[Conversation] = field(default_factory=list)
    export_waits: asyncio.Event | None = None
    pull_waits: asyncio.Event | None = None
    kept: list[Scenario] = field(default_factory=list)
    broken: tuple[str, ...] = ()
    sign_in_waits: asyncio.Event | None = None
    has_aws: bool = True
    inspection: Inspection = field(default_factory=Inspection)
    events_logged: list[Happened] = field(default_factory=list)
    figures: tuple[Metric, ...] = ()
    hears: tuple[SoundTest, ...] = ()
    counts: tuple[KeyCount, ...] = (KeyCount(),)
    standing: UpdateStanding = NEWEST
    test_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def conversations(
        self, *, offset: int = 0, limit: int = 200, name: str = "", only: Filter = EVERYTHING
    ) -> Sequence[Conversation]:
        self.asked.append(("conversations", offset, limit))
        if self.error is not None:
            raise self.error
        found = [one for one in self.stored if name in f"{one.title} {one.label}" and (one.starred or not only.starred)]
        return found[offset : offset + limit]

    async def totals(self) -> Totals:
        remote = sum(one.sync is not SyncState.LOCAL and not one.backend.keeps_here for one in self.stored)
        return Totals(conversations=len(self.stored), starred=sum(one.starred for one in self.stored), remote=remote)

    async def choices(self) -> Choices:
        self.asked.append(("choices",))
        if self.error is not None:
            raise self.error
        return self.offered

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        self.asked.append(("turns", handle, before, limit))
        if self.error is not None:
            raise self.error
        end = len(self.spoken) if before is None else min(before, len(self.spoken))
        return self.spoken[max(0, end - limit) : end]

    async def set_aside(
        self, handles: Sequence[str] | None, *, keep_starred: bool = False, here_only: bool = False
    ) -> Sequence[str]:
        self.asked.append(("set_aside", handles, keep_starred, here_only))
        if self.error is not None:
            raise self.error
        self.aside = [
            one
            for one in self.stored
            if (handles is None or one.handle in handles) and not (keep_starred and one.starred)
        ]
        self.stored = [one for one in self.stored if one not in self.aside]
        return [one.handle for one in self.aside]

    async def bring_back(self, handles: Sequence[str]) -> int:
        self.asked.append(("bring_back", tuple(handles)))
        back = [one for one in self.aside if one.handle in handles]
        self.stored = sorted([*self.stored, *back], key=lambda one: -one.updated_ms)
        return len(back)

    async def rename(self, handle: str, title: str) -> None:
        self.asked.append(("rename", handle, title))
        if self.error is not None:
            raise self.error
        self.stored = [replace(one, title=title) if one.handle == handle else one for one in self.stored]

    async def star(self, handle: str, on: bool) -> None:
        self.asked.append(("star", handle, on))
        self.stored = [replace(one, starred=on) if one.handle == handle else one for one in self.stored]

    async def search(
        self, text: str, *, limit: int = 50, offset: int = 0, only: Filter = EVERYTHING
    ) -> Sequence[Found]:
        self.asked.append(("search", text, only))
        if self.error is not None:
            raise self.error
        return [found for found in self.findable if text in found.snippet][offset : offset + limit]

    async def edit(self, turn_id: str, text: str | None) -> Turn:
        self.asked.append(("edit", turn_id, text))
        if self.error is not None:
            raise self.error
        return next(replace(turn, edited=text) for turn in self.spoken if turn.turn_id == turn_id)

    async def document(self, handle: str, form: Format) -> str:
        self.asked.append(("document", handle, form))
        return "the whole of it"

    async def export_name(self, handles: Sequence[str] | None, form: Format) -> str:
        self.asked.append(("export_name", handles, form))
        return "talk.txt" if handles is not None and len(handles) == 1 else "talks"

    async def export(
        self,
        handles: Sequence[str] | None,
        form: Format,
        target: Path,
        *,
        replace: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Exported:
        self.asked.append(("export", handles, form, target, replace))
        try:
            if self.export_waits is not None:
                on_progress(1, 3)
                await self.export_waits.wait()
        except asyncio.CancelledError:
            self.asked.append(("export cancelled",))
            raise
        if self.error is not None:
            raise self.error
        return Exported(target=target, conversations=1 if handles is None else len(handles), turns=2)

    async def keep(self, days: int, *, remotely_too: bool, private: bool) -> None:
        self.asked.append(("keep", days, remotely_too, *("private",) * private))

    async def due(self, days: int) -> Due:
        return Due(going=days)

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

    async def updates(self) -> UpdateStanding:
        self.asked.append(("updates",))
        return self.standing

    async def check_updates(self) -> UpdateStanding:
        self.asked.append(("check_updates",))
        if self.error is not None:
            raise self.error
        return self.standing

    async def use_updates(self, settings: UpdateSettings) -> None:
        self.asked.append(("use_updates", settings))

    async def scenarios(self) -> ScenarioList:
        self.asked.append(("scenarios",))
        if self.error is not None:
            raise self.error
        own = {one.name: one for one in self.kept}
        found = {one.name: one for one in BUILT_IN} | own
        listed = tuple(sorted(found.values(), key=lambda one: one.title))
        return ScenarioList(scenarios=listed, own=frozenset(own), broken=self.broken)

    async def keep_scenario(self, scenario: Scenario, *, force: bool = False) -> None:
        self.asked.append(("keep_scenario", scenario, force))
        if self.error is not None:
            raise self.error
        if not force and scenario.name in {one.name for one in (*BUILT_IN, *self.kept)}:
            raise KnownError(Reason.BAD_INPUT, "There is a scenario of that name.", "Give yours another one.")
        self.kept = [one for one in self.kept if one.name != scenario.name] + [scenario]

    async def remove_scenario(self, name: str) -> None:
        self.asked.append(("remove_scenario", name))
        if self.error is not None:
            raise self.error
        self.kept = [one for one in self.kept if one.name != name]

    async def sign_in(self, tell: Callable[[str], None]) -> bool:
        self.asked.append(("sign_in",))
        tell("https://sign.in/")
        try:
            if self.sign_in_waits is not None:
                await self.sign_in_waits.wait()
        except asyncio.CancelledError:
            self.asked.append(("sign-in cancelled",))
            raise
        if self.error is not None:
            raise self.error
        return self.has_aws

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

    async def inspect(self) -> Inspection:
        self.asked.append(("inspect",))
        return self.inspection

    async def happened(self, *, after: int = 0) -> Sequence[Happened]:
        self.asked.append(("happened", after))
        return [event for event in self.events_logged if event.number > after]

    async def bundle(self, tell: Callable[[float], None]) -> Sequence[BundlePart]:
        self.asked.append(("bundle",))
        tell(0.5)
        if self.error is not None:
            raise self.error
        return (
            BundlePart(name="report.txt", about="The report", text="NovaDesk report"),
            BundlePart(name="recording.jsonl", about="Events", text="{}"),
        )

    async def save_bundle(self, file: str, parts: Sequence[BundlePart]) -> None:
        self.asked.append(("save_bundle", file, tuple(part.name for part in parts)))
        if self.error is not None:
            raise self.error

    async def devices(self) -> Devices:
        self.asked.append(("devices",))
        if self.error is not None:
            raise self.error
        return Devices(microphones=("Alsa: Mic A", "Alsa: Mic B"), speakers=("Alsa: Speaker A",))

    async def use_sound(self, settings: AudioSettings) -> None:
        self.asked.append(("use_sound", settings))
        if self.error is not None:
            raise self.error

    async def use(self, settings: Settings) -> None:
        self.asked.append(("use", settings))
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

    async def use_talk(self, settings: TalkSettings) -> None:
        self.asked.append(("use_talk", settings))

    async def try_keys(self, settings: TalkSettings, tell: Callable[[KeyCount], None]) -> KeyCount:
        self.asked.append(("try_keys", settings))
        for count in self.counts:
            tell(count)
        try:
            await self.test_over.wait()
        except asyncio.CancelledError:
            self.asked.append(("key test cancelled",))
            raise
        return self.counts[-1]

    async def notify(self, title: str, words: str) -> None:
        self.asked.append(("notify", title, words))

    async def talk_commands(self) -> tuple[str, ...]:
        return self.commands

    async def ignore_keys(self) -> None:
        self.asked.append(("ignore_keys",))
        try:
            await asyncio.Event().wait()
        finally:
            self.asked.append(("keys heeded",))

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


class PatientBot(QtBot):
    """Waits for what has to come as long as a busy computer may take for it."""

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = 60_000) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitExposed(self, widget: QWidget, *, timeout: int = 60_000) -> Any:
        return super().waitExposed(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp: QCoreApplication, request: pytest.FixtureRequest) -> PatientBot:
    return PatientBot(request)


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
def opened(window: MainWindow, qtbot: QtBot) -> Iterator[SettingsWindow]:
    window.show_settings()
    made = window.door.window
    assert made is not None
    with qtbot.waitExposed(made):
        pass
    yield made
    if window.door.window is not None:
        made.close()
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
