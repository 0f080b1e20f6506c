"""Short words for values that several parts of the window show."""

from datetime import date, datetime, timedelta

from PySide6.QtCore import QCoreApplication

from novadesk.models import Conversation, Role, SyncState, Turn

_WEEK = 7


def tr(text: str) -> str:
    """Translate a text of the window."""
    return QCoreApplication.translate("Window", text)


def counted(number: int, one: str, many: str) -> str:
    """Return `one` for 1, else `many` with its `{n}` filled in."""
    return tr(one) if number == 1 else tr(many).format(n=f"{number:,}")


def local_time(unix_ms: int) -> datetime:
    """Return a stored time in the local zone."""
    return datetime.fromtimestamp(unix_ms / 1000).astimezone()


def day_name(day: date, today: date) -> str:
    """Return a day as people say it, seen from `today`."""
    if day >= today:
        return tr("Today")
    if day == today - timedelta(days=1):
        return tr("Yesterday")
    if day > today - timedelta(days=_WEEK):
        return day.strftime("%A")
    words = f"{day.day} {day.strftime('%B')}"
    return words if day.year == today.year else f"{words} {day.year}"


def sync_words(conversation: Conversation) -> str:
    """Return where a conversation stands on its way to the remote store."""
    if conversation.sync is SyncState.PENDING and conversation.pending:
        return counted(conversation.pending, "1 turn waiting to sync", "{n} turns waiting to sync")
    return {
        SyncState.LOCAL: tr("on this computer only"),
        SyncState.PENDING: tr("waiting to sync"),
        SyncState.SYNCED: tr("synced"),
        SyncState.FAILED: tr("not synced"),
    }[conversation.sync]


def turn_notes(turn: Turn, *, opened: bool) -> str:
    """Return the small words under a turn, or nothing for an ordinary one."""
    notes = []
    if turn.interrupted and turn.role is Role.ASSISTANT:
        notes.append(tr("interrupted by you"))
    elif turn.interrupted:
        notes.append(tr("cut off"))
    if turn.heard_text.strip() != turn.text.strip():
        notes.append(tr("hide what was not spoken") if opened else tr("show what was not spoken"))
    if turn.unconfirmed:
        notes.append(tr("not confirmed by the service"))
    if turn.typed:
        notes.append(tr("typed"))
    if turn.sync is SyncState.FAILED:
        notes.append(tr("not synced"))
    return " · ".join(notes)
