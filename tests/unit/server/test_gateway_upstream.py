"""A session's upstream against a scripted voice service, on virtual time."""

import asyncio
from dataclasses import replace

from novadesk.config import VoiceSettings
from novadesk.models import Role, Turn
from novadesk.protocol.envelope_server import ContentStart, PipelineState
from novadesk.protocol.envelope_values import CallStatus, ContentKind, Line, Pipeline, Played
from novadesk.server.gateway.archive import write_before
from novadesk.server.gateway.narration import Speech
from tests.support.bench import DENIED, FULL, LOST
from tests.support.gateway_memory import MemorySessions
from tests.support.gateway_world import FRAME, MANY, World, make_record, run_upstream
from tests.support.memory_service import MemoryLinker
from tests.support.virtual_loop import run_virtually


def test_an_exchange_is_told_in_order_and_each_turn_once_it_is_written() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.upstream.hear(FRAME * 3)
        await asyncio.sleep(0.1)
        world.service.user_said("hello")
        world.service.answer("Hello there.", 48_000)
        await world.until(lambda: len(world.turns) == 2)
        assert FRAME * 3 in world.service.heard()

    world = run_upstream(work)
    assert world.script() == [
        "user text", "hello", "text PARTIAL_TURN",
        "assistant text", "Hello there.", "text PARTIAL_TURN",
        "assistant audio", "16382 samples", "16382 samples", "15236 samples", "audio END_TURN",
        "assistant text", "Hello there.", "text END_TURN",
    ]  # fmt: skip
    assert [(turn.role, turn.text) for turn in world.turns] == [(Role.USER, "hello"), (Role.ASSISTANT, "Hello there.")]
    assert world.statuses[0] is CallStatus.CONNECTED


def test_an_answer_is_over_once_the_clock_says_that_it_was_heard() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.service.user_said("hello")
        world.service.answer("Hello there.", 72_000)
        begun = asyncio.get_running_loop().time()
        await world.until(lambda: _complete(world) > 0)
        assert 2.9 <= asyncio.get_running_loop().time() - begun <= 3.3

    run_upstream(work)


def test_what_the_client_says_it_has_played_counts_and_not_the_clock() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.service.user_said("hello")
        world.service.plan("One two three four five six seven eight.")
        world.service.speak(72_000, last=False)
        await asyncio.sleep(0.05)
        played(world, 18_000)
        await asyncio.sleep(2.0)
        played(world, 36_000)
        world.service.spoken("One two three four five six seven eight.", last=False)
        world.service.interrupt()
        await world.until(lambda: len(world.turns) == 2)
        heard = world.turns[1].heard_chars
        assert world.turns[1].interrupted
        assert heard is not None
        assert 10 <= heard <= 28  # half of it

    run_upstream(work)


def played(world: World, samples: int, *, piece: int = -1, last: bool = False) -> None:
    """Have the client say what it has played of a piece of speech, the newest one unless told."""
    pieces = [said for said in world.told if isinstance(said, ContentStart) and said.kind is ContentKind.AUDIO]
    world.upstream.heard(Played(content_id=pieces[piece].content_id, samples=samples, last=last))


def test_what_was_heard_is_counted_for_its_piece_of_speech_however_late_it_is_said() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.service.user_said("hello")
        world.service.answer("First answer.", 24_000)
        await world.until(lambda: len(world.turns) == 2)
        played(world, 24_000)
        world.service.user_said("and?")
        world.service.plan("One two three four five six seven eight.")
        world.service.speak(72_000, last=False)
        await asyncio.sleep(0.05)
        played(world, 24_000, piece=0)  # late: it is no count of the second answer
        await asyncio.sleep(2.0)
        played(world, 36_000)
        world.service.spoken("One two three four five six seven eight.", last=False)
        world.service.interrupt()
        await world.until(lambda: len(world.turns) == 4)
        assert world.turns[1].heard_chars is None
        assert world.turns[3].heard_chars is not None
        assert 10 <= world.turns[3].heard_chars <= 28
        played(world, 72_000)  # of what was silenced: nothing follows from it
        await asyncio.sleep(1.0)
        assert len(world.turns) == 4

    run_upstream(work)


def test_an_answer_that_the_client_silences_is_cut_there_in_the_record_and_told_on() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.service.user_said("hello")
        world.service.plan("One two three four five six seven eight.")
        world.service.speak(72_000, last=False)
        await asyncio.sleep(0.05)
        played(world, 36_000, last=True)
        await asyncio.sleep(5.0)  # the clock would have it heard long since
        world.service.speak(24_000, last=True)
        world.service.spoken("One two three four five six seven eight.", last=True)
        await world.until(lambda: bool(world.turns) and not world.turns[-1].unconfirmed and len(world.turns) > 1)
        cut = world.turns[-1]
        assert cut.interrupted
        assert cut.heard_chars is not None
        assert 10 <= cut.heard_chars <= 28
        world.service.user_said("again")
        world.service.answer("Short.", 12_000)
        await world.until(lambda: world.turns[-1].text == "Short.")

    world = run_upstream(work)
    assert sum(len(said.pcm) // 2 for said in world.told if isinstance(said, Speech)) == 72_000 + 24_000 + 12_000


def test_of_what_is_said_in_private_nothing_is_owed_to_anybody() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.service.user_said("hello")
        world.service.answer("Hello there.", 24_000)
        await world.until(lambda: len(world.turns) == 2)
        assert await world.store.waiting() == ()
        assert len(await world.store.turns(world.record.session_id)) == 2

    run_upstream(work, private=True)


def test_a_call_outlives_its_wire_sessions_and_nobody_notices() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.service.user_said("hello")
        world.service.answer("Hello there.", 24_000)
        await world.until(lambda: len(world.linker.links) == 2 and world.service.listening, most_s=600.0)
        assert [message.text for message in world.service.history()] == ["hello", "Hello there."]
        await world.until(lambda: world.linker.links[0].closed)
        world.service.user_said("still there?")
        world.service.answer("Yes.", 2_400)
        await world.until(lambda: [turn.text for turn in world.turns][2:] == ["still there?", "Yes."])

    assert run_upstream(work).statuses == [CallStatus.CONNECTED]


def test_an_answer_that_breaks_off_ends_as_interrupted_and_its_question_is_asked_again() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.service.user_said("hello")
        world.service.begin_speech()
        await world.until(lambda: "assistant audio" in world.script())
        world.service.end(LOST)
        await world.until(lambda: len(world.linker.links) == 2 and world.service.typed() == ["hello"])
        assert world.script()[-1] == "audio INTERRUPTED"
        assert world.statuses == [CallStatus.CONNECTED, CallStatus.RECONNECTING, CallStatus.CONNECTED]

    run_upstream(work)


def test_a_stopped_answer_makes_no_sound_any_more_and_the_next_one_does() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.service.user_said("hello")
        world.service.plan("A long answer.")
        world.service.speak(24_000, last=False)
        await world.until(lambda: "assistant audio" in world.script())
        world.upstream.stop_answer()
        world.service.speak(24_000, last=True)
        world.service.spoken("A long answer.", last=True)
        world.service.user_said("again")
        world.service.answer("Short.", 12_000)
        await world.until(lambda: "Short." in world.script())
        await world.until(lambda: "12000 samples" in world.script())

    world = run_upstream(work)
    assert [len(said.pcm) // 2 for said in world.told if isinstance(said, Speech)] == [16_382, 7_618, 12_000]


def test_history_is_told_to_the_service_and_never_written_twice() -> None:
    lines = (Line(role=Role.USER, text="I met Dr. Smith."), Line(role=Role.ASSISTANT, text="Good."))

    async def run() -> None:
        store, record = MemorySessions(), make_record()
        await store.create(record, limits=MANY)
        for _ in range(2):
            await write_before(store, record, lines, record.created_ms - 1)
        world = World(store, MemoryLinker(), record)
        await world.upstream.start()
        await world.connected()
        assert [message.text for message in world.service.history()] == ["I met Dr. Smith.", "Good."]
        assert world.upstream.turns == 2
        assert world.turns == []
        await world.upstream.stop()

    run_virtually(run())


def test_a_question_that_another_process_was_asked_and_did_not_answer_is_asked_again() -> None:
    async def run(age_ms: int) -> list[str]:
        store, record = MemorySessions(), make_record()
        await store.create(record, limits=MANY)
        world = World(store, MemoryLinker(), record)
        await store.append_turn(
            Turn(
                turn_id="11111111-2222-4333-8444-555555555555",
                conversation=record.session_id,
                position=-1,
                role=Role.USER,
                text="What did we discuss?",
                at_ms=record.created_ms - age_ms,
                wire_session="11111111-2222-4333-8444-555555555556",
            )
        )
        await world.upstream.start()
        await world.connected()
        await asyncio.sleep(1.0)
        typed, told = world.service.typed(), [message.text for message in world.service.history()]
        await world.upstream.stop()
        assert world.upstream.turns == 1
        return typed + told

    assert run_virtually(run(1_000)) == ["What did we discuss?"]
    assert run_virtually(run(600_000)) == ["What did we discuss?"]  # an old one is told, and not asked


def test_a_text_that_waits_for_its_answer_already_is_not_asked_twice() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.upstream.say("hello")
        await world.until(lambda: world.service.typed() == ["hello"] and len(world.turns) == 1)
        world.upstream.say("hello")
        await asyncio.sleep(1.0)
        assert world.service.typed() == ["hello"]
        world.service.answer("Hello there.", 2_400)
        await world.until(lambda: len(world.turns) == 2)
        await asyncio.sleep(1.0)
        world.upstream.say("hello")
        await world.until(lambda: len(world.turns) == 3)

    run_upstream(work)


def test_a_paused_call_costs_no_link_hears_nothing_and_goes_on() -> None:
    async def work(world: World) -> None:
        await world.connected()
        await world.upstream.pause()
        assert world.service.closed
        await world.until(lambda: world.upstream.status is CallStatus.PAUSED)
        world.upstream.hear(FRAME)
        world.upstream.resume()
        await world.until(lambda: len(world.linker.links) == 2)
        await world.connected()
        assert FRAME not in world.service.heard()

    run_upstream(work)


def test_a_failure_is_told_with_its_reason_and_a_wish_to_go_on_tries_again() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.linker.refusals.append(DENIED)
        world.service.end(LOST)
        await world.until(lambda: world.upstream.status is CallStatus.FAILED)
        world.upstream.resume()
        await world.connected()

    world = run_upstream(work)
    assert CallStatus.FAILED in world.statuses


def test_sound_in_a_rush_is_heard_whole_and_too_much_of_it_loses_the_oldest_with_a_count() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.upstream.hear(FRAME * 400)
        await asyncio.sleep(3.0)
        assert world.service.heard().count(FRAME) == 400
        assert (world.upstream.dropped, world.upstream.waiting_ms) == (0, 0)
        world.upstream.hear(FRAME * 1_000)
        assert world.upstream.dropped > 300
        await asyncio.sleep(5.0)
        assert world.service.heard().count(FRAME) == 1_400 - world.upstream.dropped

    run_upstream(work)


def test_pieces_of_frames_are_put_together_and_the_last_one_is_filled_up() -> None:
    async def work(world: World) -> None:
        await world.connected()
        for _ in range(3):
            world.upstream.hear(b"\x11\x11" * 200)
        world.upstream.end_of_speech()
        await asyncio.sleep(0.2)
        assert world.service.heard().replace(b"\x00", b"") == b"\x11\x11" * 600

    run_upstream(work)


def test_another_voice_comes_into_force_with_the_next_wire_session() -> None:
    async def work(world: World) -> None:
        assert world.upstream.use(VoiceSettings(voice="tiffany"))
        await world.connected()
        assert world.upstream.use(VoiceSettings(voice="tiffany"))
        assert not world.upstream.use(replace(VoiceSettings(), voice="amy"))

    run_upstream(work)


def test_a_closed_ear_sends_silence_and_an_open_one_what_it_hears() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.upstream.listen(on=False)
        world.upstream.hear(FRAME * 5)
        await asyncio.sleep(0.1)
        assert FRAME not in world.service.heard()
        world.upstream.listen(on=True)
        world.upstream.hear(FRAME)
        await asyncio.sleep(0.1)
        assert FRAME in world.service.heard()

    run_upstream(work)


def _complete(world: World) -> int:
    return sum(isinstance(said, PipelineState) and said.state is Pipeline.COMPLETE for said in world.told)


def test_a_text_is_accepted_once_it_is_where_it_survives_and_no_sooner() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.store.direct.failures.append(FULL)
        kept: list[int] = []
        world.upstream.say("hello", lambda: kept.append(len(world.turns)))
        await asyncio.sleep(1.0)
        assert kept == []
        await world.until(lambda: bool(kept))
        assert kept == [1]
        world.upstream.say("hello", lambda: kept.append(len(world.turns)))  # it waits for its answer already
        assert kept == [1, 1]

    run_upstream(work)


def test_a_text_is_taken_once_though_its_request_comes_to_two_processes() -> None:
    async def run(answered: bool) -> list[str]:
        store, record = MemorySessions(), make_record()
        await store.create(record, limits=MANY)
        worlds = [World(store, MemoryLinker(), record) for _ in range(2)]
        one, two = worlds
        await one.upstream.start()
        await one.connected()
        one.upstream.say("hello", request_id="7")
        await one.until(lambda: one.service.typed() == ["hello"] and len(one.turns) == 1)
        if answered:
            one.service.answer("Hello there.", 2_400)
            await one.until(lambda: len(one.turns) == 2)
        kept: list[str] = []
        await two.upstream.start()
        two.upstream.say("hello", lambda: kept.append("at once"), request_id="7")
        assert kept == ["at once"]
        await two.connected()
        await asyncio.sleep(1.0)
        two.upstream.say("hello", request_id="8")
        await asyncio.sleep(1.0)
        typed = two.service.typed()
        for world in worlds:
            await world.upstream.stop()
        assert [turn.text for turn in await store.turns(record.session_id)].count("hello") == 1 + answered
        return typed

    assert run_virtually(run(answered=True)) == ["hello"]  # the other request
    assert run_virtually(run(answered=False)) == ["hello"]  # the one that it owes


def test_it_is_at_rest_once_all_that_was_said_is_answered_and_written() -> None:
    async def work(world: World) -> None:
        upstream = world.upstream
        await world.connected()
        assert upstream.at_rest
        upstream.say("hello")
        assert not upstream.at_rest
        await world.until(lambda: len(world.turns) == 1)
        assert not upstream.at_rest
        world.service.plan("Hello there.")
        world.service.speak(48_000, last=True)
        await asyncio.sleep(0.1)
        assert not upstream.at_rest
        world.service.spoken("Hello there.", last=True)
        await world.until(lambda: len(world.turns) == 2)
        assert upstream.at_rest  # though it is still played
        await asyncio.sleep(3.0)
        assert upstream.at_rest
        world.service.user_said("And now?")
        await world.until(lambda: "And now?" in world.script())
        assert not upstream.at_rest

    run_upstream(work)


def test_it_is_not_at_rest_while_somebody_speaks_who_is_not_understood_yet() -> None:
    async def work(world: World) -> None:
        await world.connected()
        world.upstream.hear(FRAME * 3)
        await asyncio.sleep(1.0)
        assert not world.upstream.at_rest
        world.service.user_said("hello")
        world.service.answer("Hello there.", 2_400)
        await world.until(lambda: len(world.turns) == 2)
        assert world.upstream.at_rest
        await asyncio.sleep(1.0)
        world.upstream.hear(FRAME * 3)  # a cough
        await asyncio.sleep(1.0)
        assert not world.upstream.at_rest
        await asyncio.sleep(3.0)
        assert world.upstream.at_rest
        world.upstream.hear(bytes(len(FRAME)) * 3)
        await asyncio.sleep(0.2)
        assert world.upstream.at_rest

    run_upstream(work)
