"""Scenarios: what a conversation is begun with (prompt, voice, language, pace, patience), and a form for the prompt.

A prompt names its fields as `{field}`. A line of which all fields are empty is left out, so that optional fields leave
no gap. Language and pace are sentences of the prompt: the service has no setting for them.
"""

import json
import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from typing import Any

from novadesk.config import SensitivitySetting, VoiceSettings
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

MAX_PROMPT_CHARS = 20_000
MAX_FIELD_CHARS = 10_000
MAX_FIELDS = 20

LANGUAGES = {
    "de": Text("German"), "en": Text("English"), "en-AU": Text("Australian English"), "en-GB": Text("British English"),
    "en-IN": Text("Indian English"), "en-US": Text("American English"), "es": Text("Spanish"), "fr": Text("French"),
    "hi": Text("Hindi"), "it": Text("Italian"), "pt": Text("Portuguese"),
}  # fmt: skip
"""What Nova 2 Sonic speaks (Amazon Nova 2 user guide, language support). Anything else may be written too."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FIELD = re.compile(r"[a-z][a-z0-9_]*")
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_NUMBER = re.compile(r"[0-9]{1,6}")
_MAX_NAME_CHARS = 40
_MAX_LINE_CHARS = 200


class SpeakingPace(Enum):
    """How fast the partner is asked to speak."""

    SLOW = "slow"
    BRISK = "brisk"


_PACES = {SpeakingPace.SLOW: "Speak slowly, with a pause after each sentence.", SpeakingPace.BRISK: "Speak fast."}


class FieldKind(Enum):
    """What a field takes: one line, several lines, a whole number, or one of its choices."""

    LINE = "line"
    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"


_CHOICES: dict[str, type[Enum]] = {"sensitivity": SensitivitySetting, "pace": SpeakingPace, "kind": FieldKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form.

    Attributes:
        name: as the prompt names it.
        label: as people read it.
        kind: what it takes.
        least: characters that a text needs; the least number. `most` likewise.
        choices: of which one is taken.
    """

    name: str
    label: str
    kind: FieldKind = FieldKind.LINE
    least: int = 0
    most: int = 200
    choices: tuple[str, ...] = ()

    @property
    def optional(self) -> bool:
        """Return whether it may be left empty."""
        return self.kind in (FieldKind.LINE, FieldKind.TEXT) and not self.least

    def check(self, text: str) -> str:
        """Return what is wrong with a value in one sentence, or an empty string."""
        if self.kind is FieldKind.CHOICE:
            line = Text("{label} is one of {choices}.", label=self.label, choices=", ".join(self.choices))
            return "" if text in self.choices else line
        if self.kind is FieldKind.NUMBER:
            good = _NUMBER.fullmatch(text) is not None and self.least <= int(text) <= self.most
            line = Text("{label} is a whole number from {n} to {m}.", label=self.label, n=self.least, m=self.most)
            return "" if good else line
        if len(text) < self.least:
            return Text.counted(
                "{label} must not be empty.", "{label} needs at least {n} characters.", self.least, label=self.label
            )
        if len(text) > self.most:
            return Text(
                "{label} takes at most {most} characters; these are {n}.",
                label=self.label,
                most=self.most,
                n=len(text),
            )
        if self.kind is FieldKind.LINE and "\n" in text:
            return Text("{label} is one line.", label=self.label)
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a conversation can be begun with. Without a voice or sensitivity it takes that of the settings."""

    name: str
    title: str
    prompt: str
    voice: str = ""
    language: str = ""
    pace: SpeakingPace | None = None
    sensitivity: SensitivitySetting | None = None
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A scenario with its form filled in: what a conversation remembers of it, whatever becomes of the scenario."""

    name: str
    title: str
    prompt: str
    voice: str = ""
    language: str = ""
    pace: SpeakingPace | None = None
    sensitivity: SensitivitySetting | None = None
    values: Mapping[str, str] = field(default_factory=dict)

    def voice_settings(self, base: VoiceSettings) -> VoiceSettings:
        """Return how a wire session of such a conversation opens."""
        language = f"Speak {LANGUAGES.get(self.language, self.language)}." if self.language else ""
        pace = "" if self.pace is None else _PACES[self.pace]
        return replace(
            base,
            prompt="\n".join(part for part in (self.prompt, language, pace) if part),
            voice=self.voice or base.voice,
            sensitivity=self.sensitivity or base.sensitivity,
        )

    def encode(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"), default=_plain)


def decode(text: str) -> Chosen | None:
    """Return what `Chosen.encode` wrote; None for nothing, or for what makes no sense."""
    try:
        content = json.loads(text)
        sensitivity, pace = content.pop("sensitivity"), content.pop("pace", None)
        values = content.pop("values")
        chosen = Chosen(
            **content,
            values=values,
            pace=None if pace is None else SpeakingPace(pace),
            sensitivity=None if sensitivity is None else SensitivitySetting(sensitivity),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    plain = (chosen.name, chosen.title, chosen.prompt, chosen.voice, chosen.language)
    good = isinstance(values, dict) and all(isinstance(part, str) for part in (*plain, *values.values()))
    return chosen if good else None


def problems(scenario: Scenario, values: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with the values of a form, a sentence for each field; nothing when all is well."""
    found = {one.name: one.check(values.get(one.name, "").strip()) for one in scenario.fields}
    known = {one.name for one in scenario.fields}
    found |= {name: f"There is no field {name}." for name in values if name not in known}
    return {name: sentence for name, sentence in found.items() if sentence}


def choose(scenario: Scenario, values: Mapping[str, str]) -> Chosen:
    """Return the scenario with its form filled in.

    Raises:
        KnownError: `BAD_INPUT` with the first thing that is wrong with the values.
    """
    if wrong := problems(scenario, values):
        raise KnownError(
            Reason.BAD_INPUT, next(iter(wrong.values())), "Fill in the form of “{title}”.", title=scenario.title
        )
    clean = {one.name: values.get(one.name, "").strip() for one in scenario.fields}
    return Chosen(
        name=scenario.name,
        title=scenario.title,
        prompt="\n".join(_filled(scenario.prompt, clean)).strip(),
        voice=scenario.voice,
        language=scenario.language,
        pace=scenario.pace,
        sensitivity=scenario.sensitivity,
        values=clean,
    )


def faults(scenario: Scenario) -> dict[str, Text]:
    """Return what keeps a scenario from being kept, a sentence for each part of it, for somebody who writes it.

    Parts are "title", "prompt" and "field N", N from 0.
    """
    found: dict[str, Text] = {}
    names = [one.name for one in scenario.fields]
    named = _PLACE.findall(scenario.prompt)
    if not _is_line(scenario.title):
        found["title"] = Text("Give it a title of one line.")
    if not scenario.prompt.strip():
        found["prompt"] = Text("Write what your partner is to do.")
    elif len(scenario.prompt) > MAX_PROMPT_CHARS:
        found["prompt"] = Text("The instructions take at most {most} characters.", most=MAX_PROMPT_CHARS)
    elif unknown := [name for name in named if name not in names]:
        found["prompt"] = Text("The instructions name {{{name}}}, which is no field of the form.", name=unknown[0])
    for place, one in enumerate(scenario.fields):
        checks = {
            Text("The form asks for this in words: give the field a label."): _is_line(one.label),
            Text("Its name begins with a lower-case letter; letters, digits and _ may follow."): _FIELD.fullmatch(
                one.name
            ),
            Text("Another field has this name."): names.index(one.name) == place,
            Text("It needs more characters than it takes."): one.least <= one.most,
            Text("Write two choices or more, with commas between them."): _are_choices(one),
            Text("The instructions do not name {{{name}}} yet. Insert it.", name=one.name): one.name in named,
        }
        wrong = [sentence for sentence, holds in checks.items() if not holds]
        if wrong:
            found[f"field {place}"] = wrong[0]
    return found


def name_for(title: str, taken: Collection[str]) -> str:
    """Return a name for a scenario of this title that none of `taken` is."""
    plain = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    stem = "-".join(re.findall(r"[a-z0-9]+", plain))[: _MAX_NAME_CHARS - 4].strip("-") or "scenario"
    others = (f"{stem}-{number}" for number in range(2, 1_000))
    return next(name for name in (stem, *others) if name not in taken)


def check(scenario: Scenario) -> Scenario:
    """Return a scenario that makes sense.

    Raises:
        KnownError: `BAD_INPUT` with the first thing that is wrong.
    """
    names = [one.name for one in scenario.fields]
    named = set(_PLACE.findall(scenario.prompt))
    checks = {
        "its name has lower-case letters, digits and hyphens, 40 at most": _NAME.fullmatch(scenario.name) is not None
        and len(scenario.name) <= _MAX_NAME_CHARS,
        "its title is one line of 1 to 200 characters": _is_line(scenario.title),
        f"its prompt has 1 to {MAX_PROMPT_CHARS:,} characters": len(scenario.prompt.strip()) > 0
        and len(scenario.prompt) <= MAX_PROMPT_CHARS,
        "voice and language are one line each": all(
            not text or _is_line(text) for text in (scenario.voice, scenario.language)
        ),
        f"it has at most {MAX_FIELDS} fields": len(names) <= MAX_FIELDS,
        "no two fields have one name": len(set(names)) == len(names),
        "names of fields begin with a lower-case letter": all(_FIELD.fullmatch(name) for name in names),
        "each field has a label of one line": all(_is_line(one.label) for one in scenario.fields),
        f"a field takes from 0 to {MAX_FIELD_CHARS:,} characters, and no fewer than it needs": all(
            0 <= one.least <= one.most and 0 < one.most <= MAX_FIELD_CHARS for one in scenario.fields
        ),
        f"a field of choices has from 2 to {MAX_FIELDS}, of one line without a comma each": all(
            _are_choices(one) for one in scenario.fields
        ),
        "the prompt names each field, and no other one": named == set(names),
    }
    for rule, holds in checks.items():
        if not holds:
            raise _bad(rule)
    return scenario


def from_toml(text: str, name: str) -> Scenario:
    """Return the scenario that a file holds; its name is that of the file.

    Raises:
        KnownError: `BAD_INPUT`: no TOML, an unknown entry, or nothing that makes sense.
    """
    try:
        table = tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise _bad("it is TOML") from error
    forms = table.pop("fields", [])
    if not isinstance(forms, list) or not all(isinstance(one, dict) for one in forms):
        raise _bad("its fields are tables")
    values = _typed(Scenario, table, without=("name", "fields"))
    return check(Scenario(name=name, fields=tuple(Field(**_typed(Field, one)) for one in forms), **values))


def to_toml(scenario: Scenario) -> str:
    """Return the text of a file that holds the scenario; its name is for the file's name to tell."""
    import tomlkit

    document = tomlkit.document()
    document["title"] = scenario.title
    document["prompt"] = tomlkit.string(
        scenario.prompt, multiline="\n" in scenario.prompt and "\r" not in scenario.prompt
    )
    for name, value in (("voice", scenario.voice), ("language", scenario.language)):
        if value:
            document[name] = value
    for name, choice in (("pace", scenario.pace), ("sensitivity", scenario.sensitivity)):
        if choice is not None:
            document[name] = choice.value
    if scenario.fields:
        forms = tomlkit.aot()
        for one in scenario.fields:
            forms.append(tomlkit.item({name: _plain(value) for name, value in asdict(one).items() if value != ()}))
        document["fields"] = forms
    return tomlkit.dumps(document)


def _filled(prompt: str, values: Mapping[str, str]) -> Iterator[str]:
    for line in prompt.split("\n"):
        named = _PLACE.findall(line)
        if not named or any(values[name] for name in named):
            yield _PLACE.sub(lambda place: values[place[1]], line)


def _plain(value: object) -> object:
    """Return a value as files have it."""
    return value.value if isinstance(value, Enum) else list(value) if isinstance(value, tuple) else value


def _are_choices(one: Field) -> bool:
    if one.kind is not FieldKind.CHOICE:
        return not one.choices
    good = all(_is_line(choice) and choice == choice.strip() and "," not in choice for choice in one.choices)
    return good and 2 <= len(set(one.choices)) == len(one.choices) <= MAX_FIELDS


def _is_line(text: str) -> bool:
    return len(text.strip()) > 0 and len(text) <= _MAX_LINE_CHARS and len(text.splitlines()) == 1


def _typed(
    kind: type[Scenario] | type[Field], table: Mapping[str, Any], without: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the entries of a table as the values of a class."""
    kinds: dict[str, type] = {"least": int, "most": int, "choices": list}
    known = {entry.name for entry in fields(kind)} - set(without)
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise _bad(f"there is nothing called {name} in it")
        if type(value) is not kinds.get(name, str):
            raise _bad(f"{name} is of the right kind")
        values[name] = value
    for name, choices in _CHOICES.items():
        if name in values:
            try:
                values[name] = choices(values[name])
            except ValueError as error:
                *others, last = (str(one.value) for one in choices)
                raise _bad(f"{name} is {', '.join(others)} or {last}") from error
    if "choices" in values:
        values["choices"] = tuple(str(choice) for choice in values["choices"])
    needed = {"title", "prompt"} if kind is Scenario else {"name", "label"}
    if missing := sorted(needed - values.keys()):
        raise _bad(f"it says its {missing[0]}")
    return values


def _bad(rule: str) -> KnownError:
    return KnownError(
        Reason.BAD_INPUT, "That is no scenario: {rule}.", "Mend it, or begin with a built-in one.", rule=rule
    )
