"""`novadesk scenarios list|show|add|remove`, and the one that `novadesk talk` begins with."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Any

from novadesk.app.output import put, put_note, put_row
from novadesk.errors import Layer
from novadesk.paths import Folders, find_folders
from novadesk.scenario import Chosen, Scenario, choose, to_toml
from novadesk.store.scenarios import Scenarios, read


def kept(folders: Folders) -> Scenarios:
    """Return the scenarios of a profile."""
    return Scenarios(folders.config / "scenarios")


def chosen(folders: Folders, name: str, values: Mapping[str, str]) -> Chosen:
    """Return a scenario with its form filled in.

    Raises:
        KnownError: `BAD_INPUT`: there is no such scenario, or a value is wrong.
    """
    return choose(kept(folders).find(name), values)


def list_scenarios(*, profile: str, as_json: bool) -> int:
    """Print the scenarios by title; files that hold none are named beside."""
    shelf = kept(find_folders(profile=profile))
    found, broken = shelf.all()
    if as_json:
        put(json.dumps([_row(one, own=shelf.is_own(one.name)) for one in found], indent=2, default=_plain))
    else:
        for one in found:
            form = ", ".join(f"{entry.name}{'?' if entry.optional else ''}" for entry in one.fields)
            put(f"{one.name:20}  {one.title}{f'  ({form})' if form else ''}")
    for name in broken:
        put_note(Layer.INPUT, f"The file {name} holds no scenario.")
    return 0


def show_scenario(*, profile: str, name: str, as_json: bool) -> int:
    """Print a scenario as the file that `add` takes.

    Raises:
        KnownError: `BAD_INPUT`: there is none, or its file holds none.
    """
    shelf = kept(find_folders(profile=profile))
    found = shelf.find(name)
    put(
        json.dumps(_row(found, own=shelf.is_own(name)), indent=2, default=_plain)
        if as_json
        else to_toml(found).rstrip("\n")
    )
    return 0


def add_scenario(*, profile: str, file: Path, force: bool, as_json: bool) -> int:
    """Keep the scenario of a file.

    Raises:
        KnownError: the file is missing or holds no scenario, or there is one of that name.
    """
    added = read(file)
    kept(find_folders(profile=profile).make()).add(added, force=force)
    if as_json:
        put_row(done=True, name=added.name)
    return 0


def remove_scenario(*, profile: str, name: str, as_json: bool) -> int:
    """Remove one of the person's own scenarios.

    Raises:
        KnownError: `BAD_INPUT`: there is none, or it is a built-in one.
    """
    kept(find_folders(profile=profile)).remove(name)
    if as_json:
        put_row(done=True, name=name)
    return 0


def _row(scenario: Scenario, *, own: bool) -> dict[str, Any]:
    """Return a scenario for `json.dumps(…, default=_plain)`."""
    return asdict(scenario) | {"own": own}


def _plain(choice: Enum) -> object:
    return choice.value
