"""Strands as ribbons of triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Hair that looks away from the viewer by more than this, and what share of its ribbons stands for it.
BEYOND, FAR = -0.3, 3


@dataclass(frozen=True, eq=False)
class Strands:
    """points (N, K, 3) from root to tip, dm; normals (N, K, 3) of the hair as a whole around them; open
    (N, K): the share of light that reaches them; width (N,) dm."""

    points: np.ndarray
    normals: np.ndarray
    open: np.ndarray
    width: np.ndarray


def ribbons(
    strands: Strands, rng: np.random.Generator, twist: float = 0.5, tip: float = 0.3
) -> dict[str, np.ndarray]:
    """Arguments of a `Piece` but for its program and turn. twist: standard deviation of the ribbons' turn
    about their own direction, radians; tip: their width at the end over that at the root."""
    points, count = strands.points, strands.points.shape[1]
    along = np.gradient(points, axis=1)
    along /= np.linalg.norm(along, axis=2, keepdims=True) + 1e-9
    side = np.cross(along, strands.normals)
    side /= np.linalg.norm(side, axis=2, keepdims=True) + 1e-9
    angle = rng.normal(0, twist, (len(points), 1, 1))
    side = np.cos(angle) * side + np.sin(angle) * np.cross(side, along)
    fraction = np.linspace(0, 1, count)
    profile = (0.7 + 0.3 * np.minimum(fraction * 4, 1)) * np.interp(fraction, [0, 0.5, 1], [1, 1, tip])
    half = side * (strands.width[:, None, None] * profile[:, None] / 2)
    length = np.cumsum(np.linalg.norm(np.diff(points, axis=1, prepend=points[:, :1]), axis=2), 1)
    marks = np.empty((len(points), count, 2, 4), np.float32)
    marks[..., 0] = length[..., None]
    marks[..., 1] = (-1.0, 1.0)
    marks[..., 2] = rng.random((len(points), 1, 1))
    marks[..., 3] = (length / np.maximum(length[:, -1:], 1e-6))[..., None]

    def both(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, 2, axis=1).reshape(-1, 3).astype(np.float32)

    return {
        "vertices": np.stack([points - half, points + half], 2).reshape(-1, 3).astype(np.float32),
        "triangles": strip_triangles(len(points), count),
        "normals": both(strands.normals),
        "rest": both(along * strands.open[..., None]),
        "marks": marks.reshape(-1, 4),
    }


def strip_triangles(strips: int, count: int) -> np.ndarray:
    """(T, 3) int32 of strips of 2 x count vertices, one strip after the other."""
    k = 2 * np.arange(count - 1)[:, None, None] + np.array([[0, 1, 2], [2, 1, 3]])
    return (
        (2 * count * np.arange(strips)[:, None, None] + k.reshape(1, -1, 3)).reshape(-1, 3).astype(np.int32)
    )


def seen_triangles(triangles: np.ndarray, normals: np.ndarray, ribbon: int) -> np.ndarray:
    """Those of the triangles (T, 3) worth drawing of ribbons of `ribbon` vertices with normals (N, 3): of the
    hair on the far side of the head, of which little shows, one ribbon in FAR."""
    away = normals[:, 2].reshape(-1, ribbon).mean(1) < BEYOND
    kept = ~away | (np.arange(len(away)) % FAR == 0)
    return triangles.reshape(len(away), -1, 3)[kept].reshape(-1, 3)
