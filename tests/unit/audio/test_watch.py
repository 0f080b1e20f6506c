import asyncio
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.audio.devices import Direction
from novadesk.audio.serverview import (
    UNWATCHED,
    Move,
    ServerDevice,
    ServerStream,
    ServerView,
    move_line,
    move_of,
    view_line,
    view_of,
)
from novadesk.audio.watch import DeviceWatch

WAYS = st.sampled_from(Direction)
VIEW = st.builds(
    ServerView,
    devices=st.lists(
        st.builds(
            ServerDevice, direction=WAYS, name=st.text(), title=st.text(), monitor=st.booleans(), muted=st.booleans()
        ),
        max_size=4,
    ).map(tuple),
    streams=st.lists(
        st.builds(ServerStream, direction=WAYS, pid=st.integers(0, 2**31), device=st.text()), max_size=4
    ).map(tuple),
    microphone=st.text(),
    speaker=st.text(),
)


@given(st.none() | VIEW)
def test_a_view_goes_through_a_line(view: ServerView | None) -> None:
    line = view_line(view)
    assert line.count(b"\n") == 1
    assert view_of(line) == view


@given(WAYS, st.integers(0, 2**31), st.text())
def test_a_move_goes_through_a_line(way: Direction, pid: int, device: str) -> None:
    move = Move(direction=way, pid=pid, device=device)
    assert move_of(move_line(move)) == move


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"7\n", b'{"devices": [], "streams": [], "defaults": [1]}\n', b"x"])
def test_what_is_no_view_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json and we say it in many ways
        view_of(line)
    with pytest.raises(ValueError):  # noqa: PT011 - json and we say it in many ways
        move_of(line)


def talker(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


class Eye:
    def __init__(self) -> None:
        self.views: list[ServerView | None] = []
        self.seen = asyncio.Event()

    def on_view(self, view: ServerView | None) -> None:
        self.views.append(view)
        self.seen.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.views) < count:
                self.seen.clear()
                await self.seen.wait()


async def test_views_are_handed_on_and_moves_reach_the_process() -> None:
    eye = Eye()
    echo = (
        "import sys, json\n"
        "from novadesk.audio.serverview import *\n"
        "sys.stdout.buffer.write(view_line(ServerView(microphone='first'))); sys.stdout.flush()\n"
        "move = move_of(sys.stdin.buffer.readline())\n"
        "sys.stdout.buffer.write(view_line(ServerView(microphone=move.device))); sys.stdout.flush()\n"
        "sys.stdin.read()"
    )
    watch = DeviceWatch(talker(echo), eye.on_view)
    watch.start()
    await eye.until(1)
    watch.move(Move(direction=Direction.MICROPHONE, pid=1, device="moved"))
    await eye.until(2)
    await watch.close()
    assert [view.microphone if view else None for view in eye.views] == ["first", "moved"]


async def test_a_process_that_dies_is_started_again_and_nothing_is_known_meanwhile() -> None:
    eye = Eye()
    program = (
        "from novadesk.audio.serverview import *; print(view_line(ServerView()).decode(), end=''); raise SystemExit(9)"
    )
    watch = DeviceWatch(talker(program), eye.on_view)
    watch.start()
    await eye.until(3)
    await watch.close()
    assert eye.views[:3] == [ServerView(), None, ServerView()]


async def test_where_nothing_can_be_watched_nobody_tries_again() -> None:
    eye = Eye()
    watch = DeviceWatch(talker(f"raise SystemExit({UNWATCHED})"), eye.on_view)
    watch.start()
    async with asyncio.timeout(60):
        await watch.useless.wait()
    await watch.close()
    assert eye.views == []
