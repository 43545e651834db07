"""Whether a file can be written where it should go, asked before hours are spent on it."""

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from .errors import write_errors

FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)


def check_file_place(path: Path, suffixes: Sequence[str], inputs: Iterable[Path] = ()) -> None:
    """Raises ValueError or WriteError, with the remedy, when no file `path` can be written.

    Capital letters in the suffix are as good; one of the `inputs` is not overwritten. Missing folders are not
    made, and nothing is left behind.
    """
    with write_errors(path):
        is_folder = path.is_dir()
    if is_folder:
        example = path / f"out{suffixes[0]}"
        raise ValueError(f"{path} is a folder: give the name of a file in it, such as {example}")
    if path.suffix.lower() not in suffixes:
        raise ValueError(
            f"{path} should end in {one_of(suffixes)}, got {path.suffix or 'no suffix'}: "
            f"name it {path.with_suffix(suffixes[0]).name}"
        )
    if os.name == "nt" and (problem := name_problem(path.name)):
        raise ValueError(f"{path.name} {problem}: choose another name")
    check_place(path)
    if any(path.exists() and given.exists() and path.samefile(given) for given in inputs):
        raise ValueError(f"{path} is read and would be overwritten: give the output another name")


def check_place(path: Path) -> None:
    """Raises WriteError when `path` can be neither written nor made."""
    with write_errors(path):
        there, missing = path.absolute().parent, [path.name]
        while not _exists(there):
            missing.append(there.name)
            there = there.parent
        for name in missing:
            _exists(there / name)  # the system's own limits on names
        with tempfile.TemporaryFile(dir=there):
            pass


def _exists(path: Path) -> bool:
    """Raises OSError for anything else than that nothing is there, such as too long a name."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def one_of(names: Sequence[str]) -> str:
    """.mp4, .mov or .mkv."""
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def name_problem(name: str) -> str | None:
    """Why Windows cannot hold a file or folder of this name, as the rest of a sentence; None when it can."""
    if found := FORBIDDEN.search(name):
        return f"has {found[0]!r} in it, which Windows cannot hold"
    if DEVICES.fullmatch(name):
        return "is the name of a device on Windows"
    if name.endswith((".", " ")):
        return "ends in a dot or a space, which Windows cannot hold"
    return None
