"""One conversation as a file, several as a folder or a zip file: whatever the person has chosen."""

from collections.abc import Callable, Sequence
from pathlib import Path

from novadesk.app.export import encoded, write_whole
from novadesk.app.export_many import ALL_TURNS as ALL_TURNS
from novadesk.app.export_many import Source, export_many
from novadesk.app.export_many import aside as aside
from novadesk.app.export_names import stem_of
from novadesk.app.export_words import day
from novadesk.models import Conversation, Exported, Filter, Format, no_such_conversation
from novadesk.store.conversations import Conversations

_PAGE = 500


async def find_chosen(
    archive: Conversations, handles: Sequence[str] | None, *, starred: bool = False
) -> Sequence[Conversation]:
    """Return these conversations, each once, or (None) all of them or those with a star.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION`.
    """
    if handles is None:
        found: list[Conversation] = []
        only = Filter(starred=starred)
        while page := await archive.conversations(offset=len(found), limit=_PAGE, only=only):
            found += page
        return found
    named = [await archive.find(handle) for handle in dict.fromkeys(handles)]
    known = [one for one in named if one is not None]
    if len(known) < len(named):
        raise no_such_conversation()
    return known


async def export_chosen(
    source: Source,
    chosen: Sequence[Conversation],
    form: Format,
    target: Path,
    *,
    force: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Exported:
    """Write one conversation to a file, several as `export_many` does, which also takes one for a zip file.

    Raises:
        KnownError: `BAD_INPUT` when the target exists, unless `force` replaces the file, or cannot be written.
    """
    if len(chosen) != 1 or target.suffix.lower() == ".zip":
        return await export_many(source, chosen, form, target, force=force, on_progress=on_progress)
    on_progress(0, 1)
    (conversation,) = chosen
    turns = await source.turns(conversation.handle, limit=ALL_TURNS)
    await aside(lambda: write_whole(target, encoded(conversation, turns, form), force=force))
    on_progress(1, 1)
    return Exported(target=target, conversations=1, turns=len(turns))


def name_for(chosen: Sequence[Conversation], form: Format, now_ms: int) -> str:
    """Return a name for the file of one conversation, or for the folder of several."""
    return f"{stem_of(chosen[0])}{form.ending}" if len(chosen) == 1 else f"{day(now_ms)} Conversations"
