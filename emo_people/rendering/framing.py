"""How a picture is taken: its size, where the face is in it, and from how far."""

from dataclasses import dataclass, replace

import numpy as np

SIDES = (16, 4096)  # px
DEPTH_REACH = 20.0  # dm before and behind the face that are drawn; so too in mesh.vert


@dataclass(frozen=True)
class Framing:
    """width, height in px; face: the height of the face's box over that of the picture, for the head at rest;
    x, y: where the box's centre is, in fractions of the picture; distance: of the camera, in dm."""

    width: int = 256
    height: int = 256
    face: float = 0.6
    x: float = 0.5
    y: float = 0.5
    distance: float = 14.0

    def __post_init__(self) -> None:
        low, high = SIDES
        if not (low <= self.width <= high and low <= self.height <= high):
            raise ValueError(f"a picture's sides must be {low}..{high} px, got {self.width}x{self.height}")
        if not 0.02 <= self.face <= 3:
            raise ValueError(f"the face must be 0.02..3 of the picture's height, got {self.face}")
        if not 4 <= self.distance <= 100:
            raise ValueError(f"the camera must be 4..100 dm away, got {self.distance}")

    def resize(self, width: int, height: int) -> "Framing":
        """The same view in another size; a picture of another shape shows more or less at its sides."""
        return replace(self, width=width, height=height)


@dataclass(frozen=True)
class View:
    """A framing of one person: `centre` (3,) of the face at rest, dm, is seen at `x`, `y` px, where one dm is
    `scale` px."""

    centre: np.ndarray
    scale: float
    x: float
    y: float
    distance: float

    @classmethod
    def aim(cls, framing: Framing, low: np.ndarray, high: np.ndarray) -> "View":
        """At the face at rest whose box goes from `low` (3,) to `high` (3,)."""
        scale = framing.face * framing.height / float(high[1] - low[1])
        centre = (low + high) / 2
        return cls(centre, scale, framing.x * framing.width, framing.y * framing.height, framing.distance)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2), y down, of points (..., 3) in dm."""
        away = points - self.centre
        nearer = self.distance / (self.distance - away[..., 2])
        x = self.x + self.scale * nearer * away[..., 0]
        y = self.y - self.scale * nearer * away[..., 1]
        return np.stack([x, y], -1)

    def project_deep(self, points: np.ndarray) -> np.ndarray:
        """Pixels and depth 0..1, (N, 3) float32, of points (N, 3), as the shader mesh.vert gives them."""
        depth = 0.5 - (points[:, 2:] - self.centre[2]) / DEPTH_REACH / 2
        return np.concatenate([self.project(points), depth], 1).astype(np.float32)
