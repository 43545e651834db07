"""tiny_sface.onnx stands in for SFace: means over 8 x 8 cells of the aligned face in two mixtures of the
colours, 128 numbers (AveragePool, 1 x 1 Conv, Flatten); its first channel is red, as SFace's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emo_training.perception.five_points import box_points, five_points
from emo_training.perception.sface import ALIGNED, align, load_sface, similarity_transform

pytest.importorskip("cv2", reason="the extra `footage` is not installed")
TINY = Path(__file__).with_name("tiny_sface.onnx")
MIX = np.array([[1, 0.5, -1], [0.3, -1, 0.7]])


def turned(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    a = np.radians(degrees)
    return scale * points @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + shift


def test_the_transform_undoes_turn_scale_and_shift():
    points = turned(np.array(ALIGNED), 30, 1.7, (40, -12))
    matrix = similarity_transform(points)
    assert np.allclose(points @ matrix[:, :2].T + matrix[:, 2], ALIGNED)


def test_a_turned_face_is_aligned():
    """Dots at the five points of a turned face land where SFace expects them."""
    points = turned(np.array(ALIGNED), -20, 1.5, (30, 60)).round()
    frame = np.zeros((260, 260, 3), np.uint8)
    for x, y in points.astype(int):
        frame[y - 2 : y + 3, x - 2 : x + 3] = 255
    aligned = align(frame, points)
    assert aligned.shape == (112, 112, 3)
    assert all(aligned[round(y), round(x), 0] > 150 for x, y in ALIGNED)


def test_68_points_have_eyes_nose_and_mouth():
    points = np.zeros((68, 2), np.float32)
    points[[36, 39, 42, 45]] = [(10, 20), (20, 20), (40, 22), (50, 22)]
    points[[30, 48, 54]] = [(30, 35), (20, 50), (40, 51)]
    assert five_points(points).tolist() == [[15, 20], [45, 22], [30, 35], [20, 50], [40, 51]]


def test_mesh_points_are_eyes_nose_and_mouth():
    mesh = np.zeros((478, 2), np.float32)
    mesh[[33, 133, 362, 263]] = [(10, 20), (20, 20), (40, 22), (50, 22)]
    mesh[[4, 61, 291]] = [(30, 35), (20, 50), (40, 51)]
    assert five_points(mesh).tolist() == [[15, 20], [45, 22], [30, 35], [20, 50], [40, 51]]


def test_vectors_are_those_of_the_network_and_of_unit_length():
    frame = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    mesh = np.zeros((478, 2), np.float32)
    mesh[[33, 133]], mesh[[362, 263]], mesh[[4, 61, 291]] = ALIGNED[0], ALIGNED[1], ALIGNED[2:]
    (vector,) = load_sface(TINY).embed(frame[None], np.array([[0, 0, 112, 112.0]]), mesh[None])
    cells = frame.reshape(8, 14, 8, 14, 3).mean(axis=(1, 3))
    expected = np.einsum("ijc,kc->kij", cells, MIX).ravel()
    assert np.linalg.norm(vector) == pytest.approx(1) and vector.dtype == np.float32
    assert np.abs(vector - expected / np.linalg.norm(expected)).max() < 0.004


def test_the_same_face_elsewhere_is_more_alike_than_another():
    rng, frames, boxes = np.random.default_rng(0), [], []
    for face in rng.integers(0, 256, (2, 10, 8, 3), np.uint8).repeat(8, 1).repeat(8, 2):
        for x, y in ((40, 30), (53, 38)):
            frame = np.full((160, 160, 3), 90, np.uint8)
            frame[y : y + 80, x : x + 64] = face
            frames.append(frame)
            boxes.append((x, y, x + 64, y + 80))
    vectors = load_sface(TINY).embed(np.stack(frames), np.array(boxes, float))
    likeness = vectors @ vectors.T
    assert likeness.shape == (4, 4) and np.allclose(likeness.diagonal(), 1, atol=1e-5)
    assert min(likeness[0, 1], likeness[2, 3]) > likeness[:2, 2:].max()


class FakeYuNet:
    """Answers as cv2.FaceDetectorYN does: rows of box x, y, w, h, five points and a score."""

    def __init__(self, faces):
        self.faces = faces

    def setInputSize(self, size):  # noqa: N802
        assert size == (64, 48)

    def detect(self, picture):
        assert picture[0, 0].tolist() == [3, 2, 1]  # blue first
        return 1, self.faces


def test_yunets_points_are_those_of_the_face_in_the_box():
    frame = np.full((48, 64, 3), (1, 2, 3), np.uint8)
    faces = np.array([[0, 0, 10, 10, *range(10), 0.9], [30, 10, 20, 30, *range(20, 30), 0.8]], np.float32)
    box = np.array([31, 11, 49, 39.0])
    found = replace(load_sface(TINY), detector=FakeYuNet(faces))._points(frame, box)
    assert found.ravel().tolist() == list(range(20, 30))
    for none in (None, faces[:1]):
        nothing = replace(load_sface(TINY), detector=FakeYuNet(none))._points(frame, box)
        assert np.array_equal(nothing, box_points(box))


def test_frames_without_a_face_are_refused():
    boxes = np.array([[0, 0, 9, 9], [np.nan] * 4])
    with pytest.raises(ValueError, match=r"frames \[1\] have no face box: leave them out"):
        load_sface(TINY).embed(np.zeros((2, 16, 16, 3), np.uint8), boxes)


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="none.onnx is not there: take SFace's"):
        load_sface(tmp_path / "none.onnx")
    bad = tmp_path / "bad.onnx"
    bad.write_text("<html>")
    with pytest.raises(ValueError, match="OpenCV cannot use .*bad.onnx: Failed to parse"):
        load_sface(bad)
    with pytest.raises(ValueError, match="OpenCV cannot use .*bad.onnx"):
        load_sface(TINY, detector=bad)
