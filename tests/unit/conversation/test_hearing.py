"""Who wants to know what the person hears is told it, piece by piece, and when nothing more of it will be heard."""

from novadesk.conversation.api import Phase
from tests.support.bench import Bench, story


class Ear:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, bool]] = []

    def heard(self, content_id: str, samples: int, *, last: bool) -> None:
        self.told.append((content_id, samples, last))


def play(bench: Bench, samples: int) -> None:
    assert bench.sound.listener is not None
    bench.sound.listener.on_played(bench.sound.flushes[-1] if bench.sound.flushes else 0, samples, 0.1)


async def speaking(bench: Bench) -> None:
    await bench.ready()
    bench.linker.newest.user_said("hello")
    bench.linker.newest.plan("One two. Three four.")
    bench.linker.newest.speak(24_000, last=False)
    bench.linker.newest.speak(12_000, last=False)
    await bench.until(lambda: bench.now.phase is Phase.SPEAKING and len(bench.sound.queued) == 2)


def test_what_is_played_is_told_by_the_piece_that_it_belongs_to() -> None:
    ear = Ear()

    async def work(bench: Bench) -> None:
        await speaking(bench)
        for samples in (6_000, 23_000, 30_000, 36_000):
            play(bench, samples)

    story(work, hearing=ear)
    first, second = dict.fromkeys(content_id for content_id, _, _ in ear.told)
    assert ear.told == [(first, 6_000, False), (first, 23_000, False), (second, 6_000, False), (second, 12_000, False)]


def test_an_answer_that_is_stopped_is_told_to_be_over_where_it_was() -> None:
    ear = Ear()

    async def work(bench: Bench) -> None:
        await speaking(bench)
        play(bench, 30_000)
        bench.controller.stop_speaking()
        await bench.until(lambda: bench.now.phase is not Phase.SPEAKING)

    story(work, hearing=ear)
    assert [(samples, last) for _, samples, last in ear.told] == [(6_000, False), (6_000, True)]


def test_an_answer_that_was_heard_whole_is_not_told_to_be_cut() -> None:
    ear = Ear()

    async def work(bench: Bench) -> None:
        await speaking(bench)
        bench.linker.newest.spoken("One two. Three four.", last=True)
        play(bench, 36_000)
        await bench.until(lambda: bench.now.phase is Phase.READY)
        bench.controller.press_talk()

    story(work, hearing=ear)
    assert not any(last for _, _, last in ear.told)
