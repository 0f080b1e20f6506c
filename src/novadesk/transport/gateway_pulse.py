"""The pulse of a line to the gateway: tells what has arrived and was heard, and sees whether the gateway lives."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from novadesk.protocol.envelope_client import Ack, Heartbeat
from novadesk.protocol.envelope_values import Played
from novadesk.transport.gateway_talk import Talk

if TYPE_CHECKING:
    from novadesk.transport.gateway_socket import Channel

_log = logging.getLogger(__name__)

_HEARD = 8
"""Pieces of speech of which is still to be told how much was heard: without a connection there may be several."""


class Pulse:
    """Beats while `run` does.

    Args:
        talk: the session.
        channel: returns the connection that carries it, or None while there is none.
        unix_ms: the time.
        tick_s: pause between two acknowledgements.
        answer_s: longest wait for the answer to a heartbeat.
    """

    def __init__(
        self,
        talk: Talk,
        channel: Callable[[], "Channel | None"],
        *,
        unix_ms: Callable[[], int],
        tick_s: float,
        answer_s: float,
    ) -> None:
        self._talk, self._channel, self._unix_ms = talk, channel, unix_ms
        self._tick_s, self._answer_s = tick_s, answer_s
        self._beat_s = self._beat_due = 0.0
        self._heard: list[Played] = []
        self._hurry = asyncio.Event()

    def begin(self, heartbeat_s: int) -> None:
        """Show that we live every so many seconds from now on."""
        self._beat_s = float(heartbeat_s)
        self._beat_due = _now() + self._beat_s

    def heard(self, played: Played) -> None:
        """Tell the gateway how much was heard, at once where that is all."""
        if self._heard and self._heard[-1].content_id == played.content_id:
            del self._heard[-1]
        self._heard = [*self._heard, played][-_HEARD:]
        if played.last:
            self._hurry.set()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._tick_s):
                    await self._hurry.wait()
            self._hurry.clear()
            if (channel := self._channel()) is not None:
                await self._acknowledge(channel)
                await self._beat(channel)

    async def _acknowledge(self, channel: "Channel") -> None:
        heard, self._heard = self._heard, []
        for played in heard:
            await channel.send(Ack(sequence=self._talk.received.acknowledged(), played=played))
        if self._talk.received.owed:
            await channel.send(Ack(sequence=self._talk.received.acknowledged()))

    async def _beat(self, channel: "Channel") -> None:
        now = _now()
        if now - channel.heard_at > self._beat_s + self._answer_s:
            _log.info("the gateway has been silent for too long")
            await channel.close()
        elif now >= self._beat_due:
            self._beat_due = now + self._beat_s
            await channel.send(Heartbeat(timestamp=self._unix_ms()))


def _now() -> float:
    return asyncio.get_running_loop().time()
