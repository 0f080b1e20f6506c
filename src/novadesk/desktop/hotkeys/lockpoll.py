"""Notices a locked screen by looking each second, where no signal that a program without a window gets tells of it.

Written from the systems' documentation; neither Windows nor macOS was at hand to run it.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from novadesk.desktop.hotkeys.press import Loss, Lost

_log = logging.getLogger(__name__)

LOOK_S = 1.0
_DESKTOP_SWITCHDESKTOP = 0x0100  # winuser.h


class LockPoll:
    """Tells once each time that the screen is locked.

    Args:
        tell: takes what is lost, on the loop.
        locked: returns whether the keys go to somebody else now; must be quick.
    """

    def __init__(self, tell: Callable[[Lost], None], locked: Callable[[], bool]) -> None:
        self._tell, self._locked = tell, locked
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look(), name="lock-poll")

    async def stop(self) -> None:
        """Look no more. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look(self) -> None:
        before = False
        try:
            while True:
                now = self._locked()
                if now and not before:
                    self._tell(Lost(loss=Loss.LOCK))
                before = now
                await asyncio.sleep(LOOK_S)
        except Exception:  # The outermost frame of the task: without the notice the longest talk is still bounded.
            _log.exception("whether the screen is locked cannot be seen")


def windows_locked(windll: Any) -> bool:
    """Return whether another desktop gets the keys: that of the lock screen, or of a question for consent.

    Args:
        windll: `ctypes.windll`; OpenInputDesktop fails for a desktop that is not ours to open.
    """
    desktop = windll.user32.OpenInputDesktop(0, False, _DESKTOP_SWITCHDESKTOP)
    if not desktop:
        return True
    windll.user32.CloseDesktop(desktop)
    return False


def mac_locked(quartz: Any) -> bool:
    """Return whether the screen is locked, by `Quartz.CGSessionCopyCurrentDictionary`; False where it does not say."""
    session = quartz.CGSessionCopyCurrentDictionary() or {}
    return bool(session.get("CGSSessionScreenIsLocked", False))
