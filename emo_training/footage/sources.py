"""The files of a footage folder: who is seen in them, under which licence, and in which split they belong."""

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .spans import Source

MANIFESTS = ("manifest.jsonl", "manifest.csv")
COLUMNS = {"file", "identity", "licence", "consent", "sound", "split"}
NO = {"no", "false", "0", "none"}
SPLITS = ("train", "test")
LONGEST_KEY = 60


def find_sources(footage: Path, shards: Path | None = None) -> list[Source]:
    """Every file below `footage` but its manifest and what lies in `shards`, in the order of their keys.

    Raises ValueError for a folder without files, and for a manifest that cannot be understood.
    """
    if not footage.is_dir():
        raise ValueError(f"{footage} is no folder: give the folder that holds the videos")
    manifest = read_manifest(footage)
    listed = {path.relative_to(footage).as_posix(): path for path in _files(footage, shards)}
    # a file that is listed but missing becomes a source that cannot be read, so that it is reported
    listed |= {name: footage / name for name in manifest if name not in listed}
    sources = [_source(path, name, manifest.get(name, {})) for name, path in listed.items()]
    if not sources:
        raise ValueError(f"{footage} has no file: put videos there, one sub-folder for each person")
    return sorted(sources, key=lambda source: source.key)


def _files(footage: Path, shards: Path | None) -> Iterator[Path]:
    """Files in all folders, links to folders followed once; an unreadable folder stands for itself."""
    seen: set[Path] = set()
    unreadable: list[Path] = []
    own = shards.resolve() if shards else None
    for folder, inner, names in os.walk(
        footage, followlinks=True, onerror=lambda error: unreadable.append(Path(error.filename))
    ):
        here = Path(folder).resolve()
        if here in seen or here == own:
            inner.clear()
            continue
        seen.add(here)
        skipped = MANIFESTS if Path(folder) == footage else ()
        yield from (Path(folder, name) for name in names if name not in skipped)
    yield from unreadable


def _source(path: Path, name: str, row: dict[str, Any]) -> Source:
    return Source(
        path=path,
        name=name,
        key=key_of(name),
        identity=str(row.get("identity") or default_identity(name)),
        licence=str(row.get("licence") or ""),
        consent=str(row.get("consent") if row.get("consent") is not None else ""),
        sound=str(row.get("sound", "yes")).lower() not in NO,
    )


def key_of(name: str) -> str:
    """A file's name in letters, digits, _ and -, kept unique by a part of its hash."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name.rsplit(".", 1)[0]).strip("_")[:LONGEST_KEY]
    return f"{plain or 'file'}-{_hash(name)[:8]}"


def default_identity(name: str) -> str:
    """The first sub-folder, else the file's name without its ending."""
    first, _, rest = name.partition("/")
    return first if rest else name.rsplit(".", 1)[0]


def split_of(identity: str, test_share: float) -> str:
    """`test` or `train`, by the identity alone: the same whatever other files there are."""
    return "test" if int(_hash(identity)[:12], 16) < test_share * 16**12 else "train"


def has_refused(source: Source) -> bool:
    """Whether the manifest says that this person did not consent."""
    return source.consent.lower() in NO


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def read_manifest(footage: Path) -> dict[str, dict[str, Any]]:
    """Rows by file name, of manifest.jsonl or manifest.csv; empty when there is none.

    Raises ValueError for two manifests, a row without `file`, an unknown column or split, or a repeated file.
    """
    found = [footage / name for name in MANIFESTS if (footage / name).exists()]
    if len(found) > 1:
        raise ValueError(f"{footage} has both {' and '.join(MANIFESTS)}: keep one of them")
    rows: dict[str, dict[str, Any]] = {}
    for line, row in _rows(found[0]) if found else ():
        if not isinstance(row, dict) or not row.get("file"):
            raise ValueError(f"{found[0]} line {line}: expected a row with `file`, got {row}")
        if unknown := set(row) - COLUMNS:
            raise ValueError(f"{found[0]} line {line}: unknown {unknown}, the columns are {sorted(COLUMNS)}")
        if row.get("split") and row["split"] not in SPLITS:
            raise ValueError(f"{found[0]} line {line}: split is {row['split']!r}, expected is train or test")
        name = str(row["file"]).replace("\\", "/").removeprefix("./")
        if name in rows:
            raise ValueError(f"{found[0]} line {line}: {name} was listed before")
        rows[name] = row
    return rows


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix == ".csv":
            yield from enumerate(csv.DictReader(file), 2)
            return
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except json.JSONDecodeError as error:
                    raise ValueError(f"{path} line {number} is no JSON: {error}") from error
