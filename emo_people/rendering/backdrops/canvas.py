"""A picture in linear light that shapes are painted on; nothing on it depends on its resolution."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from ..lights import Lights

Colour = np.ndarray | tuple[float, float, float] | float
# Noise reaches this many heights to both sides of the middle: pictures may be four times as wide as high.
REACH = 2.0


class Canvas:
    """Linear RGB (H, W, 3). x runs from the middle to the right and y from the top (0) down (1), in heights.

    zoom: the part of the scene's height that the picture shows, from anywhere in it.
    """

    def __init__(
        self, width: int, height: int, lights: Lights, rng: np.random.Generator, zoom: float = 1.0
    ) -> None:
        self.width, self.height, self.rng, self.pixel = width, height, rng, zoom / height
        x, y = rng.uniform(-0.5, 0.5) * (1 - zoom), rng.uniform() * (1 - zoom)
        self.xs = (self.pixel * (np.arange(width) + 0.5 - 0.5 * width) + x).astype(np.float32)
        self.ys = (self.pixel * (np.arange(height) + 0.5) + y).astype(np.float32)
        self.lights = lights
        self.pixels = np.zeros((height, width, 3), np.float32)
        self.aspect = width / height

    @property
    def x(self) -> np.ndarray:
        """(1, W)"""
        return self.xs[None]

    @property
    def y(self) -> np.ndarray:
        """(H, 1)"""
        return self.ys[:, None]

    def wall_light(self) -> np.ndarray:
        """(H, W, 3): light on a wall behind the person, stronger on the side that the lamps stand on."""
        toward, away = self.lights.irradiance(np.array([(0.45, 0.3, 0.84), (-0.45, 0.3, 0.84)]))
        share = np.clip(0.5 + 0.6 * self.x[..., None], 0, 1)
        falloff = 1 - 0.35 * np.abs(self.y[..., None] - 0.4)
        return (falloff * (share * toward + (1 - share) * away)).astype(np.float32)

    def fill(self, colour: Colour) -> None:
        self.pixels[:] = colour

    def noise(
        self, scale: float | tuple[float, float], octaves: int = 1, roughness: float = 0.5
    ) -> np.ndarray:
        """(H, W), about -1..1: smooth noise, `scale` (x, y) heights from bump to bump, and finer octaves."""
        across, down = (scale, scale) if isinstance(scale, float) else scale
        total = np.zeros((self.height, self.width), np.float32)
        for octave in range(octaves):
            total += roughness**octave * self._bumps(across / 2**octave, down / 2**octave)
        return total

    def _bumps(self, across: float, down: float) -> np.ndarray:
        columns, rows = int(2 * REACH / across) + 4, int(1 / down) + 4
        lattice = self.rng.uniform(-1.8, 1.8, (rows, columns)).astype(np.float32)
        return _weights(self.ys / down, rows) @ lattice @ _weights((self.xs + REACH) / across, columns).T

    def warped(self, texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The texture (H, W) of this canvas seen at other places x, y (H, W) in heights, mirrored outside."""
        places = [(y - self.ys[0]) / self.pixel, (x - self.xs[0]) / self.pixel]
        return map_coordinates(texture, places, order=1, mode="mirror")

    def paint(self, cover: np.ndarray, colour: Colour) -> None:
        """Colour over the whole picture where cover (H, W) or broadcastable is 1."""
        cover = np.asarray(cover, np.float32)[..., None]
        self.pixels += cover * (np.asarray(colour, np.float32) - self.pixels)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, soft: float = 0.0) -> None:
        """An upright rectangle with edges antialiased, or `soft` heights wide."""
        rows, columns = self._window(x0, y0, x1, y1, soft)
        across = _edge(self.xs[columns] - x0, soft, self.pixel) * _edge(
            x1 - self.xs[columns], soft, self.pixel
        )
        down = _edge(self.ys[rows] - y0, soft, self.pixel) * _edge(y1 - self.ys[rows], soft, self.pixel)
        self._blend(rows, columns, down[:, None] * across, colour)

    def disc(
        self, x: float, y: float, radius: float, colour: Colour, soft: float = 0.0, flat: float = 1.0
    ) -> None:
        """An ellipse, `flat` times as high as it is wide."""
        rows, columns = self._window(x - radius, y - flat * radius, x + radius, y + flat * radius, soft)
        distance = np.hypot(self.xs[None, columns] - x, (self.ys[rows, None] - y) / flat)
        self._blend(rows, columns, _edge(radius - distance, soft, self.pixel), colour)

    def band(
        self, start: tuple[float, float], end: tuple[float, float], width: float, colour: Colour
    ) -> None:
        """A straight line with round ends."""
        half, (ax, ay), (bx, by) = width / 2, start, end
        rows, columns = self._window(
            min(ax, bx) - half, min(ay, by) - half, max(ax, bx) + half, max(ay, by) + half, 0
        )
        x, y = self.xs[None, columns] - ax, self.ys[rows, None] - ay
        along = np.clip((x * (bx - ax) + y * (by - ay)) / max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9), 0, 1)
        distance = np.hypot(x - along * (bx - ax), y - along * (by - ay))
        self._blend(rows, columns, _edge(half - distance, 0, self.pixel), colour)

    def add_glow(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Light that falls off around a place, as around a lamp."""
        distance = np.hypot(self.x - x, self.y - y) / radius
        self.pixels += (1 / (1 + distance**2) ** 2)[..., None] * np.asarray(colour, np.float32)

    def shade(self, factor: np.ndarray) -> None:
        """Multiplied by (H, W) or broadcastable."""
        self.pixels *= np.asarray(factor, np.float32)[..., None]

    def _window(self, x0: float, y0: float, x1: float, y1: float, soft: float) -> tuple[slice, slice]:
        """The rows and columns that a shape in these bounds may touch."""
        margin = soft + 1.5 * self.pixel
        columns = np.searchsorted(self.xs, (x0 - margin, x1 + margin))
        rows = np.searchsorted(self.ys, (y0 - margin, y1 + margin))
        return slice(rows[0], rows[1]), slice(columns[0], columns[1])

    def _blend(self, rows: slice, columns: slice, cover: np.ndarray, colour: Colour) -> None:
        part = self.pixels[rows, columns]
        part += cover[..., None] * (np.asarray(colour, np.float32) - part)


def _edge(inside: np.ndarray, soft: float, pixel: float) -> np.ndarray:
    """Cover 0..1 from the distance inside an edge, in heights."""
    return np.clip(inside / max(soft, pixel) + 0.5, 0, 1)


def _weights(places: np.ndarray, count: int) -> np.ndarray:
    """(N, count) cubic B-spline weights of lattice points, the first at -1, for places in their units."""
    distance = np.abs(places[:, None] + 1 - np.arange(count))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def pick(rng: np.random.Generator, colours: np.ndarray, spread: float = 0.15) -> np.ndarray:
    """One of the colours (N, 3), each channel off by up to about `spread` of itself."""
    colour = colours[rng.integers(len(colours))]
    return np.clip(colour * np.exp(rng.normal(0, spread, 3) * 0.5 + rng.normal(0, spread)), 0, 1)
