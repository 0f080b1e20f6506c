import errno
import io
import json
import sys
from collections.abc import Callable

import pytest

from novadesk import cli
from novadesk.errors import KnownError, Reason


def failing(error: BaseException) -> Callable[[object], int]:
    def run(_parsed: object) -> int:
        raise error

    return run


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `devices`, which ends with an error."""

    def run(error: BaseException, *arguments: str) -> int:
        monkeypatch.setattr(cli, "_devices", failing(error))
        return cli.main(["devices", *arguments])

    return run


KNOWN = KnownError(Reason.NO_SPEAKER, "There is\nno speaker.", "Plug one in.")


def test_a_known_error_is_one_sentence(ends_with: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(KNOWN) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "novadesk: audio: There is no speaker. Plug one in. (ND-SOUND-02)\n")


def test_with_json_it_is_a_line_too(ends_with: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(KNOWN, "--json") == 2
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1
    assert json.loads(out) == {
        "type": "error",
        "code": "ND-SOUND-02",
        "layer": "audio",
        "reason": "audio.no_speaker",
        "what": "There is\nno speaker.",
        "advice": "Plug one in.",
    }


def test_a_file_that_cannot_be_used(ends_with: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(PermissionError(errno.EACCES, "Permission denied", "/there")) == 2
    assert "/there cannot be used (Permission denied)." in capsys.readouterr().err


def test_a_bug_is_not_dressed_up(ends_with: Callable[..., int]) -> None:
    with pytest.raises(ZeroDivisionError):
        ends_with(ZeroDivisionError())
    with pytest.raises(OSError, match="bare"):
        ends_with(OSError(errno.EIO, "bare"))


def test_an_interrupt_is_130(ends_with: Callable[..., int]) -> None:
    assert ends_with(KeyboardInterrupt()) == 130


def test_nobody_reads(ends_with: Callable[..., int], capfd: pytest.CaptureFixture[str]) -> None:
    assert ends_with(BrokenPipeError()) == 0


def test_nobody_reads_the_error_either(ends_with: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    assert ends_with(KNOWN, "--json") == 2


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["talk", "--help"], ["ctl", "say", "--help"]])
def test_help_is_data(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    assert out
    assert err == ""


def test_every_command_of_the_table_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--help"])
    listed = capsys.readouterr().out
    for name in ("window", "talk", "serve", "history", "ctl", "doctor", "devices", "logout"):
        assert f"\n    {name} " in listed
    assert "engine" not in listed, "the audio process is not for people"


@pytest.mark.parametrize("profile", ["work", "A-b_9", "x" * 64])
def test_a_profile_name(monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    seen: list[str] = []
    monkeypatch.setattr(cli, "_devices", lambda parsed: seen.append(parsed.profile) or 0)
    assert cli.main(["--profile", profile, "devices"]) == 0
    assert seen == [profile]


@pytest.mark.parametrize("profile", ["..", "../x", "a/b", "-x", ".", "a b", "a\n", "x" * 65, "é", "_"])
def test_no_profile_name(profile: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([f"--profile={profile}", "devices"]) == 2
    assert "novadesk: input: Argument --profile" in capsys.readouterr().err
