"""A boto3 client of a remote store, asked on daemon threads, each call with a deadline."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from novadesk.daemon import DaemonCall, DaemonThreads
from novadesk.errors import KnownError

if TYPE_CHECKING:
    import botocore.session

MAX_PARALLEL = 16
"""Calls in flight at once; also the size of the connection pool."""

_MAX_STUCK = 4 * MAX_PARALLEL
_CONNECT_S = 5.0
_OPEN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAccess:
    """Where the service is and the frozen credentials for it. Empty endpoint and CA mean the usual ones."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str = "us-east-1"
    endpoint: str = ""
    ca_bundle: str = ""


type AccessSource = Callable[[], Awaitable[RemoteAccess]]


class ClientFault(Exception):
    """What the client library raised, by name only: its text holds ids and keys, its frames hold connections open."""


class Translation(Protocol):
    """Runs a call; what the client library raises becomes a fault of ours."""

    def __call__[T](self, work: Callable[[], T]) -> T:
        """Return what `work` returns."""
        ...


class RemoteClient:
    """One client, opened by the first call; a call is safe to cancel.

    Args:
        access: returns credentials and place; asked at the first call, and again after a failure that it may explain.
        open_client: makes a client, given access and the longest wait for one call in seconds; runs on a thread.
        translated: runs a call on a thread.
        access_may_help: returns whether newer access may help against a fault.
        no_answer: returns the fault of a call that takes too long, or is not begun as too many do.
        name: of the threads, for reports.
        deadline_s: longest wait for one call.
    """

    def __init__(
        self,
        access: AccessSource,
        *,
        open_client: Callable[[RemoteAccess, float], Any],
        translated: Translation,
        access_may_help: Callable[[KnownError], bool],
        no_answer: Callable[[], KnownError],
        name: str,
        deadline_s: float,
    ) -> None:
        self._access, self._open_client, self._translated = access, open_client, translated
        self._access_may_help, self._no_answer = access_may_help, no_answer
        self._name, self._deadline_s = name, deadline_s
        self._slots = asyncio.Semaphore(MAX_PARALLEL)
        self._opening = asyncio.Lock()
        self._opened: Any = None
        self._opened_with: RemoteAccess | None = None
        self._stale = False
        self._calls: set[DaemonCall[Any]] = set()
        self._threads = DaemonThreads(name=name)

    async def call[T](self, work: Callable[[Any], T]) -> T:
        """Return what `work`, given the client, returns.

        Raises:
            KnownError: no answer in time; whatever else `access` and `translated` raise.
        """
        async with self._slots:
            client = await self._ready()
            try:
                return await self._on_thread(lambda: work(client), self._deadline_s)
            except KnownError as error:
                self._stale = self._stale or self._access_may_help(error)
                raise

    async def close(self, *, deadline_s: float = 2.0) -> None:
        """Close the connections; calls that are stuck are left to their threads. Idempotent."""
        self._threads.close()
        client, self._opened = self._opened, None
        running = [call.result(deadline_s=deadline_s) for call in self._calls if call.running]
        await asyncio.gather(*running, return_exceptions=True)
        if client is not None:  # last: a call whose thread begins late opens a connection even on a closed client
            with contextlib.suppress(TimeoutError):
                await DaemonCall(client.close, name=f"{self._name}-close").result(deadline_s=deadline_s)

    async def _on_thread[T](self, work: Callable[[], T], deadline_s: float) -> T:
        self._calls = {call for call in self._calls if call.running}
        if len(self._calls) >= _MAX_STUCK:
            raise self._no_answer()
        call = DaemonCall(lambda: self._translated(work), threads=self._threads)
        self._calls.add(call)
        try:
            return await call.result(deadline_s=deadline_s)
        except TimeoutError as error:
            raise self._no_answer() from error

    async def _ready(self) -> Any:
        if self._opened is not None and not self._stale:
            return self._opened
        async with self._opening:
            if self._opened is not None and not self._stale:
                return self._opened
            access = await self._access()
            if self._opened is None or access != self._opened_with:
                old, timeout_s = self._opened, self._deadline_s
                self._opened = await self._on_thread(lambda: self._open_client(access, timeout_s), _OPEN_S)
                self._opened_with = access
                if old is not None:
                    await self._on_thread(old.close, self._deadline_s)
            self._stale = False
            return self._opened


def open_client(
    service: str,
    access: RemoteAccess,
    *,
    deadline_s: float,
    attempts: int,
    session: "botocore.session.Session | None" = None,
) -> Any:
    """Return a client.

    Args:
        service: what boto3 calls it.
        access: credentials and place.
        deadline_s: longest wait for an answer.
        attempts: how often the library tries a call.
        session: the library's own settings, where they are to be others than usual.
    """
    import boto3  # Late: 200 ms.
    from botocore.config import Config

    config = Config(
        connect_timeout=min(_CONNECT_S, deadline_s),
        read_timeout=deadline_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=MAX_PARALLEL,
        user_agent="NovaDesk",  # The library's own tells of this machine, and is made anew for every call.
    )
    return boto3.session.Session(
        botocore_session=session,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
        aws_session_token=access.session_token,
        region_name=access.region,
    ).client(service, endpoint_url=access.endpoint or None, verify=access.ca_bundle or None, config=config)
