"""What is wrong with a run of numbered sounds, in sentences, and its figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from novadesk.audio.duplex import CAPTURE_BLOCK_S
from tests.support.numbered import BLOCK, RATE_HZ, Break, Stretch, breaks, by_received, by_source, unexplained
from tests.support.numbered_host import ANSWER_NUMBERS
from tests.support.numbered_run import FRAME, Outage, Ran, Variant

_EDGE = 3 * BLOCK  # a fade of 5 ms and a block on either side spoil so much at most
_PER_MS = RATE_HZ // 1_000
_BLOCK_MS = 1e3 * CAPTURE_BLOCK_S
UNSEEN = BLOCK // 5
"""Of a silence, at both of its ends together: a block is read as exact though a sixteenth of its energy is missing (63
samples at most in 1,500 silences of any length at any place)."""

_EARLY_MS = 32.0 + _BLOCK_MS
_NEAR_NS = 8_000_000_000
_PLAYED_SLACK = RATE_HZ // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What the microphone lost in one outage, in milliseconds of numbered sound.

    Attributes:
        outage_ms: from the command that took the device until the app was told that it has one again.
        lost_ms: numbers lost; 0 when the sound went on from where it had stopped.
        early_ms: how much of it was already spoken when the outage began.
        late_ms: how much of it was spoken after the app was told; below zero, the device had run a little already.
    """

    outage: Outage
    outage_ms: float
    lost_ms: float
    early_ms: float
    late_ms: float


def microphone(ran: Ran) -> list[str]:
    """Return what the app missed, or heard twice, and the recorder beside it did not."""
    (control,) = ran.controls
    wrong = _ends("microphone", ran.heard, ran.numbers)
    wrong += _ends("recorder of the microphone", control, ran.numbers)
    found = unexplained(breaks(ran.heard), breaks(control), by_source)
    return wrong + [f"the microphone: {one}" for one in found]


def speaker(ran: Ran) -> list[str]:
    """Return what was lost or repeated of the answers, and the gaps in them, that the control beside them has not.

    A gap that the sound server has told of itself (it asked for sound, and the audio process got no processor in time)
    is none of the app's, whether its silence moves the rest of the answer or takes the place of a part of it (a server
    that goes on reading where nothing was written; what comes too late for it is dropped, to any sample). Nor is a gap
    for each time that the app itself waited for a processor. What holds up the sound within the app leaves the audio
    process without any, which neither of them counts.
    """
    (answered,), (beside,) = ran.answered, ran.beside
    wrong = _ends("answers", answered, ran.answers * ANSWER_NUMBERS)
    inside = [one for one in breaks(answered) if not _between_answers(one)]
    return wrong + _in_answers(ran, unexplained(inside, breaks(beside), by_received))


def engine(ran: Ran) -> list[str]:
    """Return what the audio process counted that nobody may find in a run without outages."""
    counted = {name: ran.seen.engine[name] for name in ("dropped_frames", "dropped_messages", "underruns")}
    counted["underruns"] = max(0, counted["underruns"] - ran.seen.starved)
    wrong = [f"the audio process: {count} {name}" for name, count in counted.items() if count]
    return wrong + [f"lost: {reason}" for _, reason in ran.seen.lost]


def losses(ran: Ran) -> list[Loss]:
    """Return what the microphone lost in each outage."""
    found = []
    for outage in ran.outages:
        for before, after in zip(ran.heard, ran.heard[1:], strict=False):
            if (
                _arrival(ran, before.received_end) <= outage.up_ns + _NEAR_NS
                and _arrival(ran, after.received) >= outage.down_ns
            ):
                found.append(_loss(ran, outage, before, after))
                break
    return found


def outages(ran: Ran) -> list[str]:
    """Return what was lost outside the outages, or beyond them by more than a frame in the making and a block."""
    wrong = _ends("microphone", ran.heard, ran.numbers) + outside(ran)
    for loss in losses(ran):
        if loss.early_ms > _EARLY_MS or loss.late_ms > _BLOCK_MS:
            wrong.append(f"the loss goes beyond its outage: {loss}")
    return wrong


def outside(ran: Ran) -> list[str]:
    """Return the breaks that no outage explains, and no recorder either."""
    controls = [one for control in ran.controls for one in breaks(control)]
    wrong = []
    for one in unexplained(breaks(ran.heard), controls, by_source):
        at_ns = _arrival(ran, one.received)
        if not any(outage.down_ns - 10**8 <= at_ns <= _recovered_ns(ran, outage) for outage in ran.outages):
            wrong.append(f"the microphone outside every outage: {one}")
    played: list[Break] = []
    for answered, beside in zip(ran.answered, ran.beside, strict=True):
        inside = [one for one in breaks(answered) if not _between_answers(one)]
        found = unexplained(inside, breaks(beside), by_received)
        played += [one for one in found if not any(_played_in(ran, outage, one) for outage in ran.outages)]
    return wrong + _in_answers(ran, played)


def figures(ran: Ran) -> dict[str, Any]:
    """Return what to print and keep."""
    told: dict[str, Any] = {
        "numbered s heard": _seconds(ran.heard),
        "numbered s answered": _seconds([one for part in ran.answered for one in part]),
        "breaks heard, in the control": (len(breaks(ran.heard)), sum(len(breaks(one)) for one in ran.controls)),
        "breaks inside answers, in the control": (
            sum(not _between_answers(one) for part in ran.answered for one in breaks(part)),
            sum(len(breaks(one)) for one in ran.beside),
        ),
        "frozen": len(ran.seen.frozen),
        "capture to app ms p50, p99": [round(value, 1) for value in ran.seen.capture_ms],
        "respawns": ran.seen.respawns,
    }
    told["output_underflows"] = ran.seen.underflows
    told["app starved of a processor"] = ran.seen.starved
    names = ("input_overflows", "underruns", "late_callbacks", "worst_gap_us")
    told |= {name: ran.seen.engine[name] for name in names}
    if ran.variant is Variant.OUTAGES:
        told["losses"] = [
            f"{one.outage.trouble.value}: outage {one.outage_ms:.0f} ms, lost {one.lost_ms:.0f}, early "
            f"{one.early_ms:.0f}, late {one.late_ms:.0f}"
            for one in losses(ran)
        ]
    return told


def _ends(what: str, stretches: Sequence[Stretch], numbers: int) -> list[str]:
    """Return what is wrong with the first and the last number."""
    if not stretches:
        return [f"nothing came of the {what}"]
    wrong = []
    if abs(stretches[0].source) > _EDGE:
        wrong.append(f"the {what} begin with number {stretches[0].source}")
    if abs(stretches[-1].source_end - numbers) > _EDGE:
        wrong.append(f"the {what} end with number {stretches[-1].source_end}, not {numbers}")
    return wrong


def _in_answers(ran: Ran, found: Sequence[Break]) -> list[str]:
    # Of several gaps in a row, what was played between them is too short to be read.
    unread = _EDGE * max(1, ran.seen.underflows)
    gaps = [one for one in found if -UNSEEN <= one.missing <= unread]
    replaced = [one for one in gaps if one.skipped >= 0]
    silences = [one for one in gaps if one.skipped < 0]
    left = max(0, ran.seen.underflows - len(replaced)) + ran.seen.starved
    wrong = [f"an answer: {one}" for one in found if one not in gaps]
    wrong += [
        f"a part of an answer is missing, and no underflow was told: {one}" for one in replaced[ran.seen.underflows :]
    ]
    return wrong + [f"a gap in an answer, one of {len(silences)}, {left} told: {one}" for one in silences[left:]]


def _between_answers(one: Break) -> bool:
    """Return whether this is the silence between two answers, with nothing lost at their ends."""
    beside = (one.source + ANSWER_NUMBERS // 2) % ANSWER_NUMBERS - ANSWER_NUMBERS // 2
    return abs(beside) <= _EDGE and one.missing <= _EDGE and one.skipped < 0


def _loss(ran: Ran, outage: Outage, before: Stretch, after: Stretch) -> Loss:
    recovered_ns = _recovered_ns(ran, outage)
    return Loss(
        outage=outage,
        outage_ms=(recovered_ns - outage.down_ns) / 1e6,
        lost_ms=(after.source - before.source_end) / _PER_MS,
        early_ms=(_spoken(ran, before, outage.down_ns, last=True) - before.source_end) / _PER_MS,
        late_ms=(after.source - _spoken(ran, after, recovered_ns, last=False)) / _PER_MS,
    )


def _recovered_ns(ran: Ran, outage: Outage) -> int:
    """Return when the app was told that it has its devices again; when it never knew, when they were back."""
    told = [at_ns for at_ns, _, _ in ran.seen.opened if outage.down_ns < at_ns < outage.up_ns + _NEAR_NS]
    return max([outage.up_ns, *told])


def _arrival(ran: Ran, received: int) -> int:
    """Return when the app had the frame with this place of its recording."""
    frame_ns = ran.seen.frame_ns
    return frame_ns[min(len(frame_ns) - 1, max(0, received - 1) // FRAME)]


def _spoken(ran: Ran, stretch: Stretch, at_ns: int, *, last: bool) -> float:
    """Return the number that the app would have had at this moment, had the sound gone on as near it as it ever came.

    From the frames of the stretch's last or first eight seconds: each tells which number had arrived when, at the
    latest; the quickest of them says how long the way takes.
    """
    first, end = -(-stretch.received // FRAME), stretch.received_end // FRAME
    indices = np.arange(first, end)
    times = np.array(ran.seen.frame_ns)[indices]
    near = times >= times[-1] - _NEAR_NS if last else times <= times[0] + _NEAR_NS
    numbers = stretch.source + (indices + 1) * FRAME - stretch.received
    ahead = numbers - (times - at_ns) * (RATE_HZ / 1e9)
    return float(ahead[near].max())


def _played_in(ran: Ran, outage: Outage, one: Break) -> bool:
    recovered_ns = _recovered_ns(ran, outage) + 500_000_000
    played = [2 * samples for at_ns, samples in ran.seen.played if outage.down_ns <= at_ns <= recovered_ns]
    before = [2 * samples for at_ns, samples in ran.seen.played if at_ns < outage.down_ns][-1:]
    places = before + played
    return bool(places) and min(places) - _PLAYED_SLACK <= one.source <= max(places) + _PLAYED_SLACK


def _seconds(stretches: Sequence[Stretch]) -> float:
    return round(sum(one.length for one in stretches) / RATE_HZ, 2)
