"""The stored conversations as the running core shows and changes them; the open one is ended before it is deleted."""

from collections.abc import Callable, Sequence
from pathlib import Path

from novadesk.app.clock import SystemClock
from novadesk.app.export import render
from novadesk.app.export_chosen import ALL_TURNS, aside, export_chosen, find_chosen, name_for
from novadesk.app.remotecopy import RemoteCopy
from novadesk.conversation.controller import Controller
from novadesk.models import (
    EVERYTHING,
    Choices,
    Conversation,
    Due,
    Exported,
    Filter,
    Format,
    Found,
    Totals,
    Turn,
)
from novadesk.store.caretaker import Caretaker
from novadesk.store.conversations import Conversations
from novadesk.store.retention import Keeping, Retention


class OpenShelf:
    """A part of the core: what fits `Requests` and is about stored conversations. The core sets what it works with."""

    controller: Controller
    _archive: Conversations
    _caretaker: Caretaker
    _clock: SystemClock
    _remote_copy: RemoteCopy
    _retention: Retention

    async def conversations(
        self, *, offset: int = 0, limit: int = 200, name: str = "", only: Filter = EVERYTHING
    ) -> Sequence[Conversation]:
        """Return stored conversations, newest first: those with every word of `name` in their title or label."""
        return await self._archive.conversations(offset=offset, limit=limit, name=name, only=only)

    async def totals(self) -> Totals:
        """Return how many conversations are stored."""
        return await self._archive.totals()

    async def choices(self) -> Choices:
        """Return the voices and tools that the history can be narrowed to."""
        return await self._archive.choices()

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        """Return stored turns below position `before` (None: the newest), in order."""
        return await self._archive.turns(handle, before=before, limit=limit)

    async def delete(self, handle: str, *, here_only: bool = False) -> None:
        """Delete a conversation, here at once and (unless `here_only`) remotely later; the open one is ended first."""
        if self._open_handle() == handle:
            await self.controller.begin_anew()
        await self._archive.delete(handle, self._clock.unix_ms(), here_only=here_only)
        self._on_deleted()

    async def set_aside(
        self, handles: Sequence[str] | None, *, keep_starred: bool = False, here_only: bool = False
    ) -> Sequence[str]:
        """Delete conversations (None: all) so that `bring_back` undoes it for 30 s; the open one is ended first.

        Returns:
            The handles of those that were there.
        """
        open_now = self.controller.snapshot().conversation
        if open_now is not None and not open_now.private and (handles is None or open_now.handle in handles):
            stored = await self._archive.find(open_now.handle)
            if stored is None or not (keep_starred and stored.starred):
                await self.controller.begin_anew()
        now_ms = self._clock.unix_ms()
        gone = await self._archive.set_aside(handles, now_ms, keep_starred=keep_starred, here_only=here_only)
        self._retention.hurry()
        self._remote_copy.changed()
        return gone

    async def bring_back(self, handles: Sequence[str]) -> int:
        """Undo `set_aside`; return how many could be brought back."""
        count = await self._archive.bring_back(handles)
        self._remote_copy.changed()
        return count

    async def clear(self, *, keep_starred: bool, here_only: bool) -> int:
        """Delete all conversations for good; return how many."""
        gone = await self.set_aside(None, keep_starred=keep_starred, here_only=here_only)
        now_ms = self._clock.unix_ms()
        await self._archive.delete_left(now_ms, now_ms)
        self._on_deleted()
        return len(gone)

    async def edit(self, turn_id: str, text: str | None) -> Turn:
        """Show other words for a turn, or (None) its own again; what was said stays stored beside them."""
        edited = await self._archive.edit(turn_id, text)
        self._remote_copy.changed()  # nothing to deliver, but to read again
        return edited

    async def rename(self, handle: str, title: str) -> None:
        """Give a conversation a title; an empty one shows its label again."""
        await self._archive.rename(handle, title, await self._remote_copy.name_time_ms(handle))
        self._remote_copy.changed()

    async def star(self, handle: str, on: bool) -> None:
        """Mark a conversation as one to find again, or no more."""
        await self._archive.star(handle, on, await self._remote_copy.name_time_ms(handle))
        self._remote_copy.changed()

    async def search(
        self, text: str, *, limit: int = 50, offset: int = 0, only: Filter = EVERYTHING
    ) -> Sequence[Found]:
        """Return turns with these words, those written last first."""
        return await self._archive.search(text, limit, offset, only=only)

    async def document(self, handle: str, form: Format) -> str:
        """Return a whole stored conversation as a document."""
        (conversation,) = await find_chosen(self._archive, (handle,))
        turns = await self._archive.turns(handle, limit=ALL_TURNS)
        return await aside(lambda: render(conversation, turns, form))

    async def export_name(self, handles: Sequence[str] | None, form: Format) -> str:
        """Return a good file name, with its ending, for one conversation, or for the folder of several (None: all)."""
        return name_for(await find_chosen(self._archive, handles), form, self._clock.unix_ms())

    async def export(
        self,
        handles: Sequence[str] | None,
        form: Format,
        target: Path,
        *,
        replace: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Exported:
        """Write conversations (None: all) out; see `export_chosen`."""
        chosen = await find_chosen(self._archive, handles)
        return await export_chosen(self._archive, chosen, form, target, force=replace, on_progress=on_progress)

    async def keep(self, days: int, *, remotely_too: bool, private: bool) -> None:
        """Delete conversations without a turn for so many days from now on; see `HistoryRequests`."""
        self.controller.private = private
        self._retention.keep(Keeping(days=days, remotely_too=remotely_too))

    async def due(self, days: int) -> Due:
        """Return what would be deleted now if conversations were kept for `days`."""
        return await self._retention.due(days)

    def _open_handle(self) -> str | None:
        conversation = self.controller.snapshot().conversation
        return None if conversation is None else conversation.handle

    def _on_deleted(self) -> None:
        self._caretaker.hurry()
        self._remote_copy.changed()
