"""The catalogue of errors: complete, its codes fixed for ever, and the page made of it."""

import re
from pathlib import Path

import pytest

from novadesk.awscli import sign_in_command
from novadesk.catalogue import ENTRIES, Entry, Remedy, entry_of, make_page
from novadesk.config import Settings
from novadesk.errors import Reason

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

PUBLISHED = {
    "input": "ND-INPUT bad file_missing bad_wav unknown_conversation",
    "settings": "ND-SET bad bad_region bad_model",
    "audio": "ND-SOUND no_microphone no_speaker unknown_device server_gone engine_died device_stalled",
    "network": "ND-LINK unreachable link_lost timed_out tls_refused proxy_refused",
    "credentials": "ND-SIGN none expired access_denied bad_signature sign_in_failed",
    "service": "ND-SVC session_limit input_silence stream_closed unstable throttled quota unavailable model_not_found "
    "protocol_order bad_request bad_event_bytes session_taken",
    "practice": "ND-PRAC failed parts_missing",
    "store": "ND-STORE locked broken disk_full",
    "sync": "ND-SYNC denied conflict session_closed unreachable",
    "keyring": "ND-RING absent locked denied timed_out",
    "control": "ND-CTL not_running refused already_running port_taken",
    "desktop": "ND-DESK no_display hotkey_unavailable autostart_refused no_window",
    "update": "ND-UPD feed_refused feed_broken",
}
"""Codes that people have seen, in their order; new causes go to the end of their line and nothing is taken out."""


def test_every_cause_has_one_row() -> None:
    assert [entry.reason for entry in ENTRIES] == list(Reason)
    assert all(entry_of(reason).reason is reason for reason in Reason)


def test_codes_are_those_that_were_published() -> None:
    published = {
        f"{layer}.{name}": f"{prefix}-{number:02d}"
        for layer, line in PUBLISHED.items()
        for prefix, *names in [line.split()]
        for number, name in enumerate(names, start=1)
    }
    assert {entry.reason.value: entry.code for entry in ENTRIES} == published
    assert len({entry.code for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.code)
def test_a_row_says_why_what_to_do_and_what_its_button_does(entry: Entry) -> None:
    for words in (entry.cause, entry.step):
        assert re.fullmatch(r"[A-Z].{8,}\.", words)
    assert bool(entry.button) is (entry.remedy is not Remedy.WORDS)
    assert bool(entry.target) is (entry.remedy in (Remedy.SETTINGS, Remedy.COMMAND))
    if entry.remedy is Remedy.SETTINGS:
        section, name = entry.target.split(".")
        assert hasattr(getattr(Settings(), section), name)


def test_the_page_is_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == make_page(), "run `python scripts/errors.py`"


def test_the_command_names_the_profile() -> None:
    assert sign_in_command("my work") == ("aws", "sso", "login", "--profile", "my work")
    assert sign_in_command("") == ("aws", "sso", "login")
