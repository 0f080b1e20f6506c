"""The process that watches PulseAudio or PipeWire until stdin ends: views on stdout, moves on stdin (`serverview`)."""

import contextlib
import os
import select
import signal
import sys
import time
from typing import Any

from novadesk.audio.devices import Direction
from novadesk.audio.serverview import UNWATCHED, Move, ServerDevice, ServerStream, ServerView, move_of, view_line

_AGAIN_S = 0.5
_SETTLE_S = 0.03  # a device that goes takes its streams elsewhere in several steps
_SETTLED_S = 0.15
_READ_BYTES = 65_536


class _Moves:
    """The moves that come on a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self.ended = False

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the first sign of life or of the end."""
        select.select([self._descriptor], [], [], seconds)

    def take(self) -> list[Move]:
        """Return what has come; never waits."""
        while select.select([self._descriptor], [], [], 0)[0]:
            piece = os.read(self._descriptor, _READ_BYTES)
            if not piece:
                self.ended = True
                break
            self._rest += piece
        *lines, self._rest = self._rest.split(b"\n")
        return [move_of(line) for line in lines]


class _Server:
    """One connection to the sound server.

    Args:
        pulse: the connection.
        descriptor: wakes `listen` when it can be read from.
    """

    def __init__(self, pulse: Any, descriptor: int) -> None:
        self._pulse = pulse
        self._descriptor = descriptor
        self._listening = self._changed = False
        pulse.set_poll_func(self._poll)
        pulse.event_mask_set("sink", "source", "sink_input", "source_output", "server")
        pulse.event_callback_set(self._on_event)

    def listen(self) -> None:
        """Return once something has changed and things have settled, or the descriptor can be read from."""
        self._listening = True
        try:
            if not self._changed:
                self._pulse.event_listen()
        finally:
            self._listening = False
        end_s = time.monotonic() + _SETTLED_S
        while self._changed and time.monotonic() < end_s:
            self._changed = False
            self._pulse.event_listen(_SETTLE_S)

    def view(self) -> ServerView:
        """Return everything as it is now."""
        self._changed = False
        pulse = self._pulse
        sources, sinks, server = pulse.source_list(), pulse.sink_list(), pulse.server_info()
        names = {(Direction.MICROPHONE, row.index): row.name for row in sources}
        names |= {(Direction.SPEAKER, row.index): row.name for row in sinks}
        streams = [(Direction.MICROPHONE, row, row.source) for row in pulse.source_output_list()]
        streams += [(Direction.SPEAKER, row, row.sink) for row in pulse.sink_input_list()]
        return ServerView(
            devices=tuple(_device(Direction.MICROPHONE, row) for row in sources)
            + tuple(_device(Direction.SPEAKER, row) for row in sinks),
            streams=tuple(
                ServerStream(direction=way, pid=_pid(row), device=names.get((way, device), ""))
                for way, row, device in streams
            ),
            microphone=server.default_source_name or "",
            speaker=server.default_sink_name or "",
        )

    def move(self, move: Move) -> None:
        """Move every stream of the process; what cannot be moved stays."""
        import pulsectl

        pulse = self._pulse
        capture = move.direction is Direction.MICROPHONE
        devices = pulse.source_list() if capture else pulse.sink_list()
        streams = pulse.source_output_list() if capture else pulse.sink_input_list()
        bring = pulse.source_output_move if capture else pulse.sink_input_move
        for device in devices:
            for stream in streams:
                if device.name == move.device and _pid(stream) == move.pid:
                    with contextlib.suppress(pulsectl.PulseOperationFailed):
                        bring(stream.index, device.index)

    def _on_event(self, event: Any) -> None:
        if event.facility == "sink" and event.t == "change":
            return  # of its volume, mostly; a change of a microphone may be its switch
        import pulsectl

        self._changed = True
        raise pulsectl.PulseLoopStop

    def _poll(self, descriptors: Any, timeout_s: float) -> int:
        poller = select.poll()
        known = {entry.fd: entry for entry in descriptors}
        for entry in descriptors:
            entry.revents = 0
            poller.register(entry.fd, entry.events)
        if self._listening:
            poller.register(self._descriptor, select.POLLIN)
        ready = 0
        for descriptor, events in poller.poll(None if timeout_s < 0 else timeout_s * 1000):
            if descriptor in known:
                known[descriptor].revents = events
                ready += 1
            else:
                self._pulse.event_listen_stop()
        return ready


def main() -> int:
    """Watch until stdin ends; return the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal group; the app decides
    if sys.platform != "linux":
        return UNWATCHED
    try:
        import pulsectl
    except (ImportError, OSError):
        return UNWATCHED
    told = b""
    moves = _Moves(0)
    with contextlib.suppress(BrokenPipeError):
        while not moves.ended:
            try:
                with pulsectl.Pulse("NovaDesk", connect=False) as pulse:
                    pulse.connect()  # with a time limit it always waits that long
                    server = _Server(pulse, 0)
                    while not moves.ended:
                        for move in moves.take():
                            server.move(move)
                        told = _tell(server.view(), told)
                        server.listen()
            except (pulsectl.PulseError, pulsectl.PulseDisconnected):
                told = _tell(None, told)
                moves.wait(_AGAIN_S)
                moves.take()
    return 0


def _tell(view: ServerView | None, told: bytes) -> bytes:
    """Write a view unless it is the one told last; return it as it was written."""
    line = view_line(view)
    rest = memoryview(line if line != told else b"")
    while rest:
        rest = rest[os.write(1, rest) :]
    return line


def _device(direction: Direction, row: Any) -> ServerDevice:
    monitor = direction is Direction.MICROPHONE and (
        row.proplist.get("device.class") == "monitor" or row.name.endswith(".monitor")
    )
    muted = direction is Direction.MICROPHONE and bool(row.mute)
    title = row.description or row.name
    return ServerDevice(direction=direction, name=row.name, title=title, monitor=monitor, muted=muted)


def _pid(row: Any) -> int:
    text = row.proplist.get("application.process.id", "")
    return int(text) if text.isdecimal() else 0
