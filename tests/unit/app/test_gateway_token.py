"""`novadesk gateway token`, as a person types it."""

from pathlib import Path

import pytest

from novadesk import cli
from novadesk.app.clock import SystemClock
from novadesk.paths import find_folders
from novadesk.server.gateway.issuer import LocalIssuer


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path))


async def test_it_prints_a_token_that_the_gateway_of_this_folder_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["gateway", "token", "--user", "alice", "--valid-s", "120"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    now_s = SystemClock().unix_ms() / 1000
    issuer = LocalIssuer(find_folders().gateway, clock=lambda: now_s)
    identity = await issuer.verifier().verify(out.strip(), now_s=now_s)
    issuer.close()
    assert identity.subject == "alice"
    assert 0 < identity.expires_at_s - now_s <= 120


async def test_without_a_name_it_is_for_the_person_at_the_computer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "somebody")
    assert cli.main(["gateway", "token"]) == 0
    now_s = SystemClock().unix_ms() / 1000
    issuer = LocalIssuer(find_folders().gateway, clock=lambda: now_s)
    assert (await issuer.verifier().verify(capsys.readouterr().out.strip(), now_s=now_s)).subject == "somebody"
    issuer.close()


@pytest.mark.parametrize(
    "arguments", [["--valid-s", "0"], ["--valid-s", "-1"], ["--valid-s", "x"], ["--user", "a\nb"], ["--user", " "]]
)
def test_what_makes_no_sense_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["gateway", "token", *arguments]) == 2
    assert "novadesk: input:" in capsys.readouterr().err
