"""A stand-in for the stored conversations."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from novadesk.errors import KnownError, Reason
from novadesk.models import EVERYTHING, Choices, Conversation, Due, Exported, Filter, Format, Found, Totals, Turn


class PreviewHistory:
    """Answers from hand-written values; changes are heard and forgotten."""

    def __init__(self, conversations: Sequence[Conversation], turns: Sequence[Turn]) -> None:
        self._conversations = conversations
        self._turns = turns

    async def conversations(
        self, *, offset: int = 0, limit: int = 200, name: str = "", only: Filter = EVERYTHING
    ) -> Sequence[Conversation]:
        """Return the history."""
        found = [
            one
            for one in self._conversations
            if name.casefold() in f"{one.title} {one.label}".casefold() and (one.starred or not only.starred)
        ]
        return found[offset : offset + limit]

    async def totals(self) -> Totals:
        """Return how many there are."""
        return Totals(conversations=412, starred=sum(one.starred for one in self._conversations), remote=318)

    async def choices(self) -> Choices:
        """Return some voices and a tool."""
        return Choices(voices=("matthew", "tiffany"), tools=("current_time",))

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:  # noqa: ARG002
        """Return a page of the long conversation."""
        end = len(self._turns) if before is None else min(before, len(self._turns))
        return self._turns[max(0, end - limit) : end]

    async def search(
        self,
        text: str,
        *,
        limit: int = 50,
        offset: int = 0,
        only: Filter = EVERYTHING,  # noqa: ARG002
    ) -> Sequence[Found]:
        """Return the turns in which a text stands."""
        found = []
        for turn in self._turns:
            at = turn.text.casefold().find(text.casefold())
            if at >= 0:
                marks = ((at, at + len(text)),)
                found.append(Found(conversation=self._conversations[0], turn=turn, snippet=turn.text, marks=marks))
        return found[offset : offset + limit]

    async def set_aside(
        self,
        handles: Sequence[str] | None,
        *,
        keep_starred: bool = False,  # noqa: ARG002
        here_only: bool = False,  # noqa: ARG002
    ) -> Sequence[str]:
        """Delete nothing."""
        return [one.handle for one in self._conversations] if handles is None else handles

    async def bring_back(self, handles: Sequence[str]) -> int:
        """Bring back nothing."""
        return len(handles)

    async def rename(self, handle: str, title: str) -> None:
        """Do nothing."""

    async def star(self, handle: str, on: bool) -> None:
        """Do nothing."""

    async def edit(self, turn_id: str, text: str | None) -> Turn:
        """Return the turn in other words."""
        if text is not None and not text.strip():
            raise KnownError(Reason.BAD_INPUT, "A turn needs words.", "Write some, or take its own words back.")
        return next(replace(turn, edited=text) for turn in self._turns if turn.turn_id == turn_id)

    async def document(self, handle: str, form: Format) -> str:  # noqa: ARG002
        """Return the words of all turns."""
        return "\n".join(turn.shown_text for turn in self._turns)

    async def export_name(self, handles: Sequence[str] | None, form: Format) -> str:  # noqa: ARG002
        """Return a name."""
        return f"2026-03-10 Aspirin call with Dr. Smith{form.ending}"

    async def export(
        self,
        handles: Sequence[str] | None,  # noqa: ARG002
        form: Format,  # noqa: ARG002
        target: Path,
        *,
        replace: bool = False,  # noqa: ARG002
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Exported:
        """Write nothing, and take for ever where the target is called so."""
        on_progress(128, 412)
        if target.stem == "forever":
            await asyncio.Event().wait()
        return Exported(target=target, conversations=412, turns=10_212)

    async def keep(self, days: int, *, remotely_too: bool, private: bool) -> None:
        """Do nothing."""

    async def due(self, days: int) -> Due:
        """Return that some would go."""
        return Due(going=days and 42, starred=3 if days else 0)
