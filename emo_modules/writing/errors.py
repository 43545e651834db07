"""What went wrong with writing, in one sentence with its remedy."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
REMEDIES = {
    errno.ENOSPC: "free space there, or choose another disk",
    errno.EDQUOT: "free space there, or choose another disk",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENOTDIR: "a part of the way to it is a file; choose another folder",
    errno.ENOENT: "make the folder that it should go to, or choose another",
    errno.EISDIR: "give the name of a file",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that can be written",
}


class WriteError(OSError):
    """An error of writing whose text says which file, why, and what to do."""

    def __str__(self) -> str:
        return str(self.strerror)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Errors of the system in this block become a WriteError that names `path`."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        raise write_error(path, error) from error
    except SafetensorError as error:
        if (found := re.search(r"\(os error (\d+)\)", str(error))) is None:
            raise
        number = int(found[1])
        raise write_error(path, OSError(number, os.strerror(number))) from error


def write_error(path: Path, error: OSError) -> WriteError:
    remedy = f": {REMEDIES[error.errno]}" if error.errno in REMEDIES else ""
    reason = (error.strerror or str(error)).lower()
    return WriteError(error.errno, f"{path} cannot be written, {reason}{remedy}")
