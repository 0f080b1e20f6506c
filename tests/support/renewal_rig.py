"""Runs one renewal test: the local server with its numbered partner here, the app in a process of its own."""

import asyncio
import contextlib
import json
import os
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from novadesk.protocol.limits import Limits
from novadesk.server.runner import LocalServer, ServerAddress, ServerOptions
from tests.support.renewal_partner import NumberedPartner, SessionLog
from tests.support.renewal_person import Manner
from tests.support.renewal_runqueue import RunQueue

_POLL_S = 0.01
_START_AND_END_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run.

    Attributes:
        limit_s: life of a wire session as the app knows it.
        grace_s: so much longer the server lets it live: the 15 s that renewal keeps in reserve of 8 minutes, which is
            how long a computer may stand still. Their share of a short life would be a tenth of a second.
        expiry_s: life of the keys that the app gets, or None for keys that stay.
        disturb: meddles with the server while the run lasts.
    """

    name: str
    manner: Manner
    duration_s: float
    limit_s: float = 3.3
    grace_s: float = 15.0
    expiry_s: float | None = None
    seed: int = 1
    utterance_frames: tuple[int, int] = (12, 40)
    typed_share: float = 0.15
    disturb: "Callable[[Run], Awaitable[None]] | None" = None


@dataclass(slots=True, kw_only=True)
class Stored:
    """A turn on disk."""

    id: str
    role: str
    text: str
    interrupted: bool
    unconfirmed: bool
    wire_session: str


@dataclass(slots=True, kw_only=True)
class Run:
    """What a run left behind.

    Attributes:
        rows: the app's log, in order.
        most_open: most wire sessions open at once.
        strikes: times at which a disturbance began, and ended.
        starved: (begin, end, seconds) of the times in which the server's thread waited for a processor.
    """

    plan: Plan
    server: LocalServer
    partner: NumberedPartner
    rows: list[dict[str, Any]] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    remote: list[tuple[str, str]] = field(default_factory=list)
    most_open: int = 0
    strikes: list[tuple[float, float]] = field(default_factory=list)
    starved: list[tuple[float, float, float]] = field(default_factory=list)
    exit_code: int | None = None
    app_log: str = ""

    def of(self, type: str) -> list[dict[str, Any]]:
        """Return the log rows of a type."""
        return [row for row in self.rows if row["type"] == type]

    @property
    def sessions(self) -> list[SessionLog]:
        """Return the wire sessions, in order."""
        return self.partner.sessions


async def run_all(plans: Mapping[Plan, Path]) -> list[Run]:
    """Run several apps side by side, each against its own server below its own folder; return once all have left."""
    runs = [_make(plan, folder) for plan, folder in plans.items()]
    async with _watching(runs), asyncio.TaskGroup() as group:
        for made, folder in zip(runs, plans.values(), strict=True):
            group.create_task(_run(made, folder))
    return runs


def _make(plan: Plan, folder: Path) -> Run:
    os.makedirs(folder)
    partner = NumberedPartner(hasty=plan.manner is Manner.HOLD)
    limits = Limits(connection_s=plan.limit_s + plan.grace_s)
    server = LocalServer(ServerOptions(folder=folder / "server", limits=limits), partner)
    return Run(plan=plan, server=server, partner=partner)


async def _run(made: Run, folder: Path) -> None:
    address = await made.server.start()
    try:
        async with _disturbing(made):
            await _hold(made, folder, address)
    finally:
        await made.server.stop()
    _collect(made, folder)


def _collect(made: Run, folder: Path) -> None:
    logs = sorted((folder / "home" / "state").glob("novadesk.log*"), reverse=True)  # the oldest has the highest number
    made.app_log = "".join(log.read_text() for log in logs)
    made.rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    made.stored = stored_turns(folder / "home" / "data" / "novadesk.db")
    made.remote = remote_steps(folder / "server" / "sessions.db")
    (folder / "sessions.json").write_text(json.dumps([asdict(log) for log in made.sessions]))


async def _hold(made: Run, folder: Path, address: ServerAddress) -> None:
    plan = made.plan
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "home": str(folder / "home"),
                "log": str(folder / "log.jsonl"),
                "manner": plan.manner.value,
                "seed": plan.seed,
                "utterance_frames": plan.utterance_frames,
                "typed_share": plan.typed_share,
                "duration_s": plan.duration_s,
                "limit_s": plan.limit_s,
                "region": address.region,
                "bedrock": address.bedrock,
                "agent_runtime": address.agent_runtime,
            }
        )
    )
    with (folder / "stderr.txt").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.renewal_host", str(config)),
            stdout=errors,
            stderr=errors,
            env=_environment(plan, folder, address),
        )
        try:
            async with asyncio.timeout(plan.duration_s + _START_AND_END_S):
                made.exit_code = await process.wait()
        finally:
            if made.exit_code is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
    if made.exit_code:
        raise AssertionError(f"{plan.name}: the app left with {made.exit_code}\n{(folder / 'stderr.txt').read_text()}")


def _environment(plan: Plan, folder: Path, address: ServerAddress) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {"NOVADESK_HOME": str(folder / "home"), "OPENBLAS_NUM_THREADS": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    if plan.expiry_s is None:
        env |= {"AWS_ACCESS_KEY_ID": address.access_key_id, "AWS_SECRET_ACCESS_KEY": address.secret_access_key}
        return env | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    source = folder / "keys.sh"
    source.write_text(
        "#!/bin/sh\n"
        f'until=$(date -u -d "+{plan.expiry_s:g} seconds" +%Y-%m-%dT%H:%M:%SZ)\n'
        f'printf \'{{"Version":1,"AccessKeyId":"{address.access_key_id}",'
        f'"SecretAccessKey":"{address.secret_access_key}","Expiration":"%s"}}\' "$until"\n'
    )
    source.chmod(source.stat().st_mode | stat.S_IXUSR)
    config = folder / "aws.ini"
    config.write_text(f"[default]\ncredential_process = {source}\n")
    return env | {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@contextlib.asynccontextmanager
async def _watching(runs: Sequence[Run]) -> AsyncIterator[None]:
    async def watch() -> None:
        queue = RunQueue()
        while True:
            starved = queue.look()
            for made in runs:
                made.most_open = max(made.most_open, made.server.open_sessions)
                if starved is not None:
                    made.starved.append(starved)
            await asyncio.sleep(_POLL_S)

    async with _beside(watch()):
        yield


@contextlib.asynccontextmanager
async def _disturbing(made: Run) -> AsyncIterator[None]:
    async def disturb() -> None:
        if made.plan.disturb is not None:
            await made.plan.disturb(made)

    async with _beside(disturb()):
        yield


@contextlib.asynccontextmanager
async def _beside(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended


def stored_turns(file: Path) -> list[Stored]:
    """Return every turn on disk, in order."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = db.execute(
            "SELECT turn_id, role, text, interrupted, unconfirmed, wire_session FROM turn "
            "ORDER BY conversation, position"
        )
        return [
            Stored(id=i, role=role, text=text, interrupted=bool(cut), unconfirmed=bool(u), wire_session=wire)
            for i, role, text, cut, u, wire in rows
        ]


def remote_steps(file: Path) -> list[tuple[str, str]]:
    """Return (turn id, text) of everything that the remote store holds, in order of its own time.

    A turn of which more was confirmed later has a second step: the newest counts, at the place of the first.
    """
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT id, payload FROM step ORDER BY time, number").fetchall()
    turns: dict[str, str] = {}
    for step_id, payload in rows:
        turn = _turn(json.loads(payload))
        turns[str(turn.get("turn_id", step_id))] = str(turn.get("text", ""))
    return list(turns.items())


def _turn(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON in a step's one text block."""
    try:
        return dict(json.loads(payload["contentBlocks"][0]["text"]))
    except (ValueError, KeyError, IndexError, TypeError):
        return {}
