"""Measure the echo canceller and local barge-in in simulated rooms (tests/support/rooms.py).

usage: python benchmarks/echo.py [--rooms 12] [--seconds 120] [--tune] [--words] [--gates 1] [--json FILE]
What is measured is the product's: `audio.canceller`, `audio.drift`, `audio.bargein`. The loop is closed: a suspicion
ducks the answer by 15 dB two steps later, a confirmed one stops it. The settings were tuned with --tune (other rooms,
other noise, one other voice than those reported). Words are those that PocketSphinx gets wrong. Exit code 1 when a
limit is missed.
"""

import math
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.sheet import Rule, Sheet, parser_of
from novadesk.audio.bargein import make_detector
from novadesk.audio.canceller import WebRtcCanceller
from novadesk.audio.drift import DriftEstimator, DriftResampler
from novadesk.audio.formats import Samples, to_pcm, to_samples
from novadesk.models import BargeIn
from tests.support.rooms import RATE_HZ, SAID, STEP, Plan, Room, Said, answer_track, voice_track
from tests.support.voices import Speaker, speech

TUNED_SEED, REPORTED_SEED = 101, 901
TUNED_SPEAKERS, REPORTED_SPEAKERS = (Speaker.RMS, Speaker.KAL16, Speaker.SLT), (Speaker.RMS, Speaker.KAL16, Speaker.AWB)
BEGINNINGS = (("out of digital silence", 0.0), ("out of a quiet room, -62 dB", 10 ** (-62 / 20)))
COST_PERCENT = 2.0
"""Most words that the canceller may cost a voice without echo. Twice 400 words differ by 1 % for no reason."""
SPOILT = {"delay_ms": 250.0, "drift_ppm": 50.0, "drive": 1.5}
ERLE_ROWS: tuple[tuple[str, dict[str, float], float], ...] = (
    ("echo taken away, linear, T60 0.34 s", {}, 35),
    ("echo taken away, loudspeaker distorts", {"drive": 1.5}, 25),
    ("echo taken away, T60 0.6 s", {"t60_s": 0.6}, 22),
    ("echo taken away, clocks +300 ppm apart", {"drift_ppm": 300.0}, 22),
    ("echo taken away, clocks -300 ppm apart", {"drift_ppm": -300.0}, 22),
)
ERLE_FROM_S, ERLE_TO_S = 10, 20
SETTLED_S = 6.0
FIRST_S = 8.0
LAG_STEPS = 2
BLOCK = RATE_HZ // 50
CORRECTED_IN_S = 30.0
DUCKED = 10 ** (-15 / 20)
EARLY, LATE = RATE_HZ // 50, 6 * RATE_HZ // 10  # a stage so long before and after what is said belongs to it
TIMELY = 3 * RATE_HZ // 2  # a stop that comes later than this is a miss
SERVER_S = 1.0  # a stop that the service does not confirm is taken back after it


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What happens in a room.

    Attributes:
        speakers: nobody talks when empty.
        heeded: stages act on what is played.
    """

    plan: Plan
    seconds: int
    speakers: Sequence[Speaker] = ()
    heeded: bool = True
    keep: bool = False


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a scene: `stages` with sample numbers; powers of each step; the steps played with nobody talking."""

    said: list[Said]
    stages: list[tuple[int, BargeIn]] = field(default_factory=list)
    echo: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    clean: list[Samples] = field(default_factory=list)
    idle_steps: int = 0

    def erle_db(self) -> float:
        """Return how much fainter the echo became, the automatic gain taken out."""
        part = slice(ERLE_FROM_S * 100, ERLE_TO_S * 100)
        return 10 * math.log10(sum(self.echo[part]) / sum(self.left[part]))


class Answer:
    """The assistant's voice, as far as it is let through."""

    def __init__(self, track: Samples) -> None:
        self._track = track
        self._place = 0
        self._gain = 1.0
        self.wanted = [1.0] * (LAG_STEPS + 1)

    def play(self, frames: int) -> Samples:
        """Return the next frames, the gain changed within 5 ms."""
        gain = self.wanted.pop(0)
        ramp = np.full(frames, gain, np.float32)
        ramp[:80] = np.linspace(self._gain, gain, 80)
        self._gain = gain
        sound = self._track[self._place : self._place + frames] * ramp
        self._place += frames
        return sound


class Reference:
    """What was played, in the microphone's time: it comes in blocks, as from a device with its own clock.

    Half a block more than one is kept in hand; what lies there corrects the estimate of the two clocks.
    """

    def __init__(self) -> None:
        self._estimator, self._resampler = DriftEstimator(RATE_HZ, RATE_HZ), DriftResampler()
        self._waiting = np.zeros(BLOCK * 3 // 2, np.float32)
        self._block = np.zeros(0, np.float32)
        self._put = self._taken = 0
        self._over = 0.0

    def take(self, played: Samples) -> Samples:
        """Return a step of it."""
        self._block = np.concatenate((self._block, played))
        while len(self._block) >= BLOCK:
            ratio = self._estimator.ratio * (1 + self._over / RATE_HZ / CORRECTED_IN_S)
            self._waiting = np.concatenate((self._waiting, self._resampler.feed(self._block[:BLOCK], ratio)))
            self._put += BLOCK
            self._block = self._block[BLOCK:]
        self._taken += STEP
        self._estimator.feed(self._taken, self._put, self._taken * 1_000_000_000 // RATE_HZ)
        self._over += 0.003 * (len(self._waiting) - BLOCK * 3 // 2 - self._over)
        missing = max(0, STEP - len(self._waiting))
        taken = np.concatenate((np.zeros(missing, np.float32), self._waiting[: STEP - missing]))
        self._waiting = self._waiting[STEP - missing :]
        return taken


def run(scene: Scene) -> Outcome:
    """Let a scene happen."""
    seed = scene.plan.seed
    track = answer_track(seed % 10, scene.seconds + 20)
    voice, said = voice_track(seed, scene.seconds, scene.speakers or (Speaker.RMS,), FIRST_S)
    if not scene.speakers:
        voice, said = np.zeros_like(voice), []
    room, canceller, detector = Room(scene.plan, track, scene.seconds), WebRtcCanceller(), make_detector()
    reference = Reference() if scene.plan.drift_ppm else None
    answer, outcome = Answer(track), Outcome(said=said)
    resume_at = 0
    for step in range(scene.seconds * 100):
        at = (step + 1) * STEP
        if not answer.wanted[-1] and at >= resume_at and not talks(said, at, EARLY * 5, RATE_HZ):
            answer.wanted[-1] = 1.0
        playing = answer.wanted[-1] > 0
        answer.wanted.append(answer.wanted[-1])
        played = answer.play(room.frames_due())
        far = reference.take(played) if reference else played
        near = room.hear(played, voice[at - STEP : at])
        clean = canceller.process(near, far)
        outcome.echo.append(float(np.dot(room.echo, room.echo)))
        outcome.left.append(float(np.dot(clean, clean)) / 10 ** (canceller.gain_db / 10))
        outcome.idle_steps += playing and at > SETTLED_S * RATE_HZ and not talks(said, at, EARLY, LATE)
        if scene.keep:
            outcome.clean.append(clean)
        stage = detector.feed(near, clean, playing, canceller.gain_db)
        if stage is None:
            continue
        outcome.stages.append((at, stage))
        if scene.heeded:
            answer.wanted[-1] = {BargeIn.SUSPECTED: DUCKED, BargeIn.WITHDRAWN: 1.0, BargeIn.CONFIRMED: 0.0}[stage]
            resume_at = at + int(SERVER_S * RATE_HZ)
    return outcome


def talks(said: Sequence[Said], at: int, before: int, after: int) -> bool:
    """Say whether somebody talks at a sample, or so many samples before or after."""
    return any(one.start - before <= at <= one.end + after for one in said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How one stage came: `late_ms` for each thing said, infinite when missed; false ones a minute."""

    late_ms: list[float]
    false_per_minute: float

    @property
    def missed_percent(self) -> float:
        """Return how many things said it missed."""
        return 100 * sum(map(math.isinf, self.late_ms)) / max(1, len(self.late_ms))


def judge(outcomes: Sequence[Outcome], stage: BargeIn) -> Judged:
    """Compare when a stage came with when somebody spoke, after the canceller has settled."""
    late_ms: list[float] = []
    wrong = 0
    for outcome in outcomes:
        times = [at for at, found in outcome.stages if found is stage and at > SETTLED_S * RATE_HZ]
        wrong += sum(not talks(outcome.said, at, EARLY, LATE) for at in times)
        for one in outcome.said:
            timely = (at for at in times if one.start - EARLY <= at <= min(one.end, one.start + TIMELY))
            late_ms.append((next(timely, math.inf) - one.start) * 1_000 / RATE_HZ)
    idle_min = sum(outcome.idle_steps for outcome in outcomes) / 6_000
    return Judged(late_ms=late_ms, false_per_minute=wrong / idle_min)


def nearest(late_ms: Sequence[float], percent: int) -> float:
    """Return a percentile by the nearest rank, what was missed being the latest; no number when it was missed."""
    found = sorted(late_ms)[max(0, math.ceil(len(late_ms) * percent / 100) - 1)]
    return found if math.isfinite(found) else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How much is measured, of which rooms and people."""

    rooms: int
    seconds: int
    first_seed: int
    speakers: Sequence[Speaker]

    def scenes(self, **kind: float) -> list[Scene]:
        """Return a scene for each room, with people talking."""
        seeds = range(self.first_seed, self.first_seed + self.rooms)
        plans = [replace(Plan(seed=seed), **kind) for seed in seeds]  # type: ignore[arg-type]
        return [Scene(plan=plan, seconds=self.seconds, speakers=self.speakers) for plan in plans]

    def quiet_scenes(self, **kind: float) -> list[Scene]:
        """Return a scene for each room, with nobody talking."""
        return [replace(scene, speakers=()) for scene in self.scenes(**kind)]


def tell_erle(course: Course, pool: Executor, sheet: Sheet) -> None:
    """Tell how much fainter the canceller makes an echo."""
    for name, kind, gate_db in ERLE_ROWS:
        scenes = [replace(scene, seconds=ERLE_TO_S, heeded=False) for scene in course.quiet_scenes(**kind)]
        found = sorted(outcome.erle_db() for outcome in pool.map(run, scenes))
        sheet.row(f"{name}, median", float(np.median(found)), gate_db, None, found[0], "dB", Rule.AT_LEAST)


def tell_alone(course: Course, pool: Executor, sheet: Sheet) -> None:
    """Tell how often an assistant that nobody talks to interrupts itself."""
    for name, kind in (("plain", {}), ("250 ms, +50 ppm, distorted", SPOILT)):
        alone = list(pool.map(run, course.quiet_scenes(**kind)))
        stops, ducks = judge(alone, BargeIn.CONFIRMED), judge(alone, BargeIn.SUSPECTED)
        row = partial(sheet.row, unit="a minute", rule=Rule.AT_MOST)
        row(f"self-interruptions, {name}", stops.false_per_minute, 0)
        row(f"ducked by itself, {name}", ducks.false_per_minute)
        sheet.note(f"  {sum(outcome.idle_steps for outcome in alone) / 6_000:.1f} minutes of {len(alone)} rooms")


def tell_barge_in(course: Course, pool: Executor, sheet: Sheet, name: str, gated: bool, **kind: float) -> None:
    """Tell how soon and how surely the answer stops when somebody talks."""
    talked = list(pool.map(run, course.scenes(**kind)))
    stops, ducks = judge(talked, BargeIn.CONFIRMED), judge(talked, BargeIn.SUSPECTED)

    def row(what: str, figure: float, gate: float | None, goal: float | None, unit: str = "ms") -> None:
        limits = (gate, goal) if gated else (None, None)
        sheet.row(f"{name}: {what}", figure, *limits, unit=unit, rule=Rule.AT_MOST)

    row("missed", stops.missed_percent, 5, 0, "%")
    row("voice → stop, median", nearest(stops.late_ms, 50), 300, 215)
    row("voice → stop, p90", nearest(stops.late_ms, 90), 500, None)
    row("voice → duck, median", nearest(ducks.late_ms, 50), None, None)
    row("false stops", stops.false_per_minute, 0.5, None, "a minute")
    row("false ducks", ducks.false_per_minute, 6, 3, "a minute")
    sheet.note(f"  {len(stops.late_ms)} interruptions")


def words_lost(scene: Scene) -> dict[str, tuple[int, int]]:
    """Return (wrong words, words) of a recogniser for the voice alone, with the local stop, and without it."""
    from novadesk.server.partner.recognise import SphinxRecogniser

    voice, said = voice_track(scene.plan.seed, scene.seconds, scene.speakers, FIRST_S)
    heard = {"nobody else talks": voice}
    for name, heeded in (("ducked and stopped", True), ("played on", False)):
        heard[name] = np.concatenate(run(replace(scene, heeded=heeded, keep=True)).clean)
    recogniser = SphinxRecogniser()
    found = {}
    for name, sound in heard.items():
        wrong = count = 0
        for one in said:
            recogniser.start("")
            recogniser.feed(to_pcm(sound[max(0, one.start - RATE_HZ // 4) : one.end + RATE_HZ // 2]))
            words = one.text.split()
            wrong += edits(words, recogniser.finish().split())
            count += len(words)
        found[name] = (wrong, count)
    return found


def words_without_echo(speaker: Speaker, noise: float) -> tuple[int, dict[str, tuple[int, int]]]:
    """Return how many words there are in `SAID`, and (wrong words, phrases whose first word is wrong) of each way.

    Somebody says each a second after the microphone was opened, and no answer was ever played.
    """
    from novadesk.server.partner.recognise import SphinxRecogniser

    recogniser, random = SphinxRecogniser(), np.random.default_rng(TUNED_SEED)
    silence, words = np.zeros(STEP, np.float32), 0
    found = {"as it is": (0, 0), "behind the canceller": (0, 0)}
    for text in SAID:
        voice = to_samples(speech(speaker, text))
        sound = np.concatenate((np.zeros(RATE_HZ, np.float32), voice, np.zeros(RATE_HZ // 2, np.float32)))
        sound = sound[: len(sound) // STEP * STEP]
        sound += np.float32(noise) * random.standard_normal(len(sound), np.float32)
        canceller, wanted = WebRtcCanceller(), text.split()
        clean = np.concatenate([canceller.process(step, silence) for step in sound.reshape(-1, STEP)])
        words += len(wanted)
        for way, heard in zip(found, (sound, clean), strict=True):
            recogniser.start("")
            recogniser.feed(to_pcm(heard))
            got = recogniser.finish().split()
            wrong, first = found[way]
            found[way] = (wrong + edits(wanted, got), first + (got[:1] != wanted[:1]))
    return words, found


def tell_without_echo(speakers: Sequence[Speaker], pool: Executor, sheet: Sheet) -> None:
    """Tell what the canceller costs where there is nothing to cancel."""
    for beginning, noise in BEGINNINGS:
        found = list(pool.map(words_without_echo, speakers, [noise] * len(speakers)))
        words = sum(count for count, _ in found)
        percent = []
        for way in found[0][1]:
            wrong, first = (sum(one[way][part] for _, one in found) for part in (0, 1))
            percent.append(100 * wrong / words)
            sheet.row(f"words wrong without echo, {way}, {beginning}", percent[-1], unit="%")
            sheet.row(f"first words wrong, {way}, {beginning}", 100 * first / len(SAID) / len(found), unit="%")
        cost = percent[1] - percent[0]
        sheet.row(f"words the canceller costs, {beginning}", cost, COST_PERCENT, unit="%", rule=Rule.AT_MOST)


def edits(wanted: Sequence[str], got: Sequence[str]) -> int:
    """Return how many words were put in, left out or taken for others."""
    row = list(range(len(got) + 1))
    for count, word in enumerate(wanted, 1):
        before, row[0] = row[0], count
        for place, other in enumerate(got, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1]


def tell_words(course: Course, pool: Executor, sheet: Sheet) -> None:
    """Tell how many words of who cuts in are got wrong."""
    found = list(pool.map(words_lost, course.scenes()[: max(1, course.rooms // 3)]))
    for name in found[0]:
        wrong, count = (sum(one[name][part] for one in found) for part in (0, 1))
        sheet.row(f"words wrong, {name}", 100 * wrong / count, unit="%")


def main() -> int:
    """Print one line for each measure; return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--rooms", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=120, help="length of a scene; at least 20")
    parser.add_argument("--tune", action="store_true", help="the rooms that the settings were tuned with")
    parser.add_argument("--words", action="store_true", help="only what is lost where there is no echo")
    chosen = parser.parse_args()
    seed, speakers = (TUNED_SEED, TUNED_SPEAKERS) if chosen.tune else (REPORTED_SEED, REPORTED_SPEAKERS)
    course = Course(rooms=chosen.rooms, seconds=chosen.seconds, first_seed=seed, speakers=speakers)
    sheet = Sheet(chosen.gates)
    with ProcessPoolExecutor() as pool:
        tell_without_echo(speakers, pool, sheet)
        if chosen.words:
            return sheet.finish(chosen.json)
        tell_erle(course, pool, sheet)
        tell_alone(course, pool, sheet)
        tell: Callable[..., None] = partial(tell_barge_in, course, pool, sheet)
        tell("echo as loud as the voice", True)
        tell("and distorted", False, drive=1.5)
        tell("echo 10 dB over the voice", False, echo_db=10.0)
        tell("echo 10 dB under the voice", False, echo_db=-10.0)
        tell_words(course, pool, sheet)
    return sheet.finish(chosen.json)


if __name__ == "__main__":
    raise SystemExit(main())
