"""The window: state in, intents out."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QDialog, QLineEdit, QMainWindow, QVBoxLayout, QWidget

from novadesk.config import Settings, TalkSettings
from novadesk.conversation.api import Intents, Requests, Snapshot
from novadesk.ui.actions import Wish, add_actions
from novadesk.ui.background import Background
from novadesk.ui.bridge import Bridge
from novadesk.ui.conversation_view import ConversationView
from novadesk.ui.details_view import DetailsView
from novadesk.ui.header import Header
from novadesk.ui.history_view import HistoryView
from novadesk.ui.i18n import tr, trn
from novadesk.ui.lateness import Lateness
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.panes import Panes
from novadesk.ui.remedies import Remedies
from novadesk.ui.scenario_desk import ScenarioDesk
from novadesk.ui.session_panel import SessionPanel
from novadesk.ui.settings_door import SettingsDoor
from novadesk.ui.side_windows import SideWindows
from novadesk.ui.states import empty_hint, empty_title, state_words
from novadesk.ui.tab_order import next_pane, order_tabs
from novadesk.ui.theme import Scheme, Theme
from novadesk.ui.volume import STEP
from novadesk.ui.welcome import Welcome
from novadesk.ui.window_keys import WindowKeys, is_plain_space

if TYPE_CHECKING:
    from novadesk.conversation.firststeps import FirstSteps
    from novadesk.ui.question import Question


class MainWindow(QMainWindow):
    """The whole window. Closing it leaves it for the tray, or is the wish to quit; the app ends it with `finish`.

    Args:
        bridge: brings snapshots and asks requests.
        intents: takes wishes; must be safe to call from the main thread.
        requests: answers questions; its coroutines run on the core's loop, through the bridge.
        settings: as loaded at the start.
        save_settings: stores changed settings; may raise KnownError.
        scheme: light, dark, or as the system says.
        steps: answers the first steps; None for a window without them.
        first: begin with them; nothing is connected before they are over.
    """

    def __init__(
        self,
        bridge: Bridge,
        intents: Intents,
        requests: Requests,
        settings: Settings,
        save_settings: Callable[[Settings], None],
        *,
        scheme: Scheme = Scheme.SYSTEM,
        steps: "FirstSteps | None" = None,
        first: bool = False,
    ) -> None:
        super().__init__()
        self._bridge = bridge
        self._intents = intents
        self._requests = requests
        self._finished = False
        self._shown_key = ""
        self._lateness = Lateness(self)
        self.snapshot = Snapshot()
        self._lateness.came.connect(lambda: self.show_snapshot(self.snapshot))
        self.theme = Theme(scheme, self, window=settings.window)
        self.keys = WindowKeys(intents, settings.talk, self)
        self.dialog: QDialog | None = None
        self.question: Question | None = None
        self.beside = SideWindows(bridge, requests, self.theme, self)
        self._make_parts(settings.audio.volume)
        self.settings = self._make_settings(settings, save_settings)
        self.door = SettingsDoor(
            self.settings, bridge, requests, intents, self.theme, self, self.beside.show_diagnostics, steps
        )
        self.door.first_steps_wanted.connect(self.show_first_steps)
        self.settings.talk_changed.connect(self._on_talk_changed)
        self.scenarios = self._make_scenarios()
        parts = bridge, requests, intents, self.theme, self.settings
        self.background = Background(self, *parts, quit_wanted=self.ask_to_quit, wanted=self.come_forward)
        self.welcome: Welcome | None = None
        if steps is not None:
            self.welcome = Welcome(self, bridge, requests, steps, intents, self.theme, self.settings, first=first)
        self.remedies = Remedies(self.panel.errors, bridge, intents, requests, self.settings, self.show_setting, self)
        self._make_actions()
        self.theme.dress(self)
        self.setWindowTitle("NovaDesk")
        self.setWindowIcon(self.theme.icon("app", self.theme.palette.accent, 16, 32, 48))
        self.resize(self.theme.px(1120), self.theme.px(740))
        self.panel.controls.talk.setFocus()
        bridge.snapshot_changed.connect(self.on_snapshot)
        QApplication.instance().focusChanged.connect(self._on_focus_changed)  # type: ignore[union-attr]
        self.show_snapshot(bridge.latest or self.snapshot)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Draw a snapshot; of one that tells of other levels only, as most do while sound is open, only those."""
        before = self.snapshot
        levels = replace(before, microphone_level=snapshot.microphone_level, speaker_level=snapshot.speaker_level)
        if levels == snapshot and self.talk_key == self._shown_key:
            self.snapshot = snapshot
            self.panel.controls.show_levels(snapshot)
        else:
            self.show_snapshot(snapshot)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        self.snapshot = snapshot
        key = self._shown_key = self.talk_key
        self.background.show_snapshot(snapshot)
        self._lateness.watch(snapshot.pending_sync)
        self.header.show_snapshot(snapshot, late=self._lateness.late)
        self.panel.show_snapshot(snapshot, key)
        empty = empty_hint(snapshot, self._keys())
        self.conversation.show_snapshot(snapshot, empty_title(snapshot), empty, late=self._lateness.late)
        self.history.show_snapshot(snapshot)
        self.scenarios.show_snapshot(snapshot)
        if self.details.isVisible():
            self.details.show_snapshot(snapshot)
        words = state_words(snapshot, snapshot.retry_in_s).split(" (")[0]
        title = f"{self.header.title.whole} · {words} · NovaDesk"
        if title != self.windowTitle():
            self.setWindowTitle(title)

    @property
    def talk_key(self) -> str:
        """Return what to hold, as people read it; Space writes while a text field has the focus."""
        return self._keys(typing=isinstance(QApplication.focusWidget(), QLineEdit))

    def _keys(self, *, typing: bool = False) -> str:
        key = self.keys.words
        if typing:
            return key or tr("the button")
        return tr("Space or {key}", key=key) if key else tr("Space")

    def begin(self, *, hidden: bool = False) -> None:
        """Show the window for the first time, or leave it where a click brings it forward."""
        if hidden:
            self.background.leave_window()
        else:
            self.come_forward()

    def come_forward(self) -> None:
        """Show the window, in front of others, wherever it was."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def welcome_newcomer(self) -> None:
        """Show the first steps where they are due: once the loops run, or a screen reader would not hear of them."""
        if self.welcome is not None and self.welcome.due:
            self.show_first_steps()

    def show_first_steps(self) -> None:
        """Walk through the first steps, for the first time or once more."""
        if self.dialog is None and self.welcome is not None:
            self._open(self.welcome.make())

    def finish(self) -> None:
        """Close the window for good, without asking anyone."""
        self._finished = True
        self._lateness.stop()
        self.door.close()
        self.background.finish()
        self.settings.keep_volume()
        self.keys.events.watch(None)
        self.keys.leave()
        self.beside.close()
        self.close()

    def ask_to_quit(self) -> None:
        """Leave; ask first when turns would be lost, because the disk does not take them."""
        self.ask_to_leave(self._intents.quit)

    def ask_to_leave(self, leave: Callable[[], None]) -> None:
        """Do what ends NovaDesk; ask first like `ask_to_quit`."""
        if not self.snapshot.unsaved:
            leave()
            return
        if self.question is not None:
            return
        from novadesk.ui.question import Question

        box = self.question = Question(
            self.theme,
            self,
            text=trn("Quit and lose 1 turn?", "Quit and lose {n} turns?", self.snapshot.unsaved),
            detail=tr("They are not saved yet: the disk does not take them. NovaDesk goes on trying while it is open."),
            do=tr("Quit"),
            keep=tr("Stay"),
            on_do=leave,
        )
        box.finished.connect(self._on_question_over)
        box.open()

    def _on_question_over(self) -> None:
        self.question = None

    def show_settings(self, section: str = "", name: str = "") -> None:
        """Open the settings, at one of them where it is named as the settings file names it."""
        self.door.open(section, name)

    def show_setting(self, name: str) -> None:
        """Open the settings at one of them, such as "backend.region"."""
        self.show_settings(*name.split("."))

    def show_keys(self) -> None:
        """Open the list of keys, which leads to the words about NovaDesk."""
        from novadesk.ui.keys_dialog import KeysDialog, keys_of

        if self.dialog is None:
            dialog = KeysDialog(self.theme, self._keys(), keys_of(self), self)
            self._open(dialog)
            dialog.finished.connect(lambda how: self.show_about() if how == KeysDialog.ABOUT else None)

    def show_about(self) -> None:
        """Open the words about NovaDesk."""
        from novadesk.ui.about_dialog import AboutDialog

        if self.dialog is None:
            self._open(AboutDialog(self.theme, self))

    def toggle_details(self) -> None:
        """Show or hide the details."""
        shown = self.details.isHidden()
        self.details.show_snapshot(self.snapshot)
        self.panes.show_drawer(shown)
        self.header.details.setChecked(shown)
        if shown:
            self.details.close_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def next_pane(self) -> None:
        """Move the focus to the next pane: history, conversation, talk button, text field, details."""
        next_pane(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        if is_plain_space(event):
            self.keys.press_space()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.keys.release_space()
        else:
            super().keyReleaseEvent(event)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: D102
        super().showEvent(event)
        self.keys.events.watch(self.windowHandle())

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: D102
        super().hideEvent(event)
        self.keys.leave()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: D102
        self.keys.leave()
        if self._finished:
            super().closeEvent(event)
            return
        event.ignore()
        if not self.background.take_close():
            self.ask_to_quit()

    def _on_talk_changed(self, settings: TalkSettings) -> None:
        self.keys.use(settings)
        self.show_snapshot(self.snapshot)

    def _make_parts(self, volume: float) -> None:
        theme, intents = self.theme, self._intents
        self.header = Header(intents, theme, self)
        self.conversation = ConversationView(self._bridge, self._requests, theme, self)
        self.panel = SessionPanel(intents, theme, volume, self)
        self.history = HistoryView(self._bridge, intents, self._requests, theme, self)
        self.details = DetailsView(theme, self)
        middle = QWidget(self)
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(self.conversation, 1)
        layout.addWidget(self.panel)
        self.panes = Panes(theme, self.history, middle, self.details, self.panel.controls.talk, self)
        self.setCentralWidget(self.panes)
        self.header.set_narrow(False)
        self.header.sidebar_wanted.connect(self._toggle_sidebar)
        self.header.details_wanted.connect(self.toggle_details)
        self.details.closed.connect(self.toggle_details)
        self.details.diagnostics_wanted.connect(self.beside.show_diagnostics)
        self.details.inspector_wanted.connect(self.beside.show_inspector)
        self.history.settings_wanted.connect(self.show_settings)
        self.history.left.connect(self._on_history_left)
        self.history.turn_wanted.connect(self.conversation.go_to)
        self.history.said.connect(self.conversation.say)
        self.panel.sound.settings_wanted.connect(lambda: self.show_settings("audio", "microphone"))
        self.panel.keys.settings_wanted.connect(lambda: self.show_settings("talk", "key"))
        self.panes.folded_changed.connect(self._on_folded)
        order_tabs(self)

    def _make_settings(self, settings: Settings, save: Callable[[Settings], None]) -> LiveSettings:
        volume = self.panel.controls.volume
        made = LiveSettings(
            settings,
            save,
            bridge=self._bridge,
            requests=self._requests,
            intents=self._intents,
            volume=volume,
            parent=self,
        )
        self.panel.sound.turns_wanted.connect(made.take_turns)
        self.panel.use(made)
        self.panel.composer.aloud_chosen.connect(made.answer_messages)
        made.changed.connect(lambda: self.panel.composer.set_aloud(made.now.audio.messages_aloud))
        self.panel.composer.set_aloud(settings.audio.messages_aloud)
        made.keeping_changed.connect(self.history.show_keeping)
        self.history.show_keeping(settings.history)
        return made

    def _make_scenarios(self) -> ScenarioDesk:
        live, parts = lambda: self.settings.now, (self._bridge, self._intents, self._requests)
        desk = ScenarioDesk(*parts, live, self.theme, self, self._on_history_left)
        self.header.scenario.wanted.connect(desk.change)
        self.header.again.clicked.connect(desk.begin_again)
        self.history.new_menu_filling.connect(desk.fill)
        desk.menu_wanted.connect(self._on_begin_with)
        return desk

    def _make_actions(self) -> None:
        controls = self.panel.controls
        wishes: tuple[Wish, ...] = (
            ("Ctrl+N", tr("New conversation"), self.history.begin),
            ("Ctrl+Shift+N", tr("New private conversation"), self.history.begin_private),
            ("Ctrl+E", tr("End the conversation"), self._intents.end_conversation),
            ("Ctrl+M", tr("Mute"), controls.toggle_mute),
            ("Ctrl+Up", tr("Louder"), lambda: controls.volume.step(STEP)),
            ("Ctrl+Down", tr("Softer"), lambda: controls.volume.step(-STEP)),
            ("Esc", tr("Stop the answer"), self._on_escape),
            ("Ctrl+I", tr("Details"), self.toggle_details),
            ("Ctrl+F", tr("Search conversations"), self._on_search),
            ("Ctrl+Shift+F", tr("Filter conversations"), self._on_filters),
            ("Ctrl+Shift+E", tr("Export"), self.history.export_here),
            ("Ctrl+Z", tr("Undo the deletion"), self.history.undo.undo),
            ("Ctrl+Shift+C", tr("Copy the last answer"), self.conversation.does.copy_last_answer),
            ("Ctrl+L", tr("Write a message"), self.panel.composer.field.setFocus),
            ("Ctrl+,", tr("Settings"), self.show_settings),
            ("F1", tr("Keys"), self.show_keys),
            ("Shift+F1", tr("First steps"), self.show_first_steps),
            ("F6", tr("Next pane"), self.next_pane),
            ("F12", tr("Diagnostics"), self.beside.show_diagnostics),
            ("Ctrl+Shift+I", tr("Inspector"), self.beside.show_inspector),
            ("Ctrl+Shift+M", tr("Mini strip"), self.background.toggle_strip),
            ("Ctrl+Q", tr("Quit"), self.ask_to_quit),
        )
        add_actions(self, wishes, repeating=("Ctrl+Up", "Ctrl+Down"))

    def _open(self, dialog: QDialog) -> None:
        self.dialog = dialog
        dialog.finished.connect(self._on_dialog_finished)
        dialog.open()

    def _on_dialog_finished(self) -> None:
        self.dialog = None

    def _toggle_sidebar(self) -> None:
        shown = self.history.isHidden()
        self.panes.show_sidebar(shown)
        if shown:
            self.history.list.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _on_folded(self, folded: bool) -> None:
        self.header.set_narrow(folded)

    def _on_history_left(self) -> None:
        if self.panes.folded:
            self.panes.show_sidebar(False)
        self.panel.controls.talk.setFocus()

    def _on_begin_with(self) -> None:
        self.panes.show_sidebar(True)
        self.history.show_new_menu()

    def _on_search(self) -> None:
        self.panes.show_sidebar(True)
        self.history.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.history.search.selectAll()

    def _on_filters(self) -> None:
        self.panes.show_sidebar(True)
        self.history.show_filters()

    def _on_escape(self) -> None:
        focus = QApplication.focusWidget()
        if self.panes.close_overlay():
            self.header.details.setChecked(not self.details.isHidden())
        elif focus is self.history.search and self.history.search.text():
            self.history.search.clear()
        else:
            self._intents.stop_speaking()

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        """Let go of Space when a text field takes it."""
        if isinstance(new, QLineEdit) or new is None:
            self.keys.release_space()
        if not self._finished and self.talk_key != self._shown_key:
            self.show_snapshot(self.snapshot)
