import json
import stat

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.server.address import FolderLock, ServerAddress, find_server, publish, withdraw

ADDRESS = ServerAddress(
    bedrock="http://127.0.0.1:1",
    bedrock_tls="https://127.0.0.1:2",
    ca_file="/tmp/ca.pem",
    agent_runtime="http://127.0.0.1:3",
    gateway=None,
    region="us-east-1",
    access_key_id="AKIA",
    secret_access_key="very secret",
    pid=1,
)


def test_a_running_server_is_found(tmp_path):
    with FolderLock(tmp_path):
        publish(tmp_path, ADDRESS)
        assert find_server(tmp_path) == ADDRESS
        assert stat.S_IMODE((tmp_path / "address.json").stat().st_mode) == 0o600
        withdraw(tmp_path)
        assert find_server(tmp_path) is None


def test_a_stale_file_counts_for_nothing_and_does_not_hold_the_folder(tmp_path):
    publish(tmp_path, ADDRESS)
    assert find_server(tmp_path) is None
    with FolderLock(tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{}", "[1]", json.dumps({"bedrock": "x"})])
def test_a_broken_file_counts_for_nothing(tmp_path, text):
    (tmp_path / "address.json").write_text(text)
    with FolderLock(tmp_path):
        assert find_server(tmp_path) is None


def test_a_folder_has_one_server(tmp_path):
    with FolderLock(tmp_path), pytest.raises(KnownError) as caught:
        FolderLock(tmp_path).take()
    assert caught.value.reason is Reason.ALREADY_RUNNING
    with FolderLock(tmp_path):
        pass


def test_an_unusable_folder_is_a_known_error(tmp_path):
    with pytest.raises(KnownError) as caught:
        FolderLock(tmp_path / "missing").take()
    assert caught.value.reason is Reason.PRACTICE_FAILED


def test_the_json_has_everything_and_the_repr_no_secret():
    assert json.loads(ADDRESS.to_json())["gateway"] is None
    assert set(json.loads(ADDRESS.to_json())) == {
        "bedrock",
        "bedrock_tls",
        "ca_file",
        "agent_runtime",
        "gateway",
        "region",
        "access_key_id",
        "secret_access_key",
        "pid",
    }
    assert "very secret" not in repr(ADDRESS)
