"""Rectangles in pictures."""

from dataclasses import dataclass


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
        overlap = Box(
            max(self.x0, other.x0), max(self.y0, other.y0), min(self.x1, other.x1), min(self.y1, other.y1)
        ).area
        return overlap / (self.area + other.area - overlap) if overlap else 0.0
