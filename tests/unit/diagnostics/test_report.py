"""The report for a fault: what it says, and all that it must never say."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from novadesk.config import BackendSettings, PracticeSettings, Settings, VoiceSettings
from novadesk.diagnostics.metrics import Measure, Row, summarise
from novadesk.diagnostics.report import Facts, grave_lines, make_report, open_settings, scrub
from novadesk.logs import start_logs, stop_logs
from tests.support.leaks import LogWatch

SECRETS = (
    "session_1760000000000_abcdefghij0123456789abcdef",
    "d23f0824-128b-4f33-8c5c-7fd0a6a3a450",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQ==",
    "arn:aws:kms:eu-central-1:123456789012:key/d23f0824-128b-4f33-8c5c-7fd0a6a3a450",
    "123456789012",
    "anna.muster@example.com",
)
NOW = 1_800_000_000_000


def facts(**changes: object) -> Facts:
    made = Facts(
        made_at="2027-01-15 08:00:00 UTC",
        program=(("version", "1.2.3"), ("system", "Linux 6.1")),
        state=(("phase", "ready"), ("error", "network.link_lost")),
        settings=Settings(),
        metrics=summarise([Row(at_ms=NOW - 1, measure=Measure.LOAD, value=180)], NOW),
        log=(),
        events=('{"at_s":1.0,"generation":1}',),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_report_says_what_helps() -> None:
    report = make_report(
        facts(log=["2027-01-15 07:59:59,123 WARNING novadesk.store.sync: sync is put off: sync.denied"])
    )
    for part in (
        "NovaDesk report, 2027-01-15 08:00:00 UTC",
        "version: 1.2.3",
        "phase: ready",
        "error: network.link_lost",
        "backend.kind = practice",
        "history_load_time: 0.18 s (n=1)",
        "session_recovery_rate: - (n=0)",
        "WARNING novadesk.store.sync: sync is put off: sync.denied",
        '{"at_s":1.0,"generation":1}',
    ):
        assert part in report


def test_a_report_of_nothing_can_be_read() -> None:
    report = make_report(facts(log=(), events=(), program=(), state=(), metrics=()))
    assert report.count("none") == 2


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_passes_wherever_it_stands(secret: str) -> None:
    settings = Settings(
        backend=BackendSettings(
            profile=secret,
            bedrock_endpoint=f"https://{secret}:{secret}@host.example:8443/{secret}?token={secret}",
            ca_bundle=f"/home/{secret}/ca.pem",
            kms_key=secret,
            model=secret,
        ),
        voice=VoiceSettings(prompt=f"My secret is {secret}."),
        practice=PracticeSettings(llm=f"http://{secret}@localhost:11434/v1"),
    )
    report = make_report(
        facts(
            settings=settings,
            program=(("system", secret),),
            state=(("error", f"it was {secret}."),),
            log=[
                f"2027-01-15 07:59:59,123 ERROR   novadesk.x: failed for {secret}",
                "Traceback (most recent call last):",
                f'  File "/home/{secret}/src/novadesk/store/sync.py", line 7, in _round',
                f"    raise ValueError({secret!r})",
                f"ValueError: {secret}",
                secret,
            ],
        )
    )
    assert secret not in report


def test_settings_show_choices_and_hide_words() -> None:
    settings = Settings(
        backend=BackendSettings(bedrock_endpoint="https://user:pass@host.example:8443/path?x=1", profile="work"),
        voice=VoiceSettings(prompt="Talk about the Zugspitze."),
    )
    lines = open_settings(settings)
    assert "backend.bedrock_endpoint = https://host.example:8443" in lines
    assert "backend.profile = (set)" in lines
    assert "backend.region = us-east-1" in lines
    assert "backend.ca_bundle = (not set)" in lines
    assert "voice.prompt = (set)" in lines
    assert "voice.voice = matthew" in lines
    assert "talk.mode = hold" in lines
    assert "session.idle_s = 300.0" in lines


@pytest.mark.parametrize("address", ["http://[::1", "nonsense", "https://host:port/", "//"])
def test_an_address_that_is_none_is_not_shown(address: str) -> None:
    lines = open_settings(Settings(backend=BackendSettings(bedrock_endpoint=address)))
    assert "backend.bedrock_endpoint = (set)" in lines


def fail_with(words: str) -> None:
    raise ValueError(f"{words}\n{words}\nTimeoutError: {words}")


def test_a_real_log_keeps_frames_and_loses_words(tmp_path: Path, expected_logs: LogWatch) -> None:
    expected_logs.allow("a test")
    file = tmp_path / "novadesk.log"
    handler = start_logs(file)
    log = logging.getLogger("novadesk.store.sync")
    try:
        log.info("a test that went well")
        try:
            try:
                fail_with("Zugspitze")
            except ValueError as error:
                raise RuntimeError("Zugspitze") from error
        except RuntimeError:
            log.exception("a test that met a bug")
        log.warning("a test that warns")
        log.info("a test that went well again")
    finally:
        stop_logs(handler)
    lines = grave_lines(file.read_text(encoding="utf-8").splitlines())
    text = "\n".join(lines)
    assert "Zugspitze" not in text
    assert "went well" not in text
    assert "ERROR   novadesk.store.sync: a test that met a bug" in text
    assert "WARNING novadesk.store.sync: a test that warns" in text
    assert 'File "test_report.py", line' in text or "in fail_with" in text
    assert lines.count("Traceback (most recent call last):") == 2
    assert "ValueError" in lines
    assert "RuntimeError" in lines
    assert str(Path(__file__).parent) not in text


def test_paths_begin_at_the_package() -> None:
    lines = grave_lines(
        [
            "2027-01-15 07:59:59,123 ERROR   novadesk.x: it failed",
            '  File "/home/anna/novadesk/.venv/lib/python3.12/site-packages/h2/connection.py", line 5, in receive',
            '  File "C:\\\\Users\\\\anna\\\\novadesk\\\\store\\\\sync.py", line 9, in run',
        ]
    )
    assert "anna" not in "\n".join(lines)
    assert "h2/connection.py" in lines[1]
    assert lines[2] == '  File "novadesk//store//sync.py", line 9, in run'


@pytest.mark.parametrize(
    "text", ["Linux-6.1.0-13-amd64-x86_64-with-glibc2.36"[:27], "Python 3.12.3", "eu-central-1", ""]
)
def test_ordinary_words_stay(text: str) -> None:
    assert scrub(text) == text
