import numpy as np
import pytest

from emo_training.perception.pose import (
    estimate_speed,
    head_speed,
    rotation_angles,
    rotation_matrices,
    smooth_poses,
    transform_angles,
)

FPS = 25.0


def moving(frames: int = 75, seed: int = 0, speed: float = 12.0) -> np.ndarray:
    """Poses (T, 3) of a head that sways below 2 Hz at a mean of `speed` degrees per second."""
    rng = np.random.default_rng(seed)
    times = np.arange(frames)[:, None] / FPS
    poses = sum(
        np.sin(2 * np.pi * (f * times + rng.random(3))) * rng.uniform(1, 4, 3) for f in (0.4, 0.9, 1.5)
    )
    return poses * (speed / head_speed(*poses.T, FPS).mean())


def noisy(poses: np.ndarray, degrees: float, seed: int = 1) -> np.ndarray:
    return poses + degrees * np.random.default_rng(seed).standard_normal(poses.shape)


def wandering(poses: np.ndarray, degrees: float, seed: int = 1) -> np.ndarray:
    """Noise as a tracker has it, whose amplitude falls with the root of the frequency, and its deviation."""
    rng, count = np.random.default_rng(seed), len(poses)
    rates = np.maximum(np.fft.rfftfreq(count, 1 / FPS), 0.3)[:, None]
    noise = np.fft.irfft(
        np.fft.rfft(rng.standard_normal(poses.shape), axis=0) / np.sqrt(rates), count, axis=0
    )
    return poses + degrees * noise / noise.std()


def mediapipe_transforms(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """A head that yaws, then pitches, then rolls by angles seen from the front; axes x right, y up, z out."""
    a, b, c = np.radians((yaw, pitch, roll))
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    tilt = np.array([[np.cos(c), np.sin(c), 0], [-np.sin(c), np.cos(c), 0], [0, 0, 1]])
    transform = np.eye(4)
    transform[:3, :3] = 1.02 * tilt @ nod @ turn
    transform[:3, 3] = (1.0, -2.0, -40.0)
    return transform[None]


def test_angles_survive_the_round_trip():
    angles = np.random.default_rng(0).uniform(-80, 80, (50, 3))
    assert np.allclose(rotation_angles(rotation_matrices(*angles.T)), angles)


@pytest.mark.parametrize("angles", [(10, 0, 0), (0, 10, 0), (0, 0, 10), (25, -14, 8)])
def test_mediapipes_matrices_give_the_angles_of_the_renders(angles):
    assert np.allclose(transform_angles(mediapipe_transforms(*angles)), [angles])


@pytest.mark.parametrize(
    ("angles", "point", "moves"),
    [((10, 0, 0), (0, 0, 1), (1, 0)), ((0, 10, 0), (0, 0, 1), (0, -1)), ((0, 0, 10), (0, 1, 0), (1, 0))],
)
def test_positive_angles_turn_right_down_and_clockwise(angles, point, moves):
    moved = (mediapipe_transforms(*angles)[0, :3, :3] @ point - point)[:2]
    assert np.dot(moved, moves) > 0.1


def test_unknown_transforms_stay_unknown():
    transforms = np.concatenate([mediapipe_transforms(5, 0, 0), np.full((1, 4, 4), np.nan)])
    angles = transform_angles(transforms)
    assert np.allclose(angles[0], (5, 0, 0)) and np.isnan(angles[1]).all()


def test_a_steady_turn_has_its_speed():
    """A turn about one fixed axis at 30 degrees per second, whatever the axis."""
    axis = np.array([1.0, 2.0, 2.0]) / 3
    cross = np.cross(np.eye(3), axis)
    angles = np.radians(np.arange(30) * 30 / FPS)[:, None, None]
    turns = np.eye(3) + np.sin(angles) * cross + (1 - np.cos(angles)) * cross @ cross
    assert np.allclose(head_speed(*rotation_angles(turns).T, FPS), 30)


def test_speed_of_few_frames():
    assert head_speed(*np.zeros((3, 1)), FPS).tolist() == [0]
    assert estimate_speed(np.zeros((0, 3)), FPS).shape == (0,)
    assert estimate_speed(np.array([[0.0, 0, 0], [1, 0, 0]]), FPS) == pytest.approx([25, 25])


@pytest.mark.parametrize("noise", [noisy, wandering])
@pytest.mark.parametrize(("speed", "degrees"), [(6.0, 0.12), (15.0, 0.25), (35.0, 0.25)])
def test_noise_hardly_changes_the_speed(noise, speed, degrees):
    speeds = [
        estimate_speed(noise(moving(seed=seed, speed=speed), degrees, seed), FPS).mean() for seed in range(8)
    ]
    assert np.abs(np.array(speeds) / speed - 1).max() < 0.12
    assert np.mean(speeds) == pytest.approx(speed, rel=0.06)


@pytest.mark.parametrize("noise", [noisy, wandering])
def test_a_still_head_is_nearly_still(noise):
    still = np.full((75, 3), 4.0)
    speeds = [estimate_speed(noise(still, 0.25, seed), FPS).mean() for seed in range(8)]
    assert max(speeds) < 2 and np.mean(speeds) < 0.8
    unfiltered = head_speed(*noise(still, 0.25).T, FPS).mean()
    assert unfiltered > 4


def test_the_mean_pose_is_kept():
    poses = np.array([12.0, -30.0, 5.0]) + moving(60, speed=8)
    assert np.abs(smooth_poses(noisy(poses, 0.3), FPS) - poses).mean() < 0.25


def test_gaps_stay_unknown_and_do_no_harm_around():
    poses = moving(100)
    holed = poses.copy()
    holed[40:43] = holed[:2] = np.nan
    smooth = smooth_poses(holed, FPS)
    assert np.array_equal(np.isnan(smooth), np.isnan(holed))
    assert np.nanmax(np.abs(smooth - poses)) < 0.8
    assert np.isnan(estimate_speed(holed, FPS)).sum() == 2 + 1 + 3 + 1
    assert np.isnan(smooth_poses(np.full((5, 3), np.nan), FPS)).all()
