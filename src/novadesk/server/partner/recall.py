"""Remember: answer questions about what was said, from the replayed history and the conversation so far. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from novadesk.models import Role
from novadesk.server.partner.phrasebook import RECALLS, Intent
from novadesk.server.partner.phrases import content_words, plain, understand

_LOOK_BACK = 60
_MOST_WORDS = 14
_QUESTION_WORDS = frozenset(
    "remember said say tell told talk talked talking discuss discussed ask asked question questions answer answered "
    "before last time first yesterday today conversation topic anything again earlier know previous think".split()
)

TOPICS = {
    Intent.HOW_ARE_YOU: "how we are",
    Intent.MY_NAME: "your name",
    Intent.WHAT_IS_MY_NAME: "your name",
    Intent.YOUR_NAME: "who I am",
    Intent.TIME: "the time",
    Intent.DATE: "the date",
    Intent.SUM: "sums",
    Intent.TRAVEL: "travel",
    Intent.RESTAURANT: "a restaurant",
    Intent.WEATHER: "the weather",
    Intent.JOKE: "jokes",
    Intent.HELP: "what I can do",
}
"""What a conversation was about, in words, by intent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that somebody said."""

    role: Role
    text: str


def talked_about(past: Sequence[Said], question: str) -> tuple[str, ...]:
    """Return sentences that name the topics of `past` and quote from it; one honest sentence when it is empty."""
    exchanges = list(_exchanges(past))
    if not exchanges:
        return ("We have not talked about anything yet.",)
    about = _about(exchanges, question)
    if about is not None:
        return ("Yes, I remember.", *_quote(about))
    topics = list(dict.fromkeys(topic for asked, _ in exchanges if (topic := _topic(asked)) is not None))
    sentences = [f"We talked about {_list(topics[-4:])}."] if topics else []
    sentences.extend(_quote(exchanges[-1]))
    if len(exchanges) > 1:
        sentences.append(f"Before that, you said: “{quote(exchanges[-2][0])}”.")
    if len(exchanges) > 2:
        sentences.append(f"The first thing I remember is that you said: “{quote(exchanges[0][0])}”.")
    return tuple(sentences)


def user_said(past: Sequence[Said], question: str) -> tuple[str, ...]:
    """Return sentences that quote the person: the first one, or the newest, as the question asks."""
    exchanges = list(_exchanges(past))
    if not exchanges:
        return ("You have not said anything to me before this.",)
    about = _about(exchanges, question)
    if about is not None:
        return (f"You said: “{quote(about[0])}”.",)
    if "first" in plain(question).split():
        return (f"The first thing I remember is that you said: “{quote(exchanges[0][0])}”.",)
    sentences = [f"You said: “{quote(exchanges[-1][0])}”."]
    if len(exchanges) > 1:
        sentences.append(f"Before that, you said: “{quote(exchanges[-2][0])}”.")
    return tuple(sentences)


def partner_said(past: Sequence[Said]) -> tuple[str, ...]:
    """Return a sentence that quotes the partner's own newest answer."""
    answers = [answer for _, answer in _exchanges(past) if answer]
    if not answers:
        return ("I have not said anything before this.",)
    return (f"I said: “{quote(answers[-1])}”",)


def quote(text: str) -> str:
    """Return `text` on one line, cut after some words, without the marks that would close the quotation."""
    words = " ".join(text.replace("“", "").replace("”", "").split()).split(" ")
    return " ".join(words[:_MOST_WORDS]) + (" and so on" if len(words) > _MOST_WORDS else "")


def _exchanges(past: Sequence[Said]) -> Iterator[tuple[str, str]]:
    """Yield (what the person said, what was answered), oldest first, without questions about the past itself."""
    window = past if len(past) <= 2 * _LOOK_BACK else [*past[:_LOOK_BACK], *past[-_LOOK_BACK:]]
    asked: str | None = None
    answers: list[str] = []
    for said in [*window, Said(role=Role.USER, text="")]:
        if said.role is Role.ASSISTANT:
            answers.append(said.text)
            continue
        if asked is not None and not _is_recall(asked):
            yield asked, " ".join(answers)
        asked, answers = (said.text if plain(said.text) else None), []


def _is_recall(text: str) -> bool:
    match = understand(text)
    return match is not None and match.intent in RECALLS


def _topic(text: str) -> str | None:
    match = understand(text)
    return TOPICS.get(match.intent) if match is not None else None


def _about(exchanges: Sequence[tuple[str, str]], question: str) -> tuple[str, str] | None:
    """Return the newest exchange that shares a word with what the question asks for ("... about the market")."""
    wanted = [word for word in content_words(question) if word not in _QUESTION_WORDS]
    for exchange in reversed(exchanges):
        words = content_words(exchange[0])
        if any(SequenceMatcher(None, word, other).ratio() >= 0.8 for word in wanted for other in words):
            return exchange
    return None


def _quote(exchange: tuple[str, str]) -> tuple[str, ...]:
    asked, answer = exchange
    first = f"You said: “{quote(asked)}”."
    return (first, f"I answered: “{quote(answer)}”") if answer else (first,)


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
