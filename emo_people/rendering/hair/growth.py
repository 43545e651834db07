"""How strands grow: from their roots along the hair's flow, pulled down, pushed out of the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..posing import Body
from .scalp import Roots, Surface

# Where hair that hangs may not be: before these depths, dm before the eyes, by the height over them.
FACE_HEIGHTS, FACE_DEPTHS = (
    (-1.6, -1.2, -0.9, -0.3, 0.2, 0.45, 0.6, 0.75),
    (0.6, 0.1, -0.3, -0.1, 0.0, 0.0, 0.15, 0.6),
)
CLING = 0.7  # of the way by which strands would leave the top of the head in a step
BEND = 1.4  # where hair leaves the skin it bends most: points are dense there
FACE_WIDTH = 0.95  # half of it


@dataclass(frozen=True, eq=False)
class Growth:
    """flow (N, 3): the direction in which strands are combed; length (N,) dm; layer (N,): dm that they keep
    from the skin; lift: how much they rise at the root, 0..1; weight: how fast they turn downwards, 0..1; cut
    (N,): the height in dm where they end at the latest; tuck (N,): dm by which they stay behind the eyes, far
    below 0 for those that may cover the forehead."""

    flow: np.ndarray
    length: np.ndarray
    layer: np.ndarray
    cut: np.ndarray
    tuck: np.ndarray
    lift: float = 0.3
    weight: float = 0.3
    mess: float = 0.1
    points: int = 8


def grow(
    surface: Surface, roots: Roots, growth: Growth, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, K, 3) from root to tip and the normals (N, K, 3) of the skin under them."""
    count = len(roots.places)
    flow = along_skin(growth.flow, roots.normals) + growth.mess * rng.normal(0, 0.6, (count, 3))
    direction = unit((1 - growth.lift) * flow + growth.lift * roots.normals)
    ends = np.linspace(0, 1, growth.points) ** BEND
    place, normal, down = roots.places, roots.normals, np.array([0, -1.0, 0])
    points, facing = [place], [normal]
    for k in range(1, growth.points):
        place = place + direction * ((ends[k] - ends[k - 1]) * growth.length)[:, None]
        travelled = ends[k] * growth.length
        clearance = growth.layer * np.minimum(travelled / (2.5 * growth.layer + 1e-6), 1) + 0.01
        free = keep_off_face(surface.body, place, growth.tuck)
        free, normal = surface.push_out(free, clearance, CLING)
        ended = (free[:, 1] < growth.cut) & (points[-1][:, 1] > free[:, 1])
        place = np.where(ended[:, None], points[-1], free)
        moved = unit(place - points[-1] + 1e-6 * direction)
        wanted = unit(along_skin(direction, normal) + growth.weight * min(1.0, 2 * ends[k]) * down)
        direction = unit(0.5 * moved + wanted)
        points.append(place)
        facing.append(normal)
    return spaced(np.stack(points, 1), np.stack(facing, 1))


def spaced(points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Strands (N, K, 3) and their normals with the points as far from each other as `grow` spaces them, also
    where they ended early."""
    count = points.shape[1]
    length = np.cumsum(np.linalg.norm(np.diff(points, axis=1, prepend=points[:, :1]), axis=2), 1)
    wanted = length[:, -1:] * np.linspace(0, 1, count) ** BEND
    segment = np.clip((length[:, None, :] <= wanted[..., None]).sum(2) - 1, 0, count - 2)
    rows = np.arange(len(points))[:, None]
    start, end = length[rows, segment], length[rows, segment + 1]
    share = ((wanted - start) / np.maximum(end - start, 1e-6)).clip(0, 1)[..., None]

    def at(values: np.ndarray) -> np.ndarray:
        return values[rows, segment] * (1 - share) + values[rows, segment + 1] * share

    return at(points), unit(at(normals))


def keep_off_face(body: Body, points: np.ndarray, tuck: np.ndarray) -> np.ndarray:
    """Points (N, 3) moved back to where they are `tuck` (N,) dm behind the front of the eyes and more."""
    eyes = (body.mesh.joint("l-eye", body.vertices) + body.mesh.joint("r-eye", body.vertices)) / 2
    x, y, z = ((points - eyes) / body.size).T
    limit = np.interp(y, FACE_HEIGHTS, FACE_DEPTHS) - tuck * np.interp(
        y, [-1.2, -0.8, 0.3, 0.7], [0, 1, 1, 0]
    )
    inside = (z > limit) & (np.abs(x) < FACE_WIDTH) & (y > -1.6) & (y < 0.75)
    moved = points.copy()
    moved[inside, 2] = eyes[2] + (limit * body.size)[inside]
    return moved


def along_skin(directions: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Directions (N, 3) without what points into or out of the skin, as unit vectors."""
    return unit(directions - (directions * normal).sum(1, keepdims=True) * normal)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9)


def clump(points: np.ndarray, strength: float, size: int, rng: np.random.Generator) -> np.ndarray:
    """Strands (N, K, 3) drawn together towards their tips, about `size` of them to a lock."""
    if strength == 0 or len(points) < 2 * size:
        return points
    leaders = rng.choice(len(points), len(points) // size, replace=False)
    gap, nearest = cKDTree(points[leaders, 0]).query(points[:, 0])
    leader = points[leaders[nearest]]
    near = np.exp(-((gap**2 / 0.06) ** 2))[:, None, None]
    ramp = np.linspace(0, 1, points.shape[1])[:, None] ** 0.8
    return points + strength * ramp * near * (leader - points)


def curl(
    points: np.ndarray,
    normal: np.ndarray,
    radius: float,
    turns: float,
    tight: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Strands (N, K, 3) wound about their course: radius in dm; turns per dm; tight: 0 a wave in the plane of
    the skin .. 1 a helix."""
    if radius == 0:
        return points
    along = unit(np.gradient(points, axis=1))
    side = unit(np.cross(along, normal))
    length = np.cumsum(np.linalg.norm(np.diff(points, axis=1, prepend=points[:, :1]), axis=2), 1)
    # Neighbours wave alike.
    near = points[:, 0] @ np.array([3.1, 2.3, 3.7])
    phase = 2 * np.pi * turns * length + (near + rng.normal(0, 0.5 + 2 * tight, len(points)))[:, None]
    grown = radius * np.minimum(length / 0.35, 1) * rng.uniform(0.6, 1.3, (len(points), 1))
    return (
        points
        + (grown * np.sin(phase))[..., None] * side
        + (tight * grown * (1 + np.cos(phase)))[..., None] * normal
    )
