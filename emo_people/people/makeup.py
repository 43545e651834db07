"""What people put on their faces."""

from dataclasses import dataclass

import numpy as np

from .shape import Shape

Paint = tuple[float, float, float, float]
NONE: Paint = (0.0, 0.0, 0.0, 0.0)
# Linear RGB of lipsticks: reds, pinks, nudes, plums, orange, nearly black.
LIPSTICKS = np.array(
    [(0.36, 0.015, 0.025), (0.5, 0.03, 0.03), (0.55, 0.13, 0.2), (0.6, 0.25, 0.27), (0.45, 0.2, 0.15),
     (0.2, 0.03, 0.06), (0.28, 0.02, 0.1), (0.6, 0.12, 0.06), (0.06, 0.01, 0.02)]
)  # fmt: skip
EYE_SHADOWS = np.array(
    [(0.25, 0.13, 0.08), (0.12, 0.07, 0.05), (0.04, 0.04, 0.05), (0.5, 0.33, 0.25), (0.5, 0.2, 0.25),
     (0.1, 0.15, 0.35), (0.2, 0.08, 0.3), (0.06, 0.22, 0.2), (0.55, 0.42, 0.2)]
)  # fmt: skip


@dataclass(frozen=True)
class MakeUp:
    """lipstick, eye_shadow and rouge: linear RGB and how much of it covers, 0..1; liner and foundation:
    0..1."""

    lipstick: Paint = NONE
    eye_shadow: Paint = NONE
    rouge: Paint = NONE
    liner: float = 0.0
    foundation: float = 0.0


BARE = MakeUp()


def random_make_up(rng: np.random.Generator, shape: Shape, skin: np.ndarray, lips: np.ndarray) -> MakeUp:
    """Grown women mostly wear some; others hardly ever. skin, lips: linear RGB (3,) of the bare ones."""
    chance = 0.6 if shape.female > 0.5 else 0.015
    if shape.age < 15 or rng.random() > chance:
        return BARE
    strong = rng.uniform(0.3, 1)
    lipstick = LIPSTICKS[rng.integers(len(LIPSTICKS))] if rng.random() < 0.6 else lips * [1.1, 0.85, 0.9]
    shadow = EYE_SHADOWS[rng.integers(len(EYE_SHADOWS))] * np.clip(skin.mean() / 0.4, 0.3, 1)
    return MakeUp(
        lipstick=_paint(lipstick, strong * rng.uniform(0.4, 1) * (rng.random() < 0.8)),
        eye_shadow=_paint(shadow, strong * rng.uniform(0.1, 0.7) * (rng.random() < 0.6)),
        rouge=_paint(skin * [1.0, 0.55, 0.6], strong * rng.uniform(0.2, 0.7) * (rng.random() < 0.5)),
        liner=float(strong * rng.uniform(0.2, 1) * (rng.random() < 0.6)),
        foundation=float(strong * rng.uniform(0.2, 1) * (rng.random() < 0.6)),
    )


def _paint(colour: np.ndarray, cover: float) -> Paint:
    red, green, blue = np.clip(colour, 0, 1).tolist()
    return red, green, blue, float(cover)
