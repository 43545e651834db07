"""What a person wears: kinds of clothes, and the cloth that they are made of; colours are linear RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .looks import Colour, as_colour

PATTERNS = (
    "plain", "stripes", "pinstripes", "checks", "dots", "knit", "denim", "melange", "print", "floral",
    "camouflage",
)  # fmt: skip
KINDS = (
    "t-shirt", "v-neck", "scoop", "tank top", "dress", "sweater", "turtleneck", "polo", "shirt", "open shirt",
    "blouse", "suit", "blazer", "hoodie", "coat", "none",
)  # fmt: skip
CHANCES = np.array([15, 6, 6, 4, 7, 9, 6, 5, 8, 6, 3, 9, 6, 7, 4, 1])
JACKETS = ("suit", "blazer", "coat")
COLLARED = (*JACKETS, "polo", "shirt", "open shirt", "hoodie", "turtleneck")
# What is bought most: whites, greys, blacks, navies; then everything else.
PLAIN = np.array(
    [(0.75, 0.75, 0.74), (0.012, 0.012, 0.014), (0.05, 0.05, 0.055), (0.2, 0.2, 0.21), (0.015, 0.025, 0.07)]
)
COLOURED = np.array(
    [(0.5, 0.03, 0.03), (0.05, 0.15, 0.45), (0.03, 0.16, 0.08), (0.7, 0.4, 0.05), (0.25, 0.04, 0.2),
     (0.7, 0.3, 0.35), (0.3, 0.5, 0.65), (0.45, 0.33, 0.2), (0.1, 0.12, 0.05), (0.75, 0.65, 0.45),
     (0.02, 0.25, 0.28), (0.4, 0.12, 0.04)]
)  # fmt: skip
SUITING = np.array(
    [(0.015, 0.016, 0.02), (0.02, 0.03, 0.07), (0.06, 0.065, 0.07), (0.15, 0.15, 0.155), (0.12, 0.08, 0.05),
     (0.02, 0.06, 0.05), (0.35, 0.28, 0.2)]
)  # fmt: skip


@dataclass(frozen=True)
class Fabric:
    """Cloth: its colour, a second one where the pattern has two, and how it shines and falls.

    scale: size of the pattern's repeat, dm; shine: 0 wool .. 1 satin or leather; folds: 0 stiff .. 1 deep.
    """

    colour: Colour
    second: Colour
    pattern: str = "plain"
    scale: float = 0.3
    shine: float = 0.0
    folds: float = 0.5

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise ValueError(f"no pattern {self.pattern!r}; there are {', '.join(PATTERNS)}")
        if not 0.01 <= self.scale <= 3:
            raise ValueError(f"a pattern's scale lies in 0.01..3 dm, got {self.scale}")


@dataclass(frozen=True)
class Clothes:
    """kind: one of KINDS; outer: what is seen most, a suit's jacket; inner: what shows in its opening.

    tie, scarf and necklace: None without; a necklace's pattern is "knit" for beads.
    depth: of the neckline, 0 close .. 1 low; loose: 0 tight .. 1 wide.
    """

    kind: str
    outer: Fabric
    inner: Fabric
    tie: Fabric | None = None
    scarf: Fabric | None = None
    necklace: Fabric | None = None
    depth: float = 0.5
    loose: float = 0.5

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no clothes of kind {self.kind!r}; there are {', '.join(KINDS)}")
        if not (0 <= self.depth <= 1 and 0 <= self.loose <= 1):
            raise ValueError(f"depth and looseness lie in 0..1, got {self.depth} and {self.loose}")


def random_clothes(rng: np.random.Generator, female: float) -> Clothes:
    """female: 0..1; dresses and low necklines are for those above one half, ties mostly for the others."""
    chances = CHANCES / CHANCES.sum()
    worn_by_men = [kind not in ("dress", "scoop", "blouse") for kind in KINDS]
    if female < 0.5:
        chances = chances * worn_by_men
    kind = str(rng.choice(KINDS, p=chances / chances.sum()))
    tie = kind in ("suit", "shirt") and rng.random() < (0.7 if kind == "suit" else 0.2) * (1 - 0.7 * female)
    scarf = kind not in ("turtleneck", "none", "hoodie") and not tie and rng.random() < 0.09
    open_kind = kind in ("v-neck", "scoop", "tank top", "dress", "blouse", "open shirt", "none", "t-shirt")
    necklace = open_kind and not scarf and rng.random() < 0.08 + 0.3 * female
    return Clothes(
        kind,
        _outer(kind, rng),
        _inner(kind, rng),
        tie=_tie(rng) if tie else None,
        scarf=_scarf(rng) if scarf else None,
        necklace=_necklace(rng) if necklace else None,
        depth=float(rng.beta(1.5, 2.5) if female < 0.5 else rng.beta(2, 2)),
        loose=float(rng.uniform()),
    )


def _outer(kind: str, rng: np.random.Generator) -> Fabric:
    if kind in JACKETS:
        pattern = str(rng.choice(["plain", "plain", "melange", "pinstripes", "checks"]))
        leather = kind != "suit" and rng.random() < 0.15
        fabric = _cloth(rng, SUITING, pattern, rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.35))
        return _changed(fabric, 0.6) if leather else fabric
    if kind in ("sweater", "turtleneck", "hoodie"):
        pattern = str(rng.choice(["knit", "knit", "melange", "plain", "stripes"]))
        return _cloth(rng, _any_colour(rng), pattern, rng.uniform(0.12, 0.8), rng.uniform(0.2, 0.5))
    if kind in ("shirt", "open shirt", "blouse"):
        pattern = str(rng.choice(["plain", "plain", "plain", "stripes", "checks", "denim", "dots", "floral"]))
        return _cloth(rng, _any_colour(rng), pattern, rng.uniform(0.05, 0.35), rng.uniform(0.4, 0.9))
    usual = [
        "plain",
        "plain",
        "plain",
        "melange",
        "stripes",
        "print",
        "dots",
        "floral",
        "camouflage",
        "checks",
    ]
    return _cloth(
        rng, _any_colour(rng), str(rng.choice(usual)), rng.uniform(0.12, 0.7), rng.uniform(0.3, 0.9)
    )


def _inner(kind: str, rng: np.random.Generator) -> Fabric:
    if kind == "suit":
        pale = np.array([(0.75, 0.75, 0.75), (0.5, 0.6, 0.75), (0.75, 0.6, 0.62), (0.02, 0.02, 0.025)])
        return _cloth(rng, pale, str(rng.choice(["plain", "plain", "stripes"])), 0.06, 0.3)
    pattern = str(rng.choice(["plain", "plain", "melange", "knit", "stripes"]))
    return _cloth(rng, _any_colour(rng), pattern, rng.uniform(0.1, 0.4), 0.4)


def _tie(rng: np.random.Generator) -> Fabric:
    pattern = str(rng.choice(["plain", "plain", "stripes", "dots", "checks"]))
    fabric = _cloth(rng, np.concatenate([COLOURED, SUITING]), pattern, rng.uniform(0.06, 0.25), 0.1)
    return _changed(fabric, rng.uniform(0.3, 0.8))


def _scarf(rng: np.random.Generator) -> Fabric:
    pattern = str(rng.choice(["plain", "knit", "knit", "checks", "stripes", "melange"]))
    return _cloth(rng, _any_colour(rng), pattern, rng.uniform(0.1, 0.6), 0.8)


def _necklace(rng: np.random.Generator) -> Fabric:
    metals = np.array(
        [(0.8, 0.55, 0.2), (0.65, 0.65, 0.66), (0.75, 0.45, 0.35), (0.75, 0.7, 0.62), (0.02, 0.02, 0.02)]
    )
    colour = as_colour(metals[rng.integers(len(metals))])
    return Fabric(colour, colour, str(rng.choice(["plain", "plain", "knit"])), 0.1, 0.9, 0.0)


def _cloth(rng: np.random.Generator, colours: np.ndarray, pattern: str, scale: float, folds: float) -> Fabric:
    first = colours[rng.integers(len(colours))] * np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.08, 3))
    strong = rng.random() < 0.5
    second = _any_colour(rng)[0] if strong else first * rng.choice([0.4, 0.6, 1.7, 2.5])
    shine = rng.choice([0.05, rng.uniform(0, 0.5)], p=[0.7, 0.3])
    return Fabric(_limited(first), _limited(second), pattern, float(scale), float(shine), float(folds))


def _changed(fabric: Fabric, shine: float) -> Fabric:
    return Fabric(fabric.colour, fabric.second, fabric.pattern, fabric.scale, float(shine), fabric.folds)


def _any_colour(rng: np.random.Generator) -> np.ndarray:
    """(1, 3)"""
    table = PLAIN if rng.random() < 0.5 else COLOURED
    return table[[rng.integers(len(table))]]


def _limited(colour: np.ndarray) -> Colour:
    """No cloth is blacker or whiter."""
    return as_colour(np.clip(colour, 0.008, 0.85))
