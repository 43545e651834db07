"""Who is trained on and who is held out: as a published list, the manifest or the hash of the name says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import PrepareConfig
from .sources import SPLITS, split_of

TRAIN, TEST = SPLITS


@dataclass(frozen=True)
class Splits:
    """The split of every person, and the names of the list that nothing in the footage has."""

    people: dict[str, str]
    unknown: tuple[str, ...] = ()


def assign_splits(
    files: Mapping[str, str], manifest: Mapping[str, dict[str, Any]], config: PrepareConfig
) -> Splits:
    """Puts each person into one split. `files` has who is seen in each file below the footage folder.

    A list decides alone: whoever it names is held out, with all their files, and all others are trained on.
    Without one the manifest decides, and the hash where it says nothing. Raises ValueError for a person whom
    the manifest puts into both, and for a list that names nobody of the footage.
    """
    people = sorted(set(files.values()))
    if config.split_list:
        held_out, unknown = _listed(Path(config.split_list), files)
        return Splits({who: TEST if who in held_out else TRAIN for who in people}, unknown)
    said = _said(files, manifest)
    return Splits({who: said.get(who) or split_of(who, config.test_share) for who in people})


def _said(files: Mapping[str, str], manifest: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """The manifest's word on each person, of whom it need not list every file."""
    said: dict[str, tuple[str, str]] = {}
    for file, who in files.items():
        split = manifest.get(file, {}).get("split")
        if not split:
            continue
        other, before = said.setdefault(who, (split, file))
        if other != split:
            raise ValueError(
                f"the manifest puts {who} into {other} with {before} and into {split} with {file}: one "
                "person belongs to one split, or gets two identities"
            )
    return {who: split for who, (split, _) in said.items()}


def _listed(path: Path, files: Mapping[str, str]) -> tuple[set[str], tuple[str, ...]]:
    """The people whom a list names, and its names that are not found."""
    known: dict[str, set[str]] = {}
    for file, who in files.items():
        for name in (*_tails(file), who):
            known.setdefault(name, set()).add(who)
    names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    names = [name.replace("\\", "/") for name in names if name and not name.startswith("#")]
    found = {name: _find(name, known) for name in names}
    if not any(found.values()):
        raise ValueError(
            f"{path}: none of its {len(names)} lines names a file or person of the footage, which has "
            f"{next(iter(files))} of {next(iter(files.values()))}: give one name in each line"
        )
    return set().union(*found.values()), tuple(name for name, people in found.items() if not people)


def _find(name: str, known: Mapping[str, set[str]]) -> set[str]:
    """By as much of the name as anything has: lists come with the folders of other machines, and HDTF's own
    with times behind the name."""
    wanted = (tail for text in (name, name.split()[0]) for tail in (text, *_tails(text)))
    return next((known[tail] for tail in wanted if tail in known), set())


def _tails(file: str) -> Iterator[str]:
    """a/b/c.mp4 -> a/b/c, b/c, c"""
    parts = file.split("/")
    parts[-1] = parts[-1].rsplit(".", 1)[0]
    return ("/".join(parts[k:]) for k in range(len(parts)))
