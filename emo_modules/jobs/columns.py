"""The columns of a job file, and what a cell may be: CSV's texts and JSON's values by the same rules."""

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from ..checked import described_fields, fits, words
from ..film import FaceOptions
from ..options import Options


@dataclass(frozen=True)
class Files:
    """What a row reads and writes."""

    portrait: Annotated[Path | None, "a picture"] = None
    audio: Annotated[Path | None, "any audio or video file with sound"] = None
    output: Annotated[str | None, "the video's name below --out"] = None


def _kinds(record: type) -> dict[str, Any]:
    return {name: kind for name, kind, *_ in described_fields(record)}


FACE, SETTINGS = _kinds(FaceOptions), _kinds(Options)
COLUMNS = _kinds(Files) | FACE | SETTINGS
REQUIRED = ("portrait", "audio")


def column_of(name: str) -> str:
    """The column that a heading or key names, spelled as the option or as the field. Raises ValueError with
    the nearest one."""
    column = name.strip().lower().removeprefix("--").replace("-", "_")
    if column in COLUMNS:
        return column
    near = get_close_matches(column, COLUMNS, 1)
    remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(COLUMNS)}"
    raise ValueError(f"unknown column {reprlib.repr(name)}: {remedy}")


def read_cell(column: str, cell: Any) -> Any:
    """A text, or a value of JSON, as the column's kind; None where nothing is given.

    Raises ValueError that says what it may be.
    """
    if cell is None or isinstance(cell, str) and not cell.strip():
        return None
    kind = COLUMNS[column]
    value = from_text(kind, cell.strip()) if isinstance(cell, str) else from_json(kind, cell)
    if not fits(value, kind):
        raise ValueError(f"{column} is {reprlib.repr(cell)}; expected is {words(kind)}")
    return value


def from_text(kind: Any, text: str) -> Any:
    """What the text says, or the text itself when it says nothing of that kind."""
    if get_origin(kind) is tuple:
        return _all_of(get_args(kind), text.replace(",", " ").split())
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind not in (int, float, Path):
        return text
    try:
        return kind(text)
    except ValueError:
        return text


def from_json(kind: Any, value: Any) -> Any:
    """Lists as tuples, whole numbers as the floats that they are in CSV."""
    if isinstance(value, list):
        return _all_of(get_args(kind), value)
    return float(value) if kind is float and type(value) is int else value


def _all_of(kinds: tuple[Any, ...], parts: Iterable[Any]) -> tuple[Any, ...]:
    parts = list(parts)
    if len(parts) != len(kinds):
        return tuple(parts)
    return tuple(
        from_text(kind, part) if isinstance(part, str) else from_json(kind, part)
        for kind, part in zip(kinds, parts, strict=True)
    )
