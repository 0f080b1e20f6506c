import asyncio
import gc
import subprocess
import sys
import threading

import pytest

from novadesk.daemon import DaemonCall


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
