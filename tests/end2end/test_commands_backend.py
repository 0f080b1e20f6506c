"""The Bedrock backend against `novadesk serve`, and every way in which it may not be reached."""

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from novadesk.server.faults import Fault
from tests.support.commands import CommandLine, exchange, spoken, write_wav
from tests.support.scripted_partner import listen, running
from tests.support.voices import RATE_HZ

HELLO = exchange("hello there", "Hello from Bedrock.")
BEDROCK = ("--backend", "bedrock", "--json")


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "quiet.wav", bytes(2 * RATE_HZ))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Give the address of a server that runs somewhere else, and begins its script anew for whoever calls."""
    with CommandLine(tmp_path_factory.mktemp("backend") / "elsewhere").partner(*HELLO) as made:
        yield made


def at(address: dict[str, Any], **more: str) -> dict[str, str]:
    """Return the environment that leads to a server."""
    return {
        "AWS_ACCESS_KEY_ID": address["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": address["secret_access_key"],
        "AWS_REGION": address["region"],
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": address["bedrock"],
        "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": address["agent_runtime"],
        **more,
    }


@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "TLS"])
def test_a_conversation_by_the_standard_names(
    line: CommandLine, tmp_path: Path, address: dict[str, Any], tls: bool
) -> None:
    env = at(address)
    if tls:
        env |= {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": address["bedrock_tls"], "AWS_CA_BUNDLE": address["ca_file"]}
    result = line.run("talk", "--in", spoken(tmp_path / "one.wav", "hello there"), *BEDROCK, env=env)
    assert (result.code, result.err) == (0, "")
    assert [turn["text"] for turn in result.turns] == ["hello there", "Hello from Bedrock."]
    assert json.loads(line.run("history", "list", "--json").out)[0]["turns"] == 2
    assert not (line.folders.practice / "address.json").exists(), "no server of its own may run"


def test_keys_that_are_not_there(line: CommandLine, quiet: Path) -> None:
    result = line.run("talk", "--in", quiet, *BEDROCK)
    result.check_known("credentials", "no AWS keys", "aws configure")
    result.check_error_row("credentials", "credentials.none")
    assert result.rows[-1] == {"type": "end", "reason": "failed"}


def test_a_profile_that_is_not_there(line: CommandLine, quiet: Path) -> None:
    result = line.run("talk", "--in", quiet, *BEDROCK, env={"AWS_PROFILE": "pigeon"})
    result.check_known("credentials", "pigeon")


@pytest.mark.parametrize(
    ("change", "layer", "reason"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "x" * 40}, "credentials", "credentials.bad_signature"),
        ({"AWS_REGION": "eu-north-1"}, "credentials", None),
        ({"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://example.com"}, "settings", "settings.bad"),
    ],
)
def test_what_only_the_person_can_mend_is_said_at_once(
    line: CommandLine, quiet: Path, address: dict[str, Any], change: dict[str, str], layer: str, reason: str | None
) -> None:
    result = line.run("talk", "--in", quiet, *BEDROCK, env=at(address, **change))
    result.check_known(layer)
    if reason is not None:
        result.check_error_row(layer, reason)


@pytest.mark.parametrize("bundle", ["", "nonsense.pem"])
def test_a_certificate_that_is_not_trusted(
    line: CommandLine, tmp_path: Path, quiet: Path, address: dict[str, Any], bundle: str
) -> None:
    (tmp_path / "nonsense.pem").write_text("nonsense")
    env = at(address, AWS_ENDPOINT_URL_BEDROCK_RUNTIME=address["bedrock_tls"])
    if bundle:
        env["AWS_CA_BUNDLE"] = str(tmp_path / bundle)
    result = line.run("talk", "--in", quiet, *BEDROCK, env=env)
    assert result.code == 2, result
    result.check_known(next(row for row in result.rows if row["type"] == "error")["layer"])


def test_an_endpoint_where_nobody_listens(line: CommandLine, quiet: Path, address: dict[str, Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        env = at(address, AWS_ENDPOINT_URL_BEDROCK_RUNTIME=f"http://127.0.0.1:{taken.getsockname()[1]}")
        result = line.run("talk", "--in", quiet, *BEDROCK, env=env)
    result.check_known("network")
    result.check_error_row("network", "network.unreachable")
    assert result.rows[-1] == {"type": "end", "reason": "failed"}


@pytest.mark.parametrize(
    ("fault", "layer", "reason"),
    [
        (Fault.HTTP_EXPIRED_TOKEN, "credentials", "credentials.expired"),
        (Fault.HTTP_THROTTLED, "service", "service.throttled"),
    ],
)
async def test_what_the_service_refuses(
    line: CommandLine, tmp_path: Path, quiet: Path, fault: Fault, layer: str, reason: str
) -> None:
    async with running(tmp_path / "server", listen) as rig:
        rig.server.faults.add(fault, times=10)
        env = at(json.loads(rig.address.to_json()))
        result = await asyncio.to_thread(line.run, "talk", "--in", quiet, *BEDROCK, env=env)
    result.check_known(layer)
    result.check_error_row(layer, reason)


def test_a_port_that_is_taken(line: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = line.run("serve", "--port", str(port), "--json")
    result.check_known("control", str(port), "--port")
    result.check_error_row("control", "control.port_taken")
    line.run("serve", "--port", "70000").check_known("input", "70000")
    line.run("serve", "--persona", "no such file").check_known("input", "no such file")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_says_where_it_is_and_leaves_when_told(line: CommandLine, number: signal.Signals) -> None:
    with line.started("serve", "--san", "box.example") as server:
        address = json.loads(server.wait_for_line("bedrock"))
        assert list(address) == [
            "bedrock", "bedrock_tls", "ca_file", "agent_runtime", "gateway", "region", "access_key_id",
            "secret_access_key", "pid",
        ]  # fmt: skip
        assert address["pid"] == server.process.pid
        assert address["gateway"] is None
        assert address["bedrock"].startswith("http://127.0.0.1:")
        assert address["bedrock_tls"].startswith("https://127.0.0.1:")
        line.run("serve").check_known("control", "already")
        server.signal(number)
        result = server.end(10.0)
    assert (result.code, result.err) == (0, "")
    assert len(result.out.splitlines()) == 1
