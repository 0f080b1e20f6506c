"""Words in the language of the person."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QCoreApplication, QLocale, QTranslator
from pytestqt.qtbot import QtBot

from novadesk.audio.canceller import NO_CANCELLER
from novadesk.audio.devices import Direction, not_connected
from novadesk.audio.framing import HEADER, decode_report, encode
from novadesk.audio.route import Route
from novadesk.audio.telling import Telling
from novadesk.audio.wire import Opened
from novadesk.builtin_scenarios import BUILT_IN
from novadesk.conversation.api import Phase, ScenarioList, Snapshot, SoundTest
from novadesk.models import InputTrouble
from novadesk.scenario import Field
from novadesk.text import Text
from novadesk.ui import i18n, scenario_words
from novadesk.ui.i18n import shortcut, tr, trn, use_language, with_keys
from novadesk.ui.sound_fields import verdict
from novadesk.ui.sound_note import sound_note


@pytest.fixture
def in_language(qtbot: QtBot) -> Iterator[Callable[[str], str]]:
    before = QLocale()
    yield use_language
    use_language("en")
    QLocale.setDefault(before)


class OneTranslation(QTranslator):
    """Knows a single text."""

    def isEmpty(self) -> bool:
        return False

    def translate(self, context: str, text: str, note: str | None = None, n: int = -1) -> str | None:
        return {"{a} of {b}": "von {b} {a}", "broken {a}": "kaputt {x}"}.get(text)


def test_english_needs_no_file(in_language: Callable[[str], str]) -> None:
    assert in_language("en") == "en"
    assert tr("Reading {done} of {whole}", done=1234, whole=0.5) == "Reading 1,234 of 0.5"
    assert [trn("1 turn", "{n} turns", n) for n in (0, 1, 1234)] == ["0 turns", "1 turn", "1,234 turns"]
    assert tr(Text.counted("1 turn", "{n} turns", 2)) == "2 turns"


def test_pseudo_locale_keeps_placeholders_and_values(in_language: Callable[[str], str]) -> None:
    assert in_language("pseudo") == "pseudo"
    inner = Text("Name {x}", x="Zoë")
    words = tr(Text("The file {file} is not {why}.", file="notes.txt", why=inner))
    assert words.startswith("[Thé fïlé")
    assert "notes.txt" in words
    assert tr(inner) in words
    assert words.endswith("]")
    assert len(i18n.pseudo("Settings")) >= 1.3 * len("Settings")


def test_a_text_within_a_literal_is_in_the_language_too(in_language: Callable[[str], str]) -> None:
    in_language("pseudo")
    assert tr(Text("Settings")) in tr("Reset “{label}” to {value}", label=Text("Settings"), value="f9")


def test_built_in_scenarios_are_in_the_language_and_the_person_s_own_are_not(
    in_language: Callable[[str], str],
) -> None:
    own = replace(BUILT_IN[0], name="own", title="Zoo", fields=(Field(name="title", label="Topic"),))
    in_language("pseudo")
    *built_in, last = scenario_words.in_language(ScenarioList(scenarios=(own, *BUILT_IN))).scenarios
    assert last == own
    shown = [words for one in built_in for words in (one.title, *(row.label for row in one.fields))]
    assert all(words.startswith("[") for words in shown)
    assert [one.title for one in built_in] == sorted(one.title for one in built_in)


def test_keys_of_menus_are_named_as_the_language_does(in_language: Callable[[str], str]) -> None:
    in_language("en")
    assert with_keys(tr("New conversation"), "Ctrl+N") == "New conversation\tCtrl+N"
    in_language("de")
    words, _, keys = with_keys(tr("New conversation"), "Ctrl+N").partition("\t")
    assert words != "New conversation"
    assert keys == shortcut("Ctrl+N")


def test_numbers_are_written_as_the_language_does(in_language: Callable[[str], str]) -> None:
    in_language("en")
    i18n._State.locale = QLocale("de")
    assert tr("{n} and {s}", n=1234, s=0.9) == "1.234 and 0,9"


def test_a_text_of_the_core_takes_the_word_order_of_the_language(in_language: Callable[[str], str]) -> None:
    in_language("en")
    translator = OneTranslation()
    QCoreApplication.installTranslator(translator)
    try:
        assert tr(Text("{a} of {b}", a=1, b="two")) == "von two 1"
        assert tr("broken {a}", a=1) == "broken 1"
    finally:
        QCoreApplication.removeTranslator(translator)


def test_an_unknown_language_is_english_and_the_system_decides_by_default(in_language: Callable[[str], str]) -> None:
    assert in_language("tlh") == "en"
    assert in_language("") in {language.code for language in i18n.languages()}


class Ear:
    """Fits `Told`; remembers the note."""

    note = ""

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.note = note

    def on_input(self, trouble: InputTrouble) -> None:
        """Nothing is asked of it."""


def test_what_the_audio_process_says_of_the_devices_is_read_in_the_persons_language(
    in_language: Callable[[str], str],
) -> None:
    in_language("de")
    gone = not_connected(Direction.MICROPHONE, "USB", "Laptop")
    opened = Opened(
        microphone="Laptop", speaker="", note=gone, half_duplex_note=NO_CANCELLER, capture_hz=1, playout_hz=1,
        capture_latency_s=0, playout_latency_s=0, one_clock=True,
    )  # fmt: skip
    message = encode(opened)
    told = decode_report(message[: HEADER.size], message[HEADER.size :])
    assert isinstance(told, Opened)
    ear = Ear()
    telling = Telling(ear)
    telling.open_anew(told.half_duplex_note)
    telling.name(Route(microphone="Laptop", note=told.note))
    read = "Das Mikrofon „USB“ ist nicht angeschlossen; benutzt wird „Laptop“."
    assert verdict(SoundTest(microphone="Laptop", note=ear.note), 0.0).startswith(read)
    snapshot = Snapshot(phase=Phase.READY, microphone_name="Laptop", device_note=ear.note)
    assert sound_note(snapshot) == f"{read} {tr(NO_CANCELLER)}"
    assert tr(NO_CANCELLER) != NO_CANCELLER
