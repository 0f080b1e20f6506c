"""Kills of the app at random moments, and what every such story needs; each tells what it found wrong."""

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from novadesk.protocol.limits import Limits
from novadesk.server.runner import LocalServer, ServerOptions
from tests.support.kill_partner import PromptPartner
from tests.support.kill_record import Row, check_history, check_record, check_remote, on_disk
from tests.support.kill_rig import App, Zygote, environment, make_tone, zygote

LIMIT_S = 3.0
"""Life of a wire session as the app knows it; its renewal begins after 2.25 s."""

GRACE_S = 1.5
"""So much longer the server lets it live: a short life has no reserve for a busy computer."""

APP_MOMENTS: dict[str, float] = {
    "program start": 2.0,
    "start": 0.3,
    "connecting": 0.08,
    "ready": 0.1,
    "listening": 0.4,
    "thinking": 0.12,
    "speaking": 0.35,
    "saving": 0.003,
    "syncing": 0.012,
    "renewing": 0.25,
}
"""After what a kill comes, and how much later at most, in seconds."""

_HITS = {"program start": "start"}


@dataclass(slots=True, kw_only=True)
class Report:
    """What a story found.

    Attributes:
        landed: how many kills hit what.
        wrong: sentences, each with the number of its kill.
    """

    what: str
    seed: int
    kills: int = 0
    took_s: float = 0.0
    landed: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        where = ", ".join(f"{name} {count}" for name, count in sorted(self.landed.items()))
        return f"{self.kills} kills of the {self.what} in {self.took_s:.0f} s (seed {self.seed}): {where}"


def activity(lines: list[dict[str, Any]], *, two_sessions: bool) -> str:
    """Return what the app was at when its lines ended: what is rare comes before the phase."""
    kinds = Counter(line["type"] for line in lines)
    if not kinds["started"]:
        return "start"
    if kinds["saving"] > kinds["saving over"]:
        return "saving"
    phase = next((line["phase"] for line in reversed(lines) if line["type"] == "phase"), "start")
    if two_sessions or lines[-1]["type"] == "renewing" or phase in ("renewing", "reconnecting"):
        return "renewing"
    if kinds["syncing"] > kinds["syncing over"]:
        return "syncing"
    return phase


def moments(
    kills: int, of: Mapping[str, float], landed: Counter[str], dice: random.Random
) -> Iterator[tuple[str, float]]:
    """Give one moment after another with its delay in seconds: all kinds about equally often, in random order.

    The last quarter, and as many more as it takes within bounds, go to what was not hit yet.
    """
    names = (list(of) * (kills // len(of) + 1))[:kills]
    dice.shuffle(names)
    for number in range(2 * kills):
        missed = [name for name in of if not landed[_HITS.get(name, name)]]
        if number >= kills and not missed:
            return
        aimed = missed and number >= kills * 3 // 4
        name = dice.choice(missed) if aimed else names[number % kills]
        yield name, dice.uniform(0.0, of[name])


def not_hit(of: Mapping[str, float], landed: Counter[str]) -> list[str]:
    """Return a sentence for each kind of moment that no kill hit."""
    return [f"no kill hit {name!r}" for name in of if not landed[_HITS.get(name, name)]]


class Conversation:
    """Asks typed and spoken questions, each once, and remembers what was asked and shown."""

    def __init__(self, dice: random.Random) -> None:
        self.asked: list[str] = []
        self.shown: dict[str, str] = {}
        self._dice = dice
        self._number = 0

    async def exchange(self, app: App, *, spoken: bool) -> bool:
        """Ask and wait for the stored answer; return False when the app died over it."""
        if spoken:
            known = _spoken_answers(app)
            if await app.ask("talk", what="start") is None:
                return False
            await asyncio.sleep(self._dice.uniform(0.15, 0.4))
            if await app.ask("talk", what="stop") is None:
                return False
            return await app.until(lambda _: _spoken_answers(app) > known and app.phase == "ready", "the reply")
        self._number += 1
        question, answer = f"question {self._number}", f"answer {self._number}"
        if await app.ask("say", text=question) is None:
            return False
        self.asked.append(question)
        return await app.until(lambda _: _answered(app, question, answer) and app.phase == "ready", f"{answer!r}")

    def note_shown(self, app: App) -> None:
        """Remember what the app has shown as final."""
        self.shown |= {line["id"]: line["text"] for line in app.lines if line["type"] == "turn"}


def _answered(app: App, question: str, answer: str) -> bool:
    """Return whether there is an answer after the question; of one that was cut off, what was heard of it."""
    turns = [line["text"] for line in app.lines if line["type"] == "turn"]
    return question in turns and any(answer.startswith(text) for text in turns[turns.index(question) + 1 :])


def _spoken_answers(app: App) -> int:
    return len({line["id"] for line in app.lines if line["type"] == "turn" and line["text"].startswith("reply ")})


class AppStory:
    """Kills the app again and again; every next start has to find everything."""

    def __init__(self, folder: Path, kills: int, seed: int) -> None:
        self.report = Report(what="app", seed=seed)
        self._home, self._kills, self._dice = folder / "home", kills, random.Random(seed)
        self._file = self._home / "data" / "novadesk.db"
        self._server_folder = self._home / "data" / "practice"
        self._talk = Conversation(self._dice)
        self._partner = PromptPartner()
        self._rows: list[Row] = []
        self._wav = make_tone(folder / "tone.wav")
        self._handle: str | None = None

    async def run(self) -> Report:
        """Tell the story."""
        began = time.monotonic()
        async with serving(self._server_folder, self._partner) as server, zygote(environment(self._home)) as mother:
            for moment, delay_s in moments(self._kills, APP_MOMENTS, self.report.landed, self._dice):
                await self._kill_once(moment, delay_s, server, mother)
                self.report.kills += 1
            await self._end_well(mother)
        self.report.turns = len(self._rows)
        self.report.took_s = time.monotonic() - began
        return self.report

    def _config(self, arm: list[Any] | None) -> dict[str, Any]:
        return {
            "home": str(self._home),
            "sound": "file",
            "wav": str(self._wav),
            "own_server": False,
            "limit_s": LIMIT_S,
            "server_limit_s": LIMIT_S + GRACE_S,
            "arm": arm,
        }

    async def _kill_once(self, moment: str, delay_s: float, server: LocalServer, mother: Zygote) -> None:
        talks = len(self._partner.talks)
        if moment == "program start":
            app = await App.execute(self._config(None), environment(self._home))
            await asyncio.sleep(delay_s)
            app.kill()
        else:
            passes = self._dice.randrange(4) if moment in ("saving", "syncing") else 0
            app = await App.fork(self._config([moment, passes, delay_s]), mother)
            try:
                await self._talk_until_dead(app, moment)
            finally:
                app.kill()
        two_sessions = server.open_sessions > 1
        await app.gone()
        self.report.landed[activity(app.lines, two_sessions=two_sessions)] += 1
        self._check(app, talks, f"kill {self.report.kills + 1} ({moment} + {delay_s * 1000:.1f} ms)")

    async def _talk_until_dead(self, app: App, moment: str) -> None:
        if not await app.until(lambda _: app.phase == "ready", f"ready, before {moment}"):
            return
        spoken = moment == "listening" or self._dice.random() < 0.3
        began = time.monotonic()
        while await self._talk.exchange(app, spoken=spoken):
            spoken = self._dice.random() < 0.3
            assert time.monotonic() - began < 60, f"never came to {moment}: {app.lines[-8:]}"

    def _check(self, app: App, talks: int, name: str) -> None:
        before, self._rows = self._rows, on_disk(self._file)
        wrong = self._check_start(app, before, talks)
        self._talk.note_shown(app)
        wrong += check_record(self._rows, self._talk.shown, self._talk.asked)
        self._talk.asked = [question for question in self._talk.asked if question in {row.text for row in self._rows}]
        self.report.wrong += [f"{name}: {sentence}" for sentence in wrong]

    def _check_start(self, app: App, before: list[Row], talks: int) -> list[str]:
        """Check that a life of the app began with everything that was on disk before it."""
        started = next((line for line in app.lines if line["type"] == "started"), None)
        if started is None:
            return []
        wrong = []
        if started["recovered"] != len(before):
            wrong.append(f"{started['recovered']} turns were recovered, {len(before)} were on disk")
        if before and self._handle is not None and started["handle"] != self._handle:
            wrong.append("another conversation was opened")
        self._handle = started["handle"]
        if len(self._partner.talks) > talks:
            wrong += check_history(self._partner.talks[talks].history, before)
        return wrong

    async def _end_well(self, mother: Zygote) -> None:
        talks = len(self._partner.talks)
        app = await App.fork(self._config(None), mother)
        wrong = [] if await app.until(lambda _: app.phase == "ready", "ready at last") else ["it died by itself"]
        if not await self._talk.exchange(app, spoken=False):
            wrong.append("the last question was not answered")
        wrong += await leave(app)
        self._check(app, talks, "the last life")
        wrong += check_remote(self._server_folder / "sessions.db", self._rows)
        self.report.wrong += [f"at last: {sentence}" for sentence in wrong]


@contextlib.asynccontextmanager
async def serving(folder: Path, partner: PromptPartner) -> AsyncIterator[LocalServer]:
    """Run the local server where the app looks for it."""
    os.makedirs(folder, exist_ok=True)
    server = LocalServer(ServerOptions(folder=folder, limits=Limits(connection_s=LIMIT_S + GRACE_S)), partner)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def leave(app: App) -> list[str]:
    """Wait until everything is delivered, then let the app quit; return what went wrong."""
    wrong = []
    until = time.monotonic() + 60
    while True:
        status = await app.ask("status")
        if status is None or status["pending_sync"] == 0:
            break
        if time.monotonic() > until:
            wrong.append(f"{status['pending_sync']} turns were not delivered")
            break
        await asyncio.sleep(0.05)
    await app.ask("quit")
    await app.gone()
    if app.lines[-1]["type"] != "left":
        wrong.append(f"it did not leave in order: {app.lines[-1]}")
    return wrong
