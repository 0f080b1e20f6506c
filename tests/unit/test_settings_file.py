import dataclasses
import math
import os
import tempfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import tomlkit
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from novadesk.config import (
    KEEP_DAYS,
    AudioSettings,
    BackendSettings,
    EchoSetting,
    HistorySettings,
    LimitSettings,
    PracticeSettings,
    PressSetting,
    SensitivitySetting,
    Settings,
    TalkModeSetting,
    TalkSettings,
    VoiceSettings,
    WindowSettings,
    check_settings,
)
from novadesk.errors import KnownError, Layer, Reason
from novadesk.models import BackendKind
from novadesk.settings_file import good_copy, load_settings, open_settings, save_settings

FILES = examples(deadline=None, max_examples=30)  # the disk takes its time
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
SHARES = st.floats(0, 1)
SETTINGS = st.builds(
    Settings,
    backend=st.builds(
        BackendSettings,
        kind=st.sampled_from(BackendKind),
        profile=TEXTS,
        region=st.sampled_from(["us-east-1", "ap-northeast-1", "us-gov-west-1", "cn-north-1"]),
        model=TEXTS.filter(str.strip),
        bedrock_endpoint=TEXTS,
        agent_runtime_endpoint=TEXTS,
        ca_bundle=TEXTS,
    ),
    voice=st.builds(
        VoiceSettings,
        voice=TEXTS,
        prompt=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")),
        sensitivity=st.sampled_from(SensitivitySetting),
        max_tokens=st.integers(1, 2**40),
        temperature=SHARES,
        top_p=SHARES,
    ),
    audio=st.builds(
        AudioSettings,
        microphone=TEXTS,
        speaker=TEXTS,
        echo=st.sampled_from(EchoSetting),
        volume=st.floats(0, 1),
        cue_volume=st.floats(0, 1),
        messages_aloud=st.booleans(),
    ),
    talk=st.builds(
        TalkSettings,
        mode=st.sampled_from(TalkModeSetting),
        key=TEXTS,
        mute_key=TEXTS,
        press=st.sampled_from(PressSetting),
        release_tail_ms=st.integers(0, 1_000),
        max_talk_s=st.floats(10, 3_600),
    ),
    history=st.builds(HistorySettings, keep_days=st.sampled_from(KEEP_DAYS), delete_remotely=st.booleans()),
    window=st.builds(WindowSettings, high_contrast=st.booleans(), font_scale=st.floats(0.5, 3.0)),
    limits=st.builds(
        LimitSettings,
        connection_s=st.floats(0.001, 1e6),
        silence_s=st.floats(0.001, 1e6),
        scale=st.floats(0.001, 1e6),
    ),
    practice=st.builds(PracticeSettings, llm=TEXTS, llm_model=TEXTS),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.toml"


def written(file: Path, text: str) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode())
    return file


def attempt(file: Path) -> Settings | KnownError:
    try:
        return load_settings(file, {})
    except KnownError as error:
        return error


def refusal(call: Callable[[], object]) -> KnownError:
    with pytest.raises(KnownError) as caught:
        call()
    return caught.value


def test_no_file_means_the_defaults(file: Path) -> None:
    assert load_settings(file, {}) == Settings()
    assert not file.parent.exists()


def test_the_defaults_are_sound(file: Path) -> None:
    assert check_settings(Settings(), file) == Settings()


@FILES
@given(settings=SETTINGS)
def test_what_is_saved_is_what_is_loaded(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "new", "settings.toml")
        save_settings(settings, file, {})
        assert load_settings(file, {}) == settings
        save_settings(Settings(), file, {})
        assert load_settings(file, {}) == Settings()


@FILES
@given(first=SETTINGS, second=SETTINGS)
def test_saving_again_keeps_comments(first: Settings, second: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "settings.toml")
        file.write_text("# mine\n[talk]  # how I talk\nkey = 'f8'  # my key\n\n[voice]\n# nothing yet\n")
        save_settings(first, file, {})
        save_settings(second, file, {})
        text = file.read_text(encoding="utf-8")
        for comment in ("# mine\n", "# how I talk\n", "# my key\n", "# nothing yet\n"):
            assert comment in text
        assert load_settings(file, {}) == second


def test_only_what_differs_is_written(file: Path) -> None:
    save_settings(Settings(voice=VoiceSettings(voice="tiffany")), file, {})
    assert tomlkit.parse(file.read_text()).unwrap() == {"voice": {"voice": "tiffany"}}
    before = file.read_bytes()
    save_settings(Settings(voice=VoiceSettings(voice="tiffany")), file, {})
    assert file.read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_file_is_private_whatever_was_there(file: Path) -> None:
    written(file, "[talk]\nkey = 'f8'\n").chmod(0o644)
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text("left over")
    draft.chmod(0o666)
    save_settings(Settings(), file, {})
    assert file.stat().st_mode & 0o777 == good_copy(file).stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(file.parent)) == [good_copy(file).name, file.name]


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    target = written(tmp_path / "dotfiles.toml", "# in my dotfiles\n")
    file.parent.mkdir()
    file.symlink_to(target)
    save_settings(Settings(audio=AudioSettings(microphone="ALSA: Mic")), file, {})
    assert file.is_symlink()
    assert "ALSA: Mic" in target.read_text()


def test_a_save_that_fails_leaves_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(file, "# mine\n")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device", "draft")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_settings(Settings(voice=VoiceSettings(voice="tiffany")), file, {})
    assert file.read_text() == "# mine\n"


BROKEN = ["not toml", "voice = 3\n", "[voice]\nvoice = 'amy'\ntop_p = 7.0  # too much\n"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_set_aside_and_the_good_one_goes_on(file: Path, text: str) -> None:
    written(file, "# mine\n[talk]\nkey = 'f8'\n")
    settings = open_settings(file, {}).settings
    for number in (1, 2):
        written(file, text)
        changed = dataclasses.replace(settings, voice=VoiceSettings(voice=f"voice {number}"))
        aside = save_settings(changed, file, {})
        assert aside is not None
        assert aside.name == f"settings.broken-{number}.toml"
        assert aside.read_text() == text
        assert load_settings(file, {}) == changed
        assert "# mine" in file.read_text()


@pytest.mark.parametrize(
    "content", [b"[audio]\nvolume = = 1\n", b'[audio]\nmicrophone = "', b"[audio]\nmicrophone = '\xff'\n"]
)
def test_a_file_that_is_no_toml_is_told_with_the_line_where_it_ends_to_be(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(KnownError, match=r"\(line 2\)"):
        load_settings(file, {})


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_at_the_start_leads_to_the_settings_that_worked_last(file: Path, text: str) -> None:
    written(file, "[talk]\nkey = 'f8'\n")
    assert open_settings(file, {}).note == ""
    written(file, text)
    opened = open_settings(file, {"AWS_PROFILE": "work"})
    assert (opened.settings.talk.key, opened.settings.backend.profile) == ("f8", "work")
    assert str(refusal(lambda: load_settings(file, {})).what) in opened.note
    assert "worked last" in opened.note
    assert file.read_text() == text
    good_copy(file).write_text(text)
    assert open_settings(file, {}).settings == Settings()
    assert file.read_text() == text


def test_what_was_saved_is_what_worked_last(file: Path) -> None:
    save_settings(Settings(talk=TalkSettings(key="f7")), file, {})
    written(file, "[talk")
    assert open_settings(file, {}).settings.talk.key == "f7"


def test_a_file_that_is_gone_leaves_the_copy_of_it(file: Path) -> None:
    save_settings(Settings(talk=TalkSettings(key="f7")), file, {})
    file.unlink()
    assert open_settings(file, {}).settings == Settings()
    written(file, "[talk")
    assert open_settings(file, {}).settings.talk.key == "f7"


def test_an_environment_that_makes_no_sense_is_refused_whatever_the_file_says(file: Path) -> None:
    for text in ("", "[talk"):
        assert refusal(lambda: open_settings(file, {"AWS_REGION": "moon"})).reason is Reason.BAD_REGION
        written(file, text)
    assert open_settings(file, {}).settings == Settings()


NEWER = """# mine
theme = "sepia"
[voice]
voice = "amy"
tempo = 3  # quick
[kitchen]
light = true
[[profile]]
name = "headset"
"""


def test_what_a_newer_version_wrote_is_kept_and_named(file: Path) -> None:
    opened = open_settings(written(file, NEWER), {})
    assert opened.settings == Settings(voice=VoiceSettings(voice="amy"))
    for name in ("[theme]", "[voice] tempo", "[kitchen] light", "[profile]"):
        assert name in opened.note
    save_settings(Settings(voice=VoiceSettings(voice="tiffany")), file, {})
    assert file.read_text() == NEWER.replace("amy", "tiffany")


NAMES = {
    "AWS_PROFILE": ("profile", "work"),
    "AWS_REGION": ("region", "eu-north-1"),
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": ("bedrock_endpoint", "https://localhost:1"),
    "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": ("agent_runtime_endpoint", "https://localhost:2"),
    "AWS_CA_BUNDLE": ("ca_bundle", "/ca.pem"),
    "BEDROCK_MODEL_ID": ("model", "arn:aws:bedrock:us-east-1:1:custom/1"),
}


@pytest.mark.parametrize("variable", NAMES)
def test_the_environment_lies_on_top_and_is_not_saved(file: Path, variable: str) -> None:
    name, value = NAMES[variable]
    text = f"[backend]\n{name} = 'us-west-2'\n"
    written(file, text)
    environment = {variable: value, "PATH": "/bin"}
    settings = load_settings(file, environment)
    assert getattr(settings.backend, name) == value
    assert getattr(load_settings(file, {variable: ""}).backend, name) == "us-west-2"
    save_settings(dataclasses.replace(settings, talk=TalkSettings(key="f8")), file, environment)
    kept = load_settings(file, {})
    assert getattr(kept.backend, name) == "us-west-2"
    assert kept.talk.key == "f8"
    changed = dataclasses.replace(settings, backend=dataclasses.replace(settings.backend, **{name: "us-west-1"}))
    save_settings(changed, file, environment)
    assert getattr(load_settings(file, {}).backend, name) == "us-west-1"


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff# mark\n[voice]\nvoice = 'tiffany'\n",
        "[voice]\r\nvoice = 'tiffany' # why\r\n",
        "voice.voice = 'tiffany'\n",
        "voice = { voice = 'tiffany' }\n",
        "['voice']\n\"voice\" = '''tiffany'''\n[talk]\n",
    ],
    ids=["byte order mark", "CRLF", "dotted", "inline", "quoted"],
)
def test_every_way_of_writing_toml(file: Path, text: str) -> None:
    written(file, text)
    settings = load_settings(file, {})
    assert settings.voice.voice == "tiffany"
    save_settings(dataclasses.replace(settings, voice=VoiceSettings(voice="amy", max_tokens=9)), file, {})
    assert load_settings(file, {}).voice == VoiceSettings(voice="amy", max_tokens=9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[voice]\nvoice = 'matthew", "TOML"),
        ("[voice]\n[voice]\n", "TOML"),
        ("x = " + "[" * 5_000, "TOML"),
        ("voice = 3\n", "outside any section: voice"),
        ("[[voice]]\n", "voice"),
        ("[voice.voice]\na = 1\n", "[voice] voice"),
        ("[voice]\nmax_tokens = true\n", "[voice] max_tokens"),
        ("[voice]\nmax_tokens = 1.0\n", "[voice] max_tokens"),
        ("[voice]\nmax_tokens = 0\n", "max_tokens"),
        ("[voice]\ntemperature = true\n", "[voice] temperature"),
        ("[voice]\ntemperature = 1.5\n", "temperature"),
        ("[voice]\ntop_p = nan\n", "top_p"),
        ("[talk]\nrelease_tail_ms = -1\n", "release_tail_ms"),
        ("[history]\nkeep_days = 2\n", "keep_days"),
        ("[history]\nkeep_days = true\n", "keep_days"),
        ("[talk]\nrelease_tail_ms = 1001\n", "release_tail_ms"),
        ("[talk]\nmax_talk_s = 9.9\n", "max_talk_s"),
        ("[talk]\nmax_talk_s = 3601\n", "max_talk_s"),
        ('[talk]\npress = "often"\n', "press must be one of hold, toggle, hold_or_lock"),
        ("[limits]\nconnection_s = 0\n", "[limits]"),
        ("[limits]\nsilence_s = nan\n", "[limits]"),
        ("[limits]\nscale = inf\n", "[limits]"),
        ("[limits]\nscale = 1" + "0" * 400 + "\n", "[limits] scale"),
        ("[backend]\nkind = 1979-05-27\n", "practice, bedrock, gateway"),
        ("[backend]\nkind = ['practice']\n", "practice, bedrock, gateway"),
    ],
)
def test_what_makes_no_sense_is_said_with_its_place(file: Path, text: str, words: str) -> None:
    error = refusal(lambda: load_settings(written(file, text), {}))
    assert error.reason is Reason.BAD_SETTINGS
    assert words in error.what
    assert str(file) in error.what
    assert error.advice
    assert file.read_text() == text


@FILES
@given(text=st.text())
def test_no_file_is_anything_but_settings_or_a_known_error(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "settings.toml")
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        found = attempt(file)
    assert isinstance(found, Settings) or found.reason is Reason.BAD_SETTINGS


PLACES = [
    (section.name, entry.name)
    for section in dataclasses.fields(Settings)
    for entry in dataclasses.fields(getattr(Settings(), section.name))
]
VALUES = st.one_of(
    st.booleans(), st.integers(), st.floats(), TEXTS, st.dates(), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=2),
)  # fmt: skip


@FILES
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_a_value_is_taken_as_it_is_or_refused(place: tuple[str, str], value: Any) -> None:
    section, name = place
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "settings.toml")
        file.write_text(tomlkit.dumps({section: {name: value}}), encoding="utf-8")
        loaded = attempt(file)
    if isinstance(loaded, KnownError):
        assert loaded.layer is Layer.SETTINGS
        return
    found = getattr(getattr(loaded, section), name)
    assert (found.value if isinstance(found, Enum) else found) == value
    assert isinstance(found, get_type_hints(type(getattr(Settings(), section)))[name])
    assert not (isinstance(found, float) and not math.isfinite(found))


@pytest.mark.parametrize("region", ["", "us-east", "US-EAST-1", "us-east-1\n", "us-east-123", "../us-east-1"])
def test_a_region_that_is_none(file: Path, region: str) -> None:
    settings = Settings(backend=BackendSettings(region=region))
    assert refusal(lambda: check_settings(settings, file)).reason is Reason.BAD_REGION


def test_a_model_that_is_none(file: Path) -> None:
    settings = Settings(backend=BackendSettings(model=" \t"))
    assert refusal(lambda: check_settings(settings, file)).reason is Reason.BAD_MODEL


def test_session_limits_come_from_the_environment_as_numbers(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "none.toml", {"SESSION_TIMEOUT": "120", "SESSION_MAX_CONCURRENT": "1"})
    assert settings.session.idle_s == 120.0
    assert settings.session.concurrent == 1


@pytest.mark.parametrize(("variable", "text"), [("SESSION_TIMEOUT", "1e9"), ("SESSION_MAX_CONCURRENT", "0")])
def test_a_variable_that_is_out_of_bounds_is_named_and_not_the_file(variable: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(KnownError) as caught:
        load_settings(tmp_path / "none.toml", {variable: text, "NOVADESK_LANGUAGE": "de"})
    assert caught.value.reason is Reason.BAD_SETTINGS
    assert str(caught.value).startswith(f"{variable} is “{text}”")


def test_a_value_of_the_file_that_is_out_of_bounds_is_the_files(tmp_path: Path) -> None:
    file = written(tmp_path / "s.toml", "[session]\nconcurrent = 0\n")
    with pytest.raises(KnownError, match=r"s\.toml"):
        load_settings(file, {"NOVADESK_LANGUAGE": "de"})


@pytest.mark.parametrize("variable", ["SESSION_TIMEOUT", "SESSION_MAX_CONCURRENT"])
def test_a_session_limit_that_is_no_number_is_refused_by_its_name(variable: str, tmp_path: Path) -> None:
    with pytest.raises(KnownError, match=variable) as caught:
        load_settings(tmp_path / "none.toml", {variable: "soon"})
    assert caught.value.reason is Reason.BAD_SETTINGS
