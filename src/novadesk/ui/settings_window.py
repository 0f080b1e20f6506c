"""The settings: sections, a search over all of them, and fields whose change is used at once where that can be."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from novadesk.config import Settings, check_settings
from novadesk.conversation.api import Devices, Requests, Snapshot, Talking
from novadesk.conversation.firststeps import FirstSteps
from novadesk.errors import KnownError
from novadesk.settings_export import changes
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr, trn
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.note import Note
from novadesk.ui.placement import fit
from novadesk.ui.setting_extras import AccountRow, AutostartRow, ButtonRow, TalkKeyRow
from novadesk.ui.setting_fields import ChoiceField, FreeField
from novadesk.ui.setting_page import SettingPage
from novadesk.ui.setting_rows import Applies, Device, Free, Lines, Page, Row
from novadesk.ui.setting_sidebar import SettingSidebar
from novadesk.ui.setting_table import ROWS, row_of
from novadesk.ui.settings_transfer import TransferRow
from novadesk.ui.sound_fields import SoundTester
from novadesk.ui.theme import Theme
from novadesk.ui.update_row import UpdateRow
from novadesk.voices import voices_of

_SIZE = (860, 660)


class SettingsWindow(QDialog):
    """All settings, beside the main window.

    Args:
        live: the settings as they are used.
        bridge: asks for the sound devices, and brings what the microphone hears.
        requests: answers it.
        talking: takes the keys that this window sees during a test of them.
        steps: knows whether NovaDesk starts with the session, and the account at a gateway; None for nobody.
        variables: what sets a setting in the environment, by section and name.
    """

    diagnostics_wanted = Signal()
    first_steps_wanted = Signal()

    def __init__(
        self,
        live: LiveSettings,
        bridge: Bridge,
        requests: Requests,
        talking: Talking,
        theme: Theme,
        parent: QWidget | None = None,
        *,
        steps: FirstSteps | None = None,
        variables: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._steps = steps
        self.live, self._bridge, self._requests, self._talking, self._theme = live, bridge, requests, talking, theme
        self._variables = variables or {}
        self._before: Settings | None = None
        self.setObjectName("settingsWindow")
        self.setWindowTitle(tr("Settings"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.sidebar = SettingSidebar(theme, self)
        self.test = SoundTester(bridge, requests, theme, lambda: live.now.audio, self)
        self.transfer = TransferRow(live, theme, self.replace_all, lambda: self.reset(ROWS), self)
        self._pages: dict[Page, SettingPage] = {}
        self._devices = Devices(microphones=(), speakers=())
        self._lay_out()
        self._make_keys()
        theme.dress(self)
        self.sidebar.page_chosen.connect(lambda _page: self._show_page())
        self.sidebar.searched.connect(lambda _query: self._show_page())
        live.changed.connect(self._show_settings)
        bridge.snapshot_changed.connect(self._on_snapshot)
        self._show_page()
        self._show_waiting()
        self.sidebar.search.setFocus()
        fit(self, theme.px(_SIZE[0]), theme.px(_SIZE[1]))
        bridge.ask(requests.devices, self._on_devices, self._on_error, owner=self)

    @property
    def page(self) -> SettingPage:
        """Return the section that is shown."""
        return self._page(self.sidebar.page)

    def show_row(self, section: str, name: str) -> None:
        """Begin at one setting."""
        row = row_of(section, name)
        if row is not None:
            self.sidebar.search.clear()
            self.sidebar.choose(row.page)
            self._page(row.page).go_to(row)

    def edit(self, row: Row, value: Any) -> None:
        """Take a value that was chosen; one that makes no sense is told under its field, and not used."""
        view = self._page(row.page).views[row]
        if isinstance(row.kind, Device):
            self.test.stop()
        if isinstance(row.kind, Free | Lines) and not str(value).strip():
            view.refuse(tr("“{label}” cannot be empty.", label=row.label))
            return
        view.accept()
        try:
            self.live.store(check_settings(row.with_value(self.live.now, value), Path("settings.toml")))
        except KnownError as error:
            view.refuse(error)

    def reset(self, rows: Sequence[Row]) -> None:
        """Set rows to what NovaDesk sets by itself; that can be undone."""
        settings = self.live.now
        for row in rows:
            if (row.section, row.name) not in self._variables:
                settings = row.with_value(settings, row.default)
        self.replace_all(settings, trn("1 setting was reset.", "{n} settings were reset.", self._count(settings)))

    def replace_all(self, settings: Settings, words: str) -> None:
        """Use other settings, say so, and remember those before."""
        before = self.live.now
        if settings == before:
            return
        try:
            self.live.store(settings)
        except KnownError as error:
            self._on_error(error)
            return
        self._before = before
        self._tell(words, undo=True)

    def undo(self) -> None:
        """Bring back the settings before the last reset or import."""
        before, self._before = self._before, None
        if before is None:
            return
        try:
            self.live.store(before)
        except KnownError as error:  # of a key that was there already, and that there is none of
            self._on_error(error)
            return
        self._tell(tr("The settings are as they were before."), undo=False)
        self.sidebar.search.setFocus()

    def next_pane(self) -> None:
        """Move the focus on: sections, rows, test of sound."""
        stops: list[tuple[QWidget, QWidget]] = [(self.sidebar, self.sidebar.list)]
        first = next((view for view in self.page.views.values() if view.isVisible()), None)
        if first is not None:
            stops.append((self.page, first.field.stops[0]))
        stops.append((self.test, self.test.button))
        focus = QApplication.focusWidget()
        inside = [n for n, (pane, _) in enumerate(stops) if focus and pane.isAncestorOf(focus)]
        stops[((inside[-1] if inside else -1) + 1) % len(stops)][1].setFocus(Qt.FocusReason.ShortcutFocusReason)

    def reject(self) -> None:
        """Leave the search, or else the settings; what was written is taken."""
        if self.sidebar.search.text():
            self.sidebar.search.clear()
            self.sidebar.search.setFocus()
            return
        self._commit()
        super().reject()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        self.sidebar.fit(self.width())

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: D102
        self.sidebar.search.clear()  # Qt rejects a dialog that is closed
        super().closeEvent(event)

    def _commit(self) -> None:
        self.test.stop()
        for page in self._pages.values():
            page.commit()

    def _count(self, settings: Settings) -> int:
        return len(changes(self.live.now, settings))

    def _page(self, page: Page) -> SettingPage:
        """Return a section, made when it is first looked at."""
        if page not in self._pages:
            made = SettingPage(
                self._theme,
                page,
                self._variables,
                self._bridge,
                self._requests,
                extras=self._make_extras(page),
                parent=self,
            )
            made.edited.connect(self.edit)
            made.reset_wanted.connect(self.reset)
            made.show_settings(self.live)
            self._pages[page] = made
            self._stack.addWidget(made)
            self._order_tabs()
            self._offer_devices()
            self._offer_voices()
        return self._pages[page]

    def _make_extras(self, page: Page) -> dict[Row | None, QWidget]:
        """Return what else belongs to a section, by the row that it follows; None for the end."""
        all_of_them: tuple[tuple[Page, Row | None, Callable[[], QWidget | None]], ...] = (
            (Page.GENERAL, row_of("updates", "feed"), self._make_updates),
            (Page.GENERAL, None, lambda: self.transfer),
            (Page.TALK, row_of("talk", "key"), self._make_talk),
            (Page.CONVERSATION, row_of("backend", "kind"), self._make_first_steps),
            (Page.CONVERSATION, row_of("backend", "gateway"), self._make_account),
            (Page.DESKTOP, None, self._make_autostart),
            (Page.DIAGNOSTICS, None, self._make_diagnostics),
        )
        return {row: made for at, row, make in all_of_them if at is page and (made := make()) is not None}

    def _order_tabs(self) -> None:
        """Let Tab walk from the rows of a section that was just made to what lies under them all."""
        below = (self.using, self.said.copy, self.undoing, self.test.button, self.test.words.copy)
        last = self.previousInFocusChain()
        while last is not None and (last in below or last.focusPolicy() is Qt.FocusPolicy.NoFocus):
            last = last.previousInFocusChain()
        for stop in below:
            QWidget.setTabOrder(last or self.sidebar.list, stop)
            last = stop

    def _show_page(self) -> None:
        query = self.sidebar.search.text().strip()
        page = self.page
        page.show_rows(self.sidebar.hits()[page.page] if query else None)
        self._stack.setCurrentWidget(page)

    def _show_settings(self) -> None:
        self._offer_voices()
        for page in self._pages.values():
            page.show_settings(self.live)

        self._show_waiting()

    def _show_waiting(self) -> None:
        live = self.live
        waits = any(
            row.applies is Applies.ANEW and row.waits(live.now, live.in_force, live.started)
            for row in ROWS
            if (row.section, row.name) not in self._variables
        )
        conversation = self._bridge.latest.conversation if self._bridge.latest is not None else None
        if conversation is not None and conversation.private:
            self.waiting.setText(tr("Some changes wait for a new connection. It would end the private conversation."))
        else:
            self.waiting.setText(tr("Some changes wait for a new connection."))
        self.using.setEnabled(True)
        self._waiting_bar.setVisible(waits)

    def use_all(self) -> None:
        """Connect anew with what waits."""
        self.using.setEnabled(False)
        self.waiting.setText(tr("Connecting anew…"))
        announce(self, self.waiting.text())
        self.live.use_all(lambda: self._tell(tr("All settings are in use."), undo=False), self._on_not_used)

    def _on_not_used(self, error: KnownError) -> None:
        self._show_waiting()
        self._on_error(error)

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        self.live.see(snapshot)
        self.test.show_conversation(snapshot)

    def _on_devices(self, devices: Devices) -> None:
        self._devices = devices
        self._offer_devices()

    def _offer_devices(self) -> None:
        page = self._pages.get(Page.SOUND)
        for row, view in page.views.items() if page is not None else ():
            if isinstance(row.kind, Device) and isinstance(view.field, ChoiceField):
                view.field.offer(self._devices.microphones if row.kind.microphone else self._devices.speakers)

    def _offer_voices(self) -> None:
        """Propose the voices of the chosen model."""
        for page in self._pages.values():
            for row, view in page.views.items():
                if (row.section, row.name) == ("voice", "voice") and isinstance(view.field, FreeField):
                    view.field.offer(tuple(voices_of(self.live.now.backend.model)))

    def _on_error(self, error: KnownError) -> None:
        self.said.tell(error)
        self.undoing.hide()
        self._bar.show()

    def _tell(self, words: str, *, undo: bool) -> None:
        self.said.say(words)
        self.undoing.setVisible(undo)
        self._bar.show()

    def _make_updates(self) -> QWidget:
        return UpdateRow(self._theme, self.live, self._bridge, self._requests)

    def _make_talk(self) -> QWidget:
        return TalkKeyRow(self._theme, self.live, self._bridge, self._requests, self._talking)

    def _make_first_steps(self) -> QWidget | None:
        if self._steps is None:
            return None
        words = tr("The first steps try the access, the microphone, the speaker and the talk key, whenever you want.")
        return ButtonRow(self._theme, words, tr("First steps…"), self._on_first_steps)

    def _on_first_steps(self) -> None:
        self.close()  # both change the same settings
        self.first_steps_wanted.emit()

    def _make_account(self) -> QWidget | None:
        return None if self._steps is None else AccountRow(self._theme, self.live, self._bridge, self._steps)

    def _make_diagnostics(self) -> QWidget:
        return ButtonRow(
            self._theme,
            tr("Numbers of the last 24 hours, the log of events, and a report to send when something fails."),
            tr("Open diagnostics"),
            self.diagnostics_wanted.emit,
        )

    def _make_autostart(self) -> QWidget | None:
        return None if self._steps is None else AutostartRow(self._theme, self._bridge, self._steps)

    def _make_keys(self) -> None:
        wishes: tuple[tuple[str, Callable[[], object]], ...] = (
            ("Ctrl+F", self._on_search),
            ("Ctrl+Z", self.undo),
            ("F6", self.next_pane),
        )
        for keys, wish in wishes:
            QShortcut(QKeySequence(keys), self, wish)

    def _on_search(self) -> None:
        self.sidebar.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.sidebar.search.selectAll()

    def _lay_out(self) -> None:
        theme = self._theme
        self._stack = QStackedWidget(self)
        self.said = Note(theme, self, name="barNote")
        self.waiting = QLabel(self)
        self.waiting.setWordWrap(True)
        self.using = QPushButton(tr("Use them now"), self)
        self.using.setAutoDefault(False)
        self.using.clicked.connect(self.use_all)
        self._waiting_bar = _edged(theme, "undoBar", self.waiting, self.using)
        self._waiting_bar.hide()
        self.undoing = QPushButton(tr("Undo"), self)
        self.undoing.setAutoDefault(False)
        self.undoing.setToolTip(tr("Undo (Ctrl+Z)"))
        self.undoing.clicked.connect(self.undo)
        self._bar = _edged(theme, "undoBar", self.said, self.undoing)
        self._bar.hide()
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self._stack, 1)
        right.addWidget(self._waiting_bar)
        right.addWidget(self._bar)
        right.addWidget(_edged(theme, "pinned", self.test))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.sidebar)
        layout.addLayout(right, 1)


def _edged(theme: Theme, name: str, first: QWidget, *others: QWidget) -> QFrame:
    frame = QFrame()
    frame.setObjectName(name)
    line = QHBoxLayout(frame)
    edge = theme.px(tokens.SPACE_5)
    line.setContentsMargins(edge, theme.px(tokens.SPACE_3), edge, theme.px(tokens.SPACE_3))
    line.setSpacing(theme.px(tokens.SPACE_3))
    line.addWidget(first, 1)
    for other in others:
        line.addWidget(other)
    return frame
