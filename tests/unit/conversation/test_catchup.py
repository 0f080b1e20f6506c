"""What a link did not tell comes into record and screen afterwards: whole, in its place, once."""

from novadesk.conversation.api import Phase
from novadesk.models import Role
from novadesk.protocol.transcript import TurnText
from tests.support.bench import LOST, Bench, story

WHOLE = "One two three. Four five six."


def missed(text: str, role: Role = Role.ASSISTANT, **more: object) -> TurnText:
    return TurnText(turn_id="theirs", role=role, text=text, **more)  # type: ignore[arg-type]


async def cut_off(bench: Bench, heard_samples: int) -> None:
    """Have a link lost in the middle of an answer, and the next one opened."""
    service = bench.linker.newest
    bench.controller.say("go")
    await bench.until(lambda: service.typed() == ["go"])
    service.plan("One two three.")
    service.speak(24_000, last=False)
    await bench.until(lambda: bench.now.phase is Phase.SPEAKING and bool(bench.sound.queued))
    if heard_samples and bench.sound.listener is not None:
        bench.sound.listener.on_played(bench.sound.flushes[-1] if bench.sound.flushes else 0, heard_samples, 0.1)
    service.end(LOST)
    await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)


def test_the_whole_answer_takes_the_place_of_the_part_that_was_heard() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await cut_off(bench, 24_000)
        await bench.until(lambda: bench.texts == [("user", "go"), ("assistant", "One two three.")])
        part = bench.now.turns[-1]
        bench.linker.newest.tell(missed(WHOLE))
        await bench.until(lambda: bench.texts == [("user", "go"), ("assistant", WHOLE)])
        whole = bench.now.turns[-1]
        assert (whole.turn_id, whole.position, whole.unconfirmed) == (part.turn_id, part.position, False)
        assert bench.now.live == ()

    story(work)


def test_the_whole_answer_is_there_while_the_part_that_came_is_still_played() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await cut_off(bench, 6_000)
        bench.linker.newest.tell(missed(WHOLE))
        await bench.until(lambda: bench.texts == [("user", "go"), ("assistant", WHOLE)])
        assert bench.now.live == ()
        bench.sound.play_out()
        await bench.until(lambda: bench.now.phase is Phase.READY)
        bench.controller.say("and?")
        await bench.until(lambda: bench.linker.newest.typed() == ["and?"])
        bench.linker.newest.answer("Short.")
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.sound.play_out()
        await bench.until(lambda: len(bench.now.turns) == 4)
        assert [text for _, text in bench.texts] == ["go", WHOLE, "and?", "Short."]

    story(work)


def test_an_answer_that_nothing_was_heard_of_is_a_new_turn() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await cut_off(bench, 0)
        bench.linker.newest.tell(missed(WHOLE, interrupted=True, heard_chars=13))
        await bench.until(lambda: bench.texts == [("user", "go"), ("assistant", "One two three")])
        assert bench.now.turns[-1].interrupted
        bench.sound.play_out()
        await bench.until(lambda: bench.now.phase is Phase.READY)
        assert len(bench.now.turns) == 2

    story(work)


def test_what_is_known_here_is_not_written_again() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.say("go")
        bench.linker.newest.answer(WHOLE)
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.sound.play_out()
        await bench.until(lambda: len(bench.now.turns) == 2 and bench.now.phase is Phase.READY)
        bench.linker.newest.tell(missed("go", Role.USER))
        bench.linker.newest.tell(missed(f"{WHOLE} "))
        bench.linker.newest.tell(missed("More.", Role.USER))
        await bench.until(lambda: len(bench.now.turns) == 3)
        assert [text for _, text in bench.texts] == ["go", WHOLE, "More."]
        assert bench.now.phase is Phase.READY  # nobody is asked again

    story(work)
