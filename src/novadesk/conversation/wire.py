"""One wire session on one link: a short asyncio shell around the protocol core.

Feed, drain, send, dispatch. Made for one generation and thrown away with it. It opens as far as the service's
acceptance and waits there: history and audio follow when it is to carry the conversation.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from novadesk.conversation.alarm import Alarm
from novadesk.conversation.api import Carries, WireFacts
from novadesk.conversation.lifecycle_values import LinkReady
from novadesk.conversation.ports import Clock, Link, Linker
from novadesk.conversation.uplink import FRAME_S, NEVER, SILENCE
from novadesk.diagnostics.recorder import Recorder
from novadesk.errors import KnownError, Reason
from novadesk.protocol.events import OutputEvent
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.link import Accepted, Arrived, Closed, Missed
from novadesk.protocol.session import NovaSession, Setup, Side, State
from novadesk.protocol.session_events import SessionEvent, Violated
from novadesk.protocol.transcript import TurnText

_log = logging.getLogger(__name__)

STALE_PAYLOADS = 96
"""Payloads waiting behind the opening beyond which microphone frames are refused: about 3 s of 32 ms frames."""

FINISH_S = 2.0
"""Longest wait for the service's goodbye after ours."""

TEARDOWN_S = FINISH_S + 2.5
"""Longest wait for the end of other wire sessions before a new one: goodbye, then the bounds of `Link.close`."""

FILL_S = 0.25
"""Pause of the microphone after which silence takes its place: a stream without audio dies after 55 s, and without
silence after speech the service waits for more of it."""

PATIENCE_S = 6.0
"""Wait for the service's HTTP 200 after which the session counts as accepted all the same. Bedrock refuses audio that
overtakes the opening, which takes it far less than this; a service that answers only once it hears audio would wait for
ever. A peer from which nothing at all came is no such service: one that is well answers our PING after 3 s."""

_BEGUN = frozenset({State.STARTING, State.READY, State.OPEN})
_OVER = frozenset({State.ENDING, State.CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class WireListener:
    """What a wire session tells its owner; every call is made on the loop and returns at once.

    `on_ended` carries the time of the service's last sign of life; `on_sent` the seconds until the link took a payload,
    those aside that wait for the opening; `on_missed` a turn that was said while no link told of it.
    """

    on_ready: Callable[[LinkReady], None]
    on_event: Callable[[int, SessionEvent], None]
    on_ended: Callable[[int, KnownError | None, float], None]
    on_sent: Callable[[float], None]
    on_missed: Callable[[TurnText], None]


class WireSession:
    """Runs one wire session from opening to closing.

    Args:
        generation: the number that its events carry.
        linker: makes the link.
        setup: session, prompt and system prompt.
        clock: time.
        listener: told what happens; `on_ended` exactly once, and never after `drop`.
        recorder: takes note of every protocol event.
        watch: called with every event of the service, before anything follows from it.
        after: what should be over before the link is opened; it is waited for up to `TEARDOWN_S`.
    """

    def __init__(
        self,
        *,
        generation: int,
        linker: Linker,
        setup: Setup,
        clock: Clock,
        listener: WireListener,
        recorder: Recorder | None = None,
        watch: Callable[[OutputEvent], None] | None = None,
        after: Collection[asyncio.Task[bool]] = (),
    ) -> None:
        self.generation = generation
        self.wire_id = str(uuid.uuid4())
        self._linker = linker
        self._setup = setup
        self._clock = clock
        self._listener = listener
        self._recorder = recorder
        self._after = after
        self._session = NovaSession(Side.CLIENT, watch=watch)
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._unwritten: deque[float] = deque()  # when each payload was handed over that the link has not taken yet
        self._refused_from = NEVER
        self._timer = Alarm(self._on_deadline)
        self._filler = Alarm(self._fill)
        self._link: Link | None = None
        self._patience = Alarm(self._lose_patience)
        self._opened_at = 0.0
        self._expires_at: float | None = None
        self._cleaning = self._dropped = False
        self._opening_payloads = 0
        self._audio_until = self._look_due = 0.0
        self._task: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None

    @property
    def takes_text(self) -> bool:
        """Return whether it has begun and is not over."""
        return self._session.state in _BEGUN

    @property
    def unwritten_from(self) -> float:
        """Return when the oldest of what the link has not taken was handed over; `NEVER` when it has taken all."""
        return min(self._unwritten[0] if self._unwritten else NEVER, self._refused_from)

    def facts(self, *, live: bool) -> WireFacts:
        """Return its ids and age."""
        now, opened = self._clock.now(), self._opened_at > 0
        ready = Carries.READY if self._session.state is State.READY else Carries.OPENING
        return WireFacts(
            generation=self.generation,
            carries=Carries.LIVE if live else ready,
            wire_id=self.wire_id,
            prompt=self._setup.prompt.prompt_name,
            age_s=now - self._opened_at if opened else None,
            left_s=None if self._expires_at is None else self._expires_at - now,
        )

    def start(self) -> None:
        """Begin to open the link."""
        self._task = asyncio.create_task(self._run(), name=f"wire-{self.generation}")

    def go_live(self, history: Sequence[HistoryMessage], frames: Sequence[bytes], now: float) -> None:
        """Replay the history, open audio, replay `frames` of the microphone. Only once, after `on_ready`.

        Nothing happens on a link that is over: `on_ended` is on its way.
        """
        if self._session.state is not State.READY:
            self._refused_from = now
            return
        _log.info("link %d is live", self.generation)
        self._session.open_audio(history, now)
        for pcm in frames:
            self._session.send_audio(pcm, now)
        self._drain(now)
        self._opening_payloads = self._outgoing.qsize()
        self._audio_until = now
        self._look_again(now)

    def send_audio(self, pcm: bytes, now: float) -> bool:
        """Send a microphone frame; return False when it is refused: the link does not keep up, or is over."""
        if self._session.state is not State.OPEN:
            self._refused_from = min(self._refused_from, now)
            return False
        if self._outgoing.qsize() - self._opening_payloads > STALE_PAYLOADS:
            return False
        self._audio_until = max(now, self._audio_until)
        self._session.send_audio(pcm, now)
        self._drain(now)
        return True

    def send_text(self, text: str) -> None:
        """Send typed text, only while `takes_text`; it waits in the core until audio is open."""
        now = self._clock.now()
        self._session.send_text(text, now)
        self._drain(now)

    def send_tool_result(self, tool_use_id: str, result: str) -> None:
        """Send the JSON text of a tool's answer."""
        now = self._clock.now()
        self._session.send_tool_result(tool_use_id, result, now)
        self._drain(now)

    async def finish(self) -> bool:
        """End the wire session in order, within `FINISH_S`, then drop it; return whether the service answered."""
        answered = True
        if self._task is not None and not self._task.done() and self.takes_text:
            now = self._clock.now()
            self._session.end(now)
            self._drain(now)
            over, _ = await asyncio.wait({self._task}, timeout=FINISH_S)
            answered = bool(over)
        await self.drop()
        return answered

    async def drop(self) -> bool:
        """Tear everything down at once; nothing is told any more. Idempotent. True: there is nothing to wait for."""
        self._dropped = True
        if self._task is not None:
            if not self._cleaning:  # a link that is being closed is closed to the end
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return True

    async def _run(self) -> None:
        error: KnownError | None = None
        link: Link | None = None
        try:
            if self._after:
                await asyncio.wait(self._after, timeout=TEARDOWN_S)
            self._link = link = await self._linker.link()
            left_ms = 0 if link.expires_at_ms is None else link.expires_at_ms - self._clock.unix_ms()
            if left_ms > 0:  # keys that were just given have not expired: the clock would be wrong
                self._expires_at = self._clock.now() + left_ms / 1000
            await link.open()
            self._opened_at = self._clock.now()
            _log.info("link %d is open", self.generation)
            self._sender = asyncio.create_task(self._send_all(link), name=f"wire-{self.generation}-sender")
            self._session.start(self._setup, self._opened_at)
            self._drain(self._opened_at)
            self._patience.set_in(PATIENCE_S)
            error = await self._receive_all(link)
        except KnownError as known:
            error = known
        except Exception as bug:
            _log.exception("wire session ended by a bug")
            error = KnownError(Reason.LINK_LOST, "NovaDesk lost the connection by its own fault.", "It tries again.")
            error.__cause__ = bug
        finally:
            self._cleaning = True
            heard_at = self._clock.now() - (0.0 if link is None else link.unheard_s)
            await self._clean_up(link)
        if not self._dropped:
            self._listener.on_ended(self.generation, error, heard_at)

    async def _receive_all(self, link: Link) -> KnownError | None:
        while True:
            message = await link.receive()
            now = self._clock.now()
            match message:
                case Accepted():
                    self._accept(proven=True)
                case Arrived(payload=payload):
                    if self._recorder is not None:
                        self._recorder.received(self.generation, payload, now)
                    self._session.receive(payload, now)
                    if (violation := self._dispatch()) is not None:
                        return violation
                    self._drain(now)
                case Missed(turn=turn):
                    self._listener.on_missed(turn)
                case Closed(failure=failure):
                    asked = self._session.state in _OVER
                    self._session.link_closed(now)
                    self._dispatch()
                    if failure is None and not asked:
                        return KnownError(
                            Reason.STREAM_CLOSED, "The service ended the session.", "NovaDesk opens the next one."
                        )
                    return None if asked else failure

    async def _send_all(self, link: Link) -> None:
        while True:
            payload = await self._outgoing.get()
            opening, self._opening_payloads = self._opening_payloads > 0, max(0, self._opening_payloads - 1)
            try:
                await link.send(payload)
            except KnownError:
                _log.info("sending stopped: the link is over")
                return
            except Exception:
                _log.exception("sending stopped by a bug")
                await link.close()
                return
            handed_at = self._unwritten.popleft()
            if self._session.state is State.OPEN and not opening:
                self._listener.on_sent(self._clock.now() - handed_at)
            if self._session.state in _OVER and self._outgoing.empty():
                await link.finish()
                return

    def _dispatch(self) -> KnownError | None:
        violation = None
        for event in self._session.events_received():
            if isinstance(event, Violated):
                violation = KnownError(
                    Reason.PROTOCOL_ORDER, "The service sent events in an impossible order.", "NovaDesk tries again."
                )
            else:
                self._listener.on_event(self.generation, event)
        return violation

    def _drain(self, now: float) -> None:
        for payload in self._session.events_to_send():
            if self._recorder is not None:
                self._recorder.sent(self.generation, payload, now)
            self._outgoing.put_nowait(payload)
            self._unwritten.append(now)
        self._arm()

    def _accept(self, *, proven: bool) -> None:
        if self._session.state is not State.STARTING:
            return
        self._patience.cancel()
        self._session.accepted(self._clock.now())
        self._listener.on_ready(
            LinkReady(generation=self.generation, opened_at=self._opened_at, expires_at=self._expires_at, proven=proven)
        )

    def _lose_patience(self) -> None:
        if self._link is not None and self._link.unheard_s < PATIENCE_S * 0.75:
            self._accept(proven=False)
        else:
            self._patience.set_in(PATIENCE_S / 4)

    def _fill(self) -> None:
        """Send the silence that a missing microphone owes.

        It is owed up to when this look was due. One that comes late was kept from coming by the computer, and what was
        captured since may be waiting behind it: silence before that would part a sentence in two.
        """
        owed_s = self._look_due - self._audio_until
        now = self._clock.now()
        if owed_s >= FILL_S:
            owed = int(owed_s / FRAME_S)
            self._audio_until += owed * FRAME_S
            for _ in range(min(owed, STALE_PAYLOADS)):
                self._session.send_audio(SILENCE, now)
            self._drain(now)
        self._look_again(now)

    def _look_again(self, now: float) -> None:
        self._look_due = now + FILL_S
        self._filler.set_in(FILL_S)

    def _arm(self) -> None:
        self._timer.cancel()
        if (at := self._session.next_deadline()) is not None:
            self._timer.set_in(at - self._clock.now())

    def _on_deadline(self) -> None:
        now = self._clock.now()
        self._session.handle_deadline(now)
        self._dispatch()
        self._drain(now)

    async def _clean_up(self, link: Link | None) -> None:
        self._timer.cancel()
        self._filler.cancel()
        self._patience.cancel()
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        if link is not None:
            await link.close()
