"""Frozen values shared by every part: conversations, turns, and the identity rules of design."""

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from novadesk.errors import KnownError, Reason

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_HANDLE = re.compile(r"session_([0-9]{13})_([0-9a-z]{9,64})")
_EARLIEST_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
_AHEAD_MS = 60_000
_RANDOM_CHARACTERS = 26


class Role(Enum):
    """Who said a turn."""

    USER = "user"
    ASSISTANT = "assistant"


class SyncState(Enum):
    """Where a turn or conversation stands on its way to the remote session store."""

    LOCAL = "local"
    PENDING = "pending"
    SYNCED = "synced"
    FAILED = "failed"


class BargeIn(Enum):
    """What the microphone says of somebody who begins to speak while an answer is played."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"


class InputTrouble(Enum):
    """What is wrong with the sound of a microphone that is open.

    ZEROS is exact silence of unknown cause, MUTED such silence of a device that the system says is switched off; QUIET
    is too faint for speech; TELEPHONE is good, but a headset that plays no better than a telephone while its microphone
    is open; MONITOR is the sound of a speaker in the place of a microphone; DEAD is a microphone that
    brings nothing, not even silence, and in whose place there is no other.
    """

    NONE = "none"
    ZEROS = "zeros"
    MUTED = "muted"
    QUIET = "quiet"
    CLIPPED = "clipped"
    TELEPHONE = "telephone"
    MONITOR = "monitor"
    DEAD = "dead"


class Cue(Enum):
    """A short sound that tells what happens."""

    LISTENING = "listening"
    STOPPED = "stopped"
    MUTED = "muted"
    ERROR = "error"


class BackendKind(Enum):
    """Where a link leads."""

    PRACTICE = "practice"
    BEDROCK = "bedrock"
    GATEWAY = "gateway"

    @property
    def keeps_here(self) -> bool:
        """Return whether the copies that it keeps lie on this computer, as NovaDesk's own do."""
        return self is BackendKind.PRACTICE

    @property
    def copies_itself(self) -> bool:
        """Return whether the other side keeps copies of its own, so that none is to be delivered from here."""
        return self is BackendKind.GATEWAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One side's finished utterance.

    Attributes:
        turn_id: random UUID made with the turn; it is also the remote step id.
        conversation: handle of the conversation.
        position: 0-based order within the conversation, given by the store.
        text: FINAL text verbatim, with the heard part of SPECULATIVE text when `unconfirmed`.
        heard_chars: characters of `text` that the person heard; None means all.
        at_ms: Unix milliseconds at which the turn ended.
        wire_session: UUID of the wire session (the remote invocation) that carried it.
        edited: what the person wants to read instead, here only; the model and the remote copy never see it.
        voice: whose voice an answer has; empty for what the person said, and where it is not known.
        tools: names of the tools that the model asked for since its last turn, in order.
    """

    turn_id: str
    conversation: str
    position: int
    role: Role
    text: str
    at_ms: int
    wire_session: str
    heard_chars: int | None = None
    interrupted: bool = False
    unconfirmed: bool = False
    typed: bool = False
    sync: SyncState = SyncState.PENDING
    edited: str | None = None
    voice: str = ""
    tools: tuple[str, ...] = ()

    @property
    def shown_text(self) -> str:
        """Return the text as people read it: edited, or as it was heard."""
        return self.heard_text if self.edited is None else self.edited

    @property
    def heard_text(self) -> str:
        """Return the text cut at what the person heard."""
        return self.text if self.heard_chars is None else self.text[: self.heard_chars]

    def replaces(self, older: "Turn") -> bool:
        """Say whether this version of a turn takes the place of an older one of the same id.

        A confirmed one does where it says something else; an `unconfirmed` one only where no confirmed one is, and more
        was heard of it or it was cut off meanwhile.
        """
        if self.unconfirmed:
            mine, theirs = (len(self.text), self.interrupted), (len(older.text), older.interrupted)
            return older.unconfirmed and mine > theirs
        return self._content() != older._content()

    def _content(self) -> tuple[str, int | None, bool, bool, tuple[str, ...]]:
        return self.text, self.heard_chars, self.interrupted, self.unconfirmed, self.tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What the person sees, names and comes back to.

    Attributes:
        handle: local session id, see `make_handle`.
        label: readable name such as "caring-king-275"; only a label.
        title: the person's own words, or empty.
        turns: number of stored turns.
        begun_ms: Unix milliseconds at which the first of them ended, or 0.
        pending: stored turns not yet acknowledged remotely.
        private: kept in memory only; nothing of it is ever written or synced.
        elsewhere: first read from the remote store: begun on another computer, or here before the store was lost.
        scenario: what it was begun with, as `scenario.Chosen.encode` writes it, or empty.
    """

    handle: str
    label: str
    title: str
    backend: BackendKind
    created_ms: int
    updated_ms: int
    turns: int = 0
    begun_ms: int = 0
    pending: int = 0
    sync: SyncState = SyncState.LOCAL
    starred: bool = False
    private: bool = False
    elsewhere: bool = False
    scenario: str = ""

    @property
    def length_ms(self) -> int:
        """Return the time from the end of the first turn to that of the last one."""
        return max(0, self.updated_ms - self.begun_ms) if self.begun_ms else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What of the history the person wants to see; without anything, all of it.

    Attributes:
        starred: only conversations with a star.
        interrupted: only conversations in which an answer was interrupted.
        backend: only conversations of this one.
        voice: only conversations in which this one has answered; empty for any.
        tool: only conversations in which this one was asked for; empty for any.
        since_ms: only conversations whose last turn, and only found turns that, ended at this Unix time or later.
        until_ms: the same, before this Unix time.
    """

    starred: bool = False
    interrupted: bool = False
    backend: BackendKind | None = None
    voice: str = ""
    tool: str = ""
    since_ms: int | None = None
    until_ms: int | None = None


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the history can be narrowed to: the voices and the tools of its turns, in the order of their names."""

    voices: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How many conversations are stored: all, those with a star, those with a copy on another computer."""

    conversations: int = 0
    starred: int = 0
    remote: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """How many conversations are older than what shall be kept.

    Attributes:
        going: may be deleted.
        starred: are kept for their star.
        undelivered: are kept because the remote store has not all of their turns.
    """

    going: int = 0
    starred: int = 0
    undelivered: int = 0


class Format(Enum):
    """How a conversation is written out."""

    JSON = "json"
    MARKDOWN = "markdown"
    TEXT = "text"
    SUBTITLES = "srt"
    TABLE = "csv"
    PAGE = "html"

    @property
    def ending(self) -> str:
        """Return how the names of such files end."""
        return {Format.MARKDOWN: ".md", Format.TEXT: ".txt"}.get(self, f".{self.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote."""

    target: Path
    conversations: int
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One turn that a search found.

    Attributes:
        snippet: the part of what was heard that matches best, with an ellipsis where it is cut.
        marks: the matching words, as (first character, one past the last) within `snippet`, in order.
    """

    conversation: Conversation
    turn: Turn
    snippet: str
    marks: tuple[tuple[int, int], ...]


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, such as "1 turn" or "1,200 turns"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def make_handle(now_ms: int) -> str:
    """Make a local session id: `session_{unix ms, 13 digits}_{26 base-36 characters}`, securely random."""
    import secrets  # with the cryptography that it loads, it is not for those who only read values

    random = "".join(secrets.choice(_BASE36) for _ in range(_RANDOM_CHARACTERS))
    return f"session_{now_ms:013d}_{random}"


def made_ms(handle: str) -> int:
    """Return when a local session id was made, by the clock of its maker, in Unix milliseconds; 0 for anything else."""
    match = _HANDLE.fullmatch(handle)
    return 0 if match is None else int(match[1])


def check_handle(text: str, now_ms: int) -> str:
    """Return `text` when it is a valid local session id.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION` for anything else; nothing is guessed or repaired.
    """
    match = _HANDLE.fullmatch(text)
    if match is None or not _EARLIEST_MS <= int(match[1]) <= now_ms + _AHEAD_MS:
        raise KnownError(
            Reason.UNKNOWN_CONVERSATION,
            "That is not a conversation id of NovaDesk.",
            "Run `novadesk history list` to see the ids.",
        )
    return text


def no_such_conversation() -> KnownError:
    """Return the error for a handle that is well formed and not stored."""
    return KnownError(
        Reason.UNKNOWN_CONVERSATION,
        "There is no such conversation here.",
        "Run `novadesk history list` to see those that are.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What a person enters elsewhere to sign in.

    Attributes:
        code: to enter.
        address: of the page to enter it on.
        whole_address: of the same page, with the code in it; `address` where there is none.
        life_s: how long the code is good, in seconds.
    """

    code: str = field(repr=False)
    address: str
    whole_address: str = field(repr=False)
    life_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInStanding:
    """How a person stands with a gateway.

    Attributes:
        signed_in: there is a token, or one can be had without the person.
        name: whom the token says it stands for; empty while that is not known.
        until_ms: Unix milliseconds at which it ends; None where it is renewed by itself, or not known.
        note: what the person should know, such as that it is remembered for this run only.
    """

    signed_in: bool
    name: str = ""
    until_ms: int | None = None
    note: str = ""
