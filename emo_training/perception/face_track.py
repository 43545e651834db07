"""What an analyser of footage tells of faces: how many, where the main one is, how its head turns."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Protocol, Self

import numpy as np


@dataclass(frozen=True)
class FaceTrack:
    """What an analyser saw in T successive frames; "main" is the largest face of each frame.

    Arrays: counts (T,) int64, faces seen; boxes (T, 4) float32 x0, y0, x1, y1 of the main face in pixels of
    the frames given, NaN where there is none; rotations (T, 3) float32 yaw, pitch, roll in degrees as in
    pose.py, NaN where unknown; landmarks (T, K, 2) float32 pixels;
    expressions (T, 52) float32, MediaPipe's blendshapes; openings (T, 4) float32, the mouth's opening and
    width and the opening of the viewer's left and right eye, over the inter-ocular distance.
    """

    counts: np.ndarray
    boxes: np.ndarray
    rotations: np.ndarray
    landmarks: np.ndarray | None = None
    expressions: np.ndarray | None = None
    openings: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.counts)

    def cut(self, start: int, stop: int) -> Self:
        rows = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: row[start:stop] for name, row in rows.items() if row is not None})

    def map(self, shift: tuple[float, float], scale: tuple[float, float]) -> Self:
        """The track in other pixels: (x, y) becomes ((x - shift_x) * scale_x, (y - shift_y) * scale_y)."""
        boxes = (self.boxes - np.tile(shift, 2)) * np.tile(scale, 2)
        points = self.landmarks
        if points is not None:
            points = ((points - np.array(shift)) * np.array(scale)).astype(np.float32)
        return replace(self, boxes=boxes.astype(np.float32), landmarks=points)


class FaceAnalyzer(Protocol):
    """Looks at the frames of one shot at 25 fps: RGB uint8 (H, W, 3), all of one size."""

    @property
    def name(self) -> str: ...

    def analyze(self, frames: Iterable[np.ndarray]) -> FaceTrack: ...


def largest(boxes: np.ndarray) -> np.ndarray:
    """The box (4,) of the largest area among boxes (N, 4); NaN when there are none."""
    if len(boxes) == 0:
        return np.full(4, np.nan, np.float32)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return boxes[int(areas.argmax())].astype(np.float32)
