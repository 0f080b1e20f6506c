"""The spans of a gateway, as OpenTelemetry has them: what they are of, how they end, and that nobody is in them."""

import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from novadesk.app.gateway import _make_tracer
from novadesk.errors import KnownError, Reason
from novadesk.models import Role
from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.server.gateway.otlp import OtlpTracer
from novadesk.server.gateway.tracing import UNTRACED, Step, traced
from tests.support.gateway_host import FRAME, hosted


class Traces:
    """What was traced."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer = OtlpTracer("g1", SimpleSpanProcessor(self._exporter))

    def all(self, step: Step) -> list[ReadableSpan]:
        """Return the spans of a kind that are over."""
        return [span for span in self._exporter.get_finished_spans() if span.name == f"gateway.{step.value}"]

    def outcomes(self, step: Step) -> list[tuple[object, bool]]:
        """Return how those ended, and whether they failed."""
        return [
            (span.attributes["novadesk.outcome"], not span.status.is_ok and span.status.is_unset is False)
            for span in self.all(step)
            if span.attributes is not None
        ]

    def words(self) -> str:
        """Return everything that is in any span."""
        spans: Sequence[ReadableSpan] = self._exporter.get_finished_spans()
        return "".join(span.to_json() for span in spans)


async def test_a_call_is_a_session_its_turns_within_it_and_nobody_is_told_of(tmp_path: Path) -> None:
    traces = Traces()
    async with hosted(tmp_path, tracer=traces.tracer) as host:
        client = await host.connect("ann@example.org")
        created = await client.create()
        await client.speak(1)
        await client.until(lambda: bool(host.linker.links) and FRAME in host.linker.newest.heard())
        host.linker.newest.user_said("my secret question")
        host.linker.newest.answer("a secret answer", 480)
        await client.until(lambda: Role.ASSISTANT in [turn.role for turn in client.all(told.Turn)])
        await client.say(said.TextInput(text="a written question"))
        await client.until(lambda: "a written question" in host.linker.newest.typed())
        await client.ask(said.EndSession(), told.SessionEnded)
        await client.closed()
    (session,) = traces.all(Step.SESSION)
    assert traces.outcomes(Step.SESSION) == [("asked", False)]
    assert traces.outcomes(Step.TURN) == [("answered", False), ("given up", False)]
    spoken, written = traces.all(Step.TURN)
    assert [event.name for event in spoken.events] == ["speech"]
    assert list(written.events) == []
    assert session.context is not None
    assert {turn.parent.span_id for turn in (spoken, written) if turn.parent} == {session.context.span_id}
    assert session.resource.attributes["service.name"] == "novadesk-gateway"
    words = traces.words()
    for secret in ("secret", "question", "ann", created.session_id, created.resume_secret):
        assert secret not in words


async def test_a_token_that_does_not_hold_and_a_link_that_is_lost_show(tmp_path: Path) -> None:
    traces = Traces()
    async with hosted(tmp_path, tracer=traces.tracer) as host:
        client = await host.connect(token=host.token()[:-4] + "AAAA")
        await client.closed()
        assert traces.outcomes(Step.TOKEN) == [("UNAUTHORIZED", True)]
        client = await host.connect()
        assert traces.outcomes(Step.TOKEN)[1:] == [("done", False)]
        await client.create()
        await client.speak(1)
        await client.until(lambda: bool(host.linker.links) and FRAME in host.linker.newest.heard())
        host.linker.newest.user_said("a question")
        await client.next(told.Turn)
        host.linker.newest.end(KnownError(Reason.LINK_LOST, "It is lost.", "Wait."))
        await client.until(lambda: len(host.linker.links) > 1 and host.linker.newest.listening)
    (turn,) = traces.all(Step.TURN)
    assert [event.name for event in turn.events] == ["link lost"]
    assert traces.outcomes(Step.SESSION) == [("stopped", False)]


def test_a_step_that_fails_says_why_in_one_word() -> None:
    traces = Traces()
    with pytest.raises(KnownError), traced(traces.tracer, Step.RECALL):
        raise KnownError(Reason.SYNC_UNREACHABLE, "Nobody is at 192.0.2.7.", "Wait.")
    with pytest.raises(RuntimeError), traced(traces.tracer, Step.DELIVERY, "1234abcd"):
        raise RuntimeError("secret")
    assert traces.outcomes(Step.RECALL) == [(Reason.SYNC_UNREACHABLE.value, True)]
    assert traces.outcomes(Step.DELIVERY) == [("RuntimeError", True)]
    assert "192.0.2.7" not in traces.words()
    assert "secret" not in traces.words()


async def test_spans_go_to_the_collector_that_is_named_and_none_are_made_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[tuple[str, str, bytes]] = []

    async def collect(request: web.Request) -> web.Response:
        received.append((request.path, request.content_type, await request.read()))
        return web.Response()

    async with AsyncExitStack() as stack:
        assert _make_tracer({}, "g1", stack) is UNTRACED
        collector = web.Application()
        collector.router.add_post("/{path:.*}", collect)
        runner = web.AppRunner(collector)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}")
        async with AsyncExitStack() as running:
            _make_tracer(os.environ, "g1", running).begin(Step.RECALL).end("done")
    assert [(path, kind) for path, kind, _ in received] == [("/v1/traces", "application/x-protobuf")]
    assert b"gateway.recall" in received[0][2]


async def test_a_collector_without_the_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "novadesk.server.gateway.otlp", None)
    async with AsyncExitStack() as stack:
        with pytest.raises(KnownError) as error:
            _make_tracer({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "g1", stack)
    assert "novadesk[tracing]" in error.value.advice
