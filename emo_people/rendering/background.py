"""What stands behind a person: a kind, a seed and how far out of focus it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.signal import fftconvolve

from .backdrops import indoors, outdoors, surfaces
from .backdrops.canvas import Canvas
from .lights import Lights

KINDS: dict[str, Callable[[Canvas], None]] = {
    "room": indoors.room,
    "wall": indoors.wall,
    "pictures": indoors.wall_with_pictures,
    "window": indoors.bright_window,
    "library": indoors.library,
    "office": indoors.office,
    "kitchen": indoors.kitchen,
    "stage": indoors.stage,
    "blinds": indoors.blinds,
    "car": indoors.car,
    "press": surfaces.press,
    "flowers": outdoors.flowers,
    "sky": outdoors.sky,
    "landscape": outdoors.landscape,
    "sea": outdoors.sea,
    "leaves": outdoors.leaves,
    "street": outdoors.street,
    "facade": outdoors.facade,
    "night": outdoors.night,
    "plain": surfaces.plain,
    "white": surfaces.white,
    "black": surfaces.black,
    "gradient": surfaces.gradient,
    "paper": surfaces.paper,
    "muslin": surfaces.muslin,
    "plaster": surfaces.plaster,
    "brick": surfaces.brick,
    "wood": surfaces.wood,
    "curtain": surfaces.curtain,
    "tiles": surfaces.tiles,
    "pattern": surfaces.pattern,
    "painted": surfaces.painted,
    "marble": surfaces.marble,
}
INSIDE = ("room", "room", "wall", "pictures", "window", "library", "office", "kitchen", "blinds", "car")
OUTSIDE = ("sky", "landscape", "sea", "leaves", "leaves", "street", "facade", "flowers")
STUDIO = (
    "plain",
    "white",
    "black",
    "gradient",
    "paper",
    "muslin",
    "paper",
    "muslin",
    "painted",
    "pattern",
    "press",
)
SURFACES = ("plaster", "brick", "wood", "curtain", "tiles", "marble", "wall")
# What shows straight lines, which no hand holds quite level.
STRAIGHT = (*INSIDE, "facade", "street", "brick", "wood", "tiles", "curtain")
# Where each arrangement of lights is met: chances of inside, outside, studio, surfaces.
PLACES = {
    "studio": (0.2, 0.02, 0.6, 0.18),
    "window": (0.7, 0.0, 0.1, 0.2),
    "sun": (0.0, 0.8, 0.05, 0.15),
    "overcast": (0.0, 0.75, 0.1, 0.15),
    "ceiling": (0.7, 0.0, 0.15, 0.15),
    "front": (0.45, 0.15, 0.25, 0.15),
    "half": (0.4, 0.05, 0.4, 0.15),
    "back": (0.35, 0.5, 0.1, 0.05),
    "below": (0.4, 0.2, 0.3, 0.1),
    "evening": (0.7, 0.1, 0.1, 0.1),
    "neon": (0.2, 0.3, 0.3, 0.2),
}
# Below this height nothing blurred gains by more pixels than these over the blur's radius.
SMALLEST, PIXELS_IN_BLUR = 192, 9


@dataclass(frozen=True)
class Background:
    """kind: one of KINDS; seed: everything on it.

    blur: radius of a point's image, in heights of the picture; blades: of the aperture, 0 for a round one.
    brightness: of what is there against the person.
    """

    kind: str
    seed: int
    blur: float
    blades: int = 0
    brightness: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no background of kind {self.kind!r}; there are {', '.join(KINDS)}")
        if not 0 <= self.blur <= 0.2:
            raise ValueError(f"a background's blur lies in 0..0.2 heights, got {self.blur}")


def random_background(rng: np.random.Generator, lights: Lights) -> Background:
    """A background that one meets under such lights."""
    dark = lights.kind in ("neon", "evening", "below") and rng.random() < 0.5
    places = (INSIDE, OUTSIDE, STUDIO, SURFACES)
    group = ("night", "stage") if dark else places[rng.choice(4, p=PLACES[lights.kind])]
    kind = str(rng.choice(group))
    sharp = kind in STUDIO or rng.random() < 0.2
    blur = rng.uniform(0, 0.006) if sharp else float(np.exp(rng.uniform(np.log(0.008), np.log(0.06))))
    if kind in ("night", "car", "press"):
        blur = rng.uniform(0.012, 0.06)
    brightness = (
        1.0 if kind in ("night", "stage", "white", "black") else float(np.exp(rng.uniform(-1.1, 0.1)))
    )
    return Background(
        kind, int(rng.integers(2**31)), float(blur), int(rng.choice([0, 0, 6, 7, 8])), brightness
    )


def draw(background: Background, lights: Lights, width: int, height: int) -> np.ndarray:
    """The background alone: (height, width, 3) float32, linear RGB from 0; lamps and sky go above 1."""
    high = height
    if background.blur > 0:
        high = min(height, max(SMALLEST, round(PIXELS_IN_BLUR / background.blur)))
    wide = max(1, round(width * high / height))
    rng = np.random.default_rng(background.seed)
    canvas = Canvas(wide, high, lights, rng, rng.uniform(0.5, 1))
    turn, slant = rng.normal(0, 0.025), rng.normal(0, 0.15)
    KINDS[background.kind](canvas)
    pixels = background.brightness * np.maximum(canvas.pixels, 0)
    if background.kind in STRAIGHT:
        pixels = _seen_from_aside(pixels, turn, slant)
    return _enlarged(_defocused(pixels, background.blur * high, background.blades), width, height)


def _seen_from_aside(pixels: np.ndarray, turn: float, slant: float) -> np.ndarray:
    """The camera turned in its plane, in radians, and the wall's left or right side nearer by `slant`."""
    high, wide = pixels.shape[:2]
    y, x = np.mgrid[:high, :wide].astype(np.float32)
    x, y = (x - 0.5 * wide) / high, (y - 0.5 * high) / high
    near = 1 / (1 + slant * x)
    places = [(y + turn * x) * near * high + 0.5 * high, (x - turn * y) * near * high + 0.5 * wide]
    return np.stack([map_coordinates(pixels[..., k], places, order=1, mode="mirror") for k in range(3)], -1)


def _defocused(pixels: np.ndarray, radius: float, blades: int) -> np.ndarray:
    """Each point spread over the image of the aperture: a disc, or a polygon of its blades."""
    if radius < 0.6:
        return pixels
    margin = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-margin : margin + 1, -margin : margin + 1]
    reach = np.hypot(x, y)
    if blades:
        turned = (np.arctan2(y, x) + 0.3) % (2 * np.pi / blades) - np.pi / blades
        reach = reach * np.cos(turned) / np.cos(np.pi / blades) ** 0.5
    kernel = np.clip(radius + 0.5 - reach, 0, 1) * (1 + 0.3 * np.clip(reach / radius, 0, 1) ** 4)
    padded = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    kernel = (kernel / kernel.sum()).astype(np.float32)[..., None]
    return np.maximum(fftconvolve(padded, kernel, mode="valid", axes=(0, 1)), 0)


def _enlarged(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    if pixels.shape[:2] == (height, width):
        return pixels.astype(np.float32)
    channels = [Image.fromarray(np.ascontiguousarray(pixels[..., k], np.float32)) for k in range(3)]
    resized = [np.asarray(c.resize((width, height), Image.Resampling.BICUBIC)) for c in channels]
    return np.maximum(np.stack(resized, -1), 0)
