"""Networks of the ArcFace kind on weights made up for it.

tiny_arcface.onnx stands in for insightface's: means over 8 x 8 cells of the aligned face in eight mixtures of
the colours, 512 numbers (AveragePool, 1 x 1 Conv, Flatten).
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from emo_training.evaluation.instruments import load_embedder
from emo_training.perception.arcface import ArcFace, IResNet, load_arcface
from emo_training.perception.face_identity import FaceIdentity, IdentityEmbedder
from emo_training.perception.sface import ALIGNED, SFace

TINY = Path(__file__).with_name("tiny_arcface.onnx")
SFACE = Path(__file__).with_name("tiny_sface.onnx")
BOX = np.array([[0, 0, 112, 112.0]])


def five_at(points) -> np.ndarray:
    """iBUG's points (1, 68, 2) whose eyes, nose tip and mouth corners lie there."""
    found = np.zeros((1, 68, 2), np.float32)
    for places, point in zip(((36, 39), (42, 45), (30,), (48,), (54,)), points, strict=True):
        found[0, list(places)] = point
    return found


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """A file like arcface_torch's, of one unit in each stage but two in the third."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("arcface") / "backbone.pth"
    net = IResNet((1, 1, 2, 1))
    torch.save(net.state_dict(), path)
    return path, net.eval()


def test_the_names_and_shapes_are_those_of_arcface_torch(backbone):
    shapes = {name: tuple(value.shape) for name, value in backbone[1].state_dict().items()}
    for name, shape in {
        "conv1.weight": (64, 3, 3, 3), "bn1.weight": (64,), "prelu.weight": (64,),
        "layer1.0.bn1.weight": (64,), "layer1.0.downsample.0.weight": (64, 64, 1, 1),
        "layer3.0.conv1.weight": (256, 128, 3, 3), "layer3.0.downsample.1.running_mean": (256,),
        "layer3.1.bn3.weight": (256,), "layer4.0.conv2.weight": (512, 512, 3, 3),
        "bn2.weight": (512,), "fc.weight": (512, 512 * 7 * 7), "features.running_var": (512,),
    }.items():  # fmt: skip
        assert shapes[name] == shape, name
    assert "layer3.1.downsample.0.weight" not in shapes
    with torch.device("meta"):
        whole = sum(parameter.numel() for parameter in IResNet((3, 4, 14, 3)).parameters())
    assert whole == 43_590_848, "as many as arcface_torch's IResNet-50"


def test_depths_are_read_from_the_file_and_vectors_are_the_networks(backbone):
    path, net = backbone
    frame = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    (vector,) = load_arcface(path).embed(frame[None], BOX, five_at(ALIGNED))
    with torch.no_grad():
        (expected,) = net(torch.from_numpy(frame).movedim(-1, 0)[None] / 127.5 - 1)
    np.testing.assert_allclose(vector, expected / expected.norm(), atol=1e-5)


def test_a_unit_halves_and_adds_what_it_was_given():
    from emo_training.perception.arcface import _Unit

    unit = _Unit(4, 4, 1).eval()
    torch.nn.init.zeros_(unit.conv2.weight)
    x = torch.randn(1, 4, 6, 6)
    assert torch.equal(unit(x), x)
    assert _Unit(4, 8, 2)(x).shape == (1, 8, 3, 3)


def test_a_turned_face_has_the_vector_of_the_upright_one():
    cv2 = pytest.importorskip("cv2", reason="the extra `evaluate` is not installed")
    rng = np.random.default_rng(1)
    face = cv2.resize(rng.integers(0, 256, (7, 7, 3), np.uint8), (112, 112))
    turn = np.array([[1.2, -0.5, 60], [0.5, 1.2, 20]])
    frame = cv2.warpAffine(face, turn, (260, 260))
    points = np.array(ALIGNED) @ turn[:, :2].T + turn[:, 2]
    embedder = load_embedder(TINY)
    (upright,) = embedder.embed(face[None], BOX, five_at(ALIGNED))
    (turned,) = embedder.embed(frame[None], BOX, five_at(points))
    assert upright @ turned > 0.999


def test_onnx_takes_rgb_in_minus_one_to_one():
    pytest.importorskip("cv2", reason="the extra `evaluate` is not installed")
    import cv2

    frame = np.random.default_rng(2).integers(0, 256, (112, 112, 3), np.uint8)
    (vector,) = load_embedder(TINY).embed(frame[None], BOX, five_at(ALIGNED))
    net = cv2.dnn.readNetFromONNX(str(TINY))
    net.setInput(
        cv2.dnn.blobFromImages([frame[..., ::-1].copy()], 1 / 127.5, (112, 112), (127.5,) * 3, swapRB=True)
    )
    expected = net.forward().ravel()
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)


def test_files_are_told_apart(backbone, tmp_path):
    pytest.importorskip("cv2", reason="the extra `evaluate` is not installed")
    assert isinstance(load_embedder(TINY), ArcFace) and isinstance(load_embedder(SFACE), SFace)
    assert isinstance(load_embedder(backbone[0]), ArcFace)
    save_file(backbone[1].state_dict(), tmp_path / "iresnet.safetensors")
    save_file(FaceIdentity().state_dict(), tmp_path / "own.safetensors")
    assert isinstance(load_embedder(tmp_path / "iresnet.safetensors"), ArcFace)
    assert isinstance(load_embedder(tmp_path / "own.safetensors"), IdentityEmbedder)


def test_other_files_are_refused(tmp_path):
    save_file({"decoder.weight": torch.zeros(2)}, tmp_path / "vae.safetensors")
    with pytest.raises(ValueError, match=r"expected IResNet weights .*; found an image autoencoder"):
        load_embedder(tmp_path / "vae.safetensors")
    cut = IResNet((1, 1, 1, 1)).state_dict()
    del cut["fc.weight"]
    torch.save(cut, tmp_path / "cut.pth")
    with pytest.raises(ValueError, match=r"missing: fc\.weight"):
        load_embedder(tmp_path / "cut.pth")
    with pytest.raises(ValueError, match=r"frames \[0\] have no face box"):
        ArcFace(torch.nn.Identity()).embed(np.zeros((1, 9, 9, 3), np.uint8), np.full((1, 4), np.nan))
