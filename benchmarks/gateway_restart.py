"""A rolling restart under live conversations: every gateway is replaced; which turns are lost, how long is silence.

Everybody asks one question after the other while microphone frames flow. A question that was not accepted before its
gateway went is asked the next one again, as a client does.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
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
from novadesk.server.gateway.state_sqlite import SqliteSessions
from tests.support.gateway_host import Client

_BEFORE_S, _AFTER_S, _PACE_S = 3.0, 3.0, 0.6
_PATIENCE_S = 15.0
_MOST_TURNS = 10_000


@dataclass(slots=True)
class Stage:
    """Where clients are sent to, and whether they go on asking."""

    url: str
    over: bool = False
    moves: int = 0
    gaps_s: list[float] = field(default_factory=list)


def measure(sheet: Sheet, _: argparse.Namespace) -> None:
    """Put down the gaps, and what is in the store afterwards."""
    with tempfile.TemporaryDirectory() as folder, hosted("upstream", Path(folder), BESIDE):
        _restart(sheet, Path(folder), 8, "8 over the true wire", scripted=False)
    with tempfile.TemporaryDirectory() as folder:
        _restart(sheet, Path(folder), 50, "50, scripted voice service", scripted=True)


def _restart(sheet: Sheet, folder: Path, people: int, name: str, *, scripted: bool) -> None:
    with ExitStack() as running:

        def start() -> Hosted:
            return running.enter_context(hosted("gateway", folder, scripted=scripted))

        stage, wrong, turns = asyncio.run(_story(folder, people, start))
    found = ", ".join(f"{wrong[what]} {what}" for what in ("lost", "doubled", "displaced"))
    sheet.note(f"{name}: {turns} turns, {found}, {stage.moves} moves to another process")
    sheet.row(f"{name}: turns lost, doubled or displaced", wrong.total(), 0, unit="", rule=Rule.AT_MOST)
    sheet.row(f"{name}: moves without sound afterwards", stage.moves - len(stage.gaps_s), 0, unit="", rule=Rule.AT_MOST)
    gaps = sorted(stage.gaps_s) or [float("inf")]
    sheet.row(f"{name}: no sound for, median", 1e3 * statistics.median(gaps), worst_ms=1e3 * gaps[-1])


async def _story(folder: Path, people: int, start: Callable[[], Hosted]) -> tuple[Stage, Counter[str], int]:
    shown = tokens(folder, people)
    one, two = start(), start()
    stage = Stage(one.url)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        asking = [asyncio.create_task(_Person(http, stage, token).talk()) for token in shown]
        await asyncio.sleep(_BEFORE_S)
        for old, new in ((one, two), (two, None)):
            new = new or await asyncio.to_thread(start)
            stage.url = new.url
            old.tell_to_stop()
            await asyncio.to_thread(old.ended)
            await asyncio.sleep(_AFTER_S)
        stage.over = True
        async with asyncio.timeout(60):
            asked = await asyncio.gather(*asking)
    wrong, turns = await _check(folder, asked)
    return stage, wrong, turns


async def _check(folder: Path, asked: list[tuple[str, int]]) -> tuple[Counter[str], int]:
    """Return how many turns are not where they belong, by what is wrong, and how many there are."""
    store = SqliteSessions(find_folders(home=str(folder)).gateway / "sessions.db")
    wrong: Counter[str] = Counter()
    turns = 0
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
            wrong.update(lost=missing.total(), doubled=more.total(), displaced=displaced)
            turns += len(kept)
    finally:
        await store.close()
    return wrong, turns


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
        while not self._stage.over:
            while not await self._ask(client, number):
                old, client = client, await self._connect()
                await client.resume(created, last_sequence=self._newest)
                await old.close()
                self._listen(old, left=True)  # make before break: it may have said until the end what it has taken
                self._stage.moves += 1
            number += 1
        await client.close()  # the session stays in the store, to be looked at
        return created.session_id, number

    async def _connect(self) -> Client:
        while True:
            with suppress(aiohttp.ClientError):
                return Client(await self._http.ws_connect(self._stage.url, headers=self._headers))
            await asyncio.sleep(0.02)

    async def _ask(self, client: Client, number: int) -> bool:
        """Ask a question until its answer is written; return False when the gateway sends one elsewhere."""
        text = _question(number)
        if str(number) not in self._accepted:
            with suppress(aiohttp.ClientError):
                await client.say(said.TextInput(request_id=str(number), text=text))
        asked_at = time.monotonic()
        while answer_to(text) not in self._answered or time.monotonic() < asked_at + _PACE_S:
            if time.monotonic() > asked_at + _PATIENCE_S:
                break  # an answer that is missing is found out in the store
            if client.socket.closed or client.all(told.ConnectionRefreshRequired):
                self._listen(client)
                self._since = self._since or self._sound_at or time.monotonic()
                return False
            self._frames += 1
            with suppress(aiohttp.ClientError):
                client.sequence = self._frames - 1
                await client.speak()
            await asyncio.sleep(FRAME_S)
            self._listen(client)
        return True

    def _listen(self, client: Client, *, left: bool = False) -> None:
        """Take what has come; the sound of one that was `left` is not heard through the next one."""
        news, client.told = client.told, [one for one in client.told if isinstance(one, told.ConnectionRefreshRequired)]
        for message in news:
            if isinstance(message, bytes):
                self._newest = max(self._newest, int.from_bytes(message[:4], "big"))
                if not left:
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
            self._stage.gaps_s.append(now - self._since)
            self._since = None
        self._sound_at = now
