import numpy as np
import pytest
import torch

from emo_modules.cues.squares import around_five
from emo_people.networks.fit import create_net, write_weights
from emo_training.evaluation.instruments import Weights, load_instruments
from emo_training.perception.face_identity import (
    SIDE,
    FaceIdentity,
    IdentityEmbedder,
    cut_face,
    identity_squares,
    load_identity,
)

POINTS = np.zeros((68, 2), np.float32)
POINTS[36:42], POINTS[42:48] = (100, 110), (150, 110)
POINTS[30], POINTS[48], POINTS[54] = (125, 137), (108, 165), (142, 165)
BOX = np.array([[50, 45, 200, 215.0]])


@pytest.fixture(scope="module")
def embedder() -> IdentityEmbedder:
    return IdentityEmbedder(create_net(FaceIdentity, 0).eval().requires_grad_(False))


def picture() -> np.ndarray:
    """(256, 256, 3): smooth, so that cutting it a little otherwise changes little."""
    y, x = np.mgrid[0:256, 0:256] / 256
    waves = np.stack([np.sin(9 * x), np.cos(7 * y), np.sin(5 * (x + y))], -1)
    return (127 + 120 * waves).astype(np.uint8)


def test_vectors_have_length_one_and_do_not_know_left_from_right(embedder):
    frame, points = picture(), POINTS.copy()
    vectors = embedder.embed(np.stack([frame, frame]), BOX.repeat(2, 0), np.stack([points, points]))
    assert vectors.shape == (2, 128) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    mirrored = points * (-1, 1) + (256, 0)
    swapped = mirrored.copy()
    swapped[36:42], swapped[42:48], swapped[48], swapped[54] = (
        mirrored[42:48], mirrored[36:42], mirrored[54], mirrored[48],
    )  # fmt: skip
    (other,) = embedder.embed(frame[None, :, ::-1].copy(), BOX, swapped[None].astype(np.float32))
    assert other @ vectors[0] > 0.9999


def test_a_larger_picture_of_the_same_face_is_cut_to_the_same(embedder):
    frame, squares = picture(), identity_squares(around_five(torch.from_numpy(five(POINTS))))
    large = frame.repeat(3, 0).repeat(3, 1)
    larger = identity_squares(around_five(torch.from_numpy(3 * five(POINTS))))
    one, other = cut_face(frame, squares, 0), cut_face(large, larger, 0)
    assert one.shape == (1, 3, SIDE, SIDE)
    assert (one - other).abs().mean() < 0.01


def five(points: np.ndarray) -> np.ndarray:
    return np.stack([points[36], points[42], points[30], points[48], points[54]])[None]


def test_boxes_alone_are_enough(embedder):
    (vector,) = embedder.embed(picture()[None], BOX)
    assert np.isfinite(vector).all()


def test_a_frame_without_a_box_is_refused(embedder):
    with pytest.raises(ValueError, match=r"frames \[0\] have no face box"):
        embedder.embed(picture()[None], np.full((1, 4), np.nan))


def test_evaluation_takes_its_file_in_the_place_of_sfaces(embedder, tmp_path):
    file = tmp_path / "identity.safetensors"
    write_weights(embedder.net, file, torch.half)
    tools = load_instruments(Weights(analyzer="faces", identity=file))
    assert isinstance(tools.identity, IdentityEmbedder)
    assert tools.labels["identity"].startswith("identity.safetensors (sha256 ")


def test_another_file_is_refused(tmp_path):
    file = tmp_path / "other.safetensors"
    write_weights(torch.nn.Linear(2, 2), file)
    with pytest.raises(ValueError, match=r"other\.safetensors"):
        load_identity(file)
