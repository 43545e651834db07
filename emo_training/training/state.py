"""A run's state on disk: replaced as a whole, and found again after a kill at any moment."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emo_modules.writing.errors import WriteError, write_errors

NO_ROOM = 2**20  # bytes; a file system keeps some back


def find_state(folder: Path) -> Path | None:
    """The newest whole state, None when there is none."""
    return next((path for path in (folder / "state", folder / "state.previous") if path.exists()), None)


@contextmanager
def new_state(folder: Path) -> Iterator[Path]:
    """A path for a new state. Raises WriteError when it cannot be written, and makes its room free again."""
    partial = folder / "state.partial"
    try:
        with write_errors(folder / "state"):
            try:
                yield partial
            except RuntimeError as error:  # what torch.save makes of a full disk, in words of its own
                full = shutil.disk_usage(folder).free < NO_ROOM
                if not (full or "inline_container" in str(error)):
                    raise
                number = errno.ENOSPC if full else errno.EIO
                raise OSError(number, os.strerror(number)) from error
    except WriteError:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def replace_state(folder: Path) -> None:
    """The new state takes the place of the one before; a kill in between leaves one of them whole."""
    state, partial, previous = (folder / f"state{end}" for end in ("", ".partial", ".previous"))
    shutil.rmtree(previous, ignore_errors=True)
    if state.exists():
        state.rename(previous)
    partial.rename(state)
    shutil.rmtree(previous, ignore_errors=True)
