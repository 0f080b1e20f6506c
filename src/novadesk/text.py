"""What people read: an English sentence that remembers how it was made, so that the window can say it otherwise."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

type Value = str | int | float

_PACKED = "\x1ftext"
"""No sentence begins with a separator of units."""


class Text(str):
    """A sentence with its named placeholders filled in; a plain `str` for everyone but the window.

    `Text("The file {file} is not UTF-8.", file=name)`. A whole number is written in groups of three, other numbers as
    they are: round them first; a number that only names something (a port) is given as a `str`. A value that is a
    `Text` itself is translated as well.

    Attributes:
        template: the sentence as the catalogue of translations knows it.
        many: the sentence for another number than 1, where there is one; likewise a key of the catalogue.
        values: what the placeholders stand for; `n` is the number that chooses between `template` and `many`.
    """

    __slots__ = ("many", "template", "values")

    template: str
    many: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: Value) -> Self:
        """Fill the placeholders of `template`; without values it is taken as it is, braces and all.

        Raises:
            KeyError: a placeholder has no value.
        """
        return cls._make(template, "", template, values)

    @classmethod
    def counted(cls, one: str, many: str, n: int, /, **values: Value) -> Self:
        """Return `one` for 1, else `many`: `Text.counted("1 turn", "{n} turns", n)`.

        Raises:
            KeyError: a placeholder has no value.
        """
        return cls._make(one, many, one if n == 1 else many, values | {"n": n})

    @classmethod
    def joined(cls, *parts: str) -> Self:
        """Return sentences one after the other; empty ones are left out."""
        values = {f"part{number}": part for number, part in enumerate(part for part in parts if part)}
        return cls(" ".join(f"{{{name}}}" for name in values), **values)

    def with_values(self, **values: Value) -> Self:
        """Return the sentence with its placeholders filled in, for one that was chosen among several.

        Raises:
            KeyError: a placeholder has no value.
        """
        return type(self)(self.template, **values)

    @classmethod
    def _make(cls, template: str, many: str, used: str, values: Mapping[str, Value]) -> Self:
        text = super().__new__(
            cls, used.format(**{name: written(value) for name, value in values.items()}) if values else used
        )
        text.template, text.many, text.values = template, many, MappingProxyType(dict(values))
        return text

    def __reduce__(self) -> tuple[object, ...]:
        """Copy as what it was made of."""
        return _copied, (type(self), str(self), self.template, self.many, dict(self.values))


def written(value: Value) -> str:
    """Return a value as English sentences write it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def packed(text: str) -> str:
    """Return a text for the way to another process, from which `unpacked` makes it again."""
    if not isinstance(text, Text):
        return text
    values = {name: packed(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return _PACKED + json.dumps([str(text), text.template, text.many, values])


def unpacked(text: str) -> str:
    """Return what was given to `packed`.

    Raises:
        ValueError: it begins like something packed and is not.
    """
    if not text.startswith(_PACKED):
        return text
    try:
        whole, template, many, values = json.loads(text[len(_PACKED) :])
        found = {str(name): unpacked(value) if isinstance(value, str) else value for name, value in values.items()}
    except (TypeError, AttributeError) as error:
        raise ValueError("what is packed is no text") from error
    return _copied(Text, str(whole), str(template), str(many), found)


def _copied(kind: type[Text], whole: str, template: str, many: str, values: Mapping[str, Value]) -> Text:
    text = str.__new__(kind, whole)
    text.template, text.many, text.values = template, many, MappingProxyType(dict(values))
    return text
