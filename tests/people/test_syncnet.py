import numpy as np
import pytest
import torch

from emo_people.filming.seeds import SYNCNET
from emo_people.networks.syncnet import (
    FRAMES_SHOWN,
    SPAN,
    WEIGHTS,
    WINDOWS,
    SyncSamples,
    delay,
    draw_sample,
    train_syncnet,
)
from emo_training.perception.syncnet import load_syncnet

from ..voices import has_voice


@pytest.fixture(scope="module")
def pool() -> SyncSamples:
    if not (has_voice("flite:") and has_voice("espeak:")):
        pytest.skip("flite and espeak-ng speak for the people")
    drawn = [draw_sample(SYNCNET + 700_000 + k) for k in range(3)]
    return SyncSamples(*(torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True)))


def test_a_sample_is_the_same_every_time(pool):
    pictures, sounds = draw_sample(SYNCNET + 700_001)
    assert pictures.shape == (FRAMES_SHOWN, 3, 64, 64) and sounds.shape == (3, FRAMES_SHOWN - 5, 1, 13, 20)
    np.testing.assert_array_equal(pictures, pool.pictures[1])
    np.testing.assert_array_equal(sounds, pool.sounds[1])


def test_sound_window_15_goes_with_the_first_lip_window(pool):
    """The trained network finds a sample's own moment nearer than the other shifts that a step shows it."""
    net = load_syncnet(WEIGHTS)
    lips, sounds = pool.sample(3, torch.Generator().manual_seed(0))
    shown = net.embed_lips(lips)
    heard = net.embed_sound(sounds.flatten(0, 1)).unflatten(0, sounds.shape[:2])
    means = torch.stack([(shown - heard[:, k : k + WINDOWS]).norm(dim=2).mean() for k in range(2 * SPAN + 1)])
    assert means.argmin() == SPAN


def test_training_repeats(pool):
    lines: list[str] = []
    first, second = (train_syncnet(pool, seed=1, steps=3, batch=3, log=lines.append) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert lines[0] == lines[1] and lines[0].startswith("syncnet: step 3 window ")


def test_sound_is_delayed_by_frames():
    sound = np.arange(1, 2001, dtype=np.float32)
    late, early = delay(sound, 2), delay(sound, -1)
    assert (late[:1280] == 0).all() and (late[1280:] == sound[:720]).all()
    assert (early[:1360] == sound[640:]).all() and (early[1360:] == 0).all()
