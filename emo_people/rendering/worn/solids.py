"""Tubes, balls and plates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..pieces import Piece


@dataclass(frozen=True, eq=False)
class Solid:
    """vertices (N, 3), normals (N, 3), triangles (T, 3)."""

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray

    @classmethod
    def join(cls, solids: list[Solid]) -> Solid:
        starts = np.cumsum([0, *(len(solid.vertices) for solid in solids[:-1])])
        return cls(
            np.concatenate([solid.vertices for solid in solids]),
            np.concatenate([solid.normals for solid in solids]),
            np.concatenate([solid.triangles + start for solid, start in zip(solids, starts, strict=True)]),
        )

    def piece(self, program: str, marks: np.ndarray | None = None, **uniforms: object) -> Piece:
        """All of it turns with the head."""
        count = len(self.vertices)
        return Piece(
            program,
            self.vertices.astype(np.float32),
            self.triangles.astype(np.int32),
            turn=np.ones(count, np.float32),
            rest=self.vertices.astype(np.float32),
            marks=np.zeros((count, 4), np.float32) if marks is None else marks.astype(np.float32),
            normals=self.normals.astype(np.float32),
            uniforms=dict(uniforms),
        )


def tube(path: np.ndarray, flat: np.ndarray, wide: float, deep: float, closed: bool = False) -> Solid:
    """Around a path (K, 3): a rounded section, `deep` half along the direction `flat` (3,) or (K, 3) and
    `wide` half across it."""
    along = np.gradient(path, axis=0)
    if closed:
        along = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    along = _unit(along)
    flat = np.broadcast_to(np.asarray(flat, float), path.shape)
    first = _unit(np.cross(along, flat))
    second = np.cross(first, along)
    angle = np.linspace(0, 2 * np.pi, 9)[:-1]
    # Between a circle and a square.
    cos, sin = (np.sign(f(angle)) * np.abs(f(angle)) ** 0.75 for f in (np.cos, np.sin))
    out = cos[:, None, None] * wide * first + sin[:, None, None] * deep * second
    normal = cos[:, None, None] * first / wide + sin[:, None, None] * second / deep
    count = len(path) * len(angle)
    rows = np.concatenate([np.arange(count).reshape(len(angle), -1), np.arange(len(path))[None]])
    return Solid((path + out).reshape(-1, 3), _unit(normal.reshape(-1, 3)), _quads(rows, closed))


def ball(centre: np.ndarray, radius: float) -> Solid:
    polar, around = np.meshgrid(np.linspace(0, np.pi, 8), np.linspace(0, 2 * np.pi, 13), indexing="ij")
    out = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1)
    out = out.reshape(-1, 3)
    return Solid(centre + radius * out, out, _quads(np.arange(len(out)).reshape(8, 13), False))


def disc(outline: np.ndarray, bulge: float) -> Solid:
    """A lens (K, 3) whose middle lies `bulge` in front of its outline."""
    middle = outline.mean(0)
    rings = np.linspace(0, 1, 5)[:, None, None]
    places = middle + rings * (outline - middle)
    places[..., 2] += bulge * (1 - rings[..., 0] ** 2)
    flat = (outline - middle)[None] * rings * [1, 1, 0]
    normal = _unit((flat * 2 * bulge / 0.06 + [0, 0, 1]).reshape(-1, 3))
    rows = np.arange(5 * len(outline)).reshape(5, -1)
    return Solid(places.reshape(-1, 3), normal, _quads(rows, True))


def _quads(rows: np.ndarray, closed: bool) -> np.ndarray:
    """Triangles over a grid of vertices (R, C)."""
    if closed:
        rows = np.concatenate([rows, rows[:, :1]], 1)
    a, b, c, d = (part.ravel() for part in (rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]))
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9))
