"""What a window may ask of the talk keys; a part of `conversation.api`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from novadesk.config import TalkSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCount:
    """What a test of the talk keys has heard so far, and never which keys.

    Attributes:
        presses: of keys that are bound, as they work in every window; repeats of a held key are none.
        releases: of the same keys.
        here: presses that only the window saw.
        others: presses of other keys, as far as they are seen: the keyboard is heard, but not the right key.
        lost: the desktop stopped telling of keys meanwhile.
    """

    presses: int = 0
    releases: int = 0
    here: int = 0
    others: int = 0
    lost: bool = False


KEY_TEST_S = 10.0


class TalkRequests(Protocol):
    """Questions about the talk keys."""

    async def use_talk(self, settings: TalkSettings) -> None:
        """Take presses this way from now on, and bind these keys; how they stand shows in the next snapshots."""
        ...

    async def try_keys(self, settings: TalkSettings, tell: Callable[[KeyCount], None]) -> KeyCount:
        """Count presses and releases of these keys for `KEY_TEST_S`, during which they do nothing else.

        The count begins, and is told, once it is known how the keys stand: the desktop may ask the person first.

        Args:
            settings: the keys; the ones in use are bound again afterwards, also when the wait is cancelled.
            tell: takes each new count, on the core loop; must return at once.
        """
        ...

    async def talk_commands(self) -> tuple[str, ...]:
        """Return the commands to bind to keys, in the order of `chord.COMMANDS`, as they reach this NovaDesk."""
        ...

    async def ignore_keys(self) -> None:
        """Let no key do anything, until the wait is cancelled."""
        ...
