"""The short sounds come at the right moment, and once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from novadesk.audio.cues import LONGEST_MS
from novadesk.conversation.api import MicrophoneState, Phase, TalkMode
from novadesk.conversation.cueing import MUTED_AGAIN_S, MUTED_FRAMES, Cueing
from novadesk.conversation.ports import SoundListener
from novadesk.errors import KnownError, Reason
from novadesk.models import Cue, InputTrouble
from tests.support.bench import DENIED, LOST, Bench, MemorySound, story
from tests.support.virtual_loop import run_virtually


def test_listening_is_told_with_the_first_real_sample_and_its_end_when_the_gate_closes() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        await bench.sound.stream(1.0, 0.0)
        assert bench.sound.cues == [], "a headset that is still waking up brings zeros"
        await bench.sound.stream(0.5, 0.01)
        assert bench.sound.cues == [Cue.LISTENING]
        bench.controller.release_talk()
        await bench.sound.stream(0.1, 0.01)
        assert bench.sound.cues == [Cue.LISTENING], "the tail still listens"
        await bench.sound.stream(0.5, 0.01)
        assert bench.sound.cues == [Cue.LISTENING, Cue.STOPPED]

    story(work)


def test_hands_free_has_no_cue_for_the_key() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.set_talk_mode(TalkMode.HANDS_FREE)
        bench.controller.press_talk()
        await bench.sound.stream(0.5, 0.01)
        bench.controller.release_talk()
        await bench.sound.stream(0.5, 0.01)
        assert bench.sound.cues == []

    story(work)


GONE = KnownError(Reason.ENGINE_DIED, "The sound stopped.", "It comes back.")
LIMIT = KnownError(Reason.SESSION_LIMIT, "The session is over.", "It is renewed.")


class Moments:
    """What may happen to a press of the key; `sound` is 0.1 s of it, shorter than the release tail."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.controller = bench, bench.controller

    async def do(self, name: str) -> None:
        work = getattr(self, name)()
        if work is not None:
            await work

    def press(self) -> None:
        self.controller.press_talk()

    def release(self) -> None:
        self.controller.release_talk()

    def mute(self) -> None:
        self.controller.set_muted(True)

    def unmute(self) -> None:
        self.controller.set_muted(False)

    def free(self) -> None:
        self.controller.set_talk_mode(TalkMode.HANDS_FREE)

    async def sound(self) -> None:
        await self.bench.sound.stream(0.1, 0.005)

    async def zeros(self) -> None:
        await self.bench.sound.stream(0.1, 0.0)

    async def wait(self) -> None:
        await self.bench.sound.stream(0.5, 0.005)

    def lose(self) -> None:
        self.listener.on_lost(GONE)

    def reopen(self) -> None:
        self.listener.on_opened("Other", "Speaker", "")

    def monitor(self) -> None:
        self.listener.on_input(InputTrouble.MONITOR)

    def well(self) -> None:
        self.listener.on_input(InputTrouble.NONE)

    async def renew(self) -> None:
        known = len(self.bench.linker.links)
        self.bench.linker.newest.end(LIMIT)
        await self.bench.until(lambda: len(self.bench.linker.links) > known and self.bench.linker.newest.listening)

    async def end(self) -> None:
        await self.controller.end()

    async def begin(self) -> None:
        self.controller.connect()
        await self.bench.ready()

    @property
    def listener(self) -> SoundListener:
        assert self.bench.sound.listener is not None
        return self.bench.sound.listener


L, S, M = Cue.LISTENING, Cue.STOPPED, Cue.MUTED


@pytest.mark.parametrize(
    ("moments", "cues"),
    [
        ("press zeros sound sound wait", [L]),
        ("press sound lose reopen sound", [L]),
        ("press sound reopen sound reopen sound", [L]),
        ("press lose reopen zeros sound", [L]),
        ("press sound renew sound wait", [L]),
        ("press sound release press sound wait", [L]),
        ("press sound release sound press sound release wait", [L, S]),
        ("press sound release wait press sound", [L, S, L]),
        ("press press sound press sound", [L]),
        ("press sound monitor zeros well sound wait", [L, S, L]),
        ("press sound monitor zeros release well wait", [L, S]),
        ("press sound mute sound unmute sound wait", [L, M, L]),
        ("press sound mute sound release unmute free wait", [L, M]),
        ("press end begin wait free wait", []),
        ("press sound end begin wait", [L]),
        ("press sound end begin wait press sound release wait", [L, L, S]),
        ("press sound free wait", [L]),
    ],
)
def test_listening_is_told_once_and_again_only_after_its_end_was_told(moments: str, cues: list[Cue]) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        happens = Moments(bench)
        for moment in moments.split():
            await happens.do(moment)
        assert bench.sound.cues == cues

    story(work)


def test_who_talks_while_muted_is_told_so() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.set_muted(True)
        bench.controller.press_talk()
        assert bench.sound.cues == [Cue.MUTED]
        await bench.sound.stream(2.0, 0.2)
        assert bench.sound.cues == [Cue.MUTED], "once"
        bench.controller.set_muted(False)
        await bench.sound.stream(0.1, 0.2)
        assert bench.sound.cues == [Cue.MUTED, Cue.LISTENING]
        bench.controller.set_muted(True)
        await bench.sound.stream(0.1, 0.2)
        assert bench.sound.cues == [Cue.MUTED, Cue.LISTENING, Cue.MUTED]

    story(work)


def test_a_voice_into_a_muted_microphone_is_reminded_now_and_then_an_answer_is_none() -> None:
    cueing, cues = Cueing(), []
    for at in range(round(2.5 * MUTED_AGAIN_S / 0.032)):
        cues += [cueing.frame(0.2, at * 0.032, is_open=False, muted=True, speaking=False)]
    assert cues[MUTED_FRAMES - 1] is Cue.MUTED
    assert cues.count(Cue.MUTED) == 3
    assert {cueing.frame(0.2, 1e6 + at, is_open=False, muted=True, speaking=True) for at in range(50)} == {None}
    assert {cueing.frame(0.001, 2e6 + at, is_open=False, muted=True, speaking=False) for at in range(50)} == {None}


def test_an_outage_sounds_once_however_often_it_is_tried() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.refusals = [LOST, LOST, LOST]
        bench.linker.newest.end(LOST)
        await bench.until(lambda: bench.now.attempt == 3)
        await bench.ready()
        assert bench.sound.cues == [Cue.ERROR]
        await asyncio.sleep(5.0)
        bench.linker.refusals = [DENIED]
        bench.linker.newest.end(LOST)
        await bench.until(lambda: bench.now.phase is Phase.FAILED)
        assert bench.sound.cues == [Cue.ERROR] * 3, "one for the outage, one for giving up"

    story(work)


class SlowSound(MemorySound):
    """Devices that take their time to open; each cue is noted with the time for which it could be heard."""

    def __init__(self, opening_s: float) -> None:
        super().__init__()
        self.opening_s = opening_s
        self.heard_s: list[float] = []
        self._cued_at: list[float] = []

    async def open(self, listener: SoundListener) -> None:
        await asyncio.sleep(self.opening_s)
        await super().open(listener)

    def cue(self, cue: Cue) -> None:
        super().cue(cue)
        if self.listener is not None:
            self._cued_at.append(asyncio.get_running_loop().time())

    async def close(self) -> None:
        await super().close()
        now = asyncio.get_running_loop().time()
        self.heard_s += [now - at for at in self._cued_at]
        self._cued_at.clear()


async def fail_at_once(bench: Bench) -> None:
    """Fail at the first link, which takes 10 ms."""
    bench.linker.refusals = [DENIED]
    bench.controller.connect()


async def fail_after_a_while(bench: Bench) -> None:
    bench.controller.connect()
    await bench.ready()
    await asyncio.sleep(2.0)
    bench.linker.newest.end(DENIED)


async def fail_while_the_key_is_held(bench: Bench) -> None:
    bench.controller.connect()
    await bench.ready()
    await asyncio.sleep(2.0)
    bench.controller.press_talk()
    bench.sound.talk(3)
    bench.linker.newest.end(DENIED)


async def fail_twice(bench: Bench) -> None:
    await fail_at_once(bench)
    await bench.until(lambda: bench.now.phase is Phase.FAILED)
    await asyncio.sleep(3.0)
    bench.linker.refusals = [DENIED]
    bench.controller.try_now()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("opening_s", [0.0, 0.5])
@pytest.mark.parametrize(
    ("fail", "times"),
    [(fail_at_once, 1), (fail_after_a_while, 1), (fail_while_the_key_is_held, 1), (fail_twice, 2)],
)
def test_giving_up_is_heard_to_its_end_and_nothing_is_heard_of_the_person_meanwhile(
    fail: Callable[[Bench], Awaitable[None]], times: int, opening_s: float
) -> None:
    sound = SlowSound(opening_s)

    async def run() -> None:
        bench = Bench(sound=sound)
        await bench.controller.start()
        await fail(bench)
        await bench.until(lambda: bench.now.phase is Phase.FAILED)
        sent = len(bench.linker.newest.heard())
        for _ in range(60):
            if sound.listener is not None:
                sound.talk()
            assert bench.now.microphone is MicrophoneState.ABSENT
            await asyncio.sleep(0.032)
        assert sound.listener is None, "released all the same"
        assert len(bench.linker.newest.heard()) == sent
        await bench.controller.stop()

    run_virtually(run())
    assert [cue for cue in sound.cues if cue is not Cue.LISTENING] == [Cue.ERROR] * times
    assert min(sound.heard_s[-times:]) >= LONGEST_MS / 1000 + 0.2


def test_who_tries_again_at_once_does_not_wait_for_the_cue() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.end(DENIED)
        await bench.until(lambda: bench.now.phase is Phase.FAILED)
        opened = bench.sound.opened
        bench.controller.try_now()
        await asyncio.sleep(0.05)
        assert bench.sound.opened == opened + 1
        await bench.ready()
        assert bench.now.microphone is MicrophoneState.GATED

    story(work)


def test_each_trouble_of_the_microphone_has_its_sentence_and_a_speakers_sound_is_no_microphone() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        listener = bench.sound.listener
        assert listener is not None
        notes = set()
        for trouble in InputTrouble:
            listener.on_input(trouble)
            notes.add(bench.now.input_note)
            absent = bench.now.microphone is MicrophoneState.ABSENT
            assert absent is (trouble is InputTrouble.MONITOR)
            nothing_wrong = trouble in (InputTrouble.NONE, InputTrouble.TELEPHONE)
            assert bool(bench.now.input_note) is not nothing_wrong
        assert len(notes) == len(InputTrouble) - 1, "none for two of them"
        listener.on_lost(KnownError(Reason.ENGINE_DIED, "The sound stopped.", "It comes back."))
        assert bench.now.input_note == ""
        listener.on_input(InputTrouble.NONE)
        assert bench.now.microphone is MicrophoneState.ABSENT
        listener.on_opened("Mic", "Speaker", "")
        assert bench.now.microphone is MicrophoneState.GATED

    story(work)


@pytest.mark.parametrize("leave", ["end_conversation", "pause_conversation"])
def test_nothing_is_wrong_with_a_microphone_that_is_released(leave: str) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        listener = bench.sound.listener
        assert listener is not None
        listener.on_input(InputTrouble.ZEROS)
        assert bench.now.input_note
        getattr(bench.controller, leave)()
        await bench.until(lambda: bench.sound.listener is None)
        assert bench.now.input_note == ""
        listener.on_input(InputTrouble.QUIET)  # told as the devices were being closed
        assert bench.now.input_note == ""

    story(work)


def test_what_a_speaker_says_in_place_of_a_microphone_is_not_sent() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        assert bench.sound.listener is not None
        bench.sound.listener.on_input(InputTrouble.MONITOR)
        before = len(bench.linker.newest.heard())
        await bench.sound.stream(0.5, 0.2)
        assert set(bench.linker.newest.heard()[before:]) == {0}

    story(work)
