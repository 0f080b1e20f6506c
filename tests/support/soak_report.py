"""What a soak found, kept as JSON from part to part, and told in markdown."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "soak"
SECTION = ROOT / "docs" / "reliability" / "20-soak.md"
_SHOWN = 20
_LONGEST = 300
_KILLS = ("app", "engine", "server")
_PARTS = ("renewals", *_KILLS, "isolation")


def keep(part: str, found: Mapping[str, Any]) -> None:
    """Write what a part found."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = [round(value, 1) for value in os.getloadavg()]
    row = {"ended": now, "load": load, "commit": _commit(), "scheduling": _scheduling(), **found}
    (FOLDER / f"{part}.json").write_text(json.dumps(row, indent=1))


def _scheduling() -> str:
    real_time = os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO)
    return "real-time priority" if real_time else "usual priority"


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def kept() -> dict[str, dict[str, Any]]:
    """Return what the parts found last."""
    files = {part: FOLDER / f"{part}.json" for part in _PARTS}
    return {part: json.loads(file.read_text()) for part, file in files.items() if file.exists()}


def section() -> str:
    """Return the section of docs/reliability.md."""
    found = kept()
    lines = [
        "## Soak: 30 minutes of renewals, 200 kills of each process",
        "",
        "Written by `make soak` (`scripts/soak.py`). Every number is one that the tests judged; under “Wrong” stands "
        "what they found.",
        "",
        f"Machine: {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}. The load averages (1, 5, 15 min) at the end of each part are part of the "
        "result.",
    ]
    if "renewals" in found:
        lines += ["", *_renewals(found["renewals"])]
    if kills := [found[part] for part in _KILLS if part in found]:
        lines += ["", *_kills(kills)]
    if "isolation" in found:
        lines += ["", *_isolation(found["isolation"])]
    return "\n".join(lines) + "\n"


def _renewals(found: Mapping[str, Any]) -> list[str]:
    return [
        "### Renewals",
        "",
        f"{_ended(found)} The conversations ran side by side for "
        f"{found['duration_s'] / 60:g} minutes, each core in a process of its own, with numbered microphone frames "
        "(32 ms) and numbered answers.",
        "",
        *_runs(found["runs"]),
    ]


def _isolation(found: Mapping[str, Any]) -> list[str]:
    return [
        "### Sound",
        "",
        f"{_ended(found)} Three apps ran side by side for "
        f"{found['duration_s'] / 60:g} minutes with real streams and a sound in which every sample has a number: one "
        "in peace, one that freezes for 2 s every 10 s, one whose devices are suspended, unplugged and lost with their "
        "sound server every 20 s. Wrong is what a recorder of the sound server's own, beside them, has not lost or "
        "repeated too.",
        "",
        *_runs(found["runs"]),
    ]


def _ended(found: Mapping[str, Any]) -> str:
    scheduled = f", at {found['scheduling']}" if "scheduling" in found else ""
    return f"Ended {found['ended']} on {found['commit']}; load {found['load']}{scheduled}."


def _runs(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for run in runs for name in run["figures"]))
    lines = ["| | " + " | ".join(str(run["name"]) for run in runs) + " |", "|---|" + "---|" * len(runs)]
    lines += [f"| {name} | " + " | ".join(str(run["figures"].get(name, "")) for run in runs) + " |" for name in names]
    return [*lines, "", *_wrong([f"{run['name']}: {line}" for run in runs for line in run["wrong"]])]


def _kills(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    moments = sorted({moment for part in parts for moment in part["landed"]})
    lines = [
        "### Kills (`kill -9` at random moments)",
        "",
        "A kill counts for what the app was at when it came.",
        "",
        "| | " + " | ".join(part["what"] for part in parts) + " |",
        "|---|" + "---|" * len(parts),
    ]
    rows = {
        name: [part.get(name, "") for part in parts]
        for name in ("ended", "commit", "load", "scheduling", "seed", "kills", "seconds", "turns")
    }
    rows |= {f"hit while {moment}": [part["landed"].get(moment, 0) for part in parts] for moment in moments}
    lines += [f"| {name} | " + " | ".join(str(value) for value in values) + " |" for name, values in rows.items()]
    return [*lines, "", *_wrong([f"{part['what']}: {line}" for part in parts for line in part["wrong"]])]


def _wrong(sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return ["Wrong: nothing."]
    shown = [f"* {' '.join(sentence.split())[:_LONGEST]}" for sentence in sentences[:_SHOWN]]
    more = [f"* and {len(sentences) - _SHOWN} more"] if len(sentences) > _SHOWN else []
    return [f"Wrong ({len(sentences)}):", "", *shown, *more]
