import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from emo_modules.cues.box import Box
from emo_modules.cues.pyramid import STRIDE, FoundFace, PyramidFinder, read_maps


def shown(turn: float) -> FoundFace:
    upright = np.array([[-10.0, -5], [10, -5], [0, 2], [-7, 12], [7, 12]])
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return FoundFace(Box(-20, -25, 20, 25), 0.9, upright @ rotation.T)


@pytest.fixture
def untrained() -> PyramidFinder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = PyramidFinder()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
    return net.requires_grad_(False).eval()


@pytest.mark.parametrize("turn", [-60.0, 0.0, 25.0])
def test_roll_follows_from_the_points_clockwise(turn):
    assert shown(turn).roll == pytest.approx(turn)


def test_a_found_face_is_moved_as_a_whole():
    face = shown(0).mapped(20, 30, 2, 2)
    assert face.box == Box(0, 10, 80, 110)
    assert face.points[2].tolist() == [40, 64]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_of_a_turned_picture_is_brought_back(quarters):
    picture = np.zeros((60, 100), int)
    picture[10, 30], picture[20, 50] = 1, 2  # two pixels of the face
    y, x = (np.rot90(picture, quarters) > 0).nonzero()
    turned = FoundFace(Box(x.min(), y.min(), x.max() + 1, y.max() + 1), 0.5, np.stack([x, y], 1) + 0.5)
    back = turned.turned_back(quarters, 100, 60)
    assert back.box == Box(30, 10, 51, 21)
    assert sorted(back.points.tolist()) == [[30.5, 10.5], [50.5, 20.5]]


def test_peaks_become_boxes_and_points_around_their_cells():
    heat, reach, points = torch.zeros(6, 8), torch.full((4, 6, 8), 20.0), torch.full((10, 6, 8), 3.0)
    heat[2, 5], heat[2, 6], heat[5, 0] = 0.9, 0.6, 0.04
    ((score, *rest),) = read_maps(heat, reach, points)
    x, y = 5.5 * STRIDE, 2.5 * STRIDE
    assert score == pytest.approx(0.9)
    assert rest[:4] == [x - 20, y - 20, x + 20, y + 20] and rest[4:] == [x + 3, y + 3] * 5


def test_faces_beyond_the_levels_sizes_are_left_to_others():
    heat, points = torch.full((1, 1), 0.9), torch.zeros(10, 1, 1)
    sizes = [len(read_maps(heat, torch.full((4, 1, 1), half), points)) for half in (5.0, 20.0, 60.0)]
    assert sizes == [0, 1, 0]


def test_the_fused_network_says_the_same(untrained, tmp_path):
    path = tmp_path / "faces.safetensors"
    save_file({name: value.half() for name, value in untrained.state_dict().items()}, path)
    picture = torch.rand(1, 3, 64, 96)
    for one, other in zip(untrained(picture), PyramidFinder.load(path).fused()(picture), strict=True):
        assert torch.allclose(one, other, rtol=0.02, atol=0.05)
    assert path.stat().st_size < 1.5e6


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (23, 40), (481, 480), (37, 1999)])
def test_a_picture_of_any_size_can_be_searched(untrained, size):
    finder = untrained.fused()
    for picture in (torch.zeros(*size, 3), torch.rand(*size, 3)):
        for face in finder.find(picture, least=0.0):
            assert np.isfinite(face.points).all() and face.box.area > 0
