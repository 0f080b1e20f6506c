"""That a talk key does not work in other programs' windows, said in the window at once, with what to do instead."""

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from novadesk.conversation.api import Snapshot
from novadesk.ui.i18n import tr
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.note_bar import NoteBar
from novadesk.ui.theme import Theme


class KeyNote(NoteBar):
    """Says why, and leads to the settings of the keys. Who closed it has been told, at later starts too."""

    settings_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, tr("Close the word on the talk key"), parent)
        self._note = ""
        self._live: LiveSettings | None = None
        self.way_out.setText(tr("Talk key…"))
        self.way_out.clicked.connect(self.settings_wanted)
        self.close_button.clicked.connect(self._settle)

    def use(self, live: LiveSettings) -> None:
        """Follow these settings: where no key is set none is missed."""
        self._live = live
        live.changed.connect(self._draw)
        self._draw()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw how the keys stand."""
        if snapshot.hotkey_note != self._note:
            self._note = snapshot.hotkey_note
            self._draw()

    def _draw(self) -> None:
        now = None if self._live is None else self._live.now
        missed = now is not None and bool(now.talk.key or now.talk.mute_key) and now.window.told_of_keys != self._note
        self.say(tr(self._note) if missed else "")

    def _settle(self) -> None:
        if self._live is not None:
            now = self._live.now
            self._live.remember(replace(now, window=replace(now.window, told_of_keys=str(self._note))))
