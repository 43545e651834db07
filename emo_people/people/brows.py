"""Eyebrows."""

from dataclasses import dataclass

import numpy as np

from .hair import GREY, Hair
from .looks import Colour, as_colour


@dataclass(frozen=True)
class Brows:
    """thickness: half of the height in dm; density 0..1; arch, tilt (+ outer ends up) and gap (half of what
    is free over the nose) in dm on the template."""

    colour: Colour
    thickness: float
    density: float
    arch: float
    tilt: float
    gap: float


def random_brows(rng: np.random.Generator, female: float, age: float, hair: Hair) -> Brows:
    colour = np.minimum(np.array(hair.colour) * rng.uniform(0.5, 1.0), 0.16)
    colour = colour + (GREY - colour) * 0.8 * hair.grey * rng.uniform(0.2, 1.0)
    joined = rng.random() < 0.05 * (1 - 0.6 * female)
    return Brows(
        colour=as_colour(colour),
        thickness=float(rng.uniform(0.028, 0.062) * (1 - 0.25 * female)),
        density=float(np.clip(rng.normal(0.85, 0.2), 0.25, 1.1)),
        arch=float(rng.uniform(0.01, 0.06) + 0.025 * female),
        tilt=float(rng.normal(-0.012, 0.015)),
        gap=float(0.01 if joined else rng.uniform(0.07, 0.13)),
    )
