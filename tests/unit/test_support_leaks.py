"""The checks that every test stands on: each leak is found, and a clean test passes."""

import asyncio
import logging
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.leaks import LogWatch, OrphanTasks, leaks_since, take_census

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]
QUICK_S = 0.05


def test_nothing_has_grown_between_two_counts() -> None:
    before = take_census()
    assert leaks_since(before) == []


def test_a_thread_that_is_not_a_daemon_is_found_until_it_ends() -> None:
    before, stop = take_census(), threading.Event()
    thread = threading.Thread(target=stop.wait, name="worker")
    thread.start()
    assert any("thread worker" in line for line in leaks_since(before, settle_s=QUICK_S))
    stop.set()
    thread.join()
    assert leaks_since(before) == []


@pytest.mark.parametrize(("name", "found"), [("novadesk-store", True), ("somebody-else", False)])
def test_of_the_daemon_threads_only_our_own_must_end(name: str, found: bool) -> None:
    before, stop = take_census(), threading.Event()
    thread = threading.Thread(target=stop.wait, name=name, daemon=True)
    thread.start()
    assert bool(leaks_since(before, settle_s=QUICK_S)) is found
    stop.set()
    thread.join()


def test_a_thread_on_its_way_out_is_waited_for() -> None:
    before = take_census()
    threading.Timer(0.1, lambda: None).start()
    assert leaks_since(before) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sockets_files_and_children_are_found(tmp_path: Path) -> None:
    before = take_census()
    connection = socket.socket()
    file = (tmp_path / "left.txt").open("w")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    lines = "\n".join(leaks_since(before, settle_s=QUICK_S))
    connection.close()
    file.close()
    child.communicate()
    assert "socket:[" in lines
    assert "left.txt" in lines
    assert f"child process {child.pid}" in lines
    assert leaks_since(before) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_grandchild_left_by_its_parent_is_found() -> None:
    before = take_census()
    quiet = "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
    script = f"import subprocess; print(subprocess.Popen(['sleep', '30'], {quiet}).pid)"
    pid = int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    found = leaks_since(before, settle_s=QUICK_S)
    subprocess.run(["kill", str(pid)], check=True)
    assert any(f"child process {pid}" in line for line in found)
    assert leaks_since(before) == []


def test_a_task_still_pending_at_the_end_of_its_loop_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never_awaited() -> None:
        await asyncio.Event().wait()

    async def leave_one() -> None:
        task = asyncio.ensure_future(never_awaited())
        await asyncio.sleep(0)
        assert not task.done()

    def cancel_all(loop: asyncio.AbstractEventLoop) -> None:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    monkeypatch.setattr(asyncio.runners, "_cancel_all_tasks", cancel_all)  # not the one that watches this test
    watch = OrphanTasks()
    watch.watch()
    asyncio.run(leave_one())
    asyncio.run(asyncio.sleep(0))
    watch.stop()
    assert len(watch.found) == 1
    assert "never_awaited" in watch.found[0]


def test_log_records_are_unexpected_unless_allowed(expected_logs: LogWatch) -> None:
    expected_logs.allow("lost|full")
    log = logging.getLogger("novadesk.somewhere")
    with LogWatch().listening() as watch:
        log.info("all is well")
        log.warning("the link was lost")
        log.error("the disk is full")
    watch.allow("link .* lost")
    assert watch.unexpected() == ["log ERROR novadesk.somewhere: the disk is full"]
    watch.allow("disk")
    assert watch.unexpected() == []


def test_the_conftest_fails_each_test_that_leaks(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        f"[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\npythonpath = {ROOT}\n"
    )
    conftest = (ROOT / "tests" / "conftest.py").read_text()
    assert "leaks_since(before)" in conftest
    pytester.makeconftest(conftest.replace("leaks_since(before)", "leaks_since(before, settle_s=0.05)"))
    pytester.makepyfile(
        """
        import asyncio, logging, socket, threading
        kept = []

        def test_clean(): pass

        async def test_clean_loop(): await asyncio.sleep(0)

        def test_log(): logging.getLogger("novadesk.x").warning("odd")

        def test_allowed_log(expected_logs):
            expected_logs.allow("odd")
            logging.getLogger("novadesk.x").warning("odd")

        async def test_task(): kept.append(asyncio.ensure_future(asyncio.sleep(60)))

        def test_socket(): kept.append(socket.socket())

        def test_thread():
            kept.append(threading.Event())
            threading.Thread(target=kept[-1].wait, name="novadesk-x", daemon=True).start()

        def test_after():
            kept[-1].set()
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q", "-rE")
    result.assert_outcomes(passed=8, errors=4)
    for name in ("test_log", "test_task", "test_socket", "test_thread"):
        result.stdout.fnmatch_lines([f"ERROR *{name}*"])
