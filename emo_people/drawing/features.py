"""The moving features of an avatar: eyes, brows and mouth, drawn anew for every expression."""

from __future__ import annotations

import numpy as np

from .identity import Identity, mix, shade
from .parts import Shape, eye_centre, mouth_centre, on_face, oval, ribbon

T = np.linspace(-1, 1, 21)  # along a lid, a brow or a lip


def eyes(i: Identity, blink: float) -> list[Shape]:
    """Both eyes with lids and lashes; blink 0 open .. 1 closed."""
    return _eye(i, blink, -1) + _eye(i, blink, 1)


def _eye(i: Identity, blink: float, side: int) -> list[Shape]:
    cx, cy = eye_centre(i)
    a = i.eye_size * i.head_width
    x = side * cx + T * a
    tilt = -side * T * i.eye_tilt * a
    arch = 1 - np.abs(T) ** 2.2
    upper = cy + tilt - 0.66 * a * i.eye_open * arch
    lower = cy + tilt + 0.46 * a * i.eye_open * arch
    lid = upper + (lower - upper) * blink
    iris_x, iris_y = side * cx * 0.985, cy - 0.04 * a
    crease = shade(mix(i.skin, i.lip_colour, 0.1), 0.92)
    shapes = [Shape(crease, _between(x, upper - 0.010, lid))] if blink < 1 else []
    if blink < 0.96:
        shapes.append(Shape((247, 245, 242), _between(x, lid, lower)))
        for colour, r, dx, dy in (
            (shade(i.iris, 0.75), 0.6, 0, 0),
            (i.iris, 0.49, 0, 0.03),
            ((26, 22, 26), 0.28, 0, 0),
            ((255, 255, 255), 0.15, -0.2, -0.2),
        ):
            r *= a * i.iris_size
            ring = oval(iris_x + dx * a, iris_y + dy * a, r, r)
            ring[:, 1] = np.clip(ring[:, 1], np.interp(ring[:, 0], x, lid), np.interp(ring[:, 0], x, lower))
            shapes.append(Shape(colour, on_face(ring[:, 0], ring[:, 1], -0.004)))
    if blink >= 1:
        shapes.append(Shape(crease, _between(x, upper - 0.010, lid)))
    lash = (0.5 + 0.5 * side * T) * 0.35 + 0.65
    return [
        *shapes,
        Shape((48, 34, 36), ribbon(x, lid, (0.011 + 0.007 * i.lashes) * lash * (0.45 + 0.55 * arch))),
    ]


def _between(x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    return on_face(np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]]))


def brows(i: Identity, raised: float) -> list[Shape]:
    """Both eyebrows; raised -1..1."""
    cx, cy = eye_centre(i)
    a = i.eye_size * i.head_width
    shapes = []
    for side in (-1, 1):
        t = side * T
        x = side * cx * 1.02 + T * a * 1.12
        y = (
            cy
            - 1.38 * a
            - i.brow_height
            - 0.03 * raised
            - 0.016 * i.brow_arch * (1 - (t - 0.25) ** 2)
            + 0.006 * t
        )
        y = y + 0.012 * min(raised, 0) * (t - 0.3)
        width = 0.027 * i.brow_thickness * (1 - 0.28 * (t + 1) / 2) * (1 - np.abs(T) ** 6) ** 0.5
        shapes.append(Shape(i.brow_colour, ribbon(x, y, width)))
    return shapes


def mouth(i: Identity, opened: float, width: float) -> list[Shape]:
    """Lips, mouth cavity, upper teeth and tongue; both arguments 0..1."""
    spread = float(np.interp(width, (0, 0.5, 1), (0.6, 1, 1.2)))
    half = i.mouth_width * i.head_width * spread
    gap = opened * i.mouth_height * i.face_height * (1 - 0.08 * abs(width - 0.5))
    full = 1 + 0.25 * max(0, 1 - spread)
    x, y0 = T * half, mouth_centre(i)[1]
    middle = y0 + 0.027 * i.smile * (0.5 - T**2) * spread**2
    arch = (1 - np.abs(T) ** 2.6) ** 0.75
    seam = 0.0065 * (0.35 + 0.65 * arch)
    top, bottom = middle - seam - 0.24 * gap * arch, middle + seam + 0.76 * gap * arch
    bow = 1 - 0.24 * np.exp(-((T / 0.16) ** 2))
    lip = 0.004 + arch
    over, under = top - 0.025 * i.lip_upper * full * lip * bow, bottom + 0.031 * i.lip_lower * full * lip
    shapes = _moustache(i, x, over)
    shapes += [
        Shape(i.lip_colour, _between(x, over, middle)),
        Shape(mix(i.lip_colour, (255, 214, 200), 0.18), _between(x, middle, under)),
        Shape(mix((84, 24, 32), shade(i.lip_colour, 0.5), 1 - min(1, opened * 4)), _between(x, top, bottom)),
    ]
    return shapes + _inside(i, opened, x, top, bottom)


def _inside(i: Identity, opened: float, x: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> list[Shape]:
    shapes, inner = [], slice(2, -2)
    if opened > 0.4:
        tongue = oval(0, bottom[10] + 0.01, 0.62 * x[-1], 0.02 + 0.055 * (opened - 0.4), 28)
        tongue[:, 1] = np.clip(
            tongue[:, 1], np.interp(tongue[:, 0], x, top), np.interp(tongue[:, 0], x, bottom)
        )
        shapes.append(Shape((196, 88, 92), on_face(*tongue.T)))
    if opened > 0.12:
        depth = 0.03 * np.clip((opened - 0.12) / 0.3, 0, 1) * (1 - 0.5 * np.abs(T) ** 3)
        edge = np.minimum(top + depth, top + 0.75 * (bottom - top))
        shapes.append(Shape(i.teeth, _between(x[inner], top[inner], edge[inner])))
    return shapes


def _moustache(i: Identity, x: np.ndarray, over: np.ndarray) -> list[Shape]:
    if i.beard not in ("moustache", "goatee"):
        return []
    lift = 0.034 * (1 - np.abs(T) ** 2.5) + 0.004
    return [
        Shape(mix(i.hair, i.skin, 0.1), _between(x * 1.12, over - lift, over + 0.006 + 0.012 * np.abs(T)))
    ]
