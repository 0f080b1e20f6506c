"""Whatever is wrong with a microphone is told apart within two seconds, in a sentence of its own with a next step."""

from collections.abc import Callable

import numpy as np
import pytest

from novadesk.audio.devices import Direction, not_permitted
from novadesk.audio.duplex import Pulse
from novadesk.audio.formats import Samples
from novadesk.audio.route import Route
from novadesk.audio.telling import Telling
from novadesk.audio.truth import InputTruth
from novadesk.audio.wire import Failed
from novadesk.conversation.api import MicrophoneState, Phase
from novadesk.conversation.microphone import NOTES, Microphone
from novadesk.errors import KnownError
from novadesk.models import InputTrouble
from tests.support.bench import Bench, story
from tests.unit.audio.test_pump import Rig

RATE_HZ = 16_000
STEP_S = 0.01
STEP = round(RATE_HZ * STEP_S)
TOLD_WITHIN_S = 2.0
LEAVES = {"Choose", "Connect", "Look", "Lower", "Speak", "Unmute", "Allow", "NovaDesk"}
"""First words of what to do next."""

rng = np.random.default_rng(7)


def speech(at_s: float, gain: float) -> Samples:
    """Return a step of four syllables a second over a room's hiss."""
    at = at_s + np.arange(STEP) / RATE_HZ
    voice = np.sin(2 * np.pi * 200 * at) * np.clip(np.sin(2 * np.pi * 4 * at), 0, None)
    return np.clip(gain * voice + 1e-4 * rng.standard_normal(STEP), -1, 1).astype(np.float32)


class Told:
    """Hears what the app hears of an open microphone."""

    def __init__(self) -> None:
        self.microphone = Microphone()

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.microphone.opened(found=bool(microphone))

    def on_input(self, trouble: InputTrouble) -> None:
        self.microphone.trouble = trouble


def listened(step: Callable[[float], Samples], route: Route) -> tuple[str, float]:
    """Return what is told of an open microphone that brings these steps, and after how long."""
    told, truth = Told(), InputTruth(RATE_HZ)
    telling = Telling(told)
    telling.open_anew("")
    telling.name(route)
    for number in range(round(TOLD_WITHIN_S / STEP_S)):
        if told.microphone.note:
            return told.microphone.note, number * STEP_S
        telling.hear(truth.feed(step(number * STEP_S)))
    return "", TOLD_WITHIN_S


HERE = Route(microphone="Mic", speaker="Speaker")
TROUBLES: dict[str, tuple[Callable[[float], Samples], Route]] = {
    "muted in hardware": (lambda _: np.zeros(STEP, np.float32), Route(microphone="Mic", speaker="S", muted=True)),
    "all zero": (lambda _: np.zeros(STEP, np.float32), HERE),
    "too quiet": (lambda at_s: speech(at_s, 0.0) * np.float32(0.1), HERE),
    "clipped": (lambda at_s: speech(at_s, 8.0), HERE),
    "a speaker's monitor": (lambda at_s: speech(at_s, 0.2), Route(deaf=True, speaker="Speaker")),
}


def died(monkeypatch: pytest.MonkeyPatch, open_s: float) -> KnownError:
    """Return what is told of a microphone that brings nothing after so long; fails unless it is told in time."""
    rig = Rig(monkeypatch)
    rig.speaker = Pulse()
    pump = rig.pump()
    rig.run(pump, open_s, alive=True)
    rig.dead = {"microphone"}
    rig.run(pump, TOLD_WITHIN_S - STEP_S, alive=True)
    (failed,) = rig.told(Failed)
    return failed.error()


REFUSALS: dict[str, Callable[[pytest.MonkeyPatch], KnownError]] = {
    "not permitted": lambda _: not_permitted(Direction.MICROPHONE),
    "dead from the beginning": lambda monkeypatch: died(monkeypatch, 0.0),
    "dead in the middle": lambda monkeypatch: died(monkeypatch, 1.0),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_is_told_within_two_seconds_with_a_next_step(name: str) -> None:
    sentence, after_s = listened(*TROUBLES[name])
    assert sentence
    assert after_s < TOLD_WITHIN_S
    _what, *more = sentence.rstrip(".").split(". ")
    assert more, "what happened, and what to do"
    assert more[0].split()[0] in LEAVES


@pytest.mark.parametrize("name", REFUSALS)
def test_what_keeps_a_device_from_sounding_is_told_with_a_next_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = REFUSALS[name](monkeypatch)
    monkeypatch.undo()

    async def work(bench: Bench) -> None:
        await bench.ready()
        assert bench.sound.listener is not None
        bench.sound.listener.on_lost(error)
        shown = bench.now.error
        assert shown is not None
        assert (shown.what, shown.advice) == (error.what, error.advice)
        assert bench.now.microphone is MicrophoneState.ABSENT

    story(work)
    assert error.advice.split()[0] in LEAVES


def test_without_a_microphone_what_is_typed_is_answered_aloud() -> None:
    why = "There is no microphone."

    async def work(bench: Bench) -> None:
        await bench.ready()
        assert bench.sound.listener is not None
        bench.sound.listener.on_opened("", "Speaker", why)
        bench.controller.say("hello")
        await bench.until(lambda: bench.linker.newest.typed() == ["hello"])
        bench.linker.newest.plan("Hello there.")
        bench.linker.newest.speak(2_400, last=False)
        await bench.until(lambda: bool(bench.sound.queued))
        assert bench.now.phase is Phase.SPEAKING
        bench.sound.play_out()
        bench.linker.newest.spoken("Hello there.", last=True)
        await bench.until(lambda: bench.now.phase is Phase.READY)
        assert bench.texts == [("user", "hello"), ("assistant", "Hello there.")]
        shown = bench.now
        assert (shown.microphone, shown.error) == (MicrophoneState.ABSENT, None)
        assert (shown.microphone_name, shown.speaker_name, shown.device_note) == ("", "Speaker", why)

    story(work)


def test_every_trouble_has_words_with_a_next_step() -> None:
    assert set(NOTES) == set(InputTrouble)
    for note in NOTES.values():
        assert not note or note.split(". ")[1].split()[0] in LEAVES


def test_what_could_be_better_is_said_once_and_is_no_trouble() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        assert bench.sound.listener is not None
        for trouble in (InputTrouble.TELEPHONE, InputTrouble.NONE, InputTrouble.TELEPHONE):
            bench.sound.listener.on_input(trouble)
            assert bench.now.input_note == ""
            assert bench.now.microphone is MicrophoneState.GATED
        assert bench.now.notices.count(NOTES[InputTrouble.TELEPHONE]) == 1

    story(work)


def test_no_two_of_them_are_told_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = [listened(*trouble)[0] for trouble in TROUBLES.values()]
    sentences += [str(make(monkeypatch)) for make in REFUSALS.values()]
    assert len({*sentences}) == len(TROUBLES) + len({"not permitted", "dead"})


def test_a_microphone_that_works_has_nothing_to_be_told() -> None:
    assert listened(lambda at_s: speech(at_s, 0.3), HERE) == ("", TOLD_WITHIN_S)
