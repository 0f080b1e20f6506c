"""When it is time to try again: what two looks at the computer mean, and that looking goes on."""

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.desktop.wakeup import (
    AWAY_S,
    SLEPT_S,
    Wakeup,
    WakeupWatch,
    Watcher,
    boottime_clock,
    own_address,
    route_to,
)
from tests.support.leaks import LogWatch

HOME, CAFE = "192.168.0.2", "10.0.0.7"
NETWORK = {
    ("", ""): None,
    ("", HOME): Wakeup.NETWORK_UP,
    (HOME, ""): None,
    (HOME, HOME): None,
    (HOME, CAFE): Wakeup.NETWORK_CHANGED,
    (HOME, f"{HOME} fe80::1"): Wakeup.NETWORK_CHANGED,
}
# awake and passed seconds between two looks: slept or not
CLOCKS = {
    (2.0, 2.0): False,
    (0.0, 0.0): False,
    (2.0, 2.0 + SLEPT_S - 0.01): False,
    (2.0, 2.0 + SLEPT_S): True,
    (0.1, 3_600.0): True,
    (AWAY_S - 0.01, AWAY_S - 0.01): False,
    (AWAY_S, AWAY_S): True,
    (2.0, 1.0): False,
}


@pytest.mark.parametrize(("addresses", "clocks"), list(itertools.product(NETWORK, CLOCKS)))
def test_what_two_looks_mean(addresses: tuple[str, str], clocks: tuple[float, float]) -> None:
    watcher = Watcher()
    assert watcher.look(addresses[0], 100.0, 5_000.0) == ()
    expected = [Wakeup.RESUMED] * CLOCKS[clocks] + [event for event in [NETWORK[addresses]] if event is not None]
    assert watcher.look(addresses[1], 100.0 + clocks[0], 5_000.0 + clocks[1]) == tuple(expected)
    assert watcher.look(addresses[1], 102.0 + clocks[0], 5_002.0 + clocks[1]) == ()


ADDRESSES = st.sampled_from(["", HOME, CAFE])
LOOKS = st.lists(st.tuples(ADDRESSES, st.floats(0.0, 5.0), st.sampled_from([0.0, 0.0, 60.0])), max_size=20)


@given(ADDRESSES, LOOKS)
def test_every_change_is_told_once(first: str, looks: list[tuple[str, float, float]]) -> None:
    """Whatever happens between looks: sleeps are told as often as they are, and a network whenever there is another."""
    watcher, now, boottime = Watcher(), 7.0, 9.0
    watcher.look(first, now, boottime)
    told: list[Wakeup] = []
    for address, awake_s, slept_s in looks:
        now, boottime = now + awake_s, boottime + awake_s + slept_s
        told += watcher.look(address, now, boottime)
    seen = [first, *(address for address, _, _ in looks)]
    pairs = list(itertools.pairwise(seen))
    assert told.count(Wakeup.RESUMED) == sum(slept_s > 0 for _, _, slept_s in looks)
    assert told.count(Wakeup.NETWORK_UP) == sum(not old and bool(new) for old, new in pairs)
    assert told.count(Wakeup.NETWORK_CHANGED) == sum(bool(old) and bool(new) and old != new for old, new in pairs)


@pytest.mark.parametrize(
    ("host", "route"),
    [
        ("localhost", ("127.0.0.1",)),
        ("127.0.0.1", ("127.0.0.1",)),
        ("::1", ("::1",)),
        ("192.168.7.9", ("192.168.7.9",)),
        ("bedrock-runtime.us-east-1.amazonaws.com", ("192.0.2.1", "2001:db8::1")),
    ],
)
def test_a_name_stands_for_the_default_route(host: str, route: tuple[str, ...]) -> None:
    assert route_to(host) == route


def test_the_own_address_towards_this_computer() -> None:
    assert own_address(("127.0.0.1",)) == "127.0.0.1"
    assert own_address(("no address",)) == ""
    assert own_address(()) == ""


def test_a_set_wall_clock_is_no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """No clock that anybody can set is asked."""
    clock = boottime_clock()
    before = clock()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert 0.0 <= clock() - before < 60.0
    if sys.platform == "linux":
        assert clock() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1.0)


class Computer:
    """An address and two clocks, moved by hand."""

    def __init__(self) -> None:
        self.address = HOME
        self.now = self.slept_s = 0.0
        self.told: list[Wakeup] = []
        self.came = asyncio.Event()
        self.fail = False
        self.watch = WakeupWatch(
            self.tell,
            address=lambda: self.address,
            monotonic=lambda: self.now,
            boottime=lambda: self.now + self.slept_s,
            every_s=0.001,
        )

    def tell(self, wakeup: Wakeup) -> None:
        self.told.append(wakeup)
        self.came.set()
        if self.fail:
            raise RuntimeError("the one who is told fails")

    async def next(self) -> list[Wakeup]:
        async with asyncio.timeout(60):
            await self.came.wait()
        self.came.clear()
        return self.told


async def test_looking_goes_on() -> None:
    computer = Computer()
    computer.watch.start()
    computer.watch.start()
    computer.slept_s = 3_600.0
    assert await computer.next() == [Wakeup.RESUMED]
    computer.address = CAFE
    assert await computer.next() == [Wakeup.RESUMED, Wakeup.NETWORK_CHANGED]
    await computer.watch.stop()
    await computer.watch.stop()
    computer.address = HOME
    await asyncio.sleep(0.01)
    assert len(computer.told) == 2


async def test_looking_goes_on_after_a_bug(expected_logs: LogWatch) -> None:
    expected_logs.allow("lost by a bug")
    computer = Computer()
    computer.watch.start()
    computer.fail, computer.address = True, CAFE
    await computer.next()
    computer.fail, computer.address = False, HOME
    assert await computer.next() == [Wakeup.NETWORK_CHANGED] * 2
    await computer.watch.stop()


IN_NAMESPACE = """
import asyncio, json, subprocess
from novadesk.desktop.wakeup import WakeupWatch, own_address, route_to

def ip(line):
    subprocess.run(["ip", *line.split()], check=True)

async def main():
    told, came = [], asyncio.Event()

    def tell(wakeup):
        told.append(wakeup.value)
        came.set()

    async def after(*lines):
        came.clear()
        for line in lines:
            ip(line)
        async with asyncio.timeout(60):
            await came.wait()

    hosts, missed = route_to("voice.example"), asyncio.Event()

    def address():
        found = own_address(hosts)
        if not found:
            missed.set()
        return found

    watch = WakeupWatch(tell, address=address, every_s=0.05)
    watch.start()
    before = own_address(hosts)
    ip("link add net0 type veth peer name net1")
    ip("link set net1 up")
    await after("link set net0 up", "addr add 10.9.9.2/24 dev net0", "route add default via 10.9.9.1")
    missed.clear()
    ip("link set net0 down")
    await missed.wait()
    down = own_address(hosts)
    await after("link set net0 up", "route add default via 10.9.9.1")
    await after("addr add 10.7.7.2/24 dev net0", "route replace default via 10.7.7.1")
    await watch.stop()
    print(json.dumps([before, down, told]))

asyncio.run(main())
"""


def may_make_networks() -> bool:
    """Say whether this test may have a network of its own (root, or a kernel that lets it)."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    make = ["unshare", "-n", "ip", "link", "add", "net0", "type", "veth", "peer", "name", "net1"]
    return subprocess.run(make, check=False, capture_output=True, timeout=20).returncode == 0


def test_a_real_network_that_comes_goes_and_changes() -> None:
    if not may_make_networks():
        pytest.skip("needs the right to make a network namespace")
    command = ["unshare", "-n", sys.executable, "-c", IN_NAMESPACE]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert done.stderr == ""
    before, down, told = json.loads(done.stdout)
    assert (before, down) == ("", "")
    assert told == ["network up", "network up", "network changed"]
