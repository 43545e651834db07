"""Lips, teeth and tongue of anybody: lips touch at rest, teeth stand behind them as in a living mouth."""

import numpy as np
import pytest

pytest.importorskip("anny", reason="anny is not installed: pip install anny")

from emo_people.acting.face import Expression
from emo_people.acting.visemes import SHAPES
from emo_people.people.landmarks import LANDMARKS
from emo_people.people.mesh import head
from emo_people.people.person import random_person
from emo_people.rendering.posing import Body

BODIES = [Body.of(random_person(seed).shape) for seed in range(12)]


def front(vertices: np.ndarray, part: str) -> np.ndarray:
    """The front teeth's vertices (N, 3)."""
    mesh = head()
    teeth = mesh.vertices_of(part)
    place = mesh.template[teeth]
    return vertices[teeth[(np.abs(place[:, 0]) < 0.1) & (place[:, 2] > 1.4)]]


def parting(vertices: np.ndarray) -> float:
    return float(vertices[LANDMARKS[62], 1] - vertices[LANDMARKS[66], 1])


@pytest.mark.parametrize("body", BODIES)
def test_lips_touch_at_rest_and_in_closures(body: Body) -> None:
    assert abs(parting(body.vertices)) < 0.02
    assert parting(body.express(Expression.of(**SHAPES["lips shut"].actions))) < 0.01
    assert parting(body.express(Expression.of(**SHAPES["open"].actions))) > 0.15


@pytest.mark.parametrize("body", BODIES)
def test_upper_teeth_stand_below_the_lip_and_hide_the_lower_ones(body: Body) -> None:
    upper, lower = front(body.vertices, "upper_teeth"), front(body.vertices, "lower_teeth")
    lip = body.vertices[LANDMARKS[[62, 66]]].mean(0)
    assert 0.01 < lip[1] - upper[:, 1].min() < 0.06
    assert lower[:, 1].max() > upper[:, 1].min()
    assert lower[:, 2].max() < upper[:, 2].max()
    assert upper[:, 2].max() < lip[2] - 0.03


@pytest.mark.parametrize("body", BODIES)
def test_upper_teeth_stay_and_lower_ones_follow_the_jaw(body: Body) -> None:
    vertices = body.express(Expression.of(jawOpen=0.5))
    assert np.allclose(front(vertices, "upper_teeth"), front(body.vertices, "upper_teeth"))
    fallen = front(body.vertices, "lower_teeth")[:, 1] - front(vertices, "lower_teeth")[:, 1]
    assert fallen.min() > 0.08
