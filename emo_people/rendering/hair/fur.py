"""Short hair that moves with the skin it grows from: brows and beards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...people.beard import Beard
from ...people.brows import Brows
from ..pieces import Piece
from ..posing import Body
from ..stage import lips
from .growth import Growth, clump, curl, grow, unit
from .ribbons import Strands, ribbons
from .scalp import Roots, Surface, scatter

# Of the beard on the template, dm, by the distance from the middle; so too in groom.glsl.
ASIDE = (0.0, 0.08, 0.15, 0.26, 0.34)
LIP, UNDER_NOSE = (6.70, 6.725, 6.70, 6.60, 6.52), (6.79, 6.80, 6.81, 6.75, 6.60)
CHEEK_ASIDE, CHEEK_LINE = (0.0, 0.28, 0.45, 0.6, 0.69, 0.75), (6.50, 6.64, 6.74, 6.88, 7.12, 7.2)
THROAT = 6.02
Density = Callable[[np.ndarray], np.ndarray]


def brow_pieces(brows: Brows, surface: Surface, rng: np.random.Generator) -> list[Piece]:
    x, y, z = surface.body.mesh.template.T
    near = (np.abs(x) < 0.66) & (y > 7.3) & (y < 7.7) & (z > 0.9)
    roots = grow_where(surface, near, 3600, lambda t: 0.75 * brow_density(t, brows), rng)
    if not len(roots.places):
        return []
    across = brow_place(roots.template, brows)[0]
    up = np.interp(across, [0, 0.25, 0.6, 1], [1.4, 0.45, 0.1, -0.45])
    flow = np.stack([np.sign(roots.template[:, 0]), up, -0.2 * np.ones_like(up)], 1)
    length = rng.uniform(0.05, 0.1, len(up)) * np.interp(across, [0, 0.3, 1], [0.75, 1, 0.7])
    points, normals = grow(surface, roots, _short(flow, length, 0.014, lift=0.2, mess=0.16, points=3), rng)
    width = rng.uniform(0.003, 0.0055, len(up))
    hairs = Strands(points, normals, np.full(points.shape[:2], 0.8), width)
    return [anchored(hairs, roots, surface.body, rng, brows.colour, 0.0, 0.8, 1.0)]


def beard_pieces(beard: Beard, surface: Surface, rng: np.random.Generator) -> list[Piece]:
    lengths = np.array([beard.moustache, beard.chin, beard.cheeks])
    if not lengths.any():
        return []
    mesh = surface.body.mesh
    near = beard_zones(beard, mesh.template).max(0) > 0.02
    count = 1200 if beard.cheeks == 0 else 3800 if lengths.max() < 0.2 else 2400
    roots = grow_where(surface, near, count, lambda places: beard_zones(beard, places).max(0), rng)
    roots = roots.pick((lips(mesh)[roots.corners] * roots.weights).sum(1) < 0.12)
    zones = beard_zones(beard, roots.template) * lengths[:, None]
    length = zones.max(0) * rng.uniform(0.6, 1.1, len(roots.places))
    layer = 0.02 + 0.25 * np.minimum(length, 0.4)
    flow = _beard_flow(roots, zones.argmax(0) == 0)
    points, normals = grow(surface, roots, _short(flow, length, layer, 0.28, 0.15 + 0.35 * beard.bushy), rng)
    points = clump(points, 0.3, 6, rng)
    radius = 0.012 + 0.02 * beard.bushy * min(1.0, 3 * float(lengths.max()))
    points = curl(points, normals, radius, 3.5, 0.5, rng)
    light = (0.65 + 0.35 * rng.random(len(length)))[:, None] * np.linspace(0.7, 1, points.shape[1])
    # At its edge a beard is of single fine hairs.
    width = rng.uniform(0.7, 1.3, len(length)) * (0.009 + 0.055 * np.minimum(length, 0.45))
    width = width * np.clip(0.5 + beard_zones(beard, roots.template).max(0), 0.5, 1)
    strands = Strands(points, normals, light, width)
    return [anchored(strands, roots, surface.body, rng, beard.colour, beard.grey, 2.0, 0.75)]


def _beard_flow(roots: Roots, moustache: np.ndarray) -> np.ndarray:
    """Down, and where `moustache` (N,) bool to both sides."""
    side = np.tanh(roots.template[:, :1] / 0.05)
    aside = np.concatenate([0.9 * side, -0.5 + 0 * side, 0.2 + 0 * side], 1)
    return np.where(moustache[:, None], aside, np.array([0, -1.0, 0.15]))


def anchored(
    strands: Strands,
    roots: Roots,
    body: Body,
    rng: np.random.Generator,
    colour: object,
    grey: float,
    hairs: float,
    solid: float,
) -> Piece:
    """Ribbons that follow the skin at their roots."""
    made = ribbons(strands, rng, 0.4, 0.3)
    each = 2 * strands.points.shape[1]
    weights = roots.weights.astype(np.float32)
    turn = (body.mesh.turn[roots.corners] * weights).sum(1)
    look = {
        "hair_colour": colour,
        "tip_colour": colour,
        "grey": grey,
        "hairs": hairs,
        "solid": solid,
        "shine": 0.3,
        "roughness": 0.3,
    }
    return Piece(
        "hair",
        turn=np.repeat(turn, each),
        anchors=np.repeat(roots.corners, each, 0),
        weights=np.repeat(weights, each, 0),
        uniforms=look,
        ribbon=each,
        **made,
    )


def grow_where(
    surface: Surface, near: np.ndarray, count: int, density: Density, rng: np.random.Generator
) -> Roots:
    """Roots on the skin whose vertices are `near` (V,) bool: of `count` the share that a function of places
    on the template (N, 3) gives (N,)."""
    triangles = surface.body.mesh.triangles["skin"]
    roots = scatter(surface, triangles[near[triangles].all(1)], count, rng)
    return roots.pick(rng.random(count) < density(roots.template))


def brow_place(template: np.ndarray, brows: Brows) -> tuple[np.ndarray, np.ndarray]:
    """0 at the inner end .. 1 at the outer (N,), and -1..1 from the lower edge to the upper (N,)."""
    x, y = np.abs(template[:, 0]), template[:, 1]
    across = (x - brows.gap) / (0.56 - brows.gap)
    line = 7.455 + brows.arch * np.sin(2.6 * np.clip(across, 0, 1)) + brows.tilt * (across - 0.4)
    thick = brows.thickness * np.clip((across + 0.12) / 0.24, 0, 1) * np.interp(across, [0.45, 1], [1, 0.35])
    return across, (y - line) / np.maximum(thick, 1e-3)


def brow_density(template: np.ndarray, brows: Brows) -> np.ndarray:
    across, v = brow_place(template, brows)
    ends = np.clip((across + 0.06) / 0.14, 0, 1) * np.clip((1.06 - across) / 0.15, 0, 1)
    return np.asarray(brows.density * ends * np.clip((1.1 - np.abs(v)) / 0.5, 0, 1))


def beard_zones(beard: Beard, template: np.ndarray) -> np.ndarray:
    """How much places (N, 3) belong to the moustache, the chin and the cheeks where they grow, (3, N)."""
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]

    def soft(values: np.ndarray, width: float) -> np.ndarray:
        return np.clip(values / width + 0.5, 0, 1)

    lip = soft(y - np.interp(x, ASIDE, LIP), 0.03) * soft(np.interp(x, ASIDE, UNDER_NOSE) - y, 0.04)
    lip = lip * soft((0.34 if beard.kind == "handlebar" else 0.3) - x, 0.04)
    below = soft(y - THROAT, 0.1) * soft(z - 0.62, 0.1)
    chin = soft(6.5 - y, 0.05) * soft(0.24 - x, 0.06) * below
    line = np.interp(x, CHEEK_ASIDE, CHEEK_LINE) + beard.height
    cheeks = soft(line - y, 0.1) * below * soft(0.73 - x, 0.03) * soft(x - 0.2, 0.06)
    grown = np.array([beard.moustache, beard.chin, beard.cheeks]) > 0
    return np.stack([lip, chin, cheeks]) * grown[:, None]


def _short(
    flow: np.ndarray, length: np.ndarray, layer: float | np.ndarray, lift: float, mess: float, points: int = 5
) -> Growth:
    never = np.full(len(flow), -9.0)
    layers = np.broadcast_to(np.asarray(layer), (len(flow),))
    return Growth(unit(flow), length, layers, never, never, lift=lift, weight=0.05, mess=mess, points=points)
