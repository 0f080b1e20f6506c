"""The talk keys of the desktop: found, watched, bound anew and tried, on the core's loop."""

import asyncio
import ctypes
import importlib
import logging
import sys
from collections.abc import Callable
from typing import Protocol

from novadesk.app.talkpress import TalkPress
from novadesk.chord import Action, Binding, Origin, parse_bindings
from novadesk.config import TalkSettings
from novadesk.conversation.talkapi import KEY_TEST_S, KeyCount
from novadesk.daemon import DaemonCall
from novadesk.desktop.hotkeys.away import AwayWatch
from novadesk.desktop.hotkeys.base import HotkeyBackend, News, Standing, choose_backend, with_ladder
from novadesk.desktop.hotkeys.lockpoll import LockPoll, mac_locked, windows_locked
from novadesk.desktop.hotkeys.press import Loss, Lost, Rules, Wish, Wished
from novadesk.errors import KnownError
from novadesk.text import Text

_log = logging.getLogger(__name__)

FIND_S = 5.0


class Away(Protocol):
    """Notices that the screen is locked, and where it can that the computer is about to sleep."""

    def start(self) -> None:
        """Begin."""
        ...

    async def stop(self) -> None:
        """Notice nothing any more."""
        ...


def watch_away(press: TalkPress, platform: str = sys.platform) -> Away | None:
    """Return what notices on this system that the person has gone, or None."""
    if platform == "linux":
        return AwayWatch(press.take)
    try:
        if platform == "win32":
            windll = ctypes.windll  # type: ignore[attr-defined]
            return LockPoll(press.take, lambda: windows_locked(windll))
        if platform == "darwin":
            quartz = importlib.import_module("Quartz")
            return LockPoll(press.take, lambda: mac_locked(quartz))
    except (ImportError, AttributeError):
        _log.info("nobody tells whether the screen is locked")
    return None


class TalkKey:
    """Watches the desktop's keys for the press state; what came of it is shown.

    Args:
        settings: the keys, and how they are taken.
        press: takes what they do.
        show: takes how the keys stand.
        choose: finds the backend; blocks.
        away: makes what notices that the screen is locked or the computer goes to sleep, where there is such a thing.
    """

    def __init__(
        self,
        settings: TalkSettings,
        press: TalkPress,
        show: Callable[[Standing], None],
        choose: Callable[[tuple[Binding, ...]], HotkeyBackend] = choose_backend,
        away: Callable[[TalkPress], Away | None] = watch_away,
    ) -> None:
        self._settings, self._press, self._show, self._choose = settings, press, show, choose
        self._away = away(press)
        self._turn = asyncio.Lock()
        self._watched = _Watched(settings)
        self._stopped = False

    def start(self) -> None:
        """Begin to watch."""
        self._watch(self._settings)
        if self._away is not None:
            self._away.start()

    async def stop(self) -> None:
        """Stop watching, and end a talk."""
        self._stopped = True
        await self._leave()
        if self._away is not None:
            await self._away.stop()

    async def use(self, settings: TalkSettings) -> None:
        """Take presses as these settings say from now on, and watch their keys."""
        async with self._turn:
            self._settings = settings
            self._press.set_rules(rules_of(settings))
            await self._change(settings)

    async def try_keys(
        self, settings: TalkSettings, tell: Callable[[KeyCount], None], *, seconds: float = KEY_TEST_S
    ) -> KeyCount:
        """Do as `Requests.try_keys`."""
        async with self._turn:
            try:
                await self._change(settings, anew=bool(self._watched.note))
                await self._watched.settled.wait()
                return await self._press.count_keys(tell, seconds=seconds)
            finally:
                await self._change(self._settings)

    async def _change(self, settings: TalkSettings, *, anew: bool = False) -> None:
        """Watch the keys of these settings; unless `anew`, those that are watched already stay: the desktop may ask."""
        if (anew or keys_of(settings) != keys_of(self._watched.settings)) and not self._stopped:
            await self._leave()
            self._watch(settings)

    def _watch(self, settings: TalkSettings) -> None:
        watched = self._watched = _Watched(settings)
        watched.task = asyncio.create_task(self._find(watched), name="talk-key")

    async def _leave(self) -> None:
        watched, self._watched = self._watched, _Watched(self._settings)
        if watched.task is not None:
            watched.task.cancel()
            await asyncio.gather(watched.task, return_exceptions=True)
        if watched.backend is not None:
            await watched.backend.stop()
        self._press.take(Wished(wish=Wish.STOP, origin=Origin.GLOBAL))
        self._press.take(Lost(loss=Loss.LISTENER))  # nobody tells when the keys that are down come up
        self._press.set_heard(frozenset())

    async def _find(self, watched: "_Watched") -> None:
        loop = asyncio.get_running_loop()

        def hand_over(news: News) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._take, watched, news)

        try:
            bindings = parse_bindings(*keys_of(watched.settings))
            find = DaemonCall(lambda: self._choose(bindings), name="talk-key")
            watched.backend = await find.result(deadline_s=FIND_S)
        except TimeoutError:
            self._take(
                watched, Standing(note=with_ladder(Text("The desktop did not let NovaDesk watch a key in time.")))
            )
        except KnownError as error:
            self._take(watched, Standing(note=error.whole))
        else:
            watched.backend.start(hand_over)

    def _take(self, watched: "_Watched", news: News) -> None:
        if watched is not self._watched:
            return
        if not isinstance(news, Standing):
            self._press.take(news)
            return
        self._press.set_heard(news.hears)
        if not any(action is Action.TALK for action, _ in news.triggers):
            _log.info("no global talk key")
        watched.note = news.note
        self._show(news)
        if news.settled:
            watched.settled.set()


class _Watched:
    """The keys that are watched now, or about to be."""

    def __init__(self, settings: TalkSettings) -> None:
        self.settings = settings
        self.note = ""
        self.settled = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.backend: HotkeyBackend | None = None


def keys_of(settings: TalkSettings) -> tuple[str, str]:
    """Return the keys that talk and those that mute."""
    return settings.key, settings.mute_key


def rules_of(settings: TalkSettings) -> Rules:
    """Return how presses are taken."""
    return Rules(press=settings.press, max_talk_s=settings.max_talk_s)
