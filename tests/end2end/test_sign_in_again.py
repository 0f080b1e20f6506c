"""The sign-in to AWS is over, and is mended from the window: line, button, browser, and the conversation goes on.

Window, core, boto3 and the voice service are the real ones; AWS's own program and its portal are stand-ins.
"""

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from novadesk.app.core import Core, Start
from novadesk.app.corethread import CoreThread
from novadesk.audio.nullio import FileSound
from novadesk.config import BackendSettings, Settings
from novadesk.conversation.api import Phase
from novadesk.models import BackendKind
from novadesk.paths import find_folders
from novadesk.ui.bridge import Bridge, ThreadsafeIntents
from novadesk.ui.main_window import MainWindow
from novadesk.ui.theme import Scheme
from tests.support.commands import CommandLine, exchange
from tests.support.leaks import LogWatch

SOON_MS = 60_000  # loading the AWS client alone takes many seconds on a busy computer
CONFIG = """
[profile work]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Voice
region = us-east-1
[sso-session corp]
sso_region = us-east-1
sso_start_url = https://corp.awsapps.com/start
"""
TOKEN = '{{"startUrl": "https://corp.awsapps.com/start", "region": "us-east-1", "accessToken": "t", "expiresAt": "{}"}}'

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="the stand-in for AWS's program is a shell script"),
    pytest.mark.qt_log_ignore(r"propagateSizeHints|support raise\(\)|grabbing the keyboard"),
]


@contextmanager
def portal(address: dict[str, Any]) -> Iterator[str]:
    """Give the keys of the local voice service to whoever has signed in."""
    keys = {
        "accessKeyId": address["access_key_id"],
        "secretAccessKey": address["secret_access_key"],
        "sessionToken": "",
        "expiration": 4_102_444_800_000,
    }

    class Portal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"roleCredentials": keys}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def signed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer whose sign-in is over, with a program `aws` that signs in; return the file that it leaves."""
    home, programs = tmp_path / "person", tmp_path / "programs"
    cache = home / ".aws" / "sso" / "cache"
    for folder in (cache, programs):
        folder.mkdir(parents=True)
    token = cache / f"{hashlib.sha1(b'corp').hexdigest()}.json"  # where AWS's program leaves it
    token.write_text(TOKEN.format("2020-01-01T00:00:00Z"))
    (home / "config").write_text(CONFIG)
    program = programs / "aws"
    renewed = TOKEN.format("2100-01-01T00:00:00Z")
    program.write_text(f"#!/bin/sh\necho \"$@\" > '{programs}/asked'\necho '{renewed}' > '{token}'\n")
    program.chmod(0o755)
    for name, value in {
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "AWS_CONFIG_FILE": str(home / "config"),
    }.items():
        monkeypatch.setenv(name, value)
    return programs / "asked"


def test_a_sign_in_that_is_over_is_mended_from_the_window(
    qtbot: QtBot,
    tmp_path: Path,
    signed_out: Path,
    monkeypatch: pytest.MonkeyPatch,
    expected_logs: LogWatch,
) -> None:
    expected_logs.allow("put off")
    with CommandLine(tmp_path / "elsewhere").partner(*exchange("hello", "Hello.")) as address, portal(address) as sso:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", sso)
        settings = Settings(
            backend=BackendSettings(
                kind=BackendKind.BEDROCK,
                profile="work",
                bedrock_endpoint=address["bedrock"],
                agent_runtime_endpoint=address["agent_runtime"],
            )
        )
        thread = CoreThread()
        loop = thread.start()
        bridge = Bridge(loop, frame_ms=1)
        folders = find_folders(home=str(tmp_path / "home")).make()
        core = Core(settings=settings, folders=folders, publish=bridge.publish, on_quit=lambda: None)
        started: Future[Any] = thread.submit(lambda: core.start(Start(role="test", sound=FileSound(None))))
        started.result(60)
        intents = ThreadsafeIntents(loop, lambda: core.controller)
        window = MainWindow(bridge, intents, core, settings, lambda _settings: None, scheme=Scheme.LIGHT)
        try:
            window.show()
            bar = window.panel.errors
            qtbot.waitUntil(bar.isVisible, timeout=SOON_MS)
            assert "expired" in bar.what.text()
            assert "aws sso login --profile work" in bar.advice.text()
            assert (window.snapshot.phase, bar.act.text()) == (Phase.FAILED, "Sign in again")
            QTest.mouseClick(bar.act, Qt.MouseButton.LeftButton)
            qtbot.waitUntil(lambda: window.snapshot.phase is Phase.READY, timeout=SOON_MS)
            assert not bar.isVisible()
            assert signed_out.read_text() == "sso login --profile work\n"
        finally:
            window.finish()
            window.deleteLater()
            asyncio.run_coroutine_threadsafe(core.stop(), loop).result(20)
            bridge.close()
            bridge.deleteLater()
            thread.stop()
