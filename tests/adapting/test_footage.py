"""Whether videos show one person."""

import numpy as np
import pytest

from emo_training.adapting.footage import check_one_person, hold_out
from emo_training.footage.shards import ShardIndex

from ..shards import level, write_shards


class ByBrightness:
    """Takes faces in bright pictures for those of another person."""

    def __init__(self, bright: float) -> None:
        self.bright = bright

    def embed(self, frames: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
        other = frames.mean((1, 2, 3)) > self.bright
        return np.stack([np.where(other, 0.3, 1.0), np.where(other, 0.95, 0.0)], 1).astype(np.float32)


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> ShardIndex:
    return ShardIndex.load(
        write_shards(tmp_path_factory.mktemp("shards"), clips=3, frames=5, start=7.0, source="a.mp4")
    )


def test_another_person_is_named_with_the_place(index):
    bright = (level(0, 4) + level(1, 0)) / 2  # sample 1 alone is brighter
    with pytest.raises(ValueError, match=r"two people, one at 7 s of a.mp4 and another one at 7 s of a.mp4"):
        check_one_person(index, ByBrightness(bright))
    check_one_person(index, ByBrightness(255))


def test_the_last_sample_is_held_out(index):
    learned, held_out = hold_out(index)
    assert [entry.key for entry in learned.entries] == ["clip000", "clip001"]
    assert held_out.key == "clip002"
