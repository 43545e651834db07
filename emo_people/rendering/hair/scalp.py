"""Where hair grows, and what it must not grow through."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from ..posing import Body, normals

AXIS_DEPTH = 0.5  # z of the upright axis around which hairlines go; so too in groom.glsl
EARS = (0.745, 7.5)  # on the template, ears lie outside this x and below this y
LOWEST = 3.5  # on the template, dm: what lies lower touches no hair


@dataclass(frozen=True, eq=False)
class Roots:
    """places (N, 3) and normals (N, 3) on a person; template (N, 3): the same on the template; corners (N, 3)
    and weights (N, 3): the vertices of the mesh around each, and how near each is."""

    places: np.ndarray
    normals: np.ndarray
    template: np.ndarray
    corners: np.ndarray
    weights: np.ndarray

    def pick(self, kept: np.ndarray) -> Roots:
        """Those of a mask or of indices."""
        return Roots(*(getattr(self, field.name)[kept] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Surface:
    """A person's skin, for points that must stay outside."""

    body: Body

    @cached_property
    def facing(self) -> np.ndarray:
        return normals(self.body.vertices, self.body.mesh.triangles["skin"])

    @cached_property
    def triangles(self) -> np.ndarray:
        triangles = self.body.mesh.triangles["skin"]
        return triangles[self.body.mesh.template[triangles[:, 0], 1] > LOWEST]

    @cached_property
    def _samples(self) -> tuple[cKDTree, np.ndarray, np.ndarray]:
        corners = self.triangles
        used = np.unique(corners)
        points = np.concatenate([self.body.vertices[used], self.body.vertices[corners].mean(1)])
        facing = np.concatenate([self.facing[used], self.facing[corners].mean(1)])
        facing /= np.linalg.norm(facing, axis=1, keepdims=True) + 1e-9
        return cKDTree(points), points, facing

    def push_out(
        self, points: np.ndarray, clearance: np.ndarray, cling: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 3) moved to where they are at least `clearance` (N,) dm outside, and the normals (N, 3)
        of the skin next to them. cling: the share of what they are farther out that they come back by where
        the skin looks up."""
        tree, places, facing = self._samples
        distance, near = tree.query(points, k=3)
        weight = 1 / (distance + 0.02)
        weight /= weight.sum(1, keepdims=True)
        normal = (facing[near] * weight[..., None]).sum(1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        height = (((points[:, None] - places[near]) * facing[near]).sum(-1) * weight).sum(1)
        lack = clearance - height
        move = np.where(lack > 0, lack, cling * lack * np.clip(normal[:, 1] * 3, 0, 1))
        return points + move[:, None] * normal, normal


def inside_hairline(template: np.ndarray, hairline: np.ndarray) -> np.ndarray:
    """How far (N,) points (N, 3) on the template lie above the hairline, dm."""
    angle = np.degrees(np.abs(np.arctan2(template[:, 0], template[:, 2] - AXIS_DEPTH)))
    ear = (np.abs(template[:, 0]) > EARS[0]) & (template[:, 1] < EARS[1])
    return np.where(ear, -1, template[:, 1] - np.interp(angle, np.linspace(0, 180, len(hairline)), hairline))


def scatter(surface: Surface, triangles: np.ndarray, count: int, rng: np.random.Generator) -> Roots:
    """Roots spread evenly over the template's triangles (T, 3)."""
    mesh = surface.body.mesh
    a, b, c = (mesh.template[triangles[:, k]] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    # Evenly: one point in each of `count` equal shares of the area.
    edges = np.cumsum(areas) / areas.sum()
    chosen = np.searchsorted(edges, (np.arange(count) + rng.random(count)) / count).clip(0, len(areas) - 1)
    u, v = rng.random((2, count))
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    corners, weights = triangles[chosen], np.stack([1 - u - v, u, v], 1)
    template, places, facing = (
        (values[corners] * weights[..., None]).sum(1)
        for values in (mesh.template, surface.body.vertices, surface.facing)
    )
    return Roots(places, facing / np.linalg.norm(facing, axis=1, keepdims=True), template, corners, weights)


def plant(surface: Surface, hairline: np.ndarray, count: int, rng: np.random.Generator) -> Roots:
    """About `count` roots within the hairline, which is ragged by a few millimetres."""
    depth = inside_hairline(surface.body.mesh.template, hairline)
    triangles = surface.triangles
    roots = scatter(surface, triangles[(depth[triangles] > -0.05).any(1)], count, rng)
    return roots.pick(inside_hairline(roots.template, hairline) > np.abs(rng.normal(0, 0.03, count)))
