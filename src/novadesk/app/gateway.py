"""`novadesk gateway`: voice for people who hold no AWS keys, in front, until SIGTERM."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import ssl
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from aiohttp import web

from novadesk.app.backend import make_linker, make_practice
from novadesk.app.clock import SystemClock
from novadesk.app.output import put_row
from novadesk.app.practice import PracticeServer
from novadesk.app.remote import make_access
from novadesk.config import Settings
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.paths import Folders, find_folders
from novadesk.protocol.signin import SignInTerms, read_terms
from novadesk.server.gateway.app import Gateway, GatewayOptions, make_runner
from novadesk.server.gateway.dynamo_table import Table
from novadesk.server.gateway.identity import Verifier
from novadesk.server.gateway.issuer import LocalIssuer
from novadesk.server.gateway.keyset import HttpFetch, KeySet, is_loopback
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.options import GatewayLimits, Timing
from novadesk.server.gateway.remote_memory import AgentRuntimeMemory
from novadesk.server.gateway.state import SessionStore
from novadesk.server.gateway.state_dynamodb import DynamoSessions
from novadesk.server.gateway.state_sqlite import SqliteSessions
from novadesk.server.gateway.tracing import UNTRACED, Tracer
from novadesk.server.gateway.upstream import UpstreamParts
from novadesk.server.stopsignals import stop_signals
from novadesk.settings_file import load_settings
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.remoteclient import AccessSource, RemoteAccess
from novadesk.transport.bedrock import load_sdk
from novadesk.transport.credentials import ProfileCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStart:
    """What the command line says; see there.

    Attributes:
        state: `sqlite:FILE` or `dynamodb:TABLE`; empty for a file in the gateway's folder.
        issuer: whose tokens are taken; empty with `dev`, which has its own.
        terms: where people sign in; None leaves it to others to say so.
    """

    profile: str = ""
    dev: bool = False
    host: str = "127.0.0.1"
    port: int = 8001
    state: str = ""
    upstream: BackendKind = BackendKind.PRACTICE
    issuer: str = ""
    audiences: tuple[str, ...] = ()
    terms: SignInTerms | None = None
    origins: tuple[str, ...] = ()
    behind_proxy: bool = False
    certificate: Path | None = None
    key: Path | None = None


def run_gateway(start: GatewayStart) -> int:
    """Serve until SIGTERM, then send every client elsewhere; return the exit code.

    Raises:
        KnownError: the gateway cannot start.
    """
    _check(start)
    folders = find_folders(profile=start.profile).make()
    settings = load_settings(folders.settings_file)
    settings = replace(settings, backend=replace(settings.backend, kind=start.upstream))
    with _logged():
        asyncio.run(_serve(start, folders, settings))
    return 0


async def _serve(start: GatewayStart, folders: Folders, settings: Settings) -> None:
    over = asyncio.Event()
    with stop_signals(over):
        async with _running(start, folders, settings) as (gateway, address):
            put_row(**address)
            await over.wait()
            await gateway.drain()


@contextlib.asynccontextmanager
async def _running(
    start: GatewayStart, folders: Folders, settings: Settings
) -> AsyncIterator[tuple[Gateway, dict[str, object]]]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = open_state(start.state, folders, settings)
        stack.push_async_callback(store.close)
        practice = make_practice(folders)
        stack.push_async_callback(practice.stop)
        metrics, name = GatewayMetrics(), secrets.token_hex(8)
        kms_key = settings.backend.kms_key if start.upstream is BackendKind.BEDROCK else ""
        remote = RemoteSessions(make_access(settings, practice.address), kms_key=kms_key)
        stack.push_async_callback(remote.close)
        tracer = _make_tracer(os.environ, name, stack)
        memory = AgentRuntimeMemory(store, remote, clock, gateway=name, meter=metrics, tracer=tracer)
        stack.push_async_callback(memory.stop)
        memory.start()
        issuer = None
        if start.dev:
            issuer = LocalIssuer(folders.gateway, clock=lambda: clock.unix_ms() / 1000)
            stack.callback(issuer.close)
        gateway = Gateway(
            GatewayOptions(
                upstream=replace(
                    _upstream(settings, practice, store, clock, metrics), on_kept=memory.kick, tracer=tracer
                ),
                memory=memory,
                name=name,
                verifier=_verifier(start) if issuer is None else issuer.verifier(),
                issuer=issuer,
                terms=start.terms,
                metrics=metrics,
                limits=limits_from(os.environ),
                timing=timing_from(os.environ),
                origins=start.origins,
                dev=start.dev,
                behind_proxy=start.behind_proxy,
            )
        )
        runner = make_runner(gateway.application)
        stack.push_async_callback(runner.cleanup)
        await load_sdk()  # nobody's first words are to wait for it
        yield gateway, await _listen(runner, start)


def _make_tracer(environment: Mapping[str, str], name: str, stack: AsyncExitStack) -> Tracer:
    """Return what makes spans, where a collector is named.

    Raises:
        KnownError: one is, and the extra is not there.
    """
    if not any(environment.get(f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT") for kind in ("", "TRACES_")):
        return UNTRACED
    try:
        from novadesk.server.gateway.otlp import OtlpTracer
    except ImportError as error:
        raise KnownError(
            Reason.BAD_INPUT,
            "Traces are asked for, and OpenTelemetry is not installed.",
            "Install novadesk[tracing], or unset OTEL_EXPORTER_OTLP_ENDPOINT.",
        ) from error
    tracer = OtlpTracer(name)
    stack.push_async_callback(tracer.close)
    return tracer


def _upstream(
    settings: Settings, practice: PracticeServer, store: SessionStore, clock: SystemClock, metrics: GatewayMetrics
) -> UpstreamParts:
    return UpstreamParts(
        linker=make_linker(settings, practice),
        clock=clock,
        store=store,
        local_time=lambda: datetime.now().astimezone(),
        backend=settings.backend,
        limits=settings.limits,
        voice=settings.voice,
        meter=metrics,
    )


def _verifier(start: GatewayStart) -> Verifier:
    return Verifier(KeySet(issuer=start.issuer, fetch=HttpFetch()), issuer=start.issuer, audiences=start.audiences)


async def _listen(runner: web.AppRunner, start: GatewayStart) -> dict[str, object]:
    context = None
    try:
        if start.certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(start.certificate, start.key)
        await runner.setup()
        await web.TCPSite(runner, start.host, start.port, ssl_context=context).start()
    except ssl.SSLError as error:
        raise KnownError(
            Reason.BAD_INPUT, "The certificate or its key cannot be used.", "Give PEM files with --cert and --key."
        ) from error
    except OSError as error:
        raise KnownError(
            Reason.PORT_TAKEN,
            f"The gateway cannot listen on port {start.port}.",
            "Choose another host or port; --port 0 takes any free one.",
        ) from error
    host, port = (f"[{start.host}]" if ":" in start.host else start.host), runner.addresses[0][1]
    safe = "" if context is None else "s"
    return {
        "gateway": f"ws{safe}://{host}:{port}/ws",
        "http": f"http{safe}://{host}:{port}",
        "dev": start.dev,
        "pid": os.getpid(),
    }


def open_state(text: str, folders: Folders, settings: Settings) -> SessionStore:
    """Return the session store that `--state` names; AWS keys and region are those of the settings.

    Raises:
        KnownError: `BAD_INPUT` for a name that is none.
    """
    kind, _, name = text.partition(":")
    if not text:
        return SqliteSessions(folders.gateway / "sessions.db")
    if kind == "sqlite" and name:
        return SqliteSessions(Path(name))
    if kind == "dynamodb" and name:
        return DynamoSessions(Table(_table_access(settings, os.environ), name))
    raise KnownError(Reason.BAD_INPUT, f"“{text}” names no session store.", "Use sqlite:FILE or dynamodb:TABLE.")


def _table_access(settings: Settings, environment: Mapping[str, str]) -> AccessSource:
    credentials = ProfileCredentials(settings.backend.profile)

    async def access() -> RemoteAccess:
        frozen = await credentials.freeze()
        return RemoteAccess(
            access_key_id=frozen.access_key_id,
            secret_access_key=frozen.secret_access_key,
            session_token=frozen.session_token,
            region=settings.backend.region,
            endpoint=environment.get("AWS_ENDPOINT_URL_DYNAMODB", ""),
            ca_bundle=settings.backend.ca_bundle,
        )

    return access


def limits_from(environment: Mapping[str, str]) -> GatewayLimits:
    """Return the limits, with `SESSION_MAX_CONCURRENT` of the environment.

    Raises:
        KnownError: `BAD_INPUT` for what is no number.
    """
    usual = GatewayLimits()
    most = int(_number(environment, "SESSION_MAX_CONCURRENT", usual.sessions))
    own = int(_number(environment, "SESSION_MAX_PER_USER", min(most, usual.sessions_per_owner)))
    return replace(usual, sessions=most, sessions_per_owner=own)


def timing_from(environment: Mapping[str, str]) -> Timing:
    """Return the times, with `SESSION_TIMEOUT` of the environment, in seconds.

    Raises:
        KnownError: `BAD_INPUT` for what is no number.
    """
    usual = Timing()
    return replace(usual, idle_s=_number(environment, "SESSION_TIMEOUT", usual.idle_s))


def _number(environment: Mapping[str, str], name: str, usual: float) -> float:
    text = environment.get(name, "")
    if not text:
        return usual
    if not text.isascii() or not text.isdigit() or not int(text):
        raise KnownError(Reason.BAD_INPUT, f"{name} is no number above 0.", f"Set {name} to such a number, or not.")
    return float(text)


def make_terms(
    *, issuer: str, client_id: str, scope: str, parameters: Mapping[str, str], redirects: tuple[str, ...]
) -> SignInTerms | None:
    """Return how people sign in; None where nothing is said about it.

    Raises:
        KnownError: `BAD_INPUT` for what no client would take.
    """
    if not client_id and not (scope or parameters or redirects):
        return None
    terms = SignInTerms(
        issuer=issuer, client_id=client_id, scope=scope or "openid", parameters=parameters, redirects=redirects
    )
    if read_terms(terms.to_json().encode()) != terms:
        raise KnownError(
            Reason.BAD_INPUT,
            "What is said about signing in is not complete.",
            "Name the issuer with --issuer, and NovaDesk's id there with --client-id.",
        )
    return terms


def _check(start: GatewayStart) -> None:
    if start.dev and not is_loopback(start.host):
        raise KnownError(
            Reason.BAD_INPUT, "--dev is for this computer only.", "Leave out --host, or name an issuer with --issuer."
        )
    if not start.dev and not (start.issuer and start.audiences):
        raise KnownError(
            Reason.BAD_INPUT,
            "A gateway needs to know whose tokens it takes.",
            "Name them with --issuer and --audience, or try it out with --dev.",
        )
    if start.dev and start.terms is not None:
        raise KnownError(
            Reason.BAD_INPUT, "With --dev, people sign in at the gateway itself.", "Leave out --client-id, or --dev."
        )
    if (start.certificate is None) != (start.key is None):
        raise KnownError(Reason.BAD_INPUT, "A certificate needs its key.", "Give both --cert and --key.")


class _JsonLines(logging.Formatter):
    """One JSON object for each record."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
        return json.dumps(fields)


@contextlib.contextmanager
def _logged() -> Iterator[None]:
    """Send the log to standard error, a JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    root = logging.getLogger("novadesk")
    root.setLevel(logging.INFO)
    root.propagate = False
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.propagate = True
