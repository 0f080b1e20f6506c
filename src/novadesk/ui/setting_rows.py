"""What a row of the settings is: its words, its kind of field, and when a change is used. The rows are a table."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from novadesk.config import Settings
from novadesk.text import Text
from novadesk.ui.i18n import locale, tr, written
from novadesk.ui.key_names import keys_words
from novadesk.ui.words import percent

NOTHING = Text("")


class Page(Enum):
    """The sections, in the order of the sidebar."""

    GENERAL = Text("General")
    SOUND = Text("Voice and sound")
    TALK = Text("Talk key")
    CONVERSATION = Text("Conversation")
    HISTORY = Text("History and sync")
    DESKTOP = Text("In the background")
    LOOK = Text("Appearance")
    DIAGNOSTICS = Text("Diagnostics")


class Applies(Enum):
    """When a change is used. Each value is what is said of one that is not used yet."""

    NOW = NOTHING
    CONNECTION = Text("Takes effect in the next quiet moment of the conversation.")
    ANEW = Text("Used once NovaDesk connects anew.")
    START = Text("Used from the next start of NovaDesk.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few.

    Attributes:
        sentences: shows each with what follows from it.
        unlisted: shown only where it is chosen already.
    """

    options: tuple[tuple[Any, Text], ...]
    sentences: tuple[Text, ...] = ()
    unlisted: frozenset[Any] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """A text, which is needed and for which there are proposals."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A text of one line; `empty` says what an empty one means."""

    empty: Text = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Keys of one action, shown by pressing them.

    Attributes:
        add: on the button that asks for one more.
        none: what to say while there is none.
    """

    add: Text
    none: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A text of several lines, which is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """On or off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """From 0 to 1, on a slider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number in steps.

    Attributes:
        times: what is shown for each 1 of the setting.
        unit: as read behind the number.
        zero: what is shown in the place of 0, if anything.
    """

    least: float
    most: float
    step: float
    digits: int = 0
    times: float = 1.0
    unit: Text = NOTHING
    zero: Text = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A sound device, by name; empty is the system's default."""

    microphone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language of the window."""


type Kind = Choice | Free | Line | Keys | Lines | Switch | Share | Number | Device | Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a row means nothing without; `words` say so."""

    holds: Callable[[Settings], bool]
    words: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting as people see it.

    Attributes:
        section: of the settings file; `name` likewise.
        help: one sentence on what it does.
        words: by which it is found too.
        needs: what it means nothing without.
    """

    page: Page
    section: str
    name: str
    label: Text
    help: Text
    kind: Kind
    applies: Applies = Applies.NOW
    words: Text = NOTHING
    needs: Need | None = None

    def value(self, settings: Settings) -> Any:
        """Return what is set."""
        return getattr(getattr(settings, self.section), self.name)

    def with_value(self, settings: Settings, value: Any) -> Settings:
        """Return the settings with another value."""
        section = replace(getattr(settings, self.section), **{self.name: value})
        return replace(settings, **{self.section: section})

    def waits(self, now: Settings, in_force: Settings, started: Settings) -> bool:
        """Return whether a change is not used yet."""
        used = {Applies.NOW: now, Applies.START: started}.get(self.applies, in_force)
        return bool(self.value(now) != self.value(used))

    def missing(self, settings: Settings) -> str:
        """Return why it means nothing with these settings, or an empty text."""
        return tr(self.needs.words) if self.needs is not None and not self.needs.holds(settings) else ""

    @property
    def default(self) -> Any:
        """Return what NovaDesk sets by itself."""
        return self.value(Settings())


def shown(row: Row, value: Any) -> str:
    """Return a value in words."""
    match row.kind:
        case Choice(options=options):
            return next((tr(words) for option, words in options if option == value), str(value))
        case Switch():
            return tr("on") if value else tr("off")
        case Share():
            return percent(value)
        case Number(times=times, digits=digits, unit=unit, zero=zero):
            if zero and not value:
                return tr(zero)
            number = locale().toString(float(value * times), "f", digits)
            return tr("{number} {unit}", number=number, unit=tr(unit)) if unit else number
        case Device():
            return str(value) or tr("System default")
        case Language():
            return str(value) or tr("As the system")
        case Keys():
            return keys_words(value) or tr("none")
        case Line(empty=empty) if not value:
            return tr(empty) if empty else tr("nothing")
    return str(value) if isinstance(value, str) else written(value)


def found(row: Row, query: str) -> bool:
    """Return whether a row has every word of a query, in its words here or in those of the settings file."""
    words = [tr(row.label), tr(row.help), tr(row.page.value), tr(row.words) if row.words else "", row.section, row.name]
    if isinstance(row.kind, Choice):
        words += [tr(option) for _, option in row.kind.options]
    plain = _plain(" ".join(words))
    return all(word in plain for word in _plain(query).split())


def _plain(text: str) -> str:
    """Return a text without what people leave out when they search: capitals, accents, underscores."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("_", " "))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
