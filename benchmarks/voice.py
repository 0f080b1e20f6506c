"""Measure the voice from both ends: microphone to server, server to speaker, interruption to silence, processor time.

usage: python benchmarks/voice.py [--peers DIR] [--install] [--only NAME] [--quick] [--gates 1] [--json FILE]
NovaDesk's window is measured in full, with its echo canceller on, and from outside side by side with peers from the
package index that speak Nova Sonic: the same local server over TLS under AWS's own name, the same virtual devices, one
after the other, each set up as its documentation recommends. Processor time is taken in a run of its own, without our
probe, the least of three rounds, while idle work keeps the cores awake; what it comes to when they doze off, and pay
for every waking, is told beside it. The peers live in environments below DIR (build/peers), which `--install` makes.
At the end NovaDesk's audio process is killed again and again. Needs root, for mounts of its own and the port of https.
Exit code 1 when a limit is missed.
On a machine with other work, `chrt -r 5` in front lets all that is measured run before it.
"""

import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.sheet import Sheet, parser_of
from benchmarks.voice_clients import (
    ADDRESS,
    HOST,
    PEERS,
    PORT,
    Peer,
    Running,
    World,
    install,
    novadesk,
    peer_running,
    version_of,
)
from benchmarks.voice_course import COURSE, Found, NotHad, Plan, Theatre, go_through, quantile
from benchmarks.voice_kills import Killed, kill_again_and_again
from benchmarks.voice_processor import SCENE, Taken, take
from novadesk.server.runner import ServerOptions
from tests.support.desk import Desk

WIRE_P50_MS, WIRE_P99_MS = 15.0, 30.0
FIRST_P50_MS = 40.0 + 15.0  # the prefill that it starts with, and what the rest may take
QUIET_P99_MS, SILENT_P99_MS = 25.0, 70.0
CPU_PERCENT, CPU_SHARE = 12.0, 0.8
AGAIN_MS = 1_000.0
OUTSIDE = (
    ("microphone → server, p50", "heard_ms", 50),
    ("microphone → server, p99", "heard_ms", 99),
    ("server → speaker's monitor, p50", "spoken_ms", 50),
    ("server → speaker's monitor, p99", "spoken_ms", 99),
    ("interruption → silence at the monitor, p50", "stopped_ms", 50),
    ("interruption → silence at the monitor, p99", "stopped_ms", 99),
)
OWN_COUNT = (
    ("own count: callback → frame written to the app", "frame"),
    ("own count: app → first sample in the callback", "start"),
    ("own count: app → end of the fade to silence", "silence"),
)
OWN = "NovaDesk"


@dataclass(frozen=True, slots=True)
class Plans:
    """What everybody goes through, for the times and for the processor, and how often NovaDesk's audio is killed."""

    course: Plan = COURSE
    scene: Plan = SCENE
    kills: int = 10


QUICK = Plans(Plan(pulses=6, answers=3, interruptions=3), SCENE, 2)


def figures(found: Found) -> list[float]:
    """Return the figures of the rows that everybody has, in their order."""
    return [quantile(getattr(found, kind), percent) for _, kind, percent in OUTSIDE]


def tell_inside(found: Found, sheet: Sheet) -> None:
    """Print what only NovaDesk can be asked."""
    wire = found.wire_ms
    sheet.row("capture callback → server, p50", quantile(wire, 50), WIRE_P50_MS)
    sheet.row("capture callback → server, p99", quantile(wire, 99), WIRE_P99_MS, worst_ms=max(wire, default=None))
    sheet.row("microphone → that callback, p50", quantile(found.before_ms, 50))
    sheet.row("server → first sample in the callback, p50", quantile(found.first_ms, 50), FIRST_P50_MS)
    sheet.row("interruption → silence in the callback, p99", quantile(found.quiet_ms, 99), QUIET_P99_MS)
    sheet.note(
        f"  ({len(wire)} frames, {len(found.first_ms)} answers, {len(found.quiet_ms)} interruptions; every time"
        " includes the local network and the server's own work)"
    )
    for row, kind in OWN_COUNT:
        for percent in (50, 99):
            figure_ms = found.counts.get(f"{kind}_ms_p{percent}")
            if figure_ms is not None:
                sheet.row(f"{row}, p{percent}", figure_ms)
    if found.counts:
        told = ", ".join(f"{name} {value:g}" for name, value in found.counts.items() if "_ms_" not in name)
        sheet.note(f"  the audio process counted at the end: {told}")


def tell_side_by_side(everybody: Mapping[str, Found], sheet: Sheet) -> None:
    """Print the rows that everybody has; NovaDesk's goals are what the best peer reached."""
    peers = [found for name, found in everybody.items() if name != OWN]
    for place, (row, kind, percent) in enumerate(OUTSIDE):
        best = min((figures(found)[place] for found in peers if getattr(found, kind)), default=None)
        for name, found in everybody.items():
            own = name == OWN
            gate = SILENT_P99_MS if own and (kind, percent) == ("stopped_ms", 99) else None
            sheet.row(f"{row}: {name}", figures(found)[place], gate, best if own else None)
    for name, found in everybody.items():
        sheet.note(
            f"{name}: {len(found.heard_ms)} of {found.asked.pulses} sounds heard, {len(found.spoken_ms)} of"
            f" {found.asked.answers} answers begun, {len(found.stopped_ms)} of {found.asked.interruptions} stopped"
        )


def tell_processor(everybody: Mapping[str, Taken], sheet: Sheet) -> None:
    """Print what everybody takes of the processor; NovaDesk's goal is a share of what the best peer takes."""
    best = min((min(taken.awake) for name, taken in everybody.items() if name != OWN), default=None)
    for name, taken in everybody.items():
        own = name == OWN
        goal = CPU_SHARE * best if own and best is not None else None
        gate = CPU_PERCENT if own else None
        least, most = min(taken.awake), max(taken.awake)
        sheet.row(f"processor, all processes: {name}", least, gate, goal, most, unit="% of a core")
    for name, taken in everybody.items():
        sheet.row(f"processor, with cores that doze: {name}", taken.dozing, unit="% of a core")
    for name, taken in everybody.items():
        sheet.note(f"{name}: {', '.join(f'{title} {share:.1f} %' for title, share in taken.shares.items())}")


def tell_kills(killed: Killed, sheet: Sheet) -> None:
    """Print how soon it hears and sounds again after its audio process was killed."""
    rows = (("first microphone frame at the server", killed.heard_ms), ("sound at the monitor", killed.sounding_ms))
    for row, times_ms in rows:
        had_ms = [time_ms for time_ms in times_ms if not math.isnan(time_ms)]
        worst_ms = max(had_ms) if times_ms and len(had_ms) == len(times_ms) else math.nan
        sheet.row(f"audio process killed → {row}, median", quantile(had_ms, 50))
        sheet.row(f"audio process killed → {row}, worst of {len(times_ms)}", worst_ms, AGAIN_MS)


@dataclass(slots=True)
class Measured:
    """What was found, by name; who is missing could not be measured."""

    found: dict[str, Found] = field(default_factory=dict)
    taken: dict[str, Taken] = field(default_factory=dict)
    killed: Killed = field(default_factory=Killed)


def start(peer: Peer | None, world: World, peers: Path, *, probed: bool) -> AbstractContextManager[Running]:
    """Return a peer, or NovaDesk, which alone can be probed."""
    return novadesk(world, probed=probed) if peer is None else peer_running(world, peer, peers)


def measure(wanted: list[str], folder: Path, peers: Path, plans: Plans, sheet: Sheet) -> Measured:
    """Let everybody go through the same; what one could not give is told with its cause. Then kill NovaDesk's."""
    measured = Measured()
    options = ServerOptions(folder=folder / "server", host=ADDRESS, port=PORT, names=(HOST,))
    with Desk() as desk, Theatre(options) as theatre:

        def world(name: str) -> World:
            place = folder / name
            place.mkdir()
            return World(place, theatre.address, desk.env)

        for name in wanted:
            peer = next((peer for peer in PEERS if peer.name == name), None)
            if peer is not None:
                version = version_of(peer, peers)
                if not version:
                    sheet.note(f"{name}: not measured: it is not installed below {peers} (--install does it)")
                    continue
                sheet.note(f"{name}: {peer.package} {version}")
            try:
                place = world(f"{name}.time")
                timed = start(peer, place, peers, probed=True)
                measured.found[name] = go_through(timed, theatre, desk.env, place.folder, plans.course)
                time.sleep(1)
                place = world(f"{name}.processor")
                bare = start(peer, place, peers, probed=False)
                measured.taken[name] = take(bare, theatre, desk.env, place.folder, plans.scene)
            except NotHad as cause:
                sheet.note(f"{name}: not measured: {cause}")
            time.sleep(1)
        if OWN in wanted:
            place = world("killed")
            try:
                measured.killed = kill_again_and_again(novadesk(place), theatre, desk.env, place.folder, plans.kills)
            except NotHad as cause:
                sheet.note(f"{OWN}: kills not measured: {cause}")
            measured.found.setdefault(OWN, Found(asked=plans.course))
            measured.taken.setdefault(OWN, Taken(awake=[math.nan], dozing=math.nan))
    return measured


def main() -> int:
    """Return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--peers", type=Path, default=Path("build/peers"), help="where their environments lie")
    parser.add_argument("--install", action="store_true", help="make the environments that are missing")
    names = [*(peer.name for peer in PEERS), OWN]
    parser.add_argument("--only", action="append", choices=names, help="may be given again")
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that it works")
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root: for mounts of its own and the port of https")
    peers = chosen.peers.absolute()
    wanted = chosen.only or names
    for peer in PEERS:
        if chosen.install and peer.name in wanted and not version_of(peer, peers):
            install(peer, peers)
    sheet = Sheet(chosen.gates)
    with tempfile.TemporaryDirectory(prefix="nd-voice.") as folder:
        measured = measure(wanted, Path(folder), peers, QUICK if chosen.quick else Plans(), sheet)
    first = os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO)
    sheet.note(f"echo canceller on; everything that is measured ran {'before all other work' if first else 'as usual'}")
    if OWN in measured.found:
        tell_inside(measured.found[OWN], sheet)
        tell_kills(measured.killed, sheet)
    tell_side_by_side(measured.found, sheet)
    tell_processor(measured.taken, sheet)
    return sheet.finish(chosen.json)


if __name__ == "__main__":
    raise SystemExit(main())
