"""What grows on a chin."""

from dataclasses import dataclass

import numpy as np

from .hair import Hair
from .looks import Colour, as_colour

KINDS = ("clean", "stubble", "moustache", "handlebar", "goatee", "circle", "short", "full", "long")
SHARES = (0.46, 0.2, 0.05, 0.02, 0.04, 0.07, 0.09, 0.05, 0.02)
YOUNGEST = 19.0


@dataclass(frozen=True)
class Beard:
    """stubble: how much of it the skin shows, 0..1. moustache, chin, cheeks: lengths in dm, 0 where shaved.
    height: dm by which it reaches up the cheeks or stays below its usual line. bushy: 0..1."""

    kind: str
    colour: Colour
    grey: float
    stubble: float
    moustache: float
    chin: float
    cheeks: float
    height: float
    bushy: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no beard of kind {self.kind!r}; there are {', '.join(KINDS)}")


def random_beard(rng: np.random.Generator, female: float, age: float, hair: Hair) -> Beard:
    grown = rng.random() > female and age > YOUNGEST
    kind = str(rng.choice(KINDS, p=SHARES)) if grown else "clean"
    short, long = rng.uniform(0.05, 0.12), rng.uniform(0.2, 0.45)
    full = {"short": short, "full": long, "long": rng.uniform(0.7, 1.6)}.get(kind, 0.0)
    lip = kind in ("moustache", "handlebar", "circle") or full > 0
    colour = np.array(hair.colour) * rng.uniform(0.7, 1.1)
    if rng.random() < 0.15:
        colour = colour * np.array([1.5, 0.95, 0.8])
    return Beard(
        kind=kind,
        colour=as_colour(colour),
        grey=float(np.clip(hair.grey + rng.normal(0.1, 0.2), 0, 1)) if hair.grey > 0 else 0.0,
        stubble=_stubble(rng, kind, grown),
        moustache=float(rng.uniform(0.05, 0.11)) if lip else 0.0,
        chin=full or (float(rng.uniform(0.08, 0.35)) if kind in ("goatee", "circle") else 0.0),
        cheeks=min(full, 0.5) * 0.8,
        height=float(rng.normal(0, 0.06)),
        bushy=float(rng.uniform()),
    )


def _stubble(rng: np.random.Generator, kind: str, grown: bool) -> float:
    if not grown:
        return 0.0
    return float(rng.uniform(0.35, 0.9) if kind == "stubble" else rng.uniform(0, 0.3))
