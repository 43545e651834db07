"""Job files: a CSV with a heading, or a JSONL with an object on each line. A job is a row."""

import csv
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .columns import REQUIRED, column_of

SUFFIXES = (".csv", ".jsonl")
SEPARATORS = ",;\t"  # spreadsheets write the one of their user's country


@dataclass(frozen=True)
class Row:
    """A job as it stands in the file: its number, from 1 and without the heading, and its cells by column."""

    number: int
    cells: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()  # of what could not become cells


def read_rows(path: Path) -> list[Row]:
    """Raises FileNotFoundError, or ValueError for a file that is none of jobs, or has a wrong heading."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path} should be a .csv or .jsonl with one job in each row")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8: save it as CSV UTF-8, or convert it") from error
    rows = _csv_rows(path, text) if path.suffix.lower() == ".csv" else _json_rows(text)
    if not rows:
        raise ValueError(f"{path} holds no job: write one in each row, with portrait and audio")
    return rows


def _csv_rows(path: Path, text: str) -> list[Row]:
    first = text.lstrip().partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    try:
        lines = [
            cells for cells in csv.reader(text.splitlines(keepends=True), delimiter=separator) if any(cells)
        ]
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from error
    if not lines:
        return []
    columns = _heading(path, lines[0])
    return [_csv_row(number, columns, cells) for number, cells in enumerate(lines[1:], 1)]


def _heading(path: Path, names: list[str]) -> list[str]:
    try:
        columns = [column_of(name) for name in names]
    except ValueError as error:
        raise ValueError(f"{path}, heading: {error}") from error
    if missing := [name for name in REQUIRED if name not in columns]:
        raise ValueError(f"{path}, heading: there is no column {' and no column '.join(missing)}")
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise ValueError(f"{path}, heading: the column {twice[0]} is there twice")
    return columns


def _csv_row(number: int, columns: list[str], cells: list[str]) -> Row:
    if len(cells) > len(columns):
        many = f"has {len(cells)} cells, the heading {len(columns)}: put texts with commas in quotes"
        return Row(number, problems=(many,))
    return Row(number, dict(zip(columns, cells, strict=False)))


def _json_rows(text: str) -> list[Row]:
    lines = [line for line in text.split("\n") if line.strip()]
    return [_json_row(number, line) for number, line in enumerate(lines, 1)]


def _json_row(number: int, line: str) -> Row:
    try:
        values = json.loads(line)
    except ValueError as error:
        return Row(number, problems=(f"is no JSON: {error}",))
    if not isinstance(values, dict):
        wrong = f"is {reprlib.repr(values)}; expected is an object, such as "
        return Row(number, problems=(wrong + '{"portrait": "anna.png", "audio": "hello.wav"}',))
    cells, problems = {}, []
    for name, value in values.items():
        try:
            cells[column_of(name)] = value
        except ValueError as error:
            problems.append(str(error))
    return Row(number, cells, tuple(problems))
