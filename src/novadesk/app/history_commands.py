"""The commands about stored conversations and scenarios, as `novadesk.cli` lists them; each imports what it needs."""

import argparse
from pathlib import Path
from typing import Any

from novadesk.app import argument
from novadesk.errors import KnownError, Reason
from novadesk.models import Filter

type Commands = "argparse._SubParsersAction[Any]"


def add_history(commands: Commands) -> None:
    """Add `novadesk history`."""
    words = "list, show, search, export and change stored conversations"
    commands.add_parser("history", help=words, fill=_fill_history)


def _fill_history(history: argparse.ArgumentParser) -> None:
    actions = history.add_subparsers(title="actions", metavar="ACTION", required=True)
    only = argparse.ArgumentParser(add_help=False)
    only.add_argument("--voice", type=argument.title, default="", help="of conversations in which it has answered")
    only.add_argument("--tool", type=argument.title, default="", help="of conversations in which it was used")
    listing = actions.add_parser("list", help="newest first", parents=[only])
    listing.add_argument("--json", action="store_true", help="JSON on standard output")
    listing.set_defaults(run=_history_list)
    show = actions.add_parser("show", help="the turns of one conversation")
    show.add_argument("handle", metavar="HANDLE")
    show.add_argument("--json", action="store_true", help="JSON on standard output")
    show.set_defaults(run=_history_show)
    words = 'turns with these words; word* and "some words" work as elsewhere'
    search = actions.add_parser("search", help=words, parents=[only])
    search.add_argument("text", type=argument.words, metavar="TEXT")
    search.add_argument("--limit", type=argument.count, default=50, metavar="N", help="this many at most; else 50")
    search.add_argument("--json", action="store_true", help="JSON on standard output")
    search.set_defaults(run=_history_search)
    _add_history_export(actions)
    backup = actions.add_parser("backup", help="write a copy of the whole store")
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.add_argument("--json", action="store_true", help="JSON on standard output")
    backup.set_defaults(run=_history_backup)
    _add_history_changes(actions)


def _add_history_export(actions: Commands) -> None:
    export = actions.add_parser(
        "export", help="write a conversation to a file, or print it; several to a folder or a zip file"
    )
    export.add_argument("handles", metavar="HANDLE", nargs="*")
    several = export.add_mutually_exclusive_group()
    several.add_argument("--all", action="store_true", help="all conversations")
    several.add_argument("--starred", action="store_true", help="those with a star")
    forms = ("json", "markdown", "text", "srt", "csv", "html")
    export.add_argument("--format", dest="form", choices=forms, help="else by the file's name")
    export.add_argument("--out", type=Path, metavar="PATH", help="a file; for several a new folder, or NAME.zip")
    export.add_argument("--force", action="store_true", help="replace the file")
    export.add_argument("--json", action="store_true", help="JSON on standard output")
    export.set_defaults(run=_history_export)


def _add_history_changes(actions: Commands) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("handle", metavar="HANDLE")
    common.add_argument("--json", action="store_true", help="JSON on standard output")
    delete = actions.add_parser("delete", help="delete a conversation, here and remotely", parents=[common])
    delete.add_argument("--here-only", action="store_true", help="leave the remote copy")
    delete.add_argument("--undoable", action="store_true", help="so that `undelete` brings it back, for 30 s")
    delete.set_defaults(run=_history_delete)
    undelete = actions.add_parser("undelete", help="bring back what was deleted just now", parents=[common])
    undelete.set_defaults(run=_history_change, request={"do": "bring_back"})
    clear = actions.add_parser("clear", help="delete all conversations, here and remotely")
    clear.add_argument("--keep-starred", action="store_true", help="but not those with a star")
    clear.add_argument("--here-only", action="store_true", help="leave the remote copies")
    clear.add_argument("--yes", action="store_true", help="really do it")
    clear.add_argument("--json", action="store_true", help="JSON on standard output")
    clear.set_defaults(run=_history_clear)
    rename = actions.add_parser("rename", help="give a conversation a title", parents=[common])
    rename.add_argument("title", type=argument.title, metavar="TITLE")
    rename.set_defaults(run=_history_change, request={"do": "rename"})
    for name, on in (("star", True), ("unstar", False)):
        star = actions.add_parser(name, help=f"{name} a conversation", parents=[common])
        star.set_defaults(run=_history_change, request={"do": "star", "on": on})


def add_scenarios(commands: Commands) -> None:
    """Add `novadesk scenarios`."""
    commands.add_parser("scenarios", help="what a conversation can be begun with", fill=_fill_scenarios)


def _fill_scenarios(scenarios: argparse.ArgumentParser) -> None:
    actions = scenarios.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="by title")
    listing.set_defaults(run=_scenarios_list)
    show = actions.add_parser("show", help="print one as the file that `add` takes")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(run=_scenarios_show)
    add = actions.add_parser("add", help="keep the scenario of a file, under the file's name")
    add.add_argument("file", type=Path, metavar="FILE.toml")
    add.add_argument("--force", action="store_true", help="take the place of one with that name")
    add.set_defaults(run=_scenarios_add)
    remove = actions.add_parser("remove", help="remove one of your own")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(run=_scenarios_remove)
    for one in (listing, show, add, remove):
        one.add_argument("--json", action="store_true", help="JSON on standard output")


def _history_list(parsed: argparse.Namespace) -> int:
    from novadesk.app.listing import list_conversations

    return list_conversations(profile=parsed.profile, only=_only(parsed), as_json=parsed.json)


def _only(parsed: argparse.Namespace) -> Filter:
    return Filter(voice=parsed.voice, tool=parsed.tool)


def _history_show(parsed: argparse.Namespace) -> int:
    from novadesk.app.listing import show_conversation

    return show_conversation(profile=parsed.profile, handle=parsed.handle, as_json=parsed.json)


def _history_search(parsed: argparse.Namespace) -> int:
    from novadesk.app.history import search_turns

    only = _only(parsed)
    return search_turns(profile=parsed.profile, text=parsed.text, limit=parsed.limit, only=only, as_json=parsed.json)


def _history_export(parsed: argparse.Namespace) -> int:
    from novadesk.app.history import export_conversation, export_conversations

    several = parsed.all or parsed.starred
    if several == bool(parsed.handles):
        raise KnownError(
            Reason.BAD_INPUT,
            f"Name conversations, or use --all or --starred{', not both' if several else ''}.",
            "See `novadesk history export --help`.",
        )
    how = {"profile": parsed.profile, "form": parsed.form, "force": parsed.force, "as_json": parsed.json}
    if len(parsed.handles) == 1 and not (parsed.out is not None and parsed.out.suffix.lower() == ".zip"):
        return export_conversation(handle=parsed.handles[0], out=parsed.out, **how)
    if parsed.out is None:
        raise KnownError(
            Reason.BAD_INPUT, "Several conversations need a place.", "Name a new folder or a zip file with --out."
        )
    return export_conversations(handles=parsed.handles, starred=parsed.starred, out=parsed.out, **how)


def _history_change(parsed: argparse.Namespace) -> int:
    from novadesk.app.history import change

    request = {
        **parsed.request,
        **{name: getattr(parsed, name) for name in ("handle", "title") if hasattr(parsed, name)},
    }
    return change(profile=parsed.profile, request=request, as_json=parsed.json)


def _history_delete(parsed: argparse.Namespace) -> int:
    from novadesk.app.history import change

    request = {"do": "set_aside" if parsed.undoable else "delete", "handle": parsed.handle}
    return change(profile=parsed.profile, request=request | _asked(parsed), as_json=parsed.json)


def _history_clear(parsed: argparse.Namespace) -> int:
    from novadesk.app.history import change

    if not parsed.yes:
        raise KnownError(
            Reason.BAD_INPUT, "This deletes your conversations and cannot be undone.", "Say so with --yes."
        )
    request = {"do": "clear", "keep_starred": parsed.keep_starred}
    return change(profile=parsed.profile, request=request | _asked(parsed), as_json=parsed.json)


def _asked(parsed: argparse.Namespace) -> dict[str, bool]:
    return {"here_only": True} if parsed.here_only else {}


def _history_backup(parsed: argparse.Namespace) -> int:
    from novadesk.app.history import back_up

    return back_up(profile=parsed.profile, target=parsed.file, as_json=parsed.json)


def _scenarios_list(parsed: argparse.Namespace) -> int:
    from novadesk.app.scenarios import list_scenarios

    return list_scenarios(profile=parsed.profile, as_json=parsed.json)


def _scenarios_show(parsed: argparse.Namespace) -> int:
    from novadesk.app.scenarios import show_scenario

    return show_scenario(profile=parsed.profile, name=parsed.name, as_json=parsed.json)


def _scenarios_add(parsed: argparse.Namespace) -> int:
    from novadesk.app.scenarios import add_scenario

    return add_scenario(profile=parsed.profile, file=parsed.file, force=parsed.force, as_json=parsed.json)


def _scenarios_remove(parsed: argparse.Namespace) -> int:
    from novadesk.app.scenarios import remove_scenario

    return remove_scenario(profile=parsed.profile, name=parsed.name, as_json=parsed.json)
