"""What grows on heads: every kind is drawn, the face stays free, brows move with the skin."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from emo_people.acting.face import Expression, Pose
from emo_people.people.beard import KINDS as BEARDS
from emo_people.people.beard import Beard, random_beard
from emo_people.people.hair import KINDS, random_hair
from emo_people.people.person import Person, random_person
from emo_people.rendering.framing import Framing
from emo_people.rendering.hair.fur import beard_pieces
from emo_people.rendering.hair.lashes import lash_pieces
from emo_people.rendering.hair.pieces import hair_pieces
from emo_people.rendering.hair.ribbons import seen_triangles, strip_triangles
from emo_people.rendering.hair.scalp import Surface
from emo_people.rendering.pieces import Piece
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
    pictures = [drawn.draw(with_hair(kind), NEUTRAL, Pose(70), FRAMING).clip(0, 1) for kind in KINDS]
    for k, first in enumerate(pictures):
        for second in pictures[:k]:
            assert (np.abs(first - second).max(-1) > 0.1).sum() > 40


def test_the_same_seed_grows_the_same_hair():
    person = with_hair("curly")
    first, second = (hair_of(person) for _ in range(2))
    assert np.array_equal(first.vertices, second.vertices) and np.array_equal(first.marks, second.marks)


@pytest.mark.parametrize("kind", ["straight", "curly", "afro", "ponytail"])
def test_hair_stays_outside_the_head(kind):
    person = with_hair(kind, length=1.0)
    body = body_of(person.shape)
    head = body.vertices[body.mesh.vertices_of("skin")]
    core = head[head[:, 1] > body.face_box[0][1]].mean(0)
    vertices = hair_of(person).vertices
    above = vertices[vertices[:, 1] > core[1]]
    assert np.linalg.norm(above - core, axis=1).min() > 0.5


def test_long_hair_lies_still_on_the_shoulders():
    person = with_hair("straight", length=1.0)
    piece = hair_of(person)
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
    assert height(raised) < height(NEUTRAL) - 0.8


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


@pytest.mark.parametrize("kind", BEARDS)
def test_beards_leave_the_lips_free(drawn, kind):
    person = replace(random_person(24), hair=replace(random_person(24).hair, kind="bald"))
    clean, bearded = (replace(person, beard=beard_of(name, person)) for name in ("clean", kind))
    bare, grown = (drawn.regions(p, NEUTRAL, FRONT, FRAMING) for p in (clean, bearded))
    assert grown.lips.sum() >= 0.65 * bare.lips.sum()
    first, second = (drawn.draw(p, NEUTRAL, FRONT, FRAMING).clip(0, 1) for p in (clean, bearded))
    changed = (np.abs(first - second).max(-1) > 0.02).mean()
    assert (changed > 0.002) == (kind != "clean")


def test_a_beard_follows_the_jaw():
    person = random_person(24)
    body = body_of(person.shape)
    beard = beard_pieces(beard_of("goatee", person), Surface(body), np.random.default_rng(0))[0]
    moved = beard.follow(body, body.express(Expression.of(jawOpen=1))) - beard.vertices
    assert moved[:, 1].mean() < -0.05 and np.allclose(beard.follow(body, body.vertices), beard.vertices)


def test_lashes_close_with_the_lids():
    person = random_person(24)
    body = body_of(person.shape)
    lashes = lash_pieces(body, person.eyes.lashes, np.random.default_rng(0))[0]
    heights = [
        lashes.follow(body, body.express(Expression.of(eyeBlinkLeft=blink, eyeBlinkRight=blink)))[:, 1]
        for blink in (0, 1)
    ]
    assert (heights[1] - heights[0]).min() < -0.05


def test_women_and_children_have_no_beards():
    rng, hair = np.random.default_rng(0), random_person(24).hair
    people = [(1.0, 40.0), (0.0, 12.0)]
    assert all(random_beard(rng, *who, hair).kind == "clean" for who in people for _ in range(50))
    assert len({random_beard(rng, 0.0, 40.0, hair).kind for _ in range(400)}) == len(BEARDS)


def hair_of(person: Person) -> Piece:
    return hair_pieces(person.hair, Surface(body_of(person.shape)), np.random.default_rng(7))[0]


def beard_of(kind: str, person: Person) -> Beard:
    rng = np.random.default_rng(0)
    return next(
        beard
        for beard in (random_beard(rng, 0.0, 40.0, person.hair) for _ in range(2000))
        if beard.kind == kind
    )


def test_of_hair_on_the_far_side_a_third_is_drawn_and_all_that_faces_the_viewer():
    triangles = strip_triangles(6, 3)
    facing = np.repeat([[0, 0, 1.0]] * 3 + [[0, 0, -1.0]] * 3, 6, axis=0)
    kept = np.unique(seen_triangles(triangles, facing, 6) // 6)
    assert set(kept) == {0, 1, 2, 3}
