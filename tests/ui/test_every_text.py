"""Every text of every window: translated, and shown whole in each language at each size of the font."""

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QLocale, QPoint, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QGroupBox,
    QLabel,
    QLineEdit,
    QTabWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.config import Settings
from novadesk.ui import i18n, tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.controls import ElidedLabel, IconButton
from novadesk.ui.main_window import MainWindow
from novadesk.ui.preview_core import CODE, PreviewSteps, SilentIntents
from novadesk.ui.preview_scenes import make_conversations, scenes
from novadesk.ui.setting_table import REGIONS
from novadesk.ui.theme import Scheme
from novadesk.ui.words import device_words
from novadesk.voices import VOICES
from tests.ui.conftest import CannedRequests, drain
from tests.ui.windows import beside, open_each
from tests.unit.test_translations import Message, find_all

NOW_MS = 1_760_000_000_000
SCENES = scenes(NOW_MS)
PLAIN = re.compile(
    r"NovaDesk|Amazon|Nova|Matthew|^(?:Close|Cancel|Scroll (?:Left|Right))$|[a-z]+\.(?:txt|jsonl)|"
    r"Alsa|Mic|Speaker A|F\d+|Ctrl\+(?:Up|Down)|Ctrl|Shift|Del|Return|Esc|Space|English|Deutsch|AWS|dB|ms|"
    r"us-east-\d|amazon\.[\w.:-]+|https?:[\w./:-]+"
)
"""What is the same in every language: names, keys and units; and the buttons that Qt's own catalogues name."""


@pytest.fixture
def in_language(qapp: QApplication) -> Iterator[Callable[[str, int], None]]:
    font, before = QFont(qapp.font()), QLocale()

    def choose(language: str, percent: int) -> None:
        i18n.use_language(language)
        grown = QFont(font)
        grown.setPixelSize(round(13 * percent / 100))
        qapp.setFont(grown)

    yield choose
    i18n.use_language("en")
    qapp.setFont(font)
    QLocale.setDefault(before)


@pytest.fixture
def made(bridge: Bridge, qtbot: QtBot) -> Iterator[Callable[[], MainWindow]]:
    windows: list[MainWindow] = []

    def make() -> MainWindow:
        requests = CannedRequests(stored=list(make_conversations(NOW_MS)))
        window = MainWindow(
            bridge, SilentIntents(), requests, Settings(), lambda _: None, scheme=Scheme.LIGHT, steps=PreviewSteps()
        )
        windows.append(window)
        with qtbot.waitExposed(window):
            window.show()
        return window

    yield make
    for window in windows:
        window.finish()
        window.deleteLater()
    drain()


def settle() -> None:
    """Let layouts inside layouts hear of each other."""
    for _ in range(6):
        drain()


def texts(widget: QWidget) -> Iterator[str]:
    """Yield what a widget shows or says."""
    yield from (widget.toolTip(), widget.accessibleName(), widget.accessibleDescription())
    if widget.isWindow():
        yield widget.windowTitle()
    yield from (action.text() for action in widget.actions())
    match widget:
        case ElidedLabel():
            yield widget.whole
        case QLabel():
            yield widget.text()
        case QAbstractButton():
            yield widget.text()
        case QLineEdit():
            yield widget.placeholderText()
        case QGroupBox():
            yield widget.title()
        case QComboBox():
            yield from (widget.itemText(place) for place in range(widget.count()))
        case QTabWidget():
            yield from (widget.tabText(place) for place in range(widget.count()))
        case QAbstractItemView() if (model := widget.model()) is not None:
            for row in range(model.rowCount()):
                for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
                    yield str(model.data(model.index(row, 0), role) or "")


def data_of(value: object) -> Iterator[str]:
    """Yield the strings of a snapshot: what was said, names and sentences of the core, which are plain here."""
    if isinstance(value, str):
        yield from (value, device_words(value))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from data_of(one)
    elif dataclasses.is_dataclass(value):
        yield getattr(value, "heard_text", "")
        for field in dataclasses.fields(value):
            yield from data_of(getattr(value, field.name))


@functools.cache  # most texts are seen again with every window
def untranslated(text: str, data: tuple[str, ...]) -> str:
    """Return what is left of a text without its translated parts and without data."""
    before = None
    while before != text:
        before, text = text, re.sub(r"\[[^\[\]]*\]", "", text)
    text = re.sub(r"^\s*\[.*", "", text)  # a value that was shortened has lost its bracket
    for known in data:
        text = text.replace(known, "")
    text = PLAIN.sub("", text)
    return text.strip() if re.search(r"[^\W\d_]{2,}", text) else ""


def test_every_text_is_translated(
    made: Callable[[], MainWindow],
    in_language: Callable[[str, int], None],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    asked: set[Message] = set()
    translate = i18n.PseudoTranslator.translate

    def noted(self: i18n.PseudoTranslator, context: str, text: str, note: str | None = None, n: int = -1) -> str | None:
        if context == i18n.CONTEXT:
            asked.add(Message(text, note or "", n != -1))
        return translate(self, context, text, note, n)

    monkeypatch.setattr(i18n.PseudoTranslator, "translate", noted)
    in_language("pseudo", 100)
    window = made()
    names = [*REGIONS, *VOICES, *(voice for voices in VOICES.values() for voice in voices)]
    shown = (
        "The report",
        *SCENES.values(),
        *make_conversations(NOW_MS),
        *BUILT_IN,
        CODE,
        *names,
        *(name.capitalize() for name in names),
    )
    data = tuple(sorted({one for one in data_of(shown) if len(one) > 1}, key=len, reverse=True))
    left: dict[str, str] = {}

    def look() -> None:
        for top in (window, *beside(window)):
            for widget in (top, *top.findChildren(QWidget)):
                inner = isinstance(widget.parent(), QComboBox | QLineEdit)
                for text in () if inner else texts(widget):
                    if text and (rest := untranslated(text, data)):
                        left[rest] = f"{type(widget).__name__} {widget.objectName()}"

    for snapshot in SCENES.values():
        window.show_snapshot(snapshot)
        settle()
        look()
    window.show_snapshot(SCENES["ready"])
    for _ in open_each(window, qtbot):
        settle()
        look()
    assert left == {}, "\n".join(f"LEFT {k!r} {v}" for k, v in left.items())
    known = {one.message for one in find_all() if one.message is not None}
    worded = {one for one in asked if re.search(r"[^\W\d_]", re.sub(r"\{\w*\}", "", one.source))}
    assert {one for one in worded if one not in known and one.source not in data} == set()


def cut(top: QWidget) -> Iterator[str]:
    """Yield what a window shows cut off."""
    for widget in top.findChildren(QWidget):
        if not widget.isVisibleTo(top) or isinstance(widget, ElidedLabel):
            continue
        inside = widget.contentsRect()
        if isinstance(widget, QLabel) and widget.text():
            if widget.wordWrap():
                if widget.heightForWidth(widget.width()) > widget.height() + 1:
                    yield f"too low: {widget.text()}"
            elif widget.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, widget.text()).width() > inside.width() + 1:
                yield f"too narrow: {widget.text()}"
        if isinstance(widget, QAbstractButton) and widget.text():
            wanted = widget.sizeHint() if not isinstance(widget, IconButton) else widget.minimumSizeHint()
            if wanted.width() > widget.width() + 1 or wanted.height() > widget.height() + 1:
                yield f"button: {widget.text()}"


@pytest.mark.parametrize("percent", [100, 200])
@pytest.mark.parametrize("language", ["en", "de"])
def test_no_text_is_cut_off(
    made: Callable[[], MainWindow],
    in_language: Callable[[str, int], None],
    qtbot: QtBot,
    language: str,
    percent: int,
) -> None:
    in_language(language, percent)
    window = made()
    window.resize(window.theme.px(1120), window.theme.px(740))
    for name in (
        "ready",
        "speaking",
        "muted_talking",
        "failed",
        "reconnecting",
        "private",
        "hears_itself",
        "loud_echo",
    ):
        window.show_snapshot(SCENES[name])
        settle()
        assert sorted(set(cut(window))) == [], name
    window.show_snapshot(SCENES["ready"])
    for name in open_each(window, qtbot):
        settle()
        for top in (window, *beside(window)):
            assert sorted(set(cut(top))) == [], name
    narrow = ("ready", "muted_talking", "hears_itself", "failed", "reconnecting", "private", "loud_echo")
    for width, name in itertools.product((400, tokens.FOLD_WIDTH), narrow):
        window.resize(window.theme.px(width), window.theme.px(560))
        window.show_snapshot(SCENES[name])
        settle()
        talk = window.panel.controls.talk
        assert talk.height() == talk.sizeHint().height(), name
        assert sorted(set(cut(window))) == [], f"{width} px {name}"
        for button in window.panel.findChildren(QAbstractButton):
            if button.isVisibleTo(window):
                corner = button.mapTo(window, QPoint(0, 0))
                assert corner.x() >= 0, button.text()
                assert corner.x() + button.width() <= window.width(), button.text()
