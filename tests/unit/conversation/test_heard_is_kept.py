"""What the person heard of an answer is in the record, in whatever order speech, texts, links and stops come."""

from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from novadesk.conversation import lifecycle
from novadesk.conversation.downlink import Downlink, DownlinkListener
from novadesk.conversation.privacy import PrivateTurns
from novadesk.models import Turn
from novadesk.protocol.events import StopReason
from novadesk.protocol.heard import heard_length
from novadesk.protocol.session_events import SpeechEnded, SpeechReceived, TextPlanned, TextSpoken, TurnEnded
from novadesk.protocol.transcript import TurnText
from tests.support.bench import LOST, Bench, exchange, story

SENTENCE = 24_000
PLANS = [f"ash{n:02} birch{n:02} cedar{n:02} elm{n:02}." for n in range(20)]


@dataclass
class Person:
    """One person at a speaker, and the record of what they hear."""

    downlink: Downlink = field(init=False)
    record: PrivateTurns = field(default_factory=PrivateTurns)
    kept: dict[str, Turn] = field(default_factory=dict)
    queue: list[int] = field(default_factory=list)
    count: int = 0
    generation: int = 0
    said: int = 0
    owed: list[int] = field(default_factory=list)
    confirmed: set[int] = field(default_factory=set)
    heard: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.downlink = Downlink(
            DownlinkListener(
                play=lambda _pcm, _generation: self.queue.append(self.said),
                flush=self._flush,
                keep=self._keep,
                tell=self._tell,
                ask_tool=lambda _request: None,
                key_held=lambda: False,
                on_held=lambda: None,
                talks_anew=lambda: False,
            )
        )
        self.downlink.set_speaker(present=True)

    def do(self, step: str | int) -> None:
        match step:
            case "say":
                self.said += 1
                self.owed.append(self.said)
                self.downlink.take(TextPlanned(f"p{self.said}", PLANS[self.said]), 0.0)
                self.downlink.take(SpeechReceived(f"a{self.said}", bytes(2 * SENTENCE)), 0.0)
                self.downlink.take(SpeechEnded(f"a{self.said}", StopReason.PARTIAL_TURN), 0.0)
            case "final" if self.owed:
                self.confirmed.add(self.owed[0])
                self.downlink.take(TextSpoken("f", PLANS[self.owed.pop(0)], StopReason.PARTIAL_TURN), 0.0)
            case "end":
                self.downlink.take(TurnEnded(), 0.0)
            case "lost":
                self.owed.clear()
                self.downlink.link_over()
            case "stop":
                self.downlink.stop()
            case int():
                self.play(step)

    def play(self, samples: int) -> None:
        until = min(self.count + samples, len(self.queue) * SENTENCE)
        for at, sentence in enumerate(self.queue):
            played = min(max(until - at * SENTENCE, 0), SENTENCE)
            self.heard[sentence] = max(self.heard.get(sentence, 0), played)
        self.count = until
        self.downlink.played(self.generation, until, 0.0)

    def _flush(self, generation: int) -> None:
        self.generation, self.count = generation, 0
        self.queue.clear()

    def _tell(self, event: lifecycle.Event) -> None:
        if isinstance(event, lifecycle.AnswerInterrupted):
            self.downlink.flush()

    def _keep(self, text: TurnText) -> None:
        turn = self.record.add(
            Turn(
                turn_id=text.turn_id,
                conversation="c",
                position=-1,
                role=text.role,
                text=text.text,
                at_ms=0,
                wire_session="w",
                heard_chars=text.heard_chars,
                interrupted=text.interrupted,
                unconfirmed=text.unconfirmed,
            )
        )
        known = self.kept.get(turn.turn_id)
        assert known is None or turn.unconfirmed <= known.unconfirmed
        self.kept[turn.turn_id] = turn
        self.downlink.stored(turn.turn_id)


STEPS = st.one_of(st.sampled_from(["say", "say", "final", "end", "lost", "stop"]), st.integers(1, 2 * SENTENCE))


@given(st.lists(STEPS, max_size=19))
@example(["say", "end", "lost"])
@example(["say", SENTENCE, "lost", "say"])
@example(["say", "say", "final", "lost", "say"])
@example(["say", 5_000, "end", "lost", 5_000, "stop"])
@example(["say", "say", "final", "end", 9_000, "lost"])
@example(["say", "end", "lost", 5_000, "say", "end", "lost", "say", "end"])
@example(["say", "end", "say", "end", 9_000, "say", "final", "end"])
def test_nothing_heard_is_missing_from_the_record_and_nothing_is_doubled(steps: list[str | int]) -> None:
    person = Person()
    for step in [*steps, "lost", len(steps) * SENTENCE]:
        person.do(step)
    turns = sorted(person.kept.values(), key=lambda turn: turn.position)
    heard = " ".join(turn.heard_text for turn in turns)
    for sentence in range(1, person.said + 1):
        text = PLANS[sentence]
        chars = heard_length(text, person.heard.get(sentence, 0) / SENTENCE)
        assert text[:chars] in heard, "what was heard is there"
        assert heard.count(text.split()[0]) <= 1, "and there once"
        if sentence not in person.confirmed and chars < len(text):
            assert text[chars:].split()[0] not in heard, "and no more of it"
    assert not person.downlink.live()


def test_the_rest_of_an_answer_that_was_all_sent_is_kept_and_told_to_the_next_wire_session() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        link = bench.linker.newest
        link.user_said("hello")
        link.plan("Good day to you all.")
        link.speak(48_000, last=True)
        await bench.until(lambda: bench.now.live != ())
        link.end(LOST)
        await bench.until(lambda: len(bench.linker.links) > 1 and bench.linker.newest.listening)
        assert [message.text for message in bench.linker.newest.history()] == ["hello", "Good day to you all."]
        bench.sound.play_out()
        await bench.until(lambda: len(bench.now.turns) == 2)
        await exchange(bench, "and now", "Still a good day.")

    (turns,) = story(work).archive.stored.values()
    texts = [turn.text for turn in turns]
    assert texts == ["hello", "Good day to you all.", "and now", "Still a good day."]
    assert [turn.unconfirmed for turn in turns] == [False, True, False, False]
