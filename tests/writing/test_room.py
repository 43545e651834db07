"""Large tensors lie on the disk, small ones in memory; both are tensors like others."""

import errno
import gc
import os
from pathlib import Path

import pytest
import torch

from emo_modules.writing import room
from emo_modules.writing.room import room_for

SHAPE = (3, 5, 7)


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(room, "LARGE", 100)


def mapped_files() -> list[str]:
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if "(deleted)" in line]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="tells of mapped files on Linux only")
def test_a_large_tensor_is_a_file_without_a_name_that_goes_with_it(large, tmp_path):
    before = len(mapped_files())
    tensor = room_for(SHAPE, tmp_path)
    part = tensor[1:]
    tensor[:] = torch.arange(105.0).view(SHAPE)
    assert len(mapped_files()) == before + 1
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(part * 2, torch.arange(35.0, 105.0).view(2, 5, 7) * 2)
    del tensor
    gc.collect()
    assert part[0, 0, 0] == 35
    del part
    gc.collect()
    assert len(mapped_files()) == before


def test_a_small_one_is_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(room.tempfile, "TemporaryFile", None)
    assert room_for(SHAPE, tmp_path).shape == SHAPE


def test_without_room_on_the_disk_it_is_in_memory_after_all(large, tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(room, "_reserve", full)
    assert room_for(SHAPE, tmp_path).fill_(1).sum() == 105
    assert "held in memory" in caplog.text
    assert list(tmp_path.iterdir()) == []
