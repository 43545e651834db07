"""LSE-C and LSE-D on points whose distances are known, identity and head speed on constructed tracks."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from emo_training.evaluation.identity_similarity import embeddings, similarity
from emo_training.evaluation.lipsync import SPAN, lip_sync
from emo_training.evaluation.motion import speed_agreement, speed_curve, trembling
from emo_training.perception.analyzers import FaceTrack
from emo_training.perception.pose import rotation_angles

FRAMES, TURN = 120, 2 * np.pi / 80  # radians that a point goes on its circle with each frame
GROWTH = 0.05  # of the sound's logarithm of energy, per frame


@dataclass(frozen=True)
class Greys:
    """A video whose frame k has grey level k."""

    count: int = FRAMES

    def frames(self):
        for k in range(self.count):
            yield np.full((32, 32, 3), k, np.uint8)


class Clock(nn.Module):
    """Lips and sound as points on a circle; the angle is the time that picture and loudness tell."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(side=16)
        self.anything = nn.Parameter(torch.zeros(()))

    def embed_lips(self, frames: Tensor) -> Tensor:
        return on_circle(frames[:, :, :-4].mean((1, 3, 4)))

    def embed_sound(self, cepstra: Tensor) -> Tensor:
        return on_circle((cepstra[:, 0, 0].mean(1) - LOUDNESS) / GROWTH)


def on_circle(time: Tensor) -> Tensor:
    return torch.stack([torch.cos(TURN * time), torch.sin(TURN * time)], -1)


def swelling(frames: int, late: int = 0) -> np.ndarray:
    """A tone whose energy grows with e to the GROWTH per frame; `late` frames later than the pictures."""
    time = np.arange(frames * 640) / 640 - late
    return (0.002 * np.exp(GROWTH / 2 * time) * np.sin(2 * np.pi * 1000 / 25 * time)).astype(np.float32)


def loudness_at_start() -> float:
    from emo_training.perception.syncnet import sound_windows

    return float(sound_windows(swelling(30), 1)[0, 0, 0].mean())


LOUDNESS = loudness_at_start()


def whole_track(frames: int, rotations: np.ndarray | float = np.nan) -> FaceTrack:
    boxes = np.tile(np.array([8, 8, 24, 24], np.float32), (frames, 1))
    return FaceTrack(np.ones(frames, np.int64), boxes, np.zeros((frames, 3), np.float32) + rotations)


def expected(late: int, windows: int) -> np.ndarray:
    """Chords of the circle, and 1 to the zeros beyond the sound's ends."""
    shifts = np.arange(-SPAN, SPAN + 1)
    return np.array(
        [((windows - abs(k)) * 2 * abs(np.sin(TURN * (k - late) / 2)) + abs(k)) / windows for k in shifts]
    )


@pytest.mark.parametrize("late", [0, 4, -3])
def test_distances_offset_and_confidence_are_the_known_ones(late):
    found = lip_sync(Clock(), Greys(), whole_track(FRAMES), swelling(FRAMES, late), None).own
    curve = expected(late, FRAMES - 5)
    np.testing.assert_allclose(found.distances, curve, atol=0.02)
    assert found.offset == late
    assert found.distance == pytest.approx(curve.min(), abs=0.02)
    assert found.confidence == pytest.approx(np.median(curve) - curve.min(), abs=0.02)


def test_the_wrong_sound_is_worse():
    right = swelling(FRAMES)
    found = lip_sync(Clock(), Greys(), whole_track(FRAMES), right, right[::-1].copy())
    assert found.own.confidence > 2 * found.foreign.confidence
    assert found.own.distance < found.foreign.distance / 2


def test_a_short_clip_and_one_without_a_face_say_so():
    with pytest.raises(ValueError, match="20 frames with sound, lip sync needs 30"):
        lip_sync(Clock(), Greys(20), whole_track(20), swelling(20), None)
    blind = FaceTrack(np.zeros(40, np.int64), np.full((40, 4), np.nan, np.float32), np.full((40, 3), np.nan))
    with pytest.raises(ValueError, match="face"):
        lip_sync(Clock(), Greys(40), blind, swelling(40), None)


class Compass:
    """A face's embedding points where its grey level says, in degrees."""

    def embed(self, frames, boxes, landmarks):
        angle = np.radians(frames[:, 0, 0, 0].astype(float))
        return np.stack([np.cos(angle), np.sin(angle)], 1)


def test_identity_similarity_is_the_cosine_of_the_constructed_angle():
    vectors = embeddings(Compass(), Greys(91), whole_track(91))
    cosines = similarity(vectors, vectors[0])
    assert cosines[0] == 1 and cosines[60] == pytest.approx(0.5) and abs(cosines[90]) < 1e-12


def test_frames_without_a_face_have_no_identity():
    track = whole_track(91)
    track.boxes[1:60] = np.nan
    assert len(embeddings(Compass(), Greys(91), track)) == 32
    track.boxes[:] = np.nan
    with pytest.raises(ValueError, match="no face"):
        embeddings(Compass(), Greys(91), track)


def turning(speed: float, frames: int = 100) -> FaceTrack:
    """A head that swings about its vertical axis; `speed` is its mean speed in degrees per second."""
    period = 50
    swing = speed / 25 * period / 4 * np.sin(2 * np.pi * np.arange(frames) / period)
    angles = np.stack([swing, np.zeros(frames), np.zeros(frames)], 1)
    return whole_track(frames, angles.astype(np.float32))


@pytest.mark.parametrize("speed", [4.0, 20.0])
def test_head_speed_of_a_known_turn(speed):
    assert np.nanmean(speed_curve(turning(speed).rotations)) == pytest.approx(speed, rel=0.05)


def test_head_speed_of_constant_angular_velocity():
    step = np.radians(10 / 25)
    axis = np.array([1.0, 2, 2]) / 3
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turns = np.arange(75)[:, None, None] * step - 37 * step
    matrices = np.eye(3) + np.sin(turns) * cross + (1 - np.cos(turns)) * cross @ cross
    speeds = speed_curve(rotation_angles(matrices).astype(np.float32))
    assert np.median(speeds) == pytest.approx(10, rel=0.05)


def test_trembling_is_told_from_motion():
    still = turning(10.0)
    shaken = turning(10.0)
    shaken.rotations[:] += np.random.default_rng(0).normal(0, 0.5, shaken.rotations.shape)
    assert trembling(still.rotations) < 0.05
    assert trembling(shaken.rotations) == pytest.approx(0.5 * np.sqrt(3), rel=0.15)


def test_unknown_poses_are_left_out_and_all_unknown_is_an_error():
    track = turning(10.0)
    track.rotations[30:40] = np.nan
    speeds = speed_curve(track.rotations)
    assert np.isnan(speeds[31:40]).all() and np.nanmean(speeds) == pytest.approx(10, rel=0.2)
    track.rotations[:] = np.nan
    with pytest.raises(ValueError, match="no head pose"):
        speed_curve(track.rotations)


def test_agreement_of_speeds():
    true = np.array([4.0, 10, 20, 30])
    same = speed_agreement(true, true)
    assert (same.difference, same.ratio, same.spearman) == (0, 1, pytest.approx(1))
    half = speed_agreement(true / 2, true)
    assert half.difference == 8 and half.ratio == 0.5 and half.spearman == pytest.approx(1)
    assert speed_agreement(true[::-1], true).spearman == pytest.approx(-1)
    assert speed_agreement(true[:2], true[:2]).spearman is None
