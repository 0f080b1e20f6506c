"""The global push-to-talk key of the running core."""

import asyncio
import logging

from novadesk.conversation.controller import Controller
from novadesk.daemon import DaemonCall
from novadesk.desktop.hotkeys.base import HotkeyBackend, choose_backend
from novadesk.errors import KnownError

_log = logging.getLogger(__name__)

FIND_S = 5.0


class TalkKey:
    """Watches the key and hands press and release to the conversation, on the core's loop.

    Args:
        key: its name in the settings.
        controller: takes press and release.
    """

    def __init__(self, key: str, controller: Controller) -> None:
        self._key = key
        self._controller = controller
        self._backend: HotkeyBackend | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch; what came of it shows in the snapshot."""
        self._task = asyncio.create_task(self._find(), name="talk-key")

    async def stop(self) -> None:
        """Stop watching. A key that is down counts as released."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._backend is not None:
            self._backend.stop()
            self._backend = None
        self._controller.release_talk()

    async def _find(self) -> None:
        loop = asyncio.get_running_loop()

        def hand_over(wish: str) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(getattr(self._controller, wish))

        try:
            backend = await DaemonCall(lambda: choose_backend(self._key), name="talk-key").result(deadline_s=FIND_S)
            backend.start(lambda: hand_over("press_talk"), lambda: hand_over("release_talk"))
        except TimeoutError:
            note = "The desktop did not let NovaDesk watch a global key in time."
        except KnownError as error:
            note = str(error)
        else:
            self._backend = backend
            note = backend.note
        if note:
            _log.info("no global talk key")
        self._controller.set_extra(hotkey="" if note else self._key, hotkey_note=note)
