"""Files that appear whole or not at all, under partial names of their own until then.

A partial is `NAME.TOKEN.partial` beside the file, or `STEM.TOKEN.partial.SUFFIX` where it can be played as it
grows. No two writers have the same one, so that two processes with one output both keep their work.
"""

import errno
import glob
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import write_errors

MARK = ".partial"
LONGEST_NAME = 255  # bytes, on every file system in use
TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
ABANDONED = 3600  # seconds without a write, after which no process can still be at it


def target_of(path: Path) -> Path:
    """Where a link leads, so that its file is replaced and not the link; other paths as they are."""
    return path.resolve() if path.is_symlink() else path


@contextmanager
def whole_file(path: Path, *, playable: bool = False) -> Iterator[Path]:
    """A path to write to, which becomes `path` when the block ends well and vanishes when it does not.

    Its folder is made when it is missing. Raises WriteError.
    """
    with write_errors(path):
        path = target_of(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in leftovers(path):
            if time.time() - old.stat().st_mtime > ABANDONED:
                old.unlink(missing_ok=True)
        partial = create_partial(path, playable=playable)
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any, indent: int | None = None) -> None:
    write_text(path, json.dumps(content, indent=indent, sort_keys=True))


def create_partial(path: Path, *, playable: bool = False) -> Path:
    """An empty file beside `path`; a playable one keeps the suffix. Raises OSError when there can be none."""
    mark = f".{secrets.token_hex(4)}{MARK}"
    partial = named_after(path, mark) if playable else path.with_name(fitting(path.name, mark))
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return partial


def create_partial_folder(path: Path) -> Path:
    """An empty folder beside `path`. Raises OSError when there can be none."""
    partial = path.with_name(fitting(path.name, f".{secrets.token_hex(4)}{MARK}"))
    partial.mkdir()
    return partial


def named_after(path: Path, mark: str) -> Path:
    """talk.mp4 -> talk.part.mp4; a name that would get too long loses its end."""
    return path.with_name(fitting(path.stem, mark + path.suffix))


def fitting(name: str, end: str) -> str:
    """The two together; a name that would get too long loses its own end."""
    return name.encode()[: LONGEST_NAME - len(end.encode())].decode(errors="ignore") + end


def leftovers(path: Path) -> list[Path]:
    """Partials of `path` by other writers: at work, or killed."""
    plain = path.parent.glob(glob.escape(path.name) + f".????????{MARK}")
    playable = path.parent.glob(glob.escape(path.stem) + f".????????{MARK}{glob.escape(path.suffix)}")
    return sorted({*plain, *playable})


def remove_partials(folder: Path) -> None:
    """Those of runs that were killed, in a folder that no other process uses."""
    for found in folder.glob(f"*.????????{MARK}*"):
        found.unlink()


Seen = tuple[int, int, int] | None


def look_at(path: Path) -> Seen:
    """What tells one file under this name from another: None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def publish(partial: Path, path: Path, before: Seen) -> Path:
    """Gives a finished file its name, or the next free one when `path` is no longer what it was `before`.

    Returns the name. A file that another writer finished in the meantime is never replaced.
    """
    if before is not None and look_at(path) == before:
        os.replace(partial, path)
        return path
    while not _name(partial, path):
        path = next_name(path)
    return path


def _name(partial: Path, path: Path) -> bool:
    """Whether the file has its name now, which nothing had. In one step: a kill leaves no empty file."""
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links, such as FAT
        return _claim_and_move(partial, path)
    partial.unlink()
    return True


def _claim_and_move(partial: Path, path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        return False
    os.replace(partial, path)
    return True


def publish_folder(partial: Path, path: Path) -> Path:
    """Gives a finished folder its name, or the next free one when anything but an empty folder has it.

    Returns the name.
    """
    while True:
        with suppress(OSError):
            path.rmdir()  # Windows renames onto no folder, not even an empty one
        try:
            partial.rename(path)
        except OSError as error:
            if error.errno not in TAKEN:
                raise
            path = next_name(path)
        else:
            return path


def next_name(path: Path) -> Path:
    """EMO_00007_.mp4 -> EMO_00008_.mp4, as ComfyUI counts; talk.mp4 -> talk-2.mp4 -> talk-3.mp4."""
    if counted := re.fullmatch(r"(.*_)(\d{5,})(_.*)", path.stem):
        before, number, after = counted.groups()
        return path.with_stem(f"{before}{int(number) + 1:0{len(number)}}{after}")
    if counted := re.fullmatch(r"(.*)-(\d+)", path.stem):
        return path.with_stem(f"{counted[1]}-{int(counted[2]) + 1}")
    return path.with_stem(f"{path.stem}-2")
