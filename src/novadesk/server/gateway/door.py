"""Who may come in: the origin of a page, the token of a person, and on a developer's computer whoever asks there."""

from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web

from novadesk.conversation.ports import Clock
from novadesk.protocol.envelope_values import ErrorCode
from novadesk.server.gateway.denial import Denied
from novadesk.server.gateway.identity import Identity, Refused, Verifier, bearer
from novadesk.server.gateway.keyset import is_loopback
from novadesk.server.gateway.tracing import UNTRACED, Step, Tracer, traced


class Door:
    """Looks at every request.

    Args:
        verifier: checks tokens.
        clock: time.
        origins: pages that may ask, as their browsers name them; none unless they are listed.
        dev: requests from this computer need no token where `anybody` is asked for.
        behind_proxy: all requests come through a proxy of ours, which adds who asks to `X-Forwarded-For`.
        tracer: makes a span of each verification.
    """

    def __init__(
        self,
        verifier: Verifier,
        *,
        clock: Clock,
        origins: Collection[str] = (),
        dev: bool = False,
        behind_proxy: bool = False,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._verifier, self._clock, self._tracer = verifier, clock, tracer
        self._origins, self._dev, self._behind_proxy = frozenset(origins), dev, behind_proxy

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._clock.now()

    def now_s(self) -> float:
        """Return Unix seconds."""
        return self._clock.unix_ms() / 1000

    def allows(self, origin: str) -> bool:
        """Return whether a page may ask."""
        return origin in self._origins

    def check_origin(self, request: web.Request) -> None:
        """Refuse a page that is not listed: it would act in the name of whoever looks at it.

        Raises:
            Denied: it is not.
        """
        origin = request.headers.get("Origin")
        if origin is not None and not self.allows(origin):
            raise Denied(ErrorCode.FORBIDDEN, "This origin is not allowed.", "Name it with --origin.")

    def address(self, request: web.Request) -> str:
        """Return whose requests are counted together: the address that asks, as the nearest proxy of ours says."""
        if self._behind_proxy and (told := request.headers.getall("X-Forwarded-For", [])):
            return told[-1].rpartition(",")[2].strip()
        return request.remote or ""

    def anybody(self, request: web.Request) -> bool:
        """Return whether a request without a token is taken at its word: on a developer's own computer."""
        if not self._dev or "Authorization" in request.headers:
            return False
        host = urlsplit(f"//{request.host}").hostname or ""
        return is_loopback(request.remote or "") and is_loopback(host)

    async def identity(self, request: web.Request) -> Identity:
        """Return who asks, by header or subprotocol.

        Raises:
            Denied: the token is missing, wrong or expired, or cannot be checked.
        """
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        try:
            token = bearer(
                request.headers.getall("Authorization", []), [part.strip() for part in offered.split(",") if part]
            )
        except Refused as refused:
            raise _denied(refused) from refused
        return await self.verify(token)

    async def verify(self, token: str) -> Identity:
        """Return whom a token stands for.

        Raises:
            Denied: as above.
        """
        with traced(self._tracer, Step.TOKEN):
            try:
                return await self._verifier.verify(token, now_s=self.now_s())
            except Refused as refused:
                raise _denied(refused) from refused


def _denied(refused: Refused) -> Denied:
    return Denied(ErrorCode(refused.code), refused.message, "Sign in again.")
