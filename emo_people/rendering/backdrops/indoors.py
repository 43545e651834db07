"""Rooms behind a person: walls and what stands and hangs before them."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, pick
from .colours import BOOKS, CLOTH, FURNITURE, LEAF, STONE, VIVID, WALL, WOOD

FORWARD = np.array([(0, 0, 1)])


def wall(canvas: Canvas) -> None:
    """Paint with the room's light on it; often a corner."""
    rng = canvas.rng
    canvas.fill(pick(rng, WALL) * canvas.wall_light() * rng.uniform(0.35, 1.05))
    canvas.shade(np.exp(0.05 * canvas.noise(0.6, 2) + 0.02 * canvas.noise(0.03, 2)))
    if rng.random() < 0.45:
        corner, darker = rng.uniform(-0.9, 0.9), rng.uniform(0.45, 0.85)
        away = (canvas.x - corner) * rng.choice([-1, 1])
        canvas.shade(np.where(away > 0, darker, 1) * (1 - 0.25 * np.exp(-np.abs(away) / 0.08)) + 0 * canvas.y)


def wall_with_pictures(canvas: Canvas) -> None:
    wall(canvas)
    for _ in range(canvas.rng.integers(1, 5)):
        _picture(canvas)


def room(canvas: Canvas) -> None:
    """A home: from far to near two to six things before a wall."""
    wall(canvas)
    rng = canvas.rng
    if rng.random() < 0.4:
        window(canvas)
    things = (_picture, _shelf, _lamp, _plant, _door, _cupboard, _sofa, _screen)
    for thing in rng.choice(len(things), rng.integers(2, 7)):
        things[thing](canvas)


def bright_window(canvas: Canvas) -> None:
    """A wall with a large window, overexposed as cameras show it."""
    wall(canvas)
    canvas.pixels *= np.float32(canvas.rng.uniform(0.3, 0.7))
    window(canvas)
    for thing in (_plant, _sofa):
        if canvas.rng.random() < 0.5:
            thing(canvas)


def library(canvas: Canvas) -> None:
    """Shelves full of books."""
    rng = canvas.rng
    board = pick(rng, WOOD) * 0.7 * canvas.lights.irradiance(FORWARD)[0]
    canvas.fill(board * 0.25)
    step = rng.uniform(0.17, 0.32)
    for y in np.arange(rng.uniform(0, step), 1 + step, step):
        _books(canvas, -1.1 * canvas.aspect, 1.1 * canvas.aspect, y, 0.85 * step)
        canvas.box(-9, y, 9, y + 0.02, board)
    for x in np.arange(rng.uniform(-1.6, -1), 2, rng.uniform(0.5, 0.9)):
        canvas.box(x, -1, x + 0.025, 2, board * 1.1)
    canvas.shade(np.exp(0.15 * canvas.noise(0.8)))


def office(canvas: Canvas) -> None:
    """A long floor: ceiling with lit panels, columns, desks with screens."""
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    horizon = rng.uniform(0.35, 0.6)
    canvas.fill(pick(rng, WALL) * light * 0.6)
    depth = np.maximum(np.abs(canvas.y - horizon), 0.02)
    canvas.paint((canvas.y < horizon - 0.16) + 0 * canvas.x, light * 0.5)
    canvas.paint((canvas.y > horizon + 0.14) + 0 * canvas.x, pick(rng, STONE) * light * 0.5)
    across, along = (canvas.x - rng.uniform(-0.4, 0.4)) / depth, 0.25 / depth
    lit = (np.abs((across / 1.3) % 1 - 0.5) < 0.13) & ((along * 3) % 1 < 0.5) & (canvas.y < horizon - 0.16)
    canvas.paint(lit, light * rng.uniform(2, 5))
    if rng.random() < 0.6:
        for x in np.arange(-2, 2, rng.uniform(0.15, 0.3)):
            canvas.box(
                x, horizon - 0.15, x + 0.12, horizon + 0.1, rng.uniform(0.6, 3) * np.array([0.85, 0.95, 1.1])
            )
    for _ in range(rng.integers(3, 9)):
        _desk(canvas, horizon)
    for _ in range(rng.integers(0, 4)):
        x, wide = rng.uniform(-1, 1), rng.uniform(0.04, 0.15)
        canvas.box(x, -1, x + wide, horizon + 0.3, pick(rng, FURNITURE) * light * 0.6)


def kitchen(canvas: Canvas) -> None:
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    wall(canvas)
    front, wide = pick(rng, FURNITURE) * light * 0.8, rng.uniform(0.22, 0.4)
    low, high = rng.uniform(0.62, 0.8), rng.uniform(0.2, 0.38)
    for x in np.arange(-2 - rng.uniform(0, wide), 2, wide):
        for top, bottom in ((-0.4, high), (low, 1.4)):
            if bottom > 1 or rng.random() < 0.75:
                canvas.box(x, top, x + wide - 0.006, bottom, front * rng.uniform(0.9, 1.1))
                canvas.box(
                    x + 0.02, max(top, -0.3) + 0.02, x + wide - 0.026, bottom - 0.02, front * 0.85, 0.01
                )
                canvas.disc(x + 0.04, bottom - 0.05 if bottom < 1 else top + 0.06, 0.009, np.full(3, 0.5))
    canvas.box(-9, low - 0.03, 9, low, pick(rng, STONE) * light * 0.9)
    for _ in range(rng.integers(2, 8)):
        x, size = rng.uniform(-0.9, 0.9), rng.uniform(0.02, 0.05)
        canvas.box(
            x - size, low - 0.03 - size * rng.uniform(1, 4), x + size, low - 0.03, pick(rng, BOOKS) * light
        )
    for _ in range(rng.integers(0, 3)):
        _lamp(canvas)


def stage(canvas: Canvas) -> None:
    """A dark hall with coloured beams."""
    rng = canvas.rng
    canvas.fill(pick(rng, VIVID) * 0.05)
    for _ in range(rng.integers(2, 7)):
        x, lean, wide = rng.uniform(-1, 1), rng.uniform(-0.8, 0.8), rng.uniform(0.05, 0.25)
        off = np.abs(canvas.x - x - lean * canvas.y) / (wide * (0.3 + canvas.y))
        colour = pick(rng, VIVID) * rng.uniform(0.2, 1.2)
        canvas.pixels += (np.exp(-(off**2)) * (1 - 0.6 * canvas.y))[..., None] * colour.astype(np.float32)
        canvas.disc(x, 0.02, 0.02, colour * 15)
    canvas.shade(np.exp(0.2 * canvas.noise(0.3, 3)))


def blinds(canvas: Canvas) -> None:
    """A window's slats from side to side, light between them."""
    rng = canvas.rng
    step, share = rng.uniform(0.035, 0.09), rng.uniform(0.55, 0.9)
    place = (canvas.y + rng.normal(0, 0.03) * canvas.x) / step
    inside = np.clip((share - np.abs(place % 1 - 0.5) * 2) / 0.12 + 0.5, 0, 1)
    outside = (
        np.array([0.85, 0.95, 1.05]) * rng.uniform(0.5, 3) * np.exp(0.6 * canvas.noise(0.3, 3))[..., None]
    )
    canvas.fill(outside)
    slat = pick(rng, WALL) * canvas.wall_light() * (0.45 + 0.4 * (place % 1))[..., None]
    canvas.paint(inside, slat)
    for x in np.arange(-1.5 + rng.uniform(0, 0.5), 1.5, rng.uniform(0.4, 0.7)):
        canvas.box(x, -1, x + 0.008, 2, pick(rng, WALL) * 0.6)


def car(canvas: Canvas) -> None:
    """The seats, pillars and windows of a car."""
    rng = canvas.rng
    light = canvas.lights.irradiance(FORWARD)[0]
    canvas.fill(np.array([0.6, 0.75, 0.9]) * rng.uniform(0.5, 2.5))
    view = 0.5 * canvas.noise((0.5, 0.12), 4) + 1.6 * (canvas.y - 0.35)
    canvas.paint(
        np.clip(5 * view, 0, 1), pick(rng, np.concatenate([LEAF, STONE])) * light * rng.uniform(0.3, 1)
    )
    trim, seat = pick(rng, FURNITURE) * light * 0.12, pick(rng, CLOTH) * light * 0.35
    canvas.paint(np.clip((0.14 + 0.05 * canvas.x**2 - canvas.y) / 0.02 + 0.5, 0, 1), trim * 3)
    for x, lean in ((-0.55, -0.25), (0.6, 0.25), (rng.uniform(-0.1, 0.1), 0.0)):
        canvas.band((x, 0.0), (x + lean, 0.75), rng.uniform(0.05, 0.12), trim)
    canvas.box(-9, rng.uniform(0.55, 0.75), 9, 2, trim * 0.8, 0.02)
    for side in (-1, 1):
        x = side * rng.uniform(0.25, 0.6)
        canvas.box(x - 0.24, 0.5, x + 0.24, 2, seat, 0.05)
        canvas.box(x - 0.13, 0.28, x + 0.13, 0.5, seat * 1.1, 0.05)


def window(canvas: Canvas) -> None:
    rng = canvas.rng
    side = canvas.lights.lamps[0].direction[0] if canvas.lights.lamps else rng.uniform(-1, 1)
    wide, x = rng.uniform(0.3, 0.9), 0.3 * np.sign(side) + rng.uniform(-0.4, 0.4)
    x0, x1, y0, y1 = x - wide / 2, x + wide / 2, rng.uniform(-0.2, 0.15), rng.uniform(0.55, 1.2)
    frame = pick(rng, np.concatenate([WALL, WOOD])) * 0.7
    canvas.box(x0 - 0.03, y0 - 0.03, x1 + 0.03, y1 + 0.03, frame)
    share = np.clip((canvas.y - y0) / (y1 - y0), 0, 1)[..., None]
    outside = (1 - share) * np.array([0.8, 0.95, 1.1]) + share * pick(rng, np.concatenate([LEAF, STONE])) * 2
    bright = rng.uniform(1, 5) * np.exp(0.4 * canvas.noise(0.15, 3))[..., None]
    view = (canvas.x > x0) & (canvas.x < x1) & (canvas.y > y0) & (canvas.y < y1)
    canvas.paint(view, outside * bright)
    for k in range(1, rng.integers(1, 5)):
        bar = x0 + (x1 - x0) * k / 4
        canvas.box(bar, y0, bar + 0.02, y1, frame)
    if rng.random() < 0.35:
        slats = (canvas.y / rng.uniform(0.03, 0.06)) % 1 < rng.uniform(0.4, 0.75)
        canvas.paint(view & slats, pick(rng, WALL) * rng.uniform(0.4, 1.2))
    elif rng.random() < 0.6:
        _curtains(canvas, x0, x1)


def _curtains(canvas: Canvas, x0: float, x1: float) -> None:
    rng = canvas.rng
    colour, fold = pick(rng, CLOTH) * rng.uniform(0.3, 1), rng.uniform(0.03, 0.07)
    light = 0.7 + 0.35 * np.sin(2 * np.pi * (canvas.x + 0.02 * canvas.noise((0.2, 2.0))) / fold)
    wide = rng.uniform(0.12, 0.35) * (x1 - x0)
    for left, right in ((x0 - 0.1, x0 + wide), (x1 - wide, x1 + 0.1)):
        cover = (canvas.x > left) & (canvas.x < right) & (canvas.y > -1)
        canvas.paint(cover, colour * light[..., None])


def _picture(canvas: Canvas) -> None:
    rng = canvas.rng
    x, y = rng.uniform(-0.8, 0.8), rng.uniform(-0.05, 0.5)
    wide, high, edge = rng.uniform(0.08, 0.3), rng.uniform(0.1, 0.35), rng.uniform(0.008, 0.025)
    light = canvas.lights.irradiance(FORWARD)[0]
    canvas.box(x + 0.012, y + 0.015, x + wide + 0.012, y + high + 0.015, np.zeros(3) + 0.08, 0.03)
    canvas.box(x, y, x + wide, y + high, pick(rng, FURNITURE) * light)
    canvas.box(x + edge, y + edge, x + wide - edge, y + high - edge, light * rng.uniform(0.3, 0.85))
    inner = edge + rng.choice([0, 0.1, 0.18]) * min(wide, high)
    for _ in range(rng.integers(2, 6)):
        across, down = (np.sort(rng.uniform(inner, size - inner, 2)) for size in (wide, high))
        across, down = x + across, y + down
        canvas.box(across[0], down[0], across[1], down[1], pick(rng, BOOKS) * light * 0.8, 0.01)


def _books(canvas: Canvas, x: float, end: float, floor: float, most: float) -> None:
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    while x < end:
        if rng.random() < 0.12:
            x += rng.uniform(0.03, 0.2)
            continue
        wide, high = rng.uniform(0.012, 0.045), most * rng.uniform(0.55, 0.98)
        colour = pick(rng, BOOKS, 0.3) * light * rng.uniform(0.5, 1)
        canvas.box(x, floor - high, x + wide, floor, colour)
        canvas.box(x + 0.8 * wide, floor - high, x + wide, floor, colour * 0.5, 0.3 * wide)
        if rng.random() < 0.5:
            band = floor - high * rng.uniform(0.3, 0.85)
            canvas.box(x, band, x + wide, band + 0.1 * high, pick(rng, BOOKS) * light)
        x += wide + rng.uniform(0, 0.003)


def _shelf(canvas: Canvas) -> None:
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    x, y, wide = rng.uniform(-1, 0.5), rng.uniform(0.15, 0.7), rng.uniform(0.3, 0.9)
    board, step = pick(rng, FURNITURE) * light * 0.8, rng.uniform(0.18, 0.3)
    for k in range(rng.integers(1, 4)):
        floor = y + k * step
        _books(canvas, x + 0.02, x + wide * rng.uniform(0.3, 0.95), floor, 0.8 * step)
        canvas.box(x, floor, x + wide, floor + 0.016, board)
        canvas.box(x, floor + 0.016, x + wide, floor + 0.05, board * 0.15, 0.05)


def _lamp(canvas: Canvas) -> None:
    rng = canvas.rng
    x, y, size = rng.uniform(-0.8, 0.8), rng.uniform(0.0, 0.6), rng.uniform(0.04, 0.12)
    glow = np.array([1.0, 0.72, 0.42]) * rng.uniform(0.8, 4)
    canvas.box(x - 0.006, y, x + 0.006, 2.0 if rng.random() < 0.6 else y, np.full(3, 0.03))
    canvas.disc(x, y, size, glow, 0.01, rng.uniform(0.6, 1.1))
    canvas.add_glow(x, y, 3 * size, glow * 0.15)


def _plant(canvas: Canvas) -> None:
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    x, y, size = rng.uniform(-0.8, 0.8), rng.uniform(0.45, 1.0), rng.uniform(0.15, 0.45)
    canvas.box(x - 0.2 * size, y, x + 0.2 * size, y + 0.4 * size, pick(rng, FURNITURE) * light * 0.8)
    green, wide = pick(rng, LEAF), size * rng.uniform(0.05, 0.14)
    for angle in rng.uniform(-1.3, 1.3, rng.integers(15, 45)):
        reach = size * rng.uniform(0.5, 1.2)
        bend = angle + rng.uniform(-0.4, 0.4)
        middle = x + 0.5 * reach * np.sin(angle), y - 0.5 * reach * np.cos(angle)
        tip = middle[0] + 0.5 * reach * np.sin(bend), middle[1] - 0.4 * reach * np.cos(bend)
        canvas.band((x, y), middle, 0.2 * wide, green * light * 0.4)
        canvas.band(middle, tip, wide, green * light * np.exp(rng.normal(-0.2, 0.5)))


def _door(canvas: Canvas) -> None:
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    x, y, wide = rng.uniform(-1, 0.6), rng.uniform(-0.3, 0.15), rng.uniform(0.3, 0.5)
    colour = pick(rng, FURNITURE) * light * 0.8
    canvas.box(x - 0.03, y - 0.03, x + wide + 0.03, 2, colour * rng.uniform(0.7, 1.3))
    canvas.box(x, y, x + wide, 2, colour if rng.random() < 0.75 else colour * 0.1)
    for top, bottom in ((y + 0.06, y + 0.4), (y + 0.46, y + 1.0)):
        canvas.box(x + 0.06, top, x + wide - 0.06, bottom, colour * 0.8, 0.012)
    canvas.disc(x + 0.9 * wide, y + 0.6, 0.014, np.full(3, 0.6))


def _cupboard(canvas: Canvas) -> None:
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    x, y, wide = rng.uniform(-1, 0.5), rng.uniform(0.3, 0.85), rng.uniform(0.3, 0.8)
    colour = pick(rng, FURNITURE) * light * 0.7
    canvas.box(x, y, x + wide, 2, colour)
    canvas.box(x, y, x + wide, y + 0.02, colour * 1.5)
    for k in range(1, 4):
        canvas.box(x, y + 0.14 * k, x + wide, y + 0.14 * k + 0.008, colour * 0.4)
    for _ in range(rng.integers(0, 5)):
        at, size = x + rng.uniform(0, wide), rng.uniform(0.015, 0.06)
        canvas.disc(
            at, y - size, size, pick(rng, np.concatenate([BOOKS, VIVID])) * light, 0, rng.uniform(1, 2)
        )


def _sofa(canvas: Canvas) -> None:
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    x, y, wide = rng.uniform(-1.2, 0), rng.uniform(0.65, 0.9), rng.uniform(0.7, 1.6)
    colour = pick(rng, CLOTH) * light * 0.7
    canvas.box(x, y, x + wide, 2, colour, 0.03)
    for k in range(4):
        seam = x + wide * k / 3
        canvas.box(seam - 0.01, y, seam + 0.01, 2, colour * 0.5, 0.02)


def _screen(canvas: Canvas) -> None:
    """A television or monitor, off or showing something."""
    rng = canvas.rng
    x, y, wide = rng.uniform(-0.9, 0.5), rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.5)
    canvas.box(x, y, x + wide, y + 0.58 * wide, np.full(3, 0.01))
    shown = np.full(3, 0.02) if rng.random() < 0.5 else pick(rng, VIVID) * rng.uniform(0.5, 1.5)
    canvas.box(x + 0.008, y + 0.008, x + wide - 0.008, y + 0.58 * wide - 0.008, shown)


def _desk(canvas: Canvas, horizon: float) -> None:
    rng, light = canvas.rng, canvas.lights.irradiance(FORWARD)[0]
    x, near = rng.uniform(-1, 1), rng.uniform(0.08, 0.35)
    y = horizon + 0.6 * near
    canvas.box(x - near, y, x + near, y + 0.02, pick(rng, np.concatenate([WOOD, WALL])) * light * 0.8)
    canvas.box(x - 0.4 * near, y - 0.45 * near, x + 0.3 * near, y - 0.03, np.full(3, 0.02))
    canvas.box(
        x - 0.37 * near,
        y - 0.42 * near,
        x + 0.27 * near,
        y - 0.06 * near,
        pick(rng, WALL) * rng.uniform(0.1, 1.3),
    )
