"""The practice partner on a call, with fake ears and voice, on virtual time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime

import pytest

from novadesk.config import VoiceSettings
from novadesk.errors import KnownError, Reason
from novadesk.protocol.events import ToolSpec, WireRole
from novadesk.protocol.history import HistoryMessage
from novadesk.scenario import Chosen, SpeakingPace
from novadesk.server.partner.mind import Mind, Question, RuleMind, Thought
from novadesk.server.partner.mouth import Pace
from novadesk.server.partner.practice import PracticePartner, PracticeParts, read_time
from novadesk.server.partner.recognise import RecogniserPool, parts_missing
from novadesk.server.partner.think import USUAL_WORDS_PER_MINUTE
from tests.support.fake_call import InlineWorker, Phone, ring
from tests.support.virtual_loop import run_virtually

SPEECH, QUIET = b"\x01\x40" * 512, b"\x01\x00" * 512
SENTENCE_S = 2.0


class LevelActivity:
    def __call__(self, window: bytes, /) -> float:
        return 0.9 if window[1] else 0.1

    def reset(self) -> None:
        pass


class Heard:
    """A recogniser that hears what the test put in."""

    def __init__(self) -> None:
        self.texts: deque[str] = deque()

    def start(self, tuning: str) -> None:
        pass

    def tuning(self) -> str:
        return ""

    def feed(self, pcm: bytes) -> None:
        pass

    def finish(self) -> str:
        return self.texts.popleft() if self.texts else ""


class FlatVoice:
    """Every sentence takes two seconds."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, int]] = []

    def say(self, sentence: str, *, voice: str, english: bool, words_per_minute: int, rate_hz: int) -> bytes:
        self.said.append((sentence, voice, words_per_minute))
        return b"\x01\x02" * round(rate_hz * SENTENCE_S)


class SlowMind:
    """Thinks for three seconds before each of its sentences."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        self.asked: list[str] = []
        self.closed = 0

    async def think(self, question: Question) -> AsyncGenerator[Thought]:
        self.asked.append(question.text)
        try:
            for sentence in self.sentences:
                await asyncio.sleep(3)
                yield Thought(sentence=sentence, memory=question.memory)
        finally:
            self.closed += 1


class Scene:
    """A partner made of fakes."""

    def __init__(self, mind: Mind | None = None) -> None:
        self.heard = Heard()
        self.voice = FlatVoice()
        self.parts = PracticeParts(
            activity=LevelActivity,
            pool=RecogniserPool(lambda: self.heard, most=1),
            voice=self.voice,
            mind=lambda worker: mind or RuleMind(worker),
            now=lambda: datetime(2026, 11, 21, 15, 0),
            worker=InlineWorker,
        )
        self.partner = PracticePartner(self.parts)

    async def say(self, phone: Phone, text: str, *, speech_ms: int = 640) -> None:
        """Speak in real time, then be quiet for as long as it takes to end an utterance."""
        self.heard.texts.append(text)
        await phone.speak_in_real_time(SPEECH * (speech_ms // 32))
        await phone.speak_in_real_time(QUIET * 22)


def hold(scene: Scene, act: Callable[[Phone], Awaitable[None]], **options: object) -> Phone:
    """Hold a call on virtual time; return it when it is over."""

    async def run() -> Phone:
        phone = ring(scene.partner, **options)  # type: ignore[arg-type]
        try:
            await act(phone)
        finally:
            await phone.hang_up()
        return phone

    return run_virtually(run())


def test_an_utterance_is_answered_in_the_order_of_the_service() -> None:
    scene = Scene()

    async def act(phone: Phone) -> None:
        await scene.say(phone, "thank you")
        await phone.wire.until(lambda wire: len(wire.texts("usage")) == 2)

    wire = hold(scene, act).wire
    assert wire.told() == [
        ("user", "thank you"),
        ("plan", "You are welcome."),
        ("speech end", "PARTIAL_TURN"),
        ("plan", "Shall we go on?"),
        ("speech end", "END_TURN"),
        ("final", "You are welcome."),
        ("final", "Shall we go on?"),
        ("turn over", ""),
    ]
    assert len(wire.pcm) == 2 * 2 * 24_000 * SENTENCE_S


def test_speech_is_faster_than_real_time_and_final_text_is_not() -> None:
    scene = Scene()

    async def act(phone: Phone) -> None:
        await phone.type("what is your name")
        await phone.wire.until_turn_ends()

    wire = hold(scene, act).wire
    rows = wire.rows
    speech = [row.at_s for row in rows if row.what == "speech"]
    first_end = next(row.at_s for row in rows if row.what == "speech end")
    finals = [row.at_s for row in rows if row.what == "final"]
    assert first_end < 0.5
    assert speech[0] == 0
    assert len(set(speech)) > 10
    assert max(int(text) for text in wire.texts("speech")) <= 4_800
    assert finals == pytest.approx([2.1, 4.1], abs=0.01)


def test_typed_text_is_answered_at_once_and_not_sent_back() -> None:
    scene = Scene()

    async def act(phone: Phone) -> None:
        await phone.type("what is three plus four")
        await phone.wire.until_turn_ends()

    wire = hold(scene, act).wire
    assert wire.texts("user") == []
    assert wire.texts("final") == ["Three plus four is seven."]


def test_nobody_is_greeted_unasked() -> None:
    async def act(phone: Phone) -> None:
        await phone.speak(QUIET * 300)
        await asyncio.sleep(30)

    assert hold(Scene(), act).wire.rows == []


def test_confirmed_speech_interrupts_and_the_new_utterance_is_answered() -> None:
    scene = Scene()

    async def act(phone: Phone) -> None:
        await phone.type("what is your name")
        await asyncio.sleep(2.5)
        await scene.say(phone, "what is three plus four")
        await phone.wire.until_turn_ends()

    wire = hold(scene, act).wire
    assert wire.texts("final") == ["I am a simple practice partner.", "Three plus four is seven."]
    told = wire.told("interrupted", "user", "final")
    assert [what for what, _ in told] == ["final", "interrupted", "user", "final"]
    interrupted = next(row.at_s for row in wire.rows if row.what == "interrupted")
    assert 2.5 + 0.19 <= interrupted <= 2.5 + 0.4


def test_after_an_interruption_the_next_answer_is_confirmed_on_its_own_clock() -> None:
    scene = Scene()

    async def act(phone: Phone) -> None:
        await phone.type("what can you do")
        await asyncio.sleep(0.5)
        await phone.type("thank you")
        await phone.wire.until_turn_ends()

    wire = hold(scene, act).wire
    assert [what for what, _ in wire.told("interrupted", "final")] == ["interrupted", "final", "final"]
    assert wire.rows[-2].at_s < 0.5 + 2 * SENTENCE_S + 0.5


def test_a_short_sound_does_not_interrupt() -> None:
    scene = Scene()

    async def act(phone: Phone) -> None:
        await phone.type("what is your name")
        await asyncio.sleep(1.0)
        await scene.say(phone, "the mumbled", speech_ms=160)
        await phone.wire.until_turn_ends()

    wire = hold(scene, act).wire
    assert wire.texts("interrupted") == []
    assert wire.texts("user") == []
    assert len(wire.texts("final")) == 2


def test_a_short_known_word_does_interrupt() -> None:
    scene = Scene()

    async def act(phone: Phone) -> None:
        await phone.type("what is your name")
        await asyncio.sleep(1.0)
        await scene.say(phone, "stop", speech_ms=160)
        await phone.wire.until_turn_ends()

    wire = hold(scene, act).wire
    assert [what for what, _ in wire.told("interrupted", "user")] == ["interrupted", "user"]
    assert wire.texts("final") == ["All right, I am listening."]


def test_speech_while_it_thinks_drops_the_answer_in_silence() -> None:
    mind = SlowMind("Well.")
    scene = Scene(mind)

    async def act(phone: Phone) -> None:
        await scene.say(phone, "first question")
        await asyncio.sleep(0.5)
        await scene.say(phone, "second question")
        await phone.wire.until_turn_ends()

    wire = hold(scene, act).wire
    assert mind.asked == ["first question", "second question"]
    assert mind.closed == 2
    assert wire.told("user", "interrupted", "plan", "final") == [
        ("user", "first question"),
        ("user", "second question"),
        ("plan", "Well."),
        ("final", "Well."),
    ]


def test_noise_while_it_thinks_does_not_cost_the_answer() -> None:
    mind = SlowMind("Well.")
    scene = Scene(mind)

    async def act(phone: Phone) -> None:
        await scene.say(phone, "first question")
        await asyncio.sleep(0.5)
        await scene.say(phone, "")
        await phone.wire.until_turn_ends()

    wire = hold(scene, act).wire
    assert mind.asked == ["first question"] * 2
    assert wire.texts("user") == ["first question"]
    assert wire.texts("final") == ["Well."]


def test_speech_before_the_second_sentence_stops_the_rest() -> None:
    mind = SlowMind("One.", "Two.", "Three.")
    scene = Scene(mind)

    async def act(phone: Phone) -> None:
        await phone.type("tell me")
        await phone.wire.until(lambda wire: wire.texts("plan") == ["One."])
        await asyncio.sleep(1)
        await scene.say(phone, "")
        await asyncio.sleep(20)

    wire = hold(scene, act).wire
    assert wire.texts("plan") == ["One."]
    assert wire.texts("final") == []
    assert len(wire.texts("interrupted")) == 1
    assert wire.texts("speech end") == ["END_TURN"]
    assert mind.closed == 1


def test_what_was_not_heard_is_not_remembered() -> None:
    scene = Scene()

    async def act(phone: Phone) -> None:
        await phone.type("what is your name")
        await asyncio.sleep(3.0)
        await phone.type("what did you tell me")
        await phone.wire.until_turn_ends()

    wire = hold(scene, act).wire
    assert wire.texts("final")[-1] == "I said: “I am a simple practice partner.”"


def test_the_replayed_history_is_remembered() -> None:
    history = (
        HistoryMessage(WireRole.USER, "hello\nmy name is anna"),
        HistoryMessage(WireRole.ASSISTANT, "Nice to meet you, Anna.\nI will remember your name."),
    )

    async def act(phone: Phone) -> None:
        await phone.type("what did we talk about")
        await phone.wire.until_turn_ends()
        await phone.type("what is my name")
        await phone.wire.until_turn_ends(2)

    finals = hold(Scene(), act, history=history).wire.texts("final")
    assert "You said: “my name is anna”." in finals
    assert finals[-1] == "Your name is Anna."


def test_the_pace_asked_for_reaches_the_voice() -> None:
    scene = Scene()

    async def act(phone: Phone) -> None:
        await phone.type("please speak more slowly")
        await phone.wire.until_turn_ends()
        await phone.type("thank you")
        await phone.wire.until_turn_ends(2)

    hold(scene, act, voice="tiffany")
    assert scene.voice.said[0] == ("All right, I will speak more slowly.", "tiffany", 125)
    assert scene.voice.said[-1][2] == 125


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
def test_speech_has_the_rate_asked_for(rate_hz: int) -> None:
    async def act(phone: Phone) -> None:
        await phone.type("what is three plus four")
        await phone.wire.until_turn_ends()

    assert len(hold(Scene(), act, output_rate_hz=rate_hz).wire.pcm) == 2 * rate_hz * SENTENCE_S


CLOCK = ToolSpec(name="current_time", description="Tells the time.", input_schema="{}")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"iso": "2026-01-02T09:30:00+01:00", "spoken": "half past nine"}', "It is 9:30 in the morning."),
        ('{"error": "not available"}', "It is 3 o'clock in the afternoon."),
        ("no json", "It is 3 o'clock in the afternoon."),
        (None, "It is 3 o'clock in the afternoon."),
    ],
)
def test_the_time_is_asked_of_the_callers_clock(content: str | None, told: str) -> None:
    async def act(phone: Phone) -> None:
        await phone.type("what time is it")
        await phone.wire.until(lambda wire: bool(wire.tool_use_ids))
        if content is not None:
            await phone.answer_tool(content)
        await phone.wire.until_turn_ends()

    wire = hold(Scene(), act, tools=(CLOCK,)).wire
    assert wire.texts("tool") == ["current_time"]
    assert wire.texts("final") == [told]


def test_no_tool_is_used_that_was_not_offered() -> None:
    async def act(phone: Phone) -> None:
        await phone.type("what time is it")
        await phone.wire.until_turn_ends()

    assert hold(Scene(), act).wire.texts("tool") == []


@pytest.mark.parametrize(
    ("answer", "hour"),
    [('{"a": 1, "b": "2026-05-06T07:08:09"}', 7), ('"2026-05-06T07:08:09"', 7), ("[]", None), ("{}", None), ("", None)],
)
def test_reading_a_tools_time(answer: str, hour: int | None) -> None:
    found = read_time(answer)
    assert (found.hour if found is not None else None) == hour


def test_missing_parts_are_told_to_the_server() -> None:
    scene = Scene()

    def missing() -> LevelActivity:
        raise parts_missing()

    parts = PracticeParts(
        activity=missing, pool=scene.parts.pool, voice=scene.voice, mind=scene.parts.mind, worker=InlineWorker
    )

    async def run() -> KnownError:
        phone = ring(PracticePartner(parts))
        with pytest.raises(KnownError) as caught:
            await phone.partner
        return caught.value

    error = run_virtually(run())
    assert error.reason is Reason.PRACTICE_PARTS_MISSING
    assert "make setup" in error.advice
    assert "novadesk-practice" in error.advice


def test_a_broken_voice_is_told_to_the_server() -> None:
    class Mute:
        def say(self, sentence: str, *, voice: str, english: bool, words_per_minute: int, rate_hz: int) -> bytes:
            raise KnownError(Reason.PRACTICE_FAILED, "No voice.", "Install it.")

    scene = Scene()
    parts = PracticeParts(
        activity=LevelActivity, pool=scene.parts.pool, voice=Mute(), mind=scene.parts.mind, worker=InlineWorker
    )

    async def run() -> None:
        phone = ring(PracticePartner(parts))
        await phone.type("hello")
        with pytest.raises(KnownError, match="No voice"):
            await phone.partner

    run_virtually(run())


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.3, 1.0, 3.0, 5.0])
@pytest.mark.parametrize("how", [Phone.hang_up, Phone.drop])
def test_the_caller_may_leave_at_any_time(after_s: float, how: Callable[[Phone], Awaitable[None]]) -> None:
    scene = Scene()

    async def run() -> None:
        phone = ring(scene.partner)
        scene.heard.texts.append("what can you do")
        talking = asyncio.create_task(phone.speak_in_real_time(SPEECH * 20 + QUIET * 22 + SPEECH * 100))
        await asyncio.sleep(after_s)
        await how(phone)
        assert phone.partner.done()
        assert asyncio.all_tasks() == {asyncio.current_task(), talking} or talking.done()
        await talking

    run_virtually(run())


def test_the_pace_of_sending_can_be_set() -> None:
    scene = Scene()
    parts = PracticeParts(
        activity=LevelActivity,
        pool=scene.parts.pool,
        voice=scene.voice,
        mind=scene.parts.mind,
        worker=InlineWorker,
        pace=Pace(chunk_s=0.5, burst_s=0.0, speed=2.0),
    )

    async def run() -> Phone:
        phone = ring(PracticePartner(parts))
        await phone.type("what is three plus four")
        await phone.wire.until_turn_ends()
        await phone.hang_up()
        return phone

    rows = [row for row in run_virtually(run()).wire.rows if row.what == "speech end"]
    assert rows[0].at_s == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("pace", "compares"), [(SpeakingPace.SLOW, -1), (None, 0), (SpeakingPace.BRISK, 1)])
def test_it_speaks_as_fast_as_a_scenario_asks(pace: SpeakingPace | None, compares: int) -> None:
    chosen = Chosen(name="a", title="a", prompt="Chat. Do not speak fast.", language="en", pace=pace)
    scene = Scene()

    async def act(phone: Phone) -> None:
        await phone.type("what is three plus four")
        await phone.wire.until_turn_ends()

    hold(scene, act, system_prompt=chosen.voice_settings(VoiceSettings()).prompt)
    ((_, _, words_per_minute),) = scene.voice.said
    assert (words_per_minute > USUAL_WORDS_PER_MINUTE) - (words_per_minute < USUAL_WORDS_PER_MINUTE) == compares
