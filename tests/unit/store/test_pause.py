"""What each failure means for sync, and how long it leaves the remote side alone."""

import asyncio

import pytest

from novadesk.errors import KnownError, Layer, Reason
from novadesk.store.pause import Pause, SyncPolicy, Verdict, in_words, verdict

POLICY = SyncPolicy(first_pause_s=1.0, longest_pause_s=8.0, off_pause_s=900.0)
MEANING = {
    Verdict.WAIT: {
        Reason.SYNC_UNREACHABLE,
        Reason.UNAVAILABLE,
        Reason.THROTTLED,
        Reason.UNREACHABLE,
        Reason.TIMED_OUT,
        Reason.TLS_REFUSED,
        Reason.PROXY_REFUSED,
        Reason.PRACTICE_FAILED,
        Reason.STORE_LOCKED,
        Reason.STORE_BROKEN,
        Reason.DISK_FULL,
    },
    Verdict.OFF: {
        Reason.SYNC_DENIED,
        Reason.ACCESS_DENIED,
        Reason.BAD_SIGNATURE,
        Reason.NO_CREDENTIALS,
        Reason.CREDENTIALS_EXPIRED,
        Reason.BAD_SETTINGS,
        Reason.PRACTICE_PARTS_MISSING,
        Reason.KEYRING_ABSENT,
        Reason.KEYRING_LOCKED,
        Reason.KEYRING_DENIED,
        Reason.KEYRING_TIMED_OUT,
    },
    Verdict.NEVER: {Reason.BAD_REQUEST, Reason.UNKNOWN_CONVERSATION},
}


class HandClock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def unix_ms(self) -> int:
        return round(self.time * 1000)


def failure(reason: Reason) -> KnownError:
    return KnownError(reason, "It failed.", "Do this.")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_meaning(reason: Reason) -> None:
    expected = next((meaning for meaning, reasons in MEANING.items() if reason in reasons), Verdict.LATER)
    assert verdict(failure(reason)) is expected


def test_no_fault_of_the_store_itself_parks_a_row() -> None:
    for reason in Reason:
        if reason.layer in (Layer.STORE, Layer.NETWORK, Layer.CREDENTIALS, Layer.PRACTICE):
            assert verdict(failure(reason)) in (Verdict.WAIT, Verdict.OFF, Verdict.LATER)


def test_the_words_say_whether_there_is_something_to_do() -> None:
    assert in_words(failure(Reason.SYNC_DENIED)) == "Sync is off: It failed. Do this."
    assert in_words(failure(Reason.THROTTLED)) == "Sync waits: It failed."


async def rest_s(pause: Pause, clock: HandClock) -> float:
    """Return how long a pause is, found by moving the clock."""
    begun = clock.time
    while True:
        waiting = asyncio.create_task(pause.sit_out())
        await asyncio.sleep(0)
        done = waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        if done:
            return clock.time - begun
        clock.time += 0.25


async def test_pauses_double_up_to_the_ceiling_and_begin_anew_when_all_is_well() -> None:
    clock = HandClock()
    pause = Pause(POLICY, clock)
    assert await rest_s(pause, clock) == 0
    for longest in (1, 2, 4, 8, 8, 8):
        pause.miss(failure(Reason.THROTTLED))
        assert longest / 2 <= await rest_s(pause, clock) <= longest + 0.25
    assert pause.clear()
    assert not pause.clear()
    pause.miss(failure(Reason.THROTTLED))
    assert await rest_s(pause, clock) <= 1.25


async def test_no_right_means_a_long_pause_that_ends_on_demand() -> None:
    clock = HandClock()
    pause = Pause(POLICY, clock)
    assert pause.miss(failure(Reason.SYNC_DENIED))
    assert not pause.miss(failure(Reason.SYNC_DENIED))
    waiting = asyncio.create_task(pause.sit_out())
    await asyncio.sleep(0)
    clock.time += 899
    assert not waiting.done()
    pause.end()
    await waiting
    assert pause.error is not None, "what is wrong is known until a try goes well"


async def test_a_wish_that_comes_while_an_answer_is_awaited_is_not_lost_when_that_answer_is_bad() -> None:
    clock = HandClock()
    pause = Pause(POLICY, clock)
    pause.miss(failure(Reason.SYNC_DENIED))
    assert await rest_s(pause, clock) == 900
    pause.end()  # with the next try under way
    pause.miss(failure(Reason.SYNC_DENIED))
    assert await rest_s(pause, clock) == 0, "tried again at once"
    pause.miss(failure(Reason.SYNC_DENIED))
    assert await rest_s(pause, clock) == 900, "but only once"
