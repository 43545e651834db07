import numpy as np
import pytest

from emo_training.perception.mesh_points import (
    CHIN,
    FOREHEAD,
    MESH_POINTS,
    TO_EARS,
    TO_HAIRLINE,
    face_box,
    ibug_points,
    iris_points,
    mesh_box,
)


@pytest.fixture
def mesh() -> np.ndarray:
    """Points of a face 80 px wide and 100 high, its chin at (60, 200), with a depth that plays no part."""
    points = np.random.default_rng(0).uniform((20, 100, -9), (100, 200, 9), (MESH_POINTS, 3))
    points[[FOREHEAD, CHIN, 234, 454], :2] = (60, 100), (60, 200), (20, 150), (100, 150)
    return points


def test_the_face_reaches_from_ear_to_ear_and_from_hairline_to_chin(mesh):
    assert mesh_box(mesh) == pytest.approx([20, 100, 100, 200])
    wide, high = 80 * TO_EARS, 100 * TO_HAIRLINE
    assert face_box(mesh) == pytest.approx([60 - wide / 2, 200 - high, 60 + wide / 2, 200])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_face_turns_with_the_picture(mesh, turns):
    quarter = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), turns)
    x0, y0, x1, y1 = face_box(mesh)
    corners = np.array([(x0, y0), (x1, y1)]) @ quarter.T
    turned = np.concatenate([mesh[:, :2] @ quarter.T, mesh[:, 2:]], 1)
    assert face_box(turned) == pytest.approx([*corners.min(0), *corners.max(0)])


def test_a_face_that_was_not_seen_has_no_box():
    meshes = np.full((2, MESH_POINTS, 2), np.nan)
    assert np.isnan(face_box(meshes)).all() and face_box(meshes).shape == (2, 4)


def test_the_mesh_tells_ibugs_points_and_the_irises(mesh):
    points = ibug_points(np.stack([mesh, mesh + 1]))
    assert points.shape == (2, 68, 3) and iris_points(mesh).shape == (2, 3)
    assert points[0, 8] == pytest.approx(mesh[CHIN])
    assert points[1, 27] == pytest.approx((mesh[168] + mesh[6]) / 2 + 1)
