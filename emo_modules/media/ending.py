"""The end of a video, for another that goes on from it."""

from collections import deque
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from .files import open_input

LAST = 16  # frames that are read: more than any weights look back


@dataclass(frozen=True, eq=False)
class Ending:
    """How many frames a video has, and its last ones (M, H, W, 3) in 0..1."""

    frames: int
    last: Tensor


def read_ending(path: Path) -> Ending:
    """Of a video file; no more than its last frames are held.

    Raises FileNotFoundError, and ValueError for what is no video.
    """
    path.stat()
    last: deque[np.ndarray] = deque(maxlen=LAST)
    frames = 0
    try:
        with open_input(path) as container:
            for stream in islice(container.streams.video, 1):
                for frame in container.decode(stream):
                    last.append(frame.to_ndarray(format="rgb24"))
                    frames += 1
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be read as video: {error.strerror}") from error
    if not frames:
        raise ValueError(f"{path} has no video to go on from: choose one that was made with this portrait")
    return Ending(frames, torch.from_numpy(np.stack(list(last))).float() / 255)
