"""What grows on heads: every kind is drawn, the face stays free, brows move with the skin."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from emo_people.acting.face import Expression, Pose
from emo_people.people.hair import KINDS, random_hair
from emo_people.people.person import Person, random_person
from emo_people.rendering.framing import Framing
from emo_people.rendering.hair.pieces import hair_pieces
from emo_people.rendering.studio import body_of

from .gl import drawn as drawn

FRAMING = Framing(128, 128, 0.6, 0.5, 0.5)
NEUTRAL, FRONT = Expression.of(), Pose()


def with_hair(kind: str, **changes: object) -> Person:
    person = random_person(24)
    return replace(person, hair=replace(person.hair, kind=kind, thinning=0.0, **changes))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_leaves_eyes_and_mouth_free(drawn, kind):
    bald, other = (
        drawn.regions(with_hair(k), NEUTRAL, pose, FRAMING)
        for k, pose in (("bald", Pose(15)), (kind, Pose(15)))
    )
    assert other.eyes.sum() >= 0.9 * bald.eyes.sum()
    assert other.lips.sum() >= 0.97 * bald.lips.sum()
    assert other.face.sum() >= 0.6 * bald.face.sum()


def test_every_kind_looks_different(drawn):
    pictures = [drawn.draw(with_hair(kind), NEUTRAL, FRONT, FRAMING).clip(0, 1) for kind in KINDS]
    for k, first in enumerate(pictures):
        for second in pictures[:k]:
            assert (np.abs(first - second).max(-1) > 0.1).sum() > 40


def test_the_same_seed_grows_the_same_hair():
    person = with_hair("curly")
    first, second = (hair_pieces(person, body_of(person.shape))[0] for _ in range(2))
    assert np.array_equal(first.vertices, second.vertices) and np.array_equal(first.marks, second.marks)


@pytest.mark.parametrize("kind", ["straight", "curly", "afro", "ponytail"])
def test_hair_stays_outside_the_head(kind):
    person = with_hair(kind, length=1.0)
    body = body_of(person.shape)
    head = body.vertices[body.mesh.vertices_of("skin")]
    core = head[head[:, 1] > body.face_box[0][1]].mean(0)
    for piece in hair_pieces(person, body):
        above = piece.vertices[piece.vertices[:, 1] > core[1]]
        assert np.linalg.norm(above - core, axis=1).min() > 0.5


def test_long_hair_lies_still_on_the_shoulders():
    person = with_hair("straight", length=1.0)
    piece = hair_pieces(person, body_of(person.shape))[0]
    lowest, highest = piece.vertices[:, 1].argmin(), piece.vertices[:, 1].argmax()
    assert piece.turn[lowest] == 0 and piece.turn[highest] == 1


def test_brows_rise_with_the_skin(drawn):
    person = random_person(24)
    brows = replace(person.brows, density=1.0, thickness=0.06, colour=(0.01, 0.01, 0.01))
    drawn_brows, without = (
        replace(person, brows=b, hair=replace(person.hair, kind="bald"))
        for b in (brows, replace(brows, density=0.0))
    )

    def height(expression: Expression) -> float:
        a, b = (drawn.draw(p, expression, FRONT, FRAMING).clip(0, 1) for p in (drawn_brows, without))
        rows = np.abs(a - b).sum((1, 2))
        return float(rows @ np.arange(128) / rows.sum())

    raised = Expression.of(browInnerUp=1, browOuterUpLeft=1, browOuterUpRight=1)
    assert height(raised) < height(NEUTRAL) - 1.5


def test_odds_follow_sex_and_age():
    rng = np.random.default_rng(0)
    origins = np.array([0.2, 0.4, 0.4])
    women, men, girls = (
        Counter(random_hair(rng, female, age, origins).kind for _ in range(400))
        for female, age in ((1, 40), (0, 40), (1, 8))
    )
    assert women["straight"] > 3 * men["straight"] and men["crew"] > 3 * women["crew"]
    assert girls["bald"] == 0 and len(women | men) == len(KINDS)


def test_hair_of_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="mullet"):
        replace(random_person(1).hair, kind="mullet")
