"""Scars of a face."""

from dataclasses import dataclass

import numpy as np

SHARE = 0.07  # of people have one
# Where they are on the template, dm: cheek, brow, upper lip, forehead, chin; either side.
PLACES = ((0.45, 6.95), (0.36, 7.47), (0.14, 6.75), (0.25, 7.68), (0.1, 6.36))
SPREAD = 0.07


@dataclass(frozen=True)
class Scar:
    """A line on the template: the middle `x`, `y` and half of its length and width in dm, its angle in
    radians; blood: how red it is, below 0 how pale."""

    x: float
    y: float
    length: float
    width: float
    angle: float
    blood: float


def random_scar(rng: np.random.Generator) -> Scar | None:
    if rng.random() > SHARE:
        return None
    x, y = np.array(PLACES)[rng.integers(len(PLACES))] + rng.normal(0, SPREAD, 2)
    fresh = rng.random() < 0.4
    return Scar(
        x=float(x * rng.choice([-1, 1])),
        y=float(y),
        length=float(rng.uniform(0.05, 0.2)),
        width=float(rng.uniform(0.006, 0.014)),
        angle=float(rng.uniform(0, np.pi)),
        blood=float(rng.uniform(0.4, 1.0) if fresh else -rng.uniform(0.15, 0.35)),
    )
