"""Room for tensors that grow with the length of a video: in memory, or, where they are large, on disk."""

import logging
import math
import mmap
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor

LARGE = 2**25  # bytes: 20 seconds of latents of 512 x 512 px, or 36 of wav2vec2-base's features

_log = logging.getLogger(__name__)


def room_for(shape: tuple[int, ...], folder: Path | None = None) -> Tensor:
    """float32, to be written. A large one is a file in `folder`, the system's temporary folder by default,
    that the system reads and writes as needed and that vanishes with the tensor; where the disk has no room,
    it is in memory after all."""
    size = 4 * math.prod(shape)
    if size <= LARGE:
        return torch.empty(shape)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file.fileno(), size)
            mapped = mmap.mmap(file.fileno(), size)
    except OSError as error:
        _log.warning("no room for %.1f GB on the disk (%s): they are held in memory", size / 1e9, error)
        return torch.empty(shape)
    return torch.frombuffer(mapped, dtype=torch.float32).view(shape)


def _reserve(file: int, size: int) -> None:
    """Room that is only promised ends in a signal that kills the process, once the disk is full."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)
