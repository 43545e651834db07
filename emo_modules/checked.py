"""Frozen dataclasses that refuse what cannot be: kinds by their type hints, ranges written beside these."""

import reprlib
import types
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")
WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a file",
    type(None): "null",
}


@dataclass(frozen=True)
class Range:
    """Of a number, both ends allowed: `Annotated[int, Range(1, 8)]`."""

    low: float
    high: float
    multiple: int = 1

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high and (self.multiple == 1 or value % self.multiple == 0)

    def __str__(self) -> str:
        steps = f" in steps of {self.multiple}" if self.multiple > 1 else ""
        return f"from {self.low:g} to {self.high:g}{steps}"


@dataclass(frozen=True)
class Length:
    """Of a list or text, both ends allowed."""

    low: int
    high: int

    def holds(self, value: Any) -> bool:
        return self.low <= len(value) <= self.high

    def __str__(self) -> str:
        return f"of length {self.low}" if self.low == self.high else f"of length {self.low} to {self.high}"


# Ten times what any model of this kind has: a file cannot ask for gigabytes, or for layers without end.
Channels = Annotated[int, Range(1, 16384)]
Count = Annotated[int, Range(1, 128)]
Frames = Annotated[int, Range(0, 256)]
Size = Annotated[int, Range(8, 4096, multiple=8)]  # pixels; the autoencoders reduce them by 8
Share = Annotated[float, Range(0, 1)]
Factor = Annotated[float, Range(-100, 100)]
Degrees = Annotated[float, Range(0, 10_000)]  # per second


class Checked:
    """Base of a frozen dataclass: making one raises ValueError with field, value and what it may be."""

    def __post_init__(self) -> None:
        kind: type = type(self)
        for name, hint in _hints(kind).items():
            value = getattr(self, name)
            if not fits(value, hint):
                raise ValueError(
                    f"{kind.__name__}.{name} is {reprlib.repr(value)}; expected is {words(hint)}"
                )
        for reason in self.impossible():
            raise ValueError(f"{kind.__name__}: {reason}")

    def impossible(self) -> Iterator[str]:
        """Why fields that are right each for itself do not go together; overridden where they may not."""
        yield from ()


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is what a type hint says, limits included; a number is finite."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fits(value, args[0]) and all(limit.holds(value) for limit in _limits(args))
    if origin in (Union, types.UnionType):
        return any(fits(value, arg) for arg in args)
    if origin is Literal:
        return any(value == arg and type(value) is type(arg) for arg in args)
    if origin is tuple:
        kinds = args[:1] * len(value) if isinstance(value, tuple) and args[-1] is ... else args
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(fits, value, kinds))
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and -inf < value < inf
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def _limits(annotated: tuple[Any, ...]) -> list[Range | Length]:
    """Of what stands beside a kind; the rest are texts for the command line."""
    return [note for note in annotated[1:] if isinstance(note, (Range, Length))]


def words(hint: Any) -> str:
    """What a field may be, for a message."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return " ".join([words(args[0]), *map(str, _limits(args))])
    if origin in (Union, types.UnionType):
        return " or ".join(map(words, args))
    if origin is Literal:
        return f"one of {', '.join(map(str, args))}"
    if origin is tuple:
        many = "a list" if args[-1] is ... else f"a list of {len(args)}"
        return f"{many}, each {words(args[0])}"
    return "names and values" if origin is dict or is_dataclass(hint) else WORDS.get(hint, hint.__name__)


def described_fields(record: type) -> Iterator[tuple[str, Any, Any, tuple[Any, ...]]]:
    """Of the fields with a text: name, kind without `| None`, default, and the notes beside the kind."""
    hints = get_type_hints(record, include_extras=True)
    for field in fields(record):
        if get_origin(hints[field.name]) is not Annotated:
            continue
        kind, *notes = get_args(hints[field.name])
        if any(isinstance(note, str) for note in notes):
            kinds = [part for part in get_args(kind) if part is not type(None)]
            yield field.name, kinds[0] if type(None) in get_args(kind) else kind, field.default, tuple(notes)


def from_dict(kind: type[Kind], values: Any, remedy: str) -> Kind:
    """The dataclass `kind` from nested dictionaries. Raises ValueError naming keys that no field has."""
    if not isinstance(values, dict):
        raise ValueError(f"{kind.__name__} is {reprlib.repr(values)}; expected are names and values")
    plain: type = kind
    hints = _hints(plain)
    if unknown := sorted(set(values) - set(hints)):
        raise ValueError(f"{kind.__name__} has no field {', '.join(unknown[:5])}; {remedy}")
    return kind(**{name: _convert(hints[name], value, remedy) for name, value in values.items()})


def _convert(hint: Any, value: Any, remedy: str) -> Any:
    """JSON's lists and objects -> tuples and dataclasses, also where the hint allows others."""
    if isinstance(value, list):
        return tuple(value)
    kinds = (kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and is_dataclass(kind))
    if isinstance(value, dict) and (kind := next(kinds, None)):
        return from_dict(kind, value, remedy)
    return value
