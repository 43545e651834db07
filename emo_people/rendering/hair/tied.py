"""What hangs or is wound where hair is tied together."""

from __future__ import annotations

import numpy as np

from ...people.hair import Hair
from .growth import unit
from .ribbons import Strands
from .scalp import Surface

TAIL, BUN = 170, 220  # ribbons
POINTS = 12


def tied_strands(hair: Hair, surface: Surface, goal: np.ndarray, rng: np.random.Generator) -> Strands:
    """goal (3,): on the template, near where the hair is tied."""
    body = surface.body
    skin = body.mesh.vertices_of("skin")
    knot = skin[np.linalg.norm(body.mesh.template[skin] - goal, axis=1).argmin()]
    place, out = body.vertices[knot], surface.facing[knot]
    shape = _tail if hair.kind == "ponytail" else _bun
    points, normals = shape(hair, place, out, body.size, rng)
    points = surface.push_out(points.reshape(-1, 3), np.full(points.shape[0] * POINTS, 0.04))[0]
    points = points.reshape(normals.shape)
    light = rng.uniform(0.55, 1, (len(points), 1)) * np.ones(POINTS)
    return Strands(points, normals, light, rng.uniform(0.04, 0.08, len(points)))


def _tail(
    hair: Hair, place: np.ndarray, out: np.ndarray, size: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Out of the tie, over, and down."""
    share = np.linspace(0, 1, POINTS)[:, None]
    aside = rng.normal(0, 1, (TAIL, 1, 3)) * [1, 0.3, 1]
    thick = 0.04 + 0.11 * np.sin(np.pi * share**0.7) * (0.6 + 0.4 * hair.volume)
    long = (0.9 + 1.3 * hair.length) * rng.uniform(0.75, 1.05, (TAIL, 1, 1))
    middle = (
        place
        + out * 0.22 * np.minimum(share * 4, 1)
        + [0, 0.08, 0] * np.sin(np.pi * np.minimum(share * 3, 1))
    )
    points = middle + size * (thick * aside * 0.6 - long * share**1.2 * np.array([0, 1, 0]))
    return points, unit(aside * [1, 0, 1] + out + 0 * points)


def _bun(
    hair: Hair, place: np.ndarray, out: np.ndarray, size: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Wound around a ball."""
    radius = (0.16 + 0.1 * hair.volume) * size
    axis = unit(out + 0.5 * rng.normal(0, 1, (BUN, 3)))
    first = unit(np.cross(axis, rng.normal(0, 1, (BUN, 3))))
    second = np.cross(axis, first)
    angle = (rng.uniform(0, 6, (BUN, 1)) + np.linspace(0, 3.6, POINTS))[..., None]
    high = rng.uniform(-0.75, 0.95, (BUN, 1, 1))
    normals = high * axis[:, None] + np.sqrt(1 - high**2) * (
        np.cos(angle) * first[:, None] + np.sin(angle) * second[:, None]
    )
    layers = radius * rng.uniform(0.85, 1.06, (BUN, 1, 1))
    return place + out * 0.8 * radius + layers * normals, normals
