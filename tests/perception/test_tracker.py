import numpy as np
import pytest
import torch

from emo_modules.cues.face import Box
from emo_modules.cues.finder import FaceFinder
from emo_people.drawing.avatars import face_box, render
from emo_people.drawing.face import Expression, Pose
from emo_people.drawing.identity import random_identity
from emo_people.filming.seeds import HELD_OUT
from emo_people.networks.degrade import degrade
from emo_people.networks.tracker import WEIGHTS, fit_finder, fit_pose
from emo_people.networks.tracker_pictures import HeadSamples, Scenes, draw_crops
from emo_training.perception.analyzers import load_analyzer
from emo_training.perception.pose import estimate_speed, head_speed
from emo_training.perception.tracker import (
    CROP,
    REACH,
    PoseNet,
    Tracker,
    cut_faces,
    load_tracker,
    save_tracker,
)

FPS = 25.0
PEOPLE = [HELD_OUT + 61_000 + k for k in range(6)]


@pytest.fixture(scope="module")
def tracker():
    torch.set_num_threads(1)
    return load_analyzer(f"tracker:{WEIGHTS}")


@pytest.fixture(scope="module")
def pool():
    return HeadSamples.draw(3, 4, seed=5, workers=1)


def acted(seed: int, frames: int, degrees: float, size: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Frames of a talking person who sways, and the poses (T, 3)."""
    rng, person, times = np.random.default_rng(seed), random_identity(seed), np.arange(frames) / FPS
    phase, rates = rng.random(3) * 6, (0.5, 0.7, 0.9)
    poses = degrees * np.stack(
        [np.sin(2 * np.pi * f * times + p) for f, p in zip(rates, phase, strict=True)], 1
    )
    opening = 0.5 + 0.5 * np.sin(2 * np.pi * 3.1 * times)
    pictures = [
        render(
            person,
            Expression(float(m), 0.6, float(max(0, 1 - 8 * abs(t % 2.2 - 1)))),
            Pose(*p, 0.01 * np.sin(2 * t)),
            size,
        )
        for m, p, t in zip(opening, poses, times, strict=True)
    ]
    return np.stack(pictures), poses


def placed(picture: np.ndarray, height: int, width: int, x: int, y: int) -> np.ndarray:
    frame = np.full((height, width, 3), (90, 110, 130), np.uint8)
    frame[y : y + len(picture), x : x + len(picture)] = picture
    return frame


@pytest.mark.parametrize(
    ("height", "width", "x", "y"), [(200, 200, 20, 20), (360, 640, 380, 150), (500, 300, 60, 90)]
)
def test_a_face_is_found_wherever_it_is(tracker, height, width, x, y):
    overlaps = []
    for seed in PEOPLE:
        person, pose = random_identity(seed), Pose(8, -4, 3)
        frame = placed(render(person, Expression(0.7), pose, 160), height, width, x, y)
        (boxes,) = tracker.find(frame[None])
        true = np.array(face_box(person, pose, 160)) + (x, y, x, y)
        assert len(boxes) == 1
        overlaps.append(Box(*boxes[0].tolist()).iou(Box(*true.tolist())))
    assert np.mean(overlaps) > 0.8 and min(overlaps) > 0.55


def test_two_faces_are_counted_and_the_larger_is_followed(tracker):
    frames = []
    for a, b in zip(PEOPLE, PEOPLE[1:], strict=False):
        frame = placed(render(random_identity(a), Expression(), Pose(), 128), 256, 512, 20, 100)
        frame[20:240, 260:480] = render(random_identity(b), Expression(0.5), Pose(), 220)
        frames.append(frame)
    track = tracker.analyze(frames)
    assert track.counts.tolist() == [2] * len(frames)
    assert (track.boxes[:, 0] > 260).all()


def test_plain_pictures_have_no_face(tracker):
    rng = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, 255, 320)[None, :, None], (180, 320, 3)).astype(np.uint8)
    noise = rng.integers(0, 256, (180, 320, 3), np.uint8)
    blocks = (
        rng.integers(0, 256, (6, 10, 3), np.uint8)
        .repeat(30, 0)[:, :, None]
        .repeat(32, 2)
        .reshape(180, 320, 3)
    )
    track = tracker.analyze([np.zeros_like(ramp), ramp, noise, blocks, 255 - ramp])
    assert track.counts.tolist() == [0] * 5
    assert np.isnan(track.boxes).all() and np.isnan(track.rotations).all()


@pytest.mark.parametrize("degrees", [1.5, 5.0])
def test_the_speed_of_a_talking_head_is_read(tracker, degrees):
    ratios, agreements = [], []
    for seed in PEOPLE[:4]:
        frames, poses = acted(seed, 75, degrees)
        true = head_speed(*poses.T, FPS)
        speed = estimate_speed(tracker.analyze(iter(frames)).rotations, FPS)
        ratios.append(speed.mean() / true.mean())
        agreements.append(np.corrcoef(speed, true)[0, 1])
    assert np.abs(np.array(ratios) - 1).max() < 0.12
    assert np.mean(agreements) > 0.7


def test_a_talking_head_that_is_still_is_read_as_still(tracker):
    speeds = [
        estimate_speed(tracker.analyze(acted(seed, 75, 0.0)[0]).rotations, FPS).mean() for seed in PEOPLE[:4]
    ]
    assert np.mean(speeds) < 2 and max(speeds) < 4


def test_poses_are_read_with_their_signs(tracker):
    poses = [Pose(12, 0, 0), Pose(0, 8, 0), Pose(0, 0, 6), Pose(-12, -8, -6)]
    for seed in PEOPLE[:3]:
        frames = [render(random_identity(seed), Expression(0.3), pose, 160) for pose in poses]
        read = np.concatenate([tracker.analyze([frame]).rotations for frame in frames])
        assert np.abs(read - [(p.yaw, p.pitch, p.roll) for p in poses]).max() < 4


def test_frames_in_pieces_and_at_once_give_the_same(tracker):
    """Frames see no further than the window, and clips may be shorter than it."""
    frames, _ = acted(PEOPLE[0], 60, 4.0, 128)
    whole, part = tracker.analyze(frames), tracker.analyze(frames[: 30 + REACH])
    assert np.allclose(whole.rotations[:30], part.rotations[:30], atol=1e-3)
    assert np.allclose(whole.boxes[: 30 + REACH], part.boxes, atol=1e-3)
    assert len(tracker.analyze([])) == 0 and tracker.analyze(frames[:3]).rotations.shape == (3, 3)


def test_gaps_have_no_pose(tracker):
    frames, _ = acted(PEOPLE[1], 30, 3.0, 128)
    frames[10:14] = 60
    track = tracker.analyze(frames)
    missing = np.isnan(track.rotations).any(axis=1)
    assert np.flatnonzero(track.counts == 0).tolist() == np.flatnonzero(missing).tolist() == [10, 11, 12, 13]


def test_crops_are_squares_around_boxes():
    picture = torch.zeros(1, 3, 300, 400, dtype=torch.uint8)
    picture[:, 0, 100:200, 150:250] = 255
    crop = cut_faces(picture, torch.tensor([[150.0, 100, 250, 200]]))[0]
    edge = round(CROP * 0.1)  # the margin's share of a side of 125 px
    assert crop.shape == (3, CROP, CROP)
    assert crop[0, edge + 2 : -edge - 2, edge + 2 : -edge - 2].min() > 0.99
    assert crop[0, : edge - 2].max() < 0.01


def test_saved_weights_load(tmp_path):
    path = tmp_path / "tracker.safetensors"
    fresh = Tracker(FaceFinder().eval(), PoseNet().eval())
    save_tracker(fresh, path)
    crops = torch.rand(2, 3, CROP, CROP)
    assert torch.allclose(load_tracker(path).read_poses(crops), fresh.read_poses(crops), atol=0.1)
    assert WEIGHTS.stat().st_size < 6e6


def test_boxes_of_scenes_and_crops_fit_their_faces(pool):
    pictures, boxes = Scenes(pool, seed=0).draw()
    assert pictures.shape[1:] == (3, 192, 192) and pictures.min() >= 0 and pictures.max() <= 1
    assert {len(faces) for faces in boxes} == {0, 1, 2}
    crops, poses = draw_crops(pool, torch.Generator().manual_seed(0))
    assert crops.shape[1:] == (3, CROP, CROP) and len(crops) == len(poses)
    assert crops.std(dim=(1, 2, 3)).min() > 0.02


def test_degraded_pictures_keep_their_content():
    picture = torch.linspace(0, 1, 64).expand(4, 3, 64, 64)
    changed = degrade(picture, torch.Generator().manual_seed(1), 0.05)
    assert not torch.equal(changed, picture) and (changed - picture).abs().mean() < 0.15


def test_both_networks_learn(pool):
    lines: list[str] = []
    for fit in (fit_finder, fit_pose):
        fit(pool, 0, 3, lines.append)
    assert [line.split()[0] for line in lines] == ["finder:", "finder:", "pose:", "change:"]
