"""Qt's application, made so that a display which cannot be used is one sentence and no abort."""

import os
import sys

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from novadesk.app.output import put_error
from novadesk.app.windowcheck import no_display

_KNOWN_ERROR = 2


def make_application() -> QApplication:
    """Return Qt's application; ends the process with a sentence where Qt would abort it: that cannot be caught."""
    said: list[str] = []

    def on_message(kind: QtMsgType, _context: QMessageLogContext, words: str) -> None:
        if kind is QtMsgType.QtFatalMsg:
            put_error(no_display(), as_json=False)
            os._exit(_KNOWN_ERROR)
        said.append(words)

    before = qInstallMessageHandler(on_message)
    try:
        application = QApplication(sys.argv[:1])
    finally:
        qInstallMessageHandler(before)
    for words in said:
        print(words, file=sys.stderr)
    return application
