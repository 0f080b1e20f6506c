"""Write conversations to files: choose how and where, see how far it is, stop it."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.models import Exported, Format
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.i18n import tr, trn
from novadesk.ui.note import Note
from novadesk.ui.theme import Theme

_EXPORT_S = 3600.0
_LOOK_MS = 100

_FORMS = (Format.TEXT, Format.MARKDOWN, Format.PAGE, Format.TABLE, Format.SUBTITLES, Format.JSON)


class ExportDialog(QDialog):
    """One export. Show it with `open`; closing it stops what is under way, and leaves nothing half written.

    Args:
        handles: which conversations, or None for all.
        count: how many those are.
        name: what the one is called.
    """

    def __init__(
        self,
        bridge: Bridge,
        requests: Requests,
        theme: Theme,
        parent: QWidget,
        *,
        handles: Sequence[str] | None,
        count: int,
        name: str,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Export"))
        self._bridge, self._requests, self._theme = bridge, requests, theme
        self._handles, self._count = handles, count
        self._question: Question | None = None
        self._progress = (0, count)
        self._written: Path | None = None
        self.chooser: QFileDialog | None = None
        self.what = QLabel(
            tr("“{title}”", title=name) if name else trn("1 conversation", "{n} conversations", count),
            self,
        )
        self.what.setObjectName("dialogHeading")
        self.what.setWordWrap(True)
        self._make_fields()
        self._make_buttons()
        self._looking = QTimer(self)
        self._looking.setInterval(_LOOK_MS)
        self._looking.timeout.connect(self._draw)
        self._lay_out()
        self._explain()
        self._draw()
        theme.dress(self)
        self.setMinimumWidth(theme.px(420))
        self.form.setFocus()

    def _make_fields(self) -> None:
        self.form = QComboBox(self)
        for form in _FORMS:
            self.form.addItem(form_name(form), form)
        self.form.currentIndexChanged.connect(self._explain)
        self.about = QLabel(self)
        self.about.setObjectName("dialogNote")
        self.about.setWordWrap(True)
        self.packing = QComboBox(self)
        self.packing.addItem(tr("One zip file"), True)
        self.packing.addItem(tr("A folder with a file for each"), False)
        self.bar = QProgressBar(self)
        self.bar.setAccessibleName(tr("Progress of the export"))
        self.bar.setTextVisible(False)
        self.said = Note(self._theme, self)

    def _make_buttons(self) -> None:
        self.go = QPushButton(tr("Choose a place…"), self)
        self.go.setObjectName("primary")
        self.go.setDefault(True)
        self.go.clicked.connect(self.choose)
        self.show_it = QPushButton(tr("Show in folder"), self)
        self.show_it.clicked.connect(self._on_show_it)
        self.close_button = QPushButton(tr("Cancel"), self)
        self.close_button.clicked.connect(self.reject)

    @property
    def chosen(self) -> Format:
        """Return the format that is chosen."""
        form = self.form.currentData()
        assert isinstance(form, Format)
        return form

    def choose(self) -> None:
        """Ask for a good name, then let the person choose the place."""
        form = self.chosen
        self.go.setEnabled(False)
        self._question = self._bridge.ask(
            lambda: self._requests.export_name(self._handles, form), self._on_name, self._on_error, owner=self
        )

    def done(self, result: int) -> None:  # noqa: D102
        self._looking.stop()
        if self._question is not None:
            self._question.drop()
            self._question = None
        super().done(result)

    def start(self, target: Path) -> None:
        """Write to a place; a file that is there is replaced, for the person was asked that."""
        form, handles = self.chosen, self._handles
        self._progress = (0, self._count)
        self.said.say("")
        self._question = self._bridge.ask(
            lambda: self._requests.export(handles, form, target, replace=True, on_progress=self._note),
            self._on_written,
            self._on_error,
            owner=self,
            deadline_s=_EXPORT_S,
        )
        self._looking.start()
        self._draw()
        self.close_button.setFocus()

    def _note(self, done: int, whole: int) -> None:
        """Take how far it is, on the core's thread: the timer draws it."""
        self._progress = (done, whole)

    def _on_name(self, name: str) -> None:
        self._question = None
        self.go.setEnabled(True)
        chooser = self.chooser = QFileDialog(self)
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if self._count > 1 and not self.packing.currentData():
            chooser.setWindowTitle(tr("Choose where the new folder goes"))
            chooser.setFileMode(QFileDialog.FileMode.Directory)
            chooser.fileSelected.connect(lambda place: self.start(_free(Path(place), name)))
        else:
            ending = ".zip" if self._count > 1 else self.chosen.ending
            chooser.setWindowTitle(tr("Save as"))
            chooser.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            chooser.setDefaultSuffix(ending.lstrip("."))
            chooser.setNameFilters([f"*{ending}", "*"])
            chooser.selectFile(name if self._count == 1 else f"{name}{ending}")
            chooser.fileSelected.connect(lambda place: self.start(Path(place)))
        chooser.finished.connect(self._on_chooser_over)
        chooser.open()

    def _on_chooser_over(self) -> None:
        self.chooser = None

    def _on_written(self, written: Exported) -> None:
        self._question = None
        self._written = written.target
        self._looking.stop()
        what = trn("1 conversation", "{n} conversations", written.conversations)
        self.said.say(tr("{what} written to {place}.", what=what, place=str(written.target)))
        self._draw()
        self.close_button.setFocus()

    def _on_error(self, error: KnownError) -> None:
        self._question = None
        self._looking.stop()
        self.go.setEnabled(True)
        self.said.tell(error)
        self._draw()

    def _on_show_it(self) -> None:
        if self._written is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._written.parent)))

    def _explain(self) -> None:
        self.about.setText(form_words(self.chosen))

    def _draw(self) -> None:
        under_way = self._looking.isActive()
        done, whole = self._progress
        self.bar.setRange(0, whole if whole > 1 else 0)
        self.bar.setValue(done)
        self.bar.setVisible(under_way)
        if under_way and whole > 1:
            self.said.say(tr("Writing {done} of {whole}", done=done, whole=whole), aloud=False)
        for choice in (self.form, self.packing):
            choice.setEnabled(not under_way)
        over = self._written is not None
        self.go.setVisible(not under_way and not over)
        self.show_it.setVisible(over)
        self.close_button.setText(tr("Close") if over else tr("Cancel"))

    def _lay_out(self) -> None:
        theme = self._theme
        edge = theme.px(tokens.SPACE_5)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(edge, edge, edge, edge)
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addWidget(self.what)
        fields = QFormLayout()
        fields.setSpacing(theme.px(tokens.SPACE_2))
        fields.addRow(tr("&Format"), self.form)
        fields.addRow("", self.about)
        if self._count > 1:
            fields.addRow(tr("&As"), self.packing)
        self.packing.setVisible(self._count > 1)
        layout.addLayout(fields)
        layout.addWidget(self.bar)
        layout.addWidget(self.said)
        layout.addStretch(1)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.px(tokens.SPACE_2))
        buttons.addStretch(1)
        for button in (self.show_it, self.go, self.close_button):
            button.setIcon(QIcon())
            buttons.addWidget(button)
        layout.addLayout(buttons)


def form_name(form: Format) -> str:
    """Return what people call a format."""
    return {
        Format.TEXT: tr("Text (.txt)"),
        Format.MARKDOWN: tr("Markdown (.md)"),
        Format.PAGE: tr("Web page (.html)"),
        Format.TABLE: tr("Table (.csv)"),
        Format.SUBTITLES: tr("Subtitles (.srt)"),
        Format.JSON: tr("JSON (.json)"),
    }[form]


def form_words(form: Format) -> str:
    """Return what a format is good for."""
    return {
        Format.TEXT: tr("For reading anywhere."),
        Format.MARKDOWN: tr("For notes and wikis."),
        Format.PAGE: tr("One page that needs no network, to read, print or send."),
        Format.TABLE: tr("For spreadsheets, a row for each turn."),
        Format.SUBTITLES: tr("For players, with times from the beginning; where a turn began is estimated."),
        Format.JSON: tr("For programs, with everything that is known of a turn."),
    }[form]


def _free(folder: Path, name: str) -> Path:
    """Return a new folder's place that nothing has taken."""
    number = 1
    while (target := folder / (name if number == 1 else f"{name} ({number})")).exists():
        number += 1
    return target
