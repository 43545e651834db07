"""Glasses and earrings."""

from dataclasses import replace

import numpy as np
import pytest

from emo_people.acting.face import Expression, Pose
from emo_people.networks.pool_pictures import face_seen
from emo_people.people.clothes import Fabric
from emo_people.people.headwear import COVERING, Headwear
from emo_people.people.headwear import KINDS as HEADWEAR
from emo_people.people.landmarks import LANDMARKS
from emo_people.people.person import Person, covered, random_person
from emo_people.people.worn import FRAMES, RINGS, Earrings, Glasses, random_earrings, random_glasses
from emo_people.rendering.framing import Framing
from emo_people.rendering.hair.pieces import grown_pieces
from emo_people.rendering.studio import body_of
from emo_people.rendering.worn.glasses import glasses_pieces
from emo_people.rendering.worn.headscarf import covering_pieces
from emo_people.rendering.worn.headwear import ROOM, rim_of, skull
from emo_people.rendering.worn.pressed import pressed

from .gl import drawn as drawn

FRAMING = Framing(96, 96, 0.6, 0.5, 0.5)
NEUTRAL, FRONT = Expression.of(), Pose()


def plain() -> Person:
    person = random_person(24)
    hair = replace(person.hair, kind="bald")
    return replace(person, hair=hair, glasses=None, earrings=None, headwear=None)


def glasses_of(frame: str, tint: float = 0.0) -> Glasses:
    return Glasses(frame, (0.01, 0.01, 0.01), False, 0.46, 0.36, 0.02, tint, 0.5)


@pytest.mark.parametrize("frame", ["thick", "half", "rimless"])
def test_one_sees_the_eyes_through_glasses(drawn, frame):
    person = replace(plain(), glasses=glasses_of(frame))
    bare, worn = (drawn.regions(p, NEUTRAL, FRONT, FRAMING) for p in (plain(), person))
    assert worn.eyes.sum() > 0.85 * bare.eyes.sum()
    first, second = (drawn.draw(p, NEUTRAL, FRONT, FRAMING).clip(0, 1) for p in (plain(), person))
    changed = np.abs(first - second).max(-1) > 0.05
    assert 0.001 < changed.mean() < 0.15


def test_sunglasses_hide_the_eyes(drawn):
    person = replace(plain(), glasses=glasses_of("square", tint=0.95))
    assert drawn.regions(person, NEUTRAL, FRONT, FRAMING).eyes.sum() == 0
    assert drawn.regions(person, NEUTRAL, FRONT, FRAMING, bare=True).eyes.sum() > 0
    seen = [face_seen(drawn, who, NEUTRAL, FRONT, FRAMING) for who in (plain(), person)]
    assert 0.3 < seen[1] < seen[0] - 0.05


@pytest.mark.parametrize("seed", range(3))
def test_glasses_sit_before_the_eyes_and_on_the_nose(seed):
    person = random_person(seed)
    body = body_of(person.shape)
    frame = glasses_pieces(glasses_of("square"), body)[0]
    points = body.vertices[LANDMARKS]
    left, top = frame.vertices[:, :2].min(0)[0], frame.vertices[:, 1].max()
    assert left < points[36, 0] and frame.vertices[:, 0].max() > points[45, 0]
    assert points[30, 1] < frame.vertices[:, 1].max() and top < points[27, 1] + 0.6 * body.size
    nearest = np.linalg.norm(frame.vertices - points[27], axis=1).min()
    assert 0.0 < nearest < 0.15


@pytest.mark.parametrize("kind", HEADWEAR)
def test_hats_cover_the_top_and_not_the_face(drawn, kind):
    hat = Headwear(kind, Fabric((0.0, 0.5, 0.0), (0.0, 0.5, 0.0)), 1.0, 1.0)
    bare, worn = (
        drawn.regions(person, NEUTRAL, FRONT, FRAMING) for person in (plain(), replace(plain(), headwear=hat))
    )
    assert worn.eyes.sum() == bare.eyes.sum() and worn.lips.sum() == bare.lips.sum()
    assert np.nonzero(worn.person)[0].min() < np.nonzero(bare.person)[0].min()


def test_thick_hair_stays_below_the_cloth_of_a_hat_and_shows_under_its_rim():
    hat = Headwear("cap", Fabric((0.0, 0.5, 0.0), (0.0, 0.5, 0.0)), 1.0, 1.0)
    hair = replace(plain().hair, kind="wavy", volume=1.0)
    person = replace(plain(), hair=hair)
    body = body_of(person.shape)

    def bulges(pieces):
        places = np.concatenate([piece.vertices for piece in pieces if piece.anchors is None])
        away = places - skull(body, np.zeros((1, 3)))[0]
        far = np.linalg.norm(away, axis=1)
        out = away / far[:, None]
        above = np.arcsin(out[:, 1]) > rim_of(hat, np.arctan2(out[:, 0], out[:, 2]))
        cloth = skull(body, out)[1] + ROOM * body.size
        return (above & (far > cloth)).sum(), (~above).sum()

    grown = grown_pieces(person, body)
    assert bulges(grown)[0] > 0
    too_far, below = bulges(pressed(grown, hat, body))
    assert too_far == 0 and below > 500


@pytest.mark.parametrize("kind", COVERING)
def test_what_covers_the_head_follows_the_jaw_and_hides_the_ears(kind):
    body = body_of(plain().shape)
    cloth = covering_pieces(Headwear(kind, Fabric((0.0, 0.5, 0.0), (0.0, 0.5, 0.0)), 0.5, 0.5), body)[0]
    moved = cloth.follow(body, body.express(Expression.of(jawOpen=1.0))) - cloth.vertices
    chin = np.linalg.norm(cloth.vertices - body.vertices[LANDMARKS[8]], axis=1) < 0.5
    above = cloth.vertices[:, 1] > body.vertices[LANDMARKS[27], 1] + 0.5
    assert np.abs(moved[above]).max() < 0.01
    assert kind == "hood" or moved[chin, 1].min() < -0.015
    assert cloth.covers is not None and cloth.covers.sum() > 100
    assert cloth.turn[above].min() > 0.99 > 0.5 > cloth.turn.min()


@pytest.mark.parametrize(("brim", "pieces"), [(0.1, 1), (0.9, 2)])
def test_a_headscarf_is_wound_or_lies_over_the_shoulders(brim, pieces):
    scarf = Headwear("headscarf", Fabric((0.0, 0.5, 0.0), (0.0, 0.5, 0.0)), 0.5, brim)
    person = covered(plain(), scarf)
    assert len(covering_pieces(scarf, body_of(person.shape))) == pieces
    assert (person.clothes.scarf == scarf.fabric) == (pieces == 1)


def test_covered_heads_are_found_among_people():
    wearers = [person for person in map(random_person, range(300)) if person.headwear]
    people = [person for person in wearers if person.headwear.kind in COVERING]
    assert {person.headwear.kind for person in people} == set(COVERING)
    assert all(p.hair.kind in ("bald", "shaved") and p.earrings is None for p in people)


def test_who_wears_what():
    rng = np.random.default_rng(0)
    young, old = ([random_glasses(rng, age) for _ in range(600)] for age in (20.0, 80.0))
    shares = [sum(g is not None for g in group) / 600 for group in (young, old)]
    assert 0.05 < shares[0] < 0.2 < shares[1] < 0.6
    assert {g.frame for g in old if g} == set(FRAMES)
    assert {e.kind for e in (random_earrings(rng, 1.0, 30.0) for _ in range(400)) if e} == set(RINGS)


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="monocle"):
        glasses_of("monocle")
    with pytest.raises(ValueError, match="nose"):
        Earrings("nose", (1.0, 1.0, 1.0), 0.1)
