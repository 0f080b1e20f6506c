"""Answers of a language model behind any OpenAI-compatible endpoint (`--llm URL`); the rules step in when it fails."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from novadesk.errors import KnownError, Reason
from novadesk.models import Role
from novadesk.server.partner.mind import Mind, Question, Thought

_log = logging.getLogger(__name__)

UNREACHABLE = "My language model does not answer, so I go by my simple rules."
BROKEN_OFF = "My language model stopped in the middle of its answer."
_STYLE = (
    "You are speaking aloud in a voice conversation. Answer in one to three short sentences of plain text, "
    "without lists, headings, emoji or markup."
)
_MOST_MESSAGES = 60
_MOST_CHARACTERS = 4_000
_LONGEST_SENTENCE = 280
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|\n+")
_MARKUP = re.compile(r"[*_`~]+|(^|(?<=\s))[#>|]+")
_HIDDEN = re.compile(r"<think>.*?(</think>|$)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmRules:
    """Bounds of one request, in seconds; after a failure the endpoint is left alone for `rest_s`."""

    connect_s: float = 3.0
    silence_s: float = 20.0
    total_s: float = 90.0
    rest_s: float = 30.0
    max_tokens: int = 300


class _Unusable(Exception):
    """The endpoint gave no usable answer; the text says why, without any content."""


class LlmMind:
    """Asks the endpoint with prompt and past, and speaks the answer while it comes in.

    Args:
        url: base URL ("http://127.0.0.1:11434", with or without "/v1"), or the full URL of chat/completions.
        model: name of the model, or empty for the endpoint's own choice.
        fallback: answers when the endpoint does not.
        clock: monotonic seconds.
        rules: bounds.

    Raises:
        KnownError: `BAD_SETTINGS` for something that is no http or https URL.
    """

    def __init__(
        self, *, url: str, model: str, fallback: Mind, clock: Callable[[], float], rules: LlmRules | None = None
    ) -> None:
        self._url = completions_url(url)
        self._model = model
        self._fallback = fallback
        self._clock = clock
        self._rules = rules or LlmRules()
        self._rests_until: float | None = None

    async def think(self, question: Question) -> AsyncGenerator[Thought]:
        """Yield the model's sentences; on failure an honest sentence and the rules' answer."""
        if self._rests_until is None or self._clock() >= self._rests_until:
            said = False
            try:
                async with aclosing(_sentences(self._pieces(question))) as sentences:
                    async for sentence in sentences:
                        said = True
                        yield Thought(sentence=sentence, memory=question.memory, english=False)
                if not said:
                    raise _Unusable("an empty answer")
            except (aiohttp.ClientError, TimeoutError, _Unusable) as error:
                _log.warning("the language model failed: %s", type(error).__name__)
                told_before = self._rests_until is not None
                self._rests_until = self._clock() + self._rules.rest_s
                if said:
                    yield Thought(sentence=BROKEN_OFF, memory=question.memory)
                    return
                if not told_before:
                    yield Thought(sentence=UNREACHABLE, memory=question.memory)
            else:
                self._rests_until = None
                return
        async with aclosing(self._fallback.think(question)) as thoughts:
            async for thought in thoughts:
                yield thought

    async def _pieces(self, question: Question) -> AsyncGenerator[str]:
        """Yield pieces of the answer's text as they come.

        Raises:
            aiohttp.ClientError, TimeoutError, _Unusable: no answer.
        """
        rules = self._rules
        timeout = aiohttp.ClientTimeout(total=rules.total_s, sock_connect=rules.connect_s, sock_read=rules.silence_s)
        body: dict[str, Any] = {"messages": _messages(question), "stream": True, "max_tokens": rules.max_tokens}
        if self._model:
            body["model"] = self._model
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(self._url, json=body, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise _Unusable(f"status {response.status}")
            if "event-stream" in response.content_type:
                async for piece in _streamed(response.content):
                    yield piece
            else:
                yield _whole(await response.content.read(1_000_000))


def completions_url(url: str) -> str:
    """Return the address of chat/completions below a base URL.

    Raises:
        KnownError: `BAD_SETTINGS` for something that is no http or https URL.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise KnownError(
            Reason.BAD_SETTINGS,
            "The address of the language model is not an http or https URL.",
            "Give --llm a base URL such as http://127.0.0.1:11434.",
        )
    base = url.strip().rstrip("/")
    if base.endswith("/chat/completions"):
        return base
    return f"{base}/chat/completions" if base.endswith("/v1") else f"{base}/v1/chat/completions"


def _messages(question: Question) -> list[dict[str, str]]:
    """Return prompt, past and question in the form of the endpoint; neighbours of one role are one message."""
    system = f"{question.system_prompt}\n\n{_STYLE}".strip()
    spoken: list[dict[str, str]] = []
    for said in question.memory.past[-_MOST_MESSAGES:]:
        role = "user" if said.role is Role.USER else "assistant"
        if spoken and spoken[-1]["role"] == role:
            spoken[-1]["content"] += f" {said.text}"
        elif spoken or role == "user":
            spoken.append({"role": role, "content": said.text})
    if spoken and spoken[-1]["role"] == "user":
        spoken[-1]["content"] += f" {question.text}"
    else:
        spoken.append({"role": "user", "content": question.text})
    return [{"role": "system", "content": system}, *spoken]


async def _streamed(lines: AsyncIterable[bytes]) -> AsyncGenerator[str]:
    """Yield the text of server-sent events.

    Raises:
        _Unusable: the stream is not what it should be.
    """
    try:
        async for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            choices = json.loads(data)["choices"]
            piece = choices[0].get("delta", {}).get("content") if choices else None
            if piece:
                yield str(piece)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _Unusable("a stream of another kind") from error


def _whole(body: bytes) -> str:
    try:
        return str(json.loads(body)["choices"][0]["message"]["content"] or "")
    except (ValueError, LookupError, TypeError) as error:
        raise _Unusable("a body of another kind") from error


async def _sentences(pieces: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """Yield whole sentences of a growing text, without markup and hidden reasoning."""
    rest, taken = "", 0
    async with aclosing(pieces):
        async for piece in pieces:
            taken += len(piece)
            rest = _HIDDEN.sub("", rest + piece) if "</think>" in rest + piece else rest + piece
            if "<think>" not in rest:
                *whole, rest = _cut(rest)
                for sentence in whole:
                    if tidy := _tidy(sentence):
                        yield tidy
            if taken >= _MOST_CHARACTERS:
                break
            await asyncio.sleep(0)
    if tidy := _tidy(_HIDDEN.sub("", rest)):
        yield tidy


def _cut(text: str) -> list[str]:
    """Return the finished sentences and, last, the unfinished rest."""
    parts: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        parts.append(text[start : end.end()])
        start = end.end()
    rest = text[start:]
    while len(rest) > _LONGEST_SENTENCE:
        at = rest.rfind(" ", 1, _LONGEST_SENTENCE) + 1 or _LONGEST_SENTENCE
        parts.append(rest[:at])
        rest = rest[at:]
    return [*parts, rest]


def _tidy(sentence: str) -> str:
    return " ".join(_MARKUP.sub("", sentence).split())
