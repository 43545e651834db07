"""Lips and lids whose motion is known."""

import numpy as np
import pytest

from emo_training.evaluation.motion import Openings, agreement, blinks
from emo_training.perception.face_track import FaceTrack
from emo_training.perception.rates import FPS

WAVE = np.sin(np.arange(60) * 0.37)


def test_lips_agree_over_the_frames_that_both_know():
    unknown = np.where(np.arange(60) % 7 == 0, np.nan, WAVE)
    assert agreement(2 * unknown[:50] + 1, WAVE) == pytest.approx(1)
    assert agreement(-WAVE, WAVE) == pytest.approx(-1)


def test_too_few_frames_agree_on_nothing():
    assert agreement(WAVE[:9], WAVE) is None
    assert agreement(np.full(60, np.nan), WAVE) is None


def eyes(*shut: tuple[int, int], frames: int = 10 * FPS) -> np.ndarray:
    """Openings (T, 2) of eyes that are shut in these spans of frames."""
    opening = np.full(frames, 0.1)
    for first, last in shut:
        opening[first:last] = 0.02
    return np.stack([opening, opening], 1)


def test_blinks_are_counted_by_the_minute():
    assert blinks(eyes((30, 36), (110, 114))) == pytest.approx(12)
    assert blinks(eyes()) == 0


def test_eyes_that_stay_shut_have_not_blinked():
    assert blinks(eyes((30, 70), (240, 250))) == 0


def test_one_eye_alone_winks():
    wink = eyes((30, 36))
    wink[:, 1] = 0.1
    assert blinks(wink) == 0


def test_blinks_of_unseen_eyes_are_unknown():
    assert blinks(np.full((50, 2), np.nan)) is None


def test_openings_of_frames_with_a_face_are_a_distribution():
    openings = np.float32([[0.1, 0.6, 0.1, 0.1], [np.nan] * 4, [0.2, 0.5, 0.1, 0.1]])
    track = FaceTrack(np.array([1, 0, 1]), np.zeros((3, 4)), np.zeros((3, 3)), openings=openings)
    assert Openings().read(None, track).tolist() == openings[[0, 2]].tolist()
