"""One section of the settings: its rows, and what else belongs there."""

from collections.abc import Collection, Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from novadesk.conversation.api import Requests
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.setting_rows import Page, Row
from novadesk.ui.setting_table import rows_of
from novadesk.ui.setting_view import CHANGED_LINE, SettingView
from novadesk.ui.theme import Theme

_WIDTH = 620


class SettingPage(QWidget):
    """A heading with the way back for all of it, over rows that can be scrolled.

    Args:
        variables: what sets a setting in the environment.
        bridge: carries what its fields ask.
        requests: answers it.
        extras: what else belongs to the section, by the row that it follows and is found with; None for its end.
    """

    edited = Signal(object, object)
    reset_wanted = Signal(object)

    def __init__(
        self,
        theme: Theme,
        page: Page,
        variables: Mapping[tuple[str, str], str],
        bridge: Bridge,
        requests: Requests,
        *,
        extras: Mapping[Row | None, QWidget],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self.page, self.extras = theme, page, extras
        self.title = QLabel(tr(page.value), self)
        self.title.setObjectName("settingsTitle")
        self.title.setWordWrap(True)
        self.reset = QPushButton(tr("Reset section"), self)
        self.reset.setObjectName("small")
        self.reset.setAutoDefault(False)
        self.reset.setAccessibleName(tr("Reset all of “{section}”", section=page.value))
        self.reset.clicked.connect(lambda: self.reset_wanted.emit(rows_of(page)))
        self.views: dict[Row, SettingView] = {}
        for row in rows_of(page):
            view = SettingView(theme, row, variables.get((row.section, row.name), ""), bridge, requests)
            view.edited.connect(self.edited)
            view.reset_wanted.connect(lambda row: self.reset_wanted.emit((row,)))
            self.views[row] = view
        self.reset.setVisible(bool(self.views))
        self._lay_out()

    def show_settings(self, live: LiveSettings) -> None:
        """Show what is set."""
        for view in self.views.values():
            view.show_settings(live)
        self.reset.setEnabled(any(view.property("changed") for view in self.views.values()))

    def show_rows(self, rows: Collection[Row] | None) -> None:
        """Show these rows only; None shows all of the section."""
        for row, view in self.views.items():
            view.setVisible(rows is None or row in rows)
        for follows, extra in self.extras.items():
            extra.setVisible(rows is None or (follows is not None and follows in rows))

    def commit(self) -> None:
        """Take what was written and not told yet."""
        for view in self.views.values():
            view.field.commit()

    def go_to(self, row: Row) -> None:
        """Give a row the focus, and bring it into sight."""
        view = self.views[row]
        view.field.stops[0].setFocus(Qt.FocusReason.OtherFocusReason)
        self._area.ensureWidgetVisible(view)

    def _widgets(self) -> list[QWidget]:
        """Return what is scrolled, from top to bottom."""
        rows: list[tuple[Row | None, QWidget | None]] = [*self.views.items(), (None, None)]
        found = (widget for row, view in rows for widget in (view, self.extras.get(row)))
        return [widget for widget in found if widget is not None]

    def _lay_out(self) -> None:
        theme = self._theme
        edge = theme.px(tokens.SPACE_5)
        top = QHBoxLayout()
        top.setContentsMargins(edge, theme.px(tokens.SPACE_4), edge, theme.px(tokens.SPACE_2))
        top.addWidget(self.title, 1)
        top.addWidget(self.reset, 0, Qt.AlignmentFlag.AlignTop)
        body = QWidget()
        body.setObjectName("dialogPage")
        column = QWidget(body)
        column.setMaximumWidth(theme.px(_WIDTH))
        rows = QVBoxLayout(column)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(theme.px(tokens.SPACE_2))
        for widget in self._widgets():
            rows.addWidget(widget)
        rows.addStretch(1)
        # Beside a stretch the height is asked for at the width that the column gets, not at that of the page.
        line = QHBoxLayout(body)
        line.setContentsMargins(edge - theme.px(tokens.SPACE_3 + CHANGED_LINE), 0, edge, edge)
        line.addWidget(column, 1)
        line.addStretch(0)
        area = self._area = QScrollArea(self)
        area.setObjectName("dialogArea")
        area.setAccessibleName(tr(self.page.value))
        area.setWidget(body)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(area, 1)
