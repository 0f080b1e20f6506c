"""What people read: an English sentence that remembers how it was made, so that the window can say it otherwise."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

type Value = str | int | float


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
    return f"{value:,}" if isinstance(value, int) else str(value)


def _copied(kind: type[Text], whole: str, template: str, many: str, values: Mapping[str, Value]) -> Text:
    text = str.__new__(kind, whole)
    text.template, text.many, text.values = template, many, MappingProxyType(dict(values))
    return text
