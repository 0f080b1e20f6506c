"""The sections of the settings, and the search that shows which of them have what is looked for."""

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import SearchField
from novadesk.ui.i18n import tr, trn
from novadesk.ui.setting_rows import Page, Row, found
from novadesk.ui.setting_table import ROWS
from novadesk.ui.theme import Theme

_WIDTH = 184


class SettingSidebar(QFrame):
    """A search field above a list. `page_chosen` tells which section is to be shown, `searched` what is looked for."""

    page_chosen = Signal(object)
    searched = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self._theme = theme
        self.fit(theme.px(_WIDTH) * 10)
        self.search = SearchField(theme, tr("Search settings"), self)
        self.search.setPlaceholderText(tr("Search settings"))
        self.search.installEventFilter(self)
        self.search.textChanged.connect(self._on_search)
        self.list = QListWidget(self)
        self.list.setObjectName("sections")
        self.list.setAccessibleName(tr("Sections of the settings"))
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for page in Page:
            item = QListWidgetItem(tr(page.value), self.list)
            item.setData(Qt.ItemDataRole.UserRole, page.name)
        self.list.setCurrentRow(0)
        self.list.currentItemChanged.connect(self._on_chosen)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_2)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_3), edge, edge)
        layout.setSpacing(edge)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)

    @property
    def page(self) -> Page:
        """Return the section that is chosen."""
        item = self.list.currentItem()
        return Page[item.data(Qt.ItemDataRole.UserRole)] if item is not None else Page.GENERAL

    def fit(self, room: int) -> None:
        """Take a third of the room at most, in pixels."""
        self.setFixedWidth(min(self._theme.px(_WIDTH), room // 3))

    def choose(self, page: Page) -> None:
        """Choose a section."""
        self.list.setCurrentItem(self._item(page))

    def hits(self) -> Mapping[Page, tuple[Row, ...]]:
        """Return the rows that are looked for, by section; all of them while nothing is."""
        query = self.search.text()
        rows = [row for row in ROWS if found(row, query)]
        return {page: tuple(row for row in rows if row.page is page) for page in Page}

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let Down lead from the search field into the list."""
        down = isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Down
        if watched is self.search and down:
            self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)
            return True
        return super().eventFilter(watched, event)

    def _on_search(self) -> None:
        query, hits = self.search.text().strip(), self.hits()
        for page in Page:
            item, count = self._item(page), len(hits[page])
            item.setHidden(bool(query) and not count)
            item.setText(tr("{section} ({n})", section=page.value, n=count) if query else tr(page.value))
        shown = [page for page in Page if not self._item(page).isHidden()]
        moved = bool(shown) and self._item(self.page).isHidden()
        if moved:
            self.choose(shown[0])
        self.searched.emit(query)
        if query:
            words = trn("1 setting found", "{n} settings found", sum(map(len, hits.values())))
            section = tr("{found}; “{section}” is shown", found=words, section=self.page.value)
            announce(self.search, section if moved else words)

    def _on_chosen(self) -> None:
        self.page_chosen.emit(self.page)

    def _item(self, page: Page) -> QListWidgetItem:
        return self.list.item(list(Page).index(page))
