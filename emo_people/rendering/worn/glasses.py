"""Glasses that rest on the nose and the ears, and earrings."""

from __future__ import annotations

import numpy as np

from ...people.landmarks import LANDMARKS
from ...people.worn import Earrings, Glasses
from ..hair.scalp import Surface
from ..pieces import Piece
from ..posing import Body
from .solids import Solid, ball, disc, tube

POINTS = 48  # of a rim
# Exponents of the outline above and below: 2 an ellipse, more a rectangle.
OUTLINES = {"round": (2, 2), "square": (5, 4), "oval": (2.3, 2.3), "aviator": (4, 2), "wire": (3, 2.4),
            "thick": (5, 3.5), "rimless": (3.5, 3), "half": (4, 2.6), "cat": (4, 2.4)}  # fmt: skip
WRAP = 0.22  # how much the frame bends towards the temples, per dm
LOBE = (0.735, 6.9, 0.45)  # on the template


def glasses_pieces(glasses: Glasses, body: Body) -> list[Piece]:
    size = body.size
    eyes = np.stack([body.mesh.joint(name, body.vertices) for name in ("r-eye", "l-eye")])
    middle = eyes.mean(0)
    bridge = body.vertices[LANDMARKS[27]]
    front = max(bridge[2] + 0.03 * size, middle[2] + 0.27 * size)
    outlines = [
        _outline(glasses, eye, side, size, middle, front) for side, eye in zip((-1, 1), eyes, strict=True)
    ]
    thick, ahead = glasses.thickness * size / 2, np.array([0, 0, 1.0])
    rims = (
        []
        if glasses.frame == "rimless"
        else [tube(o, ahead, thick, max(thick, 0.009), True) for o in outlines]
    )
    if glasses.frame == "half":
        top = np.arange(POINTS // 2 + 4) - 2
        rims = [tube(o[top], ahead, thick * 1.2, thick * 1.2) for o in outlines]
    inner = [o[np.argmin(np.abs(o[:, 0] - middle[0]) - 0.3 * (o[:, 1] - middle[1]))] for o in outlines]
    share = np.linspace(0, 1, 9)[:, None]
    arch = inner[0] + share * (inner[1] - inner[0])
    arch = arch + np.sin(np.pi * share) * np.array([0, 0.035, 0.03]) * size
    frame = [*rims, tube(arch, np.array([0, 1.0, 0.3]), max(thick, 0.008), max(thick, 0.008))]
    surface = Surface(body)
    frame += [_temple(o, side, body, surface, thick) for side, o in zip((-1, 1), outlines, strict=True)]
    look = {"piece_colour": glasses.colour, "metal": float(glasses.metal), "rough": 0.3}
    lenses = Solid.join([disc(o, 0.03 * size) for o in outlines])
    return [
        Solid.join(frame).piece("frame", None, **look),
        lenses.piece(
            "dark_lens" if glasses.tint > 0 else "lens", tint=glasses.tint, reflection=glasses.reflection
        ),
    ]


def _outline(
    glasses: Glasses, eye: np.ndarray, side: int, size: float, middle: np.ndarray, front: float
) -> np.ndarray:
    """Of a lens (48, 3), from its outer end over the top."""
    angle = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    above, below = OUTLINES[glasses.frame]
    power = np.where(sin >= 0, above, below)
    radius = (np.abs(cos) ** power + np.abs(sin) ** power) ** (-1 / power)
    x, y = radius * cos * glasses.width / 2, radius * sin * glasses.height / 2
    if glasses.frame == "cat":
        y = y + 0.25 * np.maximum(x, 0) * (sin > -0.2)
    if glasses.frame == "aviator":
        y = y - 0.12 * np.minimum(y, 0) * (x < 0) - 0.02
    # Narrow noses still hold frames apart.
    centre = max(abs(eye[0] - middle[0]) / size * 1.02, glasses.width / 2 + 0.06)
    place = np.stack([side * (centre + x), y - 0.035, 0 * x], 1) * size + [middle[0], middle[1], front]
    place[:, 2] -= WRAP * (place[:, 0] - middle[0]) ** 2 / size + 0.1 * (place[:, 1] - middle[1])
    return np.asarray(place)


def _temple(outline: np.ndarray, side: int, body: Body, surface: Surface, thick: float) -> Solid:
    """From the rim's outer end over the ear and down behind it."""
    hinge = outline[POINTS // 16]
    ear = body.vertices[LANDMARKS[0 if side < 0 else 16]]
    top = np.array([ear[0] + side * 0.02, hinge[1] + 0.02, ear[2] - 0.3 * body.size])
    end = top + np.array([-side * 0.02, -0.22, -0.16]) * body.size
    share = np.linspace(0, 1, 14)[:, None]
    path = np.concatenate(
        [hinge + share * (top - hinge), top + np.linspace(0.25, 1, 4)[:, None] * (end - top)]
    )
    path = surface.push_out(path, np.where(np.arange(len(path)) > 2, 0.025, 0.0))[0]
    path[:3, 0] = np.where(side * path[:3, 0] > side * hinge[0], path[:3, 0], hinge[0])
    return tube(path, np.array([1.0, 0, 0]), max(1.3 * thick, 0.009), max(0.6 * thick, 0.007))


def earring_pieces(rings: Earrings, body: Body) -> list[Piece]:
    solids = [ring for side in (-1, 1) for ring in _earring(rings, side, body)]
    metal = float(rings.kind != "pearl")
    return [Solid.join(solids).piece("frame", piece_colour=rings.colour, metal=metal, rough=0.25)]


def _earring(rings: Earrings, side: int, body: Body) -> list[Solid]:
    near = np.linalg.norm(body.mesh.template - np.array(LOBE) * [side, 1, 1], axis=1).argmin()
    lobe, size = body.vertices[near] + [side * 0.015, 0, 0], rings.size * body.size
    if rings.kind in ("stud", "pearl"):
        return [ball(lobe, size)]
    if rings.kind == "drop":
        return [ball(lobe, 0.5 * size), ball(lobe - [0, 3.5 * size, 0], size)]
    angle = np.linspace(0, 2 * np.pi, 25)[:-1]
    ring = lobe - [0, size, 0] + size * np.stack([0.25 * np.sin(angle), np.cos(angle), np.sin(angle)], 1)
    return [tube(ring, np.array([1.0, 0, 0]), 0.01, 0.01, True)]
