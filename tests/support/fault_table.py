"""The fault matrix as a page for people: what each fault is, what NovaDesk does, and what was found."""

from collections.abc import Mapping

from tests.support.fault_matrix import STATES, TROUBLES, Cell, Trouble, run_cell

type Results = Mapping[tuple[str, str], Cell]

_INTRO = """## Faults

{cells} cells: {troubles} faults, each in {states} states of a conversation, on virtual time, with the program's own
controller, store, outbox and sync. The in-memory link raises exactly what the real transport makes of the fault over
real sockets (`tests/contract/test_link_faults.py` holds the two together), and every wait is the longest that chance
allows. One run of each fault over real sockets is in `tests/integration/test_fault_matrix_sockets.py`, but of
{virtual_only}.

After every cell: the disk, the session store and what the service heard and said agree, in order, each turn once; a
question that was in flight is answered; an outage that a failure made is told in one line ("Back after 4 s."), no
outage in more; there was never more than one attempt to connect at a time and never more than the allowed number of
wire sessions; no task, timer or link is left.

### What each fault is, what NovaDesk does, and the bound

The bound is the longest time until the conversation goes on, in virtual seconds: counted from the fault, or from its
end where it lasts, or from the person's wish where only a person can help. A bound includes the time that it takes to
notice the fault.

| fault | what it is | what NovaDesk does | bound |
|---|---|---|---:|
"""

VIRTUAL_ONLY = {
    "LATE_ANSWER": "a socket that is closed delivers nothing late",
}
"""Troubles without a run over real sockets, and why."""

_TABLE_INTRO = """
### What was found

· nobody notices · *hand-over*: the prepared wire session carries on · `2 s`: back after at most 2 s ·
**reason** → `0.5 s`: stops, says this reason and what to do, and is back 0.5 s after Try now · *rests* → `0.5 s`: at
rest, back 0.5 s after the next press. In the states idle, failed and ended the fault meets the person's next try.
"""


def run_all() -> dict[tuple[str, str], Cell]:
    """Run the whole matrix."""
    return {(trouble.name, state.name): run_cell(trouble, state) for trouble in TROUBLES for state in STATES}


def render(results: Results) -> str:
    """Return the section of the page."""
    only = " and of\n".join(f"{name} ({why})" for name, why in VIRTUAL_ONLY.items())
    cells = len(TROUBLES) * len(STATES)
    intro = _INTRO.format(cells=cells, troubles=len(TROUBLES), states=len(STATES), virtual_only=only)
    lines = [intro.rstrip()]
    lines += [_described(trouble) for trouble in TROUBLES]
    lines.append(_TABLE_INTRO)
    names = [state.name for state in STATES]
    lines.append("| fault | " + " | ".join(names) + " |")
    lines.append("|---|" + "---|" * len(names))
    for trouble in TROUBLES:
        cells = [results[trouble.name, name].words() for name in names]
        lines.append(f"| {trouble.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def matrix_section() -> str:
    """Run the matrix and return its section of the page."""
    return render(run_all())


def _described(trouble: Trouble) -> str:
    return f"| {trouble.name} | {trouble.what} | {trouble.does} | {trouble.bound_s:g} s |"
