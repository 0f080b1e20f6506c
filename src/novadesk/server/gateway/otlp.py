"""Spans by OpenTelemetry, sent to a collector over HTTP; the extra `tracing` brings what this needs.

Where to, how often and how many is for OpenTelemetry's own variables to say, such as `OTEL_EXPORTER_OTLP_HEADERS` and
`OTEL_TRACES_SAMPLER`.
"""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as SpanOfTheirs
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from novadesk import __version__
from novadesk.daemon import DaemonCall
from novadesk.server.gateway.tracing import Span, Step

_NAME = "novadesk-gateway"
_LAST_S = 3.0


class OtlpSpan:
    """One span; fits `tracing.Span`."""

    def __init__(self, span: SpanOfTheirs) -> None:
        self.theirs = span

    def note(self, moment: str) -> None:
        """See `Span`."""
        self.theirs.add_event(moment)

    def end(self, outcome: str, *, failed: bool = False) -> None:
        """See `Span`."""
        if self.theirs.is_recording():
            self.theirs.set_attribute("novadesk.outcome", outcome)
            if failed:
                self.theirs.set_status(Status(StatusCode.ERROR, outcome))
            self.theirs.end()


class OtlpTracer:
    """Begins spans; fits `tracing.Tracer`.

    Args:
        gateway: name of this process.
        processor: takes spans that are over; the exporter's unless told otherwise.
    """

    def __init__(self, gateway: str, processor: SpanProcessor | None = None) -> None:
        names = {"service.name": _NAME, "service.version": __version__, "service.instance.id": gateway}
        self._provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=False)
        self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_NAME, __version__)

    def begin(self, step: Step, *, within: Span | None = None, label: str = "") -> OtlpSpan:
        """See `Tracer`."""
        context = set_span_in_context(within.theirs) if isinstance(within, OtlpSpan) else None
        attributes = {"novadesk.session": label} if label else {}
        return OtlpSpan(self._tracer.start_span(f"gateway.{step.value}", context, attributes=attributes))

    async def close(self) -> None:
        """Send what is over by now, in bounded time."""
        try:
            await DaemonCall(self._provider.shutdown, name="novadesk-traces").result(deadline_s=_LAST_S)
        except TimeoutError:
            return
