import pytest
import torch

from emo_modules.cues.face_reader import MIRRORED, FaceReader, Reading
from emo_modules.cues.point_net import REACH, PointNet, mean_places
from emo_modules.cues.squares import Squares


@pytest.fixture(scope="module")
def reader() -> FaceReader:
    """Untrained: what is tested here holds for any weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FaceReader().requires_grad_(False).eval()


def picture(height: int = 200, width: int = 260) -> torch.Tensor:
    """Soft, so that it survives resizing."""
    noise = torch.rand(1, 3, 12, 14, generator=torch.Generator().manual_seed(0))
    return (
        torch.nn.functional.interpolate(noise, (height, width), mode="bicubic")[0].clamp(0, 1).movedim(0, -1)
    )


def square(x: float, y: float, side: float, degrees: float = 0.0) -> Squares:
    return Squares(torch.tensor([[x, y]]), torch.tensor([side]), torch.tensor([degrees]).deg2rad())


def all_points(reading: Reading) -> torch.Tensor:
    return torch.cat([reading.landmarks, reading.irises])


def test_the_middle_of_a_map_follows_by_parts_of_a_cell():
    maps = torch.full((1, 1, 8, 8), -50.0)
    maps[0, 0, 2, 5] = maps[0, 0, 2, 6] = 0
    x, y = mean_places(maps)[0, 0].tolist()
    assert (x, y) == pytest.approx((REACH * (6 * 2 / 8 - 1), REACH * (2.5 * 2 / 8 - 1)))


@pytest.mark.parametrize("fine", [False, True])
def test_a_point_net_takes_its_side_and_gives_points_and_numbers(fine):
    net = PointNet(48, 7, 2, (8, 8, 8, 8), fine).eval()
    points, numbers, _ = net(torch.rand(3, 3, 48, 48))
    assert points.shape == (3, 7, 2) and numbers.shape == (3, 2)
    assert points.abs().max() < REACH


def test_mirroring_twice_changes_nothing():
    assert MIRRORED[MIRRORED].tolist() == list(range(70))
    assert MIRRORED[[0, 8, 17, 30, 36, 48, 60, 62, 66, 68]].tolist() == [
        16,
        8,
        26,
        30,
        45,
        54,
        64,
        62,
        66,
        69,
    ]


def test_a_face_in_the_mirror_is_read_as_the_face_in_the_mirror(reader):
    straight = reader.read(picture(), square(120, 90, 150, 10))
    mirrored = reader.read(picture().flip(1), square(260 - 120, 90, 150, -10))
    back = all_points(mirrored)[MIRRORED] * torch.tensor([-1.0, 1.0]) + torch.tensor([260.0, 0.0])
    assert torch.allclose(all_points(straight), back, atol=0.05)
    assert (straight.yaw, straight.roll) == pytest.approx((-mirrored.yaw, -mirrored.roll), abs=0.1)
    assert straight.pitch == pytest.approx(mirrored.pitch, abs=0.1)
    assert straight.eye_open == pytest.approx(mirrored.eye_open[::-1], abs=1e-3)
    assert straight.mouth_open == pytest.approx(mirrored.mouth_open, abs=1e-3)


def test_a_picture_turned_by_a_quarter_is_read_alike(reader):
    upright = reader.read(picture(), square(120, 90, 150))
    clockwise = reader.read(picture().rot90(-1), square(200 - 90, 120, 150, 90))
    x, y = all_points(upright).unbind(1)
    assert torch.allclose(all_points(clockwise), torch.stack([200 - y, x], 1), atol=0.05)
    assert (clockwise.roll - upright.roll) % 360 == pytest.approx(90, abs=0.1)
    assert clockwise.mouth_open == pytest.approx(upright.mouth_open, abs=1e-3)


def test_a_large_picture_is_read_as_a_small_one(reader):
    small, large = picture(240, 312), picture(960, 1248)
    one = reader.read(small, square(140, 110, 200))
    four = reader.read(large, square(4 * 140, 4 * 110, 800))
    assert torch.allclose(all_points(one), all_points(four) / 4, atol=1.5)


def test_bytes_are_read_as_floats_are(reader):
    floats = (picture() * 255).round() / 255
    one = reader.read(floats, square(120, 90, 150))
    other = reader.read((floats * 255).round().byte(), square(120, 90, 150))
    assert torch.allclose(all_points(one), all_points(other))


@pytest.mark.parametrize("where", [(-500, -500, 100), (100, 100, 0.2), (130, 100, 1e4), (259, 199, 80)])
def test_squares_at_and_beyond_the_edge_are_read(reader, where):
    reading = reader.read(picture(), square(*where))
    assert all_points(reading).isfinite().all()
    assert reading.squares.sides.isfinite().all()


def test_nothing_is_open_by_less_than_nothing(reader):
    reading = reader.read(torch.zeros(64, 64, 3), square(32, 32, 60))
    assert min(reading.mouth_open, reading.mouth_width, *reading.eye_open) >= 0
