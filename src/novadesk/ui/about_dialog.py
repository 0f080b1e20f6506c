"""What NovaDesk is, which version this is, and under which licence."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

import novadesk
from novadesk.ui import tokens
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme


class AboutDialog(QDialog):
    """Name, version and licence."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("About NovaDesk"))
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        name = QLabel("NovaDesk", self)
        name.setObjectName("title")
        text = QLabel(
            tr(
                "Version {version}\n\nVoice conversations with Amazon Nova Sonic, kept on this computer. "
                "The practice partner runs on this computer, needs no account and is not an Amazon model.\n\n"
                "Apache License 2.0. The practice voice uses espeak\u2011ng (GPL 3 or later) in a separate process.",
                version=novadesk.__version__,
            ),
            self,
        )
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, edge, edge, theme.px(tokens.SPACE_4))
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addWidget(name)
        layout.addWidget(text, 1)
        layout.addWidget(buttons)
        theme.dress(self)
        self.resize(theme.px(400), self.sizeHint().height())
