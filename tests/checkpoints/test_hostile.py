"""No file costs memory or time before it is known to fit; each is answered with its name and a sentence."""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emo_modules.checkpoints.store import load_checkpoint

from ..hostile import CASES, IMPOSSIBLE, Case

ROOM = 500 * 2**20  # bytes of address space that a refusal may take
SECONDS = 10  # on a busy machine; benchmarks/hostile_checkpoints.py measures it


@pytest.fixture
def little_room() -> Iterator[None]:
    """A load that asks for more memory than this ends in MemoryError; only Linux can be told so."""
    if sys.platform != "linux":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def good(tiny_checkpoint) -> bytes:
    load_checkpoint(tiny_checkpoint)  # libraries are imported, and what follows is the file's own cost
    return tiny_checkpoint.read_bytes()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_hostile_files_are_refused_in_words(case: Case, good, tmp_path, monkeypatch, little_room):
    monkeypatch.chdir(tmp_path)
    path = case.write(tmp_path, good)
    start = time.monotonic()
    with pytest.raises(ValueError) as caught:
        load_checkpoint(path)
    assert time.monotonic() - start < SECONDS
    assert str(path) in str(caught.value)
    assert re.search(case.said, str(caught.value)), str(caught.value)
    assert not Path("it ran").exists()


def test_there_is_a_case_for_each_configuration_that_was_once_built():
    assert len(IMPOSSIBLE) == 8
