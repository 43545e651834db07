"""Hats and wound cloth on heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clothes import COLOURED, PLAIN, Fabric
from .hair import Hair
from .looks import as_colour

KINDS = ("beanie", "cap", "brimmed", "turban")
SHARES = (0.42, 0.28, 0.2, 0.1)
FLAT = ("bald", "shaved", "crew", "side_part", "slick", "receding", "bob", "straight", "wavy")


@dataclass(frozen=True)
class Headwear:
    """kind: one of KINDS; low: how far it is pulled down, 0..1; brim: its width, 0..1."""

    kind: str
    fabric: Fabric
    low: float
    brim: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no headwear of kind {self.kind!r}; there are {', '.join(KINDS)}")


def random_headwear(rng: np.random.Generator, hair: Hair) -> Headwear | None:
    """One in ten of those whose hair fits below a hat."""
    if rng.random() > 0.1 or hair.kind not in FLAT:
        return None
    colours = PLAIN if rng.random() < 0.6 else COLOURED
    colour, second = (
        as_colour(colours[k] * rng.uniform(0.7, 1.2)) for k in rng.integers(len(colours), size=2)
    )
    kind = str(rng.choice(KINDS, p=SHARES))
    pattern = "knit" if kind == "beanie" else str(rng.choice(["plain", "plain", "melange", "denim"]))
    return Headwear(
        kind, Fabric(colour, second, pattern, 0.3, 0.0, 0.4), float(rng.uniform()), float(rng.uniform())
    )
