"""The sign-in to AWS is over, and is mended from the window: line, button, browser, and the conversation goes on.

The program, boto3 and the voice service are the real ones; AWS's own program and its portal are stand-ins.
"""

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.atspi import Node, Reader
from tests.support.commands import CommandLine
from tests.support.desk import Desk
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]

TYPED = Path(__file__).parents[1] / "data" / "scripts" / "typed.toml"
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


def signed_out(person: Path) -> dict[str, str]:
    """Make the home of somebody whose sign-in is over, with a program `aws` that signs in; return its environment."""
    cache, programs = person / ".aws" / "sso" / "cache", person / "bin"
    for folder in (cache, programs):
        folder.mkdir(parents=True)
    token = cache / f"{hashlib.sha1(b'corp').hexdigest()}.json"  # where AWS's program leaves it
    token.write_text(TOKEN.format("2020-01-01T00:00:00Z"))
    (person / "config").write_text(CONFIG)
    program = programs / "aws"
    renewed = TOKEN.format("2100-01-01T00:00:00Z")
    program.write_text(f"#!/bin/sh\necho \"$@\" > '{person}/asked'\necho '{renewed}' > '{token}'\n")
    program.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    return {"HOME": str(person), "PATH": path, "AWS_CONFIG_FILE": str(person / "config")}


async def button(reader: Reader, name: str) -> Node:
    """Return a button of the window once it is shown: the core tells of its phase before the window has drawn it."""
    async with asyncio.timeout(60):
        while True:
            tree = await reader.tree("NovaDesk")
            with suppress(LookupError):
                if tree is not None:
                    return tree.find("push button", name)


async def test_a_sign_in_that_is_over_is_mended_from_the_window(desk: Desk, tmp_path: Path) -> None:
    person = tmp_path / "person"
    with CommandLine(tmp_path / "elsewhere").started("serve", "--persona", TYPED) as service:
        address = json.loads(service.wait_for_line("bedrock"))
        with portal(address) as sso:
            env = desk.env | signed_out(person) | {
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": address["bedrock"],
                "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": address["agent_runtime"],
                "AWS_ENDPOINT_URL_SSO": sso,
            }  # fmt: skip
            with Program(tmp_path / "home", env) as program:
                program.settings('[backend]\nkind = "bedrock"\nprofile = "work"\n')
                program.start()
                status = program.wait(lambda status: bool(status) and status["phase"] == "failed", "an error")
                assert status is not None
                assert status["error"]["reason"] == "credentials.expired"
                async with Reader.listening(desk.env) as reader:
                    await reader.press(await button(reader, "Sign in again"))
                program.wait_for_phase("ready")
                assert (person / "asked").read_text() == "sso login --profile work\n"
                program.ask("say", text="are you there")
                assert [turn["text"] for turn in program.wait_for_turns(2)] == ["are you there", "I read that."]
                program.wait_for_phase("ready")
                assert program.quit() == 0
