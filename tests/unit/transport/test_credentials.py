import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from novadesk.errors import KnownError, Reason
from novadesk.transport.credentials import FrozenCredentials, ProfileCredentials


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def keys(files: Path, text: str) -> None:
    (files / "credentials").write_text(text)


def config(files: Path, text: str) -> None:
    (files / "config").write_text(text)


async def refused(profile: str = "", **options: Any) -> KnownError:
    with pytest.raises(KnownError) as caught:
        await ProfileCredentials(profile, **options).freeze()
    return caught.value


async def test_keys_of_a_profile(files: Path) -> None:
    keys(files, "[work]\naws_access_key_id = AK\naws_secret_access_key = SK\naws_session_token = ST\n")
    frozen = await ProfileCredentials("work").freeze()
    assert frozen == FrozenCredentials(access_key_id="AK", secret_access_key="SK", session_token="ST")
    assert not {"AK", "SK", "ST"} & set(repr(frozen).split("'"))


async def test_keys_of_the_environment(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")
    frozen = await ProfileCredentials("").freeze()
    assert (frozen.access_key_id, frozen.session_token, frozen.expires_at_ms) == ("AK", None, None)


async def test_keys_of_a_program_with_their_end(files: Path) -> None:
    answer = '{"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "SK", "Expiration": "2126-01-02T03:04:05Z"}'
    (files / "keys.py").write_text(f"print('''{answer}''')")
    config(files, f"[profile p]\ncredential_process = {sys.executable} {files / 'keys.py'}\n")
    frozen = await ProfileCredentials("p").freeze()
    assert frozen.expires_at_ms == int(datetime(2126, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp() * 1000)


async def test_a_program_that_fails(files: Path) -> None:
    config(files, "[profile p]\ncredential_process = false\n")
    assert (await refused("p")).reason is Reason.NO_CREDENTIALS


async def test_no_keys_at_all(files: Path) -> None:
    assert (await refused()).reason is Reason.NO_CREDENTIALS


async def test_an_unknown_profile_is_named(files: Path) -> None:
    error = await refused("nobody")
    assert error.reason is Reason.NO_CREDENTIALS
    assert "nobody" in error.what


async def test_half_a_pair_of_keys(files: Path) -> None:
    keys(files, "[work]\naws_access_key_id = AK\n")
    assert (await refused("work")).reason is Reason.NO_CREDENTIALS


async def test_a_broken_file(files: Path) -> None:
    config(files, "this is no configuration\n")
    assert (await refused()).reason is Reason.NO_CREDENTIALS


async def test_a_login_that_is_over_names_the_command(files: Path) -> None:
    config(
        files,
        "[profile work]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n"
        "[sso-session s]\nsso_start_url = https://x.example\nsso_region = us-east-1\n",
    )
    error = await refused("work")
    assert error.reason is Reason.CREDENTIALS_EXPIRED
    assert "aws sso login --profile work" in error.advice


async def test_a_role_that_wants_a_code_does_not_read_from_the_terminal(files: Path) -> None:
    config(
        files,
        "[profile base]\naws_access_key_id = AK\naws_secret_access_key = SK\n"
        "[profile mfa]\nrole_arn = arn:aws:iam::000000000000:role/r\nsource_profile = base\nmfa_serial = s\n"
        "region = us-east-1\n",
    )
    assert (await refused("mfa")).reason is Reason.NO_CREDENTIALS


class Session:
    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def get_credentials(self) -> None:
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (botocore.exceptions.UnauthorizedSSOTokenError(), Reason.CREDENTIALS_EXPIRED),
        (botocore.exceptions.SSOTokenLoadError(error_msg="x"), Reason.CREDENTIALS_EXPIRED),
        (botocore.exceptions.TokenRetrievalError(provider="sso", error_msg="x"), Reason.CREDENTIALS_EXPIRED),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"), Reason.UNREACHABLE),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x"), Reason.UNREACHABLE),
        (
            botocore.exceptions.ClientError({"Error": {"Code": "ExpiredToken"}}, "AssumeRole"),
            Reason.CREDENTIALS_EXPIRED,
        ),
        (botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole"), Reason.ACCESS_DENIED),
        (botocore.exceptions.ClientError({"Error": {"Code": "Other"}}, "AssumeRole"), Reason.NO_CREDENTIALS),
        (botocore.exceptions.CredentialRetrievalError(provider="p", error_msg="secret"), Reason.NO_CREDENTIALS),
    ],
)
async def test_each_failure_of_the_library(failure: Exception, reason: Reason) -> None:
    error = await refused(make_session=lambda profile: Session(failure))
    assert error.reason is reason
    assert "secret" not in str(error)


async def test_a_search_that_hangs_is_given_up_and_not_started_twice() -> None:
    gate, calls = threading.Event(), []

    def make_session(profile: str) -> Session:
        calls.append(profile)
        gate.wait(30)
        return Session(botocore.exceptions.UnauthorizedSSOTokenError())

    source = ProfileCredentials("p", deadline_s=0.1, make_session=make_session)
    for _ in range(2):
        with pytest.raises(KnownError) as caught:
            await source.freeze()
        assert caught.value.reason is Reason.TIMED_OUT
    assert calls == ["p"]
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "novadesk-credentials"]
    assert thread.daemon
    gate.set()
    thread.join(10)
    with pytest.raises(KnownError) as caught:
        await source.freeze()
    assert caught.value.reason is Reason.CREDENTIALS_EXPIRED
