"""What `novadesk gateway` takes, before it serves anybody."""

import json
import os
import signal
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest

from novadesk.app.gateway import GatewayStart, limits_from, make_terms, open_state, run_gateway, timing_from
from novadesk.cli import _parser as make_parser
from novadesk.config import Settings
from novadesk.errors import KnownError, Reason
from novadesk.paths import find_folders
from novadesk.protocol.signin import TERMS_PATH, SignInTerms, read_terms
from tests.support.commands import ENTRY


def test_the_limits_of_the_environment_are_those_of_the_documents() -> None:
    assert (limits_from({}).sessions, timing_from({}).idle_s) == (10, 3_600.0)
    environment = {"SESSION_MAX_CONCURRENT": "50", "SESSION_TIMEOUT": "60", "SESSION_MAX_PER_USER": "3"}
    limits = limits_from(environment)
    assert (limits.sessions, limits.sessions_per_owner, timing_from(environment).idle_s) == (50, 3, 60.0)
    assert limits_from({"SESSION_MAX_CONCURRENT": "4"}).sessions_per_owner == 4


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "٣"])
def test_a_limit_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(KnownError) as refused:
        limits_from({"SESSION_MAX_CONCURRENT": text})
    assert refused.value.reason is Reason.BAD_INPUT
    with pytest.raises(KnownError):
        timing_from({"SESSION_TIMEOUT": text})


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (GatewayStart(), "whose tokens"),
        (GatewayStart(issuer="https://issuer.example"), "whose tokens"),
        (GatewayStart(dev=True, host="0.0.0.0"), "this computer only"),
        (
            GatewayStart(dev=True, terms=SignInTerms(issuer="https://id.example", client_id="n")),
            "at the gateway itself",
        ),
        (GatewayStart(dev=True, certificate=Path("cert.pem")), "needs its key"),
        (GatewayStart(dev=True, state="redis:here"), "no session store"),
        (GatewayStart(dev=True, port=0, certificate=Path(__file__), key=Path(__file__)), "cannot be used"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(start: GatewayStart, words: str) -> None:
    with pytest.raises(KnownError, match=words):
        run_gateway(start)


async def test_a_session_store_is_named_by_its_kind(tmp_path: Path) -> None:
    store = open_state(f"sqlite:{tmp_path / 'state.db'}", find_folders(), Settings())
    assert await store.count(now_s=0.0) == 0
    await store.close()
    assert (tmp_path / "state.db").exists()


async def test_a_session_store_in_dynamodb_asks_there_with_the_keys_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "practice")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    store = open_state("dynamodb:novadesk-gateway", find_folders(), Settings())
    with pytest.raises(KnownError, match="cannot be reached"):
        await store.count(now_s=0.0)
    await store.close()


ISSUED = ("--issuer", "https://id.example", "--audience", "voice")


def test_a_gateway_says_where_its_people_sign_in(tmp_path: Path) -> None:
    sign_in = (
        "--client-id", "novadesk", "--scope", "openid offline_access", "--parameter", "audience=voice",
        "--redirect", "http://localhost:8976/", "--redirect", "http://localhost:8977/",
    )  # fmt: skip
    command = (*ENTRY, "gateway", "--port", "0", "--state", f"sqlite:{tmp_path / 'state.db'}", *ISSUED, *sign_in)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "NOVADESK_HOME": str(tmp_path)}
    )
    try:
        assert process.stdout is not None
        with process.stdout, urlopen(json.loads(process.stdout.readline())["http"] + TERMS_PATH) as answer:
            said = read_terms(answer.read())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert said == SignInTerms(
        issuer="https://id.example",
        client_id="novadesk",
        scope="openid offline_access",
        parameters={"audience": "voice"},
        redirects=("http://localhost:8976/", "http://localhost:8977/"),
    )


@pytest.mark.parametrize("left_out", ["issuer", "client_id"])
def test_a_sign_in_that_nobody_could_use_is_not_offered(left_out: str) -> None:
    said = {"issuer": "https://id.example", "client_id": "novadesk"} | {left_out: ""}
    with pytest.raises(KnownError, match="not complete"):
        make_terms(**said, scope="openid", parameters={}, redirects=())


def test_a_gateway_may_leave_it_to_others_to_say_where_people_sign_in() -> None:
    assert make_terms(issuer="https://id.example", client_id="", scope="", parameters={}, redirects=()) is None


@pytest.mark.parametrize("text", ["audience", "audience=", "prompt=none", "=x"])
def test_a_parameter_that_no_client_would_send_is_refused(text: str) -> None:
    with pytest.raises(KnownError, match="audience=TEXT or resource=TEXT"):
        make_parser().parse_args(["gateway", *ISSUED, "--parameter", text])
