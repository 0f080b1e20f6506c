"""Who watches the live wire session sees all that the service says on it, in order, and nothing of another one."""

from novadesk.conversation.api import Phase
from novadesk.protocol.events import AudioOutput, OutputEnd, OutputEvent, OutputStart, TextOutput
from tests.support.bench import LOST, Bench, exchange, story


class Watcher:
    """Keeps what it sees."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def said(self, event: OutputEvent) -> None:
        match event:
            case OutputStart(type=kind):
                self.seen.append(f"start {kind.value}")
            case TextOutput(content=text):
                self.seen.append(text)
            case AudioOutput(pcm=pcm):
                self.seen.append(f"{len(pcm) // 2} samples")
            case OutputEnd(type=kind, stop_reason=reason):
                self.seen.append(f"end {kind.value} {reason.value}")
            case _:
                pass

    def link_over(self) -> None:
        self.seen.append("over")


_ANSWER = [
    "start TEXT", "Hello there.", "end TEXT PARTIAL_TURN",
    "start AUDIO", "24000 samples", "end AUDIO END_TURN",
    "start TEXT", "Hello there.", "end TEXT END_TURN",
]  # fmt: skip


def test_the_whole_exchange_is_seen_in_the_order_of_the_wire() -> None:
    watcher = Watcher()

    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "hello", "Hello there.")

    story(work, observer=watcher)
    assert watcher.seen == ["start TEXT", "hello", "end TEXT PARTIAL_TURN", *_ANSWER, "over"]


def test_the_end_of_a_wire_session_is_seen_before_the_words_of_the_next_one() -> None:
    watcher = Watcher()

    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.user_said("hello")
        bench.linker.newest.plan("Well,")
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        bench.linker.newest.user_said("again")
        await bench.until(lambda: "again" in watcher.seen)

    story(work, observer=watcher)
    assert watcher.seen.index("Well,") < watcher.seen.index("over") < watcher.seen.index("again")
    assert watcher.seen.count("over") == 2


def test_a_wire_session_that_does_not_carry_the_conversation_is_not_seen() -> None:
    watcher = Watcher()

    async def work(bench: Bench) -> None:
        await bench.ready()
        first = bench.linker.newest
        bench.controller.new_conversation()
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        first.user_said("nobody hears this")
        bench.linker.newest.user_said("somebody does")
        await bench.until(lambda: "somebody does" in watcher.seen)

    story(work, observer=watcher)
    assert "nobody hears this" not in watcher.seen
