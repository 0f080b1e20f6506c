"""The ways of Tab and F6 through the window."""

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from novadesk.conversation.api import TalkMode

if TYPE_CHECKING:
    from novadesk.ui.main_window import MainWindow


def order_tabs(window: "MainWindow") -> None:
    """Let Tab walk through the window as it is read: history, header, conversation, controls, text field, details."""
    history, header, panel = window.history, window.header, window.panel
    controls = panel.controls
    stops: list[QWidget] = [history.new, history.new_menu, history.search, history.filter]
    stops += [history.list, history.undo.button, history.undo.away]
    stops += [history.sync.cancel, history.settings, history.sync.now, history.more]
    stops += [header.sidebar, header.scenario, header.again, header.pause, header.end, header.details]
    stops += [window.conversation.turns, window.conversation.latest]
    stops += [panel.errors.act, panel.errors.retry, panel.errors.copy]
    stops += [panel.sound.way_out, panel.sound.close_button, panel.keys.way_out, panel.keys.close_button]
    stops += [controls.mode_button(TalkMode.HOLD)]
    stops += [controls.mode_button(TalkMode.HANDS_FREE), controls.mute, controls.talk, controls.stop]
    stops += [controls.volume.silence, controls.volume.slider, controls.answers]
    stops += [panel.composer.field, panel.composer.silent, panel.composer.send]
    stops += [window.details.close_button, window.details.diagnostics, window.details.inspector]
    chain(stops)


def chain(stops: Iterable[QWidget]) -> None:
    """Let Tab walk through these in their order."""
    for one, other in pairwise(stops):
        QWidget.setTabOrder(one, other)


def next_pane(window: "MainWindow") -> None:
    """Move the focus to the next pane: history, conversation, talk button, text field, details."""
    stops = [
        (window.history, window.history.list),
        (window.conversation, window.conversation.turns),
        (window.panel.controls, window.panel.controls.talk),
        (window.panel.composer, window.panel.composer.field),
        (window.details, window.details.close_button),
    ]
    stops = [(pane, stop) for pane, stop in stops if stop.isVisible()]
    focus = QApplication.focusWidget()
    at = next((n for n, (pane, _) in enumerate(stops) if focus and pane.isAncestorOf(focus)), -1)
    stops[(at + 1) % len(stops)][1].setFocus(Qt.FocusReason.ShortcutFocusReason)
