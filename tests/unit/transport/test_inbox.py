import asyncio

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.protocol.link import Accepted, Arrived, Closed
from novadesk.transport.inbox import Inbox

LOST = Closed(KnownError(Reason.LINK_LOST, "Lost.", "Again."))


async def test_messages_come_in_order_and_the_end_comes_again_and_again() -> None:
    inbox = Inbox()
    await inbox.put(Accepted())
    await inbox.put(Arrived(b"1"))
    inbox.close(LOST)
    inbox.close(Closed(None))
    await inbox.put(Arrived(b"late"))
    assert [await inbox.get() for _ in range(4)] == [Accepted(), Arrived(b"1"), LOST, LOST]


async def test_a_full_inbox_holds_the_writer_until_there_is_room() -> None:
    inbox = Inbox(most_bytes=10)
    await inbox.put(Arrived(bytes(10)))
    waiting = asyncio.create_task(inbox.put(Arrived(b"next")))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await inbox.get() == Arrived(bytes(10))
    await waiting
    assert await inbox.get() == Arrived(b"next")


async def test_the_end_frees_a_writer_that_waits() -> None:
    inbox = Inbox(most_bytes=1)
    await inbox.put(Arrived(b"x"))
    waiting = asyncio.create_task(inbox.put(Arrived(b"y")))
    await asyncio.sleep(0)
    inbox.close(LOST, at_once=True)
    await waiting
    assert await inbox.get() == LOST


async def test_a_reader_that_gives_up_takes_nothing_along() -> None:
    inbox = Inbox()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await inbox.put(Arrived(b"1"))
    assert await inbox.get() == Arrived(b"1")
