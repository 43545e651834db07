"""The shapes of an avatar's head, as coloured outlines in head space.

Head space: x to the right, y down, z towards the viewer; the origin is the middle of the face, the unit the
image width.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .identity import Colour, Identity, mix, shade


class Shape(NamedTuple):
    """A filled outline `points (n, 3)` in head space; `jaw` shapes follow the chin."""

    colour: Colour
    points: np.ndarray
    jaw: bool = False


@lru_cache(maxsize=64)
def _catmull_rom(n: int, steps: int) -> np.ndarray:
    t = np.arange(steps) / steps
    basis = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], 1
    )
    matrix = np.zeros((n * steps, n))
    for i in range(n):
        for k in range(4):
            matrix[i * steps : (i + 1) * steps, (i + k - 1) % n] += basis[:, k]
    return matrix


def spline(points: np.ndarray, steps: int = 6) -> np.ndarray:
    """A smooth closed curve through `points (n, d)`, `(n * steps, d)`."""
    points = np.asarray(points, float)
    return _catmull_rom(len(points), steps) @ points


def on_face(x: np.ndarray | float, y: np.ndarray | float, lift: float = 0.0) -> np.ndarray:
    """Points `(n, 3)` on the face's curved surface."""
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    return np.stack([x, y, np.maximum(0.2 - 1.8 * x**2 - 0.5 * np.minimum(y, 0) ** 2, 0.02) + lift], -1)


def flat(points: list[tuple[float, float]], z: float) -> np.ndarray:
    """Points `(n, 3)` at one depth."""
    return np.array([(x, y, z) for x, y in points])


def oval(x: float, y: float, rx: float, ry: float, n: int = 24) -> np.ndarray:
    """An ellipse's outline `(n, 2)`."""
    a = np.arange(n) * (2 * np.pi / n)
    return np.stack([x + rx * np.cos(a), y + ry * np.sin(a)], 1)


def ribbon(x: np.ndarray, y: np.ndarray, width: np.ndarray | float, lift: float = 0.0) -> np.ndarray:
    """The outline of a stroke along a curve on the face, `width` across."""
    dx, dy = np.gradient(x), np.gradient(y)
    scale = 0.5 * np.asarray(width) / np.maximum(np.hypot(dx, dy), 1e-9)
    nx, ny = -dy * scale, dx * scale
    return on_face(np.concatenate([x + nx, (x - nx)[::-1]]), np.concatenate([y + ny, (y - ny)[::-1]]), lift)


def mirrored(half: list[tuple[float, float, float]]) -> np.ndarray:
    """A closed outline from its right half, listed from the top centre to the bottom centre."""
    right = np.array(half)
    left = right[1:-1][::-1] * (-1, 1, 1)
    return np.concatenate([right, left])


def face_outline(i: Identity) -> np.ndarray:
    """Skin from the top of the skull to the chin, `(n, 3)`."""
    w, h = i.head_width, i.face_height / 2
    top = -h - i.skull
    return spline(
        mirrored(
            [
                (0, top, -0.02),
                (0.52 * w, top + 0.033, -0.02),
                (0.87 * w, top + 0.125, 0),
                (w, -0.08, 0.01),
                (i.cheek * w, 0.06, 0.02),
                (i.jaw * w, 0.62 * h, 0.05),
                (i.chin * w, 0.925 * h, 0.1),
                (0, h, 0.12),
            ]
        )
    )


def ears(i: Identity) -> list[Shape]:
    """Both ears, each with its inner fold."""
    shapes = []
    for side in (-1, 1):
        x, y = side * (i.head_width + 0.006), i.ear_y
        outer = oval(x, y, 0.03 * i.ear_size, 0.062 * i.ear_size)
        inner = oval(x + side * 0.006, y, 0.015 * i.ear_size, 0.038 * i.ear_size)
        shapes += [
            Shape(shade(i.skin, 0.93), _at(outer, -0.03)),
            Shape(shade(i.skin, 0.8), _at(inner, -0.03)),
        ]
    return shapes


def _at(points: np.ndarray, z: float) -> np.ndarray:
    return np.concatenate([points, np.full((len(points), 1), z)], 1)


def beard(i: Identity) -> list[Shape]:
    """What grows on the jaw, below the mouth in drawing order."""
    w, h = i.head_width, i.face_height / 2
    colour = mix(i.hair, i.skin, 0.72 if i.beard == "stubble" else 0.12)
    if i.beard in ("full", "stubble"):
        half = [
            (0, 0.115, 0.2),
            (0.3 * w, 0.12, 0.17),
            (0.62 * w, 0.13, 0.1),
            (0.84 * w, 0.07, 0.05),
            (i.cheek * w * 0.985, -0.01, 0.02),
            (i.cheek * w, 0.06, 0.02),
            (i.jaw * w * 1.01, 0.62 * h, 0.05),
            (i.chin * w * 1.02, 0.935 * h, 0.1),
            (0, h * 1.015, 0.12),
        ]
        return [Shape(colour, spline(mirrored(half)), jaw=True)]
    if i.beard == "goatee":
        half = [
            (0, 0.115, 0.2),
            (0.3 * w, 0.125, 0.18),
            (0.42 * w, 0.2, 0.17),
            (0.34 * w, 0.88 * h, 0.13),
            (0, h * 1.01, 0.12),
        ]
        return [Shape(colour, spline(mirrored(half)), jaw=True)]
    return []


def skin_marks(i: Identity) -> list[Shape]:
    """Freckles and lines of age, soft in colour."""
    shapes = []
    if i.freckles:
        tone = mix(i.skin, (150, 84, 50), 0.34)
        for cx, cy in ((0.1, 0.062), (0.135, 0.048), (0.165, 0.068), (0.125, 0.084)):
            shapes += [Shape(tone, on_face(*oval(s * cx, cy, 0.0085, 0.0075, 10).T)) for s in (-1, 1)]
    if i.age > 0.65:
        tone = shade(i.skin, 1 - 0.35 * (i.age - 0.45))
        t = np.linspace(0, 1, 9)
        for s in (-1, 1):
            x, y = s * (0.062 + 0.045 * t - 0.01 * t**2), 0.098 + 0.055 * t
            shapes.append(Shape(tone, ribbon(x, y, 0.013 * np.sin(np.pi * (0.1 + 0.85 * t)))))
    return shapes


def nose(i: Identity) -> list[Shape]:
    """Bridge shadow on the dark side, wings, tip and its light."""
    base, wide = 0.052 + 0.04 * i.nose_length, 0.05 * i.nose_width
    dark = -1 if i.light_x > 0 else 1
    bridge = flat(
        [
            (dark * 0.014, -0.05),
            (dark * 0.03, -0.02),
            (dark * 0.024, 0.03),
            (dark * wide, base - 0.012),
            (dark * 0.01, base - 0.01),
            (dark * 0.012, 0.02),
        ],
        0.225,
    )
    under = flat(
        [
            (-wide, base - 0.014),
            (-wide * 0.55, base - 0.002),
            (0, base + 0.006),
            (wide * 0.55, base - 0.002),
            (wide, base - 0.014),
            (wide * 0.82, base + 0.008),
            (wide * 0.4, base + 0.010),
            (0, base + 0.018),
            (-wide * 0.4, base + 0.010),
            (-wide * 0.82, base + 0.008),
        ],
        0.245,
    )
    ball = oval(0, base - 0.02, wide * 0.62, 0.026)
    light = oval(-dark * 0.008, base - 0.026, 0.013, 0.0115)
    return [
        Shape(shade(i.skin, 0.93), spline(bridge)),
        Shape(shade(i.skin, 0.72), spline(under)),
        Shape(shade(i.skin, 0.985), _at(ball, 0.265)),
        Shape(mix(i.skin, (255, 250, 240), 0.3), _at(light, 0.275)),
    ]


def eye_centre(i: Identity) -> tuple[float, float]:
    """x of the right-hand eye and y of both."""
    return i.eye_spacing * i.head_width, -0.03 + i.eye_y


def mouth_centre(i: Identity) -> tuple[float, float]:
    """x and y of the closed mouth's middle."""
    return 0.0, 0.18 + i.mouth_y


def glasses(i: Identity) -> list[Shape]:
    """The frames, or nothing."""
    if i.glasses == "none":
        return []
    cx, cy = eye_centre(i)
    shapes = []
    for side in (-1, 1):
        a = np.linspace(0, 2 * np.pi, 41)
        power = 1.0 if i.glasses == "round" else 0.55
        rx, ry = (0.094, 0.088) if i.glasses == "round" else (0.1, 0.074)
        x = side * (cx + 0.004) + rx * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** power
        y = cy + 0.006 + ry * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** power
        loop = np.concatenate(
            [np.stack([x, y], 1), np.stack([(x - x.mean()) * 0.83 + x.mean(), (y - cy) * 0.8 + cy], 1)[::-1]]
        )
        shapes.append(Shape(i.glasses_colour, on_face(loop[:, 0], loop[:, 1], 0.02)))
        arm = flat(
            [
                (side * (cx + rx - 0.004), cy - 0.014),
                (side * (i.head_width + 0.01), cy - 0.02),
                (side * (i.head_width + 0.01), cy - 0.002),
                (side * (cx + rx - 0.004), cy + 0.004),
            ],
            0.08,
        )
        shapes.append(Shape(i.glasses_colour, arm))
    t = np.linspace(-1, 1, 9)
    return [
        *shapes,
        Shape(i.glasses_colour, ribbon(t * (cx - rx + 0.012), cy - 0.012 * (1 - t**2), 0.017, 0.03)),
    ]
