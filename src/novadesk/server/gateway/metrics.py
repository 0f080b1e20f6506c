"""What a gateway counts for Prometheus. No owner, no session and no text is ever a label."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from novadesk.diagnostics.metrics import Measure

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class GatewayMetrics:
    """One process's counters; fits `diagnostics.metrics.Meter`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._connections = self._gauge("connections", "Open WebSocket connections.")
        self._created = self._counter("sessions_created", "Sessions begun.")
        self._resumed = self._counter(
            "sessions_resumed", "Sessions taken over; had: by the process that had them.", "had"
        )
        self._transferred = self._counter("sessions_transferred", "Sessions whose connection was replaced while open.")
        self._ended = self._counter("sessions_ended", "Sessions that are over in this process, by reason.", "reason")
        self._refused = self._counter("refusals", "Requests that were refused, by error code.", "code")
        self._output_lost = self._counter("output_lost", "Messages given up before the client had them.")
        self._replayed = self._counter("output_replayed", "Messages told again after a resume.")
        self._load = self._histogram("history_load_seconds", "Until a session's history was read.")
        self._recovery = self._counter("recoveries", "Histories to carry into a wire session, by outcome.", "outcome")
        self._turns = self._counter("turns", "Final turns, by what became of them.", "outcome")
        self._delivery = self._histogram("turn_delivery_seconds", "From a turn's end to its acknowledgement.")
        self._outages = self._histogram("upstream_outage_seconds", "Time without a wire session.")
        self._renewals = self._counter("upstream_renewals", "Wire sessions that took over before a limit.")
        self._lost = self._counter("microphone_samples_lost", "Samples at 16 kHz that no wire session could take.")
        self._outbox = self._gauge("outbox_turns", "Turns that wait for Agent Runtime.")

    def watch_sessions(self, count: Callable[[], int]) -> None:
        """Count sessions by asking."""
        self._gauge("sessions", "Sessions that this process serves.").set_function(count)

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self.registry)

    # --- sessions and connections ----------------------------------------------------------------

    def connected(self, change: int) -> None:
        """Count a connection that came (1) or went (-1)."""
        self._connections.inc(change)

    def created(self) -> None:
        """Count a session that was begun."""
        self._created.inc()

    def resumed(self, *, had: bool, replayed: int) -> None:
        """Count a session that was taken over, and what was told again."""
        self._resumed.labels("yes" if had else "no").inc()
        self._replayed.inc(replayed)

    def transferred(self) -> None:
        """Count a connection that lost its session to another one."""
        self._transferred.inc()

    def ended(self, reason: str) -> None:
        """Count a session that is over here."""
        self._ended.labels(reason).inc()

    def refused(self, code: str) -> None:
        """Count a request that was refused."""
        self._refused.labels(code).inc()

    def output_lost(self, entries: int) -> None:
        """Count output that was given up."""
        self._output_lost.inc(entries)

    def history_loaded(self, seconds: float) -> None:
        """Note how long a history took."""
        self._load.observe(seconds)

    # --- conversations ---------------------------------------------------------------------------

    def note(self, measure: Measure, value: float = 1.0) -> None:
        """See `diagnostics.metrics.Meter`."""
        match measure:
            case Measure.RESUME_TRIED:
                self._recovery.labels("tried").inc()
            case Measure.RESUME_COMPLETE:
                self._recovery.labels("complete").inc()
            case Measure.LOAD:
                self._load.observe(value / 1000)
            case Measure.RECONNECT:
                self._outages.observe(value / 1000)
            case Measure.RENEWAL:
                self._renewals.inc()
            case Measure.SAMPLES_LOST:
                self._lost.inc(value)
            case Measure.TURN_KEPT:
                self._turns.labels("kept").inc()
            case Measure.TURN_DELIVERED:
                self._turns.labels("delivered").inc()
                self._delivery.observe(value / 1000)
            case Measure.OUTBOX_DEPTH:
                self._outbox.set(value)
            case _:
                pass

    def _counter(self, name: str, words: str, *labels: str) -> Any:
        return Counter(f"novadesk_gateway_{name}", words, labels, registry=self.registry)

    def _gauge(self, name: str, words: str) -> Any:
        return Gauge(f"novadesk_gateway_{name}", words, registry=self.registry)

    def _histogram(self, name: str, words: str) -> Any:
        return Histogram(f"novadesk_gateway_{name}", words, buckets=_SECONDS, registry=self.registry)
