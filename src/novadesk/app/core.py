"""One core: everything but the window, built by constructor arguments, started and stopped in order on one loop."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from novadesk.app.accounts import Accounts, make_accounts
from novadesk.app.backend import make_linker, make_practice, voice_host
from novadesk.app.clock import SystemClock
from novadesk.app.command import own_command, soundwatch_command
from novadesk.app.control import ControlHandler
from novadesk.app.diagnosis import Diagnosis
from novadesk.app.gateway_erasure import make_erasure
from novadesk.app.insight import Insight
from novadesk.app.output import put_note
from novadesk.app.practice import PracticeServer
from novadesk.app.remote import make_access
from novadesk.app.remotecopy import FreshArchive, RemoteCopy
from novadesk.app.scenarioshelf import ScenarioShelf
from novadesk.app.shelf import OpenShelf
from novadesk.app.soundtest import try_sound
from novadesk.app.talkkey import TalkKey, rules_of
from novadesk.app.talkpress import TalkPress
from novadesk.app.updating import Updating
from novadesk.app.upkeep import Upkeep
from novadesk.audio.client import EngineSound
from novadesk.chord import Action, commands
from novadesk.config import AudioSettings, Settings, TalkSettings
from novadesk.conversation.api import Devices, Snapshot, SoundTest
from novadesk.conversation.controller import Controller
from novadesk.conversation.eventlog import EventLog
from novadesk.conversation.opening import make_setup
from novadesk.conversation.ports import Hearing, Sound
from novadesk.conversation.record import lost_line
from novadesk.conversation.talkapi import KeyCount
from novadesk.conversation.toolbox import CurrentTime, Toolbox
from novadesk.conversation.witnesses import Witnesses
from novadesk.desktop.corelock import CoreLock
from novadesk.desktop.hotkeys.base import Standing
from novadesk.desktop.hotkeys.press import Loss, Lost
from novadesk.desktop.instance import ControlServer
from novadesk.desktop.keychain import Keychain
from novadesk.desktop.noticeboard import post
from novadesk.desktop.wakeup import Wakeup, WakeupWatch, own_address, route_to
from novadesk.errors import KnownError, Layer
from novadesk.models import check_handle
from novadesk.paths import Folders
from novadesk.scenario import Chosen
from novadesk.store.caretaker import Caretaker
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.registry import Registry
from novadesk.store.retention import Keeping, Retention

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a core begins.

    Attributes:
        role: names the core to others who want the folder.
        handle: the conversation to go on with, or None.
        fresh: begin an empty conversation.
        private: begin an empty conversation of which nothing is ever written.
        go_on: with the conversation that was open last, also where new ones are private.
        scenario: what an empty conversation is begun with.
        connect: open the link at once.
        sound: takes the place of the sound engine.
        talk_key: watch the global push-to-talk key.
        keychain: takes the place of the system's keyring.
    """

    role: str
    handle: str | None = None
    fresh: bool = False
    private: bool = False
    go_on: bool = False
    scenario: Chosen | None = None
    connect: bool = True
    sound: Sound | None = None
    talk_key: bool = False
    keychain: Keychain | None = None

    def after(self, now: Snapshot, *, elsewhere: bool) -> "Start":
        """Return how a core begins that takes the place of one, on the same backend or `elsewhere`.

        It goes on with the conversation that is open; of which nothing is on disk, it begins another one like it.
        """
        found = now.conversation
        unwritten = found is None or found.private or not found.turns
        return replace(
            self,
            handle=None,
            fresh=unwritten or elsewhere,
            private=found is not None and found.private,
            go_on=not (unwritten or elsewhere),
            scenario=now.scenario if unwritten else None,
        )


class Core(OpenShelf, ScenarioShelf, Insight, Updating):
    """The running core. `start` and `stop` frame its life; `controller` takes wishes; the rest fits `Requests`.

    Args:
        settings: what the person has set.
        folders: where files are.
        publish: takes every snapshot, on the core loop.
        on_quit: called when the person wants to leave.
        on_show: brings the window to the front, see `ControlHandler`; None without a window.
        lock: on the folder, held already.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        folders: Folders,
        publish: Callable[[Snapshot], None],
        on_quit: Callable[[], None],
        on_show: Callable[[str], None] | None = None,
        lock: CoreLock | None = None,
    ) -> None:
        self._settings, self._folders = settings, folders
        self._publish, self._on_quit, self._on_show = publish, on_quit, on_show
        self._stack = AsyncExitStack()
        self._lock = lock or CoreLock(folders.core_lock)
        self._started: Start
        self._changing: asyncio.Task[None] | None = None
        self._clock = SystemClock()
        self._snapshot: Snapshot | None = None
        self._happened = EventLog()  # of every build: its numbers must go on growing
        self._engine: EngineSound | None = None
        self._upkeep: Upkeep
        self.talk: TalkPress
        self.accounts: Accounts

    async def start(self, start: Start) -> None:
        """Build everything and begin.

        Raises:
            KnownError: another core holds the folder, the store cannot be opened, there is no such conversation.
        """
        self._started = start
        self.accounts = make_accounts(self._folders, start.keychain)
        try:
            await self._build(start)
        except BaseException:
            await self.stop()
            raise
        if start.connect:
            self.controller.connect()

    async def use(self, settings: Settings) -> None:
        """Use other settings at once, with a new controller, and in a new conversation where they lead elsewhere.

        Raises:
            KnownError: they cannot be used; then the old ones still are.
        """
        await self._settled()
        make_linker(settings, make_practice(self._folders))  # says at once when there is no such backend
        self._changing = asyncio.create_task(self._build_anew(settings), name="core-change")
        await asyncio.shield(self._changing)  # who gives up on it does not leave half a core

    async def _build_anew(self, settings: Settings) -> None:
        before, self._settings = self._settings, settings
        elsewhere, now = settings.backend.kind is not before.backend.kind, self.controller.snapshot()
        try:
            await self._stack.aclose()  # but for the lock: nobody else gets the folder meanwhile
            await self._build(self._started.after(now, elsewhere=elsewhere))
        except KnownError:
            self._settings = before
            await self._stack.aclose()
            await self._build(self._started.after(now, elsewhere=False))
            raise
        finally:
            self.controller.connect()

    async def _settled(self) -> None:
        """Wait for a change of the settings that is under way."""
        if self._changing is not None:
            await asyncio.wait((self._changing,))  # who gives up waiting does not end it

    async def stop(self) -> None:
        """Stop everything in reverse order; say what could not be saved. Idempotent."""
        await self._settled()
        await self._stack.aclose()
        await self.accounts.close()
        self._lock.release()
        if self._snapshot is not None and (lost := self.controller.snapshot().unsaved):
            self._snapshot = None
            put_note(Layer.STORE, lost_line(lost))

    async def _build(self, start: Start) -> None:
        database = await self._open_store(start.role)
        practice = make_practice(self._folders)
        self._stack.push_async_callback(practice.stop)
        self._remote_copy = self._make_remote_copy(database, practice, start.keychain)
        self._stack.push_async_callback(self._remote_copy.stop)
        sound = self._make_engine() if start.sound is None else start.sound
        self.controller = self._make_controller(database, practice, sound)
        self.talk = TalkPress(rules_of(self._settings.talk), self.controller, self._clock.now)
        self._talk_key = TalkKey(self._settings.talk, self.talk, self._show_keys)
        await self.controller.start(
            handle=_checked(start.handle, self._clock),
            fresh=start.fresh,
            private=start.private,
            go_on=start.go_on,
            scenario=start.scenario,
        )
        self._stack.push_async_callback(self.controller.stop)
        self._stack.callback(self.talk.stop)
        if database.repaired is not None:
            self._note_store(database.repaired.words)
        self._caretaker.start()
        self._retention.start()
        self._stack.push_async_callback(self._retention.stop)
        self._remote_copy.start()
        self._stack.push_async_callback(self._remote_copy.stop)  # before what it shows itself on
        await self._open_doors(start)

    async def _open_store(self, role: str) -> Database:
        """Take the folder for this core, open its store, and begin to look after it."""
        folders, stack = self._folders, self._stack
        self._lock.acquire(role)
        database = self._database = Database(folders.database)
        await database.open()
        stack.push_async_callback(database.close)
        self._archive = Conversations(database)
        self._caretaker = Caretaker(database, unix_ms=self._clock.unix_ms, on_note=self._note_store)
        stack.push_async_callback(self._caretaker.stop)
        history = self._settings.history
        self._retention = Retention(
            database,
            self._archive,
            Keeping(days=history.keep_days, remotely_too=history.delete_remotely),
            unix_ms=self._clock.unix_ms,
            spare=self._open_handle,
            on_deleted=self._on_deleted,
            on_aged=self._note_aged,
        )
        self.diagnosis = Diagnosis(
            settings=self._settings,
            folders=folders,
            database=database,
            clock=self._clock,
            snapshot=lambda: self._snapshot,
        )
        self.diagnosis.start()
        stack.push_async_callback(self.diagnosis.stop)
        return database

    def _make_remote_copy(self, database: Database, practice: PracticeServer, keychain: Keychain | None) -> RemoteCopy:
        registry = self._registry = Registry(database, keychain or Keychain(self._folders.keyring_service))
        self._upkeep = Upkeep(self, database, registry, self._folders.cache, self.accounts)
        return RemoteCopy(
            settings=self._settings,
            database=database,
            archive=self._archive,
            registry=registry,
            access=make_access(self._settings, practice.address),
            clock=self._clock,
            meter=self.diagnosis.ledger,
            screen=lambda: self.controller,
            erasure=make_erasure(self._settings.backend, database, registry, self.accounts, self._clock),
        )

    def _make_engine(self) -> Sound:
        engine = EngineSound(own_command("engine"), self._settings.audio, soundwatch_command())
        self._stack.push_async_callback(engine.shutdown)
        self._engine = engine
        return engine

    def _make_controller(self, database: Database, practice: PracticeServer, sound: Sound) -> Controller:
        settings = self._settings
        tools = [CurrentTime(lambda: datetime.now().astimezone())] if settings.voice.tools else []
        toolbox = Toolbox(tools)
        linker = make_linker(
            settings,
            practice,
            conversation=lambda: self.controller.snapshot().conversation,
            registry=self._registry,
            tokens=self.accounts.tokens(settings.backend),
        )
        return Controller(
            settings=settings,
            setup=lambda voice: make_setup(voice, toolbox),
            linker=linker,
            sound=sound,
            archive=FreshArchive(database, self._remote_copy.freshen),
            clock=self._clock,
            toolbox=toolbox,
            publish=self._show,
            on_saved=self._remote_copy.turn_kept,
            on_quit=self._on_quit,
            echo_over_voice_db=self._echo_over_voice_db,
            meter=self.diagnosis,
            witnesses=Witnesses(
                recorder=self.diagnosis.recorder, hearing=linker if isinstance(linker, Hearing) else None
            ),
        )

    async def _open_doors(self, start: Start) -> None:
        """Let the talk key and other processes in, last: whoever comes through finds everything there."""
        if start.talk_key:
            self.talk.show()
            self._talk_key.start()
            self._stack.push_async_callback(self._talk_key.stop)

        self._open_updates(watch=start.role == "window")
        hosts = route_to(voice_host(self._settings))
        watch = WakeupWatch(self._on_wakeup, address=lambda: own_address(hosts))
        watch.start()
        self._stack.push_async_callback(watch.stop)

        handler = ControlHandler(self.controller, self.talk, self.diagnosis, self._upkeep, self, self._on_show)
        control = ControlServer(self._folders.control_socket, handler)
        await control.start()
        self._stack.push_async_callback(control.stop)

    # --- Requests --------------------------------------------------------------------------------

    async def pull(self, handle: str | None = None) -> int:
        """Read what other machines wrote to a conversation, or (None) find their conversations and read them all."""
        return await self._remote_copy.pull(handle)

    async def devices(self) -> Devices:
        """Return the sound devices as they are now."""
        if self._engine is None:
            return Devices(microphones=(), speakers=())
        microphones, speakers = await self._engine.devices()
        return Devices(microphones=tuple(microphones), speakers=tuple(speakers))

    async def use_sound(self, settings: AudioSettings) -> None:
        """Use these devices, echo and volumes from now on, in the open conversation too."""
        if self._engine is not None:
            self._engine.prefer(settings)
        self.controller.use_echo(settings.echo)

    async def try_sound(self, devices: AudioSettings, hear: Callable[[SoundTest], None]) -> None:
        """Open these devices for a test, beside those of the conversation."""
        await try_sound(own_command("engine"), devices, hear, soundwatch_command())

    async def use_talk(self, settings: TalkSettings) -> None:
        """Take presses this way from now on, and bind these keys."""
        await self._settled()
        self._settings = replace(self._settings, talk=settings)
        self.controller.use_release_tail(settings.release_tail_ms / 1000)
        await self._talk_key.use(settings)

    async def try_keys(self, settings: TalkSettings, tell: Callable[[KeyCount], None]) -> KeyCount:
        """Count presses and releases of these keys for a while, during which they do nothing else."""
        await self._settled()
        return await self._talk_key.try_keys(settings, tell)

    async def talk_commands(self) -> tuple[str, ...]:
        """Return the commands to bind to keys, as they reach this core."""
        return commands(os.environ.get("NOVADESK_HOME", ""), self._folders.profile)

    async def ignore_keys(self) -> None:
        """Let no key do anything until this is cancelled."""
        await self.talk.ignore_keys()

    async def notify(self, title: str, words: str) -> None:
        """Show a notice of the desktop, where that takes one."""
        await post(title, words)

    def _show(self, snapshot: Snapshot) -> None:
        self._remote_copy.see(snapshot)
        self._snapshot = snapshot
        self.diagnosis.see(snapshot)
        self._happened.see(snapshot, self._clock.unix_ms())
        self.talk.see(snapshot)
        self._publish(snapshot)

    def _show_keys(self, standing: Standing) -> None:
        talk, mute = (
            tuple(words for does, words in standing.triggers if does is action) for action in (Action.TALK, Action.MUTE)
        )
        self.controller.set_extra(hotkeys=talk, mute_hotkeys=mute, hotkey_note=standing.note)

    def _on_wakeup(self, wakeup: Wakeup) -> None:
        """Wait no longer: the network is another one, or the computer slept."""
        if wakeup is Wakeup.RESUMED:
            self.talk.take(Lost(loss=Loss.SLEEP))
            self.controller.on_resumed()
            if self._engine is not None:
                self._engine.reopen()  # a driver may have lost its device in its sleep
        else:
            self.controller.on_network_up()
        self._remote_copy.try_now()

    def _echo_over_voice_db(self) -> float:
        return 0.0 if self._engine is None else self._engine.statistics().engine.echo_over_voice_db

    def note_settings(self, words: str) -> None:
        """Show what the person should know of the settings file."""
        self.controller.set_extra(settings_note=words)

    def _note_aged(self, words: str) -> None:
        self.controller.set_extra(history_note=words)

    def _note_store(self, words: str) -> None:
        _log.warning("the store was damaged")
        self.controller.set_extra(store_note=words)


def _checked(handle: str | None, clock: SystemClock) -> str | None:
    return None if handle is None else check_handle(handle, clock.unix_ms())
