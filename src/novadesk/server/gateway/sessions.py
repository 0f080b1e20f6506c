"""The sessions that this process serves: begun, taken over from wherever they were, ended; each for its owner alone."""

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from novadesk.models import Turn, make_handle
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope_client import CreateSession, ResumeSession
from novadesk.protocol.envelope_values import ErrorCode
from novadesk.scenario import LANGUAGES
from novadesk.server.gateway.archive import write_before
from novadesk.server.gateway.denial import Denied, draining, no_session, taken
from novadesk.server.gateway.limits import RateLimiter
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.options import GatewayLimits, Timing
from novadesk.server.gateway.session import GatewaySession, Leave
from novadesk.server.gateway.state import Limits, Scope, SessionRecord, TooMany
from novadesk.server.gateway.tuning import known_language, text_of
from novadesk.server.gateway.upstream import UpstreamParts
from novadesk.server.gateway.watch import Over

_log = logging.getLogger(__name__)

_FULL_S = 30
_RECENT_TURNS = 8
_SPOKEN = f"It speaks {', '.join(LANGUAGES)}."
REST = "rest"
"""Begins the connection of a session whose client asks and holds none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A session that was created, or found again by its request; `record` is what its connection holds."""

    session: GatewaySession
    record: SessionRecord
    secret: str = field(repr=False)
    history_length: int = 0


class Sessions:
    """All sessions of this process.

    Args:
        parts: what conversations are made of.
        limits: how many there may be, and how fast they may be begun.
        timing: when they are over.
        metrics: takes measurements.
        gateway: names this process in the store.
    """

    def __init__(
        self, *, parts: UpstreamParts, limits: GatewayLimits, timing: Timing, metrics: GatewayMetrics, gateway: str
    ) -> None:
        self._parts, self._limits, self._timing, self._metrics = parts, limits, timing, metrics
        self._store, self._clock, self._gateway = parts.store, parts.clock, gateway
        self._here: dict[str, GatewaySession] = {}
        self._fewer = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._creations = RateLimiter(limits.creations)
        self._draining = False
        metrics.watch_sessions(lambda: len(self._here))

    @property
    def here(self) -> tuple[GatewaySession, ...]:
        """Return what this process serves."""
        return tuple(self._here.values())

    @property
    def timing(self) -> Timing:
        """Return when what is over."""
        return self._timing

    @property
    def draining(self) -> bool:
        """Return whether this process takes nothing new."""
        return self._draining

    # --- begin and take over ---------------------------------------------------------------------

    async def create(self, owner: str, message: CreateSession, connection: str) -> Begun:
        """Begin a session, or take over the one that the same request began.

        Raises:
            Denied: a limit, an unknown language, or this process is about to stop.
            KnownError: a fault of the store.
        """
        self._check_open()
        if message.language is not None and not known_language(message.language):
            raise Denied(ErrorCode.UNSUPPORTED_LANGUAGE, "The voice does not speak this language.", _SPOKEN)
        if wait_s := self._creations.ask(owner, self._clock.now()):
            raise Denied(ErrorCode.RATE_LIMIT_EXCEEDED, "Too many sessions were begun.", "Wait.", retry_after_s=wait_s)
        secret = secrets.token_urlsafe(32)
        wanted = self._record(owner, message, connection, secret)
        try:
            record = await self._store.create(
                wanted, limits=Limits(per_owner=self._limits.sessions_per_owner, in_all=self._limits.sessions)
            )
        except TooMany as error:
            whose = "of yours " if error.scope is Scope.OWNER else ""
            raise Denied(
                ErrorCode.SESSION_LIMIT,
                f"Maximum concurrent sessions {whose}({error.limit}) reached.",
                "End one, or try again later.",
                retry_after_s=_FULL_S,
            ) from error
        if record.session_id != wanted.session_id:
            return await self._created_before(record, connection, secret)
        await write_before(self._store, record, message.history, record.created_ms)
        self._metrics.created()
        return Begun(session=self._serve(record), record=record, secret=secret)

    async def resume(self, owner: str, message: ResumeSession, connection: str) -> Begun:
        """Take a session over with its resume secret, from whichever process and connection has it.

        Raises:
            Denied: there is none for this owner and secret, another connection was first, or this process stops.
            KnownError: a fault of the store.
        """
        record = await self._find(owner, message.session_id)
        if not hmac.compare_digest(record.secret_hash, _hash(message.resume_secret)):
            raise no_session()
        return await self._take(record, connection, message.resume_secret, behind=message.last_sequence)

    async def visit(self, owner: str, session_id: str) -> GatewaySession:
        """Return a session for one request of its owner, taking it over from a process that has it and is gone.

        Raises:
            Denied: there is none of this owner.
            KnownError: a fault of the store.
        """
        here = self._here.get(session_id)
        if here is not None and here.record.owner == owner:
            here.seen()
            return here
        record = await self._find(owner, session_id)
        begun = await self._take(record, f"{REST}-{secrets.token_hex(8)}", "", behind=0)
        return begun.session

    async def find(self, owner: str, session_id: str) -> SessionRecord:
        """Return what the store knows of an owner's session.

        Raises:
            Denied: there is none.
        """
        record = await self._store.find(session_id, now_s=self._clock.unix_ms() / 1000)
        if record is None or record.owner != owner:
            raise no_session()
        return record

    # --- the end ---------------------------------------------------------------------------------

    async def end(self, owner: str, session_id: str, reason: str, *, words: str = "") -> None:
        """End a session for good.

        Args:
            owner: whose it is.
            session_id: the session.
            reason: is counted.
            words: are told in its place; the client's own.

        Raises:
            Denied: there is none of this owner.
        """
        if not await self._store.remove(session_id, owner=owner):
            raise no_session()
        self._finish(session_id, reason, words)

    async def reset(self, owner: str) -> int:
        """End every session of an owner; return how many."""
        ended = 0
        for record in await self._store.list_of(owner, now_s=self._clock.unix_ms() / 1000):
            if await self._store.remove(record.session_id, owner=owner):
                self._finish(record.session_id, "reset")
                ended += 1
        return ended

    async def forget(self, owner: str, conversation: str) -> None:
        """End every session of an owner's conversation and delete what was said; again, it changes nothing.

        Raises:
            KnownError: a fault of the store; what is left is found by the next call.
        """
        for session_id in await self._store.kept_of(owner, conversation):
            if await self._store.forget(session_id, owner=owner):
                self._finish(session_id, "deleted")

    def begin_drain(self) -> None:
        """Take nothing new, and send every client elsewhere once what it said is answered."""
        self._draining = True
        for session in self.here:
            session.leave()

    async def gone(self) -> None:
        """Return once no session is served here any more."""
        while self._here:
            self._fewer.clear()
            await self._fewer.wait()

    async def stop(self) -> None:
        """Hand every session that is still here to the store, and return once nothing runs."""
        self._draining = True
        for session in self.here:
            self._close(session, "stopped")
            session.tell_last(Leave.DRAINING, draining().told(fatal=True))
        while self._closing:
            await asyncio.wait(set(self._closing))

    # --- within ----------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._draining:
            raise draining()

    async def _find(self, owner: str, session_id: str) -> SessionRecord:
        self._check_open()
        return await self.find(owner, session_id)

    async def _created_before(self, record: SessionRecord, connection: str, secret: str) -> Begun:
        begun = await self._take(record, connection, secret, behind=0)
        kept = await self._store.update(
            record.session_id, generation=begun.record.generation, secret_hash=_hash(secret)
        )
        if not kept:
            raise taken()
        return begun

    async def _take(self, found: SessionRecord, connection: str, secret: str, *, behind: int) -> Begun:
        record = await self._win(found, connection)
        here = self._here.get(record.session_id)
        if here is not None and here.record.gateway != record.gateway:  # another process had it meanwhile
            self._drop(here, Leave.TAKEN, taken())
            here = None
        turns: tuple[Turn, ...] = ()
        if here is None:
            turns = tuple(await self._store.newest_turns(record.session_id, limit=_RECENT_TURNS))
        session = here or self._here.get(record.session_id) or self._serve(record, behind)
        if here is None:
            session.tell_again(turns)
            if turns:
                session.open_voice()
        self._metrics.resumed(had=here is not None, replayed=len(session.log.behind(behind)))
        length = await self._store.count_turns(record.session_id)
        return Begun(session=session, record=record, secret=secret, history_length=length)

    async def _win(self, found: SessionRecord, connection: str) -> SessionRecord:
        """Take a session over: under the name by which it is served here, or as its next one."""
        while True:
            here = self._here.get(found.session_id)
            served = here is not None and here.record.gateway == found.gateway
            now_ms = self._clock.unix_ms()
            record = await self._store.take_over(
                found.session_id,
                generation=found.generation,
                connection=connection,
                gateway=found.gateway if served else self._name(),
                now_ms=now_ms,
                expires_at_s=self._expiry_s(now_ms, connection),
            )
            if record is None:
                raise taken()
            if not served or self._here.get(found.session_id) is here:
                return record
            found = record  # it was put away here meanwhile, and may still write under that name

    def _name(self) -> str:
        """Return who serves a session from now on: this process, this time."""
        return f"{self._gateway}-{secrets.token_hex(4)}"

    def _record(self, owner: str, message: CreateSession, connection: str, secret: str) -> SessionRecord:
        now_ms = self._clock.unix_ms()
        return SessionRecord(
            session_id=make_handle(now_ms),
            owner=owner,
            secret_hash=_hash(secret),
            request_id=message.request_id or "",
            connection=connection,
            gateway=self._name(),
            created_ms=now_ms,
            last_activity_ms=now_ms,
            expires_at_s=self._expiry_s(now_ms, connection),
            configuration=text_of(message.configuration),
            language=message.language or "",
            quality_tier=message.quality_tier.value,
            title=message.title or "",
            conversation=message.conversation or "",
            private=message.private,
        )

    def _serve(self, record: SessionRecord, behind: int = 0) -> GatewaySession:
        session = GatewaySession(
            record,
            parts=self._parts,
            timing=self._timing,
            metrics=self._metrics,
            on_over=self._on_over,
            behind=behind,
        )
        self._here[record.session_id] = session
        _log.info("session %s is served here", session.label)
        return session

    def _finish(self, session_id: str, reason: str, words: str = "") -> None:
        """Tell the end of a session that the store does not have any more, once."""
        session = self._here.get(session_id)
        if session is not None:
            self._forget(session, reason)
            session.tell_last(Leave.ENDED, told.SessionEnded(session_id=session_id, reason=words or reason))
            self._later(session.close(), session)

    def _drop(self, session: GatewaySession, why: Leave, denied: Denied) -> None:
        """Let go of a session that is another process's."""
        self._forget(session, "lost")
        session.tell_last(why, denied.told(fatal=True))
        self._later(session.close(), session)

    def _close(self, session: GatewaySession, reason: str) -> None:
        """Stop serving a session and leave it in the store, for whoever resumes it."""
        self._forget(session, reason)
        self._later(self._release(session), session)

    def _forget(self, session: GatewaySession, reason: str) -> None:
        self._metrics.ended(reason)
        session.trace.end(reason)
        if self._here.get(session.session_id) is session:
            del self._here[session.session_id]
            self._fewer.set()

    async def _release(self, session: GatewaySession) -> None:
        await session.close()
        now_ms, record = self._clock.unix_ms(), session.record
        await self._store.release(
            record.session_id,
            generation=record.generation,
            now_ms=now_ms,
            expires_at_s=self._expiry_s(now_ms, record.connection),
        )

    def _expiry_s(self, now_ms: int, connection: str) -> int:
        """Return until when a session can be resumed: one that never has a connection, until it counts as idle."""
        keep_s = self._timing.idle_s if connection.startswith(REST) else self._timing.keep_s
        return now_ms // 1000 + round(keep_s)

    def _on_over(self, session: GatewaySession, over: Over) -> None:
        match over:
            case Over.IDLE:
                self._later(self._end_idle(session), session)
            case Over.UNATTENDED:
                self._close(session, "unattended")
            case Over.LOST:
                self._later(self._lose(session), session)

    async def _end_idle(self, session: GatewaySession) -> None:
        await self._store.remove(session.session_id, owner=session.record.owner)
        self._finish(session.session_id, "idle")

    async def _lose(self, session: GatewaySession) -> None:
        found = await self._store.find(session.session_id, now_s=self._clock.unix_ms() / 1000)
        if found is None:
            self._finish(session.session_id, "ended")
        else:
            self._drop(session, Leave.TAKEN, taken())

    def _later(self, work: Coroutine[Any, Any, None], session: GatewaySession) -> None:
        """Do something that takes time; a failure of it is logged."""

        async def run() -> None:
            try:
                async with asyncio.timeout(self._timing.stop_s):
                    await work
            except Exception:
                _log.exception("session %s could not be let go of in order", session.label)

        task = asyncio.create_task(run(), name=f"session-{session.label}-ending")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
