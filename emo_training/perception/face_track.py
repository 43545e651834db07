"""What an analyser of footage tells of faces: how many, where the main one is, how its head turns."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

FPS = 25.0  # of all footage that is analysed


@dataclass(frozen=True)
class FaceTrack:
    """What an analyser saw in T successive frames; "main" is the largest face of each frame.

    Arrays: counts (T,) int64, faces seen; boxes (T, 4) float32 x0, y0, x1, y1 of the main face in pixels of
    the frames given, NaN where there is none; rotations (T, 3) float32 yaw, pitch, roll in degrees as in
    pose.py, NaN where unknown, None from an analyser that knows no pose; landmarks (T, K, 2) float32 pixels;
    expressions (T, 52) float32, MediaPipe's blendshapes.
    """

    counts: np.ndarray
    boxes: np.ndarray
    rotations: np.ndarray | None
    landmarks: np.ndarray | None = None
    expressions: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.counts)


class FaceAnalyzer(Protocol):
    """Looks at the frames of one shot at 25 fps: RGB uint8 (H, W, 3), all of one size."""

    name: str

    def analyze(self, frames: Iterable[np.ndarray]) -> FaceTrack: ...


def largest(boxes: np.ndarray) -> np.ndarray:
    """The box (4,) of the largest area among boxes (N, 4); NaN when there are none."""
    if len(boxes) == 0:
        return np.full(4, np.nan, np.float32)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return boxes[int(areas.argmax())].astype(np.float32)
