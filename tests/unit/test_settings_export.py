import dataclasses
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from novadesk.config import AudioSettings, BackendSettings, EchoSetting, HistorySettings, Settings, VoiceSettings
from novadesk.errors import KnownError
from novadesk.settings_export import EXPORTED, KEPT_HERE, Change, export_text, plan_import
from novadesk.settings_file import values

FILE = Path("from-elsewhere.toml")


def marked() -> Settings:
    """Return settings whose every text that stays here says so."""
    sections = {}
    for section in dataclasses.fields(Settings):
        value = getattr(Settings(), section.name)
        texts = {
            entry.name: f"secret-{section.name}-{entry.name}"
            for entry in dataclasses.fields(value)
            if isinstance(getattr(value, entry.name), str) and (section.name, entry.name) not in EXPORTED
        }
        sections[section.name] = dataclasses.replace(value, **texts)
    return Settings(**sections)


def test_whether_it_leaves_is_decided_for_every_setting() -> None:
    places = {(section, name) for section, name, _, _ in values(Settings())}
    assert places == EXPORTED | KEPT_HERE
    assert not EXPORTED & KEPT_HERE


def test_nothing_that_may_be_secret_leaves() -> None:
    text = export_text(marked())
    assert "secret-" not in text
    held = {(section, name) for section, entries in tomlkit.parse(text).items() for name in entries}
    assert held == EXPORTED


def test_what_was_exported_is_what_is_imported_and_the_rest_stays() -> None:
    here = marked()
    there = Settings(
        backend=BackendSettings(profile="theirs", region="eu-north-1"),
        voice=VoiceSettings(voice="amy", prompt="Line\none “two” ''' \\ \"\"\""),
        audio=AudioSettings(microphone="theirs", echo=EchoSetting.HEADSET, volume=0.25),
        history=HistorySettings(keep_days=30),
    )
    plan = plan_import(export_text(there).encode(), FILE, here)
    expected = dataclasses.replace(
        here,
        backend=dataclasses.replace(here.backend, region="eu-north-1"),
        voice=there.voice,
        audio=dataclasses.replace(here.audio, echo=EchoSetting.HEADSET, volume=0.25),
        history=there.history,
    )
    assert plan.settings == expected
    assert plan.left_out == ()
    assert Change(section="voice", name="voice", before="matthew", after="amy") in plan.changes
    assert len(plan.changes) == 6


def test_an_import_sets_nothing_that_it_may_not_and_says_so() -> None:
    text = "[backend]\nbedrock_endpoint = 'https://elsewhere'\nca_bundle = 3\n[limits]\nscale = 'x'\n[new]\nthing = 1\n"
    plan = plan_import(text.encode(), FILE, Settings())
    assert (plan.settings, plan.changes) == (Settings(), ())
    assert set(plan.left_out) == {"[backend] bedrock_endpoint", "[backend] ca_bundle", "[limits] scale", "[new] thing"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[voice\n", "line 1"),
        (b"\xff\xfe[\x00v\x00", "TOML"),
        (b"[voice]\ntop_p = 7.0\n", "[voice] top_p"),
        (b"[talk]\nmode = 'shout'\n", "[talk] mode"),
        (b"[backend]\nregion = 'moon'\n", "moon"),
        (b"voice = 1\n", "voice"),
    ],
)
def test_a_bad_file_changes_nothing_and_is_told_with_its_place(content: bytes, words: str) -> None:
    with pytest.raises(KnownError) as caught:
        plan_import(content, FILE, Settings())
    assert words in caught.value.what


def test_every_kind_of_value_is_written_as_toml() -> None:
    kinds: dict[str, Any] = tomlkit.parse(export_text(Settings())).unwrap()
    assert kinds["talk"]["mode"] == "hold"
    assert kinds["history"]["keep_days"] == 0
    assert kinds["audio"]["volume"] == 1.0
    assert kinds["window"]["tray"] is True
