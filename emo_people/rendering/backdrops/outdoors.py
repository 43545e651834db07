"""What stands behind a person outside: skies, leaves, streets, lights at night."""

from __future__ import annotations

import numpy as np

from ..lights import white
from .canvas import Canvas, pick
from .colours import ASPHALT, AUTUMN, BRICK, FURNITURE, LEAF, NIGHT, STONE, VIVID, WALL

FORWARD = np.array([(0, 0, 1)])


def sky(canvas: Canvas) -> None:
    """Blue, grey or red, with or without clouds, paler towards the horizon."""
    rng = canvas.rng
    top = np.array([(0.12, 0.27, 0.62), (0.3, 0.45, 0.75), (0.5, 0.55, 0.62), (0.25, 0.25, 0.4)])[
        rng.integers(4)
    ]
    low = np.array([(0.65, 0.8, 0.95), (0.8, 0.83, 0.88), (1.2, 0.75, 0.45), (0.9, 0.6, 0.55)])[
        rng.integers(4)
    ]
    share = np.clip(canvas.y * rng.uniform(0.7, 1.3), 0, 1)[..., None] ** rng.uniform(0.6, 1.6)
    canvas.fill(((1 - share) * top + share * low) * rng.uniform(0.6, 1.3))
    cloud = canvas.noise((rng.uniform(0.4, 1.2), rng.uniform(0.15, 0.5)), 6, 0.55)
    cover = np.clip(rng.uniform(0.6, 2.5) * (cloud - rng.uniform(-0.5, 1.0)), 0, 1)
    shaded = (0.75 + 0.35 * canvas.noise(0.25, 3))[..., None]
    canvas.paint(cover * 0.9, np.clip(shaded, 0.2, 1.4) * (0.4 + 0.6 * low / low.max()))


def landscape(canvas: Canvas) -> None:
    """Hills behind hills, paler the farther, and a meadow or a beach."""
    rng = canvas.rng
    sky(canvas)
    haze = canvas.pixels[int(0.5 * canvas.height)].mean(0)
    green, light = (
        pick(rng, np.concatenate([LEAF, LEAF, AUTUMN, STONE])),
        canvas.lights.irradiance(FORWARD)[0],
    )
    top, count = rng.uniform(0.35, 0.6), rng.integers(2, 5)
    for layer in range(count):
        edge = top + 0.09 * layer + 0.07 * _ridge(canvas, rng.uniform(0.3, 1.2), int(rng.integers(2, 6)))
        near = (layer + 1) / count
        cover = np.clip((canvas.y - edge) / canvas.pixel, 0, 1)
        canvas.paint(cover, (1 - near) * haze + near * green * light * rng.uniform(0.4, 0.9))
    ground = np.clip((canvas.y - top - 0.09 * count) * 30, 0, 1) + 0 * canvas.x
    meadow = pick(rng, np.concatenate([LEAF, AUTUMN, STONE]))
    canvas.paint(ground, meadow * light * np.exp(0.3 * canvas.noise((0.12, 0.02), 4, 0.7))[..., None])


def sea(canvas: Canvas) -> None:
    rng = canvas.rng
    sky(canvas)
    horizon = rng.uniform(0.35, 0.65)
    water = np.array([(0.07, 0.13, 0.17), (0.12, 0.2, 0.25), (0.09, 0.2, 0.22)])[rng.integers(3)]
    depth = np.clip(canvas.y - horizon, 0, 1)
    waves = canvas.noise((0.2, 0.012), 3, 0.7) * np.clip(depth * 8, 0.15, 1)
    canvas.paint((depth > 0) + 0 * canvas.x, water * np.exp(0.5 * waves)[..., None] * rng.uniform(0.8, 2))
    glint = np.clip(canvas.noise((0.05, 0.008), 2) - 0.7, 0, 1) * (depth > 0)
    canvas.pixels += (3 * rng.uniform(0, 1) * glint)[..., None].astype(np.float32)
    shore = horizon + rng.uniform(0.15, 0.5) + 0.02 * _ridge(canvas, 0.5, 2)
    sand = pick(rng, STONE) * np.array([1.15, 1.0, 0.8]) * canvas.lights.irradiance(FORWARD)[0]
    canvas.paint(
        np.clip((canvas.y - shore) * 60, 0, 1), sand * np.exp(0.08 * canvas.noise(0.02, 3))[..., None]
    )


def leaves(canvas: Canvas) -> None:
    """Trees and bushes: dark masses, lit leaves, bright holes of sky."""
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    colours = AUTUMN if rng.random() < 0.2 else LEAF
    mass = canvas.noise(rng.uniform(0.25, 0.6), 3)
    fine = canvas.noise(rng.uniform(0.03, 0.08), 3, 0.8)
    canvas.fill(pick(rng, colours) * light * (0.35 * np.exp(0.7 * mass + 0.45 * fine))[..., None])
    for _ in range(3):
        lit = np.clip(3 * (canvas.noise(rng.uniform(0.02, 0.06), 2) + 0.5 * mass - rng.uniform(0.3, 1)), 0, 1)
        canvas.paint(lit * 0.8, pick(rng, colours) * light * rng.uniform(0.6, 2.2))
    for _ in range(rng.integers(0, 4)):
        x, lean, wide = rng.uniform(-1, 1), rng.uniform(-0.15, 0.15), rng.uniform(0.02, 0.1)
        canvas.band((x, -0.2), (x + lean, 1.2), wide, pick(rng, STONE) * light * 0.25)
    holes = np.clip(4 * (fine + 0.8 * mass + 0.6 * (0.5 - canvas.y) - rng.uniform(0.5, 1.5)), 0, 1)
    canvas.paint(holes, white(rng.uniform(5500, 9000)) * rng.uniform(1, 4))
    if rng.random() < 0.5:
        edge = rng.uniform(0.6, 0.95) + 0.02 * _ridge(canvas, 0.3, 3)
        lawn = pick(rng, LEAF) * light * np.exp(0.3 * canvas.noise((0.1, 0.02), 3))[..., None]
        canvas.paint(np.clip((canvas.y - edge) * 40, 0, 1), lawn)


def flowers(canvas: Canvas) -> None:
    """A hedge in bloom."""
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    leaves(canvas)
    colours = [pick(rng, np.concatenate([VIVID, WALL])) for _ in range(rng.integers(1, 4))]
    for _ in range(rng.integers(40, 160)):
        x, y, size = rng.uniform(-1.2, 1.2), rng.uniform(0, 1.1), rng.uniform(0.008, 0.035)
        petal = colours[rng.integers(len(colours))] * light * rng.uniform(0.4, 1.3)
        for angle in 2 * np.pi * np.arange(5) / 5 + rng.uniform(0, 6):
            canvas.disc(
                x + size * np.cos(angle), y + size * np.sin(angle), 0.75 * size, petal * rng.uniform(0.8, 1.1)
            )
        canvas.disc(x, y, 0.4 * size, np.array([0.7, 0.5, 0.05]) * light)


def street(canvas: Canvas) -> None:
    """Houses along both sides of a road that runs away from the viewer."""
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    sky(canvas)
    horizon, middle = rng.uniform(0.45, 0.65), rng.uniform(-0.3, 0.3)
    road = pick(rng, ASPHALT) * light * np.exp(0.1 * canvas.noise((0.3, 0.03), 3))[..., None]
    canvas.paint((canvas.y > horizon) + 0 * canvas.x, road)
    for far in np.linspace(0.15, 1, 6):
        for side in (-1, 1):
            _house(canvas, middle, horizon, far * rng.uniform(0.85, 1.15), side)
    for _ in range(rng.integers(2, 9)):
        _passer(canvas, middle, horizon)


def facade(canvas: Canvas) -> None:
    """One house straight ahead: rows of windows, a shop's front."""
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    canvas.fill(pick(rng, np.concatenate([BRICK, WALL, STONE])) * canvas.wall_light() * 0.8)
    canvas.shade(np.exp(0.08 * canvas.noise(0.1, 4, 0.7)))
    wide, high = rng.uniform(0.12, 0.25), rng.uniform(0.18, 0.35)
    gap, frame = wide * rng.uniform(1.5, 2.2), pick(rng, WALL) * light
    for y in np.arange(-0.2 + rng.uniform(0, 0.2), 1.1, high * rng.uniform(1.4, 1.8)):
        for x in np.arange(-2 + rng.uniform(0, gap), 2, gap):
            canvas.box(x - 0.015, y - 0.015, x + wide + 0.015, y + high + 0.015, frame * 0.8)
            glass = np.array([0.1, 0.13, 0.17]) * rng.uniform(0.3, 3)
            canvas.box(x, y, x + wide, y + high, glass if rng.random() < 0.85 else np.array([1, 0.75, 0.4]))
            canvas.box(x, y + 0.45 * high, x + wide, y + 0.45 * high + 0.012, frame)
    if rng.random() < 0.5:
        sign = pick(rng, VIVID) * light
        canvas.box(-9, 0.55, 9, 0.66, sign)
        canvas.box(-9, 0.66, 9, 2, np.array([0.9, 0.75, 0.5]) * rng.uniform(0.05, 1))


def night(canvas: Canvas) -> None:
    """Lights of a town far out of focus."""
    rng = canvas.rng
    canvas.fill(np.array([0.01, 0.012, 0.02]) * rng.uniform(0.3, 3))
    canvas.pixels += (0.03 * np.exp(-((canvas.y - 0.6) ** 2) / 0.05) * rng.uniform(0, 2))[
        ..., None
    ] * np.array([1, 0.7, 0.45], np.float32)
    palette = NIGHT[rng.choice(len(NIGHT), rng.integers(2, 6), replace=False)]
    level, spread = rng.uniform(0.2, 0.7), rng.uniform(0.08, 0.4)
    for _ in range(rng.integers(20, 120)):
        x, y = rng.uniform(-1, 1) * max(1, canvas.aspect), rng.normal(level, spread)
        canvas.disc(x, y, rng.uniform(0.003, 0.012), pick(rng, palette) * rng.lognormal(2.5, 0.8))
    for _ in range(rng.integers(0, 8)):
        x = rng.uniform(-1, 1)
        canvas.box(
            x, rng.uniform(0, 0.5), x + rng.uniform(0.02, 0.2), 1, pick(rng, palette) * rng.uniform(0.01, 0.4)
        )


def _ridge(canvas: Canvas, scale: float, octaves: int) -> np.ndarray:
    """(1, W): a line of hills, about -1..1."""
    return canvas.noise((scale, 9.0), octaves)[:1]


def _house(canvas: Canvas, middle: float, horizon: float, near: float, side: int) -> None:
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    inner, outer = middle + side * (0.03 + 0.75 * near), middle + side * (0.1 + 1.1 * near)
    left, right = min(inner, outer), max(inner, outer)
    roof = horizon - near * rng.uniform(0.5, 1.3)
    paint = pick(rng, np.concatenate([BRICK, WALL, STONE])) * light * rng.uniform(0.4, 1)
    canvas.box(left, roof, right, horizon + 0.12 * near, paint)
    step = near * rng.uniform(0.16, 0.24)
    for y in np.arange(roof + 0.3 * step, horizon - 0.5 * step, step):
        for x in np.arange(left + 0.02 * near, right - 0.05 * near, 0.5 * step):
            lit = np.array([0.06, 0.08, 0.1]) if rng.random() < 0.85 else np.array([1, 0.8, 0.5])
            canvas.box(x, y, x + 0.28 * step, y + 0.55 * step, lit * rng.uniform(0.5, 2))
    canvas.box(left, horizon - 0.12 * near, right, horizon + 0.1 * near, pick(rng, FURNITURE) * light * 0.6)


def _passer(canvas: Canvas, middle: float, horizon: float) -> None:
    """A car, a tree or a sign somewhere along the road."""
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    near = rng.uniform(0.1, 0.8)
    x, y = middle + rng.choice([-1, 1]) * (0.15 + 0.6 * near), horizon + 0.15 * near
    what = rng.integers(3)
    if what == 0:
        colour = pick(rng, np.concatenate([VIVID, STONE])) * light
        canvas.box(x - 0.2 * near, y - 0.12 * near, x + 0.2 * near, y, colour, 0.02)
        canvas.box(x - 0.12 * near, y - 0.2 * near, x + 0.12 * near, y - 0.11 * near, np.full(3, 0.05), 0.02)
        canvas.disc(
            x - 0.15 * near, y - 0.06 * near, 0.02 * near, np.array([4, 0.5, 0.3]) * rng.uniform(0.2, 2)
        )
    elif what == 1:
        canvas.box(x - 0.02 * near, y - 0.5 * near, x + 0.02 * near, y, np.full(3, 0.03))
        for _ in range(25):
            dx, dy = rng.normal(0, 0.12, 2) * near
            leaf = pick(rng, LEAF) * light * rng.uniform(0.2, 1.2)
            canvas.disc(x + dx, y - 0.6 * near + dy, 0.06 * near, leaf, 0.02)
    else:
        canvas.box(x, y - 0.6 * near, x + 0.015 * near, y, np.full(3, 0.1))
        canvas.box(
            x - 0.06 * near, y - 0.7 * near, x + 0.08 * near, y - 0.55 * near, pick(rng, VIVID) * light
        )
