"""The one way of the window to its words: `tr` and `trn`, in the language of the person.

English is in the code; every other language is a file `resources/i18n/novadesk_LANGUAGE.qm`. See docs/translating.md.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QObject, QTranslator
from PySide6.QtGui import QKeySequence

from novadesk.installation import find_resources
from novadesk.text import Text, Value

CONTEXT = "NovaDesk"
"""All words are in one context, so that one word is translated once."""

SOURCE = "en"
PSEUDO = "pseudo"
"""A language made from the English by code, to find text that is cut off or not translated."""

_HOLE = re.compile(r"(\{\w*\}|%n|<[^>]*>|&(?=\w))")
_ACCENTED = str.maketrans("aceinosuyzACEINOSUYZ", "áčéïñöšûýžÁČÉÏÑÖŠÛÝŽ")
_LONGER = 0.3
_FILLING = "one two three four five six seven eight nine ten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language of the window: its code, such as "de", and its name in itself."""

    code: str
    name: str


class _State:
    """What is in force in this program: Qt has one translator list and one locale for all."""

    translators: tuple[QTranslator, ...] = ()
    locale = QLocale(QLocale.Language.English, QLocale.Country.UnitedStates)


def tr(text: str, note: str = "", /, **values: Value) -> str:
    """Return a text in the language of the person, its named placeholders filled in.

    Args:
        text: a literal, or a `Text` of the core or of a table.
        note: tells two meanings of the same word apart; a literal.
        values: for the placeholders of a literal; whole numbers are grouped, others written as the language does.
    """
    if not text:
        return ""
    if isinstance(text, Text):
        values = {name: tr(value) if isinstance(value, Text) else value for name, value in text.values.items()} | values
        if text.many:
            return trn(text.template, text.many, int(values.pop("n")), **values)
        text = text.template
    return _filled(QCoreApplication.translate(CONTEXT, text, note or None), text, values)


def trn(one: str, many: str, n: int, /, **values: Value) -> str:
    """Return the text for a number, `{n}` among its placeholders: `trn("1 turn", "{n} turns", n)`.

    Languages have as many forms as they need; English has `one` for 1 and `many` for the rest.
    """
    source = one if n == 1 else many
    found = QCoreApplication.translate(CONTEXT, one, many, n)
    return _filled(source if found == one else found, source, values | {"n": n})


def written(value: float) -> str:
    """Return a number as the language writes it: whole ones in groups, others with the digits they have."""
    if isinstance(value, int) or value.is_integer():
        value = int(value)
        return _State.locale.toString(value)
    digits = len(repr(value).partition(".")[2])
    return _State.locale.toString(value, "f", digits)


def decimal(value: float, digits: int) -> str:
    """Return a number as the language writes it, with so many digits after the point."""
    return _State.locale.toString(float(value), "f", digits)


def shortcut(keys: str) -> str:
    """Return keys such as "Ctrl+E" as this system and language name them."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)


def with_keys(words: str, keys: str) -> str:
    """Return the words of a menu's entry with the keys that do the same."""
    return f"{words}\t{shortcut(keys)}"


def locale() -> QLocale:
    """Return how dates and numbers are written."""
    return _State.locale


def languages() -> tuple[Language, ...]:
    """Return the languages there are, English first, each with its name in itself."""
    return tuple(Language(code=code, name=_own_name(code)) for code in _codes())


def use_language(code: str) -> str:
    """Put a language in force, before any widget is made; what is shown already stays as it is.

    Args:
        code: one of `languages()`, "pseudo", or "" for what the system says; one that is not there gives English.

    Returns:
        The code in force.
    """
    application = QCoreApplication.instance()
    for old in _State.translators:
        QCoreApplication.removeTranslator(old)
    system = QLocale.system()
    chosen = _chosen(code, system)
    _State.locale = (
        system if code == "" and _code(system) == chosen else QLocale("en_US" if chosen in (SOURCE, PSEUDO) else chosen)
    )
    QLocale.setDefault(_State.locale)
    _State.translators = tuple(_translators(chosen, application))
    for translator in _State.translators:
        QCoreApplication.installTranslator(translator)
    return chosen


def pseudo(text: str) -> str:
    """Return a text with accents, in brackets and a third longer; placeholders stay what they are."""
    parts = _HOLE.split(text)
    accented = "".join(part if n % 2 else part.translate(_ACCENTED) for n, part in enumerate(parts))
    room = max(2, round(len(text) * _LONGER))
    filling = (_FILLING + " ") * (room // len(_FILLING) + 1)
    return f"[{accented} {filling[:room].strip()}]"


class PseudoTranslator(QTranslator):
    """Translate every text of NovaDesk by `pseudo`."""

    def isEmpty(self) -> bool:  # noqa: D102
        return False

    def translate(self, context: str, text: str, note: str | None = None, n: int = -1) -> str | None:  # noqa: D102
        if context != CONTEXT:
            return None
        return pseudo(note if note and n not in (-1, 1) else text)


def _filled(found: str, source: str, values: dict[str, Value]) -> str:
    if not values:
        return found
    shown = {name: _shown(value) for name, value in values.items()}
    try:
        return found.format(**shown)
    except (KeyError, IndexError, ValueError):  # a translation with a hole that the source does not have
        return source.format(**shown)


def _shown(value: Value) -> str:
    if isinstance(value, Text):
        return tr(value)
    return value if isinstance(value, str) else written(value)


def _translators(code: str, owner: QObject | None) -> list[QTranslator]:
    if code == PSEUDO:
        return [PseudoTranslator(owner)]
    if code == SOURCE:
        return []
    found = []
    qt = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
    for file in (qt / f"qtbase_{code}.qm", _folder() / f"novadesk_{code}.qm"):
        translator = QTranslator(owner)
        if translator.load(str(file)):
            found.append(translator)
    return found


def _chosen(code: str, system: QLocale) -> str:
    known = {*_codes(), PSEUDO}
    if code:
        return code if code in known else SOURCE
    wanted = (name.replace("_", "-").partition("-")[0] for name in system.uiLanguages())
    return next((name for name in wanted if name in known), SOURCE)


@lru_cache(maxsize=1)
def _codes() -> tuple[str, ...]:
    return (SOURCE, *sorted(file.stem.partition("_")[2] for file in _folder().glob("novadesk_*.qm")))


def _code(locale: QLocale) -> str:
    return locale.name().partition("_")[0]


def _own_name(code: str) -> str:
    name = QLocale(code).nativeLanguageName()
    return "English" if code == SOURCE else name[:1].upper() + name[1:]


def _folder() -> Path:
    return find_resources() / "i18n"
