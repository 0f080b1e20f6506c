"""Short words for values that several parts of the window show."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from PySide6.QtCore import QDateTime, QLocale

from novadesk.conversation.api import Connection, ErrorNote, Quality, Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Role, SyncState, Turn
from novadesk.text import Text
from novadesk.ui.i18n import locale, tr, trn
from novadesk.ui.tokens import Tone

_WEEK = 7
_HOUR = 60
_DAY = 24 * 60
_HOST_APIS = "ALSA|ASIO|Core Audio|JACK Audio Connection Kit|MME|OSS|PulseAudio|Windows (?:DirectSound|WASAPI|WDM-KS)"
_DEVICE = re.compile(rf"(?:{_HOST_APIS}): (?:default \((?P<behind>.+)\)|(?P<name>.+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncLine:
    """Where the turns are, when that is worth a line. `shape` names an icon."""

    shape: str
    words: str
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnMark:
    """Where one turn is, when it is not where it should be. `shape` names an icon."""

    shape: str
    words: str
    tone: Tone


def length_words(length_ms: int) -> str:
    """Return how long a conversation went on, such as "12 min"."""
    minutes = round(length_ms / 60_000)
    if minutes < 1:
        return tr("under a minute")
    if minutes < _HOUR:
        return tr("{minutes} min", minutes=minutes)
    if minutes < _DAY:
        return tr("{hours} h {minutes} min", hours=minutes // _HOUR, minutes=minutes % _HOUR)
    return trn("over 1 day", "over {n} days", round(minutes / _DAY))


def device_words(name: str) -> str:
    """Return a sound device as people know it: not by the way to it, and by its own name where it is the default."""
    found = _DEVICE.fullmatch(name)
    if found is None:
        return name
    return found["behind"] or (tr("System default") if found["name"] == "default" else found["name"])


def error_words(error: KnownError | ErrorNote) -> str:
    """Return an error in one line: what happened, what to do, and its code in the catalogue."""
    words, code = tr(Text("{what} {advice}", what=error.what, advice=error.advice)), code_of(error)
    return tr("{words} ({code})", "an error", words=words, code=code) if code else words


def code_of(error: KnownError | ErrorNote) -> str:
    """Return the reference code of an error, such as "ND-LINK-03"; none for what a person wrote and can correct."""
    from novadesk.catalogue import entry_of  # nobody needs it before something fails

    try:
        reason = Reason(error.reason)
    except ValueError:
        return ""
    return "" if reason is Reason.BAD_INPUT else entry_of(reason).code


def percent(share: float) -> str:
    """Return a share of 0 to 1 as people read it."""
    return tr("{n} %", "a share", n=round(share * 100))


def local_time(unix_ms: int) -> datetime:
    """Return a stored time in the local zone."""
    return datetime.fromtimestamp(unix_ms / 1000).astimezone()


def when_words(unix_ms: int) -> str:
    """Return a stored time as date and time of the day, as short as the language writes them."""
    return locale().toString(QDateTime.fromMSecsSinceEpoch(unix_ms), QLocale.FormatType.ShortFormat)


def day_name(day: date, today: date) -> str:
    """Return a day as people say it, seen from `today`."""
    if day >= today:
        return tr("Today")
    if day == today - timedelta(days=1):
        return tr("Yesterday")
    if day > today - timedelta(days=_WEEK):
        return locale().standaloneDayName(day.isoweekday())
    month = locale().monthName(day.month)
    if day.year == today.year:
        return tr("{day} {month}", "a date", day=str(day.day), month=month)
    return tr("{day} {month} {year}", "a date", day=str(day.day), month=month, year=str(day.year))


def sync_words(conversation: Conversation) -> str:
    """Return where a conversation stands on its way to the remote store."""
    if conversation.private:
        return tr("private, kept nowhere")
    if conversation.sync is SyncState.PENDING and conversation.pending:
        return trn("1 turn waiting to sync", "{n} turns waiting to sync", conversation.pending)
    return {
        SyncState.LOCAL: tr("on this computer only"),
        SyncState.PENDING: tr("waiting to sync"),
        SyncState.SYNCED: tr("synced"),
        SyncState.FAILED: tr("not synced"),
    }[conversation.sync]


def sync_line(snapshot: Snapshot, *, late: bool) -> SyncLine | None:
    """Return what is not saved or not synced, or None while all is well.

    Args:
        snapshot: what there is to draw.
        late: turns have waited longer than a delivery takes.
    """
    note = snapshot.keyring_note
    if snapshot.unsaved:
        words = trn("1 turn not saved yet", "{n} turns not saved yet", snapshot.unsaved)
        return SyncLine(shape="unsaved", words=words, tone=Tone.CAUTION)
    waiting = trn("1 turn waiting to sync", "{n} turns waiting to sync", snapshot.pending_sync)
    if note and snapshot.pending_sync:
        return SyncLine(shape="sync-failed", words=f"{waiting}. {tr(note)}", tone=Tone.CAUTION)
    if note:
        return SyncLine(shape="sync-failed", words=tr(note), tone=Tone.CAUTION)
    if snapshot.pending_sync and late:
        return SyncLine(shape="sync-pending", words=waiting, tone=Tone.QUIET)
    return None


def turn_mark(turn: Turn, *, private: bool, late: bool) -> TurnMark | None:
    """Return where a turn is when that is worth a mark, or None.

    Args:
        turn: the turn.
        private: it belongs to a private conversation, which is nowhere but here on purpose.
        late: turns have waited longer than a delivery takes.
    """
    if turn.sync is SyncState.LOCAL and not private:
        return TurnMark(shape="unsaved", words=tr("not saved yet"), tone=Tone.CAUTION)
    if turn.sync is SyncState.FAILED:
        return TurnMark(shape="sync-failed", words=tr("not synced"), tone=Tone.CAUTION)
    if turn.sync is SyncState.PENDING and late:
        return TurnMark(shape="sync-pending", words=tr("waiting to sync"), tone=Tone.QUIET)
    return None


def turn_notes(turn: Turn, *, opened: bool) -> str:
    """Return the small words under a turn, or nothing for an ordinary one."""
    notes = []
    if turn.interrupted and turn.role is Role.ASSISTANT:
        notes.append(tr("interrupted by you"))
    elif turn.interrupted:
        notes.append(tr("cut off"))
    if turn.edited is not None:
        notes.append(tr("corrected, hide what was heard") if opened else tr("corrected, show what was heard"))
    elif turn.heard_text.strip() != turn.text.strip():
        notes.append(tr("hide what was not spoken") if opened else tr("show what was not spoken"))
    if turn.unconfirmed:
        notes.append(tr("not confirmed by the service"))
    if turn.typed:
        notes.append(tr("typed"))
    if turn.tools:
        notes.append(tr("used: {tools}", tools=", ".join(map(tool_words, turn.tools))))
    return " · ".join(notes)


def tool_words(tool: str) -> str:
    """Return what people call a tool of the model."""
    return {"current_time": tr("Date and time")}.get(tool, tool)


_QUALITY = {
    Quality.UNKNOWN: Text("not measured yet"),
    Quality.GOOD: Text("good"),
    Quality.FAIR: Text("fair"),
    Quality.POOR: Text("poor"),
}


def connection_words(connection: Connection) -> str:
    """Return how good the connection is and, where it is not good, why."""
    word = tr(_QUALITY[connection.quality])
    if connection.quality in (Quality.FAIR, Quality.POOR):
        return tr("{quality}. {why}.", quality=word, why=tr(connection.why))
    return word


def connection_note(connection: Connection) -> str:
    """Return the few words for the line above the conversation, empty while there is nothing to worry about."""
    return {Quality.FAIR: tr("fair connection"), Quality.POOR: tr("poor connection")}.get(connection.quality, "")
