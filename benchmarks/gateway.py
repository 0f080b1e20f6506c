"""Measure the gateway: how many conversations a core carries, what they leave behind, how long a restart is heard.

usage: python benchmarks/gateway.py [PART…] [--over-s 5] [--clients 20] [--cycles 100] [--rounds 3] [--gates 1]
       [--json FILE]
Without a PART all are measured, in about eight minutes, on loopback alone. Exit code 1 when a limit is missed. The
gateway has one core, the load and the voice service have the other one.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import gateway_capacity, gateway_cycles, gateway_restart
from benchmarks.gateway_processes import BESIDE
from benchmarks.sheet import measure_parts, parser_of

PARTS = {
    "capacity": gateway_capacity.measure,
    "cycles": gateway_cycles.measure,
    "restart": gateway_restart.measure,
}


def main() -> int:
    """Return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--over-s", type=float, default=5.0, help="seconds for which each number of them is measured")
    parser.add_argument("--clients", type=int, default=20, help="who begin and end conversations at once")
    parser.add_argument("--cycles", type=int, default=100, help="conversations that each begins and ends")
    parser.add_argument("--rounds", type=int, default=3, help="how often the gateways are replaced in turn")
    os.sched_setaffinity(0, {BESIDE})
    return measure_parts(parser, PARTS)


if __name__ == "__main__":
    raise SystemExit(main())
