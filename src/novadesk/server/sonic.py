"""The local Bedrock Runtime: `POST /model/{id}/invoke-with-bidirectional-stream` on HTTP/2."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from uuid import uuid4

from novadesk.protocol.limits import DEFAULT, Limits
from novadesk.server.call import PartnerFactory
from novadesk.server.faults import HTTP_FAULTS, Fault, FaultPlan, PlannedFault
from novadesk.server.http2_stream import Stream, StreamLost
from novadesk.server.model import check_model, parse_target
from novadesk.server.refusal import Refusal
from novadesk.server.signature import AccessKey, EventChain, SignedRequest, Verified, verify_request
from novadesk.server.sonic_session import SonicSession, StreamContext

SESSIONS = 20
"""Voice streams at once; the default quota of an account and region (aws-samples/generative-ai-use-cases, PR 1013)."""


def utc_now() -> datetime:
    """Return the UTC time."""
    return datetime.now(UTC)


class SonicService:
    """Checks each request as the service does and runs the accepted ones.

    Args:
        keys: the known access keys by their id.
        region: the region that requests have to be signed for.
        partner: makes the partner of each call.
        limits: timers and sizes of a stream.
        faults: what goes wrong on purpose.
        sessions: voice streams at once; one more is throttled.
        now: monotonic seconds.
        wall_clock: UTC time, for signatures.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, AccessKey],
        region: str,
        partner: PartnerFactory,
        limits: Limits = DEFAULT,
        faults: FaultPlan,
        sessions: int = SESSIONS,
        now: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._keys = keys
        self._region = region
        self._partner = partner
        self._limits = limits
        self._faults = faults
        self._max_sessions = sessions
        self._now = now
        self._wall_clock = wall_clock
        self.open_sessions = 0

    async def handle(self, stream: Stream) -> None:
        """Serve one request."""
        request_id = str(uuid4())
        try:
            model, verified = self._check(stream)
            fault = self._faults.next_stream()
            if fault is not None and await self._commit_early(fault, stream):
                return
            if self.open_sessions >= self._max_sessions:
                raise HTTP_FAULTS[Fault.HTTP_THROTTLED]
        except Refusal as refusal:
            stream.respond(refusal.status, refusal.headers(request_id))
            await stream.write(refusal.body())
            await stream.finish()
            return
        stream.respond(200, [("content-type", "application/vnd.amazon.eventstream"), ("x-amzn-requestid", request_id)])
        await self._serve(stream, model, verified, fault)

    def _check(self, stream: Stream) -> tuple[str, Verified]:
        model = parse_target(stream.header(":path"))
        if model is None:
            raise Refusal(404, "UnknownOperationException", "The requested operation is not known.")
        signed = SignedRequest(
            method=stream.header(":method"), target=stream.header(":path"), headers=stream.headers, payload_sha256=None
        )
        verified = verify_request(signed, keys=self._keys, now=self._wall_clock(), region=self._region)
        if stream.header(":method") != "POST":
            raise Refusal(405, "UnsupportedOperationException", "The method is not allowed for this operation.")
        return check_model(model), verified

    async def _serve(self, stream: Stream, model: str, verified: Verified, fault: PlannedFault | None) -> None:
        context = StreamContext(
            model=model,
            chain=EventChain(verified),
            limits=self._limits,
            partner=self._partner,
            fault=fault,
            now=self._now,
            wall_clock=self._wall_clock,
        )
        session = SonicSession(stream, context)
        self.open_sessions += 1
        forget = self._faults.watch(session.strike)
        try:
            await session.run()
        finally:
            forget()
            self.open_sessions -= 1

    async def _commit_early(self, planned: PlannedFault, stream: Stream) -> bool:
        """Commit a fault that comes before the response's headers; return whether it was one."""
        if planned.fault in HTTP_FAULTS:
            raise HTTP_FAULTS[planned.fault]
        match planned.fault:
            case Fault.RESET_TCP_EARLY:
                stream.connection.abort()
            case Fault.RESET_STREAM_EARLY:
                stream.reset()
            case Fault.MUTE:
                await _drop_all(stream)
            case _:
                return False
        return True


async def _drop_all(stream: Stream) -> None:
    """Take whatever comes and say nothing, until the client gives up."""
    try:
        while await stream.read():
            pass
        await stream.lost()
    except StreamLost:
        pass
