"""What not every system has: marks that skip a test and say why."""

import os
import tempfile
from pathlib import Path

import pytest

WINDOWS = os.name == "nt"


def _can_link() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            (Path(folder) / "link").symlink_to(folder)
        except OSError:
            return False
    return True


needs_links = pytest.mark.skipif(not _can_link(), reason="symbolic links need a right that this user lacks")
needs_signals = pytest.mark.skipif(WINDOWS, reason="Windows has no signals and no groups of processes")
needs_proc = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux' /proc")
needs_posix_errors = pytest.mark.skipif(WINDOWS, reason="Windows reports another error for this")
