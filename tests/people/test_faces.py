from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emo_modules.cues.pyramid import STRIDE, PyramidFinder
from emo_people.networks import faces
from emo_people.networks.backdrops import draw_backdrop, draw_object
from emo_people.networks.crowds import CANVAS, Crowds, Labels
from emo_people.networks.faces import AGAIN, FRESH, Misleading, make_targets, train_faces
from emo_people.networks.pool import FIELDS, Pool, write_shard
from emo_people.networks.textures import draw_texture

FIVE = np.array([[100.0, 110], [150, 110], [125, 135], [108, 160], [142, 160]])


def pool_rows(people: list[int]) -> dict[str, np.ndarray]:
    """People who are ellipses of one colour, with dots for eyes."""
    rows = {name: np.zeros((len(people), *shape), kind) for name, (shape, kind) in FIELDS.items()}
    y, x = np.mgrid[0:256, 0:256] + 0.5
    inside = ((x - 125) / 60) ** 2 + ((y - 128) / 80) ** 2 <= 1
    rows["picture"][:, inside] = 200
    for eye_x, eye_y in FIVE[:2]:
        rows["picture"][:, np.hypot(x - eye_x, y - eye_y) < 8] = 20
    rows["alpha"][:, inside] = 255
    return rows | {
        "box": np.tile(np.float32([65, 48, 185, 208]), (len(people), 1)),
        "five": np.tile(FIVE, (len(people), 1, 1)),
        "face_seen": np.ones(len(people)),
        "person": np.array(people),
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(faces, "MANY", 3)
    monkeypatch.setattr(faces, "FEW", 3)
    write_shard(tmp_path, 0, pool_rows([1, 2, 9]))
    return tmp_path


def crowds_of(folder: Path, seed: int, **changes: np.ndarray) -> Crowds:
    scenes, faceless = np.zeros((0, 256, 256, 3), np.uint8), np.full((2, 256, 256, 4), 90, np.uint8)
    return Crowds(replace(Pool.read(folder), **changes), scenes, faceless, seed, drawn=3)


def test_labels_are_where_the_pasted_people_are(folder):
    drawn = crowds_of(folder, 0)
    seen = 0
    for _ in range(60):
        pixels, labels = drawn.draw()
        assert pixels.shape == (CANVAS, CANVAS, 3) and pixels.dtype == np.uint8
        assert len(labels.boxes) == len(labels.points) == len(labels.wanted)
        for box, points in zip(labels.boxes[labels.wanted], labels.points[labels.wanted], strict=True):
            assert (points >= box[:2] - 1).all() and (points <= box[2:] + 1).all()
            left, right = points[0], points[1]
            across, down = right - left, points[3] - left
            assert across[0] * down[1] - across[1] * down[0] > 0, "the viewer's left eye comes first"
            seen += 1
    assert seen > 30


def test_a_hidden_face_need_not_be_found_and_a_plain_one_must(folder):
    drawn = crowds_of(folder, 1)
    wanted = np.concatenate([drawn.draw()[1].wanted for _ in range(150)])
    assert 0.4 < wanted.mean() < 0.95
    hooded = crowds_of(folder, 1, face_seen=np.full(3, 0.1))
    assert not np.concatenate([hooded.draw()[1].wanted for _ in range(50)]).any()


def test_pictures_without_a_face_that_mislead_most_come_again(folder, monkeypatch):
    monkeypatch.setattr(faces, "MISLEADING", AGAIN)
    misleading = Misleading(crowds_of(folder, 2), np.random.default_rng(0))
    first = misleading.draw()
    assert len(first) == FRESH + AGAIN and not any(len(labels.boxes) for _, labels in first)
    misleading.judge([float(k) for k in range(len(first))])
    second = misleading.draw()
    assert {id(canvas) for canvas in first[-AGAIN:]} == {id(canvas) for canvas in second[-AGAIN:]}


def labels(box: list[float], wanted: bool) -> Labels:
    points = np.float32([[[50, 50], [70, 50], [60, 60], [52, 70], [68, 70]]])
    outside = np.zeros((CANVAS, CANVAS), bool)
    return Labels(np.float32([box]), points, np.array([wanted]), outside)


def test_targets_say_where_a_faces_sides_and_points_are_from_its_centre():
    true = make_targets([labels([40, 40, 80, 90], True)])
    row, column = divmod(int(true.heat[0].argmax()), CANVAS // STRIDE)
    x, y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
    assert true.heat[0, row, column] == 1 and true.weight[0, row, column] == 1
    assert true.reach[0, :, row, column].tolist() == [x - 40, y - 40, 80 - x, 90 - y]
    assert true.points[0, 4:6, row, column].tolist() == [60 - x, 60 - y]


def test_a_face_that_may_be_found_counts_neither_way_and_a_close_up_is_none():
    hidden = make_targets([labels([40, 40, 80, 90], False)])
    assert hidden.heat.max() == 0 and hidden.counted.min() == 0
    close = make_targets([labels([-60, -60, 180, 200], True)])
    assert close.heat.max() == 0 and close.counted.min() == 1


def test_backdrops_and_objects_follow_from_their_dice():
    kinds = ((draw_backdrop, (192, 192, 3)), (draw_texture, (192, 192, 3)), (draw_object, (128, 128, 4)))
    for draw, shape in kinds:
        one, again = (draw(np.random.default_rng(5)) for _ in range(2))
        assert one.shape == shape and (one == again).all()
        assert (draw(np.random.default_rng(6)) != one).any()


def test_a_trained_finder_is_written_and_gone_on_from(folder, tmp_path):
    torch.set_num_threads(1)
    lines: list[str] = []
    out = tmp_path / "faces.safetensors"
    train_faces(folder, out, minutes=0.01, log=lines.append)
    assert "2 pictures to train on, 1 to check with" in lines[0] and "unseen: found" in lines[-1]
    again = train_faces(folder, tmp_path / "more.safetensors", minutes=0.01, start=out, log=lines.append)
    assert isinstance(again, PyramidFinder) and not again.training
