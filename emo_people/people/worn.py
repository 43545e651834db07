"""Glasses and earrings: what is put on a head beside hats. Colours are linear RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .looks import Colour, as_colour

FRAMES = ("round", "square", "oval", "aviator", "wire", "thick", "rimless", "half", "cat")
FRAME_SHARES = (0.13, 0.22, 0.12, 0.07, 0.14, 0.12, 0.06, 0.08, 0.06)
METAL_FRAMES = ("wire", "aviator", "rimless")
METALS = np.array([(0.75, 0.74, 0.72), (0.8, 0.6, 0.3), (0.3, 0.3, 0.31), (0.05, 0.05, 0.055)])
PLASTICS = np.array([
    (0.008, 0.008, 0.009), (0.012, 0.008, 0.006), (0.06, 0.025, 0.01), (0.18, 0.07, 0.02), (0.02, 0.03, 0.08),
    (0.3, 0.02, 0.03), (0.6, 0.55, 0.48), (0.25, 0.25, 0.27),
])  # fmt: skip
RINGS = ("stud", "pearl", "hoop", "drop")


@dataclass(frozen=True)
class Glasses:
    """frame: one of FRAMES; width and height of a lens, thickness of the rim, dm on the template; tint: how
    dark the lenses are, 0..1; metal: whether the rim is."""

    frame: str
    colour: Colour
    metal: bool
    width: float
    height: float
    thickness: float
    tint: float
    reflection: float

    def __post_init__(self) -> None:
        if self.frame not in FRAMES:
            raise ValueError(f"no glasses with a {self.frame!r} frame; there are {', '.join(FRAMES)}")


@dataclass(frozen=True)
class Earrings:
    """kind: one of RINGS; size in dm."""

    kind: str
    colour: Colour
    size: float

    def __post_init__(self) -> None:
        if self.kind not in RINGS:
            raise ValueError(f"no earrings of kind {self.kind!r}; there are {', '.join(RINGS)}")


def random_glasses(rng: np.random.Generator, age: float) -> Glasses | None:
    """One in seven wears glasses, among the old two in five; one pair in fifteen is dark."""
    if rng.random() > 0.12 + 0.28 * np.clip((age - 40) / 35, 0, 1):
        return None
    frame = str(rng.choice(FRAMES, p=FRAME_SHARES))
    metal = frame in METAL_FRAMES or (frame in ("round", "oval", "half") and rng.random() < 0.4)
    colours = METALS if metal else PLASTICS
    weights = np.linspace(2, 0.5, len(colours))
    colour = colours[rng.choice(len(colours), p=weights / weights.sum())] * rng.uniform(0.8, 1.2)
    flat = {"round": 0.92, "aviator": 0.88, "oval": 0.7}.get(frame, rng.uniform(0.62, 0.85))
    width = float(rng.uniform(0.4, 0.5))
    return Glasses(
        frame=frame,
        colour=as_colour(colour),
        metal=metal,
        width=width,
        height=float(width * flat),
        thickness=float(
            0.008 if metal else rng.uniform(0.03, 0.045) if frame == "thick" else rng.uniform(0.014, 0.026)
        ),
        tint=float(rng.uniform(0.6, 0.97) if rng.random() < 0.07 else 0.0),
        reflection=float(rng.uniform(0.2, 1.0)),
    )


def random_earrings(rng: np.random.Generator, female: float, age: float) -> Earrings | None:
    if rng.random() > (0.03 + 0.3 * female) * (age > 8):
        return None
    kind = str(rng.choice(RINGS, p=(0.4, 0.2, 0.25, 0.15)))
    size = {"stud": (0.02, 0.035), "pearl": (0.03, 0.05), "hoop": (0.08, 0.25), "drop": (0.03, 0.05)}[kind]
    colour = (0.85, 0.82, 0.76) if kind == "pearl" else METALS[rng.integers(2)]
    return Earrings(kind, as_colour(np.array(colour)), float(rng.uniform(*size)))
