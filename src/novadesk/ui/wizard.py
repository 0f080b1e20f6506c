"""The first steps: five pages, each of which can be skipped, and all of them walked again at any time."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from novadesk.config import Settings, check_settings
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import text_button
from novadesk.ui.i18n import tr
from novadesk.ui.note import Note
from novadesk.ui.placement import fit
from novadesk.ui.wizard_access import AccessPage
from novadesk.ui.wizard_page import Surroundings, WizardPage
from novadesk.ui.wizard_sound import MicrophonePage, SpeakerPage
from novadesk.ui.wizard_talk import KeyPage, TryPage


class Wizard(QDialog):
    """Walk through the first steps. What a page chose is stored when it is left with Next; nothing else changes.

    Args:
        around: what the pages work with.
        settings: as they are now.
        store: stores changed ones; may raise KnownError, which keeps the page.
        first: nothing is connected yet: at the end what was chosen is used, whatever was skipped. Steps that were
            broken off, by the end of the program too, go on where the last choice was stored.
    """

    def __init__(
        self,
        around: Surroundings,
        settings: Settings,
        store: Callable[[Settings], None],
        *,
        first: bool,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._around, self._settings, self._store = around, _at_step(settings, 0), store
        self.setObjectName("wizard")
        self.setWindowTitle(tr("First steps"))
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._first = first
        self.trying = TryPage(around, self)
        self.pages: tuple[WizardPage, ...] = (
            AccessPage(around, self),
            MicrophonePage(around, self),
            SpeakerPage(around, self),
            KeyPage(around, self),
            self.trying,
        )
        self.at = 0
        self._make_parts()
        self._lay_out()
        around.theme.dress(self)
        theme = around.theme
        fit(self, theme.px(600), theme.px(690))
        around.bridge.snapshot_changed.connect(self.trying.show_snapshot)
        if around.bridge.latest is not None:
            self.trying.show_snapshot(around.bridge.latest)
        self._go(min(settings.window.first_step, len(self.pages) - 1) if first else 0)

    @property
    def page(self) -> WizardPage:
        """Return the page that is seen."""
        return self.pages[self.at]

    def go_on(self) -> None:
        """Store what the page chose, and show the next one."""
        try:
            settings = check_settings(self.page.edited(self._settings), Path("settings.toml"))
            if self._first or settings != self._settings:
                self._store(_at_step(settings, (self.at + 1) % len(self.pages) if self._first else 0))
        except KnownError as error:
            self.note.tell(error)
            return
        self._settings = settings
        self.skip()

    def skip(self) -> None:
        """Show the next page, and change nothing."""
        if self.at + 1 < len(self.pages):
            self._go(self.at + 1)
        else:
            self.accept()

    def go_back(self) -> None:
        """Show the page before."""
        if self.at:
            self._go(self.at - 1)

    def done(self, result: int) -> None:
        """End the steps; what was chosen so far stays."""
        self.page.leave()
        if self._first:
            with suppress(KnownError):
                self._store(self._settings)  # a file of settings says that these steps were walked
        self._around.beginning.use(self._settings)
        super().done(result)

    def _go(self, at: int) -> None:
        self.page.leave()
        self.at = at
        for number, area in enumerate(self._areas):
            area.setVisible(number == at)
        page, last = self.page, at + 1 == len(self.pages)
        self.note.say("")
        self.title.setText(page.title)
        self.intro.setText(page.intro)
        self.count.setText(tr("Step {n} of {all}", n=at + 1, all=len(self.pages)))
        self.back.setVisible(at > 0)
        self.skipping.setVisible(not last)
        self.next.setText(tr("&Done") if last else tr("&Next"))
        page.begin(self._settings)
        self._order_tabs()
        (page.first_field() or self.next).setFocus(Qt.FocusReason.OtherFocusReason)
        announce(self, tr("Step {n} of {all}: {title}", n=at + 1, all=len(self.pages), title=page.title))

    def _make_parts(self) -> None:
        theme = self._around.theme
        self.title, self.count, self.intro = QLabel(self), QLabel(self), QLabel(self)
        self.title.setFont(theme.font(tokens.FONT_TITLE))
        self.title.setObjectName("wizardTitle")
        self.title.setWordWrap(True)
        self.count.setObjectName("dialogNote")
        self.intro.setObjectName("dialogNote")
        self.intro.setWordWrap(True)
        self.note = Note(theme, self)
        self.closing = text_button(tr("Close"), self.reject, self)
        self.back = text_button(tr("&Back"), self.go_back, self)
        self.skipping = text_button(tr("Sk&ip"), self.skip, self)
        self.next = text_button(tr("&Next"), self.go_on, self)
        self.next.setObjectName("primary")
        self.next.setDefault(True)
        self._areas = tuple(self._area(page) for page in self.pages)
        for page in self.pages:
            page.changed.connect(lambda: self.note.say(""))
            page.news.connect(self._on_news)

    def _on_news(self, where: QWidget) -> None:
        """Scroll to what has come, once it has taken its room."""
        area = self._areas[self.at]

        def scroll() -> None:
            self.page.body.activate()
            self.page.resize(self.page.sizeHint().expandedTo(area.viewport().size()))
            area.ensureWidgetVisible(where)

        QTimer.singleShot(0, area, scroll)

    def _area(self, page: WizardPage) -> QScrollArea:
        page.setObjectName("dialogPage")
        area = QScrollArea(self)
        area.setObjectName("dialogArea")
        area.setAccessibleName(page.title)
        area.setWidget(page)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.hide()
        return area

    def _lay_out(self) -> None:
        px = self._around.theme.px
        layout = QVBoxLayout(self)
        edge = px(tokens.SPACE_5)
        layout.setContentsMargins(edge, edge, edge, px(tokens.SPACE_4))
        layout.setSpacing(px(tokens.SPACE_3))
        head = QHBoxLayout()
        head.setSpacing(px(tokens.SPACE_4))
        head.addWidget(self.title, 1)
        head.addWidget(self.count, 0, Qt.AlignmentFlag.AlignBottom)
        layout.addLayout(head)
        layout.addWidget(self.intro)
        layout.addSpacing(px(tokens.SPACE_2))
        for area in self._areas:
            layout.addWidget(area, 1)
        layout.addWidget(self.note)
        foot = QHBoxLayout()
        foot.setSpacing(px(tokens.SPACE_2))
        foot.addWidget(self.closing)
        foot.addStretch(1)
        for button in (self.back, self.skipping, self.next):
            foot.addWidget(button)
        layout.addLayout(foot)

    def _order_tabs(self) -> None:
        """Let Tab walk from the page to Next, Skip, Back and Close: who goes on meets first what goes on."""
        last = self.page.tab_stops()[-1] if self.page.tab_stops() else self.next
        for stop in (self.next, self.skipping, self.back, self.closing):
            if stop is not last:
                QWidget.setTabOrder(last, stop)
            last = stop


def _at_step(settings: Settings, step: int) -> Settings:
    return replace(settings, window=replace(settings.window, first_step=step))
