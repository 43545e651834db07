from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_people.acting.face import Expression, Pose
from emo_people.acting.performance import perform
from emo_people.networks import mouths
from emo_people.networks.mouths import (
    CHECK_FILES,
    CHECKED,
    FRAMES_SHOWN,
    TRAINING_FILES,
    WINDOWS_HEARD,
    Rehearsal,
    film_mouth,
    read_checks,
    read_mouths,
    rehearse_check,
    rehearse_training,
    whole_crops,
)
from emo_people.networks.syncnet import (
    SHAPE,
    SPAN,
    WEIGHTS,
    WINDOWS,
    check_clips,
    delay,
    train_syncnet,
)
from emo_people.speech.synthesis import SAMPLE_RATE, Phoneme, Speech
from emo_training.perception.syncnet import FRAMES, SyncNet, load_syncnet, measure_sync, save_syncnet

from ..voices import needs_voices
from .gl import drawn as drawn


@pytest.fixture
def folder(tmp_path):
    """Two clips to train on, whose pictures and cepstra tell the frame in which they are, and one to check
    with."""
    frames = np.arange(FRAMES_SHOWN, dtype=np.uint8)[None, :, None, None, None]
    windows = np.arange(WINDOWS_HEARD, dtype=np.float32)[None, None, :, None, None, None]
    np.savez(
        tmp_path / TRAINING_FILES.format(0),
        pictures=np.broadcast_to(frames, (2, FRAMES_SHOWN, 3, 64, 64)),
        sounds=np.broadcast_to(windows - SPAN, (2, 3, WINDOWS_HEARD, 1, 13, 20)),
    )
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / CHECK_FILES.format(0),
        pictures=rng.integers(0, 256, (1, CHECKED, 3, 64, 64), np.uint8),
        sounds=rng.standard_normal((1, CHECKED * SAMPLE_RATE // 25)).astype(np.float32) / 10,
    )
    return tmp_path


def test_lips_and_sound_of_a_moment_are_sampled_together(folder, monkeypatch):
    monkeypatch.setattr("emo_people.networks.syncnet._alter", lambda lips, generator: lips)
    pool, starts = read_mouths(folder), set()
    for seed in range(20):
        lips, sounds = pool.sample(2, torch.Generator().manual_seed(seed))
        assert lips.shape == (2, 3, WINDOWS + FRAMES - 1, SHAPE.window, SHAPE.window)
        assert sounds.shape == (2, WINDOWS + 2 * SPAN, 1, 13, 20)
        for shown, heard in zip(lips, sounds, strict=True):
            assert (heard[SPAN : SPAN + WINDOWS, 0, 0, 0] == shown[0, :WINDOWS, 0, 0]).all()
            starts.add(int(shown[0, 0, 0, 0]))
    assert min(starts) == 0 and max(starts) == FRAMES_SHOWN - WINDOWS - FRAMES + 1


def test_a_network_is_trained_checked_and_kept_in_half_precision(folder, tmp_path):
    lines: list[str] = []
    net = train_syncnet(read_mouths(folder), steps=1, batch=2, log=lines.append)
    assert lines[0].startswith("syncnet: step 1 window ")
    found = check_clips(net, read_checks(folder), lines.append)
    assert set(found) == {"within_one", "in_sync", "stranger", "silence"}
    file = tmp_path / "net.safetensors"
    save_syncnet(net, file, half=True)
    assert file.stat().st_size < 1_500_000
    again = load_syncnet(file)
    assert isinstance(again, SyncNet) and again.config == SHAPE
    for one, other in zip(net.parameters(), again.parameters(), strict=True):
        assert other.dtype == torch.float32 and torch.allclose(one, other, rtol=1e-3, atol=1e-6)


def test_training_repeats(folder):
    pool = read_mouths(folder)
    one, other = (train_syncnet(pool, seed=1, steps=2, batch=2, log=lambda line: None) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_sound_is_delayed_by_frames():
    sound = np.arange(1, 2001, dtype=np.float32)
    late, early = delay(sound, 2), delay(sound, -1)
    assert (late[:1280] == 0).all() and (late[1280:] == sound[:720]).all()
    assert (early[:1360] == sound[640:]).all() and (early[1360:] == 0).all()


def test_a_folder_without_mouths_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no mouths-\*\.npz: make them with render-mouths"):
        read_mouths(tmp_path)


@needs_voices
def test_what_is_shown_lies_within_what_is_heard():
    rehearsal = rehearse_training(mouths.MOUTHS + 5)
    assert len(rehearsal.shown) == FRAMES_SHOWN
    assert rehearsal.shown.stop + SPAN <= len(rehearsal.performance.yaw)
    assert rehearsal.sounds.shape == (3, WINDOWS_HEARD, 1, 13, 20)
    again = rehearse_training(mouths.MOUTHS + 5)
    assert (again.sounds == rehearsal.sounds).all() and again.shown == rehearsal.shown


@needs_voices
def test_people_are_checked_from_the_first_frame_on_with_as_much_sound():
    rehearsal = rehearse_check(mouths.CHECK_MOUTHS)
    assert rehearsal.shown == range(CHECKED)
    assert rehearsal.sounds.shape == (CHECKED * SAMPLE_RATE // 25,)


def test_mouths_are_filmed_in_the_middle_and_move(drawn):
    """A mouth that opens wide in the middle of two seconds of silence."""
    phonemes = (Phoneme("pau", 0, 0.8), Phoneme("aa", 0.8, 1.2), Phoneme("pau", 1.2, 2.0))
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    sound = np.where((time > 0.8) & (time < 1.2), 0.5 * np.sin(900 * time), 0).astype(np.float32)
    performance = perform(Speech(sound, phonemes), 50, 25.0, 0.0, Pose(), 0, Expression.of())
    shut, wide = 5, 25
    rehearsal = Rehearsal(7, performance, range(shut, wide + 1, wide - shut), sound)
    first, second = film_mouth(drawn, rehearsal).astype(float)
    assert first.shape == (3, 64, 64)
    rows = np.abs(first - second).mean((0, 2))
    place = (rows * np.arange(64)).sum() / rows.sum()
    assert 26 < place < 54, "what moves is a little below the middle"


@needs_voices
def test_the_weights_in_the_repository_hear_by_how_much_the_sound_is_late(drawn):
    frames, net = 50, load_syncnet(WEIGHTS)
    seen, other = (rehearse_check(mouths.CHECK_MOUTHS + 1000 + k) for k in range(2))
    crops = whole_crops(film_mouth(drawn, replace(seen, shown=range(frames)))[None])[0]
    strange = [measure_sync(net, crops, sound).confidence for sound in (other.sounds, 0 * seen.sounds)]
    for shift in (-4, 0, 4):
        found = measure_sync(net, crops, delay(seen.sounds, shift))
        assert abs(found.offset - shift) <= 1
        assert found.confidence > max(*strange, net.config.min_confidence)
