"""The level meter: its bands, in words as well."""

import pytest
from pytestqt.qtbot import QtBot

from novadesk.ui.level_meter import Band, LevelMeter, band_of
from novadesk.ui.talk_button import loudness
from novadesk.ui.theme import Scheme, Theme


@pytest.mark.parametrize(
    ("decibel", "band"),
    [(-90, Band.FAINT), (-45, Band.FAINT), (-43, Band.GOOD), (-16, Band.GOOD), (-14, Band.LOUD), (0, Band.LOUD)],
)
def test_bands_begin_where_they_say(decibel: float, band: Band) -> None:
    assert band_of(loudness(10 ** (decibel / 20))) is band


def test_the_meter_says_its_band_and_nothing_when_it_is_empty(qtbot: QtBot) -> None:
    meter = LevelMeter(Theme(Scheme.LIGHT))
    qtbot.addWidget(meter)
    for level, word in ((0.001, ""), (0.005, "Quiet"), (0.05, "Good"), (0.5, "Too loud")):
        meter.clear()
        meter.show_level(level)
        assert (meter.word.text(), meter.accessibleDescription()) == (word, word)
    meter.clear()
    assert meter.word.text() == ""
