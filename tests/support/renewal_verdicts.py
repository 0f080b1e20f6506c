"""What a renewal run must show; each check returns the sentences that are wrong, none when all is well."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tests.support.renewal_frames import FRAME_S
from tests.support.renewal_partner import SessionLog, Understood
from tests.support.renewal_person import Manner
from tests.support.renewal_rig import Run
from tests.support.renewal_words import answered, asked, typed

HELD_FRAMES = round(3.0 / FRAME_S)
GAP_S = 0.020
LEAST_CONTEXT = 150
"""Lines of history that must be there at least in a long conversation; the record keeps 200 turns in memory."""

_SHOWN = 8
_HOPELESS = 0.4
_LOG_TIME = "%Y-%m-%d %H:%M:%S,%f"
_FORCED_AT = 452.5 / 480  # of a life: halfway from `Policy.force_s` to `last_s`, for the times of a log are late
_MOST_FORCED = 0.8  # of all renewals: about half are, where a wire session has time for one exchange only
_SURE_FRAMES = 6
_LINK_ENDED = " ended: "
_ON_PURPOSE = "asked for"
_HELD_S = 2.9
_BACK_S = 8.0
_COUNT_S = 0.5
_UNSURE_S = 1.5  # what was sent since the service's last sign of life counts as lost, heard or not


def captured(run: Run) -> list[range]:
    """Return the microphone frames that passed the gate since the first wire session was there."""
    if run.plan.manner is Manner.HANDS_FREE:
        first = min((log.runs[0][0] for log in run.sessions if log.runs), default=0)
        return [range(first, run.of("end")[0]["captured"])]
    return [
        range(pressed["frame"], released["frame"] + 1)
        for pressed, released in zip(run.of("pressed"), run.of("released"), strict=True)
    ]


def spoken(run: Run) -> list[range]:
    """Return the microphone frames in which the person spoke."""
    return [range(row["first"], row["last"] + 1) for row in run.of("spoken")]


def holes(run: Run, owed: Iterable[range]) -> list[str]:
    """Check that every frame owed was heard by a wire session, whole."""
    heard = {number for log in run.sessions for first, last in log.runs for number in range(first, last + 1)}
    missing = [number for frames in owed for number in frames if number not in heard]
    wrong = [f"{len(missing)} frames were heard by nobody: {_runs(missing)}"] if missing else []
    wrong += [f"session {log.number} heard {log.torn} frames that nobody spoke" for log in run.sessions if log.torn]
    return wrong


def overlaps(run: Run) -> list[str]:
    """Check that each wire session hears every frame once, in order, and of what others heard only the held 3 s."""
    wrong = []
    before: set[int] = set()
    for log in run.sessions:
        numbers = [number for first, last in log.runs for number in range(first, last + 1)]
        if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
            wrong.append(f"session {log.number} heard frames twice or out of order: {log.runs}")
        twice = before.intersection(numbers)
        if len(twice) > HELD_FRAMES:
            wrong.append(f"session {log.number} heard {len(twice)} frames that others had heard")
        before.update(numbers)
    return wrong


def turns(run: Run) -> list[str]:
    """Check that every exchange was stored once, in order, whole, and delivered as it was stored."""
    said = [line.owed for line in dialogue(run)]
    stored = [turn.text for turn in run.stored]
    owed, kept = Counter(said), Counter(stored)
    wrong = [f"{text!r} is stored {count} times too often" for text, count in (kept - owed).items()]
    wrong += [f"{text!r} is not stored" for text in owed - kept]
    if not wrong and stored != said:
        wrong.append(f"the turns are stored in another order: {stored}")
    wrong += [f"{turn.text!r} is stored as interrupted" for turn in run.stored if turn.interrupted]
    unanswered = {row["utterance"] for row in run.of("unanswered")} - starved_exchanges(run)
    wrong += [f"utterance {number} was not answered in time" for number in sorted(unanswered)]
    local = [(turn.id, turn.text) for turn in run.stored]
    if run.remote != local:
        wrong.append(f"{len(run.remote)} turns are in the remote store, {len(local)} in the local one, or others")
    return wrong


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the conversation: of which exchange, as the record must hold it, and as it was said in full."""

    exchange: int
    owed: str
    whole: str


def dialogue(run: Run) -> list[Line]:
    """Return what the record must hold, in order.

    Of an answer that a forced renewal cut off, before the service's FINAL text had come, that is what the person had
    heard by then; `answers` checks that these are few. Of an exchange that the computer left no time for, it is what
    there is.
    """
    stored, hopeless = {turn.text for turn in run.stored}, starved_exchanges(run)
    lines = []
    for row in run.rows:
        if row["type"] in ("spoken", "typed"):
            number = row["utterance"]
            question = typed(number) if row["type"] == "typed" else asked(number)
            answer = answered(number)
            pair = Line(number, question, question), Line(number, _heard_of(run, question, answer), answer)
            lines += [line for line in pair if number not in hopeless or line.owed in stored]
    return lines


def starved_exchanges(run: Run) -> set[int]:
    """Return the exchanges that came to nothing while the app had to wait for a processor most of the time.

    Wire sessions of a few seconds are over by then before what was said in them is understood.
    """
    begun = {row["utterance"]: row["at"] for row in run.rows if row["type"] in ("spoken", "typed")}
    found = set()
    for row in run.of("unanswered"):
        begin = begun[row["utterance"]] - 1.0
        waits = [wait["starved"] for wait in run.of("starved")]
        waited_s = sum(waited for first, last, waited in waits if first < row["at"] and last > begin)
        if waited_s / (row["at"] - begin) > _HOPELESS:
            found.add(row["utterance"])
    return found


def _heard_of(run: Run, asked: str, answer: str) -> str:
    for question, reply in itertools.pairwise(run.stored):
        if question.text == asked and reply.unconfirmed and answer.startswith(reply.text):
            return reply.text
    return answer


def answers(run: Run) -> list[str]:
    """Check that the person heard each answer once, whole, without a gap that the service did not make.

    Time in which app or server were kept waiting for a processor is the computer's, not theirs.
    """
    sent = {(log.number, answer, block): at for log in run.sessions for answer, block, at in log.sent}
    cut, late = cut_off(run), forced(run)
    wrong = [
        f"answer {answer} was cut off though no renewal was forced"
        for answer in sorted(cut)
        if not any(answer == understood.utterance for at in late for understood in run.sessions[at].understood)
    ]
    if len(late) > _MOST_FORCED * (len(run.sessions) - 1):
        wrong.append(f"{len(late)} of {len(run.sessions) - 1} renewals were forced")
    played = Counter(row["answer"] for row in run.of("played"))
    wrong += [f"answer {answer} was played {count} times" for answer, count in played.items() if count > 1]
    for row in run.of("played"):
        name = f"answer {row['answer']} of session {row['session']}"
        if (row["blocks"] < row["count"] and row["answer"] not in cut) or row["holes"] or row["torn"]:
            wrong.append(f"{name}: {row['blocks']} of {row['count']} blocks came, holes {row['holes']}")
        if row["cut"]:
            wrong.append(f"{name}: the last {row['cut']} blocks were silenced")
        for block, due, came in row["gaps"]:
            sent_at = sent.get((row["session"], row["answer"], block), came)
            gap_s = came - max(due, sent_at) - _starved_s(run, sent_at, came)
            if gap_s > GAP_S:
                wrong.append(f"{name}: {gap_s * 1000:.0f} ms without sound before block {block}, though it was sent")
    return wrong


def _starved_s(run: Run, begin: float, end: float) -> float:
    rows = [*run.starved, *(row["starved"] for row in run.of("starved"))]
    return float(sum(waited_s for first, last, waited_s in rows if first < end and last > begin))


def context(run: Run) -> list[str]:
    """Check that the model knew the whole conversation, and nothing else, each time it answered."""
    lines = dialogue(run)
    wrong = [
        f"session {log.number} was told what was not said so: {log.history[-6:]}"
        for log in run.sessions
        if not any(_told(log.history, lines[at:]) for at in range(len(lines) + 1))
    ]
    for row in run.of("played"):
        understood = _answered_by(run.sessions, row["session"], row["answer"])
        if understood is None:
            continue
        known, before = understood.context, [line for line in lines if line.exchange < row["answer"]]
        at = len(before) - len(known)
        if at < 0 or not _told(known, before[at:]) or len(known) < min(len(before), LEAST_CONTEXT):
            wrong.append(
                f"session {row['session']} answered {row['answer']} knowing {len(known)} of {len(before)} lines, "
                f"the last ones {known[-3:]}, from {known[:2]}; owed {[line.owed for line in before[-3:]]}"
            )
    return wrong


def sessions(run: Run, *, renewals: int, disturbed: bool = False) -> list[str]:
    """Check that wire sessions were renewed in time, so often, never more than two at once."""
    plan, wrong = run.plan, []
    if len(run.sessions) - 1 < renewals:
        wrong.append(f"only {len(run.sessions) - 1} renewals, {renewals} were asked for")
    if run.most_open > 2:
        wrong.append(f"{run.most_open} wire sessions were open at once")
    if plan.expiry_s is not None:
        wrong += [
            f"session {log.number} outlived its keys: {log.ended - log.began:.2f} s"
            for log in run.sessions
            if log.ended is not None and log.ended - log.began > plan.expiry_s
        ]
    if not disturbed:
        wrong += [line for line in run.app_log.splitlines() if _LINK_ENDED in line and not line.endswith(_ON_PURPOSE)]
        phases = {row["phase"] for row in run.of("phase")} & {"reconnecting", "failed", "offline"}
        wrong += [f"the person was shown {phase!r}" for phase in sorted(phases)]
    return wrong


def log_lines(run: Run) -> list[str]:
    """Check that the app logged no error."""
    return [line for line in run.app_log.splitlines() if " ERROR " in line or "Traceback" in line]


def is_speaking(run: Run) -> bool:
    """Return whether the newest wire session hears the person speak, and has for a moment."""
    return bool(run.sessions) and run.sessions[-1].voiced >= _SURE_FRAMES


def lost_frames(run: Run) -> list[int]:
    """Return the frames spoken that no wire session heard."""
    heard = {number for log in run.sessions for first, last in log.runs for number in range(first, last + 1)}
    return [number for frames in spoken(run) for number in frames if number not in heard]


def outages(run: Run, *, short: bool = False) -> list[str]:
    """Check of each outage that, of at most 3 s, it loses nothing that was said, and that what is lost is told.

    A frame belongs to the last outage that began before it was spoken, or within `_UNSURE_S` after it.

    Args:
        run: what a run left behind.
        short: one outage at least has to be of at most 3 s, or nothing is shown.
    """
    wrong, longs = [], 0
    lost, moments = lost_frames(run), _moments(run)
    strikes = [*run.strikes, (math.inf, math.inf)]
    if early := [number for number in lost if moments[number] < strikes[0][0] - _UNSURE_S]:
        wrong.append(f"{len(early)} frames spoken were lost before there was an outage: {_runs(early)}")
    for (began, ended), (following, _) in itertools.pairwise(strikes):
        back = next((log.began for log in run.sessions if log.began > began), math.inf)
        own = [number for number in lost if began <= moments[number] + _UNSURE_S < following]
        if back - ended > _BACK_S:
            wrong.append(f"the link came back {back - ended:.1f} s after the outage of {ended - began:.1f} s")
        if back - began > _HELD_S:
            longs += 1
        elif own:
            wrong.append(f"{len(own)} frames spoken were lost in an outage of {back - began:.1f} s: {_runs(own)}")
    if short and longs == len(run.strikes):
        wrong.append(f"none of {longs} outages was short enough to show anything")
    return wrong + _told_of(run, lost)


def _told_of(run: Run, lost: list[int]) -> list[str]:
    wrong = []
    told_s = run.of("end")[0]["lost_s"] or 0.0
    heard = {number for log in run.sessions for first, last in log.runs for number in range(first, last + 1)}
    lost_s, missed_s = len(lost) * FRAME_S, (run.of("end")[0]["captured"] - len(heard)) * FRAME_S
    if not lost_s - _COUNT_S <= told_s <= missed_s + _UNSURE_S:
        wrong.append(f"{lost_s:.2f} s of speech and {missed_s:.2f} s in all were lost, {told_s:.2f} s are told of")
    notices = {notice for row in run.of("notices") for notice in row["notices"]}
    if lost and not any("lost" in notice or "missed" in notice for notice in notices):
        wrong.append(f"nothing is said of what was lost: {sorted(notices)}")
    return wrong


def _moments(run: Run) -> dict[int, float]:
    """Return when each frame of speech was spoken: an utterance is noted with its last frame."""
    rows = run.of("spoken")
    return {n: row["at"] - (row["last"] - n) * FRAME_S for row in rows for n in range(row["first"], row["last"] + 1)}


def forced(run: Run) -> set[int]:
    """Return the numbers of the wire sessions that were so old when they were left that nothing was waited for."""
    moments = {state: _link_moments(run, state) for state in ("open", "live")}
    old_s = run.plan.limit_s * _FORCED_AT
    carried = enumerate(itertools.pairwise(moments["live"].items()))
    return {at for at, ((link, _), (_, left)) in carried if left - moments["open"][link] >= old_s}


def _link_moments(run: Run, state: str) -> dict[int, float]:
    found = re.findall(rf"^(\S+ \S+) .*: link (\d+) is {state}$", run.app_log, re.MULTILINE)
    return {int(link): datetime.strptime(moment, _LOG_TIME).timestamp() for moment, link in found}


def cut_off(run: Run) -> set[int]:
    """Return the answers that a forced renewal cut off before the service had confirmed them."""
    stored = {turn.text for turn in run.stored if not turn.unconfirmed}
    return {line.exchange for line in dialogue(run) if line.whole.startswith("answer") and line.whole not in stored}


def summary(run: Run) -> dict[str, object]:
    """Return the figures of a run."""
    end = run.of("end")[0]
    shared = Counter(n for log in run.sessions for first, last in log.runs for n in range(first, last + 1))
    lives = [log.ended - log.began for log in run.sessions if log.ended is not None]
    return {
        "renewals": len(run.sessions) - 1,
        "exchanges": len(run.of("spoken")) + len(run.of("typed")),
        "exchanges given up for want of a processor": len(starved_exchanges(run)),
        "answers cut off by a forced renewal": len(cut_off(run)),
        "renewals forced": len(forced(run)),
        "frames captured": end["captured"],
        "frames heard": len(shared),
        "frames heard twice": sum(1 for count in shared.values() if count > 1),
        "longest wire session, s": round(max(lives, default=0.0), 2),
        "most open at once": run.most_open,
        "starved of a processor, s (app)": round(sum(row["starved"][2] for row in run.of("starved")), 1),
        "app CPU, s": round(end["cpu_s"], 1),
    }


def slope_mb_per_h(run: Run, *, after_s: float = 300.0) -> float | None:
    """Return the growth of the app's memory by least squares, without the beginning; None when the run is too short."""
    rows = run.of("memory")
    points = [(row["at"], row["rss_kb"] / 1024) for row in rows if row["at"] - rows[0]["at"] >= after_s]
    if len(points) < 100:
        return None
    mean_at = sum(at for at, _ in points) / len(points)
    mean_mb = sum(mb for _, mb in points) / len(points)
    over = sum((at - mean_at) * (mb - mean_mb) for at, mb in points)
    return over / sum((at - mean_at) ** 2 for at, _ in points) * 3600


def _answered_by(logs: list[SessionLog], session: int, answer: int) -> Understood | None:
    found = [understood for understood in logs[session].understood if understood.utterance == answer]
    return found[-1] if found else None


def _told(texts: list[str], lines: list[Line]) -> bool:
    """Return whether these are the lines, from the first on; of an answer cut off there may be more than was heard."""
    return len(texts) <= len(lines) and all(
        text == line.owed or (text.startswith(line.owed) and line.whole.startswith(text))
        for text, line in zip(texts, lines, strict=False)
    )


def _runs(numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] + 1 == number:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = ", ".join(f"{first}-{last}" for first, last in runs[:_SHOWN])
    return shown + (f" and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else "")
