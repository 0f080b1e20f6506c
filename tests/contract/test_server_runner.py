"""The local server as a whole: its address, its folder, its ports, its end; boto3 on its Agent Runtime port."""

import asyncio
import functools
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions
import pytest

from novadesk.errors import BugError, KnownError, Reason
from novadesk.server.faults import Fault
from novadesk.server.runner import LocalServer, ServerOptions, find_server
from tests.support.commands import three_free_ports
from tests.support.scripted_partner import Scripted, listen, running
from tests.support.wire_client import Keys, WireClient, audio_start, opening

pytestmark = pytest.mark.thorough

PROGRAM = """
import asyncio, sys
from pathlib import Path
from novadesk.server.runner import ServerOptions, serve
from tests.support.scripted_partner import Scripted, listen
asyncio.run(serve(ServerOptions(folder=Path(sys.argv[1]), until_stdin_closes=True), Scripted(listen)))
"""


def start_process(folder):
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def close_pipes(process):
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


@functools.cache
def boto_session():
    return boto3.session.Session()


def client(rig, **changes):
    retries = {"total_max_attempts": 1}
    settings = {
        "endpoint_url": rig.address.agent_runtime,
        "region_name": rig.address.region,
        "aws_access_key_id": rig.address.access_key_id,
        "aws_secret_access_key": rig.address.secret_access_key,
        "config": botocore.config.Config(retries=retries, connect_timeout=60, read_timeout=60),
        **changes,
    }
    return boto_session().client("bedrock-agent-runtime", **settings)


async def call(rig, operation, changes=None, **arguments):
    def work():
        made = client(rig, **(changes or {}))
        try:
            answer = getattr(made, operation)(**arguments)
            answer.pop("ResponseMetadata")
            return answer
        finally:
            made.close()

    return await asyncio.to_thread(work)


async def test_boto3_keeps_a_session(tmp_path):
    async with running(tmp_path) as rig:
        session = (await call(rig, "create_session", sessionMetadata={"a": "b"}))["sessionArn"]
        assert (await call(rig, "get_session", sessionIdentifier=session))["sessionMetadata"] == {"a": "b"}
        assert len((await call(rig, "list_sessions", maxResults=5))["sessionSummaries"]) == 1
    async with running(tmp_path) as rig:
        assert (await call(rig, "get_session", sessionIdentifier=session))["sessionStatus"] == "ACTIVE"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aws_access_key_id": "AKIASTRANGER"}, "UnrecognizedClientException"),
        ({"aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
        ({"region_name": "eu-west-1"}, "InvalidSignatureException"),
    ],
)
async def test_strangers_are_refused_on_the_agent_runtime_too(tmp_path, changes, code):
    async with running(tmp_path) as rig:
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            await call(rig, "list_sessions", changes)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.API_DENIED, "AccessDeniedException"),
        (Fault.API_THROTTLED, "ThrottlingException"),
        (Fault.API_INTERNAL, "InternalServerException"),
    ],
)
async def test_errors_of_the_agent_runtime_on_demand(tmp_path, fault, code):
    async with running(tmp_path) as rig:
        rig.server.faults.add(fault)
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            await call(rig, "create_session")
        assert caught.value.response["Error"]["Code"] == code
        assert (await call(rig, "list_sessions"))["sessionSummaries"] == []


async def test_an_agent_runtime_that_is_down(tmp_path):
    async with running(tmp_path) as rig:
        rig.server.faults.add(Fault.API_DOWN)
        with pytest.raises(botocore.exceptions.HTTPClientError):
            await call(rig, "create_session")
        assert (await call(rig, "list_sessions"))["sessionSummaries"] == []


async def test_an_answer_lost_half_way_leaves_the_work_done(tmp_path):
    """boto3 takes half an answer for an empty one: it does not compare the length."""
    async with running(tmp_path) as rig:
        rig.server.faults.add(Fault.API_TORN)
        assert await call(rig, "create_session") == {}
        assert len((await call(rig, "list_sessions"))["sessionSummaries"]) == 1


async def test_a_slow_answer_of_the_agent_runtime(tmp_path):
    async with running(tmp_path) as rig:
        rig.server.faults.add(Fault.API_SLOW, delay_s=0.3)
        begin = time.monotonic()
        await call(rig, "create_session")
        assert time.monotonic() - begin >= 0.3


async def test_the_address_is_found_while_the_server_runs(tmp_path):
    async with running(tmp_path) as rig:
        assert find_server(tmp_path) == rig.address
        assert rig.address.bedrock.startswith("http://127.0.0.1:")
        assert rig.address.bedrock_tls.startswith("https://127.0.0.1:")
        assert Path(rig.address.ca_file) == tmp_path / "ca.pem"
        assert rig.address.pid == os.getpid()
        assert stat.S_IMODE((tmp_path / "address.json").stat().st_mode) == 0o600
        second = LocalServer(ServerOptions(folder=tmp_path), Scripted(listen))
        with pytest.raises(KnownError) as caught:
            await second.start()
        assert caught.value.reason is Reason.ALREADY_RUNNING
        with pytest.raises(BugError):
            await rig.server.start()
    assert find_server(tmp_path) is None
    async with running(tmp_path) as again:
        assert again.address.access_key_id == rig.address.access_key_id


async def test_a_taken_port_is_told_with_the_next_step(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = LocalServer(ServerOptions(folder=tmp_path, port=port), Scripted(listen))
        with pytest.raises(KnownError) as caught:
            await server.start()
    assert caught.value.reason is Reason.PORT_TAKEN
    assert str(port) in caught.value.what
    assert "--port" in caught.value.advice
    async with running(tmp_path):
        pass


@pytest.mark.parametrize("port", [-1, 65_534, 70_000])
async def test_ports_that_cannot_be_are_bad_input(tmp_path, port):
    with pytest.raises(KnownError) as caught:
        await LocalServer(ServerOptions(folder=tmp_path, port=port), Scripted(listen)).start()
    assert caught.value.reason is Reason.BAD_INPUT


async def test_fixed_ports_are_three_in_a_row(tmp_path):
    port = three_free_ports()
    async with running(tmp_path, port=port) as rig:
        ends = [url.rpartition(":")[2] for url in (rig.address.bedrock, rig.address.bedrock_tls)]
        assert ends == [str(port), str(port + 1)]
        assert rig.address.agent_runtime.endswith(f":{port + 2}")


async def test_only_loopback_is_listened_on(tmp_path):
    async with running(tmp_path) as rig:
        sockets = [entry for server in rig.server._http2._servers for entry in server.sockets]
        assert {entry.getsockname()[0] for entry in sockets} == {"127.0.0.1"}
        assert {address[0] for address in rig.server._api.addresses} == {"127.0.0.1"}


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stdin"])
async def test_a_process_serves_and_ends_within_two_seconds(tmp_path, how):
    process = start_process(tmp_path)
    try:
        line = json.loads(await asyncio.to_thread(process.stdout.readline))
        assert line["pid"] == process.pid
        assert line["gateway"] is None
        assert find_server(tmp_path).pid == process.pid
        async with await WireClient().connect(line["bedrock_tls"], line["ca_file"]) as wire:
            stream = wire.open(Keys(access_key_id=line["access_key_id"], secret_access_key=line["secret_access_key"]))
            await stream.send(*opening(), audio_start())
            assert (await stream.event())[0] == "completionStart"
            if how == "stdin":
                process.stdin.close()
            else:
                process.send_signal(getattr(signal, how))
            assert await asyncio.to_thread(process.wait, 2) == 0
        assert process.stderr.read() == b""
        assert find_server(tmp_path) is None
    finally:
        process.kill()
        process.wait()
        close_pipes(process)


async def test_a_killed_server_leaves_nothing_in_the_way(tmp_path):
    process = start_process(tmp_path)
    try:
        await asyncio.to_thread(process.stdout.readline)
    finally:
        process.kill()
        process.wait()
        close_pipes(process)
    assert (tmp_path / "address.json").exists()
    assert find_server(tmp_path) is None
    async with running(tmp_path) as rig:
        assert find_server(tmp_path) == rig.address
