"""What covers the ground, walls and tables, near and far: faces must not be seen in it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.spatial import cKDTree

from .backdrops import SIDE, clouds, random_colour

SIZES = (4.0, 90.0)  # px of pieces
MOST = 700  # pieces
LIGHT = 2.0  # slope at which a relief is as dark as it gets

Outline = Callable[[np.random.Generator], np.ndarray]


def draw_texture(rng: np.random.Generator) -> np.ndarray:
    """A picture (192, 192, 3) uint8: heaps of like pieces, cracked ground, or a relief in slanting light."""
    picture = (_heap, _cracked, _relief)[int(rng.choice(3, p=[0.5, 0.25, 0.25]))](rng)
    grey = picture.mean(-1, keepdims=True)
    pixels = Image.fromarray((grey + rng.uniform(0, 1) * (picture - grey)).astype(np.uint8))
    return np.array(pixels.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 1.2)))))


def _heap(rng: np.random.Generator) -> np.ndarray:
    """Pieces of one kind, one upon another or apart: blades, stones, leaves, coins, bubbles, cups."""
    picture = Image.fromarray(clouds(rng))
    draw = ImageDraw.Draw(picture)
    outline = (_blade, _stone, _leaf, _round)[int(rng.integers(4))]
    size = math.exp(rng.uniform(*np.log(SIZES)))
    full = rng.uniform(0.3, 2.5)
    count = min(MOST, 1 + int(full * (SIDE / size) ** 2))
    palette = np.array([random_colour(rng) for _ in range(int(rng.integers(1, 4)))])
    turned, alike, marked = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.5), rng.random() < 0.6
    for _ in range(count):
        angle = turned + rng.normal(0, 4 * alike)
        cos, sin = math.cos(angle), math.sin(angle)
        shape = size * math.exp(rng.normal(0, alike)) / 2 * outline(rng) @ np.array([[cos, sin], [-sin, cos]])
        colour = palette[rng.integers(len(palette))] * rng.uniform(0.7, 1.3) + rng.normal(0, 10, 3)
        _lay(draw, shape, rng.uniform(-0.1, 1.1, 2) * SIDE, colour, marked, rng)
    return np.array(picture)


def _lay(
    draw: ImageDraw.ImageDraw,
    shape: np.ndarray,
    place: np.ndarray,
    colour: np.ndarray,
    marked: bool,
    rng: np.random.Generator,
) -> None:
    """One piece with its shadow and its lit top; now and then with marks upon it."""
    reach = float(np.abs(shape).max())
    for share, away, light in ((1.0, 0.15, 0.45), (1.0, 0.0, 1.0), (0.7, -0.12, 1.2)):
        fill = tuple((light * colour).clip(0, 255).astype(int).tolist())
        draw.polygon([tuple(p) for p in (share * shape + place + away * reach).tolist()], fill=fill)
    for _ in range(int(rng.integers(1, 5)) if marked else 0):
        x, y = place + rng.uniform(-0.5, 0.5, 2) * reach
        wide, high = rng.uniform(0.05, 0.35, 2) * reach
        fill = tuple((rng.uniform(0.2, 1.5) * colour).clip(0, 255).astype(int).tolist())
        draw.ellipse((x - wide, y - high, x + wide, y + high), fill=fill)


def _blade(rng: np.random.Generator) -> np.ndarray:
    along = np.linspace(-1, 1, 7)
    bend, width = rng.normal(0, 0.2), rng.uniform(0.03, 0.12)
    middle, half = bend * along**2, width * (1.05 - along) / 2
    upper, lower = np.stack([along, middle + half], 1), np.stack([along, middle - half], 1)
    return np.concatenate([upper, lower[::-1]])


def _leaf(rng: np.random.Generator) -> np.ndarray:
    along = np.linspace(-1, 1, 9)
    half = rng.uniform(0.25, 0.6) * (1 - along**2) * (1 + rng.uniform(-0.4, 0.4) * along)
    return np.concatenate([np.stack([along, half], 1), np.stack([along, -half], 1)[::-1]])


def _stone(rng: np.random.Generator) -> np.ndarray:
    angles = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(5, 12))))
    radius = rng.uniform(0.6, 1.1, len(angles))
    return np.stack([radius * np.cos(angles), rng.uniform(0.5, 1) * radius * np.sin(angles)], 1)


def _round(rng: np.random.Generator) -> np.ndarray:
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    return np.stack([np.cos(angles), rng.uniform(0.6, 1) * np.sin(angles)], 1)


def _cracked(rng: np.random.Generator) -> np.ndarray:
    """Cells around points, each in its own shade, with lines or shadows between them."""
    size = math.exp(rng.uniform(*np.log(SIZES)))
    seeds = rng.uniform(-size, SIDE + size, (4 + int(((SIDE + 2 * size) / size) ** 2), 2))
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    stretch = np.array([1.0, math.exp(rng.normal(0, 0.4))])
    away, which = cKDTree(seeds * stretch).query(np.stack([x, y], -1) * stretch, k=2)
    between = 1 - np.exp(-(away[..., 1] - away[..., 0]) / (size * rng.uniform(0.03, 0.4)))
    shades = rng.normal(0, rng.uniform(0, 45), (len(seeds), 1)) + rng.normal(0, 12, (len(seeds), 3))
    ground = clouds(rng) + shades[which[..., 0]]
    return (ground * (1 - rng.uniform(0.2, 0.9) * (1 - between[..., None]))).clip(0, 255).astype(np.uint8)


def _relief(rng: np.random.Generator) -> np.ndarray:
    """A rough surface, lit from one side."""
    height = clouds(rng).astype(float).mean(-1) * rng.uniform(0.02, 0.15)
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    size = math.exp(rng.uniform(*np.log(SIZES)))
    for _ in range(int(rng.choice([0, 3, 20, 60]))):
        distance = np.hypot(*(np.stack([x, y]) - rng.uniform(0, SIDE, 2)[:, None, None])) / size
        height += rng.normal(0, 1) * size / 4 * np.sqrt((1 - distance**2).clip(0))
    angle = rng.uniform(0, 2 * math.pi)
    down, across = np.gradient(height)
    light = (across * math.cos(angle) + down * math.sin(angle)) / LIGHT
    colour = np.array(random_colour(rng))
    return (colour * (0.6 + 0.6 * np.tanh(light))[..., None]).clip(0, 255).astype(np.uint8)
