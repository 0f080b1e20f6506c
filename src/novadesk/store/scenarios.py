"""The person's scenarios: one TOML file each, beside the built-in ones."""

import secrets
from contextlib import suppress
from pathlib import Path

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.errors import KnownError, Reason
from novadesk.files import write_through
from novadesk.scenario import Scenario, check, from_toml, to_toml

MAX_FILE_BYTES = 262_144

_BUILT_IN = {scenario.name: scenario for scenario in BUILT_IN}


class Scenarios:
    """The scenarios that can be chosen.

    Args:
        folder: where the person's own are; it need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> tuple[tuple[Scenario, ...], tuple[str, ...]]:
        """Return every scenario by title, and the names of files that hold none."""
        found, broken = dict(_BUILT_IN), []
        for file in self._files():
            try:
                found[file.stem] = read(file)
            except KnownError:
                broken.append(file.name)
        return tuple(sorted(found.values(), key=lambda one: (one.title.casefold(), one.name))), tuple(broken)

    def find(self, name: str) -> Scenario:
        """Return one scenario.

        Raises:
            KnownError: `BAD_INPUT`: there is none, or its file holds none.
        """
        file = next((file for file in self._files() if file.stem == name), None)
        if file is not None:
            return read(file)
        if name not in _BUILT_IN:
            raise _unknown()
        return _BUILT_IN[name]

    def is_own(self, name: str) -> bool:
        """Say whether a scenario is the person's own."""
        return any(file.stem == name for file in self._files())

    def add(self, scenario: Scenario, *, force: bool = False) -> None:
        """Keep a scenario; another one of that name is replaced only with `force`, a built-in one is hidden by it.

        Raises:
            KnownError: `BAD_INPUT`: it makes no sense, there is one of that name, or it cannot be written.
        """
        file = self._folder / f"{check(scenario).name}.toml"
        draft = self._folder / f".{secrets.token_hex(8)}.draft"
        if not force and (scenario.name in _BUILT_IN or self.is_own(scenario.name)):
            raise KnownError(
                Reason.BAD_INPUT,
                "There is a scenario {name} already.",
                "Give yours another name, or use --force to take its place.",
                name=scenario.name,
            )
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_through(draft, to_toml(scenario).encode())
            draft.replace(file)
        except OSError as error:
            raise _unusable(file, error) from error
        finally:
            with suppress(OSError):
                draft.unlink()

    def remove(self, name: str) -> None:
        """Remove one of the person's own; a built-in one that it hid shows again.

        Raises:
            KnownError: `BAD_INPUT`: there is none, it is a built-in one, or its file cannot be removed.
        """
        file = next((file for file in self._files() if file.stem == name), None)
        if file is None:
            if name in _BUILT_IN:
                raise KnownError(Reason.BAD_INPUT, "That is a built-in scenario.", "Only your own can be removed.")
            raise _unknown()
        try:
            file.unlink()
        except OSError as error:
            raise _unusable(file, error) from error

    def _files(self) -> list[Path]:
        try:
            return sorted(self._folder.glob("*.toml"))
        except OSError:
            return []


def read(file: Path) -> Scenario:
    """Return the scenario of a file, with the file's name.

    Raises:
        KnownError: `FILE_MISSING` or `BAD_INPUT`.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise KnownError(
                Reason.BAD_INPUT, "The file {file} is too large for a scenario.", "Choose another one.", file=str(file)
            )
        return from_toml(content.decode(), file.stem)
    except FileNotFoundError as error:
        raise KnownError(
            Reason.FILE_MISSING, "There is no file {file}.", "Name another one.", file=str(file)
        ) from error
    except OSError as error:
        raise _unusable(file, error) from error
    except UnicodeDecodeError as error:
        raise KnownError(
            Reason.BAD_INPUT, "The file {file} is not UTF-8.", "Save it as UTF-8.", file=str(file)
        ) from error


def _unknown() -> KnownError:
    return KnownError(
        Reason.BAD_INPUT, "There is no such scenario.", "Run `novadesk scenarios list` to see those that are."
    )


def _unusable(file: Path, error: OSError) -> KnownError:
    why = error.strerror or "input/output error"
    return KnownError(
        Reason.BAD_INPUT, "The file {file} cannot be used ({why}).", "Make it usable for you.", file=str(file), why=why
    )
