"""The diagnostics bundle in the window: read first, chosen from, saved."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from novadesk.errors import KnownError, Reason
from novadesk.ui.bridge import Bridge
from novadesk.ui.bundle_dialog import BundleDialog
from novadesk.ui.main_window import MainWindow
from tests.ui.conftest import CannedRequests, drain


@pytest.fixture
def dialog(window: MainWindow, bridge: Bridge, requests: CannedRequests) -> BundleDialog:
    window.beside.show_diagnostics()
    assert window.beside.diagnostics is not None
    window.beside.diagnostics.bundle.click()
    (made,) = window.beside.diagnostics.findChildren(BundleDialog)
    return made


def test_it_is_read_first_and_only_what_is_ticked_is_saved(
    dialog: BundleDialog, qtbot: QtBot, requests: CannedRequests
) -> None:
    qtbot.waitUntil(dialog.save.isEnabled)
    assert not dialog.progress.isVisible()
    assert dialog.preview.toPlainText() == "NovaDesk report"
    dialog.list.setCurrentRow(1)
    assert dialog.preview.toPlainText() == "{}"
    dialog.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    dialog.save_to("/there/bundle.zip")
    qtbot.waitUntil(lambda: "bundle.zip" in dialog.note.text())
    assert ("save_bundle", "/there/bundle.zip", ("recording.jsonl",)) in requests.asked
    dialog.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert not dialog.save.isEnabled()
    dialog.reject()
    drain()


def test_a_place_that_does_not_take_it_is_said(dialog: BundleDialog, qtbot: QtBot, requests: CannedRequests) -> None:
    qtbot.waitUntil(dialog.save.isEnabled)
    requests.error = KnownError(Reason.DISK_FULL, "The disk is full.", "Choose another place.")
    dialog.save_to("/there/bundle.zip")
    qtbot.waitUntil(lambda: dialog.note.text() == "The disk is full. Choose another place. (ND-STORE-03)")
    assert dialog.save.isEnabled()
    dialog.reject()
    drain()
