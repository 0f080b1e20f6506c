"""The audio process: commands on stdin, reports on stdout (see `framing`), until stdin ends.

A stuck driver or a busy interpreter in the app cannot reach across; ending this process is the cure for both.
"""

import contextlib
import enum
import faulthandler
import gc
import os
import queue
import signal
import sys
import threading
from typing import TYPE_CHECKING

from novadesk.audio.framing import HEADER, FramingError, decode_command, payload_bytes
from novadesk.audio.outbox import Outbox
from novadesk.audio.wire import Clip, Command, Failed, Flush, List, Listed, Open, Play, PlayOn, Ready, Volume, Watch
from novadesk.errors import KnownError

if TYPE_CHECKING:
    from novadesk.audio.pump import Pump

_LAST_WORDS_S = 0.5
_EXIT_S = 1.0
_SWITCH_S = 0.001
_NICENESS = -11  # as the sound servers have it where they may


class Signal(enum.Enum):
    """What an inbox holds beside commands."""

    IDLE = "idle"
    END = "end"


type Inbox = queue.SimpleQueue[Command | Signal]


def main() -> int:
    """Run the audio process; return its exit status. Reads fd 0; whatever prints to fd 1 goes to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal group; the app decides
    _go_first()
    reports = os.dup(1)
    os.set_inheritable(reports, False)
    os.dup2(2, 1)
    # Its dump on standard error reaches the app, which reports it. One of threads that run on might end too early.
    faulthandler.enable(2, all_threads=False)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (0, reports):
            msvcrt.setmode(descriptor, os.O_BINARY)
    sys.setswitchinterval(_SWITCH_S)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported
    inbox: Inbox = queue.SimpleQueue()
    outbox = Outbox(reports)
    threading.Thread(target=_read_commands, args=(0, inbox), name="inbox", daemon=True).start()
    outbox.start()
    try:
        _serve(inbox, outbox)
    finally:
        outbox.end(_LAST_WORDS_S)
        with contextlib.suppress(OSError):
            os.close(reports)
    return 0


def _go_first() -> None:
    """Have the processor before others where the system allows that; threads begun later inherit it."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)


def _serve(inbox: Inbox, outbox: Outbox) -> None:
    try:
        from novadesk.audio import pump as pumping  # brings numpy and PortAudio: only now is stdout safe
    except OSError:
        _refuse(inbox, outbox)
        return
    gc.collect()
    gc.freeze()
    outbox.put(Ready())
    pump: Pump | None = None
    while (command := _next(inbox, None if pump is None else pump.wait_s)) is not Signal.END:
        match command:
            case Open() if pump is None:
                try:
                    pump = pumping.Pump(outbox, command)
                except KnownError as error:
                    _report(outbox, error)
                gc.collect()
                gc.freeze()
            case List():
                _list(outbox)
            case Play() | Flush() | Volume() | PlayOn() | Clip() | Watch() if pump is not None:
                pump.take(command)
        if pump is not None and not pump.wait_s:
            pump.turn()
    _leave_soon()
    if pump is not None:
        pump.close()


def _refuse(inbox: Inbox, outbox: Outbox) -> None:
    """Answer every command that the sound library is missing."""
    from novadesk.audio.devices import no_library

    outbox.put(Ready())
    while (command := _next(inbox, None)) is not Signal.END:
        if isinstance(command, Open | List):
            _report(outbox, no_library())


def _next(inbox: Inbox, wait_s: float | None) -> Command | Signal:
    try:
        return inbox.get(timeout=wait_s)
    except queue.Empty:
        return Signal.IDLE


def _list(outbox: Outbox) -> None:
    from novadesk.audio.devices import Direction, list_devices

    try:
        found = list_devices()
    except KnownError as error:
        _report(outbox, error)
        return
    outbox.put(Listed(microphones=found.titles(Direction.MICROPHONE), speakers=found.titles(Direction.SPEAKER)))


def _report(outbox: Outbox, error: KnownError) -> None:
    outbox.put(Failed(reason=error.reason, what=error.what, advice=error.advice))


def _leave_soon() -> None:
    """End the process even when a driver holds up the orderly way."""
    timer = threading.Timer(_EXIT_S, os._exit, (0,))
    timer.daemon = True
    timer.start()


def _read_commands(descriptor: int, inbox: Inbox) -> None:
    """Put commands into the inbox, and `END` at the end of the pipe or of sense."""
    with open(descriptor, "rb", closefd=False) as stream:
        try:
            while header := stream.read(HEADER.size):
                payload = stream.read(payload_bytes(header))
                inbox.put(decode_command(header, payload))
        except (FramingError, OSError):
            pass
    inbox.put(Signal.END)
