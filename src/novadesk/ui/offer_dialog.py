"""What is new in a newer NovaDesk, and the way to the page to download it from; nothing is replaced from here."""

from dataclasses import replace

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

import novadesk
from novadesk.conversation.updateapi import Offer
from novadesk.ui import tokens
from novadesk.ui.controls import text_button
from novadesk.ui.i18n import locale, tr
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.note import Note
from novadesk.ui.theme import Theme


class OfferDialog(QDialog):
    """The notes of a version; show it with `open`.

    Args:
        offer: the version.
        live: remembers which one is skipped.
    """

    def __init__(self, theme: Theme, offer: Offer, live: LiveSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offer, self._live = offer, live
        self.setObjectName("offer")
        self.setWindowTitle(tr("New version"))
        self.heading = QLabel(tr("NovaDesk {version} is there.", version=offer.version), self)
        self.heading.setObjectName("dialogHeading")
        self.heading.setIndent(0)
        words = QLabel(
            tr(
                "This is version {version}. NovaDesk replaces nothing by itself: download the package from the page, "
                "and install it like the one that you have. Your conversations stay.",
                version=novadesk.__version__,
            ),
            self,
        )
        words.setWordWrap(True)
        self.notes = QPlainTextEdit(offer.notes_in(locale().name().replace("_", "-")), self)
        self.notes.setReadOnly(True)
        self.notes.setTabChangesFocus(True)
        self.notes.setAccessibleName(tr("What is new"))
        self.note = Note(theme, self)
        self.page = text_button(tr("Open the download page"), self._open_page, self)
        self.skip = text_button(tr("Skip this version"), self._skip, self)
        self.close_button = text_button(tr("Close"), self.reject, self)
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_2))
        line.addStretch(1)
        for button in (self.skip, self.close_button, self.page):
            line.addWidget(button)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_4), edge, theme.px(tokens.SPACE_4))
        layout.setSpacing(theme.px(tokens.SPACE_3))
        for widget in (self.heading, words):
            layout.addWidget(widget)
        layout.addWidget(self.notes, 1)
        layout.addWidget(self.note)
        layout.addLayout(line)
        self.page.setDefault(True)
        self.page.setFocus()
        theme.dress(self)
        self.resize(theme.px(520), theme.px(380))
        self.finished.connect(self.deleteLater)

    def _open_page(self) -> None:
        if QDesktopServices.openUrl(QUrl(self._offer.page)):
            self.accept()
        else:
            self.note.say(tr("No browser opens. The page is {address}", address=self._offer.page), bad=True)

    def _skip(self) -> None:
        now = self._live.now
        self._live.remember(replace(now, updates=replace(now.updates, skipped=self._offer.version)))
        self.accept()
