"""Hair styles: what hangs behind the head and what lies over the forehead."""

from __future__ import annotations

import numpy as np

from .identity import Identity, mix, shade
from .parts import Shape, flat, mirrored, oval, spline


def hair_back(i: Identity) -> list[Shape]:
    """Shapes behind the face and neck."""
    w, top, vol = i.head_width, -i.face_height / 2 - i.skull, 0.035 * i.hair_volume
    colour = shade(i.hair, 0.82)
    if i.hair_style == "curly":
        return [Shape(colour, _lobes(0, -0.13, w + 0.075 + vol, 0.3 + vol, 13, -0.1))]
    if i.hair_style == "bob":
        half = [
            (0, top - vol, -0.1),
            (0.75 * w, top, -0.1),
            (w + 0.05 + vol, -0.1, -0.1),
            (w + 0.07 + vol, 0.13, -0.08),
            (w + 0.03, 0.27, -0.06),
            (0.5 * w, 0.28, -0.08),
            (0, 0.28, -0.1),
        ]
        return [Shape(colour, spline(mirrored(half)))]
    if i.hair_style == "long":
        half = [
            (0, top - vol, -0.1),
            (0.75 * w, top, -0.1),
            (w + 0.05 + vol, -0.1, -0.1),
            (w + 0.06 + vol, 0.15, -0.08),
            (w + 0.08 + vol, 0.4, -0.06),
            (w + 0.08, 0.75, -0.04),
            (0, 0.78, -0.05),
        ]
        return [Shape(colour, spline(mirrored(half)))]
    if i.hair_style == "bun":
        return [Shape(colour, np.c_[oval(0.04 * i.hair_part, top - 0.012, 0.115, 0.085), np.full(24, -0.1)])]
    return []


def hair_front(i: Identity) -> list[Shape]:
    """Shapes over the forehead and temples, drawn after the face, with a soft band of light."""
    if i.hair_style == "bald":
        return []
    style = {
        "short": _short,
        "side": _side,
        "quiff": _quiff,
        "curly": _curly,
        "bob": _fringe,
        "long": _parted,
        "bun": _swept,
    }
    return style[i.hair_style](i)


def _frame(i: Identity) -> tuple[float, float, float, float]:
    h = i.face_height / 2
    return i.head_width, -h - i.skull, -h + i.hairline, 0.035 * i.hair_volume


def _cap(
    i: Identity, vol: float, low: float, line: list[tuple[float, float]], lean: float = 0.0
) -> np.ndarray:
    """From the left side over the skull to the right side, then back along the hairline `line`."""
    w, top, _, _ = _frame(i)
    over = [
        (-w - 0.4 * vol, low, -0.01),
        (-w - 0.8 * vol, -0.13, -0.02),
        (-0.86 * w - 0.7 * vol, top + 0.105, -0.03),
        (-0.5 * w, top + 0.022 - vol, -0.03),
        (lean * 0.1, top - vol * 1.15, -0.03),
        (0.5 * w, top + 0.022 - vol, -0.03),
        (0.86 * w + 0.7 * vol, top + 0.105, -0.03),
        (w + 0.8 * vol, -0.13, -0.02),
        (w + 0.4 * vol, low, -0.01),
    ]
    back = [(x, y, max(0.02, 0.13 - 1.5 * x * x)) for x, y in line]
    return spline(np.array(over + back))


def _light(i: Identity, x: float, y: float, rx: float, ry: float) -> Shape:
    t = np.linspace(-1, 1, 15)
    upper = np.stack([x + rx * t, y - ry * (1 - t**2)], 1)
    lower = np.stack([x + rx * t, y - (ry * 0.35) * (1 - t**2)], 1)[::-1]
    return Shape(mix(i.hair, (255, 240, 220), 0.13), np.c_[np.concatenate([upper, lower]), np.full(30, 0.02)])


def _short(i: Identity) -> list[Shape]:
    w, top, line, vol = _frame(i)
    cap = _cap(
        i,
        vol,
        -0.02,
        [
            (0.93 * w, -0.03),
            (0.87 * w, line + 0.12),
            (0.62 * w, line + 0.03),
            (0, line + 0.012),
            (-0.62 * w, line + 0.03),
            (-0.87 * w, line + 0.12),
            (-0.93 * w, -0.03),
        ],
    )
    return [Shape(i.hair, cap), _light(i, 0.35 * w * np.sign(i.light_x), top + 0.045, 0.1, 0.035)]


def _side(i: Identity) -> list[Shape]:
    w, top, line, vol = _frame(i)
    s = 1 if i.hair_part > 0 else -1
    sweep = [
        (0.94, -0.03),
        (0.88, line + 0.14),
        (0.74, line + 0.05),
        (0.5, line - 0.012),
        (0.1, line + 0.03),
        (-0.4, line + 0.09),
        (-0.78, line + 0.13),
        (-0.9, line + 0.19),
        (-0.94, -0.03),
    ]
    points = [(s * x * w, y) for x, y in sweep]
    cap = _cap(i, vol * 1.3, -0.02, points if s > 0 else points[::-1], lean=-s)
    return [Shape(i.hair, cap), _light(i, -0.3 * s * w, top + 0.06, 0.12, 0.045)]


def _quiff(i: Identity) -> list[Shape]:
    w, top, line, vol = _frame(i)
    cap = _cap(
        i,
        vol * 0.6,
        -0.02,
        [
            (0.94 * w, -0.03),
            (0.88 * w, line + 0.12),
            (0.6 * w, line + 0.02),
            (0, line - 0.005),
            (-0.6 * w, line + 0.02),
            (-0.88 * w, line + 0.12),
            (-0.94 * w, -0.03),
        ],
    )
    s = 1 if i.hair_part > 0 else -1
    tuft = [
        (0.62, line + 0.03),
        (0.84, top + 0.06),
        (0.62, top - 0.035),
        (0.1, top - 0.06 - vol),
        (-0.5, top - 0.03),
        (-0.72, top + 0.05),
        (-0.6, line + 0.035),
        (0, line + 0.02),
    ]
    return [
        Shape(shade(i.hair, 0.88), cap),
        Shape(i.hair, spline(flat([(s * x * w, y) for x, y in tuft], 0.08))),
        _light(i, 0.1 * s * w, top + 0.03, 0.13, 0.045),
    ]


def _curly(i: Identity) -> list[Shape]:
    w, top, line, vol = _frame(i)
    lobes = _lobes(0, (top + line) / 2 + 0.005, w * 0.98 + vol * 0.5, 0.085 + vol * 0.6, 11, 0.01)
    return [Shape(i.hair, lobes), _light(i, 0.2 * w, top + 0.03, 0.12, 0.035)]


def _lobes(x: float, y: float, rx: float, ry: float, count: int, z: float) -> np.ndarray:
    a = np.linspace(0, 2 * np.pi, 12 * count, endpoint=False)
    r = 1 + 0.055 * np.abs(np.cos(a * count / 2)) ** 0.8
    return np.stack([x + rx * r * np.cos(a), y + ry * r * np.sin(a), np.full_like(a, z)], 1)


def _fringe(i: Identity) -> list[Shape]:
    w, top, line, vol = _frame(i)
    cap = _cap(
        i,
        vol * 1.5,
        0.2,
        [
            (0.97 * w, 0.23),
            (0.86 * w, 0.1),
            (0.87 * w, -0.06),
            (0.8 * w, line + 0.13),
            (0.45 * w, line + 0.105),
            (0, line + 0.095),
            (-0.45 * w, line + 0.105),
            (-0.8 * w, line + 0.13),
            (-0.87 * w, -0.06),
            (-0.86 * w, 0.1),
            (-0.97 * w, 0.23),
        ],
    )
    return [Shape(i.hair, cap), _light(i, 0, top + 0.075, 0.19, 0.06)]


def _parted(i: Identity) -> list[Shape]:
    w, top, line, vol = _frame(i)
    p = 0.35 * i.hair_part
    cap = _cap(
        i,
        vol * 1.4,
        0.3,
        [
            (1.05 * w, 0.5),
            (0.93 * w, 0.22),
            (0.9 * w, 0.02),
            (0.86 * w, line + 0.15),
            (0.55 * w + p * 0.3 * w, line + 0.06),
            (p * w, line - 0.02),
            (-0.55 * w + p * 0.3 * w, line + 0.06),
            (-0.86 * w, line + 0.15),
            (-0.9 * w, 0.02),
            (-0.93 * w, 0.22),
            (-1.05 * w, 0.5),
        ],
    )
    return [
        Shape(i.hair, cap),
        _light(i, -0.45 * w, top + 0.085, 0.08, 0.045),
        _light(i, 0.45 * w, top + 0.085, 0.08, 0.045),
    ]


def _swept(i: Identity) -> list[Shape]:
    w, top, line, vol = _frame(i)
    cap = _cap(
        i,
        vol * 0.9,
        -0.03,
        [
            (0.94 * w, -0.05),
            (0.9 * w, line + 0.14),
            (0.66 * w, line + 0.05),
            (0.25 * w, line + 0.005),
            (0, line),
            (-0.25 * w, line + 0.005),
            (-0.66 * w, line + 0.05),
            (-0.9 * w, line + 0.14),
            (-0.94 * w, -0.05),
        ],
    )
    return [Shape(i.hair, cap), _light(i, 0, top + 0.05, 0.15, 0.035)]
