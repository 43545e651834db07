"""Rectangles in pictures."""

from dataclasses import astuple, dataclass

import numpy as np


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: x0 <= x < x1 to the right, y0 <= y < y1 downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y)."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def scaled(self, factor: float) -> "Box":
        """The box about the same centre with both sides times factor."""
        x, y = self.centre
        w, h = self.width * factor / 2, self.height * factor / 2
        return Box(x - w, y - h, x + w, y + h)

    def clipped(self, width: float, height: float) -> "Box":
        """The part inside a picture of that size; its area is 0 when there is none."""
        x0, x1 = (min(max(x, 0.0), width) for x in (self.x0, self.x1))
        y0, y1 = (min(max(y, 0.0), height) for y in (self.y0, self.y1))
        return Box(x0, y0, x1, y1)

    def mapped(self, dx: float, dy: float, sx: float, sy: float) -> "Box":
        """The box moved by (dx, dy), then multiplied by (sx, sy)."""
        return Box((self.x0 + dx) * sx, (self.y0 + dy) * sy, (self.x1 + dx) * sx, (self.y1 + dy) * sy)

    def iou(self, other: "Box") -> float:
        """Intersection over union, 0..1."""
        return float(iou(np.array(astuple(self)), np.array(astuple(other))))


def iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union (...), 0..1, of boxes (..., 4) as x0, y0, x1, y1."""
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = sides.clip(0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).clip(0).prod(-1) for box in (one, other)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-6)
