import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from novadesk.audio.ringbuffer import RingBuffer

pytestmark = pytest.mark.thorough

CAPACITY = 17


class RingAgainstList(RuleBasedStateMachine):
    """The ring does what a list of the newest `CAPACITY` frames does."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = RingBuffer(CAPACITY, 2)
        self.frames: list[int] = []
        self.next = 0
        self.dropped = 0

    @rule(count=st.integers(0, 3 * CAPACITY))
    def write(self, count: int) -> None:
        new = list(range(self.next, self.next + count))
        self.next += count
        self.ring.write(np.array([new, [-value for value in new]], np.float32).T.reshape(count, 2))
        self.frames += new
        lost = max(0, len(self.frames) - CAPACITY)
        self.dropped += lost
        del self.frames[:lost]

    @rule(count=st.integers(0, 2 * CAPACITY))
    def read(self, count: int) -> None:
        target = np.full((count, 2), np.nan, np.float32)
        fetched = self.ring.read_into(target)
        expected, self.frames = self.frames[:count], self.frames[count:]
        assert target[:fetched, 0].tolist() == expected
        assert target[:fetched, 1].tolist() == [-value for value in expected]
        assert self.ring.dropped_frames == self.dropped

    @precondition(lambda self: self.frames)
    @rule(data=st.data())
    def skip(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.frames)))
        self.ring.read_into(np.zeros((0, 2), np.float32))
        self.ring.skip_to(self.ring.written - len(self.frames) + place)
        del self.frames[:place]

    @invariant()
    def counts_agree(self) -> None:
        assert self.ring.available_frames == len(self.frames)
        assert self.ring.free_frames <= CAPACITY - len(self.frames)


TestRingAgainstList = RingAgainstList.TestCase


def test_going_back_is_no_skip() -> None:
    ring = RingBuffer(4)
    ring.write(np.ones((3, 1), np.float32))
    ring.read_into(np.zeros((2, 1), np.float32))
    ring.skip_to(0)
    assert ring.available_frames == 1


@given(st.integers(1, 40))
def test_what_is_overwritten_during_the_copy_is_not_handed_out(written: int) -> None:
    ring = RingBuffer(CAPACITY)
    ring.write(np.arange(CAPACITY, dtype=np.float32)[:, np.newaxis])

    class Interrupted(np.ndarray):
        """Lets the producer write in the middle of the consumer's copy."""

        def __setitem__(self, key: Any, value: Any) -> None:
            super().__setitem__(key, value)
            if ring.written == CAPACITY:
                ring.write(np.arange(CAPACITY, CAPACITY + written, dtype=np.float32)[:, np.newaxis])

    target = np.zeros((CAPACITY, 1), np.float32).view(Interrupted)
    fetched = ring.read_into(target)
    assert np.asarray(target)[:fetched, 0].tolist() == list(range(min(written, CAPACITY), CAPACITY))
    assert ring.dropped_frames == written


def test_two_threads_lose_nothing_while_the_reader_keeps_up() -> None:
    ring = RingBuffer(4_096)
    total = 200_000

    def produce() -> None:
        sent = 0
        while sent < total:
            count = min(137, total - sent, ring.free_frames)
            if count:
                ring.write(np.arange(sent, sent + count, dtype=np.float32)[:, np.newaxis])
                sent += count

    producer = threading.Thread(target=produce)
    producer.start()
    block, seen = np.zeros((251, 1), np.float32), 0
    while seen < total:
        fetched = ring.read_into(block)
        assert np.array_equal(block[:fetched, 0], np.arange(seen, seen + fetched, dtype=np.float32))
        seen += fetched
    producer.join()
    assert ring.dropped_frames == 0
