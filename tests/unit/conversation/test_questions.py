"""Questions: asked once, twice more after lost links, never of another conversation; silence is nothing to answer."""

from novadesk.conversation import lifecycle as m
from novadesk.conversation.api import Phase, TalkMode
from novadesk.conversation.questions import MOST_REPEATS, Questions
from novadesk.conversation.supervisor import Policy
from novadesk.conversation.uplink import Uplink


def taken(typed: Questions) -> list[str]:
    return list(iter(typed.take, None))


def test_what_a_lost_link_swallowed_is_asked_again_first_but_not_for_ever() -> None:
    questions = Questions()
    questions.add("a", "one")
    assert taken(questions) == ["one"]
    questions.add("b", "two")
    for _ in range(MOST_REPEATS):
        questions.link_lost()
        assert questions.waiting == {"a", "b"}
        assert questions.take() == "one"
    questions.link_lost()
    assert questions.waiting == {"b"}
    assert taken(questions) == ["two"]


def test_what_was_answered_is_not_asked_again() -> None:
    questions = Questions()
    questions.add("a", "one")
    taken(questions)
    questions.answer_began()
    questions.answered()
    questions.link_lost()
    assert taken(questions) == []


def test_an_answer_settles_what_was_asked_before_it_began_and_nothing_else() -> None:
    questions = Questions()
    questions.understood("a", "one")
    questions.answer_began()
    questions.understood("b", "two")
    questions.answered()
    assert questions.asked
    questions.link_lost()
    assert taken(questions) == ["two"]


def test_an_answer_that_began_and_was_not_heard_settles_nothing() -> None:
    questions = Questions()
    questions.understood("a", "one")
    questions.answer_began()
    questions.link_lost()
    questions.answered()
    assert taken(questions) == ["one"]


def test_a_tool_takes_the_question_but_not_the_result_of_another_tool() -> None:
    questions = Questions()
    questions.understood("a", "compare two things")
    questions.tool_asked()
    questions.given("t1", "The result of one is 1")
    questions.tool_asked()
    questions.link_lost()
    assert taken(questions) == ["The result of one is 1"]


def test_what_is_given_up_is_counted() -> None:
    questions = Questions()
    questions.add("a", "one")
    for _ in range(MOST_REPEATS):
        taken(questions)
        assert questions.link_lost() == 0
    taken(questions)
    assert questions.link_lost() == 1


def test_what_was_understood_and_not_answered_is_asked_again_as_text() -> None:
    questions = Questions()
    questions.understood("a", "what time is it")
    assert questions.open
    assert not questions.waiting
    questions.link_lost()
    assert questions.waiting == {"a"}
    assert taken(questions) == ["what time is it"]
    questions.answer_began()
    questions.answered()
    questions.link_lost()
    assert taken(questions) == []


def test_another_conversation_starts_empty() -> None:
    typed = Questions()
    typed.add("a", "one")
    taken(typed)
    typed.add("b", "two")
    typed.clear()
    typed.link_lost()
    assert not typed.waiting


def test_a_hold_without_a_sound_is_silent_and_one_loud_frame_is_enough() -> None:
    uplink = Uplink(mode=TalkMode.HOLD, release_tail_s=0.2, held_s=1.0)
    uplink.present = True
    uplink.press()
    assert not uplink.silent, "no frame came yet: nobody knows"
    uplink.note_level(0.0005, 0.0)
    assert uplink.silent
    uplink.note_level(0.02, 0.0)
    uplink.note_level(0.0, 0.0)
    assert not uplink.silent
    uplink.release(1.0)
    uplink.press()
    assert uplink.silent, "a tap shorter than a frame"


def test_after_silence_the_conversation_is_ready_at_once() -> None:
    listening = m.Lifecycle(phase=Phase.LISTENING, generation=1)
    state, actions = m.step(listening, m.NothingSaid(), 1.0, Policy())
    assert state.phase is Phase.READY
    assert actions == (m.WaitUntil(at=None), m.WaitUntil(at=1.0 + Policy().idle_s, timer=m.Timer.IDLE))
