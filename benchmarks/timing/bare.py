"""A machine with a GPU may lack what reads and writes files: no row needs it, but it is imported."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from unittest.mock import MagicMock

FILE_LIBRARIES = ("av", "soxr")


@contextmanager
def stand_ins() -> Iterator[list[str]]:
    """What is imported within finds something in the place of file libraries that are not installed, whose
    names this gives. Afterwards they are absent again: other libraries ask whether they are there."""
    absent = [name for name in FILE_LIBRARIES if not _installed(name)]
    sys.modules.update({name: MagicMock() for name in absent})
    try:
        yield absent
    finally:
        for name in absent:
            del sys.modules[name]


def _installed(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True
