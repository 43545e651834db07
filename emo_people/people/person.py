"""A person: everything about somebody that stays from frame to frame, from one seed."""

from dataclasses import dataclass, replace

import numpy as np

from .beard import Beard, random_beard
from .brows import Brows, random_brows
from .clothes import COLLARED, Clothes, random_clothes
from .hair import Hair, random_hair
from .headwear import COVERING, Headwear, random_headwear
from .looks import Eyes, Mouth, Skin, random_eyes, random_mouth, random_skin
from .shape import Shape, random_shape
from .worn import Earrings, Glasses, random_earrings, random_glasses

SEEDS = 2**32


@dataclass(frozen=True)
class Person:
    """seed names the person; what is random about a picture of it beyond these records follows from the
    seed."""

    seed: int
    shape: Shape
    skin: Skin
    eyes: Eyes
    mouth: Mouth
    hair: Hair
    brows: Brows
    beard: Beard
    glasses: Glasses | None
    headwear: Headwear | None
    earrings: Earrings | None
    clothes: Clothes


def random_person(seed: int) -> Person:
    """The person of a seed in 0..2**32 - 1. Raises ValueError for another."""
    if not 0 <= seed < SEEDS:
        raise ValueError(f"a person's seed must be in 0..{SEEDS - 1}, got {seed}")

    def dice(part: int) -> np.random.Generator:
        # One for each part: a new part leaves the others as they were.
        return np.random.default_rng([seed, part])

    shape = random_shape(dice(0))
    hair = random_hair(dice(4), shape.female, shape.age, np.array(shape.origins))
    headwear = random_headwear(dice(9), hair, shape.female)
    if headwear is not None:
        hair = replace(hair, volume=0.0, mess=0.3 * hair.mess)
    person = Person(
        seed=seed,
        shape=shape,
        skin=random_skin(dice(1), shape),
        eyes=random_eyes(dice(2), shape),
        mouth=random_mouth(dice(3), shape),
        hair=hair,
        brows=random_brows(dice(5), shape.female, shape.age, hair),
        beard=random_beard(dice(6), shape.female, shape.age, hair),
        glasses=random_glasses(dice(7), shape.age),
        headwear=headwear,
        earrings=random_earrings(dice(8), shape.female, shape.age),
        clothes=random_clothes(dice(10), shape.female),
    )
    return covered(person, headwear) if headwear and headwear.kind in COVERING else person


def covered(person: Person, headwear: Headwear) -> Person:
    """With a headscarf wound around the neck as well, or the hood of what is worn, and no hair
    that would push through."""
    clothes = replace(person.clothes, tie=None, scarf=None, necklace=None)
    if headwear.kind == "hood":
        clothes = replace(clothes, kind="hoodie", outer=headwear.fabric)
    elif headwear.wound:
        clothes = replace(clothes, scarf=headwear.fabric)
    elif clothes.kind in COLLARED:
        # A collar would push through what lies over the shoulders.
        clothes = replace(clothes, kind="sweater")
    hair = replace(person.hair, kind="shaved" if headwear.kind == "hood" else "bald")
    return replace(person, headwear=headwear, hair=hair, earrings=None, clothes=clothes)
