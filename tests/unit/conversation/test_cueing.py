"""The short sounds come at the right moment, and once."""

import asyncio

from novadesk.conversation.api import MicrophoneState, TalkMode
from novadesk.conversation.cueing import MUTED_AGAIN_S, MUTED_FRAMES, Cueing
from novadesk.errors import KnownError, Reason
from novadesk.models import Cue, InputTrouble
from tests.support.bench import DENIED, LOST, Bench, story


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
        await bench.until(lambda: bench.now.error is not None and bench.now.error.reason == DENIED.reason.value)
        assert bench.sound.cues == [Cue.ERROR, Cue.ERROR]

    story(work)


def test_each_trouble_of_the_microphone_has_its_sentence_and_two_are_no_microphone() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        listener = bench.sound.listener
        assert listener is not None
        notes = set()
        for trouble in InputTrouble:
            listener.on_input(trouble)
            notes.add(bench.now.input_note)
            absent = bench.now.microphone is MicrophoneState.ABSENT
            assert absent is (trouble in {InputTrouble.DEAD, InputTrouble.MONITOR})
            assert bool(bench.now.input_note) is (trouble is not InputTrouble.NONE)
        assert len(notes) == len(InputTrouble)
        listener.on_lost(KnownError(Reason.ENGINE_DIED, "The sound stopped.", "It comes back."))
        assert bench.now.input_note == ""
        listener.on_input(InputTrouble.NONE)
        assert bench.now.microphone is MicrophoneState.ABSENT
        listener.on_opened("Mic", "Speaker", "")
        assert bench.now.microphone is MicrophoneState.GATED

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
