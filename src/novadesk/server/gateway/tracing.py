"""Where a gateway's time goes, as spans. Nobody's words, ids or tokens are in one."""

import contextlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Protocol

from novadesk.errors import KnownError
from novadesk.models import Role
from novadesk.protocol.envelope_server import CallStatusChanged, Transcript
from novadesk.protocol.envelope_server import Turn as TurnWritten
from novadesk.protocol.envelope_values import CallStatus
from novadesk.server.gateway.denial import Denied
from novadesk.server.gateway.narration import Output, Speech


class Step(StrEnum):
    """What a span is of.

    SESSION: a session's time in this process. TURN: from what a person said until the answer is written. RECALL: a
    history is read from Agent Runtime. DELIVERY: turns are brought there. TOKEN: a token is verified.
    """

    SESSION = "session"
    TURN = "turn"
    RECALL = "recall"
    DELIVERY = "delivery"
    TOKEN = "token"


class Span(Protocol):
    """A stretch of time that has begun."""

    def note(self, moment: str) -> None:
        """Note what happens now."""
        ...

    def end(self, outcome: str, *, failed: bool = False) -> None:
        """End it, once; what comes after its end changes nothing."""
        ...


class Tracer(Protocol):
    """Begins spans."""

    def begin(self, step: Step, *, within: Span | None = None, label: str = "") -> Span:
        """Begin one.

        Args:
            step: what it is of.
            within: the span that it is a part of.
            label: what logs call the session.
        """
        ...


class _Untraced:
    """Traces nothing; fits both `Span` and `Tracer`."""

    def begin(self, step: Step, *, within: Span | None = None, label: str = "") -> Span:  # noqa: ARG002
        return self

    def note(self, moment: str) -> None:
        """See `Span`."""

    def end(self, outcome: str, *, failed: bool = False) -> None:
        """See `Span`."""


UNTRACED: Tracer = _Untraced()


@contextlib.contextmanager
def traced(tracer: Tracer, step: Step, label: str = "") -> Iterator[None]:
    """Make a span of a block; it fails with the block, and says why in one word."""
    span = tracer.begin(step, label=label)
    try:
        yield
    except Denied as denied:
        span.end(denied.code.value, failed=True)
        raise
    except KnownError as error:
        span.end(error.reason.value, failed=True)
        raise
    except BaseException as error:
        span.end(type(error).__name__.strip("_"), failed=True)
        raise
    span.end("done")


class SessionTrace:
    """A session's time in this process, and each exchange within it.

    Args:
        tracer: makes the spans.
        label: what logs call the session.
    """

    def __init__(self, tracer: Tracer, label: str) -> None:
        self._tracer, self._label = tracer, label
        self._session = tracer.begin(Step.SESSION, label=label)
        self._turn: Span | None = None
        self._written = self._sounds = False  # what the person said; the answer

    def followed(self, tell: Callable[[Output], None]) -> Callable[[Output], None]:
        """Return a way to tell a session something that is followed here."""

        def follow(item: Output) -> None:
            self._take(item)
            tell(item)

        return tell if self._tracer is UNTRACED else follow

    def end(self, outcome: str) -> None:
        """Take that the session is over here."""
        self._end_turn("given up")
        self._session.end(outcome)

    def _take(self, item: Output) -> None:
        match item:
            case Speech():
                if not self._sounds:
                    self._sounds = True
                    self._note("speech")
            case Transcript(role=Role.USER):
                self._begin_turn()
            case TurnWritten(role=Role.USER):
                if self._turn is None or self._written:  # it was typed: there was no transcript of it
                    self._begin_turn()
                self._written = True
            case TurnWritten(interrupted=interrupted):
                self._end_turn("interrupted" if interrupted else "answered")
            case CallStatusChanged(status=CallStatus.RECONNECTING):
                self._note("link lost")
            case CallStatusChanged(status=CallStatus.FAILED, reason=reason):
                self._end_turn(reason or "failed", failed=True)
            case _:
                pass

    def _begin_turn(self) -> None:
        self._end_turn("overtaken")
        self._turn = self._tracer.begin(Step.TURN, within=self._session, label=self._label)
        self._written = self._sounds = False

    def _note(self, moment: str) -> None:
        if self._turn is not None:
            self._turn.note(moment)

    def _end_turn(self, outcome: str, *, failed: bool = False) -> None:
        if self._turn is not None:
            self._turn.end(outcome, failed=failed)
            self._turn = None
