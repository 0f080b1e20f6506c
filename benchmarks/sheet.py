"""The figures of a benchmark beside the limits that they have to keep: printed, judged, kept as JSON."""

import argparse
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from operator import ge, le, lt
from pathlib import Path


class Rule(StrEnum):
    """How a figure keeps its limit."""

    BELOW = "<"
    AT_MOST = "<="
    AT_LEAST = ">="


_KEEPS: dict[str, Callable[[float, float], bool]] = {Rule.BELOW: lt, Rule.AT_MOST: le, Rule.AT_LEAST: ge}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A time in milliseconds, or so many of `unit`. A gate has to be kept; a goal is striven for.

    A figure that could not be had is no number, which keeps no gate.
    """

    name: str
    figure_ms: float
    gate_ms: float | None = None
    goal_ms: float | None = None
    worst_ms: float | None = None
    unit: str = "ms"
    rule: str = Rule.BELOW

    @property
    def missed(self) -> bool:
        """Say whether there is a gate and it was not kept."""
        return self.gate_ms is not None and not _KEEPS[self.rule](self.figure_ms, self.gate_ms)

    @property
    def verdict(self) -> str:
        """Return what the gate says, or nothing."""
        return "" if self.gate_ms is None else "MISSED" if self.missed else "ok"

    @property
    def goal_verdict(self) -> str:
        """Return what the goal says, or nothing."""
        if self.goal_ms is None:
            return ""
        return "reached" if _KEEPS[self.rule](self.figure_ms, self.goal_ms) else "not reached"


class Sheet:
    """Collects figures, and prints each when it comes.

    Args:
        gates: factor of every gate. 1 judges; 0 is a gate that nothing keeps, to see that the judging works.
    """

    def __init__(self, gates: float = 1.0) -> None:
        self._gates = gates
        self.figures: list[Figure] = []
        self.notes: list[str] = []

    @property
    def missed(self) -> bool:
        """Say whether any gate was not kept."""
        return any(figure.missed for figure in self.figures)

    def note(self, text: str) -> None:
        """Print what has no limit."""
        self.notes.append(text)
        print(text, flush=True)

    def row(
        self,
        name: str,
        figure_ms: float,
        gate_ms: float | None = None,
        goal_ms: float | None = None,
        worst_ms: float | None = None,
        unit: str = "ms",
        rule: Rule = Rule.BELOW,
    ) -> None:
        """Print a figure."""
        if gate_ms is not None:
            gate_ms = gate_ms * self._gates if rule is not Rule.AT_LEAST else gate_ms / max(self._gates, 1e-12)
        figure = Figure(
            name=name, figure_ms=figure_ms, gate_ms=gate_ms, goal_ms=goal_ms, worst_ms=worst_ms, unit=unit, rule=rule
        )
        self.figures.append(figure)
        beside = [] if worst_ms is None else [f"worst {told(worst_ms, unit)}"]
        beside += [] if gate_ms is None else [f"limit {told(gate_ms, unit)} {figure.verdict}"]
        beside += [] if goal_ms is None else [f"goal {told(goal_ms, unit)} {figure.goal_verdict}"]
        print(f"{name:46} {told(figure_ms, unit):>12}   {'   '.join(beside)}".rstrip(), flush=True)

    def finish(self, kept: Path | None) -> int:
        """Write the JSON that was asked for; return the exit code: 1 when a gate was missed."""
        if kept is not None:
            found = {"notes": self.notes, "figures": [asdict(figure) for figure in self.figures]}
            kept.write_text(json.dumps(found, indent=1), encoding="utf-8")
        return int(self.missed)


def told(figure_ms: float, unit: str = "ms") -> str:
    """Return a figure in words, with three digits or more that count."""
    if math.isnan(figure_ms):
        return "not had"
    if unit != "ms":
        return f"{figure_ms:.1f} {unit}"
    if figure_ms >= 1_000:
        return f"{figure_ms / 1_000:.2f} s"
    return f"{figure_ms:.4f} ms" if 0 < figure_ms < 1 else f"{figure_ms:.1f} ms"


def parser_of(about: str) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark takes."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=float, default=1.0, help="factor of every gate; nothing keeps a gate of 0")
    parser.add_argument("--json", type=Path, help="file to keep the figures in")
    return parser


type Part = Callable[[Sheet, argparse.Namespace], None]
"""Measures something as it was chosen, and prints its figures on the sheet."""


def measure_parts(parser: argparse.ArgumentParser, parts: Mapping[str, Part]) -> int:
    """Measure the parts that are named on the command line, in order, or all; return the exit code."""
    parser.add_argument("parts", nargs="*", choices=[*parts, []], metavar="PART", help=", ".join(parts))
    chosen = parser.parse_args()
    sheet = Sheet(chosen.gates)
    for name, measure in parts.items():
        if not chosen.parts or name in chosen.parts:
            measure(sheet, chosen)
    return sheet.finish(chosen.json)
