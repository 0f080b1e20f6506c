"""The description of the REST side against the gateway itself: its routes, and what a fuzzer of it is answered."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from novadesk.protocol.signin import TERMS_PATH
from novadesk.server.gateway.limits import Rate
from novadesk.server.gateway.options import GatewayLimits
from tests.support.gateway_host import Host

_FILE = Path(__file__).parents[2] / "docs" / "gateway-openapi.yaml"
_DESCRIPTION: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
_METHODS = ("get", "post", "delete")
_CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
_EXAMPLES = 5
_NEVER = Rate(most=1_000_000, span_s=1.0)


class _Running:
    """A gateway on a thread of its own: the fuzzer knows no event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self.host: Host
        self._thread = threading.Thread(target=self._run, name="fuzzed-gateway")

    def __enter__(self) -> Host:
        self._thread.start()
        self._ready.wait()
        return self.host

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self.host = Host(self._folder)
        limits = GatewayLimits(sessions=5, sessions_per_owner=5, creations=_NEVER, requests=_NEVER)
        await self.host.add(dev=True, limits=limits)
        self._ready.set()
        await self._over.wait()
        await self.host.stop()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with _Running(tmp_path) as running:
        yield running


def test_every_route_is_described_and_nothing_else(host: Host) -> None:
    ours = {
        (route.method.lower(), getattr(route.resource, "canonical", ""))
        for route in host.gateways[0].application.router.routes()
        if route.method.lower() in _METHODS
    }
    issuer = {(route.method.lower(), route.path) for route in host.issuer.routes() if route.path != TERMS_PATH}
    described = {
        (method, path) for path, item in _DESCRIPTION["paths"].items() for method in _METHODS if method in item
    }
    assert described == {route for route in ours - issuer if route[1] != "/ws"}


def test_whatever_is_asked_the_answer_is_one_that_is_described(host: Host) -> None:
    schema = schemathesis.openapi.from_dict(_DESCRIPTION)

    @settings(
        max_examples=_EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def fuzz(case: Any) -> None:
        case.call_and_validate(base_url=host.urls[0], checks=_CHECKS, stream=True)

    for path in _DESCRIPTION["paths"]:
        for method in _METHODS:
            if method in _DESCRIPTION["paths"][path] and "stream" not in path:
                strategy = schema[path][method.upper()].as_strategy()
                given(case=strategy)(fuzz)()
