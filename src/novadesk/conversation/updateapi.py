"""What a window may ask about new versions of NovaDesk; a part of `conversation.api`."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from novadesk.config import UpdateSettings
from novadesk.text import Text


class Unasked(Enum):
    """Why nobody is asked for new versions. The values are what people read of it."""

    SOURCE = Text("NovaDesk runs from its source here, so it looks for no new versions.")
    MANAGED = Text("NovaDesk was installed as a package of your system, whose package manager brings new versions.")
    NO_FEED = Text("There is no public place yet that says what is new, so NovaDesk asks nobody.")
    OFF = Text("NovaDesk asks nobody by itself.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A newer version.

    Attributes:
        page: where it can be downloaded.
        notes: what is new, by language, English first.
        unfit: the system that it needs and this computer does not have, in words, or empty.
    """

    version: str
    page: str
    notes: tuple[tuple[str, str], ...] = ()
    unfit: str = ""

    def notes_in(self, language: str) -> str:
        """Return what is new in a language such as "de" or "de-AT", else in English."""
        by_code = dict(self.notes)
        short = language.partition("-")[0]
        return by_code.get(language) or by_code.get(short) or by_code.get("en", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStanding:
    """How NovaDesk stands with new versions of itself.

    Attributes:
        version: that runs here; `channel` and `kind` as its package says.
        unasked: why nobody is asked, or None.
        checked_ms: when a feed was believed last, Unix milliseconds, or None.
        offer: what is newer, also where the person skips it.
        trouble: what came of the last check where it did not work, or empty.
    """

    version: str
    channel: str
    kind: str
    unasked: Unasked | None = None
    checked_ms: int | None = None
    offer: Offer | None = None
    trouble: str = ""


class UpdateRequests(Protocol):
    """Questions about new versions; the newest one shows in the snapshots."""

    async def updates(self) -> UpdateStanding:
        """Return how things stand; nobody is asked."""
        ...

    async def check_updates(self) -> UpdateStanding:
        """Ask the feed now, also where that is switched off.

        Raises:
            KnownError: the feed cannot be had, or is not to be believed; or nobody can be asked.
        """
        ...

    async def use_updates(self, settings: UpdateSettings) -> None:
        """Ask, or no more, from now on."""
        ...
