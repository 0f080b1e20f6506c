"""Messages on their way to the app; those that the pipe has no room for wait: a busy app never holds up the sound."""

import contextlib
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence

from novadesk.audio.framing import encode
from novadesk.audio.latency import Latencies
from novadesk.audio.wire import Frame, Report

WAITING_FRAMES = 320
"""Microphone frames kept for an app that does not read: ten seconds."""

_TOGETHER = 4  # messages: those of one turn


class Outbox:
    """A pipe, a queue for what it does not take at once, and the thread that writes that.

    Args:
        descriptor: the pipe to write to.
        waiting_frames: beyond this the oldest microphone frame is dropped and counted.

    Attributes:
        frame_latencies: from `Frame.captured_ns` until the frame is written.
        open: nothing waits, and a message is written where it is made.
    """

    def __init__(self, descriptor: int, waiting_frames: int = WAITING_FRAMES) -> None:
        self.dropped_frames = 0
        self.frame_latencies = Latencies()
        self._descriptor = descriptor
        self._waiting_frames = waiting_frames
        self._frames = 0
        self._queue: deque[Report] = deque()
        self._begun = b""  # the rest of what the pipe has taken in part
        self._changed = threading.Condition()
        self._unblocked = False
        self.open = False
        self._ended = False
        self._thread = threading.Thread(target=self._write, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        if sys.platform != "win32":  # there nothing tells when a pipe has room again
            with contextlib.suppress(OSError):
                os.set_blocking(self._descriptor, False)
                self._unblocked = True
        self._thread.start()

    def put(self, *reports: Report) -> None:
        """Write messages, in one piece, or queue them; never waits for the app."""
        with self._changed:
            if self.open and self._written(reports):
                return
            self.open = False
            for report in reports:
                if isinstance(report, Frame):
                    if self._frames >= self._waiting_frames:
                        self._drop_oldest_frame()
                    self._frames += 1
                self._queue.append(report)
            self._changed.notify()

    def end(self, deadline_s: float) -> None:
        """Write what is queued and stop, within the deadline."""
        with self._changed:
            self.open, self._ended = False, True
            self._changed.notify()
        self._thread.join(deadline_s)

    def _drop_oldest_frame(self) -> None:
        for place, report in enumerate(self._queue):
            if isinstance(report, Frame):
                del self._queue[place]
                self._frames -= 1
                self.dropped_frames += 1
                return

    def _written(self, reports: Sequence[Report]) -> bool:
        """Write without waiting; return False when the pipe has no room for anything of it."""
        data = b"".join(map(encode, reports))
        try:
            taken = os.write(self._descriptor, data)
        except BlockingIOError:
            return False
        except OSError:
            return True  # nobody reads any more
        self._measure(reports)
        if taken < len(data):
            self.open, self._begun = False, data[taken:]
            self._changed.notify()
        return True

    def _write(self) -> None:
        while (following := self._next()) is not None:
            data, reports = memoryview(following[0]), following[1]
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:
                    select.select((), (self._descriptor,), ())
                except OSError:
                    return
            self._measure(reports)

    def _measure(self, reports: Sequence[Report]) -> None:
        for report in reports:
            if isinstance(report, Frame):
                self.frame_latencies.add(report.captured_ns, time.monotonic_ns())

    def _next(self) -> tuple[bytes, Sequence[Report]] | None:
        """Return what is to be written in one piece, so that the app wakes for it once, and which messages it ends."""
        with self._changed:
            while not self._begun and not self._queue:
                if self._ended:
                    return None
                self.open = self._unblocked
                self._changed.wait()
            if self._begun:
                rest, self._begun = self._begun, b""
                return rest, ()
            reports = [self._queue.popleft() for _ in range(min(len(self._queue), _TOGETHER))]
            self._frames -= sum(isinstance(report, Frame) for report in reports)
            return b"".join(map(encode, reports)), reports
