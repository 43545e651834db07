"""Deep3DFaceRecon's network and alignment; torchvision's ResNet-50 stands in for the original's, which is a
copy of it."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from emo_training.perception.deep3d import (
    MEAN_FACE,
    OUTPUTS,
    SADTALKER,
    SCALE,
    SIDE,
    Deep3D,
    align,
    load_deep3d,
    place,
)

from .test_arcface import five_at


def projected(scale: float, x: float, y: float, height: int) -> np.ndarray:
    """The mean face's points (5, 2) px, seen from the front at that size, its origin at x and y px."""
    points = np.array(MEAN_FACE)[:, :2] * scale
    return np.stack([x + points[:, 0], height - 1 - (height - 1 - y + points[:, 1])], 1)


@pytest.mark.parametrize(
    ("scale", "x", "y"), [(102.0, 160.0, 150.0), (250.0, 300.0, 350.0), (40.0, 90.0, 200.0)]
)
def test_points_land_where_the_original_puts_them(scale, x, y):
    """102 px a unit, the face model's origin in the middle: but for whole pixels of the aligned face, and one
    of the frame, whose last row the original counts as 0."""
    height, width = 400, 500
    points = projected(scale, x, y, height)
    size, corner = place(points, height, width)
    landed = points * (np.array(size) / (width, height)) - corner
    wanted = np.array(MEAN_FACE)[:, :2] * (SCALE, -SCALE) + SIDE / 2
    assert np.abs(landed - wanted).max() <= 1 + SCALE / scale


def test_a_turned_head_keeps_its_scale():
    """Seen by any affine camera of one scale, the scale is found: 30 degrees of yaw."""
    a = np.radians(30)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    seen = (np.array(MEAN_FACE) @ turn.T)[:, :2] * 204 * (1, -1) + (250, 250)
    (width, _), _ = place(seen, 511, 511)
    assert width == 255


def test_the_aligned_face_shows_the_points():
    points = projected(200.0, 250.0, 260.0, 512).round()
    frame = np.zeros((512, 512, 3), np.uint8)
    for px, py in points.astype(int):
        frame[py - 3 : py + 4, px - 3 : px + 4] = 255
    face = align(frame, points)
    assert face.shape == (SIDE, SIDE, 3)
    for mx, my, _ in MEAN_FACE:
        assert face[round(SIDE / 2 - SCALE * my), round(SIDE / 2 + SCALE * mx), 0] > 150
    assert align(frame + 255, projected(200.0, 10.0, 10.0, 512))[0, 0].tolist() == [0, 0, 0], "beyond it"


@pytest.fixture(scope="module")
def original():
    """The original's module: names, layers and order as in its models/networks.py."""
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    backbone = torchvision.models.resnet50()
    for name, value in backbone.named_buffers():
        if "running" in name:  # statistics as after training: nothing can hide behind zeros and ones
            value.copy_(torch.rand_like(value) * 0.2 + (0.9 if name.endswith("var") else 0))
    heads = torch.nn.ModuleList(torch.nn.Conv2d(2048, n, 1) for n in OUTPUTS)
    backbone.fc = torch.nn.Identity()
    return torch.nn.ModuleDict({"backbone": backbone, "final_layers": heads}).eval()


@pytest.fixture(scope="module")
def released(original, tmp_path_factory):
    """A file like epoch_20.pth, with the optimizer's state beside the network's."""
    path = tmp_path_factory.mktemp("deep3d") / "epoch_20.pth"
    content = {
        "net_recon": original.state_dict(),
        "opt_00": {"state": {}, "param_groups": [{"lr": 1e-4, "params": [0]}]},
        "sched_00": {"step_size": 10, "gamma": 0.2, "_last_lr": [1e-4]},
    }
    torch.save(content, path)
    return path


def test_all_257_outputs_are_the_originals(original, released):
    faces = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        pooled = original["backbone"](faces)[..., None, None]
        wanted = torch.cat([head(pooled) for head in original["final_layers"]], 1).flatten(1)
        found = load_deep3d(released).net(faces)
    assert found.shape == (2, 257) and wanted.std() > 0.01
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_expressions_are_outputs_80_to_144_of_the_aligned_face():
    class Means(torch.nn.Module):
        """Output k is k times the face's mean in 0..1."""

        def __init__(self):
            super().__init__()
            self.anything = torch.nn.Parameter(torch.zeros(()))

        def forward(self, faces):
            return faces.mean((1, 2, 3))[:, None] * torch.arange(257)

    frame = np.full((400, 400, 3), 51, np.uint8)
    points = projected(SCALE, 200.0, 200.0, 400)
    found = Deep3D(Means()).expressions(frame[None], np.array([[0, 0, 400, 400.0]]), five_at(points))
    np.testing.assert_allclose(found, [0.2 * np.arange(80, 144)], rtol=1e-5)


def test_sadtalkers_file_holds_the_same_network(original, released, tmp_path):
    state = {SADTALKER + name: value.contiguous() for name, value in original.state_dict().items()}
    save_file(state | {"mapping.weight": torch.zeros(3)}, tmp_path / "sadtalker.safetensors")
    one, other = load_deep3d(released).net, load_deep3d(tmp_path / "sadtalker.safetensors").net
    assert all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_other_files_are_refused(original, tmp_path):
    torch.save(original["backbone"].state_dict(), tmp_path / "resnet50.pth")
    with pytest.raises(ValueError, match=r"expected Deep3DFaceRecon's network.*; found tensors such as"):
        load_deep3d(tmp_path / "resnet50.pth")
    state = original.state_dict()
    state["final_layers.1.weight"] = state["final_layers.1.weight"][:50]
    torch.save({"net_recon": state}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"final_layers\.1\.weight \(50, 2048, 1, 1\) instead of \(64,"):
        load_deep3d(tmp_path / "other.pth")
