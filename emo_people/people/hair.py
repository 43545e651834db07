"""What grows on a head: kinds, colours and their odds. Colours are linear RGB."""

from dataclasses import dataclass

import numpy as np

from .looks import Colour, as_colour

KINDS = (
    "bald", "shaved", "crew", "side_part", "messy", "fringe", "slick", "bob", "straight", "wavy", "curly",
    "afro", "braids", "ponytail", "bun", "receding",
)  # fmt: skip
MALE = (4, 8, 17, 16, 13, 7, 8, 0.5, 1.5, 1.5, 7, 3, 2, 1.5, 1, 6)
FEMALE = (0.3, 0.7, 2, 3, 5, 4, 2, 15, 17, 16, 9, 3, 4, 13, 9, 0.3)
# For origins whose hair is tightly curled, what these kinds become.
COILED = {"side_part": "crew", "messy": "crew", "fringe": "afro", "slick": "braids", "bob": "afro",
          "straight": "braids", "wavy": "curly"}  # fmt: skip
# Black, dark brown, brown, light brown, blond, red.
COLOURS = np.array([
    (0.010, 0.008, 0.007), (0.022, 0.013, 0.008), (0.06, 0.032, 0.016), (0.14, 0.08, 0.038),
    (0.36, 0.23, 0.10), (0.20, 0.055, 0.016),
])  # fmt: skip
GREY = np.array((0.42, 0.41, 0.40))
DYES = np.array(
    [(0.35, 0.03, 0.08), (0.05, 0.12, 0.35), (0.45, 0.15, 0.3), (0.08, 0.3, 0.2), (0.6, 0.5, 0.33)]
)
# Heights on the template, dm, above which hair grows, every 15 degrees from the forehead to the nape.
HAIRLINE = np.array([7.98, 7.99, 7.93, 7.70, 7.28, 7.34, 7.48, 7.40, 7.06, 6.80, 6.70, 6.66, 6.64])
TEMPLES = np.array([0.25, 0.5, 1.0, 0.55, 0.05, 0, 0, 0, 0, 0, 0, 0, 0])
SIDEBURNS = np.array([0, 0, 0, 0, -1.0, -0.1, 0, 0, 0, 0, 0, 0, 0])


@dataclass(frozen=True)
class Hair:
    """kind: one of KINDS. length, volume, wave, mess and thinning go from 0 to 1; thinning bares the crown.
    part: where it is parted, dm to the viewer's right of the middle. hairline (13,): heights on the template
    every 15 degrees from the forehead to the nape. grey: the share of grey hairs."""

    kind: str
    colour: Colour
    tips: Colour
    grey: float
    length: float
    volume: float
    wave: float
    mess: float
    part: float
    thinning: float
    hairline: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no hair of kind {self.kind!r}; there are {', '.join(KINDS)}")


def random_hair(rng: np.random.Generator, female: float, age: float, origins: np.ndarray) -> Hair:
    """origins: shares (3,) of African, Asian, Caucasian origin; age in years."""
    origins = np.asarray(origins) / np.sum(origins)
    woman = rng.random() < female
    kind = str(rng.choice(KINDS, p=_shares(woman, age)))
    if rng.random() < origins[0] ** 1.5 * 0.9:
        kind = COILED.get(kind, kind)
    colour, grey = random_colour(rng, age, origins)
    tips = colour * rng.uniform(0.9, 1.5)
    if woman and rng.random() < 0.03:
        tips = colour = DYES[rng.integers(len(DYES))] * rng.uniform(0.5, 1.0)
    recession = 0.0 if woman else float(np.clip(rng.normal((age - 25) / 120, 0.12), 0, 0.4))
    recession += 0.25 * (kind == "receding")
    line = HAIRLINE + recession * TEMPLES + rng.normal(0, 0.025) * (TEMPLES > 0.2)
    line = line + (-0.12 * woman + rng.uniform(-0.02, 0.12)) * SIDEBURNS
    thinning = 0.0 if woman else float(np.clip(rng.normal((age - 45) / 80, 0.15), 0, 0.8))
    return Hair(
        kind=kind,
        colour=as_colour(colour),
        tips=as_colour(tips),
        grey=grey,
        length=float(rng.uniform()),
        volume=float(rng.uniform()),
        wave=float(rng.uniform() ** 1.5),
        mess=float(rng.uniform()),
        part=float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.4) * (rng.random() < 0.65)),
        thinning=max(thinning, 0.65 * (kind == "receding")),
        hairline=tuple(np.round(line, 4).tolist()),
    )


def random_colour(rng: np.random.Generator, age: float, origins: np.ndarray) -> tuple[np.ndarray, float]:
    """(3,) and the share of grey hairs; light hair goes with Caucasian origin only."""
    fair = rng.random() < origins[2] ** 1.2
    place = rng.beta(1.3, 1.6) * 4 if fair else rng.beta(1, 4) * 2
    colour = np.array([np.interp(place, np.arange(5), c) for c in COLOURS[:5].T])
    if fair and rng.random() < 0.08:
        colour = COLOURS[5]
    grey = float(np.clip(rng.normal((age - 48) / 32, 0.25), 0, 1)) if age > 30 else 0.0
    return colour * rng.uniform(0.75, 1.25) * rng.uniform(0.95, 1.05, 3), grey


def _shares(woman: bool, age: float) -> np.ndarray:
    shares = np.array(FEMALE if woman else MALE, float)
    if age < 20:
        shares[[KINDS.index(kind) for kind in ("bald", "receding")]] = 0
    if age > 55 and not woman:
        shares[[KINDS.index(kind) for kind in ("bald", "receding")]] *= 2.5
    return shares / shares.sum()
