"""Boxes of faces, looked for now and then: knows no pose. Its name is that of what found them at first."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from emo_modules.cues.detect import detect_faces

from .face_track import FaceTrack, largest


@dataclass(frozen=True)
class CascadeAnalyzer:
    """Looks at every `stride`-th frame (80 ms each) and at the last; boxes between are interpolated.

    A frame between two looks has the larger count of the two, so that a second face is not missed.
    """

    stride: int = 5
    name: str = "cascade"

    def analyze(self, frames: Iterable[np.ndarray]) -> FaceTrack:
        seen: dict[int, np.ndarray] = {}
        total, frame = 0, None
        for total, frame in enumerate(frames, 1):
            if (total - 1) % self.stride == 0:
                seen[total - 1] = _boxes(frame)
        if frame is not None and total - 1 not in seen:
            seen[total - 1] = _boxes(frame)
        counts = np.array([len(boxes) for boxes in seen.values()], np.int64)
        main = np.array([largest(boxes) for boxes in seen.values()], np.float32).reshape(-1, 4)
        return FaceTrack(*_interpolate(np.array(list(seen), int), counts, main, total), rotations=None)


def _boxes(frame: np.ndarray) -> np.ndarray:
    """All faces (N, 4) of one frame."""
    return np.array([(b.x0, b.y0, b.x1, b.y1) for b in detect_faces(frame)], np.float32).reshape(-1, 4)


def _interpolate(
    looks: np.ndarray, counts: np.ndarray, main: np.ndarray, total: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts (total,) and boxes (total, 4) of every frame; a box needs a face at both looks around it."""
    times = np.arange(total)
    if total == 0:
        return np.zeros(0, np.int64), main
    after = np.searchsorted(looks, times)
    before = np.searchsorted(looks, times, side="right") - 1
    boxes = np.stack([np.interp(times, looks, edge) for edge in main.T], 1)
    boxes[(counts[before] == 0) | (counts[after] == 0)] = np.nan
    return np.maximum(counts[before], counts[after]), boxes.astype(np.float32)
