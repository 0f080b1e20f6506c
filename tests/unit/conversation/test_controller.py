"""The controller against the protocol's own server side, in memory and on virtual time."""

import asyncio

import pytest

from novadesk.conversation.api import MicrophoneState, Phase
from novadesk.conversation.toolbox import Toolbox
from novadesk.errors import KnownError, Reason
from novadesk.models import Role, SyncState
from novadesk.protocol.events import ToolSpec, WireRole
from tests.support.bench import DENIED, FULL, LOST, VOICE, Bench, exchange, story
from tests.support.leaks import LogWatch
from tests.support.memory_service import MemoryArchive


def test_an_exchange_is_heard_answered_and_stored() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        assert bench.now.microphone is MicrophoneState.GATED
        await exchange(bench, "hello", "Hello there.")
        assert bench.texts == [("user", "hello"), ("assistant", "Hello there.")]
        assert VOICE * 3 in bench.linker.newest.heard()
        assert [row.text for row in bench.archive.stored[bench.archive.open or ""]] == ["hello", "Hello there."]
        assert bench.saves >= 2

    story(work)


def test_levels_are_shown_with_their_sound_and_seldom_while_there_is_nothing_to_see() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.sound.stream(0.64, 0.0)
        shown = len(bench.snapshots)
        await bench.sound.stream(3.2, 0.001)
        assert 6 <= len(bench.snapshots) - shown <= 9
        shown = len(bench.snapshots)
        await bench.sound.stream(0.032, 0.1)
        await asyncio.sleep(0.001)
        assert [snapshot.microphone_level for snapshot in bench.snapshots[shown:]] == [0.1]
        await bench.sound.stream(3.2, 0.1)
        assert 45 <= len(bench.snapshots) - shown <= 55
        await bench.sound.stream(0.064, 0.0)
        await asyncio.sleep(0.001)
        assert bench.snapshots[-1].microphone_level == 0.0

    story(work)


def test_the_gate_that_closes_after_its_tail_is_shown_at_once_in_silence() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        await bench.sound.stream(1.0, 0.001)
        bench.controller.release_talk()
        await bench.until(lambda: bench.now.phase is not Phase.LISTENING)
        while bench.now.microphone is MicrophoneState.OPEN:
            await bench.sound.stream(0.032, 0.001)
        await bench.sound.stream(0.032, 0.001)
        await asyncio.sleep(0.001)
        assert bench.snapshots[-1].microphone is MicrophoneState.GATED

    story(work)


def test_what_is_said_while_connecting_is_not_lost() -> None:
    async def work(bench: Bench) -> None:
        await bench.until(lambda: bench.sound.listener is not None)
        assert bench.now.phase is Phase.CONNECTING
        bench.controller.press_talk()
        bench.sound.talk(2)
        await bench.until(lambda: bench.now.phase is Phase.LISTENING)
        await bench.until(lambda: VOICE * 2 in bench.linker.newest.heard())

    story(work)


def test_a_lost_link_comes_back_with_the_history() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "my name is anna", "Nice to meet you, Anna.")
        bench.linker.newest.end(LOST)
        await bench.until(lambda: bench.now.phase is Phase.RECONNECTING)
        assert bench.now.error is not None
        await bench.ready()
        assert len(bench.linker.links) == 2
        told = bench.linker.newest.history()
        await exchange(bench, "who am I", "Anna.")
        told = told or bench.linker.newest.history()
        assert [(message.role, message.text) for message in told] == [
            (WireRole.USER, "my name is anna"),
            (WireRole.ASSISTANT, "Nice to meet you, Anna."),
        ]
        assert any(line.startswith("Back after") for line in bench.now.notices)
        assert len(bench.texts) == 4

    story(work)


def test_a_new_process_resumes_the_open_conversation() -> None:
    archive = MemoryArchive()

    async def first(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "my name is anna", "Nice to meet you, Anna.")

    async def second(bench: Bench) -> None:
        await bench.ready()
        assert bench.now.recovered_turns == 2
        assert bench.now.notices == ("Recovered 2 turns from last time.",)
        assert bench.texts == [("user", "my name is anna"), ("assistant", "Nice to meet you, Anna.")]
        bench.sound.talk()
        await bench.until(lambda: len(bench.linker.newest.history()) == 2)

    story(first, archive)
    story(second, archive)


def test_repeated_failures_wait_longer_and_never_overlap() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.refusals = [LOST] * 4
        bench.linker.newest.end(LOST)
        await bench.until(lambda: bench.now.attempt == 5, most_s=300)
        await bench.ready()
        assert len(bench.linker.links) == 6
        assert bench.now.attempt == 0

    story(work)


def test_a_link_that_never_opens_is_replaced_by_the_watchdog() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.stuck = [True]
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.until(lambda: len(bench.linker.links) == 3)
        await bench.ready()
        assert bench.linker.links[1].closed

    story(work)


def test_what_is_said_while_a_key_does_not_count_yet_is_heard() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.sound.stream(0.16, 0.2)
        assert VOICE not in bench.linker.newest.heard()
        bench.controller.press_talk(held_s=0.1)
        await bench.until(lambda: VOICE in bench.linker.newest.heard())
        await bench.sound.stream(0.32, 0.2)
        assert bench.linker.newest.heard().count(VOICE) == 13, "three frames from before"

    story(work)


def test_a_service_that_answers_only_once_it_hears_audio_is_given_it() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.mutes = [True]
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await asyncio.sleep(5.0)
        assert not bench.linker.newest.listening, "no audio before the answer, for some seconds"
        await bench.until(lambda: bench.linker.newest.listening, most_s=5.0)
        bench.linker.newest.accept()
        await exchange(bench, "hello", "Hi.")
        assert len(bench.linker.links) == 2

    story(work)


def test_a_peer_that_never_says_a_byte_is_not_taken_for_a_service() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.mutes = [True]
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        bench.linker.newest.unheard_s = 6.0
        await asyncio.sleep(9.0)
        assert not bench.linker.newest.listening
        assert bench.now.phase is Phase.RECONNECTING

    story(work)


def test_a_refusal_says_so_releases_the_microphone_and_can_be_tried_again() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.refusals = [DENIED]
        bench.linker.newest.end(LOST)
        await bench.until(lambda: bench.now.phase is Phase.FAILED)
        assert bench.now.error is not None
        assert bench.now.error.what == "Not allowed."
        await bench.until(lambda: bench.sound.listener is None)
        bench.controller.try_now()
        await bench.ready()
        assert bench.now.error is None

    story(work)


def test_the_key_stops_an_answer_and_only_what_was_heard_is_kept() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.user_said("tell me a story")
        bench.linker.newest.plan("Once upon a time there was a fox.")
        bench.linker.newest.speak(48_000, last=False)
        await bench.until(lambda: bool(bench.sound.queued))
        assert bench.sound.listener is not None
        bench.sound.listener.on_played(bench.sound.flushes[-1] if bench.sound.flushes else 0, 24_000, 0.1)
        bench.controller.press_talk()
        assert bench.now.phase is Phase.LISTENING
        assert bench.sound.queued == []
        bench.linker.newest.speak(48_000, last=False)
        await asyncio.sleep(0.1)
        assert bench.sound.queued == [], "the rest of a stopped answer is never played"
        bench.linker.newest.interrupt()
        bench.controller.release_talk()
        bench.linker.newest.user_said("stop please")
        await bench.until(lambda: len(bench.now.turns) == 3)
        user, assistant, _ = bench.now.turns
        assert user.text == "tell me a story"
        assert assistant.role is Role.ASSISTANT
        assert assistant.interrupted
        assert assistant.heard_text.startswith("Once")
        assert len(assistant.heard_text) <= 17, "half of it was played"

    story(work)


def test_a_service_that_never_ends_its_turn_is_recorded_as_heard() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.user_said("hello")
        bench.linker.newest.plan("Hello there.")
        bench.linker.newest.speak(2_400, last=False)
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING and bool(bench.sound.queued))
        bench.sound.play_out()
        await bench.until(lambda: bench.now.phase is Phase.READY and len(bench.now.turns) == 2)
        assert bench.now.turns[1].unconfirmed
        assert bench.now.turns[1].heard_text == "Hello there."
        bench.linker.newest.spoken("Hello there!", last=True)
        await bench.until(lambda: bench.now.turns[1].text == "Hello there!")
        assert not bench.now.turns[1].unconfirmed
        assert len(bench.now.turns) == 2

    story(work)


def test_typed_text_is_a_turn_is_sent_once_and_is_not_replayed_twice() -> None:
    async def work(bench: Bench) -> None:
        bench.controller.say("  first words ")
        await bench.until(lambda: bool(bench.linker.links) and bench.linker.newest.listening)
        await bench.until(lambda: bool(bench.linker.links) and bench.linker.newest.typed() == ["first words"])
        assert bench.linker.newest.history() == ()
        bench.linker.newest.answer("Fine.")
        await bench.until(lambda: len(bench.now.turns) == 2)
        assert bench.now.turns[0].typed
        bench.sound.play_out()
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.ready()
        bench.controller.say("second")
        await bench.until(lambda: bench.linker.newest.typed() == ["second"])
        assert [message.text for message in bench.linker.newest.history()] == ["first words", "Fine."]

    story(work)


def test_a_message_that_is_answered_in_writing_is_not_heard_and_the_next_spoken_question_is() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.say("in writing", aloud=False)
        await bench.until(lambda: bench.linker.newest.typed() == ["in writing"])
        bench.linker.newest.answer("Read this.")
        await bench.until(lambda: bench.now.phase is Phase.READY and len(bench.now.turns) == 2)
        assert [(turn.text, turn.interrupted) for turn in bench.now.turns[1:]] == [("Read this.", False)]
        assert not bench.sound.queued
        await exchange(bench, "out loud", "Hear this.")

    story(work)


def test_a_full_disk_is_said_and_the_turn_is_written_when_there_is_room() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.archive.failures = [FULL, FULL]
        bench.linker.newest.user_said("keep this")
        await bench.until(lambda: bench.now.error is not None)
        assert [turn.sync for turn in bench.now.turns] == [SyncState.LOCAL], "drawn as not saved"
        await bench.until(lambda: bench.now.error is None)
        assert [turn.sync for turn in bench.now.turns] == [SyncState.PENDING]

    story(work)


def test_no_sound_device_leaves_typing_and_says_why() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        assert bench.sound.listener is not None
        bench.sound.fail = KnownError(Reason.NO_MICROPHONE, "There is no microphone.", "Plug one in.")
        await bench.controller.end()
        bench.controller.connect()
        await bench.ready()
        assert bench.now.microphone is MicrophoneState.ABSENT
        assert bench.now.error is not None
        assert bench.now.error.reason == "audio.no_microphone"
        bench.controller.say("hello")
        await bench.until(lambda: bench.linker.newest.typed() == ["hello"])
        bench.linker.newest.answer("Hi.")
        await bench.until(lambda: bench.now.phase is Phase.READY and len(bench.now.turns) == 2)
        bench.sound.fail = None
        await bench.until(lambda: bench.now.microphone is MicrophoneState.GATED)
        assert bench.now.error is None

    story(work)


def test_an_answer_waits_for_a_sound_engine_that_died_and_comes_back() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.user_said("tell me something")
        bench.linker.newest.plan("One and two.")
        bench.linker.newest.speak(24_000, last=False)
        await bench.until(lambda: len(bench.sound.queued) == 1)
        assert bench.sound.listener is not None
        bench.sound.listener.on_lost(KnownError(Reason.ENGINE_DIED, "The sound stopped.", "It comes back."))
        bench.linker.newest.speak(24_000, last=True)
        bench.linker.newest.spoken("One and two.", last=True)
        await bench.until(lambda: len(bench.sound.queued) == 2)
        assert bench.now.microphone is MicrophoneState.ABSENT
        bench.sound.listener.on_opened("Mic", "Speaker", "")
        assert bench.now.error is None
        bench.sound.play_out()
        await bench.until(lambda: bench.now.phase is Phase.READY)
        assert not bench.now.turns[1].interrupted

    story(work)


def test_an_answer_that_nothing_plays_is_given_up_and_silenced(expected_logs: LogWatch) -> None:
    expected_logs.allow("did not play all")

    async def work(bench: Bench) -> None:
        await bench.ready()
        flushes = len(bench.sound.flushes)
        bench.linker.newest.answer("Nobody hears this.")
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        await bench.until(lambda: bench.now.phase is Phase.READY)
        assert len(bench.sound.flushes) == flushes + 1, "it is not played at some later time"

    story(work)


def test_new_conversation_tears_the_old_one_down_first() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        first = bench.now.conversation
        await bench.controller.begin_anew()
        await bench.ready()
        assert bench.linker.links[0].closed
        assert bench.linker.links[0].finished
        assert bench.now.turns == ()
        assert first is not None
        assert bench.now.conversation is not None
        assert bench.now.conversation.handle != first.handle
        await bench.controller.resume(first.handle)
        await bench.ready()
        assert bench.texts == [("user", "one"), ("assistant", "Two.")]

    story(work)


def test_an_unknown_conversation_is_refused_and_the_open_one_goes_on() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        with pytest.raises(KnownError) as refusal:
            await bench.controller.resume("session_1795000000000_abcdefghijklmnopqrstuvwxyz")
        assert refusal.value.reason is Reason.UNKNOWN_CONVERSATION
        assert bench.now.phase is Phase.READY

    story(work)


def test_a_hundred_fast_cycles_leave_nothing_behind() -> None:
    async def work(bench: Bench) -> None:
        for _ in range(100):
            await bench.controller.begin_anew()
        await bench.ready()
        assert sum(not link.closed for link in bench.linker.links) == 1

    story(work)


def test_an_unexpected_tool_request_is_answered_at_once() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        link = bench.linker.newest
        link.user_said("what is the weather")
        link.ask_tool("weather", "{}")
        await bench.until(lambda: link.tool_answers() == ['{"error": "not available"}'])

    story(work)


class SlowTool:
    """Takes its time."""

    spec = ToolSpec(name="slow", description="", input_schema="{}")

    async def call(self, arguments: str) -> str:
        await asyncio.sleep(5)
        return '{"answer": 42}'


def test_a_tool_answers_while_the_conversation_goes_on() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        link = bench.linker.newest
        link.user_said("ask the slow tool")
        link.ask_tool("slow", "{}")
        await bench.until(lambda: bench.now.phase is Phase.TOOL)
        bench.sound.talk(2)
        await bench.until(lambda: link.tool_answers() == ['{"answer": 42}'])

    story(work, toolbox=Toolbox([SlowTool()]))


def test_a_result_that_is_late_after_a_renewal_goes_as_user_text() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.user_said("ask the slow tool")
        bench.linker.newest.ask_tool("slow", "{}")
        await bench.until(lambda: bench.now.phase is Phase.TOOL)
        bench.linker.newest.end(KnownError(Reason.SESSION_LIMIT, "The session is over.", "It is renewed."))
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.ready()
        await bench.until(lambda: bench.linker.newest.typed() == ['The result of slow is {"answer": 42}'])
        assert bench.linker.links[0].tool_answers() == []
        assert [turn.text for turn in bench.now.turns] == ["ask the slow tool"], "the person has not said that"

    story(work, toolbox=Toolbox([SlowTool()]))


def test_without_a_microphone_silence_keeps_the_stream_alive() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        before = len(bench.linker.newest.heard())
        await asyncio.sleep(120)
        heard = bench.linker.newest.heard()[before:]
        assert set(heard) == {0}
        assert len(heard) / 32_000 == pytest.approx(120, abs=1), "silence flows at the pace of real time"
        assert len(bench.linker.links) == 1

    story(work)


def test_a_computer_that_stands_still_puts_no_silence_into_a_sentence() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        before = len(bench.linker.newest.heard())
        await bench.sound.stream(0.64, 0.1)
        asyncio.get_running_loop().stall(2.5)
        await asyncio.sleep(0.001)  # every timer comes first, and then what was captured meanwhile
        bench.sound.talk(80)
        await asyncio.sleep(0.001)
        heard = bench.linker.newest.heard()[before:]
        assert heard == VOICE * 100
        await asyncio.sleep(2.5)
        assert set(bench.linker.newest.heard()[before + len(heard) :]) == {0}, (
            "who brings nothing more is filled in for"
        )

    story(work)


def test_the_eight_minute_limit_is_renewed_at_once_with_the_history() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        bench.linker.newest.end(KnownError(Reason.SESSION_LIMIT, "The session is over.", "It is renewed."))
        await bench.until(lambda: len(bench.linker.links) == 2, most_s=0.5)
        await bench.ready()
        assert [message.text for message in bench.linker.newest.history()] == ["one", "Two."]
        assert bench.now.error is None
        assert "Back after 1 s. 2 turns carried over." in bench.now.notices

    story(work)


def test_mute_sends_silence() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.set_muted(True)
        bench.controller.press_talk()
        bench.sound.talk(4)
        await bench.until(lambda: len(bench.linker.newest.heard()) >= 4 * 1024)
        assert set(bench.linker.newest.heard()) == {0}
        assert bench.now.microphone is MicrophoneState.MUTED

    story(work)
