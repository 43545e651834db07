import time

import numpy as np
import pytest

from emo_people.drawing.avatars import face_box, head_mask, mouth_box, render
from emo_people.drawing.face import Expression, Pose
from emo_people.drawing.identity import random_identity

REST, AHEAD = Expression(), Pose()
POSES = (Pose(yaw=20, pitch=-15, roll=12), Pose(yaw=-20, pitch=15, roll=-12), Pose(x=0.02, y=-0.02, roll=8))
SHOUT = Expression(mouth_open=1, mouth_width=1, blink=1, brow=1)


def crop(picture, box):
    x0, y0, x1, y1 = (round(v) for v in box)
    return picture[y0:y1, x0:x1].astype(float)


def test_equal_seeds_give_equal_pictures():
    first = render(random_identity(7), SHOUT, POSES[0])
    render(random_identity(8), REST, AHEAD)
    assert np.array_equal(first, render(random_identity(7), SHOUT, POSES[0]))
    assert random_identity(7) == random_identity(7)
    assert random_identity(7) != random_identity(8)


@pytest.mark.parametrize("size", [64, 100, 128, 256])
def test_sizes_show_the_same_picture(size):
    identity = random_identity(3)
    picture = render(identity, REST, AHEAD, size)
    assert picture.shape == (size, size, 3) and picture.dtype == np.uint8
    blocks = render(identity, REST, AHEAD, size * 2).reshape(size, 2, size, 2, 3).mean((1, 3))
    assert np.abs(blocks - picture).mean() < 2
    assert np.allclose(
        np.array(face_box(identity, AHEAD, size)) / size, np.array(face_box(identity, AHEAD, 1))
    )


def test_face_fills_the_picture():
    for seed in range(50):
        x0, y0, x1, y1 = face_box(random_identity(seed), AHEAD)
        assert 0.55 <= (x1 - x0) / 128 <= 0.66
        assert y0 > 0 and y1 < 128
        assert abs((x0 + x1) / 2 - 64) < 4 and abs((y0 + y1) / 2 - 64) < 7


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("width", [0.0, 0.5, 1.0])
def test_mouth_opens_steadily(seed, width):
    identity = random_identity(seed)
    box = mouth_box(identity, AHEAD)
    closed = render(identity, Expression(mouth_width=width), AHEAD)
    changes = []
    for opened in np.linspace(0.15, 1, 6):
        picture = render(identity, Expression(mouth_open=float(opened), mouth_width=width), AHEAD)
        changes.append((np.abs(crop(picture, box) - crop(closed, box)).max(-1) > 12).sum())
    assert all(b > a for a, b in zip(changes, changes[1:], strict=False))
    assert changes[-1] > 100


@pytest.mark.parametrize("pose", [AHEAD, Pose(yaw=15, pitch=8)])
def test_mouth_box_is_square_and_holds_the_whole_mouth(pose):
    for seed in range(10):
        identity = random_identity(seed)
        x0, y0, x1, y1 = mouth_box(identity, pose)
        assert x1 - x0 == pytest.approx(y1 - y0)
        for opened in (0, 1):  # the same opening keeps the jaw where it is, so only the mouth differs
            pair = [render(identity, Expression(opened, width), pose).astype(int) for width in (0, 1)]
            rows, columns = np.nonzero(np.abs(pair[0] - pair[1]).max(-1) > 4)
            assert rows.min() > y0 - 1 and rows.max() < y1
            assert columns.min() > x0 - 1 and columns.max() < x1


def test_width_moves_the_corners():
    identity = random_identity(11)
    spans = []
    for width in (0.0, 0.5, 1.0):
        change = (
            np.abs(
                render(identity, Expression(0.6, width), AHEAD).astype(int)
                - render(identity, Expression(0, 0), AHEAD)
            ).max(-1)
            > 25
        )
        x0, y0, x1, y1 = (round(v) for v in mouth_box(identity, AHEAD))
        columns = np.nonzero(change[y0 : y0 + 22, x0:x1].any(0))[0]
        spans.append(columns.max() - columns.min())
    assert spans[0] < 0.75 * spans[1] and spans[2] > 1.1 * spans[1]


@pytest.mark.parametrize("seed", range(12))
def test_nothing_moves_outside_the_head_mask(seed):
    identity = random_identity(seed)
    rest = render(identity, REST, AHEAD)
    for pose in POSES:
        still = ~(head_mask(identity, AHEAD) | head_mask(identity, pose))
        assert still.mean() > 0.08
        for expression in (REST, SHOUT):
            assert np.array_equal(render(identity, expression, pose)[still], rest[still])


def test_boxes_follow_the_pose():
    identity = random_identity(5)
    middle = {
        p: np.reshape(mouth_box(identity, p), (2, 2)).mean(0)
        for p in (AHEAD, Pose(yaw=10), Pose(pitch=10), Pose(x=0.05))
    }
    assert 3 < (middle[Pose(yaw=10)] - middle[AHEAD])[0] < 7
    assert 3 < (middle[Pose(pitch=10)] - middle[AHEAD])[1] < 7
    assert (middle[Pose(x=0.05)] - middle[AHEAD])[0] == pytest.approx(6.4)


def test_yaw_moves_the_eyes_sideways():
    identity = random_identity(12)
    frames = [render(identity, REST, Pose(yaw=yaw)).astype(float).mean(-1)[54:68, 34:94] for yaw in (0, 10)]
    costs = [np.abs(frames[0][:, 10:50] - frames[1][:, 10 + s : 50 + s]).mean() for s in range(-8, 9)]
    assert 3 <= int(np.argmin(costs)) - 8 <= 7


def test_blink_hides_the_eye_and_brow_moves():
    identity = random_identity(2)
    faces = [
        render(identity, e, AHEAD).astype(float)
        for e in (REST, Expression(blink=0.5), Expression(blink=1), Expression(brow=1))
    ]
    change = [np.abs(f - faces[0])[50:72, 30:98].mean() for f in faces[1:]]
    assert change[1] > change[0] > 2
    assert np.abs(faces[3] - faces[0])[36:60].mean() > 1
    assert np.array_equal(faces[3][80:], faces[0][80:])


def test_seeds_differ():
    pictures = np.stack([render(random_identity(s), REST, AHEAD, 64) for s in range(24)]).astype(float)
    distance = np.abs(pictures[:, None] - pictures[None]).mean((2, 3, 4))
    assert distance[~np.eye(24, dtype=bool)].min() > 12


def test_rendering_is_fast():
    identity = random_identity(6)
    render(identity, REST, AHEAD)
    times = []
    for k in range(20):
        start = time.perf_counter()
        render(identity, Expression(mouth_open=k / 20), Pose(yaw=k / 2))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.01
