"""Whether a window can be opened here, found out in a process of its own: Qt ends the one that it cannot serve."""

import contextlib
import os
import sys

from novadesk.app.command import own_command
from novadesk.errors import KnownError, Reason

CHECK_S = 30.0
_MISSING = 69  # EX_UNAVAILABLE; 3 is what abort() leaves on Windows


def main() -> int:
    """Open Qt's application and leave; return an exit code of its own when the library does not load."""
    try:
        from novadesk.app.qtstart import make_application
    except ImportError:
        return _MISSING
    make_application()
    return 0


def need_display() -> None:
    """Check that the session has a display.

    Raises:
        KnownError: `NO_DISPLAY`.
    """
    chosen = os.environ.get("QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not (
        chosen or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise KnownError(
            Reason.NO_DISPLAY,
            "There is no display to open a window on.",
            "Run `novadesk talk --in question.wav --out answer.wav` instead, or set DISPLAY.",
        )


def no_window() -> KnownError:
    """Return the error for a window library that does not load."""
    return KnownError(
        Reason.NO_WINDOW,
        "The library that draws the window does not load.",
        "Install NovaDesk again; `novadesk doctor` says what else is wrong, and `novadesk talk` works without it.",
    )


def no_display() -> KnownError:
    """Return the error for a display that no window can be opened on."""
    return KnownError(
        Reason.NO_DISPLAY,
        "No window can be opened on this display.",
        "Check DISPLAY and the packages that Qt needs, such as libxcb-cursor0; `novadesk doctor` says what else is "
        "wrong, and `novadesk talk` needs no display.",
    )


async def check_window() -> str:
    """Open a window library on this display, and close it.

    Raises:
        KnownError: `NO_WINDOW`, `NO_DISPLAY` or `TIMED_OUT`.
    """
    import asyncio  # the window asks for a display before it loads this
    import subprocess

    process = await asyncio.create_subprocess_exec(
        *own_command("windowcheck"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "QT_QPA_PLATFORM": _platform()},
    )
    try:
        async with asyncio.timeout(CHECK_S):
            status = await process.wait()
    except TimeoutError as error:
        raise KnownError(Reason.TIMED_OUT, "The display does not answer.", "Check DISPLAY, or sign in anew.") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if status == _MISSING:
        raise no_window()
    need_display()
    if status != 0:
        raise no_display()
    return "a window can be opened"


def _platform() -> str:
    """Return Qt's platform for the check: without a display only whether the library loads can be found out."""
    chosen = os.environ.get("QT_QPA_PLATFORM", "")
    try:
        need_display()
    except KnownError:
        return "minimal"
    return chosen
