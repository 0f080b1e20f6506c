"""Tell screen readers what happened: final turns politely, errors at once, text in the making never."""

from PySide6.QtWidgets import QWidget


def announce(widget: QWidget, text: str, *, urgent: bool = False) -> None:
    """Have a screen reader say `text`, interrupting it when `urgent`."""
    from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent  # nothing is said of the first picture

    event = QAccessibleAnnouncementEvent(widget, text)
    politeness = QAccessible.AnnouncementPoliteness
    event.setPoliteness(politeness.Assertive if urgent else politeness.Polite)
    QAccessible.updateAccessibility(event)
