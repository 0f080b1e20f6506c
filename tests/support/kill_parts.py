"""Kills of the engine and of the local server, beside a running app, at random moments."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from tests.support.kill_partner import PromptPartner
from tests.support.kill_record import check_record, check_remote, on_disk
from tests.support.kill_rig import App, Zygote, environment, make_tone, zygote
from tests.support.kill_stories import (
    GRACE_S,
    LIMIT_S,
    Conversation,
    Report,
    activity,
    leave,
    moments,
    serving,
)

PART_MOMENTS: dict[str, float] = {
    "coming back": 0.6,
    "ready": 0.1,
    "listening": 0.3,
    "thinking": 0.12,
    "speaking": 0.35,
    "saving": 0.003,
    "syncing": 0.012,
    "renewing": 0.25,
}

_IN_FLIGHT_S = 1.5
_NOTICED_S = 0.1


class Part(Enum):
    """What is killed beside the app: a word of its process's command."""

    ENGINE = "engine"
    SERVER = "tests.support.kill_server"


_LANES = {Part.ENGINE: 4, Part.SERVER: 2}


async def kill_part(
    part: Part, folder: Path, kills: int, seed: int, env: Mapping[str, str] | None = None, *, lanes: int | None = None
) -> Report:
    """Kill a part of running apps again and again, some apps side by side: whoever dies too often rests in between.

    Args:
        part: what is killed.
        folder: every app gets a folder of its own below it.
        kills: of all apps together.
        seed: of all that is random.
        env: the private desktop's environment, for the engine.
        lanes: apps side by side; None for as many as the part's start is cheap.
    """
    lanes = lanes or _LANES[part]
    report = Report(what=part.name.lower(), seed=seed)
    began = time.monotonic()
    homes = [folder / f"lane{number}" for number in range(lanes)]
    async with zygote(environment(folder, env)) as mother, asyncio.TaskGroup() as group:
        for number, home in enumerate(homes):
            share = kills // lanes + (number < kills % lanes)
            story = _PartStory(part, home, share, random.Random(f"{seed} {number}"), report)
            group.create_task(story.run(mother))
    report.took_s = time.monotonic() - began
    return report


class _PartStory:
    def __init__(self, part: Part, folder: Path, kills: int, dice: random.Random, report: Report) -> None:
        os.makedirs(folder)
        self._part, self._home, self._kills, self._dice, self._report = part, folder / "home", kills, dice, report
        self._talk = Conversation(self._dice)
        self._wav = make_tone(folder / "tone.wav")
        self._partner = PromptPartner()

    async def run(self, mother: Zygote) -> None:
        """Tell the story."""
        report, folder = self._report, self._home / "data" / "practice"
        async with contextlib.AsyncExitStack() as stack:
            if self._part is Part.ENGINE:
                await stack.enter_async_context(serving(folder, self._partner))
            app = await App.fork(self._config(), mother)
            stack.callback(app.kill)
            await self._ready(app)
            for moment, delay_s in moments(self._kills, PART_MOMENTS, report.landed, self._dice):
                await self._kill_once(app, moment, delay_s)
                report.kills += 1
            report.wrong += [f"at last: {sentence}" for sentence in await leave(app)]
        rows = on_disk(self._home / "data" / "novadesk.db")
        self._talk.note_shown(app)
        wrong = check_record(rows, self._talk.shown, [*self._talk.asked, ""])
        wrong += check_remote(folder / "sessions.db", rows)
        report.wrong += [f"at last: {sentence}" for sentence in wrong]
        report.turns += len(rows)

    def _config(self) -> dict[str, Any]:
        return {
            "home": str(self._home),
            "sound": "engine" if self._part is Part.ENGINE else "file",
            "wav": str(self._wav),
            "own_server": self._part is Part.SERVER,
            "limit_s": LIMIT_S,
            "server_limit_s": LIMIT_S + GRACE_S,
            "arm": None,
        }

    async def _ready(self, app: App) -> None:
        alive = await app.until(lambda _: app.phase == "ready" and _microphone(app) == "gated", "ready")
        assert alive, f"the app died: {app.lines[-5:]}"

    async def _kill_once(self, app: App, moment: str, delay_s: float) -> None:
        name = f"kill {self._report.kills + 1} ({moment} + {delay_s * 1000:.1f} ms)"
        asking = asyncio.create_task(self._ask(app, moment), name="asking")
        try:
            await self._strike(app, moment, delay_s, len(app.lines))
            await asyncio.sleep(_NOTICED_S)
            await self._ready(app)
            await asyncio.wait({asking}, timeout=_IN_FLIGHT_S)  # the exchange in flight may be lost
            if not await self._talk.exchange(app, spoken=False):
                self._report.wrong.append(f"{name}: the app died")
        except AssertionError as error:  # the story goes on as a person would
            self._report.wrong.append(f"{name}: {error}")
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask(self, app: App, moment: str) -> None:
        """Do what brings the app to the moment."""
        if moment in ("thinking", "speaking", "saving", "syncing"):
            await self._talk.exchange(app, spoken=False)
        elif moment == "listening" and self._part is Part.SERVER:
            await self._talk.exchange(app, spoken=True)
        elif moment == "listening":
            await app.ask("talk", what="start")
            await asyncio.sleep(0.4)
            await app.ask("talk", what="stop")

    async def _strike(self, app: App, moment: str, delay_s: float, begin: int) -> None:
        if moment == "coming back":
            await self._hit(app)
            await asyncio.sleep(0.02)
            await self._child(app)
        elif moment == "renewing":
            await app.until(lambda lines: any(line["type"] == "renewing" for line in lines[begin:]), moment)
        elif moment != "ready":
            await app.until(
                lambda lines: any(moment in (line["type"], line.get("phase")) for line in lines[begin:]), moment
            )
        await asyncio.sleep(delay_s)
        await self._hit(app)
        hit = "coming back" if moment == "coming back" else activity(app.lines, two_sessions=False)
        self._report.landed[hit] += 1

    async def _child(self, app: App) -> int:
        """Return the part's process, once there is one."""
        until = time.monotonic() + 60
        while (pid := app.child(self._part.value)) is None:
            assert time.monotonic() < until, f"there is no {self._part.name}"
            await asyncio.sleep(0.01)
        return pid

    async def _hit(self, app: App) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(await self._child(app), signal.SIGKILL)


def _microphone(app: App) -> str:
    return next((line["state"] for line in reversed(app.lines) if line["type"] == "microphone"), "absent")
