"""A run's states on disk: the newest few, each whole or not there, and found again after a kill at any
moment."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emo_modules.writing.errors import WriteError, write_errors

NO_ROOM = 2**20  # bytes; a file system keeps some back
WEIGHTS = "ema.safetensors"  # in each state
OLDER = ("state", "state.previous")  # as states were called when a run kept one


def saved_states(folder: Path) -> list[Path]:
    """The whole states, the newest first."""
    found = (re.fullmatch(r"state-(\d+)", path.name) for path in folder.glob("state-*"))
    names = sorted((match for match in found if match), key=lambda match: int(match[1]), reverse=True)
    older = (folder / name for name in OLDER)
    return [folder / name[0] for name in names] + [path for path in older if path.exists()]


def state_of(folder: Path, step: int) -> Path:
    """Where the state of a step is or will be."""
    return folder / f"state-{step:06d}"


def find_state(folder: Path) -> Path | None:
    """The newest whole state, None when there is none."""
    return next(iter(saved_states(folder)), None)


def saved_weights(folder: Path) -> Path:
    """The newest state's averaged weights. Raises FileNotFoundError where nothing was saved."""
    state = find_state(folder)
    if state is None:
        raise FileNotFoundError(f"{folder} has no weights: no training saved a state there")
    return state / WEIGHTS


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


def keep_state(folder: Path, step: int, keep_last: int) -> None:
    """The new state becomes that of `step`, and all but the newest `keep_last` go."""
    doomed = folder / "state.removed"  # half of a state must not be taken for one
    (folder / "state.partial").rename(state_of(folder, step))
    for old in saved_states(folder)[keep_last:]:
        shutil.rmtree(doomed, ignore_errors=True)  # of a run that was killed right here
        old.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
