"""Flat things behind a person: paper, paint, brick, wood, cloth, patterns."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, pick
from .colours import BRICK, CLOTH, PAPER, STONE, VIVID, WALL, WOOD


def plain(canvas: Canvas) -> None:
    canvas.fill(pick(canvas.rng, np.concatenate([PAPER, VIVID])) * canvas.rng.uniform(0.3, 1))


def white(canvas: Canvas) -> None:
    canvas.fill(canvas.rng.uniform(0.75, 1.1))
    canvas.shade(1 - canvas.rng.uniform(0, 0.15) * np.abs(canvas.x))


def black(canvas: Canvas) -> None:
    canvas.fill(canvas.rng.uniform(0, 0.02) * pick(canvas.rng, PAPER))


def gradient(canvas: Canvas) -> None:
    angle, rng = canvas.rng.uniform(0, np.pi), canvas.rng
    share = np.clip(0.5 + np.cos(angle) * canvas.x + np.sin(angle) * (canvas.y - 0.5), 0, 1)
    first, second = pick(rng, VIVID), pick(rng, np.concatenate([VIVID, PAPER]))
    canvas.fill((1 - share[..., None]) * first + share[..., None] * second)


def paper(canvas: Canvas) -> None:
    """A studio's roll of paper with a pool of light on it."""
    rng = canvas.rng
    canvas.fill(pick(rng, PAPER) * canvas.lights.irradiance(np.array([(0, 0, 1)])) * rng.uniform(0.4, 1.1))
    x, y = rng.uniform(-0.4, 0.4), rng.uniform(0.2, 0.8)
    distance = np.hypot(canvas.x - x, (canvas.y - y) * rng.uniform(0.7, 1.2))
    dark = rng.uniform(0.1, 0.9)
    canvas.shade(dark + (1 - dark) * np.exp(-((distance / rng.uniform(0.4, 0.9)) ** 2)))


def muslin(canvas: Canvas) -> None:
    """The hand-painted cloth of portrait studios: clouds of one colour."""
    rng = canvas.rng
    paper(canvas)
    canvas.shade(np.exp(rng.uniform(0.1, 0.5) * canvas.noise(0.35, 4, 0.55)))
    tint = rng.normal(0, 0.12, 3) * canvas.noise(0.5, 2)[..., None]
    canvas.pixels *= np.exp(tint.astype(np.float32))


def plaster(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.fill(pick(rng, np.concatenate([WALL, STONE])) * canvas.wall_light())
    canvas.shade(np.exp(rng.uniform(0.03, 0.25) * canvas.noise(0.3, 6, rng.uniform(0.5, 0.75))))


def brick(canvas: Canvas) -> None:
    rng = canvas.rng
    high = rng.uniform(0.05, 0.11)
    wide, joint = high * rng.uniform(2.2, 3.5), high * rng.uniform(0.08, 0.18)
    row = np.floor((canvas.y + 10) / high)
    column = np.floor((canvas.x + 10) / wide + 0.5 * (row % 2))
    across = ((canvas.x + 10) / wide + 0.5 * (row % 2) - column) * wide
    down = (canvas.y + 10) - row * high + 0 * canvas.x
    inside = np.minimum(np.minimum(across, wide - across), np.minimum(down, high - down)) - joint / 2
    cover = np.clip((inside + 0.004 * canvas.noise(0.03, 2)) / max(0.006, canvas.pixel) + 0.5, 0, 1)
    tone = np.exp(0.22 * _hashed(row, column, rng) + 0.12 * canvas.noise(0.06, 4, 0.6))
    stone, mortar = pick(rng, BRICK), pick(rng, STONE) * rng.uniform(0.4, 1)
    canvas.fill(mortar * np.exp(0.1 * canvas.noise(0.05, 3))[..., None])
    canvas.paint(cover, stone * tone[..., None])
    canvas.pixels *= canvas.wall_light()


def wood(canvas: Canvas) -> None:
    """Boards, upright or level."""
    rng, upright = canvas.rng, canvas.rng.random() < 0.6
    place = canvas.x + 0 * canvas.y if upright else canvas.y + 0 * canvas.x
    wide = rng.uniform(0.08, 0.3)
    board = np.floor((place + 10) / wide)
    inside = (place + 10) / wide - board
    along = (0.02, 0.9) if upright else (0.9, 0.02)
    grain = canvas.noise(along, 4, 0.7) + 0.5 * canvas.noise((along[0] / 6, along[1] / 2), 2)
    tone = np.exp(0.2 * _hashed(board, 0 * board, rng) + 0.16 * grain)
    gap = np.clip(np.minimum(inside, 1 - inside) * wide / 0.004, 0.25, 1)
    canvas.fill(pick(rng, WOOD) * (tone * gap)[..., None])
    canvas.pixels *= canvas.wall_light()


def curtain(canvas: Canvas) -> None:
    rng = canvas.rng
    fold = rng.uniform(0.06, 0.2)
    bend = 0.4 * fold * canvas.noise((0.5, 0.9), 2)
    phase = 2 * np.pi * (canvas.x + bend) / fold + 1.5 * canvas.noise((0.3, 3.0))
    height = np.sin(phase) + 0.35 * np.sin(2.3 * phase + 1)
    slope = np.cos(phase) + 0.8 * np.cos(2.3 * phase + 1)
    side = np.sign(canvas.lights.lamps[0].direction[0]) if canvas.lights.lamps else 1
    light = np.clip(0.55 + 0.22 * height + 0.2 * side * slope, 0.05, 1.3)
    canvas.fill(pick(rng, CLOTH) * light[..., None] * canvas.wall_light())
    canvas.shade(np.exp(0.05 * canvas.noise(0.02, 2)))


def tiles(canvas: Canvas) -> None:
    rng = canvas.rng
    high = rng.uniform(0.06, 0.22)
    wide = high * rng.choice([1.0, 1.0, 2.0])
    row, column = np.floor(canvas.y / high), np.floor((canvas.x + 10) / wide)
    across, down = (canvas.x + 10) - column * wide, canvas.y - row * high
    inside = np.minimum(np.minimum(across, wide - across), np.minimum(down, high - down))
    cover = np.clip((inside - 0.004) / max(0.004, canvas.pixel) + 0.5, 0, 1)
    shine = 0.12 * _hashed(row, column, rng) + 0.15 * (across / wide - down / high)
    canvas.fill(pick(rng, STONE) * 0.6)
    canvas.paint(cover, pick(rng, np.concatenate([WALL, CLOTH])) * np.exp(shine)[..., None])
    canvas.pixels *= canvas.wall_light()


def pattern(canvas: Canvas) -> None:
    """Wallpaper, or a graphic behind the person: stripes, checks, dots, zigzag, diamonds."""
    rng = canvas.rng
    step, angle = rng.uniform(0.04, 0.22), rng.choice([0, 0, np.pi / 2, np.pi / 4, rng.uniform(0, np.pi)])
    u = (np.cos(angle) * canvas.x + np.sin(angle) * canvas.y) / step
    v = (np.cos(angle) * canvas.y - np.sin(angle) * canvas.x) / step
    wave = PATTERNS[rng.integers(len(PATTERNS))](u, v)
    sharp = rng.choice([0.5, 1.0, step / canvas.pixel / 4])
    cover = np.clip(0.5 + sharp * (wave - rng.uniform(-0.3, 0.3)), 0, 1)
    canvas.fill(pick(rng, np.concatenate([VIVID, WALL])))
    canvas.paint(cover, pick(rng, np.concatenate([VIVID, WALL])))
    canvas.pixels *= canvas.wall_light()


def press(canvas: Canvas) -> None:
    """The wall behind people who are interviewed: rows of signs and words on one colour."""
    rng = canvas.rng
    canvas.fill(pick(rng, np.concatenate([PAPER, VIVID, WALL])) * canvas.wall_light())
    wide, high = rng.uniform(0.2, 0.4), rng.uniform(0.12, 0.25)
    colours = [pick(rng, np.concatenate([VIVID, WALL])) * canvas.wall_light().mean((0, 1)) for _ in range(3)]
    for row, y in enumerate(np.arange(-0.1, 1.2, high)):
        for column, x in enumerate(np.arange(-2 + 0.5 * wide * (row % 2), 2, wide)):
            colour = colours[(row + 2 * column) % 3]
            size = 0.16 * high
            canvas.disc(x, y, size, colour, 0, 1 + 0.5 * (column % 2))
            letter = x + 1.8 * size
            while letter < x + 0.62 * wide:
                canvas.box(
                    letter, y - 0.5 * size, letter + 0.45 * size, y + 0.5 * size * rng.uniform(0.4, 1), colour
                )
                letter += 0.7 * size


PATTERNS = (
    lambda u, v: np.sin(2 * np.pi * u) + 0 * v,
    lambda u, v: np.sin(2 * np.pi * u) * np.sin(2 * np.pi * v),
    lambda u, v: np.maximum(np.sin(2 * np.pi * u), np.sin(2 * np.pi * v)),
    lambda u, v: 2 - 4 * np.hypot((u + 0.5 * (np.floor(v) % 2)) % 1 - 0.5, v % 1 - 0.5) * 1.6,
    lambda u, v: np.sin(2 * np.pi * (v + np.abs((u % 2) - 1))),
    lambda u, v: np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v) + 0.6 * np.cos(6 * np.pi * (u + v)),
)


def painted(canvas: Canvas) -> None:
    """Brush strokes of a few colours, as behind painted portraits and in graphics."""
    rng = canvas.rng
    canvas.fill(pick(rng, VIVID))
    turn = 0.08 * canvas.noise(0.4)
    for _ in range(rng.integers(3, 8)):
        stroke = canvas.noise((rng.uniform(0.08, 0.5), rng.uniform(0.05, 0.4)), int(rng.integers(1, 4)))
        stroke = canvas.warped(stroke, canvas.x + turn, canvas.y + turn.T[:1].mean() + turn)
        cover = np.clip(rng.uniform(1, 8) * (stroke - rng.uniform(-0.2, 0.6)), 0, 1)
        canvas.paint(cover * rng.uniform(0.4, 1), pick(rng, np.concatenate([VIVID, PAPER])))
    canvas.shade(np.exp(0.08 * canvas.noise((0.05, 0.01), 2)))


def marble(canvas: Canvas) -> None:
    rng = canvas.rng
    veins = np.abs(canvas.noise(0.5, 5, 0.55))
    cover = np.exp(-veins * rng.uniform(6, 14)) * np.clip(0.6 + canvas.noise(0.4), 0, 1)
    canvas.fill(pick(rng, STONE) * (1 + 0.08 * canvas.noise(0.3, 3))[..., None])
    canvas.paint(cover * 0.7, pick(rng, STONE) * 0.3)
    canvas.pixels *= canvas.wall_light()


def _hashed(row: np.ndarray, column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A normal number for each whole row and column."""
    table = rng.normal(0, 1, 4096).astype(np.float32)
    return table[(row.astype(int) * 131 + column.astype(int) * 17) % 4096]
