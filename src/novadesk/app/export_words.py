"""The words that every kind of exported document shares: who spoke, when, and under which name."""

from collections.abc import Sequence
from datetime import datetime

from novadesk.models import Conversation, Role, Turn, counted

SPEAKERS = {Role.USER: "You", Role.ASSISTANT: "Nova"}


def iso(at_ms: int) -> str:
    """Return a time as ISO 8601 in the zone of this computer."""
    return local(at_ms).isoformat(timespec="milliseconds")


def local(at_ms: int) -> datetime:
    """Return Unix milliseconds as a time in the zone of this computer."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone()


def day(at_ms: int) -> str:
    """Return a local date."""
    return local(at_ms).strftime("%Y-%m-%d")


def minute(at_ms: int) -> str:
    """Return a local date with hours and minutes."""
    return local(at_ms).strftime("%Y-%m-%d %H:%M")


def second(at_ms: int) -> str:
    """Return a local time of the day."""
    return local(at_ms).strftime("%H:%M:%S")


def name_of(conversation: Conversation) -> str:
    """Return what people call a conversation, in one line."""
    return " ".join((conversation.title or conversation.label or "Conversation").split())


def about(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """Return what a document says under its title: when it was, how long, whose voices."""
    voices = dict.fromkeys(" ".join(turn.voice.split()) for turn in turns if turn.voice)
    spoken = f", {'voice' if len(voices) == 1 else 'voices'} {', '.join(voices)}" if voices else ""
    return f"{minute(conversation.created_ms)}, {counted(len(turns), 'turn')}{spoken}"


def mark_of(turn: Turn) -> str:
    """Return what is to be known of a turn beside its words, or an empty string."""
    marks = ["edited"] if turn.edited is not None else []
    if turn.interrupted or turn.unconfirmed:
        marks.insert(0, "interrupted" if turn.interrupted else "unconfirmed")
    marks += [f"used {', '.join(turn.tools)}"] if turn.tools else []
    return ", ".join(marks)
