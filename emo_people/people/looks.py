"""How the parts of a face look: colours are linear RGB."""

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]
# Two light and two dark skins, between which people lie.
SKINS = np.array([(0.78, 0.52, 0.42), (0.62, 0.38, 0.25), (0.36, 0.19, 0.11), (0.09, 0.045, 0.03)])
IRISES = np.array(
    [(0.05, 0.025, 0.012), (0.16, 0.08, 0.03), (0.12, 0.12, 0.05), (0.08, 0.16, 0.24), (0.16, 0.2, 0.22)]
)


@dataclass(frozen=True)
class Skin:
    """shine: 0 chalk .. 1 wet."""

    colour: Colour
    lips: Colour
    shine: float


@dataclass(frozen=True)
class Eyes:
    """iris and pupil: radius over that of the eyeball."""

    colour: Colour
    iris: float
    pupil: float
    lashes: Colour


def random_skin(rng: np.random.Generator, african: float) -> Skin:
    """african: 0..1, the share of that origin, which darker skins go with."""
    tone = np.clip(rng.beta(1.3, 2.5) + 0.55 * african, 0, 1) * (len(SKINS) - 1)
    colour = _between(SKINS, tone) * rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3)
    lips = colour * np.array([0.82, 0.5, 0.5]) * rng.uniform(0.8, 1.1)
    return Skin(as_colour(colour), as_colour(lips), float(rng.uniform(0.1, 0.6)))


def random_eyes(rng: np.random.Generator, african: float) -> Eyes:
    place = rng.uniform(0, 1 if rng.random() < african + 0.4 else len(IRISES) - 1)
    colour = _between(IRISES, place) * rng.uniform(0.8, 1.2)
    return Eyes(as_colour(colour), rng.uniform(0.46, 0.52), rng.uniform(0.16, 0.26), (0.02, 0.015, 0.01))


def as_colour(values: np.ndarray) -> Colour:
    red, green, blue = np.clip(values, 0, 1).tolist()
    return red, green, blue


def _between(colours: np.ndarray, place: float) -> np.ndarray:
    return np.array([np.interp(place, np.arange(len(colours)), channel) for channel in colours.T])
