"""Colours that can be read, words and shapes for every state, icons that exist."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from novadesk.config import WindowSettings
from novadesk.conversation.api import ErrorNote, MicrophoneState, Phase, Snapshot, TalkMode
from novadesk.installation import find_resources
from novadesk.models import SyncState
from novadesk.ui import resources, tokens
from novadesk.ui.history_model import SYNC_ICONS
from novadesk.ui.states import hint, state_line, state_words
from novadesk.ui.talk_button import TalkButton
from novadesk.ui.theme import Scheme, Theme, knobs, wants_contrast
from novadesk.ui.tokens import DARK, DARK_CONTRAST, LIGHT, LIGHT_CONTRAST, Palette, Tone, contrast

CELLS = list(itertools.product(Phase, MicrophoneState))
CONTRASTS = (LIGHT_CONTRAST, DARK_CONTRAST)
PALETTES = pytest.mark.parametrize(
    "palette", [LIGHT, DARK, *CONTRASTS], ids=["light", "dark", "light contrast", "dark contrast"]
)


@PALETTES
@pytest.mark.parametrize(("ink", "ground"), tokens.TEXT_PAIRS)
def test_text_can_be_read(palette: Palette, ink: str, ground: str) -> None:
    least = tokens.HIGH_TEXT_CONTRAST if palette in CONTRASTS else tokens.TEXT_CONTRAST
    assert contrast(getattr(palette, ink), getattr(palette, ground)) >= least


@PALETTES
@pytest.mark.parametrize(("ink", "ground"), tokens.SHAPE_PAIRS)
def test_bounds_and_focus_can_be_seen(palette: Palette, ink: str, ground: str) -> None:
    assert contrast(getattr(palette, ink), getattr(palette, ground)) >= tokens.SHAPE_CONTRAST


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@PALETTES
def test_every_text_colour_of_the_sheet_is_among_the_measured_pairs(palette: Palette) -> None:
    sheet = (find_resources() / "style" / "novadesk.qss").read_text()
    inks = set(re.findall(r"[^-]color: \$(\w+);", sheet)) - {"faded"}  # controls that are off are exempt
    assert inks <= {ink for ink, _ in tokens.TEXT_PAIRS}
    assert "gradient" not in sheet


@PALETTES
def test_what_a_field_says_while_it_is_empty_can_be_read(qtbot: QtBot, palette: Palette) -> None:
    theme = Theme(Scheme.LIGHT)
    theme.palette = palette
    field = QLineEdit()
    qtbot.addWidget(field)
    theme.dress(field)
    field.ensurePolished()
    ink = field.palette().color(QPalette.ColorRole.PlaceholderText)
    assert ink.alpha() == 255
    assert ink.name().upper() == palette.muted


@PALETTES
def test_the_error_bar_can_be_read(palette: Palette) -> None:
    ground = tokens.blend(palette.bad, palette.surface, 0.07)
    for ink in (palette.text, palette.bad):
        assert contrast(ink, ground) >= tokens.TEXT_CONTRAST


@pytest.mark.parametrize(("phase", "microphone"), CELLS)
def test_every_state_has_a_shape_a_word_and_a_hint(phase: Phase, microphone: MicrophoneState) -> None:
    line = state_line(phase, microphone)
    assert line.word
    assert (find_resources() / "icons" / f"{line.shape}.svg").is_file()
    for mode in TalkMode:
        words = hint(Snapshot(phase=phase, microphone=microphone, talk_mode=mode), "Space")
        assert words
        assert "{" not in words


def test_states_with_different_words_have_different_shapes_save_the_two_that_reconnect() -> None:
    lines = {state_line(phase, MicrophoneState.GATED) for phase in Phase}
    by_shape = {shape: {line.word for line in lines if line.shape == shape} for shape in {x.shape for x in lines}}
    assert {shape: words for shape, words in by_shape.items() if len(words) > 1} == {
        "state-renewing": {"Renewing", "Reconnecting"}
    }


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in (Phase.IDLE, Phase.OFFLINE, Phase.ENDED)])
def test_a_mute_microphone_is_said_whenever_someone_could_be_listening(phase: Phase) -> None:
    said = "muted" in state_line(phase, MicrophoneState.MUTED).word.lower()
    assert said is (phase not in (Phase.CONNECTING, Phase.RECONNECTING, Phase.FAILED))


@pytest.mark.parametrize(
    ("attempt", "left", "words"),
    [
        (1, 1.2, "Reconnecting (attempt 1, in 1 s)"),
        (2, 3.0, "Reconnecting (attempt 2, in 3 s)"),
        (11, 0.2, "Reconnecting (attempt 11)"),
        (23, None, "Reconnecting (attempt 23)"),
        (0, None, "Reconnecting"),
    ],
)
def test_reconnecting_counts(attempt: int, left: float | None, words: str) -> None:
    assert state_words(Snapshot(phase=Phase.RECONNECTING, attempt=attempt), left) == words


def test_failed_names_the_layer() -> None:
    note = ErrorNote(layer="credentials", reason="credentials.expired", what="W.", advice="A.")
    assert state_words(Snapshot(phase=Phase.FAILED, error=note), None) == "Stopped (credentials)"


def test_every_icon_is_recoloured_and_drawn(qapp: object) -> None:
    for file in sorted((find_resources() / "icons").glob("*.svg")):
        image = resources.pixmap(file.stem, "#FF0000", 16).toImage()
        inked = [image.pixelColor(x, y) for x in range(16) for y in range(16) if image.pixelColor(x, y).alpha() > 200]
        assert inked, file.stem
        if not file.stem.startswith(("chevron-", "tick-")):
            assert all(colour.red() > 200 and colour.green() < 60 for colour in inked), file.stem
    assert set(SYNC_ICONS) == set(SyncState)


def test_resources_are_found_in_a_frozen_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "novadesk" / "resources" / "icons").mkdir(parents=True)
    monkeypatch.setattr("sys._MEIPASS", str(tmp_path), raising=False)
    find_resources.cache_clear()
    try:
        assert find_resources() == tmp_path / "novadesk" / "resources"
    finally:
        find_resources.cache_clear()


def test_the_sheet_grows_with_the_font_and_keeps_hairlines(qapp: object) -> None:
    theme = Theme(Scheme.DARK)
    values = theme._values()
    assert "1px solid" in resources.stylesheet(values, 2.0)
    assert "width: 20px" in resources.stylesheet(values, 2.0)
    assert set(Tone) == {tone for tone in Tone if theme.colour(tone).isValid()}
    assert {entry.name for entry in fields(LIGHT)} == {entry.name for entry in fields(DARK)}


@pytest.mark.parametrize("percent", range(100, 305, 5))
def test_knobs_stay_round_at_every_size_of_the_font(percent: int) -> None:
    pixels = {name: int(length.removesuffix("px")) for name, length in knobs(percent / 100).items()}
    whole = pixels["knob"] + 4
    assert 2 * pixels["knob_radius"] == whole
    assert pixels["groove_height"] - 2 * pixels["knob_margin"] == whole
    assert pixels["dot"] + 2 * pixels["dot_border"] == whole
    assert abs(pixels["knob"] - 12 * percent / 100) <= 1


def test_a_change_of_scheme_reaches_icons_and_sheets(qtbot: QtBot, qapp: object) -> None:
    theme = Theme(Scheme.LIGHT)
    changes: list[bool] = []
    theme.changed.connect(lambda: changes.append(theme.palette.dark))
    theme.set_scheme(Scheme.DARK)
    theme.set_scheme(Scheme.LIGHT)
    assert changes == [True, False]


def test_who_asks_for_contrast_gets_it_in_light_and_dark(qapp: object, monkeypatch: pytest.MonkeyPatch) -> None:
    theme = Theme(Scheme.LIGHT)
    assert theme.palette is LIGHT
    monkeypatch.setattr("novadesk.ui.theme.wants_contrast", lambda: True)
    theme.renew()
    assert theme.palette is LIGHT_CONTRAST
    theme.set_scheme(Scheme.DARK)
    assert theme.palette is DARK_CONTRAST


def test_the_environment_asks_for_contrast_where_the_system_cannot(
    qapp: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOVADESK_CONTRAST", raising=False)
    assert not wants_contrast()
    monkeypatch.setenv("NOVADESK_CONTRAST", "high")
    assert wants_contrast()


# --- motion ---


@pytest.fixture
def lively(qapp: QApplication) -> Iterator[QApplication]:
    """A system with a cursor that blinks and menus that unfold."""
    effects = (Qt.UIEffect.UI_General, Qt.UIEffect.UI_AnimateMenu)
    blink, before = qapp.cursorFlashTime(), [qapp.isEffectEnabled(effect) for effect in effects]
    qapp.setCursorFlashTime(1_000)
    for effect in effects:
        qapp.setEffectEnabled(effect, True)
    yield qapp
    qapp.setCursorFlashTime(blink)
    for effect, on in zip(effects, before, strict=True):
        qapp.setEffectEnabled(effect, on)


def test_with_less_motion_nothing_blinks_unfolds_or_follows_the_voice(lively: QApplication, qtbot: QtBot) -> None:
    def moves() -> list[bool]:
        drawn = set()
        for level in (0.02, 0.05, 0.1):
            button.set_state(active=True, crossed=False, microphone=level, speaker=0.0)
            drawn.add(bytes(button.grab().toImage().constBits()))
        unfolds = lively.isEffectEnabled(Qt.UIEffect.UI_AnimateMenu)
        return [lively.cursorFlashTime() > 0, unfolds, len(drawn) == 3]

    theme = Theme(Scheme.LIGHT)
    button = TalkButton(theme)
    qtbot.addWidget(button)
    assert moves() == [True, True, True]
    theme.use(WindowSettings(reduced_motion=True))
    assert moves() == [False, False, False]
    theme.use(WindowSettings())
    assert moves() == [True, True, True]
