"""The ways to begin with a scenario: a part of the menu, the form, the list of them; and the change of the open one."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QMenu, QWidget

from novadesk.config import Settings
from novadesk.conversation.api import Intents, Requests, ScenarioList, Snapshot
from novadesk.errors import KnownError
from novadesk.scenario import Chosen, Scenario, choose
from novadesk.ui.actions import Wish, add_actions
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr, with_keys
from novadesk.ui.scenario_words import in_language
from novadesk.ui.theme import Theme


class ScenarioDesk(QObject):
    """Knows the scenarios there are, and opens what is needed to begin with one; its keys are the window's.

    Args:
        settings: returns the settings as they are now.
        window: parent of the dialogs; gets the keys.
        on_begun: called when a conversation has been begun.
    """

    menu_wanted = Signal()

    def __init__(
        self,
        bridge: Bridge,
        intents: Intents,
        requests: Requests,
        settings: Callable[[], Settings],
        theme: Theme,
        window: QWidget,
        on_begun: Callable[[], None],
    ) -> None:
        super().__init__(window)
        self._bridge, self._intents, self._requests, self._theme = bridge, intents, requests, theme
        self._settings, self._window, self._on_begun = settings, window, on_begun
        self._found: ScenarioList | None = None
        self._snapshot = Snapshot()
        self._keyed = False
        self.dialog: QDialog | None = None
        wishes: tuple[Wish, ...] = (
            ("Ctrl+B", tr("Begin with a scenario"), self.open_menu),
            ("Ctrl+R", tr("New conversation with the same scenario"), self.begin_again),
            ("Ctrl+Shift+B", tr("Scenarios"), self.manage),
            ("Ctrl+J", tr("Voice and instructions of this conversation"), self.change),
        )
        add_actions(window, wishes)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Follow what the open conversation was begun with."""
        self._snapshot = snapshot

    def open_menu(self) -> None:
        """Open the menu, once the scenarios are in it, with the first one chosen: for those who go on by keys."""
        if self._found is not None:
            self._open_menu()
        else:
            self._bridge.ask(self._requests.scenarios, self._on_first, lambda _error: self._open_menu(), owner=self)

    def _on_first(self, found: ScenarioList) -> None:
        self._found = in_language(found)
        self._open_menu()

    def _open_menu(self) -> None:
        self._keyed = True
        self.menu_wanted.emit()
        self._keyed = False

    def fill(self, menu: QMenu) -> None:
        """Add the scenarios to a menu that is about to be shown; those that are being read come while it is."""
        again = menu.addAction(with_keys(tr("Same scenario &again"), "Ctrl+R"), self.begin_again)
        again.setEnabled(self._snapshot.scenario is not None)
        menu.addSeparator()
        end, keyed = menu.addSeparator(), self._keyed
        menu.addAction(with_keys(tr("&Scenarios…"), "Ctrl+Shift+B"), self.manage)

        def put(read: ScenarioList) -> None:
            found = in_language(read)
            known = found == self._found and bool(menu.property("scenarios"))
            self._found = found
            if known:
                return
            for action in menu.actions():
                if action.property("scenario"):
                    menu.removeAction(action)
            for scenario in found.scenarios:
                title = tr("{title}…", title=scenario.title) if scenario.fields else scenario.title
                action = menu.addAction("&" + title.replace("&", "&&"))
                action.setProperty("scenario", scenario.name)
                action.triggered.connect(lambda _checked=False, scenario=scenario: self.choose(scenario))
                menu.insertAction(end, action)
            menu.setProperty("scenarios", True)
            if keyed:
                menu.setActiveAction(next(action for action in menu.actions() if action.property("scenario")))

        if self._found is not None:
            put(self._found)
        self._bridge.ask(self._requests.scenarios, put, _leave, owner=menu)

    def choose(self, scenario: Scenario) -> None:
        """Begin with a scenario, after its form if it has one."""
        if scenario.fields:
            from novadesk.ui.scenario_form import ScenarioForm

            self._open(ScenarioForm(self._theme, scenario, self._begin, self._window))
        else:
            self._begin(choose(scenario, {}), False)

    def begin_again(self) -> None:
        """Begin another conversation with the scenario of the open one; without one, with none."""
        self._intents.new_conversation(scenario=self._snapshot.scenario)
        self._on_begun()

    def manage(self) -> None:
        """Open the list of scenarios."""
        if self.dialog is not None:
            return
        from novadesk.ui.scenario_dialog import ScenarioDialog

        settings, begun = self._settings(), self._snapshot.scenario
        dialog = ScenarioDialog(
            self._bridge,
            self._requests,
            self._theme,
            settings.voice,
            settings.backend.model,
            self._window,
            chosen="" if begun is None else begun.name,
        )
        self._open(dialog)
        dialog.begin_wanted.connect(self.choose)

    def change(self) -> None:
        """Open the voice and the instructions of the open conversation."""
        if self.dialog is not None or self._snapshot.conversation is None:
            return
        from novadesk.ui.scenario_change import ScenarioChange

        settings, intents = self._settings(), self._intents
        self._open(
            ScenarioChange(
                self._theme,
                self._snapshot.scenario,
                settings.voice,
                settings.backend.model,
                intents.change_scenario,
                self._window,
            )
        )

    def _begin(self, chosen: Chosen, private: bool) -> None:
        self._intents.new_conversation(private=private, scenario=chosen)
        self._on_begun()

    def _open(self, dialog: QDialog) -> None:
        self.dialog = dialog
        dialog.finished.connect(self._on_finished)
        dialog.open()

    def _on_finished(self) -> None:
        self.dialog = None


def _leave(_error: KnownError) -> None:
    """The menu without scenarios still leads to their list, which says what is wrong."""
