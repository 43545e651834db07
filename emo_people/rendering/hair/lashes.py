"""Eyelashes, between the roots and the tips of the mesh's strips for them."""

from __future__ import annotations

from functools import cache

import numpy as np

from ...people.mesh import HeadMesh
from ..pieces import Piece
from ..posing import Body
from .growth import unit
from .ribbons import Strands, ribbons

COUNTS, LENGTHS = {"upper": 75, "lower": 42}, {"upper": (0.55, 0.95), "lower": (0.3, 0.55)}
ROWS = 5  # of the mesh from the roots to the tips


def lash_pieces(body: Body, colour: tuple[float, float, float], rng: np.random.Generator) -> list[Piece]:
    """One ribbon for each lash."""
    strips = [_strand_nets(body.mesh, strip, rng) for strip in lash_grids(body.mesh)]
    anchors, weights = (np.concatenate(parts) for parts in zip(*strips, strict=True))
    points = (body.vertices[anchors] * weights[..., None]).sum(2)
    normals = np.broadcast_to(unit(points[:, -1:] - points[:, :1])[..., [0, 2, 1]] * [1, -1, 1], points.shape)
    width = rng.uniform(0.006, 0.01, len(points))
    made = ribbons(Strands(points, normals, np.ones(points.shape[:2]), width), rng, 0.1, 0.3)
    look = {
        "hair_colour": colour,
        "tip_colour": colour,
        "grey": 0.0,
        "hairs": 0.3,
        "solid": 1.0,
        "shine": 0.1,
        "roughness": 0.9,
    }
    return [
        Piece(
            "hair",
            turn=np.ones(len(made["vertices"]), np.float32),
            anchors=np.repeat(anchors, 2, axis=1).reshape(-1, 4),
            weights=np.repeat(weights, 2, axis=1).reshape(-1, 4).astype(np.float32),
            uniforms=look,
            ribbon=0,  # both sides of a lid are always drawn
            **made,
        )
    ]


def _strand_nets(mesh: HeadMesh, grid: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Four vertices and their weights (N, 4, 4) for each of four points of each lash on a strip (C, 5)."""
    row = "upper" if mesh.template[grid[:, -1], 1].mean() > mesh.template[grid[:, 0], 1].mean() else "lower"
    count, last = COUNTS[row], len(grid) - 1
    place = np.clip((np.arange(count) + rng.uniform(-0.3, 1.3, count)) / count, 0, 1) * last
    length = rng.uniform(*LENGTHS[row], count) * np.interp(
        place / last, [0, 0.3, 0.8, 1], [0.5, 0.8, 1.1, 0.9]
    )
    # Tips lean towards the corners of the eye and cross a little.
    lean = rng.normal(0, 0.12, (count, 1)) * np.linspace(0, 1, 4)
    column = np.clip(place[:, None] + lean, 0, last - 1e-6)
    level = np.clip(length[:, None] * np.linspace(0, 1, 4) * (ROWS - 1), 0, ROWS - 1 - 1e-6)
    c, r = column.astype(int), level.astype(int)
    u, v = column - c, level - r
    anchors = np.stack([grid[c, r], grid[c + 1, r], grid[c, r + 1], grid[c + 1, r + 1]], -1)
    return anchors, np.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v], -1)


@cache
def lash_grids(mesh: HeadMesh) -> list[np.ndarray]:
    """The four strips as grids (C, 5) of vertices: along the lid, from the root to the tip."""
    triangles = mesh.triangles["lashes"]
    quads = np.c_[triangles[: len(triangles) // 2], triangles[len(triangles) // 2 :, 2]]
    edges = np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)])
    neighbours: dict[int, set[int]] = {}
    for a, b in edges.tolist():
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    corners = sorted(
        (v for v, near in neighbours.items() if len(near) == 2), key=lambda v: mesh.template[v, 2]
    )
    grids = []
    seen: set[int] = set()
    for corner in corners:
        # The corners that lie deepest are at the roots.
        if corner in seen:
            continue
        grid = _walk(corner, neighbours)
        if grid is not None:
            seen |= set(grid.ravel().tolist())
            grids.append(grid)
    return grids


def _walk(corner: int, neighbours: dict[int, set[int]]) -> np.ndarray | None:
    """The grid (C, 5) whose first column begins at a corner and goes along the shorter edge."""
    for second in sorted(neighbours[corner]):
        column = [corner, second]
        while len(neighbours[column[-1]]) > 2:
            column.append(
                next(v for v in neighbours[column[-1]] if v != column[-2] and len(neighbours[v]) < 4)
            )
        if len(column) == ROWS:
            break
    else:
        return None
    columns, used = [column], set(column)
    while True:
        following = [next((v for v in neighbours[c] if v not in used), None) for c in columns[-1]]
        if any(v is None for v in following):
            return np.array(columns)
        columns.append([v for v in following if v is not None])
        used |= set(columns[-1])
