"""Hats: domes over the skull, with a brim or a peak."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ...people.headwear import Headwear
from ..pieces import Piece
from ..posing import Body, normals
from ..surfaces import fabric_uniforms

AROUND, UP = 72, 16
WOUND = 44  # rows of a turban, whose layers show
ROOM = 0.17  # dm between the skin and the cloth, for the hair
# Degrees of elevation of the rim over the middle of the skull: at the forehead, the ears, the nape.
RIMS = {"beanie": (11, -4, -16), "cap": (16, 0, -10), "brimmed": (15, 2, -6), "turban": (14, -20, -26)}


def headwear_pieces(headwear: Headwear, body: Body) -> list[Piece]:
    # The seam lies at the nape.
    angle = np.linspace(-np.pi, np.pi, AROUND, endpoint=False)
    share = np.linspace(0, 1, WOUND if headwear.kind == "turban" else UP)[:, None]
    rim = rim_of(headwear, angle)
    high = rim + share * (np.pi / 2 - rim)
    around = np.broadcast_to(angle, high.shape)
    centre, radius = skull(body, _direction(around, high))
    radius = radius + (ROOM + _shape(headwear, around, share)) * body.size
    dome = centre + radius[..., None] * _direction(around, high)
    pieces = [cloth(headwear, dome, np.stack([around, 0.9 * high], -1), body)]
    if headwear.kind in ("cap", "brimmed"):
        pieces.append(cloth(headwear, *_brim(headwear, dome[0], angle, body.size), body))
    return pieces


def rim_of(headwear: Headwear, around: np.ndarray) -> np.ndarray:
    """Elevations (N,) of the rim over the middle of the skull at angles (N,), 0 in front; radians."""
    rim = np.interp(np.abs(around), [0, np.pi / 2, np.pi], RIMS[headwear.kind])
    return np.asarray(np.radians(rim - 5 * (headwear.low - 0.5)))


def _shape(headwear: Headwear, around: np.ndarray, share: np.ndarray) -> np.ndarray:
    """What the cloth adds to the skull, dm."""
    if headwear.kind == "beanie":
        return 0.05 * (share < 0.3) + 0.12 * headwear.brim * share**3 + 0 * around
    if headwear.kind == "turban":
        return _wound(headwear, around, share)
    if headwear.kind == "brimmed":
        return 0.02 + 0.16 * np.sin(np.pi * np.clip(share * 1.1, 0, 1)) * (share < 0.9) + 0 * around
    return 0.05 * np.sin(np.pi * share) + 0 * around


def _wound(headwear: Headwear, around: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Layers that climb from the nape and cross over the forehead, each lying on the one below it."""
    aside = np.abs(around) / np.pi
    climbs = share - (0.42 - 0.12 * headwear.brim) * (1 - aside) ** 1.3
    layer = (7.0 * climbs) % 1.0
    # A step down at the edge of each layer, rounded by a small overlap.
    step = (1 - layer) ** 1.5 * np.clip(layer / 0.12, 0, 1)
    creases = 0.006 * np.sin(2 * np.pi * 14 * climbs)
    full = np.sin(np.pi * np.clip(share, 0, 1) ** 0.75)
    front = 0.5 + 0.5 * np.cos(around)
    return np.asarray(
        0.06 + (0.14 + 0.12 * front) * full + (0.07 * step + creases) * np.clip(4 - 4.4 * share, 0, 1)
    )


def _brim(
    headwear: Headwear, rim: np.ndarray, angle: np.ndarray, size: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rings (6, C, 3) from the dome's rim outwards, and their places on the flat cloth."""
    peak = np.clip((np.cos(angle) - 0.45) / 0.35, 0, 1)
    wide = 0.75 * np.sqrt(peak) if headwear.kind == "cap" else 0.4 + 0.4 * headwear.brim + 0 * angle
    out = np.stack([np.sin(angle), 0 * angle, np.cos(angle)], 1)
    share = np.linspace(0, 1, 6)[:, None]
    fall = (0.22 if headwear.kind == "cap" else 0.1 * np.cos(2 * angle) + 0.05) * wide * share**1.2
    rings = rim - [0, 0.02, 0] + size * (share[..., None] * wide[:, None] * out)
    rings[..., 1] -= size * fall
    return rings, np.stack(np.broadcast_arrays(angle, share), -1)


def cloth(
    headwear: Headwear,
    places: np.ndarray,
    flat: np.ndarray,
    body: Body,
    follow: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    covers: np.ndarray | None = None,
) -> Piece:
    """Places (R, C, 3) closed to rings, at `flat` (R, C, 2) on the cloth. follow: the shares of the turn
    (N,), and the anchors and weights (N, K) of a piece that expressions move; covers as in `Piece`."""
    rows = np.arange(places[..., 0].size).reshape(places.shape[:2])
    rows = np.concatenate([rows, rows[:, :1]], 1)
    a, b, c, d = (part.ravel() for part in (rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    vertices = places.reshape(-1, 3).astype(np.float32)
    light = np.full(len(vertices), 0.85)
    marks = np.concatenate([np.ones((len(vertices), 1)), light[:, None], flat.reshape(-1, 2)], 1)
    turn, anchors, weights = follow or (np.ones(len(vertices)), None, None)
    return Piece(
        "clothes",
        vertices,
        triangles,
        turn=turn.astype(np.float32),
        rest=vertices,
        marks=marks.astype(np.float32),
        anchors=anchors,
        weights=weights,
        normals=normals(vertices, triangles),
        uniforms=_look(headwear),
        covers=covers,
    )


def _look(headwear: Headwear) -> dict[str, object]:
    look: dict[str, object] = dict.fromkeys(
        ("ribbed", "buttons", "jacket", "low", "slant", "bulge", "stiff", "rolled"), 0.0
    )
    look["stiff" if headwear.kind in ("cap", "brimmed") else "rolled"] = 1.0
    return look | fabric_uniforms(headwear.fabric)


def skull(body: Body, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Its middle (3,) and how far its skin is from there in directions (..., 3)."""
    x, y, _ = body.mesh.template.T
    skin = np.zeros(len(x), bool)
    skin[body.mesh.vertices_of("skin")] = True
    skull = body.vertices[skin & (y > 7.1) & (body.mesh.turn > 0.99) & ((np.abs(x) < 0.74) | (y > 7.5))]
    top = skull[skull[:, 1] > np.quantile(skull[:, 1], 0.3)]
    centre = np.array([*(top.min(0) + top.max(0))]) / 2
    centre[1] -= 0.15 * body.size
    away = skull - centre
    far = np.linalg.norm(away, axis=1)
    distance, near = cKDTree(away / far[:, None]).query(directions, k=6)
    weight = 1 / (distance + 0.05)
    return centre, (far[near] * weight).sum(-1) / weight.sum(-1)


def _direction(around: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(high) * np.sin(around), np.sin(high), np.cos(high) * np.cos(around)], -1)
