"""The wiring of a core: what reaches the conversation and sync from outside, and the snapshot from sync."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, NoKeyringError, PasswordSetError

from novadesk.app import core as core_module
from novadesk.app.core import Core, Start
from novadesk.audio.nullio import FileSound
from novadesk.audio.soundfigures import SoundStatistics
from novadesk.chord import Action, Key, KeyDown, Origin
from novadesk.config import AudioSettings, BackendSettings, EchoSetting, HistorySettings, Settings, TalkSettings
from novadesk.conversation.api import Carries, Snapshot
from novadesk.desktop.corelock import CoreLock
from novadesk.desktop.hotkeys.base import Standing
from novadesk.desktop.keychain import Keychain
from novadesk.desktop.wakeup import Wakeup, WakeupWatch
from novadesk.errors import KnownError
from novadesk.models import BackendKind, Conversation, SyncState
from novadesk.paths import Folders, find_folders
from novadesk.scenario import Chosen
from novadesk.server.agentruntime_shapes import ErrorType
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.transport import bedrock
from novadesk.transport.bedrock import LinkTiming
from tests.support.leaks import LogWatch
from tests.support.remote_rig import RunningServer, refuse, running_server
from tests.support.store_rig import make_conversation, make_turn

PATIENCE_S = 60.0
"""Longest wait for what comes at once, on a busy computer. A pause of sync lasts 900 s."""

UNENDING = LinkTiming(open_s=600.0)
"""Nothing but the test ends an attempt to connect."""

RELEASED = Event()
"""Set when a keyring that is stuck may go on."""

ADVICE = "Give your AWS identity the bedrock session permissions"


@dataclass
class Computer:
    """What a core sees of the computer that it runs on."""

    address: str = "10.0.0.1"
    slept_s: float = 0.0

    def boottime(self) -> float:
        return time.monotonic() + self.slept_s


@dataclass
class Rig:
    """A session store for a core, and a voice service that takes a call and says nothing, not even hello."""

    runtime: RunningServer
    voice_port: int
    calls: list[asyncio.StreamWriter] = field(default_factory=list)
    core: Core | None = None

    async def until(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        assert self.core is not None
        async with asyncio.timeout(PATIENCE_S):
            while not condition(snapshot := self.core.controller.snapshot()):
                await asyncio.sleep(0.01)
        return snapshot

    @asynccontextmanager
    async def running(self, folders: Folders, **start: object) -> AsyncIterator[None]:
        settings = Settings(
            backend=BackendSettings(
                kind=BackendKind.BEDROCK,
                bedrock_endpoint=f"https://127.0.0.1:{self.voice_port}",
                agent_runtime_endpoint=self.runtime.endpoint,
            )
        )
        self.core = Core(settings=settings, folders=folders, publish=lambda _: None, on_quit=lambda: None)
        await self.core.start(Start(role="test", sound=FileSound(None), **start))  # type: ignore[arg-type]
        try:
            yield
        finally:
            for call in self.calls:
                call.close()
            await self.core.stop()


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_logs: LogWatch) -> AsyncIterator[Rig]:
    expected_logs.allow("put off")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "practice")
    monkeypatch.setattr(bedrock, "LinkTiming", lambda: UNENDING)

    async def take_call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.calls.append(writer)
        while await reader.read(4_096):
            pass
        writer.close()

    voice = await asyncio.start_server(take_call, "127.0.0.1", 0)
    with running_server(tmp_path / "remote.db") as runtime:
        made = Rig(runtime=runtime, voice_port=voice.sockets[0].getsockname()[1])
        yield made
    voice.close()
    await voice.wait_closed()


@pytest.fixture
async def folders(tmp_path: Path) -> Folders:
    """A folder whose store has two turns of last time that are not delivered yet."""
    found = find_folders(home=str(tmp_path / "home")).make()
    made = make_conversation(backend=BackendKind.BEDROCK)
    async with Database(found.database) as database:
        archive = Conversations(database)
        await archive.create(made)
        for text in ("one", "two"):
            await archive.append(make_turn(made.handle, text))
        await archive.set_current(made.handle)
    return found


def fall_asleep(computer: Computer) -> None:
    computer.slept_s += 3_600.0


def come_online(computer: Computer) -> None:
    computer.address = "10.0.0.1"


def change_network(computer: Computer) -> None:
    computer.address = "192.168.1.7"


@pytest.mark.parametrize(
    ("address", "wake"),
    [("10.0.0.1", fall_asleep), ("", come_online), ("10.0.0.1", change_network)],
    ids=["resumed", "network up", "network changed"],
)
async def test_a_wakeup_reaches_the_conversation_and_sync(
    rig: Rig, folders: Folders, monkeypatch: pytest.MonkeyPatch, address: str, wake: Callable[[Computer], None]
) -> None:
    """A call that gets no answer is begun anew, and sync that was off for a quarter of an hour asks again."""
    computer = Computer(address=address)
    watch = partial(WakeupWatch, boottime=computer.boottime, every_s=0.02)
    monkeypatch.setattr(core_module, "WakeupWatch", watch)
    monkeypatch.setattr(core_module, "own_address", lambda _hosts: computer.address)
    rig.runtime.faults.set(refuse(ErrorType.DENIED), times=1_000_000)
    async with rig.running(folders):
        await rig.until(lambda now: len(rig.calls) == 1 and now.keyring_note.startswith("Sync is off"))
        rig.runtime.faults.clear()
        assert rig.core is not None
        assert rig.core.controller.snapshot().pending_sync == 2
        wake(computer)
        begun = await rig.until(lambda _: len(rig.calls) == 2)
        assert begun.error is None, "it was not given up because it took too long"
        await rig.until(lambda now: not now.pending_sync and not now.keyring_note.startswith("Sync is off"))


class Engine:
    """Counts how often its devices are opened anew."""

    def __init__(self) -> None:
        self.reopened = 0

    def reopen(self) -> None:
        self.reopened += 1

    def statistics(self) -> SoundStatistics:
        return SoundStatistics()


async def test_sound_devices_are_opened_anew_after_a_sleep_and_not_for_another_network(
    rig: Rig, folders: Folders
) -> None:
    async with rig.running(folders, connect=False):
        assert rig.core is not None
        engine = rig.core._engine = Engine()  # type: ignore[assignment]
        for wakeup, reopened in ((Wakeup.NETWORK_CHANGED, 0), (Wakeup.RESUMED, 1), (Wakeup.NETWORK_CHANGED, 1)):
            rig.core._on_wakeup(wakeup)
            assert engine.reopened == reopened


async def test_a_talk_ends_when_the_computer_slept(rig: Rig, folders: Folders) -> None:
    async with rig.running(folders):
        assert rig.core is not None
        rig.core.talk.take_key(KeyDown(key=Key(name="space", origin=Origin.WINDOW)))
        await rig.until(lambda now: now.talking)
        rig.core._on_wakeup(Wakeup.NETWORK_CHANGED)
        assert rig.core.controller.snapshot().talking
        rig.core._on_wakeup(Wakeup.RESUMED)
        after = await rig.until(lambda now: not now.talking)
        assert "Talking stopped when the computer slept." in after.notices


async def test_the_keys_that_the_desktop_bound_are_shown_in_its_words(rig: Rig, folders: Folders) -> None:
    triggers = ((Action.TALK, "Press <Super>t"), (Action.MUTE, "F8"), (Action.TALK, "the side button"))
    async with rig.running(folders, connect=False):
        assert rig.core is not None
        rig.core._show_keys(Standing(triggers=triggers, note="No key to spare."))
        shown = rig.core.controller.snapshot()
        assert shown.hotkeys == ("Press <Super>t", "the side button")
        assert (shown.mute_hotkeys, shown.hotkey_note) == (("F8",), "No key to spare.")


async def test_another_release_tail_holds_at_once(rig: Rig, folders: Folders) -> None:
    async with rig.running(folders, connect=False):
        assert rig.core is not None
        assert rig.core.controller._driver.uplink.tail_s == 0.2
        await rig.core.use_talk(TalkSettings(key="", release_tail_ms=700))
        assert rig.core.controller._driver.uplink.tail_s == 0.7


async def test_no_right_to_the_session_store_is_shown_with_advice(rig: Rig, folders: Folders) -> None:
    rig.runtime.faults.set(refuse(ErrorType.DENIED), times=1_000_000)
    async with rig.running(folders, connect=False):
        shown = await rig.until(lambda now: bool(now.keyring_note))
        assert shown.keyring_note.startswith("Sync is off: You have no access to the remote session store.")
        assert ADVICE in shown.keyring_note
        assert shown.pending_sync == 2


class Ring(KeyringBackend):
    """A keyring of which every use begins with `meet`."""

    def __init__(self, meet: Callable[[], object] = lambda: None) -> None:
        self.meet = meet
        self._entries: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        self.meet()
        return self._entries.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.meet()
        self._entries[username] = password


def refuse_with(error: Exception) -> Callable[[], object]:
    def meet() -> None:
        raise error

    return meet


KEYRINGS = {
    "locked": (refuse_with(KeyringLocked()), "The keyring is locked. Unlock it"),
    "dismissed": (refuse_with(InitError()), "The keyring is locked. Unlock it"),
    "denied": (refuse_with(PermissionError()), "The keyring does not let NovaDesk in. Give NovaDesk the right"),
    "failed": (refuse_with(PasswordSetError()), "The system's keyring failed (PasswordSetError). Start the desktop's"),
    "absent": (refuse_with(NoKeyringError()), "This system has no keyring service running. Start the desktop's"),
    "slow": (RELEASED.wait, "The keyring does not answer. Look for a window that asks"),
}


@pytest.fixture
def keychain_that_is(request: pytest.FixtureRequest) -> Iterator[Keychain]:
    RELEASED.clear()
    meet, _ = KEYRINGS[request.param]
    deadline_s = 0.05 if request.param == "slow" else 10.0
    yield Keychain("novadesk-test", deadline_s=deadline_s, find_backend=lambda: Ring(meet))
    RELEASED.set()


@pytest.mark.parametrize(
    ("keychain_that_is", "told"),
    [(kind, told) for kind, (_, told) in KEYRINGS.items()],
    indirect=["keychain_that_is"],
    ids=list(KEYRINGS),
)
async def test_a_keyring_that_cannot_be_used_is_shown_with_advice(
    rig: Rig, folders: Folders, keychain_that_is: Keychain, told: str
) -> None:
    """Sync goes on without it, and the person can see what that means."""
    async with rig.running(folders, connect=False, keychain=keychain_that_is):
        shown = await rig.until(lambda now: bool(now.keyring_note) and not now.pending_sync)
        assert shown.keyring_note.startswith(told)
        assert "for this run only" in shown.keyring_note


async def test_a_keyring_that_is_locked_by_the_next_start_is_shown_before_anything_is_said(
    rig: Rig, folders: Folders
) -> None:
    ring = Ring()
    keychain = Keychain("novadesk-test", find_backend=lambda: ring)
    async with rig.running(folders, connect=False, keychain=keychain):
        delivered = await rig.until(lambda now: not now.pending_sync and now.turns[-1].sync is SyncState.SYNCED)
        assert delivered.keyring_note == ""
    ring.meet = refuse_with(KeyringLocked())
    async with rig.running(folders, connect=False, keychain=keychain):
        await rig.until(lambda now: now.keyring_note.startswith("The keyring is locked."))


async def test_what_is_done_about_the_echo_reaches_the_open_conversation(rig: Rig, folders: Folders) -> None:
    async with rig.running(folders, connect=False):
        assert rig.core is not None
        assert rig.core.controller.snapshot().echo is Settings().audio.echo
        await rig.core.use_sound(AudioSettings(echo=EchoSetting.HALF_DUPLEX))
        assert rig.core.controller.snapshot().echo is EchoSetting.HALF_DUPLEX


async def test_other_settings_hold_at_once_whoever_gives_up_on_them(rig: Rig, folders: Folders) -> None:
    other_core = CoreLock(folders.core_lock)
    async with rig.running(folders, connect=False):
        core = rig.core
        assert core is not None
        before, settings = core.controller, core._settings
        async with asyncio.timeout(PATIENCE_S):
            while not (noted := await core.happened()):
                await asyncio.sleep(0.01)
        with pytest.raises(KnownError):
            await core.use(replace(settings, backend=replace(settings.backend, kind=BackendKind.GATEWAY)))
        assert core.controller is before, "settings that cannot be used end nothing"
        other = replace(
            settings, backend=replace(settings.backend, model="other"), history=HistorySettings(private=True)
        )
        task = asyncio.create_task(core.use(other))
        await asyncio.sleep(0)
        task.cancel()
        now = await rig.until(lambda now: now.model == "other" and bool(rig.calls))
        assert core.controller is not before
        assert [turn.text for turn in now.turns] == ["one", "two"], "what is begun is private, what is open goes on"
        assert (await core.happened())[: len(noted)] == noted, "the log of events outlives the settings"
        ids = await core.inspect()
        assert now.conversation is not None
        assert (ids.handle, ids.turn_id) == (now.conversation.handle, now.turns[-1].turn_id)
        assert [(wire.carries, bool(wire.wire_id)) for wire in ids.wires] == [(Carries.OPENING, True)]
        with pytest.raises(KnownError):
            other_core.acquire("another")
    other_core.acquire("another")
    other_core.release()


async def test_an_empty_conversation_stays_open_when_other_settings_are_used(rig: Rig, folders: Folders) -> None:
    scenario = Chosen(name="tea", title="Tea", prompt="Chat about tea.")
    async with rig.running(folders, connect=False, scenario=scenario):
        assert rig.core is not None
        settings = rig.core._settings
        for private in (False, True):
            if private:
                await rig.core.controller.begin_anew(private=True, scenario=scenario)
            await rig.core.use(replace(settings, backend=replace(settings.backend, model=f"other {private}")))
            now = rig.core.controller.snapshot()
            assert now.conversation is not None
            assert (now.turns, now.scenario, now.conversation.private) == ((), scenario, private)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_is_on_disk_goes_on_and_what_is_not_is_begun_again_as_it_was(elsewhere: bool) -> None:
    tea = Chosen(name="tea", title="Tea", prompt="Chat about tea.")
    started = Start(role="window", handle="session", private=True, connect=False)
    stored, empty = make_conversation(turns=2), make_conversation()

    def after(conversation: Conversation | None) -> Start:
        return started.after(Snapshot(conversation=conversation, scenario=tea), elsewhere=elsewhere)

    again = Start(role="window", connect=False, fresh=True)
    assert after(stored) == replace(again, fresh=elsewhere, go_on=not elsewhere)
    assert after(empty) == replace(again, scenario=tea)
    assert after(replace(stored, private=True)) == replace(again, private=True, scenario=tea)
    assert after(None) == replace(again, scenario=tea)
