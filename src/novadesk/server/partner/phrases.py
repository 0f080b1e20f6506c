"""The phrases that the practice partner knows, and how near a sentence comes to one. Pure."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from functools import lru_cache

from novadesk.server.partner.sums import is_number

LEAST_SIMILARITY = 0.45
"""Nothing is acted on below this. Ten clips of a human reading literature never came above 0.40 against a table of
everyday phrases, while 97-100 % of the known phrases in clear synthetic voices came above it."""

_SURE_SIMILARITY = 0.8
_LONGEST_TEXT = 240


class Intent(Enum):
    """What a sentence wants."""

    GREETING = "greeting"
    HOW_ARE_YOU = "how_are_you"
    MY_NAME = "my_name"
    WHAT_IS_MY_NAME = "what_is_my_name"
    YOUR_NAME = "your_name"
    TIME = "time"
    DATE = "date"
    SUM = "sum"
    REPEAT = "repeat"
    SLOWER = "slower"
    FASTER = "faster"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    HELP = "help"
    TRAVEL = "travel"
    RESTAURANT = "restaurant"
    END_SCENE = "end_scene"
    TALKED_ABOUT = "talked_about"
    WHAT_I_SAID = "what_i_said"
    WHAT_YOU_SAID = "what_you_said"
    REMEMBER = "remember"
    JOKE = "joke"
    WEATHER = "weather"
    HUSH = "hush"
    YES = "yes"
    NO = "no"


RECALLS = frozenset({Intent.TALKED_ABOUT, Intent.WHAT_I_SAID, Intent.WHAT_YOU_SAID, Intent.REMEMBER})
"""Questions about what was said before."""

PHRASES: dict[Intent, tuple[str, ...]] = {
    Intent.GREETING: (
        "hello",
        "hi",
        "hi there",
        "hello there",
        "hello partner",
        "good morning",
        "good afternoon",
        "good evening",
    ),
    Intent.HOW_ARE_YOU: (
        "how are you",
        "how are you today",
        "hello how are you",
        "hello how are you today",
        "hi how are you",
        "how are you doing",
        "how do you do",
        "how is it going",
    ),
    Intent.MY_NAME: (
        "my name is name",
        "hello my name is name",
        "call me name",
        "i am called name",
        "hi my name is name",
    ),
    Intent.WHAT_IS_MY_NAME: (
        "what is my name",
        "do you know my name",
        "do you remember my name",
        "who am i",
        "say my name",
    ),
    Intent.YOUR_NAME: (
        "what is your name",
        "who are you",
        "what are you",
        "do you have a name",
        "are you a robot",
        "are you real",
        "tell me your name",
        "are you a person",
    ),
    Intent.TIME: (
        "what time is it",
        "what is the time",
        "tell me the time",
        "do you know what time it is",
        "can you tell me the time",
        "what time is it now",
    ),
    Intent.DATE: (
        "what day is it",
        "what day is it today",
        "what is the date",
        "what is the date today",
        "what is today",
        "which day is it",
        "what month is it",
        "what year is it",
    ),
    Intent.SUM: (
        "what is number plus number",
        "what is number minus number",
        "what is number times number",
        "what is number divided by number",
        "how much is number plus number",
        "how much is number times number",
        "number plus number",
        "number minus number",
        "number times number",
        "number divided by number",
        "what is number plus number plus number",
        "what is number plus number times number",
        "what is number multiplied by number",
        "add number and number",
        "can you add number and number",
        "help me with a sum",
        "calculate number plus number",
    ),
    Intent.REPEAT: (
        "repeat",
        "repeat that",
        "please repeat that",
        "can you repeat that",
        "can you repeat that please",
        "could you repeat that please",
        "say that again",
        "say that again please",
        "say it again",
        "once more please",
        "pardon",
        "i did not understand",
        "what did you just say",
    ),
    Intent.SLOWER: (
        "speak slower",
        "slower please",
        "please speak slower",
        "please speak more slowly",
        "speak more slowly",
        "can you speak more slowly",
        "you speak too fast",
        "not so fast",
        "slow down please",
    ),
    Intent.FASTER: (
        "speak faster",
        "faster please",
        "please speak faster",
        "can you speak faster",
        "you speak too slowly",
        "speed up please",
    ),
    Intent.THANKS: (
        "thank you",
        "thanks",
        "thank you very much",
        "thanks a lot",
        "thank you for your help",
        "thank you very much for your help",
        "many thanks",
    ),
    Intent.GOODBYE: (
        "goodbye",
        "good bye",
        "bye",
        "bye bye",
        "see you",
        "see you later",
        "see you tomorrow",
        "goodbye and see you next week",
        "good night",
        "that is all for today",
        "i have to go now",
    ),
    Intent.HELP: (
        "help",
        "help me",
        "can you help me",
        "what can you do",
        "what can i say",
        "what can i ask you",
        "what do you understand",
        "how does this work",
        "what should i say",
    ),
    Intent.TRAVEL: (
        "let us practice travel",
        "let us practice a conversation about travel",
        "travel",
        "let us talk about travel",
        "i want to buy a train ticket",
        "i would like to buy a ticket",
        "i need a ticket to london",
        "how do i get to the train station",
        "how do i get to the train station from here",
        "when does the next train leave",
        "i want to travel",
        "i would like to travel to london",
        "i would like a room for two nights",
        "role play travel",
    ),
    Intent.RESTAURANT: (
        "let us practice restaurant",
        "restaurant",
        "let us practice ordering food",
        "let us practice a conversation in a restaurant",
        "let us go to a restaurant",
        "let us play restaurant",
        "i would like to order",
        "i would like to order food",
        "i would like to order a cup of coffee",
        "i would like to order a cup of coffee and a sandwich",
        "can i have the menu please",
        "a table for two please",
        "where can i find a good restaurant",
        "i am hungry",
        "can i have a cup of coffee please",
    ),
    Intent.END_SCENE: (
        "stop the role play",
        "end the role play",
        "stop this role play",
        "leave the restaurant",
        "let us do something else",
        "let us talk about something else",
        "i want to stop",
    ),
    Intent.TALKED_ABOUT: (
        "what did we talk about",
        "what did we talk about before",
        "what did we talk about last time",
        "what did we talk about yesterday",
        "what were we talking about",
        "what have we talked about",
        "what did we say",
        "what did we discuss",
        "where were we",
        "what was our last topic",
    ),
    Intent.WHAT_I_SAID: (
        "what did i say",
        "what did i say before",
        "what did i just say",
        "what did i say last",
        "what did i tell you",
        "what did i ask you",
        "what have i said",
        "what was my question",
        "what was my last question",
        "what was my first question",
        "what did i say first",
        "repeat what i said",
    ),
    Intent.WHAT_YOU_SAID: (
        "what did you say before",
        "what did you tell me",
        "what did you answer",
        "what was your answer",
        "what have you said",
        "what did you say last time",
    ),
    Intent.REMEMBER: (
        "do you remember",
        "do you remember me",
        "do you remember what i said",
        "do you remember what we talked about",
        "do you remember our conversation",
        "do you remember our last conversation",
        "do you remember anything",
        "what do you remember",
        "what do you remember about me",
        "can you remember what i said",
    ),
    Intent.JOKE: ("tell me a joke", "tell me a joke please", "do you know a joke", "make me laugh"),
    Intent.WEATHER: (
        "what is the weather like",
        "what is the weather like today",
        "what is the weather like in london tomorrow",
        "how is the weather",
        "will it rain today",
        "is it raining",
    ),
    Intent.HUSH: (
        "stop",
        "stop talking",
        "be quiet",
        "stop talking for a moment",
        "wait a moment",
        "stop please",
        "quiet",
    ),
    Intent.YES: ("yes", "yes please", "yes i do", "yes that is right", "that is right", "of course", "okay", "sure"),
    Intent.NO: ("no", "no thank you", "no i do not", "not really", "that is wrong", "that is not right", "not now"),
}

_PLAIN_WORDS = frozenset(
    "a about am an and are as at be but by can could did do does for from had has have he her here him his how i if in "
    "is it its just let like may me more much my no not now of on one or our out please she should so some that the "
    "their them then there these they this those to too up us very was we were what when where which who why will with "
    "would you your".split()
)
_SHORT_FORMS = (
    (re.compile(r"\b(what|that|it|here|there|who|how|where|name|he|she|let)'s\b"), r"\1 is"),
    (re.compile(r"\bcan't\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'d\b"), " would"),
)
_SIGNS = {"+": " plus ", "*": " times ", "×": " times ", "÷": " divided by ", "/": " divided by ", "−": " minus "}
_NAME = re.compile(r"\b(my name is|call me|i am called|they call me) ([^\W\d_][\w-]*)")
_NO_NAMES = _PLAIN_WORDS | {"name", "called", "what", "again", "later", "back", "tomorrow", "number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The nearest known phrase. `similarity` is 0 to 1."""

    intent: Intent
    phrase: str
    similarity: float


def plain(text: str) -> str:
    """Return `text` in lower case with short forms written out and nothing but words, numbers and hyphens."""
    plain_text = text[:_LONGEST_TEXT].lower().replace("’", "'")
    for sign, word in _SIGNS.items():
        plain_text = plain_text.replace(sign, word)
    plain_text = re.sub(r"(?<=\d)\s*-\s*(?=\d)", " minus ", plain_text)
    for form, written_out in _SHORT_FORMS:
        plain_text = form.sub(written_out, plain_text)
    plain_text = plain_text.replace("let is ", "let us ")
    return " ".join(re.sub(r"[^\w\s.-]|(?<!\d)\.|\.(?!\d)", " ", plain_text).split())


def find_name(text: str) -> str | None:
    """Return the name that somebody gives as theirs, with a capital, or None."""
    found = _NAME.search(plain(text))
    if found is None or found[2] in _NO_NAMES:
        return None
    return found[2].capitalize()


def content_words(text: str) -> tuple[str, ...]:
    """Return the words that carry meaning, in order."""
    return tuple(word for word in plain(text).split() if word not in _PLAIN_WORDS)


def similarity(first: str, second: str) -> float:
    """Return how near two plain sentences are, 0 to 1: half by words, half by letters."""
    by_words = SequenceMatcher(None, first.split(), second.split(), autojunk=False).ratio()
    by_letters = SequenceMatcher(None, first, second, autojunk=False).ratio()
    return (by_words + by_letters) / 2


@lru_cache(maxsize=1024)
def nearest(text: str) -> Match | None:
    """Return the known phrase nearest to `text`, however far away; None only for a text without words."""
    sentence = _with_slots(plain(text))
    if not sentence:
        return None
    best: Match | None = None
    for intent, phrases in PHRASES.items():
        for phrase in phrases:
            least = best.similarity if best is not None else -1.0
            if _at_most(sentence, phrase) <= least:
                continue
            score = similarity(sentence, phrase)
            if score > least:
                best = Match(intent=intent, phrase=phrase, similarity=score)
    return best


def understand(text: str) -> Match | None:
    """Return the known phrase to act on, or None.

    It must be at least `LEAST_SIMILARITY` near, and share a word that carries meaning unless it is very near: at 0.45
    alone, many free sentences would meet some phrase by their small words.
    """
    match = nearest(text)
    if match is None or match.similarity < LEAST_SIMILARITY:
        return None
    if match.similarity < _SURE_SIMILARITY and not _share_meaning(_with_slots(plain(text)), match.phrase):
        return None
    return match


def _with_slots(sentence: str) -> str:
    """Return a plain sentence with its name and numbers replaced by the words "name" and "number"."""
    found = _NAME.search(sentence)
    if found is not None and found[2] not in _NO_NAMES:
        sentence = f"{sentence[: found.start(2)]}name{sentence[found.end(2) :]}"
    words: list[str] = []
    for word in sentence.split():
        if not is_number(word):
            words.append(word)
        elif not words or words[-1] != "number":
            words.append("number")
    return " ".join(words)


def _at_most(first: str, second: str) -> float:
    """Return a cheap upper bound of `similarity`: by word counts and lengths."""
    words, others = first.count(" ") + 1, second.count(" ") + 1
    by_words = 2 * min(words, others) / (words + others)
    by_letters = 2 * min(len(first), len(second)) / (len(first) + len(second))
    return (by_words + by_letters) / 2


def _share_meaning(sentence: str, phrase: str) -> bool:
    known = [word for word in phrase.split() if word not in _PLAIN_WORDS]
    if not known:
        return True
    return any(
        SequenceMatcher(None, word, other, autojunk=False).ratio() >= 0.75
        for word in sentence.split()
        if word not in _PLAIN_WORDS
        for other in known
    )
