"""Hats and wound cloth on heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clothes import COLOURED, PLAIN, Fabric
from .hair import Hair
from .looks import as_colour

HATS = ("beanie", "cap", "brimmed", "turban")
COVERING = ("headscarf", "hood")  # hair and ears as well
KINDS = HATS + COVERING
WOUND = 0.4  # breadth of headscarves below which they are wound around the neck
SHARES = (0.42, 0.28, 0.2, 0.1)
FLAT = ("bald", "shaved", "crew", "side_part", "slick", "receding", "bob", "straight", "wavy")


@dataclass(frozen=True)
class Headwear:
    """kind: one of KINDS; low: how far it is pulled down, 0..1; brim: its width, 0..1. A headscarf is wound
    around the neck, or lies over the shoulders the wider its brim is."""

    kind: str
    fabric: Fabric
    low: float
    brim: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no headwear of kind {self.kind!r}; there are {', '.join(KINDS)}")

    @property
    def wound(self) -> bool:
        """Whether a headscarf is."""
        return self.brim < WOUND


def random_headwear(rng: np.random.Generator, hair: Hair, female: float) -> Headwear | None:
    """A hat for one in ten of those whose hair fits below it; of the rest, a headscarf for one woman in
    eighteen and a hood for one in thirty."""
    if rng.random() > 0.1 or hair.kind not in FLAT:
        return _random_covering(rng, female)
    colours = PLAIN if rng.random() < 0.6 else COLOURED
    colour, second = (
        as_colour(colours[k] * rng.uniform(0.7, 1.2)) for k in rng.integers(len(colours), size=2)
    )
    kind = str(rng.choice(HATS, p=SHARES))
    pattern = "knit" if kind == "beanie" else str(rng.choice(["plain", "plain", "melange", "denim"]))
    return Headwear(
        kind, Fabric(colour, second, pattern, 0.3, 0.0, 0.4), float(rng.uniform()), float(rng.uniform())
    )


def _random_covering(rng: np.random.Generator, female: float) -> Headwear | None:
    kind = "hood" if rng.random() < 1 / 30 else "headscarf" if rng.random() < female / 18 else None
    if kind is None:
        return None
    colours = np.concatenate([PLAIN, COLOURED])
    colour, second = (
        as_colour((colours[k] * rng.uniform(0.7, 1.2)).clip(0.008, 0.85))
        for k in rng.integers(len(colours), size=2)
    )
    usual = (
        ["plain", "plain", "plain", "melange", "floral", "dots"]
        if kind == "headscarf"
        else ["plain", "melange"]
    )
    shine = float(rng.choice([0.05, 0.05, rng.uniform(0.1, 0.4)])) if kind == "headscarf" else 0.0
    fabric = Fabric(
        colour,
        second,
        str(rng.choice(usual)),
        float(rng.uniform(0.1, 0.4)),
        shine,
        float(rng.uniform(0.4, 1)),
    )
    return Headwear(kind, fabric, float(rng.uniform()), float(rng.uniform()))
