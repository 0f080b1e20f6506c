"""A question before something that cannot be undone. Keeping everything as it is, is always the default."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QMessageBox, QWidget

from novadesk.ui.theme import Theme


class Question(QMessageBox):
    """One question with two answers; show it with `open`.

    Args:
        text: what is asked.
        detail: what it means.
        do: the word on the button that does it.
        keep: the word on the button that does not.
        on_do: called when the person wants it.
    """

    def __init__(
        self,
        theme: Theme,
        parent: QWidget,
        *,
        text: str,
        detail: str,
        do: str,
        keep: str,
        on_do: Callable[[], None],
    ) -> None:
        super().__init__(QMessageBox.Icon.NoIcon, "NovaDesk", "", parent=parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)
        self.setInformativeText(detail)
        doing = self.addButton(do, QMessageBox.ButtonRole.DestructiveRole)
        keeping = self.addButton(keep, QMessageBox.ButtonRole.RejectRole)
        for button in (doing, keeping):
            button.setIcon(QIcon())
        self.setDefaultButton(keeping)
        self.setEscapeButton(keeping)
        doing.clicked.connect(on_do)
        theme.dress(self)
