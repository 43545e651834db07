"""What no network of this pack was trained on: textures of other kinds than its trainings draw."""

import math
from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

SIDE = 384  # px

Grid = tuple[np.ndarray, np.ndarray]


def textures(each: int, seed: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """Names and pictures (384, 384, 3) uint8, so many of each of eight kinds."""
    kinds = (_wood, _weave, _marble, _spots, _bokeh, _halftone, _julia, _water)
    for kind in kinds:
        for k in range(each):
            rng = np.random.default_rng((seed, kinds.index(kind), k))
            yield f"{kind.__name__.strip('_')} {k + 1}", _coloured(kind(rng), rng)


def _coloured(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A map (H, W) as shades between three colours, with a camera's noise."""
    low, high = np.percentile(value, [1, 99])
    place = ((value - low) / max(high - low, 1e-9)).clip(0, 1)
    colours = rng.uniform(0, 255, (3, 3))
    if rng.random() < 0.5:  # of one hue
        colours = np.linspace(0.1, 1, 3)[:, None] * colours[:1]
    planes = [np.interp(place, (0, 0.5, 1), colours[:, k]) for k in range(3)]
    return (np.stack(planes, -1) + rng.normal(0, 4, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)


def _grid() -> Grid:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    return x, y


def _turbulence(rng: np.random.Generator, coarsest: float = 60.0) -> np.ndarray:
    """Noise (H, W) of ever finer scales, each half as strong."""
    scales = [coarsest / 2**k for k in range(5)]
    layers = [gaussian_filter(rng.standard_normal((SIDE, SIDE)), s, mode="wrap") for s in scales]
    return np.sum([layer / layer.std() / 2**k for k, layer in enumerate(layers)], 0)


def _wood(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    away = np.hypot(x - rng.uniform(-1, 2), (y - rng.uniform(-1, 2)) * rng.uniform(0.05, 0.5))
    return np.sin(rng.uniform(40, 160) * (away + 0.02 * _turbulence(rng))) + 0.2 * rng.normal(0, 1, x.shape)


def _weave(rng: np.random.Generator) -> np.ndarray:
    x, y = (rng.uniform(10, 60) * axis + 0.05 * _turbulence(rng) for axis in _grid())
    over = (np.floor(x) + np.floor(y)) % 2
    return np.where(over, np.sin(math.pi * (x % 1)), 0.7 * np.sin(math.pi * (y % 1)))


def _marble(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    return np.abs(np.sin(rng.uniform(5, 30) * (x + y * rng.uniform(-1, 1)) + 2 * _turbulence(rng))) ** 0.4


def _spots(rng: np.random.Generator) -> np.ndarray:
    """A leopard's: what a wave of one length makes of noise."""
    size = math.exp(rng.uniform(math.log(2), math.log(12)))
    noise = rng.standard_normal((SIDE, SIDE))
    waves = gaussian_filter(noise, size, mode="wrap") - gaussian_filter(noise, 1.6 * size, mode="wrap")
    return np.tanh(rng.uniform(1, 6) * (waves / waves.std() - rng.uniform(-0.5, 1)))


def _bokeh(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    value = np.zeros_like(x)
    for _ in range(int(rng.integers(10, 80))):
        size = rng.uniform(0.01, 0.12)
        away = np.hypot(x - rng.random(), y - rng.random()) / size
        value += rng.uniform(0.2, 1) * (1 - np.tanh(10 * (away - 1))) * (0.7 + 0.3 * away.clip(0, 1))
    return value


def _halftone(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    angle, waves = rng.uniform(0, math.pi), rng.uniform(60, 250)
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    return np.tanh(3 * (np.cos(waves * along) + np.cos(waves * across) + _turbulence(rng)))


def _julia(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    place, angle = rng.uniform(0.8, 3) * ((x - 0.5) + 1j * (y - 0.5)), rng.uniform(0, 2 * math.pi)
    constant, steps = 0.7885 * np.exp(1j * angle), np.zeros_like(x)
    for _ in range(60):
        inside = np.abs(place) < 2
        steps += inside
        place = np.where(inside, place**2 + constant, place)
    return np.log1p(steps)


def _water(rng: np.random.Generator) -> np.ndarray:
    """Light on the ground of a pool."""
    field = _turbulence(rng, 30.0)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    down, across = np.gradient(gaussian_filter(field, rng.uniform(2, 6), mode="wrap"))
    reach = rng.uniform(20, 120)
    bent = map_coordinates(field, [y + reach * down, x + reach * across], order=1, mode="wrap")
    return np.exp(-3 * np.abs(bent))
