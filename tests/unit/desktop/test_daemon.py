import asyncio
import gc
import subprocess
import sys
import threading
import weakref

import pytest

from novadesk.daemon import DaemonCall, DaemonThreads


async def test_the_outcome_of_a_call() -> None:
    assert await DaemonCall(lambda: 7, name="seven").result(deadline_s=10) == 7

    def fail() -> None:
        raise ValueError("no")

    call = DaemonCall(fail, name="fail")
    with pytest.raises(ValueError, match="no"):
        await call.result(deadline_s=10)
    assert not call.running


async def test_giving_up_leaves_the_call_running_and_its_outcome_to_be_had_later() -> None:
    gate = threading.Event()
    call = DaemonCall(lambda: gate.wait(30), name="slow")
    with pytest.raises(TimeoutError):
        await call.result(deadline_s=0.01)
    waiting = asyncio.create_task(call.result(deadline_s=10))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert call.running
    gate.set()
    assert await call.result(deadline_s=10) is True


async def test_an_error_that_nobody_waits_for_any_more_is_quiet() -> None:
    gate = threading.Event()

    def fail() -> None:
        gate.wait(30)
        raise ValueError("late")

    call = DaemonCall(fail, name="fail")
    with pytest.raises(TimeoutError):
        await call.result(deadline_s=0.01)
    gate.set()
    with pytest.raises(ValueError, match="late"):
        await call.result(deadline_s=10)
    del call
    gc.collect()


def test_a_call_that_never_returns_does_not_hold_up_the_end_of_the_program() -> None:
    program = """
import asyncio, threading
from novadesk.daemon import DaemonCall

async def main():
    try:
        await DaemonCall(threading.Event().wait, name="stuck").result(deadline_s=0.05)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("given up\n", "")


async def until_gone(thread: threading.Thread) -> None:
    async with asyncio.timeout(60):
        while thread.is_alive():
            await asyncio.sleep(0.005)


async def test_kept_threads_take_call_after_call_and_end_when_closed() -> None:
    threads = DaemonThreads(name="kept", idle_s=60.0)
    first = await DaemonCall(threading.current_thread, threads=threads).result(deadline_s=10)
    async with asyncio.timeout(60):
        while await DaemonCall(threading.current_thread, threads=threads).result(deadline_s=10) is not first:
            await asyncio.sleep(0)  # the first one was not free yet
    assert first.daemon
    assert first.name == "kept"
    threads.close()
    await until_gone(first)
    late = await DaemonCall(threading.current_thread, threads=threads).result(deadline_s=10)
    await until_gone(late)


async def test_a_stuck_call_on_a_kept_thread_holds_up_no_other_and_its_thread_ends_after_a_close() -> None:
    threads, gate = DaemonThreads(name="kept", idle_s=60.0), threading.Event()
    stuck = DaemonCall(lambda: (gate.wait(30), threading.current_thread())[1], threads=threads)
    with pytest.raises(TimeoutError):
        await stuck.result(deadline_s=0.01)
    assert await DaemonCall(lambda: 7, threads=threads).result(deadline_s=10) == 7
    threads.close()
    assert stuck.running
    gate.set()
    await until_gone(await stuck.result(deadline_s=10))


async def test_a_kept_thread_without_work_ends_by_itself_and_the_next_call_gets_another() -> None:
    threads = DaemonThreads(name="kept", idle_s=0.01)
    first = await DaemonCall(threading.current_thread, threads=threads).result(deadline_s=10)
    await until_gone(first)
    assert await DaemonCall(lambda: 7, threads=threads).result(deadline_s=10) == 7


async def test_calls_that_come_just_as_kept_threads_end_are_all_carried_out() -> None:
    threads = DaemonThreads(name="kept", idle_s=0.0)
    calls = [DaemonCall(lambda n=n: n, threads=threads) for n in range(300)]  # type: ignore[misc]
    assert [await call.result(deadline_s=10) for call in calls] == list(range(300))
    threads.close()


async def test_a_kept_thread_keeps_no_outcome() -> None:
    class Answer:
        pass

    threads = DaemonThreads(name="kept", idle_s=60.0)
    call = DaemonCall(Answer, threads=threads)
    gone = threading.Event()
    weakref.finalize(await call.result(deadline_s=10), gone.set)
    del call
    assert await asyncio.to_thread(gone.wait, 10)
    threads.close()
