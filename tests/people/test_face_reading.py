from functools import partial

import numpy as np
import pytest
import torch

from emo_modules.cues.face_reader import LEFT_EYE, MIRRORED, MOUTH, FaceReader
from emo_people.networks import face_views
from emo_people.networks.face_reading import check_face_reader, train_face_reader
from emo_people.networks.face_views import FaceViews
from emo_people.networks.pool import FIELDS, Pool, write_shard

LEFT, RIGHT = (1.0, 0.0), (0.0, 1.0)  # red and green of what is left and right of the face's middle
POINTS = 70


def face() -> np.ndarray:
    """70 points about as a frontal face has them, in px of a picture of 256."""
    jaw = np.linspace(-1, 1, 17)
    brows, eye, mouth = np.linspace(-48, -14, 5), np.array([-44, -36, -26, -18, -26, -36]), np.zeros((20, 2))
    lids = np.array([0, -5, -5, 0, 5, 5])
    turns = np.pi + np.pi * np.arange(12) / 6
    mouth[:12] = np.stack([24 * np.cos(turns), 68 + 10 * np.sin(turns)], 1)
    mouth[12:] = np.stack([16 * np.cos(turns[::3][[0, 1, 1, 1, 2, 3, 3, 3]]), np.full(8, 68.0)], 1)
    mouth[12:, 0] = [-18, -8, 0, 8, 18, 8, 0, -8]
    parts = [
        np.stack([70 * np.sin(1.4 * jaw), 110 * np.cos(1.4 * jaw) - 10], 1),
        np.stack([brows, np.full(5, -18)], 1),
        np.stack([-brows[::-1], np.full(5, -18)], 1),
        np.stack([np.zeros(4), [2, 14, 26, 38]], 1),
        np.stack([[-12, -6, 0, 6, 12], np.full(5, 44)], 1),
        np.stack([eye, lids], 1),
        np.stack([-eye[[3, 2, 1, 0, 5, 4]], lids[[3, 2, 1, 0, 5, 4]]], 1),
        mouth,
        [[-31, 0], [31, 0]],
    ]
    return np.concatenate(parts) + (128, 100)


def pool_rows(people: list[int]) -> dict[str, np.ndarray]:
    """Grey pictures with a dot on each point, red on the left of the face and green on its right."""
    rows = {name: np.zeros((len(people), *shape), kind) for name, (shape, kind) in FIELDS.items()}
    points = face()
    y, x = np.mgrid[0:256, 0:256] + 0.5
    rows["picture"][:] = 128
    for px, py in points:
        red, green = LEFT if px < 128 else RIGHT
        rows["picture"][:, np.hypot(x - px, y - py) < 2.5] = (255 * red, 255 * green, 255)
    copies = partial(np.tile, reps=(len(people), 1, 1))
    return rows | {
        "landmarks": copies(points[:68]),
        "irises": copies(points[68:]),
        "box": np.tile([50.0, 20, 206, 212], (len(people), 1)),
        "pose": np.tile([20.0, 5, 0], (len(people), 1)),
        "mouth_open": np.linspace(0, 0.3, len(people)),
        "eye_open": np.tile([0.1, 0.2], (len(people), 1)),
        "person": np.array(people),
    }


@pytest.fixture
def folder(tmp_path):
    write_shard(tmp_path, 0, pool_rows([1, 2, 3, 9, 19]))
    return tmp_path


@pytest.fixture
def views(folder, monkeypatch):
    """Undisturbed."""
    monkeypatch.setattr(face_views, "disturb", lambda pictures, generator, covered=0: pictures)
    return FaceViews.of(Pool.read(folder))


def colours(view: face_views.View) -> torch.Tensor:
    """Red and green (N, K, 2) at the places of the points; NaN outside the square."""
    grid = view.places[:, :, None]
    seen = torch.nn.functional.grid_sample(view.pictures[:, :2], grid, align_corners=False)[..., 0].mT
    return torch.where((view.places.abs() < 0.97).all(-1, keepdim=True), seen, torch.nan)


@pytest.mark.parametrize("part", ["faces", "mouths", "eyes"])
def test_points_lie_where_the_picture_shows_them(views, part):
    view = getattr(views, f"draw_{part}")(40, torch.Generator().manual_seed(1))
    seen = colours(view)
    dots = (seen[..., 0] - seen[..., 1]).abs()
    assert dots[dots.isfinite()].mean() > 0.7


def test_the_mirror_swaps_left_and_right_in_picture_points_and_pose(views):
    view = views.draw_faces(60, torch.Generator().manual_seed(2))
    yaws = view.numbers[:, 0]
    assert set(yaws.tolist()) == {20.0, -20.0}
    corner = colours(view)[:, 36]  # the viewer's left, red in the picture and green in its mirror image
    green = corner[:, 1] > corner[:, 0]
    known = corner.isfinite().all(1)
    assert (green[known] == (yaws[known] < 0)).all()


def test_a_squares_turn_goes_into_the_roll(views):
    view = views.draw_faces(60, torch.Generator().manual_seed(3))
    jaw = view.places[:, 8] - view.places[:, 27]
    turned = torch.atan2(-jaw[:, 0], jaw[:, 1]).rad2deg()
    assert torch.allclose(view.numbers[:, 2], turned, atol=2)
    assert turned.abs().max() > 20


def test_the_box_is_measured_in_the_square(views):
    view = views.draw_faces(20, torch.Generator().manual_seed(4))
    ears = (view.places[:, 16] - view.places[:, 0]).norm(dim=1)
    width = view.numbers[:, 5]
    assert torch.allclose(width / ears, torch.full((20,), 156 / (2 * 70 * np.sin(1.4))).float(), atol=0.01)


def test_eyes_of_both_sides_are_seen_as_left_ones(views):
    view = views.draw_eyes(60, torch.Generator().manual_seed(5))
    outer, inner = view.places[:, 0, 0], view.places[:, 3, 0]
    assert (outer < inner).all()
    openings = view.numbers[:, 0]
    assert set(np.round(openings.tolist(), 3)) == {0.1, 0.2}
    seen = colours(view)[:, 6]
    green = (seen[:, 1] > seen[:, 0])[seen.isfinite().all(1)]
    assert (green == (openings > 0.15)[seen.isfinite().all(1)]).all()


def test_the_tables_of_parts_fit_together():
    assert len(MOUTH) == 20 and MIRRORED[LEFT_EYE].tolist() == [45, 44, 43, 42, 47, 46, 69]


def test_a_trained_reader_is_written_and_gone_on_from(folder, tmp_path):
    torch.set_num_threads(1)
    lines: list[str] = []
    out = tmp_path / "reader.safetensors"
    train_face_reader(folder, out, minutes=0.02, log=lines.append)
    assert "3 pictures to train on, 2 to check with" in lines[0] and "landmarks" in lines[-1]
    assert out.stat().st_size < 2.5e6
    again = train_face_reader(
        folder, tmp_path / "more.safetensors", minutes=0.01, start=out, log=lines.append
    )
    assert isinstance(again, FaceReader) and not again.training


def test_the_check_measures_what_is_off(folder):
    """An untrained reader sees every point near the middle of its square."""
    figures = check_face_reader(FaceReader().requires_grad_(False).eval(), Pool.read(folder))
    assert figures["landmarks"] > 0.2 and figures["yaw"] > 5


def test_mouths_and_eyes_outside_their_pictures_teach_nothing(tmp_path, monkeypatch):
    rows = pool_rows([1, 2, 3])
    for name in ("landmarks", "irises"):
        rows[name][1] += (0, 180)
        rows[name][2] -= (0, 180)
    rows["picture"][1:] = 0
    write_shard(tmp_path, 0, rows)
    monkeypatch.setattr(face_views, "disturb", lambda pictures, generator, covered=0: pictures)
    views, generator = FaceViews.of(Pool.read(tmp_path)), torch.Generator().manual_seed(0)
    assert (views.draw_mouths(16, generator).pictures.amax((1, 2, 3)) > 0).all()
    assert (views.draw_eyes(16, generator).pictures.amax((1, 2, 3)) > 0).all()
    assert (views.draw_faces(16, generator).pictures.amax((1, 2, 3)) < 0.02).any()
