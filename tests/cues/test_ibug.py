import numpy as np
import pytest

from emo_modules.cues.ibug import MIRRORED, POINTS, eye_open, inter_ocular, mouth_open, mouth_width


@pytest.fixture
def face() -> np.ndarray:
    """A face 100 px wide between the outer corners of its eyes; what counts for nothing is NaN."""
    points = np.full((POINTS, 2), np.nan)
    points[[36, 45]] = (10, 50), (110, 50)
    points[[61, 62, 63]] = (50, 93), (60, 90), (70, 92)
    points[[67, 66, 65]] = (50, 107), (60, 115), (70, 113)
    points[[48, 54]] = (30, 100), (90, 100)
    points[[37, 38, 40, 41]] = (18, 46), (26, 45), (26, 53), (18, 54)
    points[[43, 44, 46, 47]] = (90, 49), (100, 49), (100, 51), (90, 51)
    return points


def test_lengths_are_in_distances_between_the_eyes(face):
    assert inter_ocular(face) == 100
    assert mouth_open(face) == pytest.approx(0.2)
    assert mouth_width(face) == pytest.approx(0.6)
    assert eye_open(face) == pytest.approx([0.08, 0.02])  # the viewer's left eye first


def test_neither_size_nor_turn_nor_depth_changes_them(face):
    turned = 3 * face @ np.array([[0.6, 0.8], [-0.8, 0.6]]) + (5, -400)
    deep = np.concatenate([turned, np.zeros((POINTS, 1))], 1)
    batch = np.stack([deep, deep])
    assert mouth_open(batch) == pytest.approx([0.2, 0.2])
    assert eye_open(batch) == pytest.approx(np.array([[0.08, 0.02], [0.08, 0.02]]))


def test_in_a_mirror_the_eyes_change_places(face):
    mirrored = face[list(MIRRORED)] * (-1, 1)
    assert eye_open(mirrored) == pytest.approx([0.02, 0.08])
    assert mouth_open(mirrored) == pytest.approx(0.2)
    assert [MIRRORED[place] for place in MIRRORED] == list(range(POINTS))
