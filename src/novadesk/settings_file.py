"""The settings file: TOML with its comments, the standard environment names on top, and a copy that was good.

Names that this version does not know are kept and not used: a newer version may have written them.
"""

import dataclasses
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from novadesk.config import Settings, bad_file, check_settings
from novadesk.errors import KnownError, Reason
from novadesk.files import replace_file
from novadesk.text import Text

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

ENVIRONMENT: dict[str, tuple[str, str]] = {
    "AWS_PROFILE": ("backend", "profile"),
    "AWS_REGION": ("backend", "region"),
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": ("backend", "bedrock_endpoint"),
    "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": ("backend", "agent_runtime_endpoint"),
    "AWS_CA_BUNDLE": ("backend", "ca_bundle"),
    "BEDROCK_MODEL_ID": ("backend", "model"),
    "NOVADESK_GATEWAY": ("backend", "gateway"),
    "NOVADESK_LANGUAGE": ("window", "language"),
    "SESSION_TIMEOUT": ("session", "idle_s"),
    "SESSION_MAX_CONCURRENT": ("session", "concurrent"),
}
"""Variables that lie on top of the file, by the setting that they set."""

_SECTIONS = tuple(section.name for section in dataclasses.fields(Settings))

type Table = dict[str, dict[str, Any]]
type Foreign = tuple[str, str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Settings to begin with; `note` says what the person should know of them, or is empty."""

    settings: Settings
    note: str = ""


def open_settings(file: Path, environment: Mapping[str, str] = os.environ) -> Opened:
    """Return the settings, and keep a copy of a file that is good; a broken one leads to that copy, or to the defaults.

    Raises:
        KnownError: a variable of the environment makes no sense.
    """
    try:
        settings = load_settings(file, environment)
    except KnownError as error:
        return _open_good(file, environment, error)
    return Opened(settings=settings, note=_keep_copy(file))


def load_settings(file: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a file (defaults where it does not exist) with the environment on top.

    Raises:
        KnownError: `BAD_SETTINGS` for a file that is not TOML or a wrong value; nothing is changed.
    """
    foreign = tuple(_foreign(environment))
    try:
        return _load(file, foreign)
    except KnownError as error:
        raise _blamed(error, file, foreign, environment) from error


def _load(file: Path, foreign: Iterable[Foreign]) -> Settings:
    table: Table = {}
    if file.exists():
        try:
            table = read_table(file.read_bytes(), file)
        except OSError as error:
            raise bad_file(file, f"cannot be read ({error.strerror})") from error
    for section, name, value in foreign:
        table.setdefault(section, {})[name] = value
    return build_settings(table, file)


def save_settings(settings: Settings, file: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Write the values that differ from the defaults, keeping the file's comments and what this version does not know.

    What comes from the environment stays there and is not written. A broken file is set aside, not lost.

    Returns:
        Where a broken file is now, or None.

    Raises:
        OSError: the file cannot be written.
    """
    import tomlkit  # only who writes needs it: the start of the window does not

    aside: Path | None = None
    target, good = file.resolve(), good_copy(file)
    document = tomlkit.document()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if target.exists():
        try:
            load_settings(target, {})
            document = _document(target.read_bytes(), target)
        except KnownError:
            aside = _set_aside(target, file)
            with suppress(KnownError, OSError):
                document = _document(good.read_bytes(), good)
    foreign = {(section, name): value for section, name, value in _foreign(environment)}
    for section, name, value, default in values(settings):
        known = section in document and name in document[section]
        if foreign.get((section, name)) == value or (value == default and not known):
            continue
        if section not in document:
            document[section] = tomlkit.table()
        plain = plain_value(value)
        if not known or document[section][name] != plain:
            document[section][name] = plain
    content = tomlkit.dumps(document).encode()
    replace_file(target, content)
    replace_file(good, content)
    return aside


def good_copy(file: Path) -> Path:
    """Return where the copy of a settings file lies that was good."""
    return file.with_name(f"{file.stem}.last-good{file.suffix}")


def values(settings: Settings) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield section, name, value and default of every setting."""
    defaults = Settings()
    for section in dataclasses.fields(Settings):
        value, default = getattr(settings, section.name), getattr(defaults, section.name)
        for entry in dataclasses.fields(value):
            yield section.name, entry.name, getattr(value, entry.name), getattr(default, entry.name)


def plain_value(value: Any) -> Any:
    """Return a value as TOML has it."""
    return value.value if isinstance(value, Enum) else value


def read_table(content: bytes, file: Path) -> Table:
    """Return what a file holds by section; a value outside any, of another version, has no name.

    Raises:
        KnownError: `BAD_SETTINGS`: it is not TOML, or has a value where a section belongs.
    """
    try:
        table = tomllib.loads(_text(content))
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, _line_of(error, content)) from error
    _check_sections(table, file)
    return {section: entries if isinstance(entries, dict) else {"": entries} for section, entries in table.items()}


def build_settings(table: Mapping[str, Mapping[str, Any]], file: Path) -> Settings:
    """Return the settings of a table; what this version does not know is left out.

    Raises:
        KnownError: `BAD_SETTINGS`, `BAD_REGION` or `BAD_MODEL`.
    """
    built: dict[str, Any] = {}
    for section in dataclasses.fields(Settings):
        kind: Any = type(getattr(Settings(), section.name))
        hints = get_type_hints(kind)
        found = {name: value for name, value in table.get(section.name, {}).items() if name in hints}
        place = f"[{section.name}] "
        built[section.name] = kind(
            **{name: _convert(hints[name], value, place + name, file) for name, value in found.items()}
        )
    return check_settings(Settings(**built), file)


def unknown_names(table: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names of a table that this version does not know, as "[section] name"."""
    known = {(section, name) for section, name, _, _ in values(Settings())}
    return tuple(f"[{s}] {name}".rstrip() for s, entries in table.items() for name in entries if (s, name) not in known)


def from_environment(environment: Mapping[str, str] = os.environ) -> dict[tuple[str, str], str]:
    """Return the variable that sets each setting that one sets."""
    return {place: variable for variable, place in ENVIRONMENT.items() if environment.get(variable)}


def _open_good(file: Path, environment: Mapping[str, str], broken: KnownError) -> Opened:
    good = good_copy(file)
    with suppress(KnownError):
        if good.exists():
            used = load_settings(good, environment)
            return Opened(
                settings=used, note=Text("{what} NovaDesk uses the settings that worked last.", what=broken.what)
            )
    try:
        used = load_settings(file.with_name("none"), environment)
    except KnownError:  # it is the environment that makes no sense, not the file
        raise broken from None
    return Opened(
        settings=used, note=Text("{what} NovaDesk uses its own settings until it is mended.", what=broken.what)
    )


def _keep_copy(file: Path) -> str:
    """Remember a file that is good, and say what of it this version does not know."""
    if not file.exists():
        return ""
    content, good = file.read_bytes(), good_copy(file)
    with suppress(OSError):  # a disk that does not take it is no reason not to start
        if not good.exists() or good.read_bytes() != content:
            replace_file(good, content)
    unknown = ", ".join(unknown_names(read_table(content, file)))
    if not unknown:
        return ""
    return Text("The settings file names what this version does not know: {names}. It is kept.", names=unknown)


def _set_aside(target: Path, file: Path) -> Path:
    content = target.read_bytes()
    number = 1
    while (aside := file.with_name(f"{file.stem}.broken-{number}{file.suffix}")).exists():
        number += 1
    replace_file(aside, content)
    return aside


def _foreign(environment: Mapping[str, str]) -> Iterator[Foreign]:
    """Yield section, name and value of what the environment sets.

    Raises:
        KnownError: `BAD_SETTINGS` for a text where a number belongs.
    """
    for (section, name), variable in from_environment(environment).items():
        plain: str | int | float = getattr(getattr(Settings(), section), name)
        text = environment[variable]
        try:
            yield section, name, type(plain)(text)
        except ValueError as error:
            raise KnownError(
                Reason.BAD_SETTINGS,
                "{variable} is “{text}”, which is not a number.",
                "Set {variable} to a number.",
                variable=variable,
                text=text,
            ) from error


def _blamed(error: KnownError, file: Path, foreign: tuple[Foreign, ...], environment: Mapping[str, str]) -> KnownError:
    """Return the error of a value that makes no sense: its file's, or that of the variable that lies on top of it."""
    variables = from_environment(environment)
    for one in foreign if error.reason is Reason.BAD_SETTINGS else ():
        try:
            _load(file, (other for other in foreign if other is not one))
        except KnownError:
            continue
        variable = variables[one[:2]]
        return KnownError(
            Reason.BAD_SETTINGS,
            "{variable} is “{text}”, which makes no sense here.",
            "Set {variable} to another value, or not at all.",
            variable=variable,
            text=environment[variable],
        )
    return error


def _document(content: bytes, file: Path) -> "TOMLDocument":
    """Return what a file holds, comments and order included, to be changed and written."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(_text(content))
    except (ValueError, TOMLKitError, RecursionError) as error:
        raise _unreadable(file, getattr(error, "line", None)) from error
    _check_sections(document, file)
    return document


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig")  # editors on Windows put a byte order mark in front


def _unreadable(file: Path, line: int | None) -> KnownError:
    where = f" (line {line})" if line else ""
    return bad_file(file, f"is not readable as TOML{where}")


def _line_of(error: Exception, content: bytes) -> int | None:
    """Return where a text stops being TOML; of the parser's error only the words tell it."""
    if isinstance(error, UnicodeDecodeError):
        return content.count(b"\n", 0, error.start) + 1
    if isinstance(error, tomllib.TOMLDecodeError):
        line = re.search(r"at line (\d+)", str(error))
        return int(line[1]) if line else content.count(b"\n") + 1
    return None


def _check_sections(table: Mapping[str, Any], file: Path) -> None:
    for section in _SECTIONS:
        if not isinstance(table.get(section, {}), dict):
            raise bad_file(file, f"has a value outside any section: {section}")


def _convert(hint: Any, value: object, where: str, file: Path) -> object:
    if isinstance(hint, type) and issubclass(hint, Enum):
        choices = [choice.value for choice in hint]
        if value not in choices:
            raise bad_file(file, f"is wrong: {where} must be one of {', '.join(choices)}")
        return hint(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise bad_file(file, f"is wrong: {where} is too large") from error
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise bad_file(file, f"is wrong: {where} must be of kind {hint.__name__}")
    return value
