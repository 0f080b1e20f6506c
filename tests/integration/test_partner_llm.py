"""The language model's endpoint: a real local HTTP server that behaves, and misbehaves."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime

import pytest
from aiohttp import web

from novadesk.errors import KnownError, Reason
from novadesk.models import Role
from novadesk.server.partner.llm import BROKEN_OFF, UNREACHABLE, LlmMind, LlmRules, completions_url
from novadesk.server.partner.mind import Question, RuleMind
from novadesk.server.partner.recall import Said
from novadesk.server.partner.think import Memory
from tests.support.fake_call import InlineWorker
from tests.support.leaks import LogWatch

RULES = LlmRules(connect_s=60.0, silence_s=60.0, total_s=60.0)
HASTY = replace(RULES, silence_s=0.5)
FALLBACK = "Three plus four is seven."
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def endpoint(handler: Handler) -> AsyncGenerator[str]:
    application = web.Application()
    application.router.add_post("/v1/chat/completions", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def mind(url: str, *, clock: Callable[[], float] = lambda: 0.0, model: str = "", rules: LlmRules = RULES) -> LlmMind:
    return LlmMind(url=url, model=model, fallback=RuleMind(InlineWorker("unused")), clock=clock, rules=rules)


def question(text: str = "what is three plus four", *past: Said) -> Question:
    return Question(text=text, memory=Memory(past=past), now=datetime(2026, 1, 1), system_prompt="Be kind.")


async def sentences(of: LlmMind, asked: Question | None = None) -> list[str]:
    async with aclosing(of.think(asked or question())) as thoughts:
        return [thought.sentence async for thought in thoughts]


def streaming(*pieces: str, done: bool = True) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": a remark\n\n")
        for piece in pieces:
            row = {"choices": [{"delta": {"content": piece}}]}
            await response.write(b"data: " + json.dumps(row).encode() + b"\n\n")
        if done:
            await response.write(b'data: {"choices": []}\n\ndata: [DONE]\n\n')
        elif request.transport is not None:
            request.transport.abort()
        return response

    return answer


def fixed(*, status: int = 200, body: bytes = b"", kind: str = "application/json") -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, body=body, content_type=kind)

    return answer


def whole(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


async def test_a_streamed_answer_is_spoken_sentence_by_sentence() -> None:
    async with endpoint(streaming("Good", " day. How ", "are **you**?", " I cost 3.50", " euros")) as url:
        assert await sentences(mind(url)) == ["Good day.", "How are you?", "I cost 3.50 euros"]


async def test_the_first_sentence_does_not_wait_for_the_last() -> None:
    gate = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'data: {"choices": [{"delta": {"content": "One. Tw"}}]}\n\n')
        await gate.wait()
        await response.write(b'data: {"choices": [{"delta": {"content": "o."}}]}\n\ndata: [DONE]\n\n')
        return response

    async with endpoint(answer) as url, aclosing(mind(url).think(question())) as thoughts:
        assert (await anext(thoughts)).sentence == "One."
        gate.set()
        assert (await anext(thoughts)).sentence == "Two."


async def test_a_whole_answer_is_cut_into_sentences() -> None:
    async with endpoint(fixed(body=whole("<think>hm. hm.</think># One.\n- Two!"))) as url:
        assert await sentences(mind(url)) == ["One.", "- Two!"]


async def test_hidden_reasoning_is_not_spoken() -> None:
    async with endpoint(streaming("<think>I should. ", "Be nice. </thi", "nk>Hello", ". Bye.")) as url:
        assert await sentences(mind(url)) == ["Hello.", "Bye."]


async def test_a_text_without_an_end_is_cut() -> None:
    async with endpoint(streaming("word " * 200)) as url:
        spoken = await sentences(mind(url))
    assert len(spoken) > 2
    assert max(map(len, spoken)) <= 280
    assert " ".join(spoken).split() == ["word"] * 200


async def test_the_past_and_the_prompt_are_sent() -> None:
    bodies: list[dict[str, object]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        return web.Response(body=whole("Yes."), content_type="application/json")

    past = [
        Said(role=Role.ASSISTANT, text="lost"),
        Said(role=Role.USER, text="my name is anna"),
        Said(role=Role.ASSISTANT, text="Hello, Anna."),
        Said(role=Role.ASSISTANT, text="How are you?"),
        Said(role=Role.USER, text="i am"),
    ]
    async with endpoint(answer) as url:
        await sentences(mind(url, model="small"), question("well", *past))
    messages = bodies[0]["messages"]
    assert isinstance(messages, list)
    assert bodies[0]["model"] == "small"
    assert bodies[0]["stream"] is True
    assert messages[0]["role"] == "system"
    assert messages[0]["content"].startswith("Be kind.")
    assert messages[1:] == [
        {"role": "user", "content": "my name is anna"},
        {"role": "assistant", "content": "Hello, Anna. How are you?"},
        {"role": "user", "content": "i am well"},
    ]


@pytest.mark.parametrize(
    "handler",
    [
        fixed(status=500),
        fixed(status=401, body=b"{}"),
        fixed(status=302),
        fixed(body=b"nonsense"),
        fixed(body=b"{}"),
        fixed(body=whole(None)),
        fixed(body=whole("  ")),
        fixed(body=b"data: nonsense\n\n", kind="text/event-stream"),
        fixed(body=b"data: 5\n\n", kind="text/event-stream"),
        fixed(body=b"", kind="text/event-stream"),
        streaming("<think>for ever"),
        streaming("Half a sen", done=False),
    ],
)
async def test_a_bad_answer_falls_back_to_the_rules_and_says_so(handler: Handler, expected_logs: LogWatch) -> None:
    expected_logs.allow("the language model failed")
    async with endpoint(handler) as url:
        assert await sentences(mind(url)) == [UNREACHABLE, FALLBACK]


async def test_a_silent_endpoint_falls_back(expected_logs: LogWatch) -> None:
    expected_logs.allow("the language model failed: .*Timeout")

    over = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    async with endpoint(hang) as url:
        assert await sentences(mind(url, rules=HASTY)) == [UNREACHABLE, FALLBACK]
        over.set()


async def test_an_absent_endpoint_falls_back_and_is_left_alone_for_a_while(expected_logs: LogWatch) -> None:
    expected_logs.allow("the language model failed")
    async with endpoint(fixed()) as url:
        pass
    now = 0.0
    model = mind(url, clock=lambda: now)
    assert await sentences(model) == [UNREACHABLE, FALLBACK]
    assert await sentences(model) == [FALLBACK]
    now = RULES.rest_s + 1
    assert await sentences(model) == [FALLBACK]
    failures = sum("the language model failed" in record.getMessage() for record in expected_logs.records)
    assert failures == 2


async def test_an_answer_that_breaks_off_says_so(expected_logs: LogWatch) -> None:
    expected_logs.allow("the language model failed")
    async with endpoint(streaming("One. Two. Thr", done=False)) as url:
        spoken = await sentences(mind(url))
    assert spoken[:2] == ["One.", "Two."]
    assert spoken[-1] == BROKEN_OFF
    assert FALLBACK not in spoken


async def test_giving_up_in_the_middle_closes_the_request() -> None:
    gone = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b'data: {"choices": [{"delta": {"content": "More. "}}]}\n\n')
                await asyncio.sleep(0.01)
        except ConnectionError:
            gone.set()
            raise

    async with endpoint(answer) as url:
        async with aclosing(mind(url).think(question())) as thoughts:
            assert (await anext(thoughts)).sentence == "More."
        async with asyncio.timeout(60):
            await gone.wait()


@pytest.mark.parametrize(
    ("url", "completions"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1/chat/completions"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1/chat/completions"),
        (" https://host/api/v1/ ", "https://host/api/v1/chat/completions"),
        ("https://host/v1/chat/completions", "https://host/v1/chat/completions"),
    ],
)
def test_addresses(url: str, completions: str) -> None:
    assert completions_url(url) == completions


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "ftp://host", "http://", "file:///etc/passwd"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(KnownError) as caught:
        completions_url(url)
    assert caught.value.reason is Reason.BAD_SETTINGS
