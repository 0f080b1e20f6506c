"""The race of addresses: the first connection wins, every other one is cut, whenever the dialler is called off."""

import asyncio
import errno
from typing import Any, cast

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.transport import dial
from novadesk.transport.dial import Wire
from tests.support.virtual_loop import run_virtually

LATE_S = 1.0


class Transport:
    """The part of a connection that tells whether it was cut."""

    def __init__(self) -> None:
        self.open = True

    def abort(self) -> None:
        self.open = False


class Addresses:
    """Opens each address after its own time; one that is called off comes about all the same, `LATE_S` later."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **after_s: float) -> None:
        self.transports: dict[str, Transport] = {}
        self._after_s = after_s
        monkeypatch.setattr(dial, "_open", self._open)

    async def race(self) -> Wire:
        return await dial._race("host", self._after_s, 443)

    def open_ones(self) -> list[str]:
        return [address for address, transport in self.transports.items() if transport.open]

    async def _open(self, address: str, port: int) -> Wire:
        try:
            await asyncio.sleep(abs(self._after_s[address]))
        except asyncio.CancelledError:
            await asyncio.sleep(LATE_S)
        if self._after_s[address] < 0:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        transport = self.transports[address] = Transport()
        writer = type("Writer", (), {"transport": transport})()
        return Wire(asyncio.StreamReader(), cast(Any, writer))


def test_the_first_wins_and_the_others_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        addresses = Addresses(monkeypatch, refused=-0.1, slow=5.0, fast=0.1)
        won = await addresses.race()
        assert won.writer.transport is addresses.transports["fast"]
        assert set(addresses.transports) == {"slow", "fast"}
        assert addresses.open_ones() == ["fast"]

    run_virtually(work())


@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.5, 0.7, 1.2])
def test_whenever_it_is_called_off_no_connection_stays_open(monkeypatch: pytest.MonkeyPatch, after_s: float) -> None:
    async def work() -> None:
        addresses = Addresses(monkeypatch, slow=5.0, slower=5.0, fast=0.1)
        race = asyncio.create_task(addresses.race())
        await asyncio.sleep(after_s)
        race.cancel()
        with pytest.raises(asyncio.CancelledError):
            await race
        await asyncio.sleep(LATE_S + 0.1)
        assert addresses.open_ones() == []

    run_virtually(work())


def test_who_refuses_last_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        with pytest.raises(KnownError) as caught:
            await Addresses(monkeypatch, one=-0.1, two=-0.1).race()
        assert caught.value.reason is Reason.UNREACHABLE

    run_virtually(work())
