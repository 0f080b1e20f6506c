from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novadesk.models import Role
from novadesk.server.partner.phrasebook import PHRASES, Intent
from novadesk.server.partner.phrases import understand
from novadesk.server.partner.recall import Said
from novadesk.server.partner.think import Memory, Reply, Scene, answer, asks_clock, note, remember

pytestmark = pytest.mark.thorough

NOON = datetime(2026, 11, 21, 12, 0)
_SPOKEN = st.one_of(
    st.text(max_size=200),
    st.sampled_from([phrase for phrases in PHRASES.values() for phrase in phrases]),
    st.lists(st.sampled_from("what is three plus my name anna did we talk about say stop please".split())).map(
        " ".join
    ),
)


def user(text: str) -> Said:
    return Said(role=Role.USER, text=text)


def partner(text: str) -> Said:
    return Said(role=Role.ASSISTANT, text=text)


def talk(*texts: str, memory: Memory | None = None, now: datetime = NOON) -> Reply:
    """Say one thing after another, hear every answer to its end; return the last answer."""
    memory = memory or Memory()
    reply = None
    for text in texts:
        reply = answer(text, memory, now)
        memory = note(reply.memory, user(text))
        for sentence in reply.sentences:
            memory = note(memory, partner(sentence))
    assert reply is not None
    return reply


def words(reply: Reply) -> str:
    return " ".join(reply.sentences)


@pytest.mark.parametrize(
    ("text", "intent", "part"),
    [
        ("hello", Intent.GREETING, "practice partner"),
        ("hello how are you", Intent.HOW_ARE_YOU, "How are you?"),
        ("my name is anna", Intent.MY_NAME, "Nice to meet you, Anna."),
        ("what is my name", Intent.WHAT_IS_MY_NAME, "not told me your name"),
        ("what is your name", Intent.YOUR_NAME, "simple practice partner"),
        ("are you real", Intent.YOUR_NAME, "often mishear"),
        ("what time is it", Intent.TIME, "It is 12 o'clock in the afternoon."),
        ("what is the date today", Intent.DATE, "Today is Saturday, November 21, 2026."),
        ("what is three plus four", Intent.SUM, "Three plus four is seven."),
        ("help me with a sum", Intent.SUM, "Which sum is it?"),
        ("can you repeat that please", Intent.REPEAT, "I have not said anything yet."),
        ("please speak more slowly", Intent.SLOWER, "more slowly"),
        ("please speak faster", Intent.FASTER, "faster"),
        ("thank you very much", Intent.THANKS, "You are welcome."),
        ("goodbye", Intent.GOODBYE, "Goodbye."),
        ("what can you do", Intent.HELP, "simple practice partner"),
        ("let us practice a conversation about travel", Intent.TRAVEL, "where would you like to go?"),
        ("i would like to order a cup of coffee", Intent.RESTAURANT, "I am the waiter."),
        ("what did we talk about", Intent.TALKED_ABOUT, "not talked about anything yet"),
        ("what did i say", Intent.WHAT_I_SAID, "not said anything"),
        ("what did you tell me", Intent.WHAT_YOU_SAID, "I have not said anything"),
        ("do you remember", Intent.REMEMBER, "not talked about anything yet"),
        ("tell me a joke", Intent.JOKE, "?"),
        ("what is the weather like", Intent.WEATHER, "can not see the weather"),
        ("stop talking", Intent.HUSH, "listening"),
        ("yes", Intent.YES, "tell me more"),
        ("no thank you", Intent.NO, "What would you like"),
        ("let us talk about something else", Intent.END_SCENE, "What would you like"),
    ],
)
def test_each_intent_has_its_answer(text: str, intent: Intent, part: str) -> None:
    reply = talk(text)
    assert reply.intent is intent
    assert part in words(reply)


def test_the_table_of_answers_is_complete() -> None:
    assert {talk(PHRASES[intent][0].replace("is name", "is anna")).intent for intent in Intent} == set(Intent)


def test_free_talk_is_said_back_with_a_question() -> None:
    reply = talk("i went to the market yesterday and bought some apples")
    assert reply.intent is None
    assert "“i went to the market yesterday and bought some apples”" in reply.sentences[0]
    assert reply.sentences[-1].endswith("?")


def test_an_unknown_question_is_not_answered_with_an_invention() -> None:
    assert "I do not know" in words(talk("who is the president of the united states"))


def test_a_name_is_remembered_in_the_same_conversation_and_from_history() -> None:
    assert words(talk("my name is anna", "what time is it", "do you remember my name")) == "Your name is Anna."
    memory = remember([user("hello my name is anna"), partner("Nice to meet you, Anna.")])
    assert words(talk("what is my name", memory=memory)) == "Your name is Anna."
    assert "Goodbye, Anna." in words(talk("goodbye", memory=memory))


def test_the_last_answer_is_repeated() -> None:
    assert talk("what is three plus four", "can you repeat that please").sentences == ("Three plus four is seven.",)
    assert talk("what is three plus four", "repeat that", "say that again").sentences == ("Three plus four is seven.",)
    memory = remember([user("hello"), partner("Good day."), partner("I am here.")])
    assert talk("say it again", memory=memory).sentences == ("Good day.", "I am here.")


def test_the_pace_changes_and_has_bounds() -> None:
    usual = Memory().words_per_minute
    assert talk("please speak more slowly").memory.words_per_minute < usual
    assert talk("please speak faster").memory.words_per_minute > usual
    slowest = talk(*["speak slower"] * 9)
    assert slowest.memory.words_per_minute == 90
    assert "any slower" in words(slowest)
    assert "any faster" in words(talk(*["speak faster"] * 9))


@pytest.mark.parametrize(
    ("hour", "minute", "spoken"),
    [
        (0, 5, "It is 12:05 in the morning."),
        (9, 0, "It is 9 o'clock in the morning."),
        (15, 30, "It is 3:30 in the afternoon."),
        (23, 59, "It is 11:59 in the evening."),
    ],
)
def test_the_time_is_told(hour: int, minute: int, spoken: str) -> None:
    assert words(talk("what time is it", now=NOON.replace(hour=hour, minute=minute))) == spoken


def test_only_questions_of_time_ask_the_clock() -> None:
    assert asks_clock("what time is it")
    assert asks_clock("what day is it today")
    assert not asks_clock("hello")
    assert not asks_clock("")


@pytest.mark.parametrize(("opening", "scene"), [("i am hungry", Scene.RESTAURANT), ("i want to travel", Scene.TRAVEL)])
def test_a_role_play_goes_to_its_end(opening: str, scene: Scene) -> None:
    reply = talk(opening)
    assert reply.memory.scene is scene
    lines = 1
    while reply.memory.scene is not None:
        reply = talk("two people at nine", memory=reply.memory)
        assert "“two people at nine”" in reply.sentences[0]
        lines += 1
    assert lines == 6
    assert "What shall we do next?" in words(reply)


def test_a_role_play_can_be_left_and_asked_aside() -> None:
    assert talk("i am hungry", "stop the role play").memory.scene is None
    assert talk("i am hungry", "goodbye").memory.scene is None
    aside = talk("i am hungry", "what time is it")
    assert aside.intent is Intent.TIME
    assert aside.memory.scene is Scene.RESTAURANT


def test_what_was_talked_about_names_topics_and_sentences_of_both() -> None:
    reply = words(talk("hello how are you", "what is three plus four", "my name is anna", "what did we talk about"))
    assert "We talked about how we are, sums and your name." in reply
    assert "“my name is anna”" in reply
    assert "“Nice to meet you, Anna. I will remember your name.”" in reply
    assert "“what is three plus four”" in reply
    assert "“hello how are you”" in reply


def test_what_was_talked_about_is_answered_from_history() -> None:
    memory = remember([user("i went to the market yesterday"), partner("What did you buy?")])
    reply = words(talk("what did we talk about", memory=memory))
    assert "“i went to the market yesterday”" in reply
    assert "“What did you buy?”" in reply


def test_questions_about_the_past_do_not_become_the_past() -> None:
    reply = words(talk("what is three plus four", "what did we talk about", "what did i say"))
    assert "what did we talk about" not in reply
    assert "“what is three plus four”" in reply


def test_a_question_about_a_topic_finds_its_sentence() -> None:
    memory = remember([user("i went to the market"), partner("Oh."), user("my dog is called rex"), partner("Nice.")])
    assert words(talk("what did i say about the market", memory=memory)) == "You said: “i went to the market”."
    assert "“my dog is called rex”" in words(talk("do you remember what i said about my dog", memory=memory))


def test_the_first_and_the_last_thing_said() -> None:
    memory = remember([user("one thing"), partner("A."), user("another thing"), partner("B.")])
    assert "“one thing”" in words(talk("what was my first question", memory=memory))
    assert talk("what did i say", memory=memory).sentences[0] == "You said: “another thing”."
    assert "“B.”" in words(talk("what did you tell me", memory=memory))


def test_long_sentences_are_quoted_in_part() -> None:
    memory = remember([user("word " * 100), partner("Yes.")])
    assert "and so on" in words(talk("what did i say", memory=memory))


def test_a_long_past_is_bounded() -> None:
    memory = remember([user(f"sentence {number}") for number in range(1_000)])
    assert len(memory.past) == 400
    assert "“sentence 999”" in words(talk("what did we talk about", memory=memory))


@example(texts=["repeat"], history=["", ""], hour=0)
@example(texts=["repeat"], history=["hello", "Two\nlines."], hour=0)
@given(texts=st.lists(_SPOKEN, min_size=1, max_size=5), history=st.lists(_SPOKEN, max_size=4), hour=st.integers(0, 23))
def test_it_never_fails_and_is_never_silent(texts: list[str], history: list[str], hour: int) -> None:
    past = [said(text) for text, said in zip(history, [user, partner] * 2, strict=False)]
    memory = remember(past)
    for text in texts:
        reply = answer(text, memory, NOON.replace(hour=hour))
        assert reply.sentences
        assert all(sentence.strip() and "\n" not in sentence for sentence in reply.sentences)
        assert reply == answer(text, memory, NOON.replace(hour=hour))
        memory = note(reply.memory, user(text))
        assert 90 <= memory.words_per_minute <= 240


@given(text=_SPOKEN)
def test_it_acts_on_a_known_phrase_or_says_what_it_heard(text: str) -> None:
    reply = talk(text)
    match = understand(text)
    if match is not None:
        assert reply.intent is match.intent
    else:
        assert reply.intent is None
        assert "I heard" in reply.sentences[0] or "did not hear any words" in reply.sentences[0]
