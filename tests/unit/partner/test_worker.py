import asyncio
import threading

import pytest

from novadesk.server.partner.worker import Worker
from tests.support.leaks import LogWatch


async def test_jobs_run_one_after_another_on_one_other_thread() -> None:
    worker = Worker("novadesk-test")
    names = [await worker.run(lambda: threading.current_thread().name) for _ in range(3)]
    assert names == ["novadesk-test"] * 3
    order: list[int] = []
    await asyncio.gather(*[worker.run(lambda number=number: order.append(number)) for number in range(20)])
    assert order == list(range(20))
    await worker.close()


async def test_a_failure_reaches_the_caller_and_the_next_job_runs() -> None:
    worker = Worker("novadesk-test")
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(lambda: 5) == 5
    await worker.close()


async def test_the_loop_goes_on_while_a_job_blocks() -> None:
    worker, gate = Worker("novadesk-test"), threading.Event()
    blocked = asyncio.create_task(worker.run(gate.wait))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not blocked.done()
    gate.set()
    assert await blocked
    await worker.close()


async def test_a_cancelled_caller_leaves_the_worker_usable() -> None:
    worker, gate = Worker("novadesk-test"), threading.Event()
    waiting = asyncio.create_task(worker.run(gate.wait))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.set()
    assert await worker.run(lambda: "here") == "here"
    await worker.close()


async def test_closing_drops_what_has_not_begun_and_does_the_last_job() -> None:
    worker, gate, began, done = Worker("novadesk-test"), threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        began.set()
        gate.wait()
        done.append("first")

    jobs = [asyncio.create_task(worker.run(job)) for job in (first, lambda: done.append("dropped"))]
    while not began.is_set():
        await asyncio.sleep(0)
    closing = asyncio.create_task(worker.close(lambda: done.append("last")))
    await asyncio.sleep(0)
    gate.set()
    await closing
    await worker.close()
    assert done == ["first", "last"]
    assert not any(thread.name == "novadesk-test" for thread in threading.enumerate())
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)


async def test_a_failing_last_job_is_noted_only(expected_logs: LogWatch) -> None:
    expected_logs.allow("last job of a worker failed: ZeroDivisionError")
    worker = Worker("novadesk-test")
    await worker.run(lambda: None)
    await worker.close(lambda: 1 // 0)


async def test_a_closed_worker_takes_nothing() -> None:
    worker = Worker("novadesk-test")
    await worker.close()
    with pytest.raises(RuntimeError):
        await worker.run(lambda: None)
