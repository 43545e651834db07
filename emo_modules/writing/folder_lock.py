"""Folders that one run has for itself, such as a training's state: a second one is told who is there."""

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from .errors import write_errors
from .partial import remove_partials
from .place import check_place

LOCK = ".in-use"

_log = logging.getLogger(__name__)


@contextmanager
def folder_in_use(folder: Path, run: str, share: str | None = None) -> Iterator[None]:
    """Makes `folder` and holds it for the run, which the message to others calls `run`.

    Runs of different shares (`0-of-8`) may be there together, none beside one of the whole. The system lets
    go of the folder when the process ends, however it ends; the partial files of killed runs are removed, and
    a folder made here into which nothing was written. Raises ValueError that names the other run, WriteError
    when the folder cannot be made or written.
    """
    check_place(folder / LOCK)
    is_new = not folder.exists()
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _hold(folder / (f"{LOCK}-{share}" if share else LOCK), run):
        for other in [folder / LOCK] if share else folder.glob(f"{LOCK}-*"):
            with _hold(other, run):
                pass
        if share is None:
            remove_partials(folder)
        try:
            yield
        finally:
            if is_new:
                _remove_unused(folder)


def _remove_unused(folder: Path) -> None:
    found = list(folder.iterdir())
    if all(path.name.startswith(LOCK) for path in found):
        with suppress(PermissionError):  # Windows lets nobody remove a locked file
            for path in found:
                path.unlink()
            folder.rmdir()


@contextmanager
def _hold(path: Path, run: str) -> Iterator[None]:
    from filelock import FileLock, SoftFileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(
            f"{path.parent} is in use by {_holder(path)}: wait until it has ended, or choose another folder"
        ) from error
    except (OSError, NotImplementedError) as error:  # network file systems without locks
        if isinstance(error, OSError) and error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise
        _log.warning("%s cannot be locked on this file system: let no other run write there", path.parent)
    try:
        since = f"since {datetime.now():%Y-%m-%d %H:%M}"
        who = f"{run}, process {os.getpid()} on {socket.gethostname()} {since}"
        if not isinstance(lock, SoftFileLock):  # which notes its process there, and finds out if it is dead
            with suppress(PermissionError):  # Windows lets nobody write to a locked file, not even its owner
                path.write_text(who, encoding="utf-8")
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another run"
    except PermissionError:  # Windows lets nobody read a locked file
        return "another run"
