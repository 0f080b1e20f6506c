import ssl
import stat
from datetime import UTC, datetime, timedelta

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.server.certificate import ensure_certificate
from novadesk.server.credentials import load_access_key

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAME = "bedrock-runtime.us-east-1.amazonaws.com"


def contents(files):
    return tuple(file.read_bytes() for file in (files.ca, files.chain, files.key))


def test_the_same_files_are_kept_while_they_hold(tmp_path):
    first = contents(ensure_certificate(tmp_path, (NAME,), NOW))
    assert contents(ensure_certificate(tmp_path, (NAME,), NOW + timedelta(days=300))) == first


@pytest.mark.parametrize(("names", "days"), [(("other.example",), 0), ((NAME, "10.0.0.7"), 0), ((NAME,), 395)])
def test_other_names_or_age_renew_the_certificate_and_keep_the_authority(tmp_path, names, days):
    first = contents(ensure_certificate(tmp_path, (NAME,), NOW))
    second = contents(ensure_certificate(tmp_path, names, NOW + timedelta(days=days)))
    assert second[0] == first[0]
    assert second[1] != first[1]


@pytest.mark.parametrize("broken", ["ca.pem", "ca.key", "server.pem", "server.key"])
def test_broken_files_are_made_anew(tmp_path, broken):
    ensure_certificate(tmp_path, (), NOW)
    (tmp_path / broken).write_text("no")
    ensure_certificate(tmp_path, (), NOW).server_context()


def test_an_aged_authority_is_made_anew_with_its_certificate(tmp_path):
    first = contents(ensure_certificate(tmp_path, (), NOW))
    second = contents(ensure_certificate(tmp_path, (), NOW + timedelta(days=4000)))
    assert not set(first) & set(second)


def test_keys_are_readable_by_the_user_only(tmp_path):
    ensure_certificate(tmp_path, (), NOW)
    load_access_key(tmp_path)
    for name in ("ca.key", "server.key", "credentials.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", NAME])
def test_a_client_that_trusts_the_authority_accepts_every_name(tmp_path, name):
    files = ensure_certificate(tmp_path, (NAME,), datetime.now(UTC))
    client = ssl.create_default_context(cafile=files.ca)
    client.set_alpn_protocols(["h2"])
    a, b, c, d = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(a, b, server_hostname=name)
    far = files.server_context().wrap_bio(c, d, server_side=True)
    done = set()
    for _ in range(10):
        for side in (near, far):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
            c.write(b.read())
            a.write(d.read())
    assert done == {near, far}
    assert near.selected_alpn_protocol() == "h2"


def test_a_name_that_is_none_is_refused(tmp_path):
    with pytest.raises(KnownError) as caught:
        ensure_certificate(tmp_path, ("bücher.example",), NOW)
    assert caught.value.reason is Reason.BAD_INPUT


def test_the_access_key_is_made_once(tmp_path):
    key = load_access_key(tmp_path)
    assert load_access_key(tmp_path) == key
    assert key.access_key_id.startswith("AKIA")
    assert len(key.access_key_id) == 20
    assert len(key.secret_access_key) == 40


def test_a_broken_key_file_is_a_known_error(tmp_path):
    (tmp_path / "credentials.json").write_text("{}")
    with pytest.raises(KnownError) as caught:
        load_access_key(tmp_path)
    assert caught.value.reason is Reason.PRACTICE_FAILED
