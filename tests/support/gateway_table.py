"""A DynamoDB to keep a gateway's state in: moto's behind a loopback socket, with the table that is shipped."""

import functools
import itertools
import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import botocore.session
from botocore.loaders import create_loader
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from novadesk.server.gateway.dynamo_table import Table
from novadesk.server.gateway.state_dynamodb import DynamoSessions
from novadesk.store.remoteclient import RemoteAccess

_NUMBERS = itertools.count()  # moto's tables are the process's
PATIENCE_S = 60.0
SHIPPED = Path(__file__).parents[2] / "packaging" / "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error that the next request (of an operation) is answered with."""

    code: str
    operation: str = ""
    status: int = 400
    reasons: tuple[str, ...] = ()


class _OneByOne:
    """Carries out one request at a time: moto copies its tables for a transaction while others write to them."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._lock = threading.Lock()
        self.refusals: deque[Refusal] = deque()
        self.asked: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        with self._lock:
            self.asked.append(environ["HTTP_X_AMZ_TARGET"].partition(".")[2])
            if not self.refusals or not self.asked[-1].startswith(self.refusals[0].operation):
                return list(self._application(environ, start_response))
            refusal = self.refusals.popleft()
            body = json.dumps(
                {"__type": f"com.amazonaws.dynamodb.v20120810#{refusal.code}", "message": "secret-owner"}
                | ({"CancellationReasons": [{"Code": code} for code in refusal.reasons]} if refusal.reasons else {})
            ).encode()
            start_response(
                f"{refusal.status} Refused",
                [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))],
            )
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return [body]


class _KeptOpen(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"


class TableServer:
    """The server, and tables in it, each as `packaging/gateway` defines it."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        application = _OneByOne(DomainDispatcherApplication(create_backend_app))
        self.refusals, self.asked = application.refusals, application.asked
        self._server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_KeptOpen)
        self._thread = threading.Thread(target=self._server.serve_forever, name="moto", daemon=True)
        self._thread.start()
        self.access = RemoteAccess(
            access_key_id="AKIDEXAMPLE",
            secret_access_key="practice",
            endpoint=f"http://127.0.0.1:{self._server.server_port}",
        )
        self.client = boto3.client(
            "dynamodb",
            endpoint_url=self.access.endpoint,
            aws_access_key_id=self.access.access_key_id,
            aws_secret_access_key=self.access.secret_access_key,
            region_name=self.access.region,
        )
        # Whoever opens the table reads 400 KB of its description: once is enough here.
        self._loader = mock.patch.object(botocore.session, "create_loader", functools.cache(create_loader))
        self._loader.start()

    def stop(self) -> None:
        self._loader.stop()
        self.client.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def make_table(self) -> str:
        """Make an empty table and return its name."""
        name = f"gateway-{next(_NUMBERS)}"
        for operation, file in (("create_table", "dynamodb.json"), ("update_time_to_live", "dynamodb-ttl.json")):
            getattr(self.client, operation)(**json.loads((SHIPPED / file).read_text()) | {"TableName": name})
        return name

    def opener(self, name: str) -> Callable[[], DynamoSessions]:
        """Return what opens the store in a table."""

        async def access() -> RemoteAccess:
            return self.access

        return lambda: DynamoSessions(Table(access, name, deadline_s=PATIENCE_S))
