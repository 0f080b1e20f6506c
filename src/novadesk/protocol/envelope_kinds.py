"""Kinds of values in the gateway's messages: how each is read, written and described, from one annotation.

A message is a frozen dataclass. `kind_of` makes of the annotation of each of its fields what reads it out of JSON,
writes it, and describes it as JSON Schema, so that code and description cannot part.
"""

import binascii
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Protocol, Union, get_args, get_origin, get_type_hints

from novadesk.errors import BugError
from novadesk.protocol.history import well_formed

U32 = 4_294_967_295
_MANY = 2_000


class Unfit(ValueError):
    """A value that is not of its kind.

    Args:
        wanted: what it has to be, as the end of a sentence.
        path: the names that lead to it, outermost first.
    """

    def __init__(self, wanted: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.path = path

    def within(self, name: str) -> "Unfit":
        """Return the same, one level further out."""
        return Unfit(self.wanted, (name, *self.path))

    @property
    def sentence(self) -> str:
        """Return what is wrong, naming the field and never its value."""
        return f"{'.'.join(self.path) or 'The message'} must be {self.wanted}."


class Kind(Protocol):
    """What a field may hold."""

    def read(self, value: object) -> Any:
        """Return a value of JSON as ours; raises `Unfit`."""
        ...

    def write(self, value: Any) -> object:
        """Return one of ours as a value of JSON."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of it."""
        ...


class Words:
    """Text of a number of characters; halves of surrogate pairs become U+FFFD."""

    def __init__(self, least: int = 0, most: int = 200) -> None:
        self._least = least
        self._most = most

    def read(self, value: object) -> str:
        """See `Kind`."""
        if not isinstance(value, str) or not self._least <= len(value) <= self._most:
            raise Unfit(f"text of {self._least} to {self._most} characters")
        return well_formed(value)

    def write(self, value: str) -> object:
        """See `Kind`."""
        return well_formed(value)

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        least = {"minLength": self._least} if self._least else {}
        return {"type": "string", **least, "maxLength": self._most}


class Whole:
    """A whole number; 16000.0 counts as 16000."""

    def __init__(self, least: int = 0, most: int = U32) -> None:
        self._least = least
        self._most = most

    def read(self, value: object) -> int:
        """See `Kind`."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not self._least <= value <= self._most:
            only = self._least == self._most
            raise Unfit(str(self._least) if only else f"a whole number from {self._least} to {self._most}")
        return value

    def write(self, value: int) -> object:
        """See `Kind`."""
        return value

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "integer", "minimum": self._least, "maximum": self._most}


class Number:
    """A finite number."""

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most

    def read(self, value: object) -> float:
        """See `Kind`."""
        if isinstance(value, int | float) and not isinstance(value, bool) and self._least <= value <= self._most:
            return float(value)
        raise Unfit(f"a number from {self._least:g} to {self._most:g}")

    def write(self, value: float) -> object:
        """See `Kind`."""
        if not math.isfinite(value):
            raise BugError("A number of a message is not finite.")
        return value

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "number", "minimum": self._least, "maximum": self._most}


class Flag:
    """True or false."""

    def read(self, value: object) -> bool:
        """See `Kind`."""
        if not isinstance(value, bool):
            raise Unfit("true or false")
        return value

    def write(self, value: bool) -> object:
        """See `Kind`."""
        return value

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "boolean"}


class Choice:
    """One of an enumeration, by value, in upper or lower case."""

    def __init__(self, kind: type[Enum]) -> None:
        self._values = [str(member.value) for member in kind]
        self._members = {value.lower(): member for value, member in zip(self._values, kind, strict=True)}

    def read(self, value: object) -> Enum:
        """See `Kind`."""
        member = self._members.get(value.lower()) if isinstance(value, str) else None
        if member is None:
            raise Unfit(f"{'one of ' if self._values[1:] else ''}{', '.join(self._values)}")
        return member

    def write(self, value: Enum) -> object:
        """See `Kind`."""
        return value.value

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "string", "enum": self._values}


class Bytes:
    """Bytes, in base64 of the usual alphabet."""

    def __init__(self, most: int) -> None:
        self._most = most

    def read(self, value: object) -> bytes:
        """See `Kind`."""
        try:
            data = b64decode(value, validate=True) if isinstance(value, str) else None
        except (binascii.Error, ValueError):
            data = None
        if data is None or len(data) > self._most:
            raise Unfit(f"base64 of at most {self._most} bytes")
        return data

    def write(self, value: bytes) -> object:
        """See `Kind`."""
        return b64encode(value).decode()

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "string", "contentEncoding": "base64", "maxLength": -(-self._most // 3) * 4}


class Many:
    """A list of one kind."""

    def __init__(self, kind: Kind, most: int = _MANY) -> None:
        self._kind = kind
        self._most = most

    def read(self, value: object) -> tuple[Any, ...]:
        """See `Kind`."""
        if not isinstance(value, list) or len(value) > self._most:
            raise Unfit(f"a list of at most {self._most}")
        return tuple(self._kind.read(item) for item in value)

    def write(self, value: tuple[Any, ...]) -> object:
        """See `Kind`."""
        return [self._kind.write(item) for item in value]

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "array", "items": self._kind.schema(), "maxItems": self._most}


class Maybe:
    """One kind, or nothing."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def read(self, value: object) -> Any:
        """See `Kind`."""
        return None if value is None else self._kind.read(value)

    def write(self, value: Any) -> object:
        """See `Kind`."""
        return None if value is None else self._kind.write(value)

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return self._kind.schema()


class Also:
    """Stands in an annotation for the other names that a field has in JSON; the first one that is there counts."""

    def __init__(self, *names: str) -> None:
        self.names = names


class Shape:
    """An object: the fields of a dataclass. Unknown fields are passed over, absent ones take their default.

    A class whose values can contradict themselves has a method `problem` that says in what, or returns nothing.
    """

    def __init__(self, cls: type) -> None:
        hints = get_type_hints(cls, include_extras=True)
        self._cls = cls
        self._parts = [
            (one, camel(one.name), _names(one.name, hints[one.name]), kind_of(hints[one.name])) for one in fields(cls)
        ]

    def read(self, value: object) -> Any:
        """See `Kind`."""
        if not isinstance(value, dict):
            raise Unfit("an object")
        found: dict[str, Any] = {}
        for part, name, names, kind in self._parts:
            there = next((each for each in names if value.get(each) is not None), None)
            if there is not None:
                try:
                    found[part.name] = kind.read(value[there])
                except Unfit as unfit:
                    raise unfit.within(name) from None
            elif _needed(part):
                raise Unfit("there", (name,))
        made = self._cls(**found)
        problem: Callable[[], str] | None = getattr(made, "problem", None)
        if problem is not None and (wanted := problem()):
            raise Unfit(wanted)
        return made

    def write(self, value: Any) -> dict[str, object]:
        """See `Kind`. What is None is left out."""
        held = ((name, kind, getattr(value, part.name)) for part, name, _, kind in self._parts)
        return {name: kind.write(one) for name, kind, one in held if one is not None}

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        needed = [name for part, name, _, _ in self._parts if _needed(part)]
        properties = {name: {**kind.schema(), **_others(names)} for _, name, names, kind in self._parts}
        return {"type": "object", "properties": properties, **({"required": needed} if needed else {})}


def kind_of(annotation: Any) -> Kind:
    """Return the kind that an annotation stands for.

    Raises:
        BugError: it stands for none.
    """
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        told = next((each for each in extras if not isinstance(each, Also)), None)
        return kind_of(inner) if told is None else told
    if get_origin(annotation) in (UnionType, Union):
        (only,) = [each for each in get_args(annotation) if each is not NoneType]
        return Maybe(kind_of(only))
    if get_origin(annotation) is tuple:
        return Many(kind_of(get_args(annotation)[0]))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return Choice(annotation)
    if is_dataclass(annotation) and isinstance(annotation, type):
        return Shape(annotation)
    plain: Mapping[Any, Callable[[], Kind]] = {str: Words, int: Whole, bool: Flag}
    if annotation not in plain:
        raise BugError(f"A message has no values of {annotation}.")
    return plain[annotation]()


def camel(name: str) -> str:
    """Return an attribute's name as JSON spells it."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _others(names: tuple[str, ...]) -> dict[str, Any]:
    return {"x-aliases": list(names[1:])} if names[1:] else {}


def _names(name: str, annotation: Any) -> tuple[str, ...]:
    return (camel(name), *(other for also in _alsos(annotation) for other in also.names))


def _alsos(annotation: Any) -> Iterator[Also]:
    for each in get_args(annotation):
        if isinstance(each, Also):
            yield each
        elif get_origin(each) is Annotated:
            yield from _alsos(each)


def _needed(part: Field[Any]) -> bool:
    return part.default is MISSING and part.default_factory is MISSING
