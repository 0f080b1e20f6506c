"""What a window may ask about stored conversations."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from novadesk.models import EVERYTHING, Choices, Conversation, Due, Exported, Filter, Format, Found, Totals, Turn


class HistoryRequests(Protocol):
    """Questions about stored conversations, and changes to them. Every one raises KnownError when it cannot be done."""

    async def conversations(
        self, *, offset: int = 0, limit: int = 200, name: str = "", only: Filter = EVERYTHING
    ) -> Sequence[Conversation]:
        """Return stored conversations, newest first: those with every word of `name` in their title or label."""
        ...

    async def totals(self) -> Totals:
        """Return how many conversations are stored."""
        ...

    async def choices(self) -> Choices:
        """Return the voices and tools that the history can be narrowed to."""
        ...

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        """Return stored turns below position `before` (None: the newest), in order."""
        ...

    async def search(
        self, text: str, *, limit: int = 50, offset: int = 0, only: Filter = EVERYTHING
    ) -> Sequence[Found]:
        """Return turns with these words, those written last first."""
        ...

    async def set_aside(
        self, handles: Sequence[str] | None, *, keep_starred: bool = False, here_only: bool = False
    ) -> Sequence[str]:
        """Delete conversations (None: all) so that `bring_back` undoes it for 30 s; the open one is ended first.

        Args:
            handles: which.
            keep_starred: leave those with a star.
            here_only: leave the remote copies; else they go when it can no longer be undone.

        Returns:
            The handles of those that were there.
        """
        ...

    async def bring_back(self, handles: Sequence[str]) -> int:
        """Undo `set_aside`; return how many could be brought back."""
        ...

    async def rename(self, handle: str, title: str) -> None:
        """Give a conversation a title; an empty one shows its label again."""
        ...

    async def star(self, handle: str, on: bool) -> None:
        """Mark a conversation as one to find again, or no more."""
        ...

    async def edit(self, turn_id: str, text: str | None) -> Turn:
        """Show other words for a turn, or (None) its own again; what was said stays stored beside them."""
        ...

    async def document(self, handle: str, form: Format) -> str:
        """Return a whole stored conversation as a document."""
        ...

    async def export_name(self, handles: Sequence[str] | None, form: Format) -> str:
        """Return a good file name, with its ending, for one conversation, or for the folder of several (None: all)."""
        ...

    async def export(
        self,
        handles: Sequence[str] | None,
        form: Format,
        target: Path,
        *,
        replace: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Exported:
        """Write conversations out, in full or not at all; cancelling leaves nothing behind.

        Args:
            handles: which; None for all.
            form: of each file.
            target: a file for one conversation; for several a new folder, or one file when it ends in .zip.
            replace: put it in the place of a file that is there.
            on_progress: takes how many are written of how many, on the core loop; must return at once.
        """
        ...

    async def keep(self, days: int, *, remotely_too: bool, private: bool) -> None:
        """Delete conversations without a turn for so many days from now on; 0 keeps them all.

        Args:
            days: of rest.
            remotely_too: delete the remote copies as well.
            private: nothing is written of conversations that are begun from now on.
        """
        ...

    async def due(self, days: int) -> Due:
        """Return what would be deleted now if conversations were kept for `days`."""
        ...
