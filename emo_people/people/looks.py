"""How the parts of a face look: colours are linear RGB."""

from dataclasses import dataclass

import numpy as np

from .makeup import BARE, MakeUp, random_make_up
from .scars import Scar, random_scar
from .shape import Shape

Colour = tuple[float, float, float]
Spot = tuple[float, float, float, float]
# From the palest to the darkest skin, in sRGB; people lie between.
SKINS_SRGB = np.array(
    [
        (238, 205, 188),
        (229, 186, 160),
        (209, 159, 126),
        (181, 127, 92),
        (141, 93, 64),
        (96, 60, 42),
        (58, 37, 29),
    ]
)
# Black, dark brown, brown, amber, hazel, green, grey, blue, pale blue.
IRISES = np.array(
    [(0.02, 0.01, 0.006), (0.05, 0.022, 0.01), (0.12, 0.055, 0.02), (0.25, 0.13, 0.035), (0.16, 0.13, 0.05),
     (0.13, 0.17, 0.08), (0.2, 0.22, 0.22), (0.12, 0.2, 0.3), (0.24, 0.34, 0.42)]
)  # fmt: skip
BROWN = 3  # of them are
# Where most people of an origin lie on SKINS_SRGB, 0..1: mean and standard deviation.
TONES = {"african": (0.8, 0.13), "asian": (0.3, 0.15), "caucasian": (0.2, 0.15)}
SPOTS = 12  # that a skin has at most, as skin.frag
FACE = ((-0.6, 0.6), (6.3, 7.85))  # of the template, dm: where spots are


@dataclass(frozen=True)
class Skin:
    """Amounts are 0..1. shine: 0 chalk .. 1 wet; blood: redness of cheeks, nose and ears; blotches: of age;
    rings: below the eyes; slack: fine creases; pale_patches: 1 with vitiligo; folds: depth of the eight
    wrinkles of wrinkles.glsl at rest.

    spots: place x, y on the template and radius in dm, and how much melanin (above 0) or blood (below) each
    has; pattern: where in the noise the skin lies."""

    colour: Colour
    lips: Colour
    shine: float
    blood: float
    freckles: float
    blotches: float
    rings: float
    pores: float
    slack: float
    pale_patches: float
    folds: tuple[float, ...]
    spots: tuple[Spot, ...]
    pattern: Colour
    make_up: MakeUp = BARE
    scar: Scar | None = None


@dataclass(frozen=True)
class Eyes:
    """colours: of the right and the left iris; ring: around the pupil; iris: its radius in dm; pupil: of the
    iris; limbal: darkness of the iris's rim; veins: 0..1, of red eyes 1."""

    colours: tuple[Colour, Colour]
    ring: Colour
    white: Colour
    iris: float
    pupil: float
    limbal: float
    veins: float
    lashes: Colour


@dataclass(frozen=True)
class Mouth:
    """crooked: 0 straight teeth .. 1; spaced: width of the gap in the middle, dm."""

    teeth: Colour
    gums: Colour
    tongue: Colour
    crooked: float
    spaced: float


def random_mouth(rng: np.random.Generator, shape: Shape) -> Mouth:
    worn = np.clip(rng.normal(0.35, 0.25) + 0.005 * (shape.age - 35), 0, 1)
    teeth = np.array([0.78, 0.74, 0.66]) * (1 - worn * np.array([0.3, 0.4, 0.6])) * rng.uniform(0.9, 1.05)
    flesh = rng.uniform(0.85, 1.1)
    return Mouth(
        teeth=as_colour(teeth),
        gums=as_colour(np.array([0.5, 0.2, 0.18]) * flesh * rng.uniform(0.7, 1, 3)),
        tongue=as_colour(np.array([0.5, 0.2, 0.19]) * flesh),
        crooked=float(rng.beta(1.3, 2.5)),
        spaced=float(rng.uniform(0.004, 0.014) if rng.random() < 0.12 else 0),
    )


def random_skin(rng: np.random.Generator, shape: Shape) -> Skin:
    tone = _random_tone(rng, shape)
    skins = (SKINS_SRGB / 255) ** 2.2
    colour = _between(skins, tone * (len(skins) - 1))
    # Undertones: more or less yellow, more or less red.
    colour = colour * rng.normal(1, 0.04) * np.exp(rng.normal(0, [0.02, 0.035, 0.08]))
    lips = colour * np.exp(-rng.uniform(0.6, 1.3) * np.array([0.22, 0.85, 0.6])) * rng.uniform(0.85, 1.05)
    aged = np.clip((shape.age - 30) / 45, 0, 1)
    youth = np.clip((shape.age - 8) / 12, 0, 1)
    return Skin(
        colour=as_colour(colour),
        lips=as_colour(lips),
        shine=float(rng.uniform(0.1, 0.75)),
        blood=float(rng.beta(1.5, 2.5) * (1.1 - 0.5 * tone)),
        freckles=float(rng.beta(1.2, 2) * (rng.random() < 0.25) * (tone < 0.5)),
        blotches=float(rng.beta(2, 2) * max(aged - 0.35, 0) * 1.5),
        rings=float(rng.beta(1.6, 2.2) * (0.35 + 0.65 * youth)),
        pores=float(rng.uniform(0.1, 1) * youth),
        slack=float(np.clip(aged * rng.uniform(0.5, 1.2), 0, 1)),
        pale_patches=float(rng.uniform(0.5, 1) * (rng.random() < 0.012)),
        folds=_random_folds(rng, shape.age),
        spots=_random_spots(rng, shape.age),
        pattern=as_colour(rng.random(3)),
        make_up=random_make_up(rng, shape, colour, lips),
        scar=random_scar(rng),
    )


def random_eyes(rng: np.random.Generator, shape: Shape) -> Eyes:
    brown = 1 - 0.75 * shape.origins[2] / sum(shape.origins)
    colour = _random_iris(rng, brown)
    other = _random_iris(rng, 0.5) if rng.random() < 0.012 else colour
    ring = colour if rng.random() < 0.45 else IRISES[rng.integers(1, 5)] * rng.uniform(0.7, 1.3)
    old = np.clip((shape.age - 40) / 50, 0, 1)
    white = np.array([0.8, 0.78, 0.77]) * (1 - old * rng.uniform(0, 0.3) * np.array([0.2, 0.35, 0.7]))
    return Eyes(
        colours=(as_colour(colour), as_colour(other)),
        ring=as_colour(ring),
        white=as_colour(white),
        iris=float(np.clip(rng.normal(0.0585, 0.002), 0.054, 0.063)),
        pupil=float(rng.uniform(0.28, 0.5)),
        limbal=float(rng.uniform(0.35, 0.9) * (1 - 0.4 * old)),
        veins=float(rng.beta(1.2, 3) if rng.random() < 0.9 else rng.uniform(0.6, 1)),
        lashes=(0.02, 0.015, 0.01),
    )


def as_colour(values: np.ndarray) -> Colour:
    red, green, blue = np.clip(values, 0, 1).tolist()
    return red, green, blue


def _random_tone(rng: np.random.Generator, shape: Shape) -> float:
    """0 the palest .. 1 the darkest; one person in eight has a tone that its features do not tell."""
    if rng.random() < 0.12:
        return float(rng.uniform())
    mean, deviation = np.array(shape.origins) @ np.array(list(TONES.values())) / sum(shape.origins)
    return float(np.clip(rng.normal(mean, deviation), 0, 1))


def _random_iris(rng: np.random.Generator, brown: float) -> np.ndarray:
    """(3,) linear RGB; brown: the chance of a brown one."""
    last = len(IRISES) - 1
    low, high = (0.0, BROWN - 0.5) if rng.random() < brown else (BROWN - 0.5, float(last))
    return _between(IRISES, rng.uniform(low, high)) * rng.uniform(0.75, 1.25)


def _random_folds(rng: np.random.Generator, age: float) -> tuple[float, ...]:
    """Of forehead, frown, eye corners, nasolabial folds, below the eyes, mouth corners, lip, neck."""
    starts = np.array([24, 28, 28, 18, 22, 38, 48, 32])
    grown = np.clip((age - starts) / (75 - starts), 0, 1) ** 0.8
    light = np.array([0.0, 0.0, 0.0, 0.12, 0.12, 0.0, 0.0, 0.1]) * min(age / 20, 1)
    folds = light + grown * rng.uniform(0.35, 1.1, 8)
    return tuple(round(float(fold), 4) for fold in np.clip(folds, 0, 1))


def _random_spots(rng: np.random.Generator, age: float) -> tuple[Spot, ...]:
    """Moles, and the pimples that the young have more of."""
    moles = min(rng.poisson(0.6 if age < 12 else 2.2), 7)
    pimples = min(
        rng.poisson(rng.choice([0, 1, 5], p=[0.6, 0.28, 0.12])) if 12 < age < 40 else 0, SPOTS - moles
    )
    spots = []
    for k in range(moles + pimples):
        x, y = (float(rng.uniform(*reach)) for reach in FACE)
        dark = rng.uniform(0.5, 2.2) if k < moles else -rng.uniform(0.3, 1.1)
        radius = np.exp(rng.normal(np.log(0.012), 0.35)) if k < moles else rng.uniform(0.012, 0.028)
        spots.append((x, y, float(radius), float(dark)))
    return tuple(spots)


def _between(colours: np.ndarray, place: float) -> np.ndarray:
    return np.array([np.interp(place, np.arange(len(colours)), channel) for channel in colours.T])
