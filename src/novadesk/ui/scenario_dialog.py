"""The person's scenarios: begin with one, write, copy and delete them. What is deleted can be brought back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QBoxLayout,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from novadesk.config import VoiceSettings
from novadesk.conversation.api import Requests, ScenarioList
from novadesk.errors import KnownError
from novadesk.scenario import Scenario, name_for
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.controls import IconButton
from novadesk.ui.i18n import tr, trn
from novadesk.ui.note import Note
from novadesk.ui.placement import fit
from novadesk.ui.question import Question
from novadesk.ui.scenario_editor import ScenarioEditor
from novadesk.ui.scenario_words import in_language
from novadesk.ui.tab_order import chain
from novadesk.ui.theme import Theme

_WIDE = 620
_SIDE = 240


@dataclass(slots=True, eq=False)
class _Entry:
    """A scenario of the list: as it is kept (None: not yet), as it is written, and whether it is the person's own."""

    kept: Scenario | None
    draft: Scenario
    own: bool

    @property
    def changed(self) -> bool:
        return self.draft != self.kept


class ScenarioDialog(QDialog):
    """Manage scenarios; show it with `open`.

    Args:
        settings: what an empty voice means.
        model: whose voices are listed.
        chosen: name of the scenario to begin with in the list.
    """

    begin_wanted = Signal(object)
    kept_changed = Signal()

    def __init__(
        self,
        bridge: Bridge,
        requests: Requests,
        theme: Theme,
        settings: VoiceSettings,
        model: str,
        parent: QWidget | None = None,
        *,
        chosen: str = "",
    ) -> None:
        super().__init__(parent)
        self._bridge, self._requests, self._theme, self._chosen = bridge, requests, theme, chosen
        self._entries: list[_Entry] = []
        self._deleted: Scenario | None = None
        self.question: Question | None = None
        self.setObjectName("scenarioDialog")
        self.setWindowTitle(tr("Scenarios"))
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.list = QListWidget(self)
        self.list.setObjectName("scenarioList")
        self.list.setAccessibleName(tr("Scenarios"))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentRowChanged.connect(self._on_row)
        self.new = IconButton(theme, "plus", tr("New scenario"), shown=tr("New"), shortcut="Ctrl+N", parent=self)
        self.new.clicked.connect(self.write_new)
        QShortcut(QKeySequence("Ctrl+N"), self, self.write_new)
        self.copy = IconButton(theme, "copy", tr("Duplicate the scenario"), parent=self)
        self.copy.clicked.connect(self.duplicate)
        self.delete = IconButton(theme, "delete", tr("Delete the scenario"), parent=self)
        self.delete.clicked.connect(self.remove)
        self.editor = ScenarioEditor(theme, settings, model, self)
        self.editor.changed.connect(self._on_edit)
        self.note = Note(theme, self)
        self.undo = QPushButton(tr("&Undo"), self)
        self.undo.clicked.connect(self.bring_back)
        self.undo.hide()
        self._make_buttons()
        self._lay_out()
        self.editor.rows.laid.connect(self._order_tabs)
        theme.dress(self)
        fit(self, theme.px(820), theme.px(640))
        self._enable()
        self.refresh()

    def refresh(self) -> None:
        """Read the scenarios again; what is written and not kept stays."""
        self._ask(self._requests.scenarios, self._on_found)

    def write_new(self) -> None:
        """Write a scenario from nothing."""
        self._add(Scenario(name="", title=tr("New scenario"), prompt=""))
        entry = self.editor.title.entry
        assert isinstance(entry, QLineEdit)
        entry.setFocus()
        entry.selectAll()

    def duplicate(self) -> None:
        """Write a scenario from the chosen one."""
        if (entry := self._current) is not None:
            self._add(replace(entry.draft, name="", title=tr("{title} (copy)", title=entry.draft.title)))
            self.editor.title.entry.setFocus()

    def remove(self) -> None:
        """Delete the chosen scenario, until `bring_back`."""
        entry = self._current
        if entry is None:
            return
        if entry.kept is None:
            self._drop(entry)
            return
        gone = entry.kept

        def on_done(_nothing: object) -> None:
            self._deleted = gone
            self._entries.remove(entry)
            self._say(tr("“{title}” is deleted.", title=gone.title), undo=True)
            self._on_kept()

        self._ask(lambda: self._requests.remove_scenario(gone.name), on_done)

    def bring_back(self) -> None:
        """Undo the last deletion."""
        if (gone := self._deleted) is not None:
            self._chosen = gone.name
            self._ask(lambda: self._requests.keep_scenario(gone, force=True), lambda _nothing: self._on_back())

    def save(self, then: Callable[[Scenario], None] | None = None) -> None:
        """Keep the chosen scenario as it is written; `then` is called with it."""
        entry = self._current
        if entry is None or not self.editor.check():
            return
        if entry.kept is not None and not entry.changed:
            if then is not None:
                then(entry.kept)
            return
        taken = {other.draft.name for other in self._entries if other is not entry}
        written = entry.draft if entry.kept else replace(entry.draft, name=name_for(entry.draft.title, taken))

        def on_done(_nothing: object) -> None:
            entry.kept = entry.draft = written
            self._chosen = written.name
            self._say(tr("“{title}” is saved.", title=written.title))
            self._on_kept()
            if then is not None:
                then(written)

        self._ask(lambda: self._requests.keep_scenario(written, force=entry.kept is not None), on_done)

    def begin(self) -> None:
        """Begin a conversation with the chosen scenario, kept first if it was changed."""

        def go(scenario: Scenario) -> None:
            self.accept()
            self.begin_wanted.emit(scenario)

        self.save(go)

    def reject(self) -> None:
        """Close; ask first when something is written that is not kept."""
        changed = sum(entry.changed for entry in self._entries)
        if not changed:
            super().reject()
            return
        box = self.question = Question(
            self._theme,
            self,
            text=trn("Close without saving 1 scenario?", "Close without saving {n} scenarios?", changed),
            detail=tr("What you wrote since is lost."),
            do=tr("Close"),
            keep=tr("Stay"),
            on_do=lambda: self.done(QDialog.DialogCode.Rejected),
        )
        box.finished.connect(self._on_question_over)
        box.open()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        wide = event.size().width() >= self._theme.px(_WIDE)
        self._body.setDirection(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        self._side.setMaximumHeight(16_777_215 if wide else self._theme.px(150))
        self._side.setMinimumWidth(self._theme.px(_SIDE) if wide else 0)
        self._side.setMaximumWidth(self._theme.px(_SIDE) if wide else 16_777_215)

    @property
    def _current(self) -> _Entry | None:
        row = self.list.currentRow()
        return self._entries[row] if 0 <= row < len(self._entries) else None

    def _on_found(self, found: ScenarioList) -> None:
        drafts = {entry.draft.name: entry.draft for entry in self._entries if entry.kept and entry.changed}
        new = [entry for entry in self._entries if entry.kept is None]
        before = self._current
        self._entries = [
            _Entry(kept=one, draft=drafts.get(one.name, one), own=one.name in found.own)
            for one in in_language(found).scenarios
        ]
        self._entries += new
        if found.broken:
            self._say(tr("The file {name} holds no scenario.", name=found.broken[0]), bad=True)
        if before not in new or self._chosen:
            name = self._chosen or (before.draft.name if before is not None else "")
            before = next((entry for entry in self._entries if entry.draft.name == name), None)
        self._list(before)

    def _add(self, scenario: Scenario) -> None:
        self._entries.append(_Entry(kept=None, draft=scenario, own=True))
        self._list_rows()
        self.list.setCurrentRow(len(self._entries) - 1)

    def _drop(self, entry: _Entry) -> None:
        self._entries.remove(entry)
        self._list(None)

    def _list(self, entry: _Entry | None) -> None:
        """Show the list, and of it this scenario, else the first one."""
        self._list_rows()
        self.list.setCurrentRow(0 if entry is None else self._entries.index(entry))
        self._on_row()

    def _list_rows(self) -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for entry in self._entries:
            self.list.addItem(QListWidgetItem(_row_words(entry)))
        self.list.blockSignals(False)

    def _on_row(self) -> None:
        self._chosen = ""  # who goes elsewhere meanwhile is not fetched back
        if (entry := self._current) is not None and self.editor.scenario != entry.draft:
            self.editor.show_scenario(entry.draft)
        self._enable()

    def _on_edit(self) -> None:
        if (entry := self._current) is not None:
            entry.draft = self.editor.scenario
            self.list.item(self.list.currentRow()).setText(_row_words(entry))
        self._enable()

    def _enable(self) -> None:
        entry = self._current
        for widget in (self.copy, self.editor, self.start):
            widget.setEnabled(entry is not None)
        self.delete.setEnabled(entry is not None and (entry.own or entry.kept is None))
        self.keep.setEnabled(entry is not None and entry.changed)

    def _on_kept(self) -> None:
        self.kept_changed.emit()
        self.refresh()

    def _on_back(self) -> None:
        self._deleted = None
        self._say("")
        self._on_kept()

    def _on_question_over(self) -> None:
        self.question = None

    def _ask[T](self, request: Callable[[], Awaitable[T]], on_answer: Callable[[T], None]) -> None:
        self._bridge.ask(request, on_answer, self._on_error, owner=self)

    def _on_error(self, error: KnownError) -> None:
        self.note.tell(error)
        self.undo.hide()

    def _say(self, words: str, *, bad: bool = False, undo: bool = False) -> None:
        self.note.say(words, bad=bad)
        self.undo.setVisible(undo)
        if undo:
            self.undo.setFocus()

    def _make_buttons(self) -> None:
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        self.keep = self.buttons.addButton(tr("&Save"), QDialogButtonBox.ButtonRole.ActionRole)
        self.keep.setShortcut("Ctrl+S")
        self.keep.clicked.connect(lambda: self.save())
        self.start = self.buttons.addButton(tr("&Begin with it"), QDialogButtonBox.ButtonRole.ActionRole)
        self.start.setObjectName("primary")
        self.start.clicked.connect(self.begin)
        self.buttons.rejected.connect(self.reject)
        for button in self.buttons.buttons():
            button.setIcon(QIcon())
            if isinstance(button, QPushButton):
                button.setAutoDefault(False)

    def _order_tabs(self) -> None:
        close = self.buttons.button(QDialogButtonBox.StandardButton.Close)
        side = (self.list, self.new, self.copy, self.delete)
        chain((*side, *self.editor.stops, self.note.copy, self.undo, self.keep, self.start, close))

    def _lay_out(self) -> None:
        theme = self._theme
        side = self._side = QFrame(self)
        ways = QHBoxLayout()
        ways.setSpacing(theme.px(tokens.SPACE_1))
        for button in (self.new, self.copy, self.delete):
            ways.addWidget(button)
        ways.addStretch(1)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(tokens.SPACE_2))
        column.addLayout(ways)
        column.addWidget(self.list, 1)
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._body.setSpacing(theme.px(tokens.SPACE_4))
        self._body.addWidget(side, 1)
        self._body.addWidget(self.editor, 3)
        below = QHBoxLayout()
        below.addWidget(self.note, 1)
        below.addWidget(self.undo)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_4), edge, theme.px(tokens.SPACE_4))
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addLayout(self._body, 1)
        layout.addLayout(below)
        layout.addWidget(self.buttons)


def _row_words(entry: _Entry) -> str:
    title = entry.draft.title or tr("Without a title")
    if entry.changed:
        return tr("{title} (not saved)", title=title)
    return title if entry.own else tr("{title} (built in)", title=title)
