"""Settings to a file and from one: what would change is shown first, and can be undone."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QLabel,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from novadesk.config import Settings
from novadesk.errors import KnownError, Reason
from novadesk.files import replace_file
from novadesk.settings_export import Change, Plan, export_text, plan_import
from novadesk.ui import tokens
from novadesk.ui.flow_layout import FlowLayout
from novadesk.ui.i18n import tr, trn
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.note import Note
from novadesk.ui.setting_rows import shown
from novadesk.ui.setting_table import row_of
from novadesk.ui.theme import Theme

MOST_BYTES = 1_000_000
"""More than any settings; a film that was chosen by mistake is not read."""


def in_words(change: Change) -> str:
    """Return one change as people read it."""
    row = row_of(change.section, change.name)
    if row is None:
        return f"[{change.section}] {change.name}"
    before, after = (" ".join(shown(row, value).split()) for value in (change.before, change.after))
    return tr("{label}: {before} → {after}", label=row.label, before=_short(before), after=_short(after))


def read_small(file: Path) -> bytes:
    """Return what a file holds.

    Raises:
        KnownError: `BAD_SETTINGS`: it cannot be read, or is too large for settings.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        why = error.strerror or ""
        raise KnownError(
            Reason.BAD_SETTINGS, "{file} cannot be read ({why}).", "Choose another file.", file=file.name, why=why
        ) from error
    if len(content) > MOST_BYTES:
        raise KnownError(
            Reason.BAD_SETTINGS, "{file} is too large for settings.", "Choose another file.", file=file.name
        )
    return content


class ImportPreview(QDialog):
    """What an import would change; `on_import` is called when the person wants it."""

    def __init__(self, plan: Plan, theme: Theme, on_import: Callable[[], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Import settings"))
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        count = len(plan.changes)
        head = QLabel(trn("1 setting would change:", "{n} settings would change:", count), self)
        if not count:
            head.setText(tr("Nothing would change: these settings are in force already."))
        head.setWordWrap(True)
        self.list = QListWidget(self)
        self.list.setObjectName("changes")
        self.list.setAccessibleName(tr("Changes"))
        self.list.setWordWrap(True)
        self.list.addItems([in_words(change) for change in plan.changes])
        self.list.setCurrentRow(0)
        self.list.setVisible(bool(count))
        self.left_out = QLabel(_left_out(plan.left_out), self)
        self.left_out.setObjectName("dialogNote")
        self.left_out.setWordWrap(True)
        self.left_out.setVisible(bool(plan.left_out))
        buttons = QDialogButtonBox(self)
        self.take = buttons.addButton(tr("Import"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.take.setObjectName("primary")
        self.take.setEnabled(bool(count))
        keep = buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        for button in (self.take, keep):
            button.setIcon(QIcon())
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.accepted.connect(on_import)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, edge, edge, theme.px(tokens.SPACE_4))
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addWidget(head)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.left_out)
        layout.addWidget(buttons)
        theme.dress(self)
        self.resize(theme.px(480), theme.px(360) if count else self.sizeHint().height())


class TransferRow(QFrame):
    """The buttons for it.

    Args:
        replace: uses other settings, with a sentence that says so.
        reset: sets everything to what NovaDesk sets by itself.
    """

    def __init__(
        self,
        live: LiveSettings,
        theme: Theme,
        replace: Callable[[Settings, str], None],
        reset: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._live, self._theme, self._replace = live, theme, replace
        self.dialog: QDialog | None = None
        self.setObjectName("setting")
        title = QLabel(tr("Settings as a file"), self)
        title.setObjectName("settingLabel")
        words = tr("To keep them, or to take them elsewhere. Devices, accounts, addresses and keys are left out.")
        why = QLabel(words, self)
        why.setObjectName("settingHelp")
        why.setWordWrap(True)
        self.note = Note(theme, self, name="settingNote")
        self.save = QPushButton(tr("Export…"), self)
        self.load = QPushButton(tr("Import…"), self)
        self.everything = QPushButton(tr("Reset everything"), self)
        line = FlowLayout(theme.px(tokens.SPACE_2))
        for button in (self.save, self.load, self.everything):
            button.setAutoDefault(False)
            line.addWidget(button)
        self.save.clicked.connect(self._ask_where)
        self.load.clicked.connect(self._ask_which)
        self.everything.clicked.connect(lambda: reset())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.px(tokens.SPACE_3), theme.px(tokens.SPACE_1), 0, theme.px(tokens.SPACE_2))
        layout.setSpacing(theme.px(2))
        for widget in (title, why):
            layout.addWidget(widget)
        layout.addSpacing(theme.px(tokens.SPACE_1))
        layout.addLayout(line)
        layout.addWidget(self.note)

    def export_to(self, file: Path) -> None:
        """Write the settings that may leave this computer."""
        try:
            replace_file(file, export_text(self._live.now).encode())
        except OSError as error:
            self.note.say(tr("{file} cannot be written ({why}).", file=file.name, why=error.strerror or ""), bad=True)
        else:
            self.note.say(tr("The settings are in {file}.", file=file.name))

    def import_from(self, file: Path) -> None:
        """Show what a file would change, and change it when the person wants that."""
        try:
            self.offer(read_small(file), file)
        except KnownError as error:
            self.note.tell(error)

    def offer(self, content: bytes, file: Path) -> None:
        """Do as `import_from` with what the file holds.

        Raises:
            KnownError: `BAD_SETTINGS`: it makes no sense.
        """
        plan = plan_import(content, file, self._live.now)
        self.note.say("")
        count = len(plan.changes)
        words = trn("1 setting was imported.", "{n} settings were imported.", count)
        self._open(ImportPreview(plan, self._theme, lambda: self._replace(plan.settings, words), self.window()))

    def _ask_where(self) -> None:
        dialog = self._choose(QFileDialog.AcceptMode.AcceptSave, tr("Export settings"))
        dialog.selectFile("novadesk-settings.toml")
        dialog.fileSelected.connect(lambda name: self.export_to(Path(name)))

    def _ask_which(self) -> None:
        dialog = self._choose(QFileDialog.AcceptMode.AcceptOpen, tr("Import settings"))
        dialog.fileSelected.connect(lambda name: self.import_from(Path(name)))

    def _choose(self, mode: QFileDialog.AcceptMode, title: str) -> QFileDialog:
        dialog = QFileDialog(self.window(), title)
        dialog.setAcceptMode(mode)
        dialog.setDefaultSuffix("toml")
        dialog.setNameFilter(tr("Settings (*.toml)"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._open(dialog)
        return dialog

    def _open(self, dialog: QDialog) -> None:
        self.dialog = dialog
        dialog.finished.connect(lambda _result: self._forget(dialog))
        dialog.open()

    def _forget(self, dialog: QDialog) -> None:
        if self.dialog is dialog:
            self.dialog = None


def _left_out(names: Sequence[str]) -> str:
    return tr("Not imported, and left as they are: {names}.", names=", ".join(names))


def _short(words: str) -> str:
    return words if len(words) <= 60 else f"{words[:59]}…"
