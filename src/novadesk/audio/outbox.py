"""Messages on their way to the app, written by a thread of their own: a busy app never holds up the sound."""

import os
import threading
import time
from collections import deque

from novadesk.audio.framing import encode
from novadesk.audio.latency import Latencies
from novadesk.audio.wire import Frame, Report

WAITING_FRAMES = 320
"""Microphone frames kept for an app that does not read: ten seconds."""

_TOGETHER = 4  # messages: those of one turn


class Outbox:
    """A queue and the thread that writes it.

    Args:
        descriptor: the pipe to write to.
        waiting_frames: beyond this the oldest microphone frame is dropped and counted.

    Attributes:
        frame_latencies: from `Frame.captured_ns` until the frame is written.
    """

    def __init__(self, descriptor: int, waiting_frames: int = WAITING_FRAMES) -> None:
        self.dropped_frames = 0
        self.frame_latencies = Latencies()
        self._descriptor = descriptor
        self._waiting_frames = waiting_frames
        self._frames = 0
        self._queue: deque[Report] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._write, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, report: Report) -> None:
        """Queue a message; never waits for the app."""
        with self._changed:
            if isinstance(report, Frame):
                if self._frames >= self._waiting_frames:
                    self._drop_oldest_frame()
                self._frames += 1
            self._queue.append(report)
            self._changed.notify()

    def end(self, deadline_s: float) -> None:
        """Write what is queued and stop, within the deadline."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(deadline_s)

    def _drop_oldest_frame(self) -> None:
        for place, report in enumerate(self._queue):
            if isinstance(report, Frame):
                del self._queue[place]
                self._frames -= 1
                self.dropped_frames += 1
                return

    def _write(self) -> None:
        while reports := self._next():
            data = memoryview(b"".join(map(encode, reports)))
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except OSError:
                    return
            for report in reports:
                if isinstance(report, Frame):
                    self.frame_latencies.add(report.captured_ns, time.monotonic_ns())

    def _next(self) -> list[Report]:
        """Return what is to be written in one piece, so that the app wakes for it once; nothing at the end."""
        with self._changed:
            while not self._queue:
                if self._ended:
                    return []
                self._changed.wait()
            reports = [self._queue.popleft() for _ in range(min(len(self._queue), _TOGETHER))]
            self._frames -= sum(isinstance(report, Frame) for report in reports)
            return reports
