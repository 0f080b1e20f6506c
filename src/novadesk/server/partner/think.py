"""Think: one sentence in, an answer out, by rules. Pure: the past and the time are handed in."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from novadesk.models import Role
from novadesk.server.partner.phrasebook import Intent
from novadesk.server.partner.phrases import find_name, plain, understand
from novadesk.server.partner.recall import Said, partner_said, quote, talked_about, user_said
from novadesk.server.partner.sums import find_sum, say_sum

USUAL_WORDS_PER_MINUTE = 160
_SLOWEST, _FASTEST, _PACE_STEP = 90, 240, 35
_PACE_ASKED = re.compile(r"(?:^|[.!?]\s)\s*speak (slowly|fast)\b", re.IGNORECASE | re.MULTILINE)
_KEPT = 400
_FIRMLY = 0.75


class Scene(Enum):
    """A role play."""

    RESTAURANT = "restaurant"
    TRAVEL = "travel"


_LINES = {
    Scene.RESTAURANT: (
        "Let us play restaurant. I am the waiter. Good evening, a table for how many people?",
        "Very good. Here is the menu. What would you like to eat?",
        "Excellent. And what would you like to drink?",
        "Thank you. Would you like a dessert?",
        "Certainly. Will you pay in cash or by card?",
        "Thank you very much. That was our restaurant. You did well. What shall we do next?",
    ),
    Scene.TRAVEL: (
        "Let us play travel. I sell tickets at the station. Good morning, where would you like to go?",
        "A fine place. On which day would you like to travel?",
        "Would you like a single ticket or a return ticket?",
        "There is a train at nine and one at noon. Which one do you prefer?",
        "Your train leaves from platform four. Is there anything else you need?",
        "Have a good journey. That was our travel practice. You did well. What shall we do next?",
    ),
}

_FOLLOW_UPS = (
    "Did I hear that right?",
    "Can you tell me more about it?",
    "What do you think about it?",
    "Can you say it in other words?",
)
_QUESTION_OPENERS = frozenset("who what when where which why how is are do does did can could will would".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the partner knows.

    Attributes:
        past: everything said before, oldest first, from the replayed history on.
        name: the person's name, or empty.
        words_per_minute: how fast to speak.
        scene: the role play going on; `line` counts its lines spoken.
        answer: sentences of the newest answer, for repeating it.
    """

    past: tuple[Said, ...] = ()
    name: str = ""
    words_per_minute: int = USUAL_WORDS_PER_MINUTE
    scene: Scene | None = None
    line: int = 0
    answer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, sentence by sentence. `intent` is None when no known phrase was near enough."""

    sentences: tuple[str, ...]
    memory: Memory
    intent: Intent | None


def remember(history: Iterable[Said], system_prompt: str = "") -> Memory:
    """Return the memory of a replayed history, with the pace that the caller's prompt asks for."""
    memory = Memory(words_per_minute=_pace_asked(system_prompt))
    for said in history:
        memory = note(memory, said)
    return memory


def note(memory: Memory, said: Said) -> Memory:
    """Return the memory with one more thing said."""
    name = (find_name(said.text) if said.role is Role.USER else None) or memory.name
    return replace(memory, past=(*memory.past[-_KEPT + 1 :], said), name=name)


def _pace_asked(system_prompt: str) -> int:
    asked = _PACE_ASKED.findall(system_prompt)
    if not asked:
        return USUAL_WORDS_PER_MINUTE
    return USUAL_WORDS_PER_MINUTE + (_PACE_STEP if asked[-1].lower() == "fast" else -_PACE_STEP)


def asks_clock(text: str) -> bool:
    """Return whether the answer needs the time or the date."""
    match = understand(text)
    return match is not None and match.intent in {Intent.TIME, Intent.DATE}


def answer(text: str, memory: Memory, now: datetime) -> Reply:
    """Answer one sentence. `memory` does not hold `text` yet; `now` is local time. Never empty, never raises."""
    if not plain(text):
        return _say(memory, None, "I did not hear any words.", "Please say it again.")
    match = understand(text)
    if memory.scene is not None and not (match is not None and match.similarity >= _FIRMLY and _leaves(match.intent)):
        return _play_on(text, memory)
    if match is None:
        return _echo(text, memory)
    name = find_name(text) or memory.name
    reply = _RULES[match.intent](text, replace(memory, name=name), now)
    keeps = match.intent in {Intent.REPEAT, Intent.SLOWER, Intent.FASTER}
    kept = memory.answer if keeps and memory.answer else reply.sentences
    return replace(reply, intent=match.intent, memory=replace(reply.memory, answer=kept))


def _say(memory: Memory, intent: Intent | None, *sentences: str) -> Reply:
    return Reply(sentences=sentences, memory=replace(memory, answer=sentences), intent=intent)


def _leaves(intent: Intent) -> bool:
    """Return whether a wish is followed even in the middle of a role play."""
    return intent not in {Intent.YES, Intent.NO, Intent.THANKS, Intent.GREETING, Intent.RESTAURANT, Intent.TRAVEL}


def _play_on(text: str, memory: Memory) -> Reply:
    assert memory.scene is not None
    lines = _LINES[memory.scene]
    line = lines[memory.line]
    over = memory.line + 1 == len(lines)
    after = replace(memory, scene=None if over else memory.scene, line=0 if over else memory.line + 1)
    return _say(after, None, f"I heard: “{quote(text)}”.", *_sentences(line))


def _echo(text: str, memory: Memory) -> Reply:
    if plain(text).split()[0] in _QUESTION_OPENERS:
        return _say(memory, None, f"I heard: “{quote(text)}”.", "I do not know the answer. What do you think?")
    question = _FOLLOW_UPS[len(memory.past) // 2 % len(_FOLLOW_UPS)]
    return _say(memory, None, f"I heard: “{quote(text)}”.", question)


def _sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of one of our own lines: each ends with a mark and a space."""
    marked = text.replace("? ", "?\n").replace(". ", ".\n").replace("! ", "!\n")
    return tuple(marked.split("\n"))


def _greet(_text: str, memory: Memory, now: datetime) -> Reply:
    hour = "Good morning" if now.hour < 12 else "Good afternoon" if now.hour < 18 else "Good evening"
    called = f", {memory.name}" if memory.name else ""
    return _say(memory, None, f"{hour}{called}.", "I am your practice partner.", "What shall we talk about?")


def _how_are_you(_text: str, memory: Memory, _now: datetime) -> Reply:
    called = f", {memory.name}" if memory.name else ""
    return _say(memory, None, f"Hello{called}.", "I am only a practice partner, but all is well here.", "How are you?")


def _my_name(text: str, memory: Memory, _now: datetime) -> Reply:
    name = find_name(text)
    if name is None:
        return _say(memory, None, f"I heard: “{quote(text)}”.", "I did not catch your name. What is your name?")
    return _say(memory, None, f"Nice to meet you, {name}.", "I will remember your name.")


def _what_is_my_name(_text: str, memory: Memory, _now: datetime) -> Reply:
    if memory.name:
        return _say(memory, None, f"Your name is {memory.name}.")
    return _say(memory, None, "You have not told me your name yet.", "What is your name?")


def _your_name(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(
        memory,
        None,
        "I am a simple practice partner.",
        "I run on this computer, I know a few short English phrases, and I often mishear free talk.",
    )


def _time(_text: str, memory: Memory, now: datetime) -> Reply:
    hour = now.hour % 12 or 12
    minutes = "o'clock" if now.minute == 0 else f"{now.minute:02d}"
    half = "in the morning" if now.hour < 12 else "in the afternoon" if now.hour < 18 else "in the evening"
    spoken = f"{hour} {minutes}" if now.minute == 0 else f"{hour}:{minutes}"
    return _say(memory, None, f"It is {spoken} {half}.")


def _date(_text: str, memory: Memory, now: datetime) -> Reply:
    return _say(memory, None, f"Today is {now:%A}, {now:%B} {now.day}, {now.year}.")


def _sum(text: str, memory: Memory, _now: datetime) -> Reply:
    task = find_sum(plain(text))
    if task is None:
        return _say(memory, None, f"I heard: “{quote(text)}”.", "Which sum is it? Say, for example: two plus three.")
    return _say(memory, None, say_sum(task))


def _repeat(_text: str, memory: Memory, _now: datetime) -> Reply:
    sentences = memory.answer or tuple(_last_answer(memory))
    return _say(memory, None, *(sentences or ("I have not said anything yet.",)))


def _slower(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _change_pace(memory, -_PACE_STEP, "more slowly")


def _faster(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _change_pace(memory, _PACE_STEP, "faster")


def _change_pace(memory: Memory, step: int, how: str) -> Reply:
    pace = min(_FASTEST, max(_SLOWEST, memory.words_per_minute + step))
    if pace == memory.words_per_minute:
        return _say(memory, None, f"I can not speak any {how.replace('more slowly', 'slower')}.")
    return _say(replace(memory, words_per_minute=pace), None, f"All right, I will speak {how}.", *memory.answer[:3])


def _thanks(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(memory, None, "You are welcome.", "Shall we go on?")


def _goodbye(_text: str, memory: Memory, _now: datetime) -> Reply:
    called = f", {memory.name}" if memory.name else ""
    return _say(replace(memory, scene=None, line=0), None, f"Goodbye{called}.", "It was good to practise with you.")


def _help(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(
        memory,
        None,
        "I am a simple practice partner for short English sentences.",
        "Ask me the time, the date or a sum, tell me your name, or ask what we talked about.",
        "We can also play restaurant or travel.",
    )


def _begin(scene: Scene) -> Callable[[str, Memory, datetime], Reply]:
    def begin(_text: str, memory: Memory, _now: datetime) -> Reply:
        return _say(replace(memory, scene=scene, line=1), None, *_sentences(_LINES[scene][0]))

    return begin


def _end_scene(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(replace(memory, scene=None, line=0), None, "All right.", "What would you like to talk about?")


def _talked_about(text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(memory, None, *talked_about(memory.past, text))


def _what_i_said(text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(memory, None, *user_said(memory.past, text))


def _what_you_said(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(memory, None, *partner_said(memory.past))


def _remember(text: str, memory: Memory, _now: datetime) -> Reply:
    sentences = talked_about(memory.past, text)
    if memory.name and "me" in plain(text).split():
        sentences = (f"Yes, your name is {memory.name}.", *sentences)
    return _say(memory, None, *sentences)


def _joke(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(
        memory,
        None,
        "Why did the microphone go to school?",
        "Because it wanted to be heard.",
        "Do you know a better one?",
    )


def _weather(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(memory, None, "I can not see the weather from here.", "What is it like where you are?")


def _hush(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(memory, None, "All right, I am listening.")


def _yes(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(memory, None, "Good.", "Please tell me more.")


def _no(_text: str, memory: Memory, _now: datetime) -> Reply:
    return _say(memory, None, "All right.", "What would you like to talk about?")


def _last_answer(memory: Memory) -> list[str]:
    sentences: list[str] = []
    for said in reversed(memory.past):
        if said.role is Role.ASSISTANT:
            sentences = [text for text in (" ".join(said.text.split()), *sentences) if text]
        elif sentences:
            break
    return sentences


_RULES: dict[Intent, Callable[[str, Memory, datetime], Reply]] = {
    Intent.GREETING: _greet,
    Intent.HOW_ARE_YOU: _how_are_you,
    Intent.MY_NAME: _my_name,
    Intent.WHAT_IS_MY_NAME: _what_is_my_name,
    Intent.YOUR_NAME: _your_name,
    Intent.TIME: _time,
    Intent.DATE: _date,
    Intent.SUM: _sum,
    Intent.REPEAT: _repeat,
    Intent.SLOWER: _slower,
    Intent.FASTER: _faster,
    Intent.THANKS: _thanks,
    Intent.GOODBYE: _goodbye,
    Intent.HELP: _help,
    Intent.TRAVEL: _begin(Scene.TRAVEL),
    Intent.RESTAURANT: _begin(Scene.RESTAURANT),
    Intent.END_SCENE: _end_scene,
    Intent.TALKED_ABOUT: _talked_about,
    Intent.WHAT_I_SAID: _what_i_said,
    Intent.WHAT_YOU_SAID: _what_you_said,
    Intent.REMEMBER: _remember,
    Intent.JOKE: _joke,
    Intent.WEATHER: _weather,
    Intent.HUSH: _hush,
    Intent.YES: _yes,
    Intent.NO: _no,
}
