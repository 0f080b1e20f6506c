"""Gateways that go under live conversations, told to or killed: which turns are lost, how long is silence.

Everybody writes one question after the other while microphone frames flow. A question that was not accepted before its
gateway went is asked the next one again, as a client does.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp

from benchmarks.gateway_echo import answer_to
from benchmarks.gateway_load import FRAME_S
from benchmarks.gateway_processes import BESIDE, Hosted, hosted, tokens
from benchmarks.sheet import Rule, Sheet
from novadesk.models import Role
from novadesk.paths import find_folders
from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope import pack_audio
from novadesk.server.gateway.state_sqlite import SqliteSessions
from tests.support.gateway_host import Client

_BEFORE_S, _AFTER_S, _PACE_S = 3.0, 3.0, 0.6
_PATIENCE_S = 15.0
_MOST_TURNS = 10_000
_SILENCE = bytes(1_024)
_CROWDS = ((8, "8 over the true wire", False), (50, "50, scripted voice service", True))
_ENDS = (("", Hosted.tell_to_stop), (", killed", Hosted.kill))


@dataclass(slots=True)
class Count:
    """What was found, in all rounds together."""

    turns: int = 0
    moves: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    gaps_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Stage:
    """Where clients are sent to, and whether they go on asking."""

    url: str
    count: Count
    over: bool = False


def measure(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Put down the gaps, and what is in the store afterwards."""
    for (people, name, scripted), (way, end) in itertools.product(_CROWDS, _ENDS):
        count = Count()
        for _ in range(chosen.rounds):
            with ExitStack() as running:
                folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
                if not scripted:
                    running.enter_context(hosted("upstream", folder, BESIDE))
                start = partial(_start, running, folder, scripted)
                asyncio.run(_story(folder, people, start, end, count))
        _put_down(sheet, f"{name}{way}", count, chosen.rounds)


def _start(running: ExitStack, folder: Path, scripted: bool) -> Hosted:
    return running.enter_context(hosted("gateway", folder, scripted=scripted))


def _put_down(sheet: Sheet, name: str, count: Count, rounds: int) -> None:
    found = ", ".join(f"{count.wrong[what]} {what}" for what in ("lost", "doubled", "displaced"))
    sheet.note(f"{name}, {rounds} times: {count.turns} turns, {found}; {count.moves} moves to another process")
    sheet.row(f"{name}: turns lost, doubled or displaced", count.wrong.total(), 0, unit="", rule=Rule.AT_MOST)
    sheet.row(f"{name}: moves without sound afterwards", count.moves - len(count.gaps_s), 0, unit="", rule=Rule.AT_MOST)
    gaps = sorted(count.gaps_s) or [float("inf")]
    sheet.row(f"{name}: no sound for, median", 1e3 * statistics.median(gaps), worst_ms=1e3 * gaps[-1])


async def _story(
    folder: Path, people: int, start: Callable[[], Hosted], end: Callable[[Hosted], None], count: Count
) -> None:
    shown = tokens(folder, people)
    one, two = start(), start()
    stage = Stage(one.url, count)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        asking = [asyncio.create_task(_Person(http, stage, token).talk()) for token in shown]
        await asyncio.sleep(_BEFORE_S)
        for old, new in ((one, two), (two, None)):
            new = new or await asyncio.to_thread(start)
            stage.url = new.url
            end(old)
            await asyncio.to_thread(old.ended)
            await asyncio.sleep(_AFTER_S)
        stage.over = True
        async with asyncio.timeout(60):
            asked = await asyncio.gather(*asking)
    await _check(folder, asked, count)


async def _check(folder: Path, asked: list[tuple[str, int]], count: Count) -> None:
    """Count the turns in the store, and those that are not where they belong."""
    store = SqliteSessions(find_folders(home=str(folder)).gateway / "sessions.db")
    try:
        for session_id, questions in asked:
            kept = [(turn.role, turn.text) for turn in await store.turns(session_id, after=-1, limit=_MOST_TURNS)]
            due = [
                turn
                for number in range(questions)
                for turn in ((Role.USER, _question(number)), (Role.ASSISTANT, answer_to(_question(number))))
            ]
            missing, more = Counter(due) - Counter(kept), Counter(kept) - Counter(due)
            displaced = not missing and not more and kept != due
            count.wrong.update(lost=missing.total(), doubled=more.total(), displaced=displaced)
            count.turns += len(kept)
    finally:
        await store.close()


def _question(number: int) -> str:
    return f"Question {number}."


class _Person:
    """Who asks.

    Args:
        http: makes connections.
        stage: says where to.
        token: of this person.
    """

    def __init__(self, http: aiohttp.ClientSession, stage: Stage, token: str) -> None:
        self._http, self._stage = http, stage
        self._headers = {"Authorization": f"Bearer {token}"}
        self._answered: set[str] = set()
        self._accepted: set[str] = set()
        self._newest = 0
        self._frames = 0
        self._sound_at = 0.0
        self._since: float | None = None

    async def talk(self) -> tuple[str, int]:
        """Ask until it is over; return the session's id and how many questions were asked."""
        client = await self._connect()
        created = await client.create(request_id="call")
        number = 0
        left: list[asyncio.Task[None]] = []
        while not self._stage.over:
            asked_at = time.monotonic()
            while not await self._ask(client, number, asked_at):
                old, client = client, await self._connect()
                await client.resume(created, last_sequence=self._newest)
                left.append(asyncio.create_task(old.close()))  # what it may still say is told again by the next one
                self._stage.count.moves += 1
            number += 1
        await asyncio.gather(client.close(), *left)  # the session stays in the store, to be looked at
        return created.session_id, number

    async def _connect(self) -> Client:
        while True:
            with suppress(aiohttp.ClientError):
                return Client(await self._http.ws_connect(self._stage.url, headers=self._headers))
            await asyncio.sleep(0.02)

    async def _ask(self, client: Client, number: int, asked_at: float) -> bool:
        """Ask a question until its answer is written; return False when the gateway sends one elsewhere.

        Args:
            client: connected.
            number: of the question.
            asked_at: when it was asked first; the next one comes `_PACE_S` later.
        """
        text = _question(number)
        if str(number) not in self._accepted:
            with suppress(aiohttp.ClientError):
                await client.say(said.TextInput(request_id=str(number), text=text))
        until = time.monotonic() + _PATIENCE_S
        while answer_to(text) not in self._answered or time.monotonic() < asked_at + _PACE_S:
            if time.monotonic() > until:
                break  # an answer that is missing is found out in the store
            if client.socket.closed or client.all(told.ConnectionRefreshRequired):
                self._listen(client)
                self._since = self._since or self._sound_at or time.monotonic()
                return False
            self._frames += 1
            with suppress(aiohttp.ClientError):
                await client.socket.send_bytes(pack_audio(self._frames, _SILENCE))
            await asyncio.sleep(FRAME_S)
            self._listen(client)
        return True

    def _listen(self, client: Client) -> None:
        """Take what has come."""
        news, client.told = client.told, [one for one in client.told if isinstance(one, told.ConnectionRefreshRequired)]
        for message in news:
            if isinstance(message, bytes):
                self._newest = max(self._newest, int.from_bytes(message[:4], "big"))
                self._hear()
            elif isinstance(message, told.Turn):
                self._answered.add(message.text)
            elif isinstance(message, told.TextAccepted):
                self._accepted.add(str(message.request_id))
            if not isinstance(message, bytes | told.AudioAck):
                self._newest = max(self._newest, getattr(message, "sequence", 0) or 0)

    def _hear(self) -> None:
        now = time.monotonic()
        if self._since is not None:
            self._stage.count.gaps_s.append(now - self._since)
            self._since = None
        self._sound_at = now
