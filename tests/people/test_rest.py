"""Faces at rest: where their eyes look, and that they are calm."""

import numpy as np
import pytest

from emo_people.acting.face import Expression, Pose
from emo_people.people.person import random_person
from emo_people.rendering.posing import EYES, act
from emo_people.rendering.studio import body_of


@pytest.mark.parametrize("distance", [6.0, 30.0])
def test_the_eyes_meet_at_what_they_look_at(distance):
    body = body_of(random_person(3).shape)
    moment = act(body, Expression.of(gaze=(12.0, -5.0)), Pose(yaw=-8), distance)
    centres = np.stack([body.eye_centre(part, moment.vertices) for part in EYES])
    assert np.linalg.norm(moment.looks, axis=1) == pytest.approx(1)
    target = centres.mean(0) + distance * moment.gaze
    away = target - centres
    nearest = away - (away * moment.looks).sum(1, keepdims=True) * moment.looks
    assert np.abs(nearest).max() < 1e-5
    # Turned towards each other, about the gaze.
    assert moment.looks[0, 0] > moment.gaze[0] > moment.looks[1, 0]


def test_mouths_and_brows_at_rest_are_calm_on_average():
    people = [random_person(seed) for seed in range(120)]
    targets = [dict(person.shape.targets) for person in people]

    def mean(name: str, opposite: str) -> float:
        return float(np.mean([t.get(name, 0.0) - t.get(opposite, 0.0) for t in targets]))

    assert mean("mouth-angles-up", "mouth-angles-down") > 0.3
    assert mean("eyebrows-angle-up", "eyebrows-angle-down") > 0.2
    assert np.mean([person.brows.tilt for person in people]) < 0
