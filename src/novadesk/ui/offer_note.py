"""That there is a newer NovaDesk, said quietly, with a way to what is new in it."""

from PySide6.QtWidgets import QWidget

from novadesk.conversation.api import Snapshot
from novadesk.conversation.updateapi import Offer
from novadesk.ui import tokens
from novadesk.ui.i18n import tr
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.note_bar import NoteBar
from novadesk.ui.offer_dialog import OfferDialog
from novadesk.ui.theme import Theme


class OfferNote(NoteBar):
    """One line. Closed, it comes back with the next start; a version that is skipped, never.

    Args:
        live: knows which version is skipped.
    """

    def __init__(self, theme: Theme, live: LiveSettings, parent: QWidget | None = None) -> None:
        super().__init__(theme, tr("Close the word on the new version"), parent, tone=tokens.Tone.QUIET)
        self._theme, self._live = theme, live
        self._offer: Offer | None = None
        self._closed = ""
        self.way_out.setText(tr("What is new…"))
        self.way_out.clicked.connect(self._open)
        self.close_button.clicked.connect(self._close)
        live.changed.connect(self._draw)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the line where there is a newer version that runs here."""
        if snapshot.update != self._offer:
            self._offer = snapshot.update
            self._draw()

    def _draw(self) -> None:
        offer = self._offer
        quiet = offer is None or offer.unfit or offer.version in (self._closed, self._live.now.updates.skipped)
        self.say("" if offer is None or quiet else tr("NovaDesk {version} is there.", version=offer.version))

    def _open(self) -> None:
        if self._offer is not None:
            OfferDialog(self._theme, self._offer, self._live, self.window()).open()

    def _close(self) -> None:
        if self._offer is not None:
            self._closed = self._offer.version
            self._draw()
